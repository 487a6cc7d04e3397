"""The after-sales of one order: the order's own refund, and others that do not change the order.

Guesses, where the documentation is silent: the sequence of states (docs/xiaoe-api.md section 3
lists them without one), that a failed refund of the order (order_state 9, or 11 without money) ends as 12, 4 or 5,
that one started by the merchant has the states 11 and 13 only, and that
refused, cancelled and exchanged ones do not change the order at all.
"""

from __future__ import annotations

from typing import NamedTuple

from emulator.clock import DAY
from emulator.orders.generator import Order
from emulator.orders.lifecycle import PAID, Refund, returns_goods
from emulator.seeded import between

REFUND_ONLY, RETURN, EXCHANGE = 1, 2, 3
DONE = (13, 14)  # money has been paid back
OPEN = (0, 2, 3, 6, 8, 11, 16, 17, 19)
ODD_STATE = 21  # an undocumented code
_LONGEST_EXTRA = 45 * DAY  # from payment to the end of one that does not change the order
LONGEST = 62 * DAY  # from an order's creation to its last step: refunds 60, payments 9 and what may follow 45

Steps = tuple[tuple[int, int], ...]  # unix second, state from then on
# The sequences of states, as shares of the time from the first step to the last.
_WAYS = {
    (REFUND_ONLY, 13): ((0.0, 0), (0.1, 2), (0.7, 11), (1.0, 13)),
    (RETURN, 14): ((0.0, 0), (0.1, 2), (0.3, 6), (0.4, 8), (0.8, 19), (0.9, 11), (1.0, 14)),
    (REFUND_ONLY, 12): ((0.0, 0), (0.2, 2), (0.5, 11), (1.0, 12)),
    (REFUND_ONLY, 4): ((0.0, 0), (0.5, 2), (1.0, 4)),
    (RETURN, 5): ((0.0, 0), (0.5, 2), (1.0, 5)),
    (REFUND_ONLY, 1): ((0.0, 0), (0.3, 2), (1.0, 1)),
    (RETURN, 7): ((0.0, 0), (0.1, 2), (0.4, 6), (1.0, 7)),
    (EXCHANGE, 15): ((0.0, 0), (0.1, 2), (0.2, 6), (0.4, 8), (0.6, 16), (0.8, 17), (1.0, 15)),
    (EXCHANGE, 18): ((0.0, 0), (0.4, 2), (1.0, 18)),
}
LATE, AT_ONCE, ODD, PLAIN = range(4)  # variants of a sequence


class AfterSaleLifecycle(NamedTuple):
    """One after-sale: its type, its steps, and money in fen (`paid_back` None: nothing is ever paid back)."""

    sale_type: int
    steps: Steps
    asked: int
    paid_back: int | None
    by_merchant: bool = False


def _walk(sale_type: int, last: int, begin: int, end: int, turn: int) -> Steps:
    """The steps of a sequence; `turn`: the merchant is late (state 3) or accepts at once (no state 0)."""
    steps = [(begin + int(share * (end - begin)), state) for share, state in _WAYS[sale_type, last]]
    if turn == LATE:
        steps[1] = (steps[1][0], 3)
    elif turn == AT_ONCE:
        steps[:2] = [(begin, 2)]
    elif turn == ODD:
        steps[1] = (steps[1][0], ODD_STATE)
    return tuple(steps)


def _turn(bits: int) -> int:
    if bits % 36 == 35:
        return ODD
    return LATE if bits % 12 == 0 else AT_ONCE if bits % 12 < 5 else PLAIN


def _own(order: Order, refund: Refund, draws: tuple[int, ...]) -> AfterSaleLifecycle:
    """The after-sale of the order's own refund."""
    if refund.by_merchant:
        steps: Steps = ((refund.asked_at, 11), (refund.done_at, 13))
        return AfterSaleLifecycle(REFUND_ONLY, steps, refund.money, refund.money, by_merchant=True)
    returns = returns_goods(order.lifecycle)
    sale_type = RETURN if returns else REFUND_ONLY
    if refund.pays_back:
        last = 14 if returns else 13
    elif refund.state == PAID:
        last = 7 if returns else 1
    else:
        last = 5 if returns else (12, 4)[draws[0] & 1]
    asked = refund.money or order.price
    steps = _walk(sale_type, last, refund.asked_at, refund.done_at, _turn(draws[1]))
    return AfterSaleLifecycle(sale_type, steps, asked, refund.money if last in DONE else None)


def _extra(order: Order, draws: tuple[int, ...]) -> AfterSaleLifecycle | None:
    """An after-sale that does not change the order; it ends before the order's own refund is requested."""
    lifecycle = order.lifecycle
    if lifecycle.paid_at is None or not order.price:
        return None
    latest = lifecycle.refund.asked_at - 600 if lifecycle.refund else lifecycle.paid_at + _LONGEST_EXTRA
    received = lifecycle.received_at
    if lifecycle.physical and received is not None and received + 2 * DAY < latest:
        sale_type, last = EXCHANGE, (15, 15, 18)[draws[2] % 3]
        earliest = received + 600
    else:
        sale_type, last = REFUND_ONLY, (1, 1, 1, 4, 4)[draws[2] % 5]
        earliest = lifecycle.paid_at + 600
    if latest - earliest < DAY:
        return None
    begin = between(draws[3], earliest, latest - DAY // 2)
    end = between(draws[4], begin + 600, min(latest, begin + 10 * DAY))
    asked = 0 if sale_type == EXCHANGE else order.price
    return AfterSaleLifecycle(sale_type, _walk(sale_type, last, begin, end, _turn(draws[5])), asked, None)


def lifecycles_of(order: Order, draws: tuple[int, ...], *, has_extra: bool) -> list[AfterSaleLifecycle]:
    """The after-sales of an order in order of creation."""
    own = [_own(order, order.lifecycle.refund, draws)] if order.lifecycle.refund else []
    extra = _extra(order, draws) if has_extra else None
    return [extra, *own] if extra else own

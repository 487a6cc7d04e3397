"""The lifecycle of an order: all its events, decided at creation, and its state at any time.

A lifecycle is a pure function of the order's draws, a snapshot of the lifecycle and the clock. Guesses: the code
after_sales_state at each step, and that an order of price 0 shows its refund like any other.
"""

from __future__ import annotations

from typing import NamedTuple

from emulator.clock import DAY
from emulator.seeded import between, fraction

DEADLINE = 14 * DAY  # the refund deadline around which refunds cluster
_HOUR = 3600
_AUTO_CANCEL = 30 * 60

UNPAID, PAID, PAY_FAILED, REFUNDED, DEPOSIT, PAYING, AUTO_CANCELLED, CANCELLED = range(8)
REFUNDING, REFUND_FAILED, REFUND_DONE, PARTLY_REFUNDED = range(8, 12)
ODD_ORDER_STATE, ODD_SHIP_STATE = 77, 12  # undocumented codes

# How orders are paid: cumulative share, seconds until payment (from, to), state until then ...
_PAID_BY = (
    (0.62, 3, 240, UNPAID),
    (0.70, 5, 120, PAYING),
    (0.78, 240, _AUTO_CANCEL - 1, UNPAID),
    (0.80, DAY, 6 * DAY, UNPAID),
    (0.81, 2 * DAY, 9 * DAY, DEPOSIT),
)
# ... or closed: cumulative share, seconds until closing (from, to), state from then on. The rest stays open.
_CLOSED_BY = (
    (0.91, _AUTO_CANCEL, _AUTO_CANCEL, AUTO_CANCELLED),
    (0.975, 20, 20 * _HOUR, CANCELLED),
    (0.985, 10, 300, PAY_FAILED),
)
_NO_REFUND_UP_TO = 0.86
_WHOLE = (REFUNDED, REFUND_DONE)
_PART = (PARTLY_REFUNDED, PARTLY_REFUNDED)
# The others: cumulative share, seconds from creation to decision (from, to), shortest and longest wait
# for it, the possible final states, and whether money is paid back. Refunds cluster around the deadline; slow
# ones are requested before it and decided after.
_REFUNDED_BY = (
    (0.90, 2 * _HOUR, 13 * DAY, 300, 3 * DAY, _WHOLE, True),
    (0.915, DEADLINE - 1, DEADLINE + 1, 300, 3 * DAY, _WHOLE, True),
    (0.935, DEADLINE + _HOUR, 60 * DAY, 300, 3 * DAY, _WHOLE, True),
    (0.95, 2 * _HOUR, 40 * DAY, 300, 3 * DAY, _PART, True),
    (0.955, DEADLINE - 1, DEADLINE + 1, 300, 3 * DAY, _PART, True),
    (0.965, DEADLINE + _HOUR, DEADLINE + 5 * DAY, 5 * DAY + _HOUR, 6 * DAY, _WHOLE, True),
    (0.974, DAY, 20 * DAY, 300, 3 * DAY, (REFUND_FAILED, REFUND_FAILED), False),
    (0.98, DAY, 20 * DAY, 300, 3 * DAY, _PART, False),  # started, and refused
    (1.0, DAY, 20 * DAY, 300, 3 * DAY, (PAID, PAID), False),  # withdrawn
)
_FREE_REFUNDS_FROM = 0.97  # merchants refund orders that cost nothing, too
_PATIENCE = 120  # seconds from start to end of a refund that the merchant starts


class Refund(NamedTuple):
    """A refund: its times (unix seconds), the order_state before and after its decision, and the fen paid back."""

    asked_at: int
    done_at: int
    waiting_state: int
    state: int
    money: int
    by_merchant: bool

    @property
    def is_whole(self) -> bool:
        """Whether the whole order is refunded, be its price 0."""
        return self.state in _WHOLE

    @property
    def pays_back(self) -> bool:
        """Whether it ends in a refund; one that is refused or withdrawn does not."""
        return self.is_whole or self.money > 0


class OrderLifecycle(NamedTuple):
    """All events of an order in unix seconds; None: never."""

    created: int
    waiting_state: int  # order_state until it is paid or closed
    paid_at: int | None
    closed_at: int | None
    closed_state: int
    refund: Refund | None
    partly_shipped_at: int | None
    shipped_at: int | None
    received_at: int | None
    settled_at: int | None
    physical: bool
    odd_order_state: bool
    odd_ship_state: bool


Parcel = tuple[int | None, int | None, int | None]  # partly shipped, shipped and received at


class OrderSnapshot(NamedTuple):
    """The state of an order at one time: codes, unix seconds or None, and refunded fen or None."""

    order_state: int
    ship_state: int
    after_sales_state: int
    sales_state: int
    pay_time: int | None
    refund_time: int | None
    settle_time: int | None
    refund_money: int | None


def _payment(created: int, way: float, delay: int) -> tuple[int, int | None, int | None, int]:
    """Waiting state, payment time, closing time, closed state."""
    for share, low, high, waiting in _PAID_BY:
        if way < share:
            return waiting, created + between(delay, low, high), None, 0
    for share, low, high, closed in _CLOSED_BY:
        if way < share:
            return UNPAID, None, created + between(delay, low, high), closed
    return UNPAID, None, None, 0


def may_refund(draws: tuple[int, ...]) -> bool:
    """Whether an order can have a refund; it does if it is paid with money."""
    return fraction(draws[3]) >= _NO_REFUND_UP_TO


def _refund(created: int, paid_at: int, money: int, draws: tuple[int, ...]) -> Refund | None:
    """The refund of an order of `money` fen from draws 3 to 6: kind, decision time, wait, part."""
    kind = fraction(draws[3])
    if kind < _NO_REFUND_UP_TO:
        return None
    _, low, high, shortest, longest, states, is_paid = next(way for way in _REFUNDED_BY if kind < way[0])
    done_at = max(created + between(draws[4], low, high), paid_at + 600)
    by_merchant = is_paid and shortest < DAY and (draws[6] >> 8) % 8 == 0
    wait = _merchant_wait(draws[5]) if by_merchant else between(draws[5], shortest, longest)
    asked_at = max(done_at - wait, paid_at + 60)
    state = states[draws[6] & 1]
    part = between(draws[6], 1, max(1, money - 1))
    back = (part if state == PARTLY_REFUNDED else money) if is_paid else 0
    # order_state 11 means that a partial refund was started [prod]; half of them show it at once
    starts_at_once = state == PARTLY_REFUNDED and draws[6] >> 4 & 1
    return Refund(asked_at, done_at, PARTLY_REFUNDED if starts_at_once else REFUNDING, state, back, by_merchant)


def _free_refund(created: int, draws: tuple[int, ...]) -> Refund | None:
    """The refund of an order that costs nothing, started by the merchant, from draws 3 to 5."""
    if fraction(draws[3]) < _FREE_REFUNDS_FROM:
        return None
    done_at = created + between(draws[4], 2 * _HOUR, 40 * DAY)
    return Refund(done_at - _merchant_wait(draws[5]), done_at, REFUNDING, REFUND_DONE, 0, by_merchant=True)


def _merchant_wait(bits: int) -> int:
    return 5 + bits % (_PATIENCE - 5)


def _parcel(paid_at: int, until: int | None, draws: tuple[int, ...]) -> Parcel:
    """The events of a parcel from draws 8 to 10; a full refund stops it."""
    partly_at = paid_at + 6 * _HOUR if draws[8] % 10 == 0 else None
    shipped_at = paid_at + between(draws[9], 8 * _HOUR, 4 * DAY)
    received_at = shipped_at + between(draws[10], DAY, 9 * DAY)
    return _unless_past(partly_at, until), _unless_past(shipped_at, until), _unless_past(received_at, until)


def _unless_past(moment: int | None, until: int | None) -> int | None:
    return moment if moment is not None and (until is None or moment < until) else None


def make_lifecycle(created: int, money: int, physical: bool, draws: tuple[int, ...]) -> OrderLifecycle:
    """The lifecycle of an order of `money` fen from draws 1 to 11."""
    if money:
        waiting, paid_at, closed_at, closed_state = _payment(created, fraction(draws[2]), draws[7])
    else:
        waiting, paid_at, closed_at, closed_state = UNPAID, created, None, 0
    refund, settled_at = None, None
    parcel: Parcel = (None, None, None)
    if paid_at is not None:
        refund = _refund(created, paid_at, money, draws) if money else _free_refund(created, draws)
        full_at = refund.done_at if refund and refund.is_whole else None
        settles_at = paid_at + between(draws[11], 7 * DAY, 20 * DAY)
        settled_at = settles_at if full_at is None or settles_at < full_at else None
        if physical:
            parcel = _parcel(paid_at, full_at, draws)
    odd = draws[11] % 1000
    closing = (waiting, paid_at, closed_at, closed_state)
    return OrderLifecycle(created, *closing, refund, *parcel, settled_at, physical, odd == 0, odd == 1)


def _passed(moment: int | None, now: int) -> bool:
    return moment is not None and moment <= now


def _order_state(lifecycle: OrderLifecycle, now: int) -> int:
    if lifecycle.paid_at is None:
        return lifecycle.closed_state if _passed(lifecycle.closed_at, now) else lifecycle.waiting_state
    if now < lifecycle.paid_at:
        return lifecycle.waiting_state
    refund = lifecycle.refund
    if refund and now >= refund.asked_at:
        return refund.state if now >= refund.done_at else refund.waiting_state
    return ODD_ORDER_STATE if lifecycle.odd_order_state else PAID


def _ship_state(lifecycle: OrderLifecycle, now: int) -> int:
    if lifecycle.odd_ship_state:
        return ODD_SHIP_STATE
    if not lifecycle.physical:
        return 0
    steps = ((3, lifecycle.received_at), (2, lifecycle.shipped_at), (4, lifecycle.partly_shipped_at))
    return next((state for state, moment in steps if _passed(moment, now)), 1)


def returns_goods(lifecycle: OrderLifecycle) -> bool:
    """Whether the order's refund includes the return of shipped goods (a guess)."""
    refund, shipped_at = lifecycle.refund, lifecycle.shipped_at
    if refund is None or refund.by_merchant or shipped_at is None or shipped_at > refund.asked_at:
        return False
    return refund.done_at - refund.asked_at > DAY // 2


def _after_sales_state(lifecycle: OrderLifecycle, now: int) -> int:
    """The code of after_sales_state, 0 to 8 (docs/xiaoe-api.md section 2). Guess: the time of each step."""
    refund = lifecycle.refund
    if refund is None or now < refund.asked_at:
        return 0
    if now >= refund.done_at:
        refused = 3 if refund.done_at & 1 else 8
        return 2 if refund.pays_back else 4 if refund.state == PAID else refused
    share = (now - refund.asked_at) / (refund.done_at - refund.asked_at)
    if returns_goods(lifecycle) and 0.3 <= share < 0.8:
        return 6 if share < 0.4 else 7
    return 5 if refund.by_merchant or (refund.pays_back and share >= 0.7) else 1


def snapshot_at(lifecycle: OrderLifecycle, now: int) -> OrderSnapshot:
    """The state of the order at `now`."""
    order_state = _order_state(lifecycle, now)
    refund = lifecycle.refund
    paid_back = refund if refund and refund.pays_back and now >= refund.done_at else None
    return OrderSnapshot(
        order_state,
        _ship_state(lifecycle, now),
        _after_sales_state(lifecycle, now),
        (2 if paid_back.is_whole else 1) if paid_back else -1,
        lifecycle.paid_at if _passed(lifecycle.paid_at, now) else None,
        paid_back.done_at if paid_back else None,
        lifecycle.settled_at if _passed(lifecycle.settled_at, now) else None,
        paid_back.money if paid_back else None,
    )

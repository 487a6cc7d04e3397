"""The lifecycle of an order: all its events, decided at creation, and its state at any time.

A lifecycle is a pure function of the order's draws, a snapshot of the lifecycle and the clock. What the
codes without documented text (sales_state, after_sales_state) are at each step is a guess.
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
# The others: cumulative share, seconds from creation to decision (from, to), shortest and longest wait
# for it, and the possible final states. Refunds cluster around the deadline; slow ones are requested before it
# and decided after.
_REFUNDED_BY = (
    (0.90, 2 * _HOUR, 13 * DAY, 300, 3 * DAY, (REFUNDED, REFUND_DONE)),
    (0.915, DEADLINE - 1, DEADLINE + 1, 300, 3 * DAY, (REFUNDED, REFUND_DONE)),
    (0.935, DEADLINE + _HOUR, 60 * DAY, 300, 3 * DAY, (REFUNDED, REFUND_DONE)),
    (0.95, 2 * _HOUR, 40 * DAY, 300, 3 * DAY, (PARTLY_REFUNDED, PARTLY_REFUNDED)),
    (0.955, DEADLINE - 1, DEADLINE + 1, 300, 3 * DAY, (PARTLY_REFUNDED, PARTLY_REFUNDED)),
    (0.965, DEADLINE + _HOUR, DEADLINE + 5 * DAY, 5 * DAY + _HOUR, 6 * DAY, (REFUNDED, REFUND_DONE)),
    (0.98, DAY, 20 * DAY, 300, 3 * DAY, (REFUND_FAILED, REFUND_FAILED)),
    (1.0, DAY, 20 * DAY, 300, 3 * DAY, (PAID, PAID)),  # withdrawn
)


class Refund(NamedTuple):
    """A refund: when it is requested and decided (unix seconds), the final order_state, and the fen paid back."""

    asked_at: int
    done_at: int
    state: int
    money: int


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
    """Whether an order would have a refund if it is paid with money."""
    return fraction(draws[3]) >= _NO_REFUND_UP_TO


def _refund(created: int, paid_at: int, money: int, draws: tuple[int, ...]) -> Refund | None:
    """The refund of an order of `money` fen from draws 3 to 6: kind, decision time, wait, part."""
    kind = fraction(draws[3])
    if kind < _NO_REFUND_UP_TO:
        return None
    _, low, high, shortest, longest, states = next(way for way in _REFUNDED_BY if kind < way[0])
    done_at = max(created + between(draws[4], low, high), paid_at + 600)
    asked_at = max(done_at - between(draws[5], shortest, longest), paid_at + 60)
    state = states[draws[6] & 1]
    back = {PARTLY_REFUNDED: between(draws[6], 1, max(1, money - 1)), REFUNDED: money, REFUND_DONE: money}
    return Refund(asked_at, done_at, state, back.get(state, 0))


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
        refund = _refund(created, paid_at, money, draws) if money else None
        full_at = refund.done_at if refund and refund.state in (REFUNDED, REFUND_DONE) else None
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
        return refund.state if now >= refund.done_at else REFUNDING
    return ODD_ORDER_STATE if lifecycle.odd_order_state else PAID


def _ship_state(lifecycle: OrderLifecycle, now: int) -> int:
    if lifecycle.odd_ship_state:
        return ODD_SHIP_STATE
    if not lifecycle.physical:
        return 0
    steps = ((3, lifecycle.received_at), (2, lifecycle.shipped_at), (4, lifecycle.partly_shipped_at))
    return next((state for state, moment in steps if _passed(moment, now)), 1)


def snapshot_at(lifecycle: OrderLifecycle, now: int) -> OrderSnapshot:
    """The state of the order at `now`."""
    order_state = _order_state(lifecycle, now)
    refund = lifecycle.refund
    paid_back = refund if refund and refund.money > 0 and now >= refund.done_at else None
    return OrderSnapshot(
        order_state,
        _ship_state(lifecycle, now),
        1 if order_state == REFUNDING else 2 if paid_back else 0,
        1 if paid_back else 0,
        lifecycle.paid_at if _passed(lifecycle.paid_at, now) else None,
        paid_back.done_at if paid_back else None,
        lifecycle.settled_at if _passed(lifecycle.settled_at, now) else None,
        paid_back.money if paid_back else None,
    )

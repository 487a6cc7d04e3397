"""When an order last changed, what order list 2.0 calls its state, and which orders changed in a window."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.clock import DAY
from emulator.orders.generator import Order, OrderGenerator
from emulator.orders.lifecycle import OrderLifecycle

LONGEST = 70 * DAY  # from an order's creation to its last change, unless it is amended
UNPAID, TO_SHIP, SHIPPED, DONE, CLOSED = 0, 2, 3, 4, 5  # order_state of this list: not that of the other one
NOT_CLOSED, CLOSED_BY_TIME, CLOSED_BY_BUYER, CLOSED_BY_REFUND = 0, 1, 2, 4
_AUTO_CANCELLED = 6  # order_state of the other list


def changed_at(lifecycle: OrderLifecycle, now: int) -> int:
    """When the order last changed up to `now`, unix seconds."""
    refund = lifecycle.refund
    moments = (
        lifecycle.created,
        lifecycle.paid_at,
        lifecycle.closed_at,
        lifecycle.partly_shipped_at,
        lifecycle.shipped_at,
        lifecycle.received_at,
        lifecycle.settled_at,
        *((refund.asked_at, refund.done_at) if refund else ()),
    )
    return max(moment for moment in moments if moment is not None and moment <= now)


def state_of(order: Order, now: int) -> tuple[int, int]:
    """order_state and order_close_type. A guess: which events lead from one to the next."""
    lifecycle, refund = order.lifecycle, order.lifecycle.refund
    if refund and refund.is_whole and now >= refund.done_at:
        return CLOSED, CLOSED_BY_REFUND
    if lifecycle.closed_at is not None and now >= lifecycle.closed_at:
        return CLOSED, CLOSED_BY_TIME if lifecycle.closed_state == _AUTO_CANCELLED else CLOSED_BY_BUYER
    if lifecycle.paid_at is None or now < lifecycle.paid_at:
        return UNPAID, NOT_CLOSED
    if not lifecycle.physical or (lifecycle.received_at is not None and now >= lifecycle.received_at):
        return DONE, NOT_CLOSED
    is_shipped = lifecycle.shipped_at is not None and now >= lifecycle.shipped_at
    return SHIPPED if is_shipped else TO_SHIP, NOT_CLOSED


def aftersale_of(order: Order, now: int) -> int:
    """aftersale_show_state: 0 none, 1 in progress, 2 partly and 3 wholly refunded."""
    refund = order.lifecycle.refund
    if refund is None or now < refund.asked_at:
        return 0
    if now < refund.done_at:
        return 1
    return 3 if refund.is_whole else 2 if refund.pays_back else 0


def changed_between(orders: OrderGenerator, begin: int, end: int, now: int) -> Sequence[int]:
    """Numbers of the orders whose last change up to `now` lies in [begin, end), earliest change first."""
    existing = orders.created_between(0, end, now)
    recent = orders.created_between(begin - LONGEST, end, now)
    candidates = {*recent, *(number for number in orders.amended if number in existing)}
    found = ((changed_at(orders.order(number).lifecycle, now), number) for number in candidates)
    return [number for moment, number in sorted(found) if begin <= moment < end]

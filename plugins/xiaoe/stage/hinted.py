"""Which orders the waiting hints name, and which of them still have to be looked up.

Pushes and lists tell of changes that a sync may have read meanwhile: such an order is not asked for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from xiaoe.clock import BEIJING
from xiaoe.coverage import Look, segments
from xiaoe.hints.queue import Hint
from xiaoe.mysql.session import Session
from xiaoe.stage.lookup import NamedOrder, seen_at

MOST_HINTS = 5000
"""Hints that one run takes; the others wait for the next one."""


def hinted_orders(session: Session, shop_id: str, hints: Sequence[Hint], *, skew: timedelta) -> list[NamedOrder]:
    """The orders that hints name, each once, with the moment from which on a reading shows what the hints tell of.

    An order that is marked absent counts as unknown: it may be back.

    Args:
        session: For what the warehouse knows of the orders.
        shop_id: The shop.
        hints: Hints of this shop.
        skew: How far the shop's clock may differ from this side's.
    """
    needed: dict[str, datetime] = {}
    for hint in hints:
        moment = shows_after(hint, skew)
        needed[hint.order_id] = max(moment, needed.get(hint.order_id, moment))
    if not needed:
        return []
    rows = session.query(
        "SELECT order_id, created_time, observed_at FROM orders"
        " WHERE shop_id = %s AND order_id IN %s AND absent_since IS NULL",
        (shop_id, sorted(needed)),
    )
    known = {order_id: (created, observed_at) for order_id, created, observed_at in rows}
    return [
        NamedOrder(
            order_id,
            moment,
            created.replace(tzinfo=BEIJING) if created else None,
            observed_at.replace(tzinfo=timezone.utc) if observed_at else None,
        )
        for order_id, moment in needed.items()
        for created, observed_at in [known.get(order_id, (None, None))]
    ]


def shows_after(hint: Hint, skew: timedelta) -> datetime:
    """From when on a reading shows the change: once it was told, or happened by both clocks, whichever is earlier."""
    return hint.told_at if hint.changed_at is None else min(hint.told_at, hint.changed_at + skew)


def to_look_up(named: Sequence[NamedOrder], looks: Sequence[Look]) -> list[NamedOrder]:
    """The orders of which no reading shows the change yet.

    Args:
        named: As of `hinted_orders`.
        looks: Merged windows over the times at which these were created.
    """
    covered = segments(looks)
    return [order for order in named if (seen := seen_at(order, covered)) is None or seen < order.changed]

"""`bi_sync_coverage`: which days of orders are covered by merged windows, and when they were last observed."""

from __future__ import annotations

from datetime import date, timedelta

from xiaoe.clock import beijing_text, midnight
from xiaoe.coverage import seen_days, segments
from xiaoe.merge.ledger import observations
from xiaoe.mysql.session import Session
from xiaoe.resources.orders import ORDERS

_DAY = timedelta(days=1)


def write_coverage(session: Session, shop_id: str, first: date, end: date) -> None:
    """Refresh the days from `first` to `end`, exclusive."""
    looks = observations(session, ORDERS, shop_id, midnight(first), midnight(end))
    days = seen_days(segments(looks), first, end)
    session.insert_many(
        "REPLACE INTO bi_sync_coverage (shop_id, day, is_covered, looked_at) VALUES (%s, %s, %s, %s)",
        [(shop_id, day, look is not None, look and beijing_text(look)) for day, look in days.items()],
    )


def unknown_days(session: Session, shop_id: str, today: date) -> list[date]:
    """Days from the first window of orders to yesterday whose coverage was never computed."""
    [(first,)] = session.query(
        "SELECT MIN(window_start) FROM sync_windows WHERE shop_id = %s AND resource = 'orders'", (shop_id,)
    )
    if first is None:
        return []
    known = {day for (day,) in session.query("SELECT day FROM bi_sync_coverage WHERE shop_id = %s", (shop_id,))}
    days = (first.date() + _DAY * number for number in range((today - first.date()).days))
    return [day for day in days if day not in known]

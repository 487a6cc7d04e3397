"""Transactional outbox: what a merge queues for the benefit decision and the marts, in its own transaction.

A resource declares what is downstream (`Resource.feeds`). New rows are queued as they are loaded (`copies`,
`queue_days`), changed rows by the resource's merge template, which has old and new values; rows that became absent, or
that can be typed again, by `queue_rows`; windows by `queue_window`. A queue and not a watermark, which would have to
trust clocks and would miss rows of a merge that commits late: an entry commits with the row it is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from xiaoe.clock import BEIJING, utc_text
from xiaoe.mysql.session import Session
from xiaoe.resources.base import Copy, Resource


def copies(resource: Resource) -> tuple[Copy, ...]:
    """Queues that new rows are loaded into; an after-sale may already have queued its order."""
    column = resource.feeds.decisions
    return (Copy("benefit_queue", {"order_id": column}, on_duplicate="replace"),) if column else ()


def arrivals(resource: Resource, now: datetime) -> Copy | None:
    """Where it is noted that rows arrive, and when: `objective_events`, for the objective that the resource feeds."""
    if resource.feeds.arrival is None:
        return None
    objective, column = resource.feeds.arrival
    # fmt: off
    columns = {
        "objective": objective, "began_at": column, resource.key: resource.key, "reached_at": utc_text(now),
    }
    # fmt: on
    return Copy("objective_events", columns, on_duplicate="ignore")


def queue_rows(session: Session, resource: Resource, shop_id: str, keys: Sequence[str]) -> None:
    """Queue what depends on these rows: decisions, if the key names an order, the marts' days, and buyers."""
    queue_decisions(session, resource, shop_id, keys)
    for start in range(0, len(keys), 1000):
        if buyer := resource.feeds.mart_buyer:
            session.execute(
                f"INSERT INTO mart_queue (shop_id, kind, user_id) SELECT DISTINCT shop_id, 'buyer', {buyer}"
                f" FROM {resource.table} WHERE shop_id = %s AND {resource.key} IN %s AND {buyer} > ''",
                (shop_id, tuple(keys[start : start + 1000])),
            )
        for kind, columns in resource.feeds.mart_days.items():
            for column in columns:
                session.execute(
                    f"INSERT INTO mart_queue (shop_id, kind, day) SELECT DISTINCT shop_id, %s, DATE({column})"
                    f" FROM {resource.table} WHERE shop_id = %s AND {resource.key} IN %s AND {column} IS NOT NULL",
                    (kind, shop_id, tuple(keys[start : start + 1000])),
                )


def queue_decisions(session: Session, resource: Resource, shop_id: str, keys: Iterable[str]) -> None:
    """Queue orders for a new benefit decision, if these keys name orders."""
    if resource.feeds.decisions == resource.key:
        session.insert_many(
            "INSERT INTO benefit_queue (shop_id, order_id) VALUES (%s, %s)"
            " ON DUPLICATE KEY UPDATE order_id = VALUES(order_id)",
            [(shop_id, key) for key in keys],
        )


def queue_window(session: Session, resource: Resource, shop_id: str, begin: datetime, end: datetime) -> None:
    """Queue the coverage of the days of a window, if the marts show it.

    Args:
        session: In the transaction that writes the window to the ledger.
        resource: The window's resource.
        shop_id: The shop.
        begin: With an offset.
        end: The same; not included.
    """
    if resource.feeds.mart_days:
        first, last = (moment.astimezone(BEIJING).date() for moment in (begin, end))
        queue_days(session, shop_id, "covered", [first + timedelta(days=n) for n in range((last - first).days + 1)])


def queue_days(session: Session, shop_id: str, kind: str, days: Iterable[date]) -> None:
    """Queue days, of Beijing, for one kind of mart."""
    session.insert_many(
        "INSERT INTO mart_queue (shop_id, kind, day) VALUES (%s, %s, %s)",
        [(shop_id, kind, day) for day in sorted(days)],
    )

"""Orders known only from an imported file, until the API confirms them (docs/decisions/0024).

Their `observed_at` lies in January 1970, so any row of the API wins, and `observed_at < '1971-01-01'` identifies them.
Within 1970 it grows with the newest time in the file, a millisecond a second, so the file that knows of later things
wins, whichever is imported first. (A file's own date changes when it is copied.)

An order of the API that a window no longer lists stops the run. An order known only from a file was never the API's: it
is marked absent and the run continues, also when it is looked up by id. If the API lists it later, the mark is removed.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from xiaoe.clock import BEIJING
from xiaoe.coverage import last_look, segments
from xiaoe.merge.ledger import observations
from xiaoe.mysql.session import Session
from xiaoe.resources.base import Resource
from xiaoe.resources.orders import ORDERS
from xiaoe.windows import EVER

MODE = "csv"
"""Of an import, in `sync_status` and `sync_runs`."""
BEFORE = "1971-01-01"
"""Rows observed earlier are known from files only; marts/benefit_decisions.sql has the same limit."""
_BEGIN = datetime(1970, 1, 2, tzinfo=timezone.utc)
_MAX_OFFSET = timedelta(days=300)
_SCALE = 1000


def observed_at(newest: datetime) -> datetime:
    """`observed_at` of a file's rows: in 1970, a millisecond for each second up to its newest time.

    Args:
        newest: The latest time in the file, Beijing.
    """
    offset = max(newest - EVER, timedelta()) / _SCALE
    return _BEGIN + min(offset, _MAX_OFFSET)


def confirmed(session: Session, resource: Resource, shop_id: str, names: list[str]) -> list[str]:
    """The keys among these whose row the API has listed."""
    found: list[str] = []
    for start in range(0, len(names), 1000):
        rows = session.query(
            f"SELECT {resource.key} FROM {resource.table} WHERE shop_id = %s"
            f" AND {resource.key} IN %s AND observed_at >= %s ORDER BY 1",
            (shop_id, names[start : start + 1000], BEFORE),
        )
        found += [name for (name,) in rows]
    return found


def unlisted(session: Session, shop_id: str) -> list[str]:
    """Imported orders whose window was read from the API later and that it did not list; not those marked absent."""
    condition = "FROM orders WHERE shop_id = %s AND observed_at < %s AND absent_since IS NULL"
    [(first, last)] = session.query(f"SELECT MIN(created_time), MAX(created_time) {condition}", (shop_id, BEFORE))
    if first is None:
        return []
    span = (first.replace(tzinfo=BEIJING), last.replace(tzinfo=BEIJING))
    covered = segments(observations(session, ORDERS, shop_id, *span))
    not_listed = []
    for name, created in session.rows(f"SELECT order_id, created_time {condition}", (shop_id, BEFORE)):
        created_at = created.replace(tzinfo=BEIJING)
        look = last_look(covered, created_at)
        if look is not None and created_at < look:
            not_listed.append(name)
    return not_listed

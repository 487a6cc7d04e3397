"""Orders that only an imported file tells of: older than anything the API ever said (docs/decisions/0024).

They wait for the API to confirm them. It wins whatever it says; where it has read the window of such an order and
did not list it, the order is marked absent, and nobody is alarmed: it never was the API's.
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
"""As `sync_status` and `sync_runs` know an import."""
BEFORE = "1971-01-01"
"""Rows observed before this moment are known from files only; marts/benefit_decisions.sql knows it, too."""
_BEGIN = datetime(1970, 1, 2, tzinfo=timezone.utc)
_LONGEST = timedelta(days=300)
_SHRUNK = 1000


def observed_at(newest: datetime) -> datetime:
    """`observed_at` of the rows of a file: in 1970, a millisecond for each second up to its newest time.

    So of two files the one that knows of later things wins, in whichever order they are imported.

    Args:
        newest: The latest moment the file speaks of, Beijing.
    """
    age = max(newest - EVER, timedelta()) / _SHRUNK
    return _BEGIN + min(age, _LONGEST)


def confirmed(session: Session, resource: Resource, shop_id: str, names: list[str]) -> list[str]:
    """Those of some rows that the API has told of."""
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
    """Imported orders of windows that the API was read for: it did not list them. Those marked absent are left out."""
    condition = "FROM orders WHERE shop_id = %s AND observed_at < %s AND absent_since IS NULL"
    [(first, last)] = session.query(f"SELECT MIN(created_time), MAX(created_time) {condition}", (shop_id, BEFORE))
    if first is None:
        return []
    covered = segments(observations(session, ORDERS, shop_id, *(one.replace(tzinfo=BEIJING) for one in (first, last))))
    found = []
    for name, created in session.rows(f"SELECT order_id, created_time {condition}", (shop_id, BEFORE)):
        made = created.replace(tzinfo=BEIJING)
        look = last_look(covered, made)
        if look is not None and made < look:
            found.append(name)
    return found

"""How fresh each sync has to be; the checks, the monitoring page, `make health` and dashboards use the same limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from xiaoe.mysql.session import Session
from xiaoe.resources.registry import RESOURCES

FreshWithin = Mapping[tuple[str, str], timedelta]
"""Resource and mode, as in `sync_status` → how long ago the last success may be."""

FRESH_WITHIN: FreshWithin = {
    **{(name, mode): limit for name, resource in RESOURCES.items() for mode, limit in resource.fresh_within.items()},
    ("benefits", "decide"): timedelta(hours=2),
    ("marts", "refresh"): timedelta(hours=2),
}
"""As the resources declare it, and for what is downstream of them."""


def is_late(resource: str, mode: str, last_success_at: datetime | None, now: datetime) -> bool:
    """Whether a sync has not succeeded for too long; one that has no limit never is.

    Args:
        resource: As in `sync_status`.
        mode: As in `sync_status`.
        last_success_at: None: never.
        now: Naive like the former, or with an offset like it.
    """
    limit = FRESH_WITHIN.get((resource, mode))
    return limit is not None and (last_success_at is None or now - last_success_at > limit)


def write_limits(session: Session) -> None:
    """Write the limits to `sync_limits`, where the view `bi_sync_status` finds them, if they are not there already."""
    limits = {name: limit // timedelta(minutes=1) for name, limit in FRESH_WITHIN.items()}
    rows = session.query("SELECT resource, mode, fresh_minutes FROM sync_limits")
    if {(resource, mode): minutes for resource, mode, minutes in rows} == limits:
        return
    session.execute("DELETE FROM sync_limits")
    session.insert_many(
        "REPLACE INTO sync_limits (resource, mode, fresh_minutes) VALUES (%s, %s, %s)",
        [(*name, minutes) for name, minutes in limits.items()],
    )

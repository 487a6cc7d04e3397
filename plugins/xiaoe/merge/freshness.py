"""How fresh each sync has to be; the checks, the monitoring page and `make health` use the same limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

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

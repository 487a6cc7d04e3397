"""`make health`: which syncs are stale. It runs outside of Airflow, which cannot report that it is down itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from xiaoe import clock
from xiaoe.alerts import wording
from xiaoe.alerts.messages import beijing
from xiaoe.alerts.wording import Style
from xiaoe.clock import in_words, utc_text
from xiaoe.merge.freshness import FRESH_WITHIN, is_late
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

FORGOTTEN = timedelta(days=30)
"""A sync that was not even tried for this long was taken out of service."""


class SyncFreshness(NamedTuple):
    """A row of `sync_status` that has a freshness limit; times in UTC."""

    shop_id: str
    resource: str
    mode: str
    last_success_at: datetime | None


def check_freshness() -> tuple[bool, list[str]]:
    """Whether all syncs are fresh, and the lines to print."""
    now, style = clock.now(), wording.configured()
    with Warehouse().session(any_schema=True) as session:
        syncs = read_syncs(session, now)
        [(alerts,)] = session.query("SELECT COUNT(*) FROM alerts WHERE closed_at IS NULL")
    stale = stale_lines(syncs, now, style)
    known = style.say("health", "alerts", alerts)
    if not syncs:
        return False, [style.say("health", "nothing"), known]
    return not stale, [*(stale or [style.say("health", "fresh", len(syncs))]), known]


def read_syncs(session: Session, now: datetime) -> list[SyncFreshness]:
    """The syncs that have a freshness limit."""
    rows = session.query(
        "SELECT shop_id, resource, mode, last_success_at FROM sync_status WHERE last_attempt_at > %s ORDER BY 1, 2, 3",
        (utc_text(now - FORGOTTEN),),
    )
    return [
        SyncFreshness(shop_id, resource, mode, succeeded.replace(tzinfo=timezone.utc) if succeeded else None)
        for shop_id, resource, mode, succeeded in rows
        if (resource, mode) in FRESH_WITHIN
    ]


def stale_lines(syncs: Sequence[SyncFreshness], now: datetime, style: Style) -> list[str]:
    """A line for each stale sync."""
    found = []
    for one in syncs:
        last = one.last_success_at
        if not is_late(one.resource, one.mode, last, now):
            continue
        age = in_words(now - last, style.language) if last else ""
        when = style.say("health", "last", beijing(last), age) if last else style.say("health", "never")
        name = f"{one.shop_id} {one.resource} {one.mode}"
        limit = in_words(FRESH_WITHIN[one.resource, one.mode], style.language)
        found.append(style.say("health", "stale", name, when, limit))
    return found

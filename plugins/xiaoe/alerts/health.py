"""`make health`: which syncs are stale. It runs outside of Airflow, which cannot report that it is down itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from xiaoe import clock
from xiaoe.alerts.messages import beijing
from xiaoe.clock import in_words, utc_text
from xiaoe.merge.freshness import FRESH_WITHIN
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
    now = clock.now()
    with Warehouse().session(any_schema=True) as session:
        syncs = read_syncs(session, now)
        [(alerts,)] = session.query("SELECT COUNT(*) FROM alerts WHERE closed_at IS NULL")
    stale = stale_lines(syncs, now)
    known = f"未结束的告警 open alerts：{alerts}"
    if not syncs:
        return False, ["过期 STALE：从未同步过，或 30 天没有同步 nothing was ever synced, or not for 30 days", known]
    return not stale, [*(stale or [f"正常 OK：{len(syncs)} 项同步均在时限内 every sync is fresh"]), known]


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


def stale_lines(syncs: Sequence[SyncFreshness], now: datetime) -> list[str]:
    """A line for each stale sync."""
    found = []
    for one in syncs:
        limit, last = FRESH_WITHIN[one.resource, one.mode], one.last_success_at
        if last is not None and now - last <= limit:
            continue
        when = f"{beijing(last)}（北京时间 Beijing），已 {in_words(now - last)}" if last else "无 never"
        name = f"{one.shop_id} {one.resource} {one.mode}"
        found.append(f"过期 STALE：{name}：最近成功 last success {when}，时限 limit {in_words(limit)}")
    return found

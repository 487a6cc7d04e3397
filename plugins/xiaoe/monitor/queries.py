"""The page's queries: each is bounded, and all read one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from xiaoe.api import shop_names
from xiaoe.benefits.attention import not_observed_since
from xiaoe.clock import beijing_text, utc_text
from xiaoe.monitor.records import (
    ChangeSource,
    FailedCheck,
    LastBackup,
    LatestShopCheck,
    LedgerWindow,
    Looks,
    ObjectiveStatus,
    OpenAlert,
    PageData,
    ShopBacklog,
    StorageDay,
    StorageFigure,
    SyncDay,
    SyncRun,
    SyncStatus,
)
from xiaoe.monitor.storage import tables
from xiaoe.mysql.session import Session
from xiaoe.notify.refusals import open_refusals
from xiaoe.resources.base import Scope
from xiaoe.resources.registry import RESOURCES

SHOWN = 20
"""Rows of each list on the page."""
MAX_PROBLEMS = 50
CHART_DAYS = 30
GROWTH_DAYS = 90
CHECKS_COUNT_FOR = timedelta(days=2)
"""A check that has not run for longer was removed; its last failure does not count."""
COVERED = tuple(
    name
    for name, one in RESOURCES.items()
    if one.scope is not Scope.WHOLE and (one.reads_history or "history" in one.fresh_within)
)
"""Resources that are read window by window since the start of the history."""


def read_page_data(session: Session, wanted: str | None, now: datetime) -> PageData:
    """Read everything.

    Args:
        session: The warehouse.
        wanted: The shop whose runs and windows are shown; else the first one.
        now: The current time, with an offset.
    """
    syncs = [SyncStatus(*row) for row in session.query(_SYNCS)]
    names = sorted({one.shop_id for one in syncs})
    shop_id = wanted if wanted in names else next(iter(names), None)
    return PageData(
        shops=_shops(session, names, now),
        shop_id=shop_id,
        syncs=syncs,
        alerts=[OpenAlert(*row) for row in session.query(_ALERTS, (MAX_PROBLEMS,))],
        checks=[FailedCheck(*row) for row in session.query(_CHECKS, (utc_text(now - CHECKS_COUNT_FOR), MAX_PROBLEMS))],
        runs=[SyncRun(*row) for row in session.query(_RUNS, (shop_id, SHOWN))],
        days=[SyncDay(row[0], *map(int, row[1:])) for row in session.query(_DAYS, (shop_id, _days_ago(now)))],
        sources=[ChangeSource(*row) for row in session.query(_SOURCES, (shop_id, beijing_text(now)[:10], CHART_DAYS))],
        windows=[LedgerWindow(*row) for row in session.query(_WINDOWS, (shop_id, SHOWN))],
        looks={name: looks(session, shop_id, name) for name in COVERED} if shop_id else {},
        tables=tables(session)[:SHOWN],
        storage=[StorageFigure(*row) for row in session.query(_STORAGE)],
        growth=[StorageDay(*row) for row in session.query(_GROWTH, (utc_text(now - timedelta(days=GROWTH_DAYS)),))],
        backup=next((LastBackup(*row) for row in session.query(_BACKUP)), None),
        shop_checks=[LatestShopCheck(*row) for row in session.query(_SHOP_CHECKS, (MAX_PROBLEMS,))],
        objectives=[ObjectiveStatus(*row) for row in session.query(_OBJECTIVES)],
        refusals=open_refusals(session)[:MAX_PROBLEMS],
        shop_names=shop_names.names(session),
        connection_names=shop_names.names_of_connections(session),
    )


def looks(session: Session, shop_id: str, resource: str) -> Looks:
    """All windows of the ledger as numbers: there may be a hundred thousand, and datetimes would be slow."""
    return session.query(
        "SELECT TIMESTAMPDIFF(SECOND, '1970-01-01', window_start), TIMESTAMPDIFF(SECOND, '1970-01-01', window_end),"
        " TIMESTAMPDIFF(SECOND, '1970-01-01', observed_at), rejected > 0"
        " FROM sync_windows WHERE shop_id = %s AND resource = %s",
        (shop_id, resource),
    )


def _shops(session: Session, names: Sequence[str], now: datetime) -> list[ShopBacklog]:
    in_review = dict(session.query(_IN_REVIEW))
    rejected = dict(session.query(_REJECTED))
    return [
        ShopBacklog(name, in_review.get(name, 0), *not_observed_since(session, name, now), rejected.get(name, 0))
        for name in names
    ]


def _days_ago(now: datetime) -> str:
    """The first moment of the charts' first day, UTC."""
    first = datetime.fromisoformat(beijing_text(now)[:10]).replace(tzinfo=now.tzinfo) - timedelta(days=CHART_DAYS - 1)
    return utc_text(first)


_SYNCS = (
    "SELECT shop_id, resource, mode, watermark, last_success_at, last_attempt_at, status, message"
    " FROM sync_status ORDER BY shop_id, resource, mode"
)
_ALERTS = (
    "SELECT kind, dag_id, task_id, shop, message, log_url, opened_at, last_seen_at, seen_count"
    " FROM alerts WHERE closed_at IS NULL ORDER BY opened_at DESC LIMIT %s"
)
_CHECKS = (
    "SELECT q.shop_id, q.check_name, q.severity, q.measured, q.expected, q.detail, q.checked_at"
    " FROM quality_results AS q INNER JOIN ("
    "SELECT shop_id, check_name, MAX(checked_at) AS checked_at FROM quality_results"
    " WHERE checked_at >= %s GROUP BY shop_id, check_name"
    ") AS latest ON q.shop_id = latest.shop_id AND q.check_name = latest.check_name"
    " AND q.checked_at = latest.checked_at"
    " WHERE q.passed = 0 ORDER BY q.severity = 'critical' DESC, q.shop_id, q.check_name LIMIT %s"
)
_IN_REVIEW = "SELECT shop_id, COUNT(*) FROM benefit_decisions WHERE decision = 'review' GROUP BY shop_id"
_REJECTED = (  # a field once per reason, however many rows it is in
    "SELECT shop_id, CAST(SUM(items) AS SIGNED) FROM (SELECT shop_id, COUNT(*) AS items FROM rejected_rows"
    " WHERE resolved_at IS NULL GROUP BY shop_id UNION ALL SELECT shop_id, COUNT(DISTINCT resource, field, reason)"
    " FROM field_problems WHERE resolved_at IS NULL GROUP BY shop_id) AS found GROUP BY shop_id"
)
_RUNS = (
    "SELECT resource, mode, run_id, started_at, finished_at, stage_seconds, merge_seconds, staged, inserted, updated,"
    " rejected, api_calls, api_retries, wait_seconds FROM sync_runs WHERE shop_id = %s"
    " ORDER BY finished_at DESC LIMIT %s"
)
_DAYS = (
    "SELECT DATE(finished_at + INTERVAL 8 HOUR) AS day, SUM(inserted), SUM(updated), SUM(api_calls), SUM(api_retries)"
    " FROM sync_runs WHERE shop_id = %s AND finished_at >= %s GROUP BY day ORDER BY day"
)
_SOURCES = (
    "SELECT day, source, changes, rescans_only FROM bi_change_sources"
    " WHERE shop_id = %s AND day > %s - INTERVAL %s DAY ORDER BY day, source"
)
_WINDOWS = (
    "SELECT resource, mode, window_start, window_end, api_total, staged, inserted, updated, unchanged, rejected,"
    " passes, merged_at FROM sync_windows WHERE shop_id = %s ORDER BY id DESC LIMIT %s"
)
_BACKUP = (
    "SELECT finished_at, (SELECT drill_status FROM backups WHERE drilled_at IS NOT NULL"
    " ORDER BY drilled_at DESC LIMIT 1)"
    " FROM backups WHERE status = 'success' ORDER BY started_at DESC LIMIT 1"
)
_SHOP_CHECKS = (
    "SELECT c.shop_id, c.checked_at, c.verdict, c.findings FROM shop_checks AS c INNER JOIN ("
    "SELECT shop_id, MAX(id) AS id FROM shop_checks GROUP BY shop_id"
    ") AS latest ON c.id = latest.id ORDER BY c.shop_id LIMIT %s"
)
_OBJECTIVES = (
    "SELECT o.shop_id, o.objective, o.since, o.state, o.target_percent, o.within_seconds, o.in_time, o.late,"
    " o.expected_late, o.burn_hour, o.burn_6_hours, o.burn_3_days, o.evaluated_at, s.conn_id"
    " FROM objective_status AS o LEFT JOIN shops AS s ON o.shop_id = s.shop_id ORDER BY o.shop_id, o.objective"
)
_STORAGE = (
    "SELECT s.metric, s.bytes, s.note, s.sampled_at FROM storage_samples AS s INNER JOIN ("
    "SELECT metric, MAX(sampled_at) AS sampled_at FROM storage_samples GROUP BY metric"
    ") AS latest ON s.metric = latest.metric AND s.sampled_at = latest.sampled_at"
)
_GROWTH = (
    "SELECT d.day, s.metric, s.bytes FROM storage_samples AS s INNER JOIN ("
    "SELECT DATE(sampled_at + INTERVAL 8 HOUR) AS day, metric, MAX(sampled_at) AS sampled_at FROM storage_samples"
    " WHERE sampled_at >= %s GROUP BY day, metric"
    ") AS d ON s.metric = d.metric AND s.sampled_at = d.sampled_at"
    " WHERE s.bytes IS NOT NULL ORDER BY d.day"
)

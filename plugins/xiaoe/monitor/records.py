"""What the page shows, as its queries return it.

Times are naive, as stored: bookkeeping times in UTC, windows and watermarks in Beijing time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from xiaoe.monitor.storage import TableSize
from xiaoe.notify.refusals import Refusal

Looks = Sequence[tuple[int, int, int, int]]
"""Windows of the ledger: begin, end (Beijing), when it was read (UTC), all in seconds since `EPOCH` by that clock; 1 if
rows of it could not be typed."""
EPOCH = date(1970, 1, 1)


class SyncStatus(NamedTuple):
    """The state of a sync: a row of `sync_status`."""

    shop_id: str
    resource: str
    mode: str
    watermark: datetime | None
    last_success_at: datetime | None
    last_attempt_at: datetime
    status: str
    message: str | None


class OpenAlert(NamedTuple):
    """An open alert."""

    kind: str
    dag_id: str
    task_id: str
    conn_id: str
    message: str
    log_url: str | None
    opened_at: datetime
    last_seen_at: datetime
    seen_count: int


class FailedCheck(NamedTuple):
    """A quality check whose latest result is a failure."""

    shop_id: str
    check_name: str
    severity: str
    measured: Decimal | None
    expected: str
    detail: str | None
    checked_at: datetime


class ShopBacklog(NamedTuple):
    """A shop's backlog: orders in review, orders to be observed again (and the longest wait), untyped rows."""

    shop_id: str
    in_review: int
    waiting: int
    longest: timedelta
    rejected: int


class SyncRun(NamedTuple):
    """A merged run and what it cost."""

    resource: str
    mode: str
    run_id: str
    started_at: datetime
    finished_at: datetime
    stage_seconds: Decimal | None
    merge_seconds: Decimal
    staged: int
    inserted: int
    updated: int
    rejected: int
    api_calls: int
    api_retries: int
    wait_seconds: Decimal


class SyncDay(NamedTuple):
    """Totals of the runs of a Beijing day."""

    day: date
    inserted: int
    updated: int
    api_calls: int
    api_retries: int


class ChangeSource(NamedTuple):
    """Changes of orders on a Beijing day that a source saw first, and those of a rescan that no hint told of."""

    day: date
    source: str
    changes: int
    rescans_only: int


class LedgerWindow(NamedTuple):
    """A row of the coverage ledger."""

    resource: str
    mode: str
    window_start: datetime
    window_end: datetime
    api_total: int
    staged: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    passes: int
    merged_at: datetime


class StorageFigure(NamedTuple):
    """The last sample of a metric."""

    metric: str
    bytes: int | None
    note: str | None
    sampled_at: datetime


class StorageDay(NamedTuple):
    """The last sample of a metric on a Beijing day, in bytes."""

    day: date
    metric: str
    bytes: int


class LastBackup(NamedTuple):
    """The last successful backup, and the result of the last restore drill."""

    finished_at: datetime
    drill_status: str | None


class ObjectiveStatus(NamedTuple):
    """Where an objective of a shop stands; `conn_id` is None until the shop's connection is known."""

    shop_id: str
    objective: str
    since: datetime
    state: str
    target_percent: Decimal
    within_seconds: int
    in_time: int
    late: Decimal
    expected_late: Decimal
    burn_hour: Decimal
    burn_6_hours: Decimal
    burn_3_days: Decimal
    evaluated_at: datetime
    conn_id: str | None


class LatestShopCheck(NamedTuple):
    """The last `make check-shop` of a shop; `findings` is JSON."""

    shop_id: str
    checked_at: datetime
    verdict: str
    findings: str


class PageData(NamedTuple):
    """Everything that the page shows."""

    shops: list[ShopBacklog]
    shop_id: str | None
    syncs: list[SyncStatus]
    alerts: list[OpenAlert]
    checks: list[FailedCheck]
    runs: list[SyncRun]
    days: list[SyncDay]
    windows: list[LedgerWindow]
    looks: dict[str, Looks]
    tables: list[TableSize]
    storage: list[StorageFigure]
    growth: list[StorageDay]
    backup: LastBackup | None
    shop_checks: Sequence[LatestShopCheck] = ()
    refusals: Sequence[Refusal] = ()
    sources: Sequence[ChangeSource] = ()
    objectives: Sequence[ObjectiveStatus] = ()
    shop_names: Mapping[str, str] = MappingProxyType({})
    connection_names: Mapping[str, str] = MappingProxyType({})

    def shop_name(self, shop_id: str) -> str:
        """What staff call a shop."""
        return self.shop_names.get(shop_id, shop_id)

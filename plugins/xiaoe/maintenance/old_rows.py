"""Old rows of the warehouse, and its statistics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from xiaoe import settings
from xiaoe.clock import utc_text
from xiaoe.coverage import Look, still_needed
from xiaoe.maintenance.step import Step
from xiaoe.mysql.session import Session, names, quoted
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.settings.kinds import Setting

_BATCH = 5000


@dataclass(frozen=True)
class Expiry:
    """Retention of a table's rows.

    Args:
        table: Its name.
        since: Column with the moment from which a row ages, UTC; a row where it is NULL stays.
        kept: Setting that says how long it is kept.
    """

    table: str
    since: str
    kept: Setting[timedelta]


RESOLVED = tuple(Expiry(table, "resolved_at", settings.rejected_keep) for table in ("rejected_rows", "field_problems"))
"""What could not be read and now can; what still cannot stays."""
RESULTS = tuple(
    Expiry(table, since, settings.result_keep)
    for table, since in (
        ("quality_results", "checked_at"),
        ("storage_samples", "sampled_at"),
        ("sync_runs", "finished_at"),
        ("hint_looks", "taken_at"),
        ("alerts", "closed_at"),
        ("objective_events", "reached_at"),
        ("backups", "removed_at"),
    )
)
"""Rows that only people read: check results, samples, costs, looks at hinted orders, closed alerts, removed backups;
and arrivals of orders, which count for 30 days."""

PUSHED = (
    Expiry("push_messages", "received_at", settings.push_keep),
    Expiry("push_days", "day", settings.result_keep),
)
"""Pushed messages, and what each day brought."""


def remove_old_rows(expiries: tuple[Expiry, ...], step: Step) -> int:
    """Delete expired rows in batches; return their number."""
    total = 0
    with Warehouse().session() as session:
        for one in expiries:
            before = utc_text(step.now - one.kept())
            condition = f"{one.since} < %s"
            if step.dry_run:
                [(count,)] = session.query(f"SELECT COUNT(*) FROM {one.table} WHERE {condition}", (before,))
            else:
                count = _delete(session, one.table, condition, before)
            step.log.info("%s: %s rows with %s before %s", one.table, count, one.since, before)
            total += count
    return total


def compact_ledger(step: Step) -> int:
    """Delete superseded rows of `sync_windows`; return their number.

    A row goes only if it is old and every moment of its window is in a remaining row observed as late or later. So
    what is covered, and when each moment was last observed, does not change; an old row's `batch_id` may then point to
    no ledger row.
    """
    before = step.now - settings.ledger_keep()
    total = 0
    with Warehouse().session() as session:
        for shop_id, resource in session.query("SELECT DISTINCT shop_id, resource FROM sync_windows"):
            ids = _superseded(session, shop_id, resource, before)
            for start in range(0, 0 if step.dry_run else len(ids), _BATCH):
                session.execute("DELETE FROM sync_windows WHERE id IN %s", (ids[start : start + _BATCH],))
                session.commit()
            step.log.info("shop %s, %s: %s superseded rows merged before %s", shop_id, resource, len(ids), before)
            total += len(ids)
    return total


def refresh_statistics(step: Step) -> int:
    """Refresh the optimizer's statistics (ANALYZE TABLE); return the number of tables.

    It reads a few pages of each index, a fraction of a second for all tables. By itself the server does so only after a
    tenth of a table has changed.
    """
    with Warehouse().session() as session:
        tables, _ = names(session)
        if not step.dry_run:
            for row in session.query(f"ANALYZE NO_WRITE_TO_BINLOG TABLE {', '.join(map(quoted, tables))}"):
                step.log.info("%s", row)
    return len(tables)


def _superseded(session: Session, shop_id: str, resource: str, before: datetime) -> list[int]:
    """Ids of old ledger rows that are superseded."""
    rows = session.query(
        "SELECT id, window_start, window_end, observed_at, merged_at < %s FROM sync_windows"
        " WHERE shop_id = %s AND resource = %s ORDER BY id",
        (utc_text(before), shop_id, resource),
    )
    needed = still_needed([Look(begin, end, seen) for _, begin, end, seen, _ in rows])
    return [number for place, (number, *_, is_old) in enumerate(rows) if is_old and place not in needed]


def _delete(session: Session, table: str, condition: str, before: str) -> int:
    total = 0
    while count := session.execute(f"DELETE FROM {table} WHERE {condition} LIMIT {_BATCH}", (before,)):
        session.commit()
        total += count
    return total

"""Rows of the warehouse that nobody asks for any more, and its statistics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from xiaoe import settings
from xiaoe.clock import utc_text
from xiaoe.coverage import Look, still_needed
from xiaoe.maintenance.step import Step
from xiaoe.mysql.session import Session, names, quoted
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.settings import Setting

_BATCH = 5000


@dataclass(frozen=True)
class Ageing:
    """Rows of a table that go when they are old.

    Args:
        table: Its name.
        since: Column with the moment from which a row ages, UTC; a row where it is NULL stays.
        kept: Setting that says how long it is kept.
    """

    table: str
    since: str
    kept: Setting[timedelta]


RESOLVED = tuple(Ageing(table, "resolved_at", settings.rejected_keep) for table in ("rejected_rows", "field_problems"))
"""What could not be read and now can; what still cannot stays."""
RESULTS = tuple(
    Ageing(table, since, settings.result_keep)
    for table, since in (
        ("quality_results", "checked_at"),
        ("storage_samples", "sampled_at"),
        ("sync_runs", "finished_at"),
        ("alerts", "closed_at"),
        ("backups", "removed_at"),
    )
)
"""What is looked at by people only: checks, samples, costs, alerts that are over, backups that are gone."""


def remove_old_rows(ageing: tuple[Ageing, ...], step: Step) -> int:
    """Delete rows that are older than wanted, some thousand at a time; returns how many."""
    total = 0
    with Warehouse().session() as session:
        for one in ageing:
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
    """Delete lines of `sync_windows` that prove nothing any more; returns how many.

    A line goes only if it is old and later lines, which stay, cover every moment of its window. So what is covered,
    and when a row was last seen, stays as it is (docs/decisions/0018).
    """
    before = step.now - settings.ledger_keep()
    total = 0
    with Warehouse().session() as session:
        for shop_id, resource in session.query("SELECT DISTINCT shop_id, resource FROM sync_windows"):
            ids = _superseded(session, shop_id, resource, before)
            for start in range(0, 0 if step.dry_run else len(ids), _BATCH):
                session.execute("DELETE FROM sync_windows WHERE id IN %s", (ids[start : start + _BATCH],))
                session.commit()
            step.log.info("shop %s, %s: %s superseded lines merged before %s", shop_id, resource, len(ids), before)
            total += len(ids)
    return total


def refresh_statistics(step: Step) -> int:
    """Have the server count anew what its optimizer goes by; returns the number of tables.

    All tables: it reads some pages of each index, a fraction of a second. The server by itself does so only when a
    tenth of a table has changed.
    """
    with Warehouse().session() as session:
        tables, _ = names(session)
        if not step.dry_run:
            for row in session.query(f"ANALYZE NO_WRITE_TO_BINLOG TABLE {', '.join(map(quoted, tables))}"):
                step.log.info("%s", row)
    return len(tables)


def _superseded(session: Session, shop_id: str, resource: str, before: datetime) -> list[int]:
    """Ids of the old lines that no moment needs."""
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

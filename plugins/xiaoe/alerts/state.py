"""The table `alerts`: what is wrong, since when, and what was reported.

Open alerts with the same cause are one outage, which ends when the last of them is closed. A task's success closes
its alerts by one index look-up; a successful run also closes those of shops and tasks that no longer exist. In the
history each failed week has to succeed itself (`stands_alone`). An overdue run's alert ends with the first run in
time, not with the overdue run itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from xiaoe.alerts.events import Event, fingerprint
from xiaoe.clock import utc_text
from xiaoe.mysql.session import Session

TOGETHER = timedelta(hours=3)
"""Failures that begin within this time of one another are reported together."""
_COLUMNS = (
    "id, kind, dag_id, task_id, shop, cause, message, log_url, run_id, tries, time_window, opened_at, last_seen_at,"
    " seen_count, told_at, closed_at"
)


@dataclass(frozen=True)
class Alert:
    """A row of `alerts`; times are UTC. `shop` is a connection, `shop_name` what staff call its shop, if known."""

    id: int
    kind: str
    dag_id: str
    task_id: str
    shop: str
    cause: str
    message: str
    log_url: str | None
    run_id: str
    tries: int | None
    time_window: str | None
    opened_at: datetime
    last_seen_at: datetime
    seen_count: int
    told_at: datetime | None
    closed_at: datetime | None
    shop_name: str = ""


def record(session: Session, event: Event, now: datetime) -> None:
    """Open an alert, or count another occurrence of an open one."""
    moment = utc_text(now)
    same_run = " AND run_id = %s" if event.stands_alone else ""
    known = session.query(
        "SELECT id FROM alerts WHERE closed_at IS NULL AND dag_id = %s AND task_id = %s AND shop = %s AND kind = %s"
        f" AND (kind = 'late' OR cause = %s){same_run} LIMIT 1",
        (event.dag_id, event.task_id, event.shop, event.kind, event.cause, *([event.run_id] if same_run else [])),
    )
    if known:
        session.execute(
            "UPDATE alerts SET last_seen_at = %s, seen_count = seen_count + 1, message = %s, log_url = %s,"
            " run_id = %s, tries = %s, time_window = %s WHERE id = %s",
            (moment, event.message, event.log_url, event.run_id, event.tries, event.time_window, known[0][0]),
        )
        return
    cause = _cause_of_overdue(session, event, now) if event.kind == "late" else event.cause
    session.execute(
        "INSERT INTO alerts (kind, dag_id, task_id, shop, cause, message, log_url, run_id, tries, time_window,"
        " opened_at, last_seen_at, seen_count) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1)",
        (
            event.kind, event.dag_id, event.task_id, event.shop, cause, event.message, event.log_url, event.run_id,
            event.tries, event.time_window, moment, moment,
        ),
    )  # fmt: skip
    if event.kind == "failed":
        _explain_overdue(session, event)


def _cause_of_overdue(session: Session, event: Event, now: datetime) -> str:
    """The cause of the DAG's open failure, else of other runs that are overdue just now, else a new one."""
    found = session.query(
        "SELECT cause FROM alerts WHERE closed_at IS NULL"
        " AND (kind = 'failed' AND dag_id = %s OR kind = 'late' AND opened_at > %s)"
        " ORDER BY kind, id DESC LIMIT 1",
        (event.dag_id, utc_text(now - TOGETHER)),
    )
    return str(found[0][0]) if found else fingerprint(f"late {event.dag_id} {event.run_id}")


def _explain_overdue(session: Session, event: Event) -> None:
    """A DAG that was overdue and now fails was overdue for that reason, as were the others of its outage."""
    causes = session.query(
        "SELECT DISTINCT cause FROM alerts WHERE closed_at IS NULL AND kind = 'late' AND dag_id = %s", (event.dag_id,)
    )
    for (cause,) in causes:
        session.execute(
            "UPDATE alerts SET cause = %s WHERE cause = %s AND kind = 'late' AND closed_told_at IS NULL",
            (event.cause, cause),
        )


def close_task(session: Session, dag_id: str, task_id: str, shop: str, now: datetime, run_id: str | None) -> int:
    """Close a task's failures and return how many; with `run_id`, those of that run only."""
    return session.execute(
        "UPDATE alerts SET closed_at = %s WHERE closed_at IS NULL AND dag_id = %s AND task_id = %s AND shop = %s"
        " AND kind = 'failed' AND (%s IS NULL OR run_id = %s)",
        (utc_text(now), dag_id, task_id, shop, run_id, run_id),
    )


def close_dag(session: Session, dag_id: str, run_id: str, now: datetime, *, stands_alone: bool) -> int:
    """Close the alerts that a successful run ends, and return how many.

    Overdue runs, unless this run itself is the overdue one; and every failure, also of tasks and shops that no longer
    exist.
    """
    return session.execute(
        "UPDATE alerts SET closed_at = %s WHERE closed_at IS NULL AND dag_id = %s"
        " AND (kind = 'late' AND run_id <> %s OR kind = 'failed' AND (%s = 0 OR run_id = %s))",
        (utc_text(now), dag_id, run_id, int(stands_alone), run_id),
    )


def close_burning(session: Session, shop: str, now: datetime, *, but: Sequence[str] = (), shops: Sequence[str]) -> int:
    """Close the alerts of a shop's objectives whose budget no longer burns too fast, and return how many.

    Args:
        session: The warehouse.
        shop: Its connection.
        now: The present moment.
        but: Causes of those that still burn.
        shops: Connections of all shops; nobody measures another one any more.
    """
    return session.execute(
        "UPDATE alerts SET closed_at = %s WHERE closed_at IS NULL AND kind = 'burning' AND cause NOT IN %s"
        " AND (shop = %s OR shop NOT IN %s)",
        (utc_text(now), tuple(but) or ("",), shop, tuple(shops)),
    )


def unfinished(session: Session) -> list[Alert]:
    """Alerts of outages that are not over or whose end was not reported."""
    rows = session.query(f"SELECT {_COLUMNS} FROM alerts WHERE closed_told_at IS NULL ORDER BY id")
    return [Alert(*(_in_utc(value) for value in row)) for row in rows]


def mark(session: Session, column: str, alerts: Sequence[Alert], now: datetime) -> None:
    """Record that a message was sent: `told_at` of the outage, `closed_told_at` of its end."""
    ids = [alert.id for alert in alerts]
    session.execute(f"UPDATE alerts SET {column} = %s WHERE id IN %s", (utc_text(now), ids))


def _in_utc(value: Any) -> Any:
    return value.replace(tzinfo=timezone.utc) if isinstance(value, datetime) else value

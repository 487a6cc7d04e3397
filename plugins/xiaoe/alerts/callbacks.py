"""Airflow's callbacks: a task failed or succeeded, a run succeeded or is overdue.

Every DAG file imports this module each time it is parsed, so what only a callback needs is imported inside it.
Airflow logs what a callback raises; the task's state is already final by then.

They are plain functions, not a SmtpNotifier: as a callback, SmtpNotifier would render an exception's text as Jinja.
The deadline counts from DAGRUN_QUEUED_AT, since the logical date of a run that catches up lies in the past. Airflow
stores the path of `run_late`, so it keeps its name.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from xiaoe import settings

log = logging.getLogger(__name__)


def task_failed(context: Any) -> None:
    """Alert about a task that failed its last try."""
    from xiaoe.alerts import events

    if not settings.alerts_on():
        return
    if events.is_backfill(context):
        log.info("a backfill does not alert")
        return
    from xiaoe.alerts.delivery import report_event

    report_event(events.failure(context), context.get("exception"))


def task_succeeded(context: Any) -> None:
    """Close the alerts of a task that succeeded."""
    if not settings.alerts_on():
        return
    from xiaoe.alerts import events, state
    from xiaoe.alerts.delivery import report_end

    ti, (task_id, shop) = context["ti"], events.task_and_shop(context)
    only_run = ti.run_id if events.stands_alone(context) else None
    report_end(lambda session, now: state.close_task(session, ti.dag_id, task_id, shop, now, only_run))


def run_succeeded(context: Any) -> None:
    """Close the alerts of a DAG whose run succeeded; runs in the DAG processor."""
    if not settings.alerts_on():
        return
    from xiaoe.alerts import events, state
    from xiaoe.alerts.delivery import report_end

    dag_id, run_id, alone = context["dag"].dag_id, context["run_id"], events.stands_alone(context)
    report_end(lambda session, now: state.close_dag(session, dag_id, run_id, now, stands_alone=alone))


async def run_late(context: Any) -> None:
    """Alert about a run that missed its deadline; runs in the triggerer, which must not block."""
    if not settings.alerts_on():
        return
    from xiaoe.alerts import events

    event = events.overdue_run(context)
    if event is None:
        return
    from xiaoe.alerts.delivery import report_event

    await asyncio.to_thread(report_event, event)

"""What Airflow calls when a task fails or succeeds, when a run succeeds, or is late.

Every DAG file imports this module each time it is parsed, so what only a callback needs is imported in it.
Airflow logs what a callback raises; the state of the task is settled before.
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
    from xiaoe.alerts.delivery import happened

    happened(events.failure(context), context.get("exception"))


def task_succeeded(context: Any) -> None:
    """Close the alerts of a task that succeeds again."""
    if not settings.alerts_on():
        return
    from xiaoe.alerts import events, state
    from xiaoe.alerts.delivery import ended

    ti, (task_id, shop) = context["ti"], events.task_and_shop(context)
    only_run = ti.run_id if events.stands_alone(context) else None
    ended(lambda session, now: state.close_task(session, ti.dag_id, task_id, shop, now, only_run))


def run_succeeded(context: Any) -> None:
    """Close the alerts of a DAG whose run succeeded; runs in the DAG processor."""
    if not settings.alerts_on():
        return
    from xiaoe.alerts import events, state
    from xiaoe.alerts.delivery import ended

    dag_id, run_id, alone = context["dag"].dag_id, context["run_id"], events.stands_alone(context)
    ended(lambda session, now: state.close_dag(session, dag_id, run_id, now, stands_alone=alone))


async def run_late(context: Any) -> None:
    """Alert about a run that is not through in time; runs in the triggerer, which must not wait for it."""
    if not settings.alerts_on():
        return
    from xiaoe.alerts import events

    event = events.lateness(context)
    if event is None:
        return
    from xiaoe.alerts.delivery import happened

    await asyncio.to_thread(happened, event)

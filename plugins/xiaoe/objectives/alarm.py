"""Alerts of objectives: one while a budget burns too fast, closed when it no longer does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from xiaoe import settings
from xiaoe.alerts import delivery, state
from xiaoe.alerts.events import Event, fingerprint
from xiaoe.mysql.session import Session
from xiaoe.objectives import budget
from xiaoe.objectives.measure import Standing
from xiaoe.texts import texts_beside


def report(standings: Sequence[Standing], conn_id: str, *, dag_id: str, task_id: str, run_id: str) -> None:
    """Open an alert for each objective that burns; close those of the others, and of shops that are switched off.

    Args:
        standings: The objectives of a shop.
        conn_id: Its connection.
        dag_id: The DAG that reports.
        task_id: The task.
        run_id: The run.
    """
    burning = {_cause(one, conn_id): one for one in standings if one.state == "burning"}

    def close(session: Session, now: datetime) -> int:
        return state.close_burning(session, conn_id, now, but=list(burning), shops=settings.conn_ids())

    delivery.report_end(close)
    for cause, standing in burning.items():
        message = in_words(standing, settings.language())
        delivery.report_event(
            Event(
                kind="burning",
                dag_id=dag_id,
                task_id=task_id,
                shop=conn_id,
                run_id=run_id,
                message=message,
                cause=cause,
            )
        )


def in_words(standing: Standing, language: str) -> str:
    """An objective and where it stands, in one sentence."""
    texts = texts_beside(__file__)
    late, number = standing.period.late, standing.period.number
    return str(texts["standing"][language]).format(
        name=texts["names"][standing.objective.name][language],
        within=standing.within // timedelta(minutes=1),
        target=f"{standing.target * 100:g}",
        number=f"{number:,.0f}",
        late=f"{late:,.0f}",
        expected=f"{standing.expected:,.0f}",
        hour=f"{standing.burns['hour']:.1f}",
        six=f"{standing.burns['6_hours']:.1f}",
        days=f"{standing.burns['3_days']:.1f}",
        left=f"{budget.budget_left(standing.period, standing.target):.0%}",
    )


def _cause(standing: Standing, conn_id: str) -> str:
    return fingerprint(f"objective {standing.objective.name} {conn_id}")

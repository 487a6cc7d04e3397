"""From when on a run's deadline counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference


class RunQueued(BaseDeadlineReference):
    """A run's queueing, as `DeadlineReference.DAGRUN_QUEUED_AT`, with which nobody can clear a task.

    Airflow 3.3.2 then answers HTTP 500 as long as the run is not late: it computes the deadline again and takes the
    stored interval for a number (https://github.com/apache/airflow/issues/70368). This one stays as it was: a run that
    is cleared is late when it would have been.
    """

    required_kwargs = {"dag_id", "run_id"}  # noqa: RUF012 - as Airflow declares it

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str) -> datetime | None:
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        found: datetime | None = session.scalar(
            select(DagRun.queued_at).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        )
        return found

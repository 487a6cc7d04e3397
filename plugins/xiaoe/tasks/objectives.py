"""The task of the objectives DAG."""

from __future__ import annotations

from datetime import timedelta

from xiaoe import settings
from xiaoe.objectives.operators import XiaoeObjectivesOperator
from xiaoe.tasks.defaults import named


def evaluate_objectives(*, timeout: timedelta) -> None:
    """Evaluate the objectives of each shop; one shop's failure does not stop the others."""
    XiaoeObjectivesOperator.partial(
        **named("evaluate"),
        doc_md="MySQL → MySQL, and alerts. Safe to clear at any time. 计算时效目标，额度消耗过快时告警。",
        execution_timeout=timeout,
    ).expand(xiaoe_conn_id=settings.conn_ids())

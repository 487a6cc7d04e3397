"""The task of the marts DAG."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param

from xiaoe import settings
from xiaoe.marts.operators import XiaoeMartsOperator

REBUILD_PARAM = {
    "rebuild": Param(
        False,
        type="boolean",
        title="Rebuild 全部重算",
        description="Recompute everything, not only what changed. 不只重算有变化的日期，全部重算。",
    ),
}


def refresh_marts(*, timeout: timedelta) -> None:
    """Refresh the marts, for each shop; one shop's failure does not stop the others."""
    XiaoeMartsOperator.partial(
        task_id="refresh",
        doc_md="MySQL → MySQL. Safe to clear at any time: it is idempotent.",
        execution_timeout=timeout,
    ).expand(xiaoe_conn_id=settings.conn_ids())

"""The operators as a DAG makes them, and as much of Airflow's context as they look at."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from support.worlds.shop import END
from xiaoe.sync.operators import XiaoeStageOperator

HALF_HOUR = timedelta(minutes=30)


def context(kind: Any = "scheduled", *, end: datetime = END, every: timedelta = HALF_HOUR, **params: Any) -> Any:
    """As much of Airflow's context as the operators look at."""
    return {
        "dag_run": SimpleNamespace(run_id=f"{kind}__{end.isoformat()}", run_type=kind, run_after=end),
        "params": {"from": None, "to": None, "accept_missing": False, **params},
        "data_interval_start": end - every,
        "data_interval_end": end,
    }


def stage(mode: str = "incremental") -> XiaoeStageOperator:
    return XiaoeStageOperator(task_id="stage", resource="orders", mode=mode, xiaoe_conn_id="xiaoe_default")

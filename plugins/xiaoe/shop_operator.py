"""What the operators share: the task of one shop, and what kind of run it is in. Light: every DAG file imports it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator


class ShopOperator(BaseOperator):
    """A task of one shop.

    Args:
        xiaoe_conn_id: The shop's connection; a field of the template, and what tasks are mapped over.
    """

    template_fields: Sequence[str] = ("xiaoe_conn_id",)

    def __init__(self, *, xiaoe_conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.xiaoe_conn_id = xiaoe_conn_id


def run_kind(dag_run: Any) -> str:
    """Airflow's run type, `scheduled`, `manual`, `backfill`, …: an enum in a task, a text in a callback."""
    return str(getattr(dag_run.run_type, "value", dag_run.run_type))

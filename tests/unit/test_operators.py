"""The two operators without a warehouse: what they read from the context, and what the UI shows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.utils.types import DagRunType

from emulator.process import Emulator
from support.worlds.shop import END, merge_sql
from support.worlds.tasks import HALF_HOUR, context, stage
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.sync.operators import XiaoeMergeOperator, XiaoeStageOperator, run_of
from xiaoe.tasks.defaults import dag_defaults
from xiaoe.windows import Run


@pytest.mark.parametrize("kind", ["scheduled", DagRunType.SCHEDULED])
def test_a_run_is_read_from_the_context(kind: Any) -> None:
    typed = {"from": "2026-11-01", "to": "2026-11-02"}
    assert run_of(context(kind, **typed)) == Run(
        "scheduled", END, END - HALF_HOUR, END, window_from="2026-11-01", window_to="2026-11-02"
    )


def test_a_run_without_an_interval_or_a_form_is_a_run_too() -> None:
    bare: Any = {"dag_run": SimpleNamespace(run_type=DagRunType.MANUAL, run_after=END), "params": {}}
    assert run_of(bare) == Run("manual", END)


def test_the_folder_of_the_after_sales_is_rendered() -> None:
    operator = XiaoeStageOperator(
        task_id="stage", resource="orders", mode="late", xiaoe_conn_id="x", named_by="{{ params.where }}/pages"
    )
    operator.render_template_fields({"params": {"where": "file:///store"}})  # type: ignore[arg-type]
    assert operator.named_by == "file:///store/pages"


def test_airflow_renders_the_merge_statements_and_the_folder(tmp_path: Path) -> None:
    with DAG(dag_id="any", schedule=None, **dag_defaults("orders", params={}, overdue_after=timedelta(hours=1))) as dag:
        operator = XiaoeMergeOperator(
            task_id="merge", resource="orders", mode="history", folder="{{ params.where }}/pages"
        )
    operator.resolve_template_files()
    context = {"params": {"where": str(tmp_path)}, "dag": dag, "task": operator}
    operator.render_template_fields(context)  # type: ignore[arg-type]
    assert operator.folder == f"{tmp_path}/pages"
    assert operator.sql == merge_sql("orders")
    assert "{" not in operator.sql
    assert operator.sql.count("INSERT INTO orders ") == 1


def test_the_shop_of_a_mapped_task_is_rendered() -> None:
    operator = XiaoeStageOperator(task_id="stage", resource="orders", mode="history", xiaoe_conn_id="{{ params.shop }}")
    operator.render_template_fields({"params": {"shop": "xiaoe_second"}})  # type: ignore[arg-type]
    assert operator.xiaoe_conn_id == "xiaoe_second"


@pytest.mark.parametrize(
    "connection",
    ["mysql://nobody:nothing@127.0.0.1:1/xiaoe", None, '{"conn_type": "mysql", "extra": {"client": "other"}}'],
)
def test_a_warehouse_out_of_reach_does_not_hide_why_the_task_failed(
    connection: str | None, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_MYSQL_CONN_ID", "out_of_reach")
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_OUT_OF_REACH", connection)
    with pytest.raises(XiaoeConfigError, match=r"^to='2026-11-20' without from"):
        stage("history").execute(context("manual", to="2026-11-20"))

"""Shared by all DAG files: default arguments, pools, retries, deadlines, assets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, Param, RetryAction, RetryRule
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from xiaoe import settings, vocabulary
from xiaoe.alerts import callbacks

TIMEZONE = "Asia/Shanghai"
POOL = "xiaoe_api"
"""Limits how many tasks call the API at once; include/pools.json sets its size."""

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[
                "xiaoe.exceptions.XiaoeConfigError",
                "xiaoe.exceptions.XiaoeReconciliationError",
                "xiaoe.exceptions.XiaoeMappingError",
                "xiaoe.exceptions.XiaoeQualityError",
            ],
            action=RetryAction.FAIL,
            reason="needs a person: see the message",
        ),
        RetryRule(
            exception=["xiaoe.exceptions.XiaoeQuotaError", "xiaoe.exceptions.XiaoeIncompleteError"],
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=5),
            reason="the API needs time",
        ),
        RetryRule(
            exception=["xiaoe.exceptions.XiaoeRetriableError", "MySQLdb.OperationalError"],
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=1),
            reason="API or database could not be reached",
        ),
    ]
)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "xiaoe",
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_policy": RETRY_POLICY,
    "pool": "default_pool",  # tasks that call the API, or wait for one that does, set POOL
    "on_failure_callback": callbacks.task_failed,
    "on_success_callback": callbacks.task_succeeded,
}


DAY_PARAM = {
    "day": Param(
        None,
        type=["null", "string"],
        format="date",
        title="日期 day",
        description="北京日期；留空为前一天。 Beijing day; empty: the day before the run.",
    ),
}
"""The form of the DAGs that report on a day."""


def switch(title: str, description: str) -> Param:
    """A switch of a form, off by default; `null` among its types, or the form would mark it as required."""
    return Param(False, type=["boolean", "null"], title=title, description=description)


def dag_name(dag_id: str) -> str:
    """What staff call a DAG, in the language of the settings."""
    return vocabulary.dag_name(dag_id, settings.language())


def dag_description(dag_id: str) -> str:
    """What a DAG does, in the language of the settings."""
    return vocabulary.DAGS[dag_id].about.to(settings.language())


def named(task_id: str) -> dict[str, Any]:
    """Arguments of a task: its id, and what staff call it."""
    return {"task_id": task_id, "task_display_name": vocabulary.task_name(task_id, settings.language())}


def named_group(group_id: str) -> dict[str, Any]:
    """Arguments of a group of tasks: its id, and what staff call it."""
    return {"group_id": group_id, "group_display_name": vocabulary.GROUPS[group_id].to(settings.language())}


def dag_defaults(*tags: str, params: dict[str, Any], overdue_after: timedelta) -> dict[str, Any]:
    """Arguments that every DAG shares.

    Args:
        tags: Keys of `vocabulary.TAGS`, in addition to `xiaoe`.
        params: The form for a run by hand.
        overdue_after: Time from a run's queueing to its deadline, after which it is reported as overdue.
    """
    return {
        "default_args": DEFAULT_ARGS,
        "params": params,
        "template_searchpath": str(settings.INCLUDE_DIR / "sql"),
        "tags": [vocabulary.TAGS[tag].to(settings.language()) for tag in ("xiaoe", *tags)],
        "max_active_tasks": 4,
        "on_success_callback": callbacks.run_succeeded,
        # With a deadline, dag.test() of Airflow 3.3.2 breaks at the end of each successful run.
        "deadline": _deadline(overdue_after) if settings.alerts_on() else None,
    }


def _deadline(overdue_after: timedelta) -> DeadlineAlert:
    return DeadlineAlert(
        name="late",
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=overdue_after,
        callback=AsyncCallback(callbacks.run_late),
    )

"""What the DAG files have in common: defaults, the form for a window by hand, the tasks of a sync."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule, task_group
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from xiaoe import settings
from xiaoe.alerts import callbacks
from xiaoe.benefits.operators import (
    XiaoeBenefitAnswerOperator,
    XiaoeBenefitExportOperator,
    XiaoeBenefitNoticeOperator,
    XiaoeBenefitQuestionsOperator,
    XiaoeBenefitReportOperator,
    XiaoeBenefitsOperator,
)
from xiaoe.marts.operators import XiaoeMartsOperator
from xiaoe.sync.operators import XiaoeMergeOperator, XiaoeStageOperator

TIMEZONE = "Asia/Shanghai"
POOL = "xiaoe_api"
"""Bounds how many tasks call the API at once; include/pools.json sets its size."""

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[
                "xiaoe.exceptions.XiaoeConfigError",
                "xiaoe.exceptions.XiaoeReconciliationError",
                "xiaoe.exceptions.XiaoeQualityError",
            ],
            action=RetryAction.FAIL,
            reason="somebody has to act: the message says what to do",
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
    "pool": POOL,
    "on_failure_callback": callbacks.task_failed,
    "on_success_callback": callbacks.task_succeeded,
}

ACCEPT_MISSING = {
    "accept_missing": Param(
        False,
        type="boolean",
        title="Accept missing rows 接受缺失",
        description="Rows that the API no longer lists are marked absent instead of failing"
        " the run. Only after somebody has looked in the shop. 仅在店铺后台核实数据确已删除后勾选。",
    ),
}

WINDOW_PARAMS = {
    "from": Param(
        None,
        type=["null", "string"],
        title="From 开始",
        description="Beijing time, 2025-01-01 or 2025-01-01 08:30:00. Empty: the run's own window."
        " 北京时间；留空则按计划窗口。",
    ),
    "to": Param(
        None,
        type=["null", "string"],
        title="To 结束",
        description="Not included. Empty with a From: now. 不含该时刻；填了开始而留空则到现在。",
    ),
    **ACCEPT_MISSING,
}

DAY_PARAM = {
    "day": Param(
        None,
        type=["null", "string"],
        title="Day 日期",
        description="Beijing day, 2026-11-20. Empty: the day before the run. 北京日期；留空则为前一天。",
    ),
}

REBUILD_PARAM = {
    "rebuild": Param(
        False,
        type="boolean",
        title="Rebuild 全部重算",
        description="Work out everything anew, not only what changed. 不只重算有变化的日期，全部重算。",
    ),
}

ASSETS = {
    name: Asset(f"xiaoe_{name}")
    for name in ("orders", "refunds", "users", "products", "live_streams", "benefits", "benefit_answers")
}
"""Updated by every merge of the resource, every decision, every answer; what comes after may be scheduled on it."""


def dag_defaults(*tags: str, params: dict[str, Any] = WINDOW_PARAMS, late_after: timedelta) -> dict[str, Any]:
    """Arguments that every DAG shares.

    Args:
        tags: Beside `xiaoe`.
        params: The form for a run by hand.
        late_after: When staff hear that a run is not through, counted from its queueing.
    """
    return {
        "default_args": DEFAULT_ARGS,
        "params": params,
        "template_searchpath": str(settings.INCLUDE_DIR / "sql"),
        "tags": ["xiaoe", *tags],
        "max_active_tasks": 4,
        "on_success_callback": callbacks.run_succeeded,
        # With a deadline, dag.test() of Airflow 3.3.2 breaks at the end of each run that succeeds.
        "deadline": _deadline(late_after) if settings.alerts_on() else None,
    }


def _deadline(late_after: timedelta) -> DeadlineAlert:
    return DeadlineAlert(
        name="late",
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=late_after,
        callback=AsyncCallback(callbacks.run_late),
    )


def sync_shops(
    resource: str, mode: str, *, timeout: timedelta, group_id: str = "shop", late_orders: bool = False
) -> None:
    """Stage and merge, once per shop; one shop's failure does not hold up the others.

    Args:
        resource: A name of `xiaoe.resources.RESOURCES`.
        mode: See `XiaoeStageOperator`.
        timeout: Of each task.
        group_id: Of the task group that is mapped over the shops.
        late_orders: Whether to ask afterwards for the orders that these after-sales name.
    """

    @task_group(group_id=group_id)
    def shop(xiaoe_conn_id: str) -> None:
        stage, merge = _stage_and_merge(resource, mode, xiaoe_conn_id, timeout)
        if late_orders:
            stage_orders, _ = _stage_and_merge(
                "orders", "late", xiaoe_conn_id, timeout, suffix="_orders", named_by=stage.output
            )
            merge >> stage_orders

    shop.expand(xiaoe_conn_id=settings.conn_ids())


def _stage_and_merge(
    resource: str, mode: str, xiaoe_conn_id: str, timeout: timedelta, *, suffix: str = "", named_by: Any = None
) -> tuple[XiaoeStageOperator, XiaoeMergeOperator]:
    stage = XiaoeStageOperator(
        task_id=f"stage{suffix}",
        doc_md="API → page store. Clear it to ask the API again; a retry goes on where it stopped.",
        resource=resource,
        mode=mode,
        xiaoe_conn_id=xiaoe_conn_id,
        named_by=named_by,
        execution_timeout=timeout,
    )
    merge = XiaoeMergeOperator(
        task_id=f"merge{suffix}",
        doc_md="Page store → MySQL, one transaction. Safe to clear at any time: it changes nothing twice.",
        resource=resource,
        mode=mode,
        folder=stage.output,
        outlets=[ASSETS[resource]],
        execution_timeout=timeout,
    )
    return stage, merge


def decide_benefits(*, timeout: timedelta) -> None:
    """Decide and tell staff what cannot wait, once per shop; one shop's failure does not hold up the others."""

    @task_group(group_id="shop")
    def shop(xiaoe_conn_id: str) -> None:
        decide = XiaoeBenefitsOperator(
            task_id="decide",
            doc_md="Decides for every order that can have changed. Safe to clear: it changes nothing twice.",
            xiaoe_conn_id=xiaoe_conn_id,
            outlets=[ASSETS["benefits"]],
            execution_timeout=timeout,
            pool="default_pool",
        )
        XiaoeBenefitNoticeOperator(
            task_id="notify",
            doc_md="Mail and chat for grants taken back and orders that wait too long. Safe to clear: what a channel"
            " was told stands in `benefit_notices`. 发放后取消、待观测过久的即时通知；重跑不会重复发送。",
            decided=decide.output,
            execution_timeout=timedelta(minutes=15),
            pool="default_pool",
        )

    shop.expand(xiaoe_conn_id=settings.conn_ids())


def report_benefits(*, timeout: timedelta) -> None:
    """Export a day's decisions, then mail and chat, once per shop; a channel that is down does not hold up the other.

    Args:
        timeout: Of the export.
    """

    @task_group(group_id="shop")
    def shop(xiaoe_conn_id: str) -> None:
        export = XiaoeBenefitExportOperator(
            task_id="export",
            doc_md="MySQL → CSV and xlsx in `XIAOE_EXPORT_DIR`. Safe to clear: it writes the same files again.",
            xiaoe_conn_id=xiaoe_conn_id,
            execution_timeout=timeout,
            pool="default_pool",
        )
        for channel in ("mail", "chat"):
            XiaoeBenefitReportOperator(
                task_id=channel,
                doc_md=f"Sends the report by {channel}. Clear it to send it again. 重跑会再发送一次。",
                channel=channel,
                report=export.output,
                execution_timeout=timedelta(minutes=15),
                pool="default_pool",
            )

    shop.expand(xiaoe_conn_id=settings.conn_ids())


def review_benefits(*, patience: timedelta) -> None:
    """Ask a person about every order in review, of all shops, and keep each answer as it comes.

    Args:
        patience: How long a question stays open; then it counts as 稍后.
    """
    # The provider is imported for this one DAG file only.
    from airflow.providers.standard.operators.hitl import HITLOperator

    from xiaoe.benefits.names import LATER, OPTIONS

    questions = XiaoeBenefitQuestionsOperator(
        task_id="questions",
        doc_md="Lists the orders in review without an answer: at most 50 per shop, the earliest deadline first.",
        xiaoe_conn_ids=settings.conn_ids(),
        execution_timeout=timedelta(minutes=15),
        pool="default_pool",
    )

    @task_group(group_id="order")
    def order(subject: str, body: str, about: dict[str, str]) -> None:
        ask = HITLOperator(
            task_id="ask",
            doc_md="Waits for a person: *Required Actions*. No answer in time counts as 稍后."
            " 请在此答复；超时视为稍后。",
            subject=subject,
            body=body,
            options=[*OPTIONS, LATER],
            defaults=LATER,
            response_timeout=patience,
            execution_timeout=timedelta(minutes=15),
            pool="default_pool",
        )
        XiaoeBenefitAnswerOperator(
            task_id="answer",
            doc_md="Keeps the answer, with who and when, for the next decision. Skipped for 稍后. Safe to clear.",
            about=about,
            response=ask.output,
            outlets=[ASSETS["benefit_answers"]],
            execution_timeout=timedelta(minutes=15),
            pool="default_pool",
        )

    order.expand_kwargs(questions.output)


def refresh_marts(*, timeout: timedelta) -> None:
    """Bring what dashboards read up to date, once per shop; one shop's failure does not hold up the others."""
    XiaoeMartsOperator.partial(
        task_id="refresh",
        doc_md="MySQL → MySQL. Safe to clear at any time: it changes nothing twice.",
        execution_timeout=timeout,
        pool="default_pool",
    ).expand(xiaoe_conn_id=settings.conn_ids())

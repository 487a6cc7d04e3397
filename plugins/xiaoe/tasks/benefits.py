"""The tasks of the benefit DAGs."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import task_group

from xiaoe import settings
from xiaoe.benefits.operators import (
    XiaoeBenefitAnswerOperator,
    XiaoeBenefitExportOperator,
    XiaoeBenefitNoticeOperator,
    XiaoeBenefitQuestionsOperator,
    XiaoeBenefitReportOperator,
    XiaoeBenefitsOperator,
)
from xiaoe.tasks.assets import ASSETS
from xiaoe.tasks.defaults import named, named_group


def decide_benefits(*, timeout: timedelta) -> None:
    """Decide and notify staff of what cannot wait, for each shop; one shop's failure does not stop the others."""

    @task_group(**named_group("shop"))
    def shop(xiaoe_conn_id: str) -> None:
        decide = XiaoeBenefitsOperator(
            **named("decide"),
            doc_md="Decides for every order that may have changed. Safe to clear: it is idempotent.",
            xiaoe_conn_id=xiaoe_conn_id,
            inlets=[ASSETS["orders"], ASSETS["refunds"], ASSETS["benefit_answers"]],
            outlets=[ASSETS["benefits"]],
            execution_timeout=timeout,
        )
        XiaoeBenefitNoticeOperator(
            **named("notify"),
            doc_md="Mail and chat about grants taken back and orders long not observed. Safe to clear:"
            " `benefit_notices` records what was sent. 发放后收回、等待复查过久的即时通知；重跑不会重复发送。",
            decided=decide.output,
            execution_timeout=timedelta(minutes=15),
        )

    shop.expand(xiaoe_conn_id=settings.conn_ids())


def report_benefits(*, timeout: timedelta) -> None:
    """Export a day's decisions, then send mail and chat, for each shop; the channels are independent.

    Args:
        timeout: Time-out of the export.
    """

    @task_group(**named_group("shop"))
    def shop(xiaoe_conn_id: str) -> None:
        export = XiaoeBenefitExportOperator(
            **named("export"),
            doc_md="MySQL → CSV and xlsx in `XIAOE_EXPORT_DIR`. Safe to clear: it writes the same files again.",
            xiaoe_conn_id=xiaoe_conn_id,
            execution_timeout=timeout,
        )
        for channel in ("mail", "chat"):
            XiaoeBenefitReportOperator(
                **named(channel),
                doc_md=f"Sends the report by {channel}. Clear it to send it again. 重跑会再发送一次。",
                channel=channel,
                report=export.output,
                execution_timeout=timedelta(minutes=15),
            )

    shop.expand(xiaoe_conn_id=settings.conn_ids())


def review_benefits(*, patience: timedelta) -> None:
    """Ask a person about every order in review, of all shops, and store each answer at once.

    Args:
        patience: How long a question stays open; then it counts as answered with 稍后再定.
    """
    # Imported here, because only one DAG file needs Airflow's standard provider.
    from xiaoe.benefits.names import LATER, OPTIONS
    from xiaoe.benefits.question import XiaoeBenefitAskOperator

    questions = XiaoeBenefitQuestionsOperator(
        **named("questions"),
        doc_md="Lists the orders in review without an answer: at most 50 per shop, latest deadline first.",
        xiaoe_conn_ids=settings.conn_ids(),
        execution_timeout=timedelta(minutes=15),
    )

    @task_group(**named_group("order"))
    def order(subject: str, body: str, about: dict[str, str]) -> None:
        ask = XiaoeBenefitAskOperator(
            **named("ask"),
            doc_md="Waits for a person: *Required Actions*. No answer in time counts as 稍后再定."
            " 请在“待操作的任务实例”中答复；超时视为稍后再定。",
            map_index_template="{{ task.subject }}",
            subject=subject,
            body=body,
            options=[*OPTIONS, LATER],
            defaults=LATER,
            response_timeout=patience,
            execution_timeout=timedelta(minutes=15),
        )
        XiaoeBenefitAnswerOperator(
            **named("answer"),
            doc_md="Stores the answer, with who and when, for the next decision. Skipped for 稍后再定. Safe to clear.",
            map_index_template="{{ task.about.order_id }}",
            about=about,
            response=ask.output,
            outlets=[ASSETS["benefit_answers"]],
            execution_timeout=timedelta(minutes=15),
        )

    order.expand_kwargs(questions.output)

"""The tasks of the morning report."""

from __future__ import annotations

from datetime import timedelta

from xiaoe import settings
from xiaoe.reports.operators import XiaoeReportOperator, XiaoeReportSendOperator
from xiaoe.tasks.defaults import named


def report_business(*, timeout: timedelta) -> None:
    """Work the reports out, then send mail and chat; the channels are independent.

    Args:
        timeout: Time-out of working them out.
    """
    prepare = XiaoeReportOperator(
        **named("prepare"),
        doc_md="MySQL → texts. Brings the marts up to date first. Safe to clear.",
        xiaoe_conn_ids=settings.conn_ids(),
        execution_timeout=timeout,
    )
    for channel in ("mail", "chat"):
        XiaoeReportSendOperator(
            **named(channel),
            doc_md=f"Sends the reports by {channel}, each once: `report_sends` records it. Safe to clear."
            " 每份只发一次；数据补齐后可再发一次。",
            channel=channel,
            reports=prepare.output,
            execution_timeout=timedelta(minutes=15),
        )

"""The operators of the morning report: work it out, send it once over each channel.

What only a running task needs is imported in `execute`, as in `xiaoe.sync.operators`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from xiaoe import clock, settings
from xiaoe.exceptions import XiaoeError
from xiaoe.shop_operator import reported_day

_SETTINGS: dict[str, settings.Setting[Any]] = {"mail": settings.report_mail_to, "chat": settings.report_chat_conn_id}


class XiaoeReportOperator(BaseOperator):
    """Work out the report on a day, on a Monday also that on the week, on the first also that on the month.

    Brings the marts of each shop up to date before. A shop whose connection is wrong is in it without figures.

    Args:
        xiaoe_conn_ids: The shops' connections.
    """

    template_fields: Sequence[str] = ("xiaoe_conn_ids",)
    ui_color = "#e9f7ef"

    def __init__(self, *, xiaoe_conn_ids: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.xiaoe_conn_ids = xiaoe_conn_ids

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the reports that are due, as `reports.build.report` makes them."""
        from xiaoe.marts.periods import due_after
        from xiaoe.marts.refresh import Refresher
        from xiaoe.mysql.warehouse import Warehouse
        from xiaoe.reports.build import report, shops_of
        from xiaoe.reports.text import Wording

        warehouse, now = Warehouse(), clock.now()
        day = reported_day(context, now)
        shop_ids, unusable = shops_of(self.xiaoe_conn_ids)
        for shop_id in shop_ids:
            Refresher(warehouse, shop_id, now=now).refresh()
        with warehouse.session() as session:
            words = Wording(settings.language())
            reports = [
                report(session, shop_ids, period, now, unusable=unusable, words=words) for period in due_after(day)
            ]
        for one in reports:
            self.log.info("%s", "\n".join([one["title"], *one["lines"]]))
        return reports


class XiaoeReportSendOperator(BaseOperator):
    """Send the reports over one channel; if it is not configured, log that and succeed.

    A chat also gets a link to the page 今日经营, where people on other machines can open it.

    `report_sends` records what a channel was sent, so a run that is repeated sends nothing twice. A report that was
    sent without figures is sent once more when they are complete.

    Args:
        channel: `mail` or `chat`.
        reports: What `XiaoeReportOperator` returned.
    """

    template_fields: Sequence[str] = ("reports",)
    ui_color = "#e8f4fd"

    def __init__(self, *, channel: str, reports: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.reports = reports

    def execute(self, context: Context) -> list[str]:
        """Send what was not sent yet; return the titles."""
        from xiaoe.mysql.warehouse import Warehouse
        from xiaoe.notify import refusals
        from xiaoe.notify.channels import Message, configured_channels
        from xiaoe.reports import links, sends
        from xiaoe.reports.text import Wording

        channel = configured_channels(
            settings.report_mail_to(),
            settings.report_chat_conn_id(),
            chat_setting=settings.report_chat_conn_id.name,
        ).get(self.channel)
        if channel is None:
            self.log.info(
                "%s is not configured (%s is empty): nothing is sent there", self.channel, _SETTINGS[self.channel].name
            )
            return []
        sent, failure, language = list[str](), None, settings.language()
        more = links.lines(clock.now(), Wording(language)) if self.channel == "chat" else []
        with Warehouse().session() as session, session.lock("report_sends", self.channel):
            for report in self.reports:
                if sends.was_sent(session, report, self.channel):
                    self.log.info("%s: sent before: %s", self.channel, report["title"])
                    continue
                try:
                    refusals.send(session, channel, Message(report["title"], [*report["lines"], *more]), language)
                except XiaoeError as error:
                    self.log.error("%s: not sent: %s: %s", self.channel, report["title"], error)
                    failure = failure or error
                    continue
                sends.write(session, report, self.channel, clock.now())
                session.commit()
                sent.append(report["title"])
                self.log.info("%s: %s", self.channel, report["title"])
        if failure:
            raise failure
        return sent

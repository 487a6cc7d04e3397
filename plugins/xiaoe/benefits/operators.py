"""The operators for benefits: decide, notify staff at once, report daily, ask a person.

What only a running task needs is imported in `execute`, as in `xiaoe.sync.operators`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context, ObjectStoragePath
from airflow.sdk.exceptions import AirflowSkipException

from xiaoe import clock, settings
from xiaoe.api.shop import app_id_of
from xiaoe.exceptions import XiaoeConfigError, XiaoeError
from xiaoe.shop_operator import ShopOperator, reported_day

if TYPE_CHECKING:
    from xiaoe.benefits.policy import Policy
    from xiaoe.mysql.warehouse import Warehouse

RESOURCE, MODE = "benefits", "decide"
"""Names of these runs in `sync_status`."""


class XiaoeBenefitsOperator(ShopOperator):
    """Decide who keeps a benefit, for every order of a shop that may have changed.

    Returns the counts by decision, how many grants were taken back, and how many orders were not observed since their
    deadline.
    """

    ui_color = "#fff4e0"

    def execute(self, context: Context) -> dict[str, Any]:
        """Decide, then write the outcome to `sync_status`."""
        from xiaoe.benefits import attention, decide
        from xiaoe.benefits.policy import is_seen_hourly
        from xiaoe.merge.status import failure_noted, write_done
        from xiaoe.mysql.warehouse import Warehouse

        warehouse = Warehouse()
        shop_id = app_id_of(self.xiaoe_conn_id)
        now = clock.now()
        with failure_noted(warehouse, shop_id, RESOURCE, MODE):
            number, policy = self._policy(warehouse, shop_id)
            if not is_seen_hourly(policy):
                self.log.warning(
                    "the policy's %s days and one are more than XIAOE_RESCAN_DAYS: an order is seen after its deadline"
                    " by the nightly rescan only, and its decision waits up to a day",
                    policy.days,
                )
            counts = decide.Decider(warehouse, shop_id, policy, number, now=now).decide()
            with warehouse.session() as session:
                taken_back = attention.grants_taken_back(session, shop_id, now, now + attention.LOG_PRECISION)
                waiting, longest = attention.not_observed_since(session, shop_id, now)
                message = attention.summary(counts, taken_back, waiting, longest)
                write_done(session, shop_id, RESOURCE, MODE, message)
                session.commit()
        self.log.info("shop %s: %s", shop_id, message)
        if waiting:
            self.log.warning("%s orders were not observed since their deadline, the longest for %s", waiting, longest)
        return {"shop_id": shop_id, "decided": dict(counts), "taken_back": len(taken_back), "waiting": waiting}

    def _policy(self, warehouse: Warehouse, shop_id: str) -> tuple[int, Policy]:
        """The policy in force. Without one, the file's is put in force; a changed file waits for a person."""
        from xiaoe.benefits.decide import apply_policy, policy_in_force
        from xiaoe.benefits.policy import POLICY_FILE, read_policy

        policy = read_policy()
        with warehouse.session() as session, session.lock("benefit_policy"):
            if (found := policy_in_force(session)) is None:
                policy_id = apply_policy(session, policy, by="system", shop_ids=[shop_id])
                session.commit()
                return policy_id, policy
        if found[1].to_json() != policy.to_json():
            self.log.warning(
                "%s was changed but is not in force yet: `make benefit-policy` shows what it would change,"
                " `make benefit-policy APPLY=1` puts it in force",
                POLICY_FILE,
            )
        return found


class XiaoeBenefitNoticeOperator(BaseOperator):
    """Notify staff of what cannot wait for the daily report: grants taken back, orders long not observed.

    `benefit_notices` records what each channel was sent, so the next run completes an interrupted one, and a channel
    that is down does not make the other one repeat itself.

    Args:
        decided: What `XiaoeBenefitsOperator` returned; names the shop.
    """

    template_fields: Sequence[str] = ("decided",)
    ui_color = "#fdecea"

    def __init__(self, *, decided: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decided = decided

    def execute(self, context: Context) -> dict[str, list[str]]:
        """Send the notices; return the kinds sent, by channel."""
        from xiaoe.benefits import report
        from xiaoe.mysql.warehouse import Warehouse
        from xiaoe.notify import refusals

        shop_id, patience, now = self.decided["shop_id"], settings.benefit_wait(), clock.now()
        language = settings.language()
        sent: dict[str, list[str]] = {}
        failures: list[XiaoeError] = []
        with Warehouse().session() as session:
            for name, channel in sorted(_channels(self.log).items()):  # the mail last: it names a chat that refuses
                sent[name] = []
                due = report.notices(session, shop_id, name, now=now, patience=patience, language=language)
                for notice in due:
                    try:
                        refusals.send(session, channel, notice.message, language)
                    except XiaoeError as error:
                        self.log.error("%s: the notice %s was not sent: %s", name, notice.kind, error)
                        failures.append(error)
                        continue
                    report.write_notice(session, shop_id, name, notice, now)
                    session.commit()
                    sent[name].append(notice.kind)
                    self.log.info("%s: %s", name, notice.message.title)
        if failures:
            raise failures[0]
        return sent


class XiaoeBenefitExportOperator(ShopOperator):
    """Write the decisions of a day as CSV and xlsx.

    Returns counts and file names, for the messages.
    """

    ui_color = "#fff4e0"

    def execute(self, context: Context) -> dict[str, Any]:
        """Export the day that the run reports on."""
        from xiaoe.benefits.report import export_day
        from xiaoe.mysql.warehouse import Warehouse

        now = clock.now()
        day = reported_day(context, now)
        with Warehouse().session() as session:
            root = ObjectStoragePath(settings.export_dir())
            report = export_day(session, app_id_of(self.xiaoe_conn_id), day, root, now, settings.language())
        self.log.info("%s", report)
        return report


class XiaoeBenefitReportOperator(BaseOperator):
    """Send the daily report over one channel; if the channel is not configured, log that and succeed.

    Args:
        channel: `mail`, with the files attached, or `chat`.
        report: What `XiaoeBenefitExportOperator` returned.
    """

    template_fields: Sequence[str] = ("report",)
    ui_color = "#e8f4fd"

    def __init__(self, *, channel: str, report: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.report = report

    def execute(self, context: Context) -> bool:
        """Send it; return whether it was sent."""
        from xiaoe.benefits.report import daily_message, fetch, language_of
        from xiaoe.mysql.warehouse import Warehouse
        from xiaoe.notify import refusals

        channel = _channels(self.log).get(self.channel)
        if channel is None:
            return False
        message, language = daily_message(self.report), language_of(self.report)
        with tempfile.TemporaryDirectory() as place:
            if self.channel == "mail":
                files, line = fetch(self.report["files"], ObjectStoragePath, Path(place), language)
                message = daily_message(self.report, files, *filter(None, [line]))
            with Warehouse().session(any_schema=True) as session:
                refusals.send(session, channel, message, language)
        self.log.info("%s: %s", self.channel, message.title)
        return True


class XiaoeBenefitQuestionsOperator(BaseOperator):
    """List the orders of all shops that a person has to decide on, one question each.

    Args:
        xiaoe_conn_ids: The shops' connections.
    """

    template_fields: Sequence[str] = ("xiaoe_conn_ids",)
    ui_color = "#f3e8fd"

    def __init__(self, *, xiaoe_conn_ids: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.xiaoe_conn_ids = xiaoe_conn_ids

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List them, at most `MAX_QUESTIONS` per shop."""
        from xiaoe.benefits.review import MAX_QUESTIONS, open_questions
        from xiaoe.mysql.warehouse import Warehouse

        found: list[dict[str, Any]] = []
        with Warehouse().session() as session:
            for conn_id in self.xiaoe_conn_ids:
                try:
                    shop_id = app_id_of(conn_id)
                except XiaoeConfigError as error:  # that shop's syncs fail on it; the others go on
                    self.log.warning("skipped: %s", error)
                    continue
                questions = open_questions(session, shop_id)
                self.log.info("shop %s: %s orders to ask about, at most %s", shop_id, len(questions), MAX_QUESTIONS)
                found += questions
        return found


class XiaoeBenefitAnswerOperator(BaseOperator):
    """Store a person's answer about an order and queue the order for decision.

    Skipped if nobody decided: a later run asks again; who put it off, and when, is kept.

    Args:
        about: The order, as the question names it.
        response: What Airflow's Human-in-the-loop task returned.
    """

    template_fields: Sequence[str] = ("about", "response")
    ui_color = "#f3e8fd"

    def __init__(self, *, about: Any, response: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.about = about
        self.response = response

    def execute(self, context: Context) -> None:
        """Store the answer, with who gave it and when."""
        from xiaoe.benefits.answers import read_answer, record_answer
        from xiaoe.benefits.names import LATER
        from xiaoe.mysql.session import retry_conflicts
        from xiaoe.mysql.warehouse import Warehouse

        answer = read_answer(self.response)
        order_id = self.about["order_id"]
        if answer is None:
            raise AirflowSkipException(f"order {order_id}: nobody answered: a later run asks again")

        def store() -> bool:
            with Warehouse().session() as session:
                return record_answer(session, self.about, answer)

        is_unchanged = retry_conflicts(store)
        if answer.decision is None:
            raise AirflowSkipException(f"order {order_id}: {LATER}, said {answer.by}: a later run asks again")
        if is_unchanged:
            self.log.info("order %s: %s, answered by %s at %s", order_id, answer.decision, answer.by, answer.at)
        else:
            self.log.warning(
                "order %s changed while %s was asked: the answer %s is ignored, and the order is decided again",
                order_id,
                answer.by,
                answer.decision,
            )


def _channels(log: Any) -> dict[str, Any]:
    """The configured channels; logs which ones are not."""
    from xiaoe.notify.channels import configured_channels

    found = configured_channels(settings.benefit_mail_to(), settings.chat_conn_id())
    for name, variable in (("mail", "XIAOE_BENEFIT_MAIL_TO"), ("chat", "XIAOE_CHAT_CONN_ID")):
        if name not in found:
            log.info("%s is not configured (%s is empty): nothing is sent there", name, variable)
    return found

"""Alerts without a database: what a context says, what is one cause, what is news, how it reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import MySQLdb
import pendulum
import pytest
from airflow.sdk import DAG
from airflow.sdk.log import mask_secret

from support.servers.inbox import ChatService, MailServer, body, chat_service, mail_server
from xiaoe import settings
from xiaoe.alerts import callbacks, events, messages
from xiaoe.alerts.delivery import MAX_NEWS_AGE, deliver, news
from xiaoe.alerts.events import cause_of, message_of, overdue_run
from xiaoe.alerts.state import TOGETHER, Alert
from xiaoe.exceptions import XiaoeConfigError, XiaoeIncompleteError, XiaoeNetworkError, XiaoeQuotaError
from xiaoe.notify.channels import Message
from xiaoe.tasks.benefits import review_benefits
from xiaoe.tasks.defaults import dag_defaults
from xiaoe.tasks.marts import refresh_marts
from xiaoe.tasks.sync import sync_shops

NOW = datetime(2026, 11, 20, 4, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
ALERT = Alert(
    id=1, kind="failed", dag_id="xiaoe_orders_rescan", task_id="shop.merge", shop="xiaoe_default", cause="c" * 32,
    message="the disk is full", log_url="https://airflow.example.com/log", run_id="scheduled__1", tries=4,
    time_window="2026-11-05 00:00 → 2026-11-20 12:00", opened_at=NOW, last_seen_at=NOW, seen_count=1, told_at=None,
    closed_at=None,
)  # fmt: skip


@pytest.fixture(scope="module")
def dag() -> Iterator[DAG]:
    """A sync of two shops, and the questions of a review."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XIAOE_CONN_IDS", "xiaoe_default,xiaoe_second")
        with DAG(
            "any",
            schedule=None,
            start_date=pendulum.datetime(2025, 1, 1),
            **dag_defaults("x", params={}, overdue_after=HOUR),
        ) as dag:
            sync_shops("orders", "rescan", timeout=HOUR)
            review_benefits(patience=HOUR)
            refresh_marts(timeout=HOUR)
        yield dag


def context(dag: DAG, task_id: str = "shop.merge", index: int = 1, **more: Any) -> Any:
    ti = SimpleNamespace(
        dag_id=dag.dag_id, task_id=task_id, run_id="scheduled__1", map_index=index, try_number=4, log_url="https://log"
    )
    run = SimpleNamespace(run_type="scheduled")
    return {"ti": ti, "task": dag.get_task(task_id), "dag": dag, "dag_run": run, "run_id": "scheduled__1", **more}


# --- what a context says -------------------------------------------------------------------------------


def test_a_failure_names_task_shop_try_run_and_log(dag: DAG) -> None:
    error = XiaoeConfigError("connection xiaoe_second: the secret is wrong")
    event = events.failure(context(dag, exception=error))
    assert (event.kind, event.dag_id, event.task_id, event.shop) == ("failed", "any", "shop.merge", "xiaoe_second")
    assert (event.run_id, event.tries, event.log_url) == ("scheduled__1", 4, "https://log")
    assert event.message == "connection xiaoe_second: the secret is wrong"
    assert not event.stands_alone, "the next run reads the window again"


@pytest.mark.parametrize(
    ("task_id", "index", "expected"),
    [
        ("shop.stage", 0, ("shop.stage", "xiaoe_default")),
        ("shop.merge", 1, ("shop.merge", "xiaoe_second")),
        ("order.answer", 3, ("order.answer[3]", "")),
        ("questions", -1, ("questions", "")),
    ],
)
def test_the_shop_is_the_one_that_the_task_is_mapped_to(
    dag: DAG, task_id: str, index: int, expected: tuple[str, str]
) -> None:
    assert events.task_and_shop(context(dag, task_id, index)) == expected


def test_the_shop_of_an_operator_that_is_mapped_itself_is_its_own(dag: DAG) -> None:
    """What runs is the operator itself: Airflow puts it into the context in place of the mapped one."""
    second = dag.get_task("refresh").unmap({"xiaoe_conn_id": "xiaoe_second"})
    assert events.task_and_shop({**context(dag, "refresh", 1), "task": second}) == ("refresh", "xiaoe_second")


def test_the_window_is_the_form_s_else_the_staged_one_else_the_interval(dag: DAG) -> None:
    interval = {"data_interval_start": NOW - HOUR, "data_interval_end": NOW}
    stage = context(dag, "shop.stage", params={"from": None, "to": None}, **interval)
    assert events.time_window(stage) == "2026-11-20 11:00 → 2026-11-20 12:00", "Beijing"
    assert events.time_window({**stage, "params": {"from": "2026-01-01", "to": None}}) == "2026-01-01 → 现在"
    folder = "file:///pages/app1/orders/20261105T000000_20261120T120000/rescan-x.1234"
    merge = {**stage, "task": SimpleNamespace(folder=folder)}
    assert events.time_window(merge) == "2026-11-05 00:00 → 2026-11-20 12:00"
    assert events.time_window(context(dag, "shop.stage")) is None


def test_a_failed_week_of_the_history_is_ended_by_its_own_success_only(dag: DAG) -> None:
    assert events.stands_alone({**context(dag), "dag": SimpleNamespace(catchup=True)})
    assert events.stands_alone({**context(dag), "dag_run": SimpleNamespace(run_type="backfill")})
    assert not events.stands_alone(context(dag))


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"dag_run": SimpleNamespace(run_type="backfill"), "run_id": "scheduled__1"}, True),
        ({"dag_run": SimpleNamespace(run_type="scheduled"), "run_id": "backfill__1"}, False),
        ({"run_id": "backfill__1"}, True),
        ({"run_id": "manual__1"}, False),
    ],
)
def test_a_backfill_is_known_by_its_type(about: dict[str, Any], expected: bool) -> None:
    """A week that a backfill runs again keeps the id of its first run."""
    assert events.is_backfill(about) is expected


def test_a_backfill_alerts_neither_by_failure_nor_by_lateness(dag: DAG, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    callbacks.task_failed(context(dag, exception="x") | {"dag_run": SimpleNamespace(run_type="backfill")})
    assert "a backfill does not alert" in caplog.text
    assert overdue_run(late_context(run_type="backfill")) is None


def late_context(**facts: Any) -> Any:
    run = {"dag_id": "any", "dag_run_id": "scheduled__1", "run_type": "scheduled", "state": "running", **facts}
    return {"dag_run": run, "deadline": {"id": "1", "deadline_time": NOW}}


def test_a_late_run_is_named_by_its_dag_run_id_and_its_deadline() -> None:
    event = overdue_run(late_context())
    assert event
    assert (event.kind, event.dag_id, event.run_id) == ("late", "any", "scheduled__1")
    assert "2026-11-20 12:00（北京时间）" in event.message


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_that_has_ended_is_not_late(state: str) -> None:
    """Airflow calls for runs that failed before their deadline, too."""
    assert overdue_run(late_context(state=state)) is None


# --- messages and causes -------------------------------------------------------------------------------


def test_a_message_holds_no_secret_that_airflow_knows_and_names_a_foreign_exception() -> None:
    mask_secret("a-secret-of-some-length")
    assert message_of(ValueError("a-secret-of-some-length is odd")) == "ValueError: *** is odd"
    assert message_of(XiaoeConfigError("app_id is empty")) == "app_id is empty"
    assert message_of(ValueError()) == "ValueError"
    assert "killed" in message_of(None)
    assert len(message_of("x" * 9000)) == events.MAX_MESSAGE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (XiaoeNetworkError("no answer from https://a/xe.order.list: ReadTimeout"), XiaoeNetworkError("HTTP 502")),
        (MySQLdb.OperationalError(2002, "Can't connect"), MySQLdb.OperationalError(2013, "Lost connection")),
        (
            XiaoeIncompleteError("orders 2026-11-01 → 2026-11-02: the API says 7 rows, 6 distinct rows came"),
            XiaoeIncompleteError("orders 2026-11-08 → 2026-11-09: the API says 12 rows, 9 distinct rows came"),
        ),
        (XiaoeQuotaError("/xe.order.list/1.0.0 answered HTTP 429"), XiaoeQuotaError("/xe.users/1.0 answered HTTP 429")),
        (ValueError("o_1a2b, o_3c"), ValueError("o_9z")),
    ],
)
def test_numbers_ids_times_and_paths_make_no_other_cause(one: Exception, other: Exception) -> None:
    assert cause_of(one) == cause_of(other)


def test_another_error_is_another_cause() -> None:
    errors = [
        XiaoeNetworkError("no answer"),
        MySQLdb.OperationalError(2002, "Can't connect"),
        MySQLdb.OperationalError(1114, "The table is full"),
        XiaoeConfigError("connection xiaoe_1: the secret is wrong"),
        XiaoeConfigError("connection xiaoe_2: the secret is wrong"),
        None,
    ]
    assert len({cause_of(error) for error in errors}) == len(errors)


# --- what is news --------------------------------------------------------------------------------------


def told(*alerts: Alert, now: datetime = NOW) -> list[tuple[str | None, str, list[int]]]:
    return [
        (item.message.title[:4] if item.message else None, item.column, [alert.id for alert in item.alerts])
        for item in news(alerts, now)
    ]


def test_a_failure_is_news_once_and_so_is_each_cause() -> None:
    second = replace(ALERT, id=2, dag_id="xiaoe_refunds")
    assert told(ALERT, second) == [("【失败】", "told_at", [1, 2])]
    assert told(replace(ALERT, told_at=NOW), second) == []
    assert told(replace(ALERT, told_at=NOW), replace(second, cause="d" * 32)) == [("【失败】", "told_at", [2])]


def test_an_outage_is_over_when_its_last_alert_is_closed() -> None:
    first, second = replace(ALERT, told_at=NOW, closed_at=NOW + HOUR), replace(ALERT, id=2)
    assert told(first, second) == []
    assert told(first, replace(second, closed_at=NOW + HOUR)) == [("【恢复】", "closed_told_at", [1, 2])]


def test_what_joins_an_outage_long_after_people_were_told_is_news() -> None:
    """The nightly task that failed keeps its outage open until the next night."""
    first = replace(ALERT, told_at=NOW)
    soon, later = (replace(ALERT, id=2, opened_at=NOW + TOGETHER + timedelta(minutes=m)) for m in (0, 1))
    assert told(first, soon) == []
    assert told(first, later) == [("【失败】", "told_at", [1, 2])]


def test_lateness_is_news_unless_people_know_of_the_outage() -> None:
    late = replace(ALERT, id=2, kind="late")
    assert told(late) == [("【超时】", "told_at", [2])]
    assert told(replace(late, told_at=NOW)) == []
    assert told(replace(ALERT, told_at=NOW), late) == []
    assert told(ALERT, replace(late, told_at=NOW)) == [("【失败】", "told_at", [1, 2])], "now the reason is known"


def test_the_end_of_what_nobody_could_be_told_is_news_for_a_day() -> None:
    closed = replace(ALERT, closed_at=NOW)
    [(message, *_)] = news([closed], NOW + MAX_NEWS_AGE)
    assert message
    assert any("未能发出" in line for line in message.lines)
    assert told(closed, now=NOW + MAX_NEWS_AGE + HOUR) == [(None, "closed_told_at", [1])]
    assert told(replace(closed, told_at=NOW), now=NOW + 9 * MAX_NEWS_AGE) == [("【恢复】", "closed_told_at", [1])]


# --- how it reads --------------------------------------------------------------------------------------


def test_a_failure_reads_as_promised() -> None:
    message = messages.failed(ALERT, [replace(ALERT, dag_id="xiaoe_refunds")])
    assert message.title == "【失败】xiaoe_orders_rescan · shop.merge · xiaoe_default：the disk is full"
    said = "\n".join(message.lines)
    for part in (
        "第 4 次尝试",
        "2026-11-05 00:00 → 2026-11-20 12:00",
        "自 since 2026-11-20 12:00 起",
        "报错 error：the disk is full",
        "https://airflow.example.com/log",
        "xiaoe_refunds · shop.merge · xiaoe_default",
        "docs/operations.zh-CN.md",
        "数据不会丢",
        "Nothing is lost",
    ):
        assert part in said


def test_the_end_says_since_when_and_for_how_long() -> None:
    alerts = [replace(ALERT, told_at=NOW, closed_at=NOW + 2 * HOUR), replace(ALERT, id=2, dag_id="xiaoe_refunds")]
    message = messages.over([replace(one, closed_at=one.closed_at or NOW + HOUR) for one in alerts])
    assert message.title == "【恢复】xiaoe_orders_rescan 等 2 个 DAG：故障已结束，历时 2 小时 0 分"
    assert "自 since 2026-11-20 12:00 至 until 2026-11-20 14:00" in message.lines[0]
    assert "xiaoe_refunds" in message.lines[1]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("first line\nsecond", "first line"),
        ("Duplicate entry '13800000000' for key \"x\"", "Duplicate entry '…' for key '…'"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_a_subject_is_short_and_quotes_no_values(message: str, expected: str) -> None:
    assert messages.headline(message) == expected


def test_a_long_list_is_counted() -> None:
    alerts = [replace(ALERT, id=number, task_id=f"t{number}") for number in range(20)]
    assert messages.named(alerts).endswith("t11 · xiaoe_default 等 20 项")


# --- telling -------------------------------------------------------------------------------------------


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection())
        monkeypatch.setenv("XIAOE_ALERT_MAIL_TO", "ops@example.com, boss@example.com")
        yield server


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatService]:
    with chat_service() as service:
        monkeypatch.setenv("AIRFLOW_CONN_APPRISE_DEFAULT", service.connection())
        monkeypatch.setenv("XIAOE_CHAT_CONN_ID", "apprise_default")
        yield service


def test_mail_and_chat_are_told_and_the_text_is_no_template(inbox: MailServer, group: ChatService) -> None:
    alert = replace(ALERT, message="{{ 7*7 }} {% raw %} <b>o_1</b>")
    assert deliver(messages.failed(alert, []))
    [mail], [talk] = inbox.mails, group.said
    assert mail["To"] == "ops@example.com, boss@example.com"
    assert "{{ 7*7 }} {% raw %} &lt;b&gt;o_1&lt;/b&gt;" in body(mail)
    assert "{{ 7*7 }}" in mail["Subject"]
    assert talk["title"] == mail["Subject"]
    assert "报错 error" not in talk["message"], "an error may quote a customer's data"
    assert "https://airflow.example.com/log" in talk["message"]


def test_one_way_that_works_is_enough(inbox: MailServer, group: ChatService, caplog: pytest.LogCaptureFixture) -> None:
    inbox.refusals["DATA"] = "451 try later"
    assert deliver(Message("题", ["文"]))
    assert "mail: the message '题' was not sent: connection smtp_default: the mail server answers 451" in caplog.text
    group.status = 500
    assert not deliver(Message("题", ["文"]))


def test_nobody_is_told_where_nothing_is_configured(
    clean_environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert not deliver(Message("题", ["文"]))
    assert "alerts are not sent: XIAOE_ALERT_MAIL_TO and XIAOE_CHAT_CONN_ID are empty" in caplog.text


def test_a_wrong_address_is_said_and_nothing_breaks(
    clean_environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clean_environment.setenv("XIAOE_ALERT_MAIL_TO", "ops@example.com; boss")
    assert not deliver(Message("题", ["文"]))
    assert "XIAOE_ALERT_MAIL_TO='ops@example.com; boss'" in caplog.text


# --- the switch ----------------------------------------------------------------------------------------


def test_alerts_are_on_unless_switched_off(clean_environment: pytest.MonkeyPatch) -> None:
    assert settings.alerts_on()
    clean_environment.setenv("XIAOE_ALERTS", "off")
    assert not settings.alerts_on()
    clean_environment.setenv("XIAOE_ALERTS", "no")
    with pytest.raises(XiaoeConfigError, match="XIAOE_ALERTS='no': give on or off"):
        settings.alerts_on()


def test_switched_off_nothing_is_looked_at(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("XIAOE_ALERTS", "off")
    nothing: Any = {}
    callbacks.task_failed(nothing)
    callbacks.task_succeeded(nothing)
    callbacks.run_succeeded(nothing)
    asyncio.run(callbacks.run_late(nothing))

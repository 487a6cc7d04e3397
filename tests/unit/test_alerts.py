"""Alerts without a database: what a context says, what is one cause, what is news, how it reads."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import MySQLdb
import pendulum
import pytest
from airflow.sdk import DAG
from airflow.sdk.log import mask_secret

from support.servers.inbox import ChatService, MailServer, body, chat_service, mail_server
from xiaoe import settings
from xiaoe.alerts import callbacks, events, explain, messages, wording
from xiaoe.alerts.delivery import MAX_NEWS_AGE, deliver, news
from xiaoe.alerts.events import cause_of, message_of, overdue_run
from xiaoe.alerts.state import TOGETHER, Alert
from xiaoe.alerts.wording import Style
from xiaoe.api import errors as api_errors
from xiaoe.api.errors import error_for
from xiaoe.api.shop import Shop
from xiaoe.exceptions import XiaoeConfigError, XiaoeIncompleteError, XiaoeNetworkError, XiaoeQuotaError
from xiaoe.mysql import errors as mysql_errors
from xiaoe.mysql.errors import meaning_of
from xiaoe.notify.channels import Message
from xiaoe.resources.orders import ORDERS
from xiaoe.rows.envelope import Envelope
from xiaoe.tasks.benefits import review_benefits
from xiaoe.tasks.defaults import dag_defaults
from xiaoe.tasks.marts import refresh_marts
from xiaoe.tasks.sync import sync_shops
from xiaoe.texts import texts_beside
from xiaoe.vocabulary import DAGS

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
            **dag_defaults("orders", params={}, overdue_after=HOUR),
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
    assert events.time_window({**stage, "params": {"from": "2026-01-01", "to": None}}) == "2026-01-01 00:00 → …"
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
    caplog.set_level(logging.INFO, logger=callbacks.log.name)
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
    assert event.message == "到 2026-11-20 12:00（北京时间）应已完成，目前正在运行。"


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
        for item in news(alerts, now, ZH)
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
    [(message, *_)] = news([closed], NOW + MAX_NEWS_AGE, ZH)
    assert message
    assert any("没能发出" in line for line in message.lines)
    assert told(closed, now=NOW + MAX_NEWS_AGE + HOUR) == [(None, "closed_told_at", [1])]
    assert told(replace(closed, told_at=NOW), now=NOW + 9 * MAX_NEWS_AGE) == [("【恢复】", "closed_told_at", [1])]


# --- how it reads --------------------------------------------------------------------------------------

# What the package really says of these four, as it reaches the alert.
WHERE = "connection xiaoe_mysql, xiaoe_load@10.1.2.3:3306"
DENIED = meaning_of(
    MySQLdb.OperationalError(1045, "Access denied for user 'xiaoe_load'@'10.1.2.3' (using password: YES)"), WHERE
)
UNREACHED = meaning_of(MySQLdb.OperationalError(2003, "Can't connect to MySQL server on '10.1.2.3:3306' (111)"), WHERE)
SHOP = Shop("xiaoe_second", "https://api.xiaoe-tech.com", "app1", "xop1", "secret-of-the-test")
SECRET_WRONG = error_for(Envelope(code=2004, msg="secret_key错误"), None, SHOP)
NOT_LISTED = error_for(Envelope(code=2051, msg="the ip 203.0.113.7 is not in the whitelist"), ORDERS, SHOP)
REAL = {1045: DENIED, 2003: UNREACHED, 2004: SECRET_WRONG, 2051: NOT_LISTED}
TITLES = {
    1045: (
        "【失败】15 天复查 · 二店：登录被拒（1045）",
        "[failed] 15-day rescan · 二店: MySQL refuses the login (1045)",
    ),
    2003: (
        "【失败】15 天复查 · 二店：连不上数据库（2003）",
        "[failed] 15-day rescan · 二店: MySQL is not reached (2003)",
    ),
    2004: ("【失败】15 天复查 · 二店：密钥不对（2004）", "[failed] 15-day rescan · 二店: the secret is wrong (2004)"),
    2051: (
        "【失败】15 天复查 · 二店：IP 不在白名单（2051）",
        "[failed] 15-day rescan · 二店: this server's IP address is not on the whitelist (2051)",
    ),
}
SAID = replace(
    ALERT, shop="xiaoe_second", shop_name="二店", run_id="scheduled__2026-11-20T03:00:00+00:00", seen_count=3,
    log_url="https://airflow.example.com/log",
)  # fmt: skip
DOCS = "https://git.example.com/xiaoe/blob/main/docs"
ZH, EN = Style("zh", DOCS), Style("en", DOCS)
IDS = re.compile(
    r"`[^`]*`|https?://\S+|\b(?:xiaoe_\w+|app_id|client_id|user_id|grant_type|ssl_mode|ssl|max_connections|TLS|IP"
    r"|Airflow)\b"
)
"""What may stand in a Chinese text as it is: commands, addresses, names of fields and settings."""


def english(message: Message) -> list[str]:
    """English words of a message, besides ids and quoted errors."""
    lines = [message.title, *(line for line in message.lines if not line.startswith("报错："))]
    return re.findall(r"[A-Za-z]{2,}", "\n".join(IDS.sub("", line) for line in lines))


def chinese(message: Message) -> list[str]:
    """Chinese of a message, besides the shop's own name and what errors quote."""
    lines = [message.title, *(line for line in message.lines if not line.startswith("Error: "))]
    own = "二店|小鹅通|应用设置|开放平台|白名单"  # the shop's name, and what 小鹅通 calls its pages
    return re.findall("[\u4e00-\u9fff]+", re.sub(own, "", "\n".join(lines)))


def every_message(style: Style) -> Iterator[Message]:
    """A message of each kind, and one of a failure for each error that has advice."""
    late = replace(SAID, kind="late", task_id="", shop="", shop_name="", message="state")
    errors = [f"/xe answered code {code}: x" for code in api_errors.ADVICE | api_errors.PASSING]
    errors += [f"(connection xiaoe_mysql: MySQL says {code}: x)" for code in mysql_errors.ADVICE]
    for dag_id in DAGS:
        yield messages.failed(replace(SAID, dag_id=dag_id, message=errors[0]), [SAID], style)
        yield messages.overdue(replace(late, dag_id=dag_id, message=""), [late], style)
    for error in errors:
        yield messages.failed(replace(SAID, message=error), [], style)
    yield messages.over([replace(SAID, closed_at=NOW + HOUR), replace(late, closed_at=NOW + HOUR)], style)
    event = events.Event("failed", "xiaoe_refunds", "run", "m", "c", task_id="shop.stage")
    yield messages.warehouse_gone(event, str(DENIED), NOW, style)
    yield messages.warehouse_back(NOW, NOW + HOUR, style)
    yield messages.digest([messages.failed(replace(SAID, message=errors[0]), [], style)] * 2, style)


@pytest.mark.parametrize("code", REAL)
def test_a_subject_says_what_which_shop_and_the_code(code: int) -> None:
    alert = replace(SAID, message=message_of(REAL[code]))
    assert (messages.failed(alert, [], ZH).title, messages.failed(alert, [], EN).title) == TITLES[code]


@pytest.mark.parametrize("code", REAL)
@pytest.mark.parametrize("style", [ZH, EN], ids=["zh", "en"])
def test_no_user_and_no_address_of_a_server_shows(code: int, style: Style) -> None:
    message = messages.failed(replace(SAID, message=message_of(REAL[code])), [], style)
    for shown in (message, messages.for_chat(message)):
        text = "\n".join([shown.title, *shown.lines])
        assert not re.search(r"xiaoe_load|10\.1\.2\.3|203\.0\.113\.7|secret-of-the-test", text)
        assert str(code) in text
        assert any(line.startswith(style.say("labels", "error")) for line in shown.lines), "the error's line"


def test_a_failure_reads_as_promised() -> None:
    message = messages.failed(
        replace(SAID, message=message_of(NOT_LISTED)), [replace(SAID, dag_id="xiaoe_refunds")], ZH
    )
    assert message.lines == [
        "从 2026-11-20 12:00 起（北京时间），已失败 3 次。",
        "影响：退款、发货的更新停了，福利判定顺延；新订单照常。",
        "怎么办：查出这台服务器的出口 IP（在服务器上运行 `curl ifconfig.me`），加进小鹅通后台 → 开放平台 → IP 白名单",
        "改好后打开任务，点“清除”，任务会重跑；不清除，下一次运行也会再试。",
        "任务：15 天复查 · 入库",
        "店铺：二店（xiaoe_second）",
        "运行：2026-11-20 11:00 定时",
        "时间段（北京时间）：2026-11-05 00:00 → 2026-11-20 12:00",
        "同一原因的还有：售后同步 · 二店",
        "报错：connection xiaoe_second: this server's IP address is not on the whitelist: add its outgoing address in"
        " 小鹅通 → IP白名单 (/xe.order.list.get/1.0.1 answered code 2051: the ip … is not in the whitelist)",
        "任务日志：https://airflow.example.com/log",
        f"处理说明：{DOCS}/operations.zh-CN.md#%E6%8A%A5%E9%94%99%E5%AF%B9%E7%85%A7%E8%A1%A8",
        "数据不会丢。同一原因再失败不再通知，恢复后通知一次。",
    ]


def test_a_failed_week_of_the_history_has_to_be_cleared() -> None:
    lines = messages.failed(replace(SAID, dag_id=messages.HISTORY), [], ZH).lines
    assert "改好后一定要打开任务，点“清除”：后面的运行不会补读这一周。" in lines


def test_a_late_run_and_the_end_of_an_outage_read_as_promised() -> None:
    event = overdue_run(late_context(dag_id="xiaoe_orders_incremental"))
    assert event
    late = replace(SAID, kind="late", dag_id=event.dag_id, task_id="", shop="", shop_name="", message=event.message)
    message = messages.overdue(late, [], ZH)
    assert message.title == "【超时】增量订单：到时间仍未完成"
    assert message.lines[0] == (
        "从 2026-11-20 12:00 起（北京时间）：到 2026-11-20 12:00（北京时间）应已完成，目前正在运行。"
    )
    ended = [replace(SAID, told_at=NOW, closed_at=NOW + 2 * HOUR, message=message_of(UNREACHED))]
    message = messages.over([*ended, replace(ended[0], id=2, dag_id="xiaoe_refunds")], ZH)
    assert message.title == "【恢复】15 天复查 等 2 项：故障已结束，历时 2 小时 0 分"
    assert message.lines[:2] == [
        "从 2026-11-20 12:00 到 2026-11-20 14:00（北京时间），历时 2 小时 0 分。",
        "涉及：15 天复查 · 二店、售后同步 · 二店",
    ]
    assert message.lines[-1] == "不用处理。"


def test_a_message_is_in_one_language() -> None:
    for message in every_message(ZH):
        assert english(message) == [], message
    for message in every_message(EN):
        assert chinese(message) == [], message


def test_every_code_that_is_known_is_in_subject_and_chat_and_has_advice_in_both_languages() -> None:
    texts = {str(code): f"x answered code {code}: y" for code in api_errors.ADVICE | api_errors.PASSING}
    texts |= {f"MySQL {code}": f"x MySQL says {code}: y" for code in mysql_errors.ADVICE}
    for code, text in texts.items():
        for style in (ZH, EN):
            message = messages.for_chat(messages.failed(replace(SAID, message=text), [], style))
            assert code.split()[-1] in message.title
            advice = explain.meaning_of(text).advice
            assert advice
            assert all((*advice.what, *advice.fix))
            assert style.say("labels", "fix", advice.fix.to(style.language)) in message.lines
    assert api_errors.TOKEN_CODES[0] in api_errors.PASSING


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("first line\nsecond", "first line"),
        ("Duplicate entry '13800000000' for key \"x\"", "Duplicate entry '…' for key '…'"),
        ("correct the connection's login ('xiaoe_load'@'10.1.2.3')", "correct the connection's login ('…'@'…')"),
        ("the user's name 'O'Brien' is odd", "the user's name '…' is odd"),
        ("at 10.1.2.3:3306 and fe80::1:2:3, me@host.example", "at … and …, …"),
        ("order 2026113012345678 at 12:30:45", "order … at 12:30:45"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_an_error_that_nothing_is_known_of_is_quoted_short_and_without_values(message: str, expected: str) -> None:
    assert explain.without_values(message, explain.MAX_HEADLINE) == expected
    assert explain.problem(message, "zh") == expected


@pytest.mark.parametrize(
    ("run_id", "expected"),
    [
        ("scheduled__2026-11-30T01:00:00+00:00", "2026-11-30 09:00 定时"),
        ("manual__2026-11-30T01:00:00.123456+00:00_a1", "2026-11-30 09:00 手动触发"),
        ("asset_triggered__2026-11-30T17:30:00+00:00_x", "2026-12-01 01:30 数据更新后自动运行"),
        ("by-hand", "by-hand"),
    ],
)
def test_a_run_is_named_by_its_time_in_beijing(run_id: str, expected: str) -> None:
    assert messages.run_in_words(run_id, ZH) == expected


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        ("https://airflow.example.com/dags/x", True),
        ("http://10.0.0.5:8080/dags/x", True),
        ("http://localhost:8080/dags/x", False),
        ("http://127.0.0.1:8080/dags/x", False),
        ("http://[::1]:8080/dags/x", False),
        ("javascript:alert(1)", False),
        (None, False),
    ],
)
def test_a_log_is_linked_only_where_people_can_open_it(address: str | None, linked: bool) -> None:
    lines = messages.failed(replace(SAID, log_url=address), [], Style()).lines
    assert (f"任务日志：{address}" in lines) == linked
    assert not any(line.startswith("处理说明") for line in lines), "no address of the documentation is set"


def test_a_wrong_language_holds_up_no_alert(
    clean_environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clean_environment.setenv("XIAOE_LANGUAGE", "de")
    assert wording.configured() == Style()
    assert "XIAOE_LANGUAGE='de': give one of zh, en" in caplog.text
    clean_environment.setenv("XIAOE_LANGUAGE", "en")
    clean_environment.setenv("XIAOE_DOCS_URL", f"{DOCS}/")
    assert wording.configured() == EN


def test_no_text_of_the_alerts_is_missing_or_unused() -> None:
    code = "".join(file.read_text("utf-8") for file in Path(wording.__file__).parent.glob("*.py"))
    for group, texts in texts_beside(wording.__file__).items():
        for key, both in texts.items():
            assert both["zh"].count("{}") == both["en"].count("{}"), key
            assert group in ("runs", "states") or re.search(f"[\"']{key}[\"']", code), f"{group}.{key}"


def test_a_long_list_is_counted() -> None:
    alerts = [replace(ALERT, id=number, dag_id=f"t{number}") for number in range(20)]
    assert messages.named(alerts, ZH).endswith("t11 · xiaoe_default 等 20 项")


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
    assert deliver(messages.failed(alert, [], ZH))
    [mail], [talk] = inbox.mails, group.said
    assert mail["To"] == "ops@example.com, boss@example.com"
    assert "{{ 7*7 }} {% raw %} &lt;b&gt;o_1&lt;/b&gt;" in body(mail)
    assert "{{ 7*7 }}" in mail["Subject"]
    assert talk["title"] == mail["Subject"]
    assert "报错：{{ 7*7 }} {% raw %} <b>o_1</b>" in talk["message"]
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

"""What staff get: the files of a day, the daily message, notices, questions; and what an answer changes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openpyxl
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

from support.fixtures import shop_connection
from support.oracles.benefits import begin_long_ago
from support.servers.inbox import ChatService, MailServer, attachments, body, chat_service, mail_server
from support.worlds.shop import APP_ID, Database
from xiaoe import clock
from xiaoe.benefits import report, review
from xiaoe.benefits.names import NAMES
from xiaoe.benefits.operators import (
    XiaoeBenefitAnswerOperator,
    XiaoeBenefitExportOperator,
    XiaoeBenefitNoticeOperator,
    XiaoeBenefitQuestionsOperator,
    XiaoeBenefitReportOperator,
    XiaoeBenefitsOperator,
)
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.tasks.defaults import dag_defaults

pytestmark = pytest.mark.mysql

DAY = datetime(2026, 11, 20)
"""The day that is reported on, Beijing."""
HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 21, 9, tzinfo=BEIJING)
SCHEDULED: Any = {
    "dag_run": SimpleNamespace(run_type="scheduled", run_after=NOW),
    "params": {"day": None},
    "data_interval_end": NOW,
}
TABLES = (
    "benefit_queue", "benefit_decisions", "benefit_decision_log", "benefit_reviews", "benefit_policies",
    "benefit_notices", "benefit_starts", "benefit_postponements",
)  # fmt: skip


class Shop:
    """Orders with their decisions, put into the warehouse as merges and decisions leave them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def insert(self, table: str, **values: Any) -> None:
        places = ", ".join(["%s"] * len(values))
        self.database.rows(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", tuple(values.values()))

    def order(self, name: str, **facts: Any) -> None:
        self.insert(
            "orders",
            **{
                "shop_id": APP_ID, "order_id": name, "user_id": f"u_{name}", "title": "课程", "price": Decimal("99.90"),
                "order_state": 1, "order_state_text": "已支付", "created_time": DAY - timedelta(days=15),
                "pay_time": DAY - timedelta(days=15), "row_hash": 1, "raw_hash": 1,
                "observed_at": "2026-11-20 00:00:00", "batch_id": "by-hand",
            } | facts,
        )  # fmt: skip

    def decide(self, name: str, *decisions: str, at: datetime = DAY + 9 * HOUR, shop_id: str = APP_ID) -> None:
        """One decision after the other, an hour apart, the last at `at`; all times Beijing."""
        old = None
        for place, decision in enumerate(decisions):
            when = at - (len(decisions) - 1 - place) * HOUR - 8 * HOUR
            self.insert(
                "benefit_decision_log", shop_id=shop_id, order_id=name, old_decision=old, new_decision=decision,
                reason=f"原因{place}", policy_id=1, decided_by="system", decided_at=when,
            )  # fmt: skip
            old = decision
        self.database.rows(
            "REPLACE INTO benefit_decisions (shop_id, order_id, decision, decision_text, reason, deadline_at, basis,"
            " policy_id, decided_at) VALUES (%s, %s, %s, %s, '现因', %s, 'facts', 1, %s)",
            (shop_id, name, decisions[-1], NAMES[decisions[-1]], DAY - timedelta(days=1), when),
        )

    def user(self, name: str, **facts: Any) -> None:
        hashes = {"row_hash": 1, "raw_hash": 1, "observed_at": "2026-11-20", "batch_id": "by-hand"}
        self.insert("users", shop_id=APP_ID, user_id=f"u_{name}", **hashes, **facts)


@pytest.fixture
def shop(database: Database, tmp_path: Path, clean_env: pytest.MonkeyPatch) -> Shop:
    for table in TABLES:
        database.rows(f"DELETE FROM {table}")
    begin_long_ago()
    clean_env.setenv("XIAOE_EXPORT_DIR", f"file://{tmp_path}/exports")
    return Shop(database)


@pytest.fixture
def clean_env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection("http://127.0.0.1:1"))
    for name in ("XIAOE_BENEFIT_MAIL_TO", "XIAOE_CHAT_CONN_ID", "XIAOE_BENEFIT_WAIT_HOURS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    return monkeypatch


@pytest.fixture
def inbox(clean_env: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        clean_env.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection())
        clean_env.setenv("XIAOE_BENEFIT_MAIL_TO", "fuli@example.com")
        yield server


@pytest.fixture
def group(clean_env: pytest.MonkeyPatch) -> Iterator[ChatService]:
    with chat_service() as service:
        clean_env.setenv("AIRFLOW_CONN_APPRISE_DEFAULT", service.connection())
        clean_env.setenv("XIAOE_CHAT_CONN_ID", "apprise_default")
        yield service


def export(context: Any = SCHEDULED) -> dict[str, Any]:
    return XiaoeBenefitExportOperator(task_id="export", xiaoe_conn_id="xiaoe_default").execute(context)


def send(channel: str, said: dict[str, Any]) -> bool:
    return XiaoeBenefitReportOperator(task_id=channel, channel=channel, report=said).execute({})  # type: ignore[arg-type]


def tell() -> dict[str, list[str]]:
    decided = {"shop_id": APP_ID}
    return XiaoeBenefitNoticeOperator(task_id="notify", decided=decided).execute({})  # type: ignore[arg-type]


def csv_rows(said: dict[str, Any]) -> list[dict[str, str]]:
    path = Path(said["files"][0].removeprefix("file://"))
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))


# --- the files -----------------------------------------------------------------------------------------


def test_the_files_hold_what_became_of_each_order_that_day(shop: Shop, tmp_path: Path) -> None:
    for name in ("first", "last", "twice", "back", "again"):
        shop.order(name)
    second = timedelta(seconds=1)
    shop.decide("first", "grant", at=DAY)
    shop.decide("last", "pending", "revoke", at=DAY + 24 * HOUR - second)
    shop.decide("too_early", "grant", at=DAY - second)
    shop.decide("too_late", "grant", at=DAY + 24 * HOUR)
    shop.decide("twice", "pending", "grant", "revoke")
    shop.decide("back", "review", "grant", "review")
    shop.decide("again", "grant", "review", "grant")
    shop.decide("unknown", "grant")
    shop.decide("first", "revoke", shop_id="app-other")
    for number in range(3):
        shop.decide(f"pending_{number}", "pending")
    said = export()
    rows = csv_rows(said)
    assert [(row["订单ID"], row["判定"], row["原判定"], row["原因"]) for row in rows] == [
        ("twice", "收回", "发放", "原因2"),
        ("last", "取消", "待定", "原因1"),
        ("first", "发放", "", "原因0"),
        ("again", "发放", "人工复核", "原因2"),
        ("unknown", "发放", "", "原因0"),
    ]
    assert rows[2]["判定时间"] == "2026-11-20 00:00:00"
    assert (said["grant"], said["revoke"], said["taken_back"], said["review"]) == (3, 1, 1, 1)
    folder = tmp_path / "exports" / APP_ID / "2026-11-20"
    assert said["files"] == [f"file://{folder}/福利判定-{APP_ID}-2026-11-20.{kind}" for kind in ("csv", "xlsx")]
    book = openpyxl.load_workbook(folder / f"福利判定-{APP_ID}-2026-11-20.xlsx")
    assert [row[1].value for row in book["判定"].iter_rows(min_row=2)] == [row["订单ID"] for row in rows]
    [row] = book["人工复核"].iter_rows(min_row=2, values_only=True)
    assert row[:8] == (None, "back", "课程", 99.9, None, "现因", DAY - timedelta(days=1), "发放")
    assert row[-1] == "facts", "the state that an answer is about"
    assert sorted(path.name for path in folder.iterdir()) == sorted(name.rpartition("/")[2] for name in said["files"])


def test_every_fact_of_an_order_is_in_the_files(shop: Shop) -> None:
    shop.order("0000123", title="=cmd|' /C calc'!A0", refund_money=Decimal("0.05"), refund_time=DAY + HOUR)
    shop.user("0000123", nickname="张\n三🙂", phone="", collect_phone="013800138000")
    shop.decide("0000123", "grant", "revoke")
    said = export()
    assert list(csv_rows(said)[0].values()) == [
        APP_ID, "\t0000123", "收回", "原因1", "发放", "2026-11-19 00:00:00", "2026-11-20 09:00:00", "u_0000123",
        "张\n三🙂", "\t013800138000", "'=cmd|' /C calc'!A0", "99.90", "0.05", "2026-11-05 00:00:00",
        "2026-11-05 00:00:00", "2026-11-20 01:00:00",
    ]  # fmt: skip
    sheet = openpyxl.load_workbook(said["files"][1].removeprefix("file://"))["判定"]
    [cells] = sheet.iter_rows(min_row=2)
    assert [cell.value for cell in cells] == [
        APP_ID, "0000123", "收回", "原因1", "发放", DAY - timedelta(days=1), DAY + 9 * HOUR, "u_0000123", "张\n三🙂",
        "013800138000", "=cmd|' /C calc'!A0", 99.9, 0.05, DAY - timedelta(days=15), DAY - timedelta(days=15),
        DAY + HOUR,
    ]  # fmt: skip
    assert [cell.data_type for cell in cells] == [*"sssssddssssnnddd"]


def test_thousands_of_orders_are_all_there(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xiaoe.benefits.export._CHUNK", 7)
    for number in range(30):
        shop.decide(f"o_{number}", "grant" if number % 3 else "revoke")
    said = export()
    assert (said["grant"], said["revoke"]) == (20, 10)
    assert {row["订单ID"] for row in csv_rows(said)} == {f"o_{number}" for number in range(30)}


def test_the_same_files_are_written_again(shop: Shop) -> None:
    shop.decide("o_1", "grant")
    assert export() == export()
    shop.decide("o_2", "grant")
    assert len(csv_rows(export())) == 2


@pytest.mark.parametrize(
    ("typed", "context", "day"),
    [
        (None, SCHEDULED, "2026-11-20"),
        (None, SCHEDULED | {"data_interval_end": NOW - timedelta(days=9)}, "2026-11-11"),
        (None, {"dag_run": SimpleNamespace(run_type="manual", run_after=NOW), "data_interval_end": DAY}, "2026-11-20"),
        ("2026-11-21", SCHEDULED, "2026-11-21"),
        ("2025-02-28", SCHEDULED, "2025-02-28"),
    ],
)
def test_the_day_of_a_run(shop: Shop, typed: str | None, context: Any, day: str) -> None:
    assert export(context | {"params": {"day": typed}})["day"] == day


@pytest.mark.parametrize(("typed", "text"), [("yesterday", "give a date like"), ("2026-11-22", "lies in the future")])
def test_a_wrong_day_is_named(shop: Shop, typed: str, text: str) -> None:
    with pytest.raises(XiaoeConfigError, match=f"day='{typed}'.*{text}"):
        export(SCHEDULED | {"params": {"day": typed}})


def test_the_first_report_of_a_shop_holds_no_order_from_before(
    shop: Shop, decide: Callable[[], dict[str, Any]], clean_env: pytest.MonkeyPatch
) -> None:
    """Two years of orders are read on the day that the shop is connected."""
    shop.database.rows("DELETE FROM benefit_starts")
    clean_env.setattr(clock, "now", lambda: DAY.replace(hour=12, tzinfo=BEIJING))
    for days in (700, 40, 1, 0):
        name, made = f"o_{days}", DAY - timedelta(days=days)
        shop.order(name, created_time=made, pay_time=made, order_state=10, refund_money=Decimal("99.90"),
                   refund_time=made + HOUR)  # fmt: skip
        in_review(shop, f"r_{days}", created_time=made, pay_time=made, refund_time=made + HOUR)
        shop.insert("benefit_queue", shop_id=APP_ID, order_id=name)
    assert decide()["decided"] == {"not_applicable": 6, "revoke": 1, "review": 1}
    said = export(SCHEDULED | {"params": {"day": "2026-11-20"}})
    assert [row["订单ID"] for row in csv_rows(said)] == ["o_0"]
    assert (said["grant"], said["revoke"], said["review"]) == (0, 1, 1)
    assert [one["about"]["order_id"] for one in questions()] == ["r_0"]


# --- the daily message ---------------------------------------------------------------------------------


def test_mail_and_chat_get_the_counts_and_only_mail_the_files(
    shop: Shop, inbox: MailServer, group: ChatService
) -> None:
    shop.order("o_1")
    shop.user("o_1", nickname="张三", phone="13800138000")
    shop.decide("o_1", "grant", "revoke")
    shop.decide("o_2", "grant")
    shop.decide("o_3", "review")
    shop.decide("o_4", "pending")
    shop.insert(
        "sync_status", shop_id=APP_ID, resource="benefits", mode="decide", last_attempt_at=DAY, status="success",
        last_success_at=DAY + 16 * HOUR + timedelta(minutes=31),
    )  # fmt: skip
    said = export()
    assert send("mail", said) is send("chat", said) is True
    [mail], [talk] = inbox.mails, group.said
    assert mail["Subject"] == talk["title"] == f"福利判定日报 {APP_ID} 2026-11-20：发放 1，取消 0，收回 1"
    for text in (body(mail), talk["message"]):
        assert "收回 1 单：此前判定为发放，请收回已发的福利" in text
        assert "待人工复核 1 单" in text
        assert "已过截止、等待复查 1 单（当前），最久 2 天 9 小时" in text
        assert "最近一次判定：2026-11-21 00:31" in text
        assert "张三" not in text
        assert "13800138000" not in text
    found = attachments(mail)
    assert found == {name.rpartition("/")[2]: Path(name.removeprefix("file://")).read_bytes() for name in said["files"]}
    [row] = openpyxl.load_workbook(io.BytesIO(found[f"福利判定-{APP_ID}-2026-11-20.xlsx"]))["人工复核"].iter_rows(
        min_row=2
    )
    assert row[1].value == "o_3"


def test_a_day_without_decisions_is_reported_too(shop: Shop, inbox: MailServer) -> None:
    assert send("mail", export())
    [mail] = inbox.mails
    assert mail["Subject"].endswith("发放 0，取消 0")
    assert "最近一次判定：尚无" in body(mail)
    assert len(attachments(mail)) == 2


def test_where_nothing_is_configured_nobody_is_told_and_nothing_fails(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.decide("o_1", "grant", "revoke")
    said = export()
    assert send("mail", said) is send("chat", said) is False
    assert tell() == {}
    assert shop.database.rows("SELECT * FROM benefit_notices") == []


def test_files_that_are_too_large_for_a_mail_stay_where_they_are(
    shop: Shop, inbox: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MAX_ATTACHMENTS", 1000)
    said = export()
    assert send("mail", said)
    [mail] = inbox.mails
    assert attachments(mail) == {}
    assert all(name in body(mail) for name in said["files"])


def test_a_wrong_setting_stops_the_report_and_is_named(shop: Shop, clean_env: pytest.MonkeyPatch) -> None:
    said = export()
    clean_env.setenv("XIAOE_BENEFIT_MAIL_TO", "nobody")
    with pytest.raises(XiaoeConfigError, match="XIAOE_BENEFIT_MAIL_TO='nobody'"):
        send("mail", said)


# --- notices -------------------------------------------------------------------------------------------


def test_a_grant_taken_back_is_told_once(shop: Shop, inbox: MailServer, group: ChatService) -> None:
    shop.decide("o_direct", "grant", "revoke")
    shop.decide("o_by_review", "grant", "review", "revoke")
    shop.decide("o_never_granted", "pending", "revoke")
    shop.decide("o_granted_again", "grant", "revoke", "grant")
    shop.decide("o_long_ago", "grant", "revoke", at=DAY - timedelta(days=8))
    shop.decide("o_other", "grant", "revoke", shop_id="app-other")
    assert tell() == {"mail": ["taken_back"], "chat": ["taken_back"]}
    [mail], [talk] = inbox.mails, group.said
    assert mail["Subject"] == talk["title"] == f"【紧急】福利收回 {APP_ID}：2 单发放后退款"
    assert "订单：o_direct、o_by_review" in body(mail)
    assert "订单：o_direct、o_by_review" in talk["message"]
    assert tell() == {"mail": [], "chat": []}
    shop.decide("o_next", "grant", "revoke")
    assert tell() == {"mail": ["taken_back"], "chat": ["taken_back"]}
    assert inbox.mails[1]["Subject"] == f"【紧急】福利收回 {APP_ID}：1 单发放后退款"
    assert "o_direct" not in body(inbox.mails[1])


def test_reports_and_notices_are_in_one_language(shop: Shop, inbox: MailServer, clean_env: pytest.MonkeyPatch) -> None:
    clean_env.setenv("XIAOE_LANGUAGE", "en")
    for number in range(25):
        shop.decide(f"o_{number:02d}", "grant", "revoke")
    shop.decide("o_review", "grant", "review")
    shop.decide("o_waiting", "pending")
    assert tell() == {"mail": ["taken_back", "waiting"]}
    send("mail", export())
    assert [mail["Subject"] for mail in inbox.mails] == [
        f"[urgent] take benefits back, {APP_ID}: 25 orders refunded after the grant",
        f"[reminder] benefits wait, {APP_ID}: 1 orders, the longest for 2 d 9 h",
        f"Benefit report {APP_ID} 2026-11-20: 0 granted, 0 revoked, 25 to be taken back",
    ]
    assert "o_19 and others, 25 in all" in body(inbox.mails[0])
    for mail in inbox.mails:
        said = body(mail).replace("人工复核", "").replace("答复", "")  # names of the sheet and its column
        assert re.findall("[\u4e00-\u9fff]+", said) == []


def test_a_channel_that_is_down_is_told_later_and_the_other_not_again(
    shop: Shop, inbox: MailServer, group: ChatService
) -> None:
    shop.decide("o_1", "grant", "revoke")
    inbox.refusals["DATA"] = "451 try later"
    for _ in range(2):
        with pytest.raises(XiaoeRetriableError, match="451 try later"):
            tell()
    assert len(group.said) == 1
    inbox.refusals.clear()
    assert tell() == {"mail": ["taken_back"], "chat": []}
    assert (len(inbox.mails), len(group.said)) == (1, 1)


def test_a_notice_that_a_robot_refuses_stays_due_and_the_mail_says_so(
    shop: Shop, inbox: MailServer, group: ChatService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """企业微信 answers HTTP 200."""
    group.stand_in(monkeypatch)
    monkeypatch.setenv("AIRFLOW_CONN_APPRISE_DEFAULT", group.connection("wecombot://some-key-of-a-robot"))
    group.answers["wecombot"] = {"errcode": 93000, "errmsg": "invalid webhook url"}
    shop.decide("o_1", "grant", "revoke")
    with pytest.raises(XiaoeConfigError, match="wecombot: 93000 invalid webhook url"):
        tell()
    assert [row["channel"] for row in shop.database.rows("SELECT channel FROM benefit_notices")] == ["mail"]
    assert "群消息发不到 apprise_default" in body(inbox.mails[0])
    assert "93000 invalid webhook url" in body(inbox.mails[0])
    group.answers.clear()
    assert tell() == {"mail": [], "chat": ["taken_back"]}
    assert "o_1" in group.texts["wecombot"][0]
    assert shop.database.rows("SELECT * FROM channel_refusals") == []


def test_many_orders_are_counted_and_not_all_named(shop: Shop, group: ChatService) -> None:
    for number in range(25):
        shop.decide(f"o_{number:02d}", "grant", "revoke")
    tell()
    [talk] = group.said
    assert "o_19 等 25 单" in talk["message"]
    assert "o_20" not in talk["message"]


def test_orders_that_wait_too_long_are_told_once_a_day_and_when_twice_as_many_wait(
    shop: Shop, group: ChatService, clean_env: pytest.MonkeyPatch
) -> None:
    def wait(*names: str) -> None:
        for name in names:
            shop.decide(name, "pending")

    def at(moment: datetime) -> dict[str, list[str]]:
        clean_env.setattr(clock, "now", lambda: moment)
        return tell()

    midnight = DAY.replace(tzinfo=BEIJING) - timedelta(days=1)  # the deadline of every order
    wait("o_1", "o_2")
    assert at(midnight + 2 * HOUR) == {"chat": []}
    assert at(midnight + 5 * HOUR + timedelta(minutes=20)) == {"chat": ["waiting"]}
    [talk] = group.said
    assert talk["title"] == f"【提醒】福利等待复查 {APP_ID}：2 单，最久 5 小时 20 分"
    assert "xiaoe_orders_rescan" in talk["message"]
    wait("o_3")
    assert at(midnight + 6 * HOUR) == {"chat": []}
    wait("o_4")
    assert at(midnight + 7 * HOUR) == {"chat": ["waiting"]}
    assert at(midnight + 23 * HOUR) == {"chat": []}
    assert at(midnight + 24 * HOUR) == {"chat": ["waiting"]}
    assert [one["title"][-11:] for one in group.said[1:]] == [
        "4 单，最久 7 小时 0 分"[-11:],
        "4 单，最久 1 天 0 小时"[-11:],
    ]
    clean_env.setenv("XIAOE_BENEFIT_WAIT_HOURS", "72")
    assert at(midnight + 71 * HOUR) == {"chat": []}


# --- questions and answers -----------------------------------------------------------------------------

PARTLY_REFUNDED = {
    "order_state": 11,
    "order_state_text": "部分退款",
    "refund_money": 5,
    "refund_time": DAY - 30 * 24 * HOUR,
}


@pytest.fixture
def decide(shop: Shop) -> Callable[[], dict[str, Any]]:
    with DAG("decide", schedule=None, **dag_defaults("benefits", params={}, overdue_after=timedelta(hours=1))):
        operator = XiaoeBenefitsOperator(task_id="decide", xiaoe_conn_id="xiaoe_default")
    return lambda: operator.execute({})  # type: ignore[arg-type]


def in_review(shop: Shop, name: str, **facts: Any) -> None:
    """An order that the rule gives to a person."""
    refunded = {"refund_time": DAY - timedelta(days=10)}
    shop.order(name, **PARTLY_REFUNDED | refunded | facts)
    shop.insert("benefit_queue", shop_id=APP_ID, order_id=name)


def questions() -> list[dict[str, Any]]:
    return XiaoeBenefitQuestionsOperator(task_id="questions", xiaoe_conn_ids=["xiaoe_default"]).execute({})  # type: ignore[arg-type]


def answer(about: dict[str, str], chosen: str, user: dict[str, str] | None = None, at: Any = NOW) -> None:
    response = {"chosen_options": [chosen], "params_input": {}, "responded_at": at, "responded_by_user": user}
    XiaoeBenefitAnswerOperator(task_id="answer", about=about, response=response).execute({})  # type: ignore[arg-type]


WANG = {"id": "7", "name": "王芳"}


def test_an_answer_becomes_the_decision_and_is_logged_with_who_and_when(
    shop: Shop, decide: Callable[[], dict[str, Any]]
) -> None:
    in_review(shop, "o_1")
    in_review(shop, "o_2")
    assert decide()["decided"] == {"review": 2}
    first, second = questions()
    answer(first["about"], "发放福利", WANG, at=NOW.isoformat())
    answer(second["about"], "不发放福利", {"id": "li", "name": "li"})
    assert questions() == []
    assert decide()["decided"] == {"grant": 1, "revoke": 1}
    log = shop.database.rows("SELECT * FROM benefit_decision_log WHERE old_decision = 'review' ORDER BY order_id")
    assert [(row["order_id"], row["new_decision"], row["decided_by"]) for row in log] == [
        ("o_1", "grant", "王芳 (7)"),
        ("o_2", "revoke", "li"),
    ]
    assert log[0]["reason"] == "人工复核：截止前部分退款"
    [kept, _] = shop.database.rows("SELECT * FROM benefit_reviews ORDER BY order_id")
    assert (kept["answer"], kept["answered_by"]) == ("grant", "王芳 (7)")
    assert kept["answered_at"] == datetime(2026, 11, 21, 1), "UTC"
    answer(first["about"], "发放福利", WANG)  # cleared and run again
    assert decide()["decided"] == {"grant": 1}
    assert shop.database.value("SELECT COUNT(*) FROM benefit_decision_log WHERE order_id = 'o_1'") == 2


def test_an_answer_does_not_outlive_the_facts_it_was_given_for(
    shop: Shop, decide: Callable[[], dict[str, Any]]
) -> None:
    in_review(shop, "o_1")
    decide()
    [question] = questions()
    shop.database.rows("UPDATE orders SET refund_money = 6")
    shop.database.rows("INSERT INTO benefit_queue VALUES (%s, 'o_1')", (APP_ID,))
    decide()
    answer(question["about"], "发放福利", WANG)
    assert decide()["decided"] == {"review": 1}
    [again] = questions()
    assert again["about"]["basis"] != question["about"]["basis"]
    assert "**退款金额**：¥6.00" in again["body"]


@pytest.mark.parametrize(("chosen", "decision"), [("发放", "grant"), ("取消", "revoke")])
def test_a_question_of_an_earlier_release_may_be_answered_with_its_words(
    shop: Shop, decide: Callable[[], dict[str, Any]], chosen: str, decision: str
) -> None:
    in_review(shop, "o_1")
    decide()
    [question] = questions()
    answer(question["about"], chosen, WANG)
    assert decide()["decided"] == {decision: 1}


@pytest.mark.parametrize(("chosen", "user"), [("稍后再定", None), ("稍后", None), ("发放福利", None)])
def test_an_order_that_nobody_answered_about_is_asked_about_again(
    shop: Shop, decide: Callable[[], dict[str, Any]], chosen: str, user: dict[str, str] | None
) -> None:
    in_review(shop, "o_1")
    decide()
    [question] = questions()
    with pytest.raises(AirflowSkipException, match="o_1: nobody answered"):
        answer(question["about"], chosen, user)
    assert questions() == [question]
    assert decide()["decided"] == {}
    assert shop.database.rows("SELECT * FROM benefit_postponements") == []


@pytest.mark.parametrize("chosen", ["稍后再定", "稍后"])
def test_who_puts_an_order_off_and_when_is_kept_and_it_is_asked_about_again(
    shop: Shop, decide: Callable[[], dict[str, Any]], chosen: str
) -> None:
    in_review(shop, "o_1")
    decide()
    [question] = questions()
    for at in (NOW - HOUR, NOW):
        with pytest.raises(AirflowSkipException, match="o_1: 稍后再定, said 王芳"):
            answer(question["about"], chosen, WANG, at=at)
        assert questions() == [question]
    [kept] = shop.database.rows("SELECT * FROM benefit_postponements")
    assert (kept["order_id"], kept["basis"], kept["postponed_by"], kept["postponed_at"]) == (
        "o_1", question["about"]["basis"], "王芳 (7)", datetime(2026, 11, 21, 1),
    )  # fmt: skip
    assert decide()["decided"] == {}
    answer(question["about"], "发放福利", WANG)
    assert questions() == []
    with pytest.raises(AirflowSkipException):
        answer(question["about"], chosen, WANG)  # a second person, later: the answer stays
    assert decide()["decided"] == {"grant": 1}


def test_a_question_tells_the_facts_as_text_and_nothing_personal(
    shop: Shop, decide: Callable[[], dict[str, Any]]
) -> None:
    in_review(shop, "o_1", title="{{ 7*7 }} ![x](http://a.b/c.png)\n# 头 <script>", receiver_phone="13800138000")
    shop.user("o_1", nickname="张三", phone="13800138000")
    decide()
    [question] = questions()
    assert question["subject"] == (
        f"截止前部分退款 · ¥99.90 · {{{{ 7*7 }}}} ![x](http://a.b/c.png) # 头 <s… · 订单 o_1（{APP_ID}）"
    )
    facts = dict(line.removeprefix("- **").split("**：") for line in question["body"].splitlines() if "**：" in line)
    assert facts == {
        "店铺": APP_ID,
        "订单": "o\\_1",
        "商品": "{{ 7\\*7 }} \\!\\[x\\](http://a.b/c.png) \\# 头 \\<script\\>",
        "复核原因": "截止前部分退款",
        "此前判定": "—",
        "订单状态": "部分退款",
        "实付金额": "¥99.90",
        "退款金额": "¥5.00",
        "下单时间": "2026-11-05 00:00:00",
        "支付时间": "2026-11-05 00:00:00",
        "退款时间": "2026-11-10 00:00:00",
        "福利截止": "2026-11-19 00:00:00",
    }
    assert "张三" not in question["body"]
    assert "13800138000" not in question["body"]


def test_the_latest_deadlines_are_asked_about_first_and_not_too_many(
    shop: Shop, decide: Callable[[], dict[str, Any]]
) -> None:
    for number in range(5):
        made = DAY - timedelta(days=20 - number)
        in_review(shop, f"o_{4 - number}", created_time=made)
    in_review(shop, "o_without_time", created_time=None)
    decide()
    assert asked(3) == ["o_without_time", "o_0", "o_1"]
    with Warehouse().session() as session:
        assert "**福利截止**：—" in review.open_questions(session, APP_ID, limit=1)[0]["body"]


def asked(limit: int) -> list[str]:
    with Warehouse().session() as session:
        return [one["about"]["order_id"] for one in review.open_questions(session, APP_ID, limit=limit)]


def test_orders_put_off_get_half_of_the_places_the_longest_ago_first(
    shop: Shop, decide: Callable[[], dict[str, Any]]
) -> None:
    for number in range(8):
        made = DAY - timedelta(days=20 + number)
        in_review(shop, f"o_{number}", created_time=made, refund_time=made + HOUR)
    decide()
    about = {one["about"]["order_id"]: one["about"] for one in questions()}
    assert list(about) == [f"o_{number}" for number in range(8)]
    for place, name in enumerate(("o_2", "o_0", "o_7")):
        with pytest.raises(AirflowSkipException):
            answer(about[name], "稍后再定", WANG, at=NOW + place * HOUR)
    assert asked(4) == ["o_1", "o_3", "o_2", "o_0"], "neither new orders nor those put off are lost"
    assert asked(6) == ["o_1", "o_3", "o_4", "o_2", "o_0", "o_7"]
    assert asked(50) == ["o_1", "o_3", "o_4", "o_5", "o_6", "o_2", "o_0", "o_7"]
    for name in ("o_1", "o_3", "o_4", "o_5", "o_6"):
        answer(about[name], "不发放福利", WANG)
    assert asked(4) == ["o_2", "o_0", "o_7"], "where nothing is new, all places are theirs"


def test_a_list_of_questions_tells_them_apart(shop: Shop, decide: Callable[[], dict[str, Any]]) -> None:
    in_review(shop, "o_1", title="课程" * 300, price=Decimal("1234.5"))
    in_review(shop, "o_2", title=None, price=None, refund_money=None, order_state=8)
    decide()
    first, second = (one["subject"] for one in sorted(questions(), key=lambda one: one["about"]["order_id"]))
    assert first == f"截止前部分退款 · ¥1,234.50 · {('课程' * 20)[:39]}… · 订单 o_1（{APP_ID}）"
    assert second.endswith(f" · 金额未知 · — · 订单 o_2（{APP_ID}）")
    assert max(len(first), len(second)) <= review.MAX_SUBJECT == 250, "what Airflow's column holds"


def test_a_shop_with_a_wrong_connection_does_not_hold_up_the_others(
    shop: Shop, decide: Callable[[], dict[str, Any]], clean_env: pytest.MonkeyPatch
) -> None:
    in_review(shop, "o_1")
    decide()
    clean_env.setenv("AIRFLOW_CONN_XIAOE_SECOND", '{"conn_type": "xiaoe"}')
    operator = XiaoeBenefitQuestionsOperator(task_id="questions", xiaoe_conn_ids=["xiaoe_second", "xiaoe_default"])
    assert [one["about"]["order_id"] for one in operator.execute({})] == ["o_1"]  # type: ignore[arg-type]

"""Alerts against a real database and a real mail server: one mail per outage, one when it is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import MySQLdb
import pytest

from support.fixtures import servers
from support.servers.inbox import TOO_FAST, ChatService, MailServer, body, chat_service, mail_server
from support.worlds.shop import Database
from xiaoe import clock
from xiaoe.alerts import callbacks, outage
from xiaoe.alerts.health import check_freshness
from xiaoe.exceptions import XiaoeConfigError, XiaoeNetworkError

pytestmark = [
    pytest.mark.mysql,
    # One server is enough here: the statements are plain, and test_migrate makes the table on both.
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

NOON = datetime(2026, 11, 20, 4, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
API_DOWN = XiaoeNetworkError("no answer from https://api.example.com/xe.order.list: ConnectTimeout")
WRONG = XiaoeConfigError("connection xiaoe_default: the secret is wrong")
MYSQL_DOWN = MySQLdb.OperationalError(2002, "Can't connect to server on '127.0.0.1' (115)")


class Airflow:
    """Tells the callbacks what happens, as Airflow does, at moments of a clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def context(
        self, dag_id: str = "rescan", task_id: str = "merge", run: str = "1", kind: str = "scheduled", *,
        catchup: bool = False, **more: Any,
    ) -> Any:  # fmt: skip
        ti = SimpleNamespace(
            dag_id=dag_id, task_id=task_id, run_id=run, map_index=-1, try_number=4, log_url=f"https://log/{dag_id}"
        )
        dag, dag_run = SimpleNamespace(dag_id=dag_id, catchup=catchup), SimpleNamespace(run_type=kind)
        return {"ti": ti, "task": SimpleNamespace(), "dag": dag, "dag_run": dag_run, "run_id": run, **more}

    def fails(self, error: Exception | None = API_DOWN, after: timedelta = MINUTE, **about: Any) -> None:
        self.now += after
        callbacks.task_failed(self.context(exception=error, **about))

    def succeeds(self, after: timedelta = MINUTE, **about: Any) -> None:
        """A task does."""
        self.now += after
        callbacks.task_succeeded(self.context(**about))

    def run_succeeds(self, after: timedelta = MINUTE, **about: Any) -> None:
        self.now += after
        callbacks.run_succeeded(self.context(**about))

    def is_late(self, dag_id: str = "rescan", run: str = "1", after: timedelta = MINUTE, **about: Any) -> None:
        self.now += after
        facts = {"dag_id": dag_id, "dag_run_id": run, "run_type": "scheduled", "state": "running", **about}
        asyncio.run(callbacks.run_late({"dag_run": facts, "deadline": {"deadline_time": self.now}}))


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch, variable: dict[str, str]) -> Airflow:
    return Airflow(monkeypatch)


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Airflow's Variables; the live test has the real ones."""
    kept: dict[str, str] = {}
    store = SimpleNamespace(
        get=lambda name, default: kept.get(name, default),
        set=lambda name, value, description: kept.update({name: value}),
    )
    monkeypatch.setattr(outage, "Variable", store)
    return kept


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection())
        monkeypatch.setenv("XIAOE_ALERT_MAIL_TO", "ops@example.com")
        yield server


def subjects(inbox: MailServer) -> list[str]:
    """Without what comes behind the first colon."""
    return [str(mail["Subject"]).partition("：")[0] for mail in inbox.mails]


def open_alerts(database: Database) -> list[tuple[str, str, int]]:
    rows = database.rows("SELECT kind, dag_id, seen_count FROM alerts WHERE closed_at IS NULL ORDER BY id")
    return [(row["kind"], row["dag_id"], row["seen_count"]) for row in rows]


# --- failures ------------------------------------------------------------------------------------------


def test_one_mail_when_it_begins_and_one_when_it_is_over(
    database: Database, inbox: MailServer, airflow: Airflow
) -> None:
    airflow.fails()
    airflow.fails(run="2", after=HOUR)
    airflow.fails(dag_id="refunds")
    assert subjects(inbox) == ["【失败】rescan"]
    assert open_alerts(database) == [("failed", "rescan", 2), ("failed", "refunds", 1)]
    airflow.succeeds(run="3", after=HOUR)
    assert subjects(inbox) == ["【失败】rescan"], "after-sales still fail"
    airflow.succeeds(dag_id="refunds")
    airflow.succeeds(dag_id="refunds", run="2")
    assert subjects(inbox) == ["【失败】rescan", "【恢复】rescan 等 2 项"]
    assert "历时 2 小时 2 分" in body(inbox.mails[1])
    rows = database.rows("SELECT * FROM alerts ORDER BY id")
    assert [(row["closed_at"] is None, row["closed_told_at"] is None) for row in rows] == [(False, False)] * 2
    assert rows[0]["opened_at"] == datetime(2026, 11, 20, 4, 1), "UTC"
    assert (rows[0]["message"], rows[0]["log_url"], rows[0]["run_id"]) == (str(API_DOWN), "https://log/rescan", "2")


def test_a_new_cause_is_told(database: Database, inbox: MailServer, airflow: Airflow) -> None:
    airflow.fails()
    airflow.fails(WRONG)
    assert subjects(inbox) == ["【失败】rescan"] * 2
    assert inbox.mails[1]["Subject"] == "【失败】rescan：设置或连接填错"
    airflow.succeeds()
    assert subjects(inbox)[2:] == ["【恢复】rescan"] * 2
    assert open_alerts(database) == []


def test_two_tasks_that_fail_at_once_are_one_mail(database: Database, inbox: MailServer, airflow: Airflow) -> None:
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda number: airflow.fails(dag_id=f"dag_{number}"), range(6)))
    assert len(inbox.mails) == 1
    assert len(open_alerts(database)) == 6


def test_a_task_of_another_shop_or_dag_ends_nothing(database: Database, inbox: MailServer, airflow: Airflow) -> None:
    airflow.fails()
    airflow.succeeds(dag_id="refunds")
    airflow.succeeds(task_id="stage")
    assert open_alerts(database) == [("failed", "rescan", 1)]
    assert len(inbox.mails) == 1


def test_a_run_that_succeeds_ends_the_alerts_of_tasks_that_are_no_more(
    database: Database, inbox: MailServer, airflow: Airflow
) -> None:
    airflow.fails(task_id="merge_of_a_shop_that_was_removed")
    airflow.run_succeeds(run="2")
    assert open_alerts(database) == []
    assert subjects(inbox)[-1] == "【恢复】rescan"


def test_each_failed_week_of_the_history_has_to_succeed_itself(
    database: Database, inbox: MailServer, airflow: Airflow
) -> None:
    history: dict[str, Any] = {"dag_id": "history", "catchup": True}
    airflow.fails(run="week_1", **history)
    airflow.fails(run="week_2", **history)
    airflow.succeeds(run="week_3", **history)
    airflow.run_succeeds(run="week_3", **history)
    assert open_alerts(database) == [("failed", "history", 1)] * 2
    airflow.succeeds(run="week_1", **history)
    airflow.succeeds(run="week_2", kind="backfill", **history)
    assert open_alerts(database) == []
    assert subjects(inbox) == ["【失败】history", "【恢复】history"]


def test_a_backfill_neither_opens_an_alert_nor_ends_that_of_another_run(
    database: Database, inbox: MailServer, airflow: Airflow
) -> None:
    airflow.fails(kind="backfill")
    assert open_alerts(database) == []
    airflow.fails()
    airflow.succeeds(run="2", kind="backfill")
    airflow.run_succeeds(run="2", kind="backfill")
    assert open_alerts(database) == [("failed", "rescan", 1)]
    assert len(inbox.mails) == 1


def test_what_joins_hours_later_is_told_again(database: Database, inbox: MailServer, airflow: Airflow) -> None:
    airflow.fails(dag_id="dimensions")
    airflow.fails(dag_id="rescan", after=HOUR)
    airflow.fails(dag_id="refunds", after=3 * HOUR)
    airflow.fails(dag_id="refunds", run="2", after=HOUR)
    assert subjects(inbox) == ["【失败】dimensions", "【失败】refunds"]


# --- late runs -----------------------------------------------------------------------------------------


def test_a_late_run_is_told_and_ended_by_one_in_time(database: Database, inbox: MailServer, airflow: Airflow) -> None:
    airflow.is_late()
    airflow.run_succeeds(run="1")
    assert open_alerts(database) == [("late", "rescan", 1)], "the late run itself was not in time"
    airflow.is_late(run="2", after=HOUR)
    airflow.run_succeeds(run="2")
    assert subjects(inbox) == ["【超时】rescan"]
    assert open_alerts(database) == [("late", "rescan", 2)]
    airflow.run_succeeds(run="3", after=HOUR)
    assert subjects(inbox) == ["【超时】rescan", "【恢复】rescan"]


def test_what_is_late_together_is_one_outage(database: Database, inbox: MailServer, airflow: Airflow) -> None:
    airflow.is_late("incremental")
    airflow.is_late("rescan", after=HOUR)
    assert subjects(inbox) == ["【超时】incremental"]
    airflow.is_late("deep_rescan", after=4 * HOUR)
    assert subjects(inbox) == ["【超时】incremental", "【超时】deep_rescan"]
    for dag_id in ("incremental", "rescan", "deep_rescan"):
        airflow.run_succeeds(dag_id=dag_id, run="2")
    assert subjects(inbox)[2:] == ["【恢复】incremental 等 2 项", "【恢复】deep_rescan"]


def test_a_dag_that_fails_is_not_told_to_be_late_as_well(
    database: Database, inbox: MailServer, airflow: Airflow
) -> None:
    airflow.fails()
    airflow.is_late(run="2", after=HOUR)
    assert subjects(inbox) == ["【失败】rescan"]
    airflow.succeeds(run="2")
    airflow.run_succeeds(run="3", after=HOUR)
    assert subjects(inbox) == ["【失败】rescan", "【恢复】rescan"]


def test_lateness_that_turns_out_a_failure_ends_with_it(
    database: Database, inbox: MailServer, airflow: Airflow
) -> None:
    """The tries of a failing task take longer than the deadline."""
    airflow.is_late("incremental")
    airflow.is_late("rescan")
    airflow.fails(dag_id="incremental")
    assert subjects(inbox) == ["【超时】incremental", "【失败】incremental"]
    for dag_id in ("incremental", "rescan"):
        airflow.run_succeeds(dag_id=dag_id, run="2")
    assert subjects(inbox)[2:] == ["【恢复】incremental 等 2 项"]


def test_a_late_backfill_and_a_run_that_ended_are_nothing(
    database: Database, inbox: MailServer, airflow: Airflow
) -> None:
    airflow.is_late(run_type="backfill")
    airflow.is_late(state="failed")
    assert database.rows("SELECT * FROM alerts") == []
    assert inbox.mails == []


# --- mail that does not get through --------------------------------------------------------------------


def test_what_could_not_be_told_is_told_with_the_next_event(
    database: Database, inbox: MailServer, airflow: Airflow
) -> None:
    inbox.refusals["DATA"] = "451 try later"
    airflow.fails()
    assert database.value("SELECT told_at FROM alerts") is None
    inbox.refusals.clear()
    airflow.succeeds(dag_id="refunds", after=HOUR)
    assert subjects(inbox) == ["【失败】rescan"]
    assert "从 2026-11-20 12:01 起" in body(inbox.mails[0])
    assert database.value("SELECT told_at FROM alerts") == datetime(2026, 11, 20, 5, 1)


def test_an_end_that_could_not_be_told_is_told_with_the_next_event(
    database: Database, inbox: MailServer, airflow: Airflow
) -> None:
    airflow.fails()
    inbox.refusals["DATA"] = "451 try later"
    airflow.succeeds()
    inbox.refusals.clear()
    airflow.run_succeeds(dag_id="refunds")
    assert subjects(inbox) == ["【失败】rescan", "【恢复】rescan"]


def test_without_an_address_alerts_are_noted_all_the_same(
    database: Database, airflow: Airflow, clean_environment: None, caplog: pytest.LogCaptureFixture
) -> None:
    airflow.fails()
    assert "alerts are not sent: XIAOE_ALERT_MAIL_TO" in caplog.text
    assert open_alerts(database) == [("failed", "rescan", 1)]
    airflow.succeeds()
    [row] = database.rows("SELECT * FROM alerts")
    assert row["told_at"] is None
    assert row["closed_told_at"], "nobody will ask for that one later"


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XIAOE_ALERT_MAIL_TO", "XIAOE_CHAT_CONN_ID"):
        monkeypatch.delenv(name, raising=False)


# --- channels that refuse ------------------------------------------------------------------------------

KEYWORD = {"errcode": 310000, "errmsg": "keywords not in content"}
ROBOT = "dingtalk://chat-token-that-nobody-may-read".replace("-", "")


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatService]:
    with chat_service() as service:
        service.stand_in(monkeypatch)
        monkeypatch.setenv("AIRFLOW_CONN_TEAM", service.connection(ROBOT))
        monkeypatch.setenv("XIAOE_CHAT_CONN_ID", "team")
        yield service


def refusals(database: Database) -> list[tuple[str, str, str, int]]:
    rows = database.rows("SELECT * FROM channel_refusals ORDER BY channel, target")
    return [(row["channel"], row["target"], row["reason"], row["refused_count"]) for row in rows]


def test_an_outage_that_the_only_channel_refuses_stays_to_be_told(
    database: Database, group: ChatService, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XIAOE_ALERT_MAIL_TO", raising=False)
    group.answers["dingtalk"] = KEYWORD
    airflow.fails()
    assert database.value("SELECT told_at FROM alerts") is None
    [(channel, target, reason, count)] = refusals(database)
    assert (channel, target, count) == ("chat", "team", 1)
    assert "310000 keywords not in content" in reason
    assert "chattoken" not in reason
    group.answers.clear()
    airflow.succeeds(dag_id="refunds", after=HOUR)
    assert database.value("SELECT told_at FROM alerts") == datetime(2026, 11, 20, 5, 1)
    assert [text.partition("：")[0] for text in group.texts["dingtalk"]] == ["【失败】rescan"]
    assert refusals(database) == []


def test_where_the_chat_refuses_the_mail_says_so_in_its_words(
    database: Database, inbox: MailServer, group: ChatService, airflow: Airflow
) -> None:
    group.answers["dingtalk"] = KEYWORD
    airflow.fails()
    airflow.fails(WRONG, after=HOUR)
    assert database.value("SELECT COUNT(*) FROM alerts WHERE told_at IS NULL") == 0, "by mail"
    assert "群消息发不到 team，自 2026-11-20 12:01 起拒收 2 次" in body(inbox.mails[1])
    assert "310000 keywords not in content" in body(inbox.mails[0])
    assert "chattoken" not in body(inbox.mails[0])
    group.answers.clear()
    airflow.succeeds()
    assert "发不到" not in body(inbox.mails[-1])
    assert refusals(database) == []


def test_where_the_mail_refuses_the_chat_says_so_without_the_address(
    database: Database, inbox: MailServer, group: ChatService, airflow: Airflow
) -> None:
    inbox.refusals["RCPT"] = "550 no such user"
    airflow.fails()
    airflow.succeeds()
    texts = group.texts["dingtalk"]
    assert ["注意：邮件有 1 个地址发不到，见监控页。" in text for text in texts] == [False, True]
    assert "ops@example.com" not in "".join(texts)
    [(channel, target, _, count)] = refusals(database)
    assert (channel, target, count) == ("mail", "ops@example.com", 2)


def test_an_address_that_is_refused_among_others_is_named_to_the_others(
    database: Database, inbox: MailServer, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_ALERT_MAIL_TO", "ops@example.com,gone@example.com")
    inbox.refusals["RCPT gone@example.com"] = "550 no such user"
    airflow.fails()
    assert refusals(database) == [("mail", "gone@example.com", "550 no such user", 1)]
    airflow.succeeds()
    assert "邮件发不到 gone@example.com" in body(inbox.mails[1])
    assert refusals(database) == [("mail", "gone@example.com", "550 no such user", 2)]
    inbox.refusals.clear()
    airflow.fails(run="3")
    assert refusals(database) == []
    assert len(inbox.mails) == 3


def test_many_outages_at_once_are_one_message(
    database: Database, group: ChatService, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A robot takes 20 messages a minute; what it refused meanwhile must not be sent one by one."""
    monkeypatch.delenv("XIAOE_ALERT_MAIL_TO", raising=False)
    group.answers["dingtalk"] = TOO_FAST["dingtalk"]
    for number in range(30):
        airflow.fails(XiaoeConfigError(f"cause {chr(97 + number % 26) * (number + 1)}"), dag_id=f"dag_{number}")
    assert database.value("SELECT COUNT(*) FROM alerts WHERE told_at IS NOT NULL") == 0
    group.answers.clear()
    airflow.succeeds(dag_id="refunds")
    [text] = group.texts["dingtalk"]
    assert text.startswith("【30 条通知】【失败】dag_0")
    assert all(f"【失败】dag_{number}：" in text for number in range(30))
    assert database.value("SELECT COUNT(*) FROM alerts WHERE told_at IS NULL") == 0


def test_a_warehouse_without_the_table_holds_up_no_message(
    database: Database, inbox: MailServer, group: ChatService, airflow: Airflow
) -> None:
    database.rows("RENAME TABLE channel_refusals TO not_migrated_yet")
    try:
        group.answers["dingtalk"] = KEYWORD
        airflow.fails()
    finally:
        database.rows("RENAME TABLE not_migrated_yet TO channel_refusals")
    assert subjects(inbox) == ["【失败】rescan"]
    assert database.value("SELECT told_at FROM alerts") is not None


# --- the warehouse is down -----------------------------------------------------------------------------


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch, database: Database) -> Callable[[bool], None]:
    """Switches the warehouse off and on, as far as the connection goes."""
    nowhere = "mysql://nobody:unknown-password-of-the-test@127.0.0.1:1/xiaoe"
    return lambda is_down: monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", nowhere if is_down else database.url)


def test_a_warehouse_that_is_down_is_one_mail_and_one_when_it_is_back(
    database: Database, inbox: MailServer, airflow: Airflow, down: Callable[[bool], None]
) -> None:
    down(True)
    airflow.fails(MYSQL_DOWN)
    airflow.fails(MYSQL_DOWN, dag_id="refunds")
    airflow.is_late("incremental")
    airflow.succeeds(dag_id="report")
    assert subjects(inbox) == ["【失败】数据库用不了"]
    assert "最先发现：rescan · 入库" in body(inbox.mails[0])
    assert "unknown-password" not in body(inbox.mails[0])
    down(False)
    airflow.fails(MYSQL_DOWN, dag_id="benefits")
    assert len(inbox.mails) == 1, "it failed on the same outage, a moment before that was over"
    airflow.succeeds(after=HOUR)
    airflow.succeeds(dag_id="refunds")
    assert subjects(inbox)[1:] == ["【恢复】数据库可用了，历时 1 小时 4 分"]
    assert database.rows("SELECT * FROM alerts") == []


def test_a_warehouse_that_is_down_with_the_mail_server_is_told_when_that_is_back(
    inbox: MailServer, airflow: Airflow, down: Callable[[bool], None], variable: dict[str, str]
) -> None:
    down(True)
    inbox.refusals["DATA"] = "451 try later"
    airflow.fails(MYSQL_DOWN)
    assert json.loads(variable[outage.VARIABLE])["is_told"] is False
    inbox.refusals.clear()
    airflow.fails(MYSQL_DOWN, after=HOUR)
    assert subjects(inbox) == ["【失败】数据库用不了"]
    assert "从 2026-11-20 12:01 起" in body(inbox.mails[0])


def test_a_schema_that_is_too_old_for_alerts_says_so(database: Database, inbox: MailServer, airflow: Airflow) -> None:
    connection = database.connect()
    connection.query("RENAME TABLE alerts TO alerts_elsewhere")
    try:
        airflow.fails()
        airflow.fails()
        airflow.succeeds()
    finally:
        connection.query("RENAME TABLE alerts_elsewhere TO alerts")
        connection.close()
    [mail] = inbox.mails
    assert "run `make migrate`" in body(mail)


def test_a_variable_that_cannot_be_read_is_no_reason_for_a_storm(
    inbox: MailServer, airflow: Airflow, down: Callable[[bool], None], variable: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    variable[outage.VARIABLE] = "no JSON"
    down(True)
    airflow.fails(MYSQL_DOWN)
    airflow.fails(MYSQL_DOWN)
    assert len(inbox.mails) == 1
    assert "could not be read" in caplog.text


def test_of_two_tasks_that_notice_it_at_once_one_tells(
    inbox: MailServer, airflow: Airflow, down: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one writes between our writing and our reading."""
    down(True)
    write = outage._write

    def written_over(known: dict[str, Any]) -> None:
        write(known)
        write({**known, "by": "another task"})

    monkeypatch.setattr(outage, "_write", written_over)
    airflow.fails(MYSQL_DOWN)
    assert inbox.mails == []


# --- asked from outside --------------------------------------------------------------------------------


def synced(
    database: Database, resource: str, mode: str, succeeded: timedelta | None, attempted: timedelta = MINUTE
) -> None:
    """A row of `sync_status`, so long before noon."""
    database.rows(
        "INSERT INTO sync_status (shop_id, resource, mode, last_success_at, last_attempt_at, status)"
        " VALUES ('app1', %s, %s, %s, %s, 'success')",
        (
            resource,
            mode,
            (NOON - succeeded).replace(tzinfo=None) if succeeded else None,
            (NOON - attempted).replace(tzinfo=None),
        ),
    )


def test_health_names_what_is_stale(database: Database, airflow: Airflow) -> None:
    synced(database, "orders", "incremental", 3 * HOUR)
    synced(database, "orders", "rescan", HOUR)
    synced(database, "users", "recent", None)
    synced(database, "orders", "deep_rescan", 40 * 24 * HOUR, attempted=40 * 24 * HOUR)
    synced(database, "orders", "history", 40 * 24 * HOUR)
    is_fresh, lines = check_freshness()
    assert not is_fresh
    assert lines == [
        "过期：app1 orders history：最近成功 2026-10-11 12:00（北京时间），已 40 天 0 小时，时限 8 天 0 小时",
        "过期：app1 orders incremental：最近成功 2026-11-20 09:00（北京时间），已 3 小时 0 分，时限 1 小时 0 分",
        "过期：app1 users recent：最近成功 无，时限 1 天 6 小时",
        "未结束的告警：0",
    ]


def test_health_is_good_when_all_is_fresh_and_bad_when_nothing_ever_ran(database: Database, airflow: Airflow) -> None:
    is_fresh, [said, *_] = check_freshness()
    assert not is_fresh
    assert "从未同步过" in said
    synced(database, "orders", "incremental", HOUR)
    assert check_freshness() == (
        True,
        ["正常：1 项同步均在时限内", "未结束的告警：0"],
    )

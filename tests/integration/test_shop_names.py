"""What staff call a shop: from the field of the connection to mails, the monitoring page and dashboards."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from support.servers.inbox import body, mail_server
from support.worlds.shop import Database
from xiaoe import clock
from xiaoe.alerts.delivery import report_event
from xiaoe.alerts.events import Event
from xiaoe.api import shop_names
from xiaoe.benefits.operators import XiaoeBenefitExportOperator
from xiaoe.benefits.report import daily_message
from xiaoe.benefits.review import open_questions
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.marts.operators import XiaoeMartsOperator
from xiaoe.monitor import web
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql

NOW = datetime(2026, 11, 21, 9, tzinfo=BEIJING)
A, B = "appA", "appB"


@pytest.fixture(autouse=True)
def at_nine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def connect(patch: pytest.MonkeyPatch, conn_id: str, app_id: str, name: Any) -> None:
    extra = {"app_id": app_id} | ({} if name is None else {"shop_name": name})
    value = {"conn_type": "xiaoe", "login": "xop1", "password": "s3cret", "extra": extra}
    patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))


def refresh(conn_id: str) -> None:
    XiaoeMartsOperator(task_id="refresh", xiaoe_conn_id=conn_id).execute({"params": {}})  # type: ignore[arg-type]


def named(database: Database) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in database.rows("SELECT shop_id, shop_name FROM bi_shops ORDER BY shop_id")]


def test_the_marts_keep_the_name_that_the_connection_has(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "xiaoe_first", A, "  琴行  学院 ")
    refresh("xiaoe_first")
    [row] = database.rows("SELECT * FROM shops")
    assert (row["shop_id"], row["name"], row["conn_id"]) == (A, "琴行 学院", "xiaoe_first")
    assert row["updated_at"] == datetime(2026, 11, 21, 1)
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(hours=1))
    refresh("xiaoe_first")
    assert database.rows("SELECT * FROM shops") == [row], "nothing changed, nothing is written"
    connect(monkeypatch, "xiaoe_first", A, "琴行")
    refresh("xiaoe_first")
    [row] = database.rows("SELECT name, updated_at FROM shops")
    assert row == {"name": "琴行", "updated_at": datetime(2026, 11, 21, 2)}
    connect(monkeypatch, "xiaoe_first", A, "")
    refresh("xiaoe_first")
    assert named(database) == [(A, A)], "a shop without a name is called by its id"


def test_a_name_that_is_too_long_is_refused_and_the_old_one_stays(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, "xiaoe_first", A, "琴行")
    refresh("xiaoe_first")
    connect(monkeypatch, "xiaoe_first", A, "琴" * 65)
    with pytest.raises(XiaoeConfigError, match=r"connection xiaoe_first: shop_name=.* has 65 characters: give at most"):
        refresh("xiaoe_first")
    assert named(database) == [(A, "琴行")]


def test_two_shops_of_one_name_are_told_apart_by_their_ids(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "xiaoe_first", A, "学院")
    connect(monkeypatch, "xiaoe_second", B, "学院")
    refresh("xiaoe_first")
    assert named(database) == [(A, "学院")]
    refresh("xiaoe_second")
    assert named(database) == [(A, "学院（appA）"), (B, "学院（appB）")]
    with Warehouse().session() as session:
        assert shop_names.name_of(session, B) == "学院（appB）"
        assert shop_names.name_of(session, "app_unknown") == "app_unknown"


def test_mails_questions_and_the_page_use_the_name(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    connect(monkeypatch, "xiaoe_first", A, "学院 & 琴行")
    monkeypatch.setenv("XIAOE_EXPORT_DIR", f"file://{tmp_path}")
    refresh("xiaoe_first")
    database.rows(
        "INSERT INTO benefit_decisions (shop_id, order_id, decision, decision_text, reason, basis, policy_id,"
        " decided_at) VALUES ('appA', 'o1', 'review', '人工复核', '原因', 'b', 1, '2026-11-20')"
    )
    context: Any = {"params": {"day": "2026-11-20"}, "dag_run": type("R", (), {"run_type": "manual", "run_after": NOW})}
    report = XiaoeBenefitExportOperator(task_id="export", xiaoe_conn_id="xiaoe_first").execute(context)
    message = daily_message(report)
    assert message.title.startswith("福利判定日报 学院 & 琴行 2026-11-20")
    assert message.lines[0].startswith("店铺 学院 & 琴行，")
    with Warehouse().session() as session:
        [question] = open_questions(session, A)
    assert question["subject"] == "原因 · 金额未知 · — · 订单 o1（学院 & 琴行）"
    assert question["about"]["shop_id"] == A
    status, html = web.render("zh", None)
    assert status == 200
    assert '<th colspan="7" scope="rowgroup" title="appA">学院 &amp; 琴行</th>' in html


def test_an_alert_names_the_shop_and_its_connection(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "xiaoe_first", A, "琴行")
    refresh("xiaoe_first")
    event = Event("failed", "xiaoe_refunds", "run1", "broken", "c1", task_id="shop.stage", shop="xiaoe_first")
    with mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection())
        monkeypatch.setenv("XIAOE_ALERT_MAIL_TO", "ops@example.com")
        report_event(event)
        [mail] = server.mails
        assert mail["Subject"].startswith("【失败】售后同步 · 琴行：")
        assert "店铺：琴行（xiaoe_first）" in body(mail)
        database.rows("RENAME TABLE shops TO not_migrated_yet")
        try:
            report_event(Event("failed", "xiaoe_marts", "run2", "bad", "c2", task_id="refresh", shop="xiaoe_first"))
        finally:
            database.rows("RENAME TABLE not_migrated_yet TO shops")
        assert "xiaoe_first" in body(server.mails[1]), "an alert does not wait for the names"
    assert "琴行（xiaoe_first）" in web.render("zh", None)[1], "the alert that stands, on the page"
    assert {row["shop"] for row in database.rows("SELECT shop FROM alerts")} == {"xiaoe_first"}

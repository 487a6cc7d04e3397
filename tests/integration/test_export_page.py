"""Tables as files from the browser, through the application: who may have what, what is in it, and the record of it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import openpyxl
import pytest
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from fastapi.testclient import TestClient

from support.worlds.marts import merge, sales
from support.worlds.shop import Database
from xiaoe import clock
from xiaoe.clock import BEIJING
from xiaoe.exports.tables import SOURCES
from xiaoe.monitor import export_page, web
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql

NOW = datetime(2026, 8, 1, 8, tzinfo=BEIJING)
ORDERS = """
shop | order | buyer | product | type | created        | paid           | price  | state | refunded       | back
appA | a01   | ua    | p1      | 视频 | 03-01 10:00:00 | 03-01 10:01:00 | 100.00 | 1     | -              | -
appA | a02   | ua    | p1      | 视频 | 03-02 23:59:59 | -              | 9.90   | 0     | -              | -
appA | a03   | ub    | p2      | 图文 | 03-03 00:00:00 | 03-03 00:00:00 | 50.00  | 10    | 03-05 12:00:00 | 50.00
"""
SignIn = Callable[[str], TestClient]


@pytest.fixture
def sign_in(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SignIn:
    """A browser of somebody with a role of Airflow; its own access checks are at work."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Warehouse().session() as session:
        merge(session, sales(ORDERS), datetime(2026, 7, 31))
        session.execute("UPDATE orders SET receiver_name = '张三', receiver_phone = '13800138000'")
        session.commit()
    manager = SimpleAuthManager()
    for module in ("airflow.api_fastapi.core_api.security", "xiaoe.monitor.export_page"):
        monkeypatch.setattr(f"{module}.get_auth_manager", lambda: manager)
    app = web.create_app()

    def browser(role: str) -> TestClient:
        app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(username=f"王芳-{role}", role=role)
        return TestClient(app)

    return browser


def files_left(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("xiaoe-export-*"))


def log(database: Database) -> list[dict[str, Any]]:
    return database.rows("SELECT * FROM export_log ORDER BY id")


def test_the_days_asked_for_without_personal_data(sign_in: SignIn, database: Database, tmp_path: Path) -> None:
    asked = {"table": "orders", "first": "2026-03-01", "last": "2026-03-02", "kind": "csv"}
    answer = sign_in("viewer").get("/export/file", params=asked)
    assert answer.status_code == 200
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["订单ID"] for row in rows] == ["a01", "a02"], "the last day is in it, to its last second"
    assert "张三" not in answer.text
    assert "13800138000" not in answer.text
    assert unquote(answer.headers["content-disposition"]).endswith("订单-20260301至20260302-不含个人信息.csv")
    assert answer.headers["cache-control"] == "no-store"
    [entry] = log(database)
    assert {name: entry[name] for name in entry if name != "id"} == {
        "exported_at": datetime(2026, 8, 1), "exported_by": "王芳-viewer", "place": "page", "content": "orders",
        "begin_at": datetime(2026, 3, 1), "end_at": datetime(2026, 3, 3), "has_personal": 0, "kind": "csv",
        "row_count": 2,
    }  # fmt: skip
    assert files_left(tmp_path) == []


def test_personal_data_is_for_who_may_run_the_report_that_has_it(sign_in: SignIn, database: Database) -> None:
    asked = {"table": "orders", "personal": "true"}
    refused = sign_in("viewer").get("/export/file", params=asked, headers={"accept-language": "zh-CN"})
    assert refused.status_code == 403
    assert "您的账号不能导出个人信息" in refused.text
    assert "张三" not in refused.text
    assert log(database) == []
    answer = sign_in("op").get("/export/file", params=asked)
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["订单"]
    head = [cell.value for cell in sheet[1]]
    assert {row[head.index("收货人姓名")].value for row in sheet.iter_rows(min_row=2)} == {"张三"}
    [entry] = log(database)
    assert (entry["exported_by"], entry["has_personal"], entry["row_count"]) == ("王芳-op", 1, 3)


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("user", True), ("admin", True)])
def test_the_form_offers_what_a_person_may_have(sign_in: SignIn, role: str, may: bool) -> None:
    html = sign_in(role).get("/export", params={"lang": "zh"}).text
    assert ('name="personal"' in html) == may
    assert re.findall(r'<option value="(\w+)"', html) == list(SOURCES)
    assert all(source.title in html for source in SOURCES.values())
    assert 'name="last" value="2026-08-01"' in html
    assert "order items" in sign_in(role).get("/export", params={"lang": "en"}).text


@pytest.mark.parametrize("path", ["/export", "/export/file?table=orders"])
def test_nobody_gets_anything_without_a_log_in(sign_in: SignIn, database: Database, path: str) -> None:
    app = sign_in("admin").app
    app.dependency_overrides.clear()  # type: ignore[attr-defined]
    assert TestClient(app).get(path).status_code == 401
    assert log(database) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"table": "passwords"}, "TABLE=&#39;passwords&#39;：请给出 orders"),
        ({"table": "orders", "first": "03-01"}, "FROM=&#39;03-01&#39;：请写北京日期"),
        ({"table": "orders", "last": "<b>x</b>"}, "日期写错了"),
        ({"table": "orders", "last": "9999-12-31"}, "日期写错了"),
        ({"table": "orders", "first": "2026-03-02", "last": "2026-03-01"}, "FROM 必须早于 TO"),
    ],
)
def test_what_is_wrong_is_said_above_the_form(
    sign_in: SignIn, database: Database, tmp_path: Path, asked: dict[str, str], said: str
) -> None:
    answer = sign_in("viewer").get("/export/file", params={**asked, "lang": "zh"})
    assert answer.status_code == 400
    assert said in answer.text
    assert "<b>" not in answer.text
    assert log(database) == []
    assert files_left(tmp_path) == []


def test_too_many_rows_are_left_to_the_command(
    sign_in: SignIn, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_page, "MAX_ROWS", 2)
    answer = sign_in("viewer").get("/export/file", params={"table": "orders", "lang": "zh"})
    assert answer.status_code == 400
    assert "共 3 行，网页一次最多导出 2 行" in answer.text
    assert log(database) == []
    assert files_left(tmp_path) == []


def test_a_warehouse_that_cannot_be_read_shows_no_detail(
    sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sign_in("viewer")
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", "mysql://somebody:secret-word@127.0.0.1:1/xiaoe")
    answer = browser.get("/export/file", params={"table": "orders", "lang": "zh"})
    assert answer.status_code == 503
    assert "数仓暂时读不出来" in answer.text
    assert not re.search("somebody|secret-word|127.0.0.1", answer.text)
    assert files_left(tmp_path) == []


def test_the_monitoring_page_leads_there(sign_in: SignIn) -> None:
    html = sign_in("viewer").get("/page", params={"lang": "zh"}).text
    assert 'href="export?lang=zh">导出表格</a>' in html

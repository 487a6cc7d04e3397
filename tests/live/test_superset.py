"""The dashboards in a real browser, on a real Superset over a real warehouse: what staff see is what the SQL says.

Superset is set up, started and stopped here, in a folder of its own. SUPERSET_SCREENSHOTS=docs/images keeps a picture
of each dashboard.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openpyxl
import pytest
import requests
from playwright.sync_api import Page, sync_playwright

from servers.airflow import ROOT
from servers.superset import ADMIN, PYTHON, VIEWER, Superset
from support.fixtures import servers
from support.worlds import bi_shop
from support.worlds.shop import Database
from xiaoe.mysql import grants

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.slow,
    # What Superset sends differs between servers in nothing that the tests of the marts would not see.
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE = 120_000
"""Milliseconds."""
READY = """() => document.querySelectorAll('.chart-container').length > 0
    && document.querySelectorAll('[data-test=loading-indicator], .loading').length === 0"""
BEIJING = timezone(timedelta(hours=8))
SHOTS = os.environ.get("SUPERSET_SCREENSHOTS")
DATASETS = list((ROOT / "include" / "superset" / "assets" / "datasets").glob("*.yaml"))
SPAN = ">= %(begin)s AND {0} < %(end)s"
SOLD = "absent_since IS NULL AND is_imported = 0"
PAID = f"FROM orders WHERE {SOLD} AND pay_time {SPAN.format('pay_time')}"
IMPORTED = f"FROM orders WHERE absent_since IS NULL AND is_imported = 1 AND pay_time {SPAN.format('pay_time')}"
RETURNED = (
    f"{SOLD} AND pay_time IS NOT NULL AND order_state NOT IN (8, 9) AND (refund_money > 0 OR order_state IN (3, 10)"
    " OR order_state = 11 AND refund_money IS NULL AND refund_time IS NOT NULL)"
)
REFUNDED = f"FROM orders WHERE {RETURNED} AND refund_time {SPAN.format('refund_time')}"
BACK = f"CASE WHEN {RETURNED} THEN refund_money ELSE 0 END"
FULL = "(order_state IN (3, 10) OR price > 0 AND refund_money >= price)"
FIRST = f"FROM (SELECT user_id, MIN(pay_time) AS first FROM orders WHERE {SOLD} GROUP BY user_id) AS f"
NEW = f"SELECT COUNT(*) {FIRST} WHERE f.first {SPAN.format('f.first')}"
BY_AGE = (
    f"SELECT SUM(IF(DATE(o.pay_time) = DATE(f.first), o.price, 0)) AS new,"
    f" SUM(IF(DATE(o.pay_time) > DATE(f.first), o.price, 0)) AS old {FIRST} JOIN orders AS o USING (user_id)"
    f" WHERE o.absent_since IS NULL AND o.is_imported = 0 AND o.pay_time {SPAN.format('o.pay_time')}"
)
WATCHED = (
    "FROM live_viewers AS v JOIN live_streams AS l USING (shop_id, live_id)"
    f" WHERE l.absent_since IS NULL AND l.start_at {SPAN.format('l.start_at')}"
)
BOUGHT_SOON = (
    "EXISTS (SELECT 1 FROM orders AS o WHERE o.shop_id = v.shop_id AND o.user_id = v.user_id"
    " AND o.absent_since IS NULL AND o.is_imported = 0 AND o.pay_time >= l.start_at"
    " AND o.pay_time < l.start_at + INTERVAL 7 DAY)"
)
LEARNED = f"FROM learning_days WHERE stay_seconds > 0 AND day {SPAN.format('day')}"
BUYERS_OF_COURSES = (
    "FROM (SELECT o.user_id, o.resource_id, MIN(o.pay_time) AS paid_at,"
    f" COALESCE(MAX({RETURNED}), 0) AS is_back FROM orders AS o WHERE {SOLD} AND"
    " pay_time IS NOT NULL AND resource_id IN (SELECT resource_id FROM learning_progress) GROUP BY 1, 2) AS b"
    " LEFT JOIN learning_progress AS p USING (user_id, resource_id)"
)
READ = f"{BUYERS_OF_COURSES} WHERE b.user_id IN (SELECT parent_id FROM parent_readings)"
PROMOTED = f"{PAID} AND order_id IN (SELECT order_id FROM promoted_orders)"
CUSTOMERS = f"FROM promoter_customers WHERE bound_at {SPAN.format('bound_at')}"
PENDING = "SELECT COUNT(*) FROM benefit_decisions WHERE decision = 'pending'"
STREAMS = f"FROM live_streams WHERE absent_since IS NULL AND start_at {SPAN.format('start_at')}"
REFUND_RATE = f"SELECT SUM({BACK}) / SUM(price) {PAID}"
EVER = f"FROM orders WHERE {SOLD} AND pay_time IS NOT NULL AND user_id > ''"
EACH = f"(SELECT COUNT(*) AS n, DATEDIFF(MAX(pay_time), MIN(pay_time)) AS span {EVER} GROUP BY user_id) AS t"
SECOND = (
    "(SELECT MIN(pay_time) AS first, MIN(IF(n = 2, pay_time, NULL)) AS second FROM (SELECT user_id, pay_time,"
    f" ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY pay_time) AS n {EVER}) AS r GROUP BY user_id) AS t"
)
TAKEN_BACK = (
    "SELECT COUNT(*) FROM (SELECT shop_id, order_id, new_decision, LAG(new_decision) OVER"
    " (PARTITION BY shop_id, order_id ORDER BY id) AS last FROM benefit_decision_log"
    " WHERE new_decision IN ('grant', 'revoke')) AS l JOIN benefit_decisions AS d USING (shop_id, order_id)"
    " WHERE l.last = 'grant' AND l.new_decision = 'revoke' AND d.decision = 'revoke'"
)
TILES: dict[str, dict[str, str]] = {
    "overview": {
        "实收金额": f"SELECT SUM(price) / 10000 {PAID}",
        "净收入": f"SELECT ((SELECT SUM(price) {PAID}) - (SELECT SUM(refund_money) {REFUNDED})) / 10000",
        "退款金额": f"SELECT SUM(refund_money) / 10000 {REFUNDED}",
        "退款率（金额）": REFUND_RATE,
        "支付订单数": f"SELECT COUNT(*) {PAID}",
        "下单数": f"SELECT COUNT(*) FROM orders WHERE {SOLD} AND created_time {SPAN.format('created_time')}",
        "笔单价（按单，元）": f"SELECT SUM(price) / COUNT(*) {PAID}",
        "新客数": NEW,
        "导入订单金额": f"SELECT COALESCE(SUM(price), 0) / 10000 {IMPORTED}",
        "导入订单数": f"SELECT COUNT(*) {IMPORTED}",
        "缺金额的支付订单数": f"SELECT COUNT(*) {PAID} AND price IS NULL",
        "缺金额的退款订单数": f"SELECT COUNT(*) {REFUNDED} AND refund_money IS NULL",
    },
    "orders": {
        "支付订单数": f"SELECT COUNT(*) {PAID}",
        "实收（元）": f"SELECT SUM(price) {PAID}",
        "退款订单数": f"SELECT COUNT(*) {REFUNDED}",
        "退款（元）": f"SELECT SUM(refund_money) {REFUNDED}",
    },
    "products": {
        "动销商品数": f"SELECT COUNT(DISTINCT resource_id) {PAID}",
        "实收金额": f"SELECT SUM(price) / 10000 {PAID}",
        "支付件数": f"SELECT SUM(quantity) {PAID}",
        "退款率（金额）": REFUND_RATE,
    },
    "users": {
        "新客数": NEW,
        "新客实收": f"SELECT new / 10000 FROM ({BY_AGE}) AS t",
        "老客实收": f"SELECT old / 10000 FROM ({BY_AGE}) AS t",
        "老客实收占比": f"SELECT old / (new + old) FROM ({BY_AGE}) AS t",
    },
    "customers": {
        "付款用户数": f"SELECT COUNT(DISTINCT user_id) {EVER}",
        "复购率": f"SELECT SUM(n > 1) / COUNT(*) FROM {EACH}",
        "30 天复购率": f"SELECT SUM(DATEDIFF(second, first) <= 30) / COUNT(*) FROM {SECOND}"
        " WHERE LAST_DAY(first) + INTERVAL 31 DAY <= DATE(UTC_TIMESTAMP() + INTERVAL 8 HOUR)",
        "人均购买次数": f"SELECT COUNT(*) / COUNT(DISTINCT user_id) {EVER}",
        "平均复购间隔（天）": f"SELECT SUM(span) / SUM(n - 1) FROM {EACH}",
        "人均累计净收入（元）": f"SELECT (SUM(price) - SUM({BACK})) / COUNT(DISTINCT user_id) {EVER}",
        "注册用户数": f"SELECT COUNT(*) FROM users WHERE registered_at {SPAN.format('registered_at')}",
        "首购转化率": f"SELECT SUM(user_id IN (SELECT user_id {EVER})) / COUNT(*) FROM users"
        f" WHERE registered_at {SPAN.format('registered_at')}",
        "用券订单占比": f"SELECT SUM(COALESCE(coupon_id, '') > '' OR COALESCE(coupon_price, 0) > 0) / COUNT(*) {PAID}",
        "售后申请数": "SELECT COUNT(*) FROM refunds WHERE absent_since IS NULL"
        f" AND created_at {SPAN.format('created_at')}",
    },
    "lives": {
        "直播场次": f"SELECT COUNT(*) {STREAMS}",
        "观看次数": f"SELECT SUM(view_count) {STREAMS}",
        "打赏金额": f"SELECT SUM(reward_sum) / 10000 {STREAMS}",
        "购买次数": f"SELECT SUM(purchase_count) {STREAMS}",
        "观众人数": f"SELECT COUNT(*) {WATCHED}",
        "人均看直播（分钟）": f"SELECT SUM(v.live_seconds) / 60 / SUM(v.live_seconds > 0) {WATCHED}",
        "7 天内付款观众": f"SELECT SUM({BOUGHT_SOON}) {WATCHED}",
        "观众付款率": f"SELECT SUM({BOUGHT_SOON}) / COUNT(*) {WATCHED}",
    },
    "learning": {
        "日均学习人数": f"SELECT COUNT(*) / COUNT(DISTINCT day) {LEARNED}",
        "学习时长（小时）": f"SELECT SUM(stay_seconds) / 3600 {LEARNED}",
        "人均每日学习（分钟）": f"SELECT SUM(stay_seconds) / 60 / COUNT(*) {LEARNED}",
        "课程购买人数": f"SELECT COUNT(*) {BUYERS_OF_COURSES}",
        "开课率": f"SELECT COUNT(p.user_id) / COUNT(*) {READ}",
        "完课率": f"SELECT SUM(COALESCE(p.is_finished, 0)) / COUNT(*) {READ}",
        "流失风险人数": f"SELECT COUNT(*) {READ} AND COALESCE(p.is_finished, 0) = 0 AND b.is_back = 0"
        " AND b.paid_at < DATE(UTC_TIMESTAMP() + INTERVAL 8 HOUR) - INTERVAL 14 DAY AND (p.last_learned_at IS NULL"
        " OR p.last_learned_at < DATE(UTC_TIMESTAMP() + INTERVAL 8 HOUR) - INTERVAL 14 DAY)",
    },
    "promotion": {
        "推广实收": f"SELECT SUM(price) / 10000 {PROMOTED}",
        "推广订单数": f"SELECT COUNT(*) {PROMOTED}",
        "推广退款率（金额）": f"SELECT SUM({BACK}) / SUM(price) {PROMOTED}",
        "有成交的推广员": "SELECT COUNT(DISTINCT promoter_id) FROM promoted_orders WHERE order_id IN"
        f" (SELECT order_id {PAID})",
        "绑定客户数": f"SELECT COUNT(*) {CUSTOMERS}",
        "其中下过单的客户": f"SELECT SUM(order_count > 0) {CUSTOMERS}",
        "客户下单率": f"SELECT SUM(order_count > 0) / COUNT(*) {CUSTOMERS}",
    },
    "refunds": {
        "退款金额": f"SELECT SUM(refund_money) / 10000 {REFUNDED}",
        "退款订单数": f"SELECT COUNT(*) {REFUNDED}",
        "全额退款订单数": f"SELECT COUNT(*) {REFUNDED} AND {FULL}",
        "退款率（订单）": f"SELECT SUM({RETURNED}) / COUNT(*) {PAID}",
        "福利待定订单数": PENDING,
        "24 小时内到期": f"{PENDING} AND deadline_at BETWEEN UTC_TIMESTAMP() + INTERVAL 8 HOUR"
        " AND UTC_TIMESTAMP() + INTERVAL 32 HOUR",
        "待人工复核": "SELECT COUNT(*) FROM benefit_decisions WHERE decision = 'review'",
        "发放后收回": TAKEN_BACK,
    },
    "sync": {
        "失败的同步": "SELECT COUNT(*) FROM sync_status WHERE status = 'failed'",
        "超时的同步": "SELECT 0",
        "订单增量滞后（分钟）": "SELECT TIMESTAMPDIFF(MINUTE, MAX(watermark), UTC_TIMESTAMP() + INTERVAL 8 HOUR)"
        " FROM sync_status WHERE resource = 'orders' AND mode = 'incremental'",
        "未覆盖天数": "SELECT 0",
        "无法解析的行": "SELECT COUNT(*) FROM rejected_rows WHERE resolved_at IS NULL",
        "只有复查发现的变化": "SELECT COUNT(DISTINCT l.order_id, l.batch_id) FROM order_state_log AS l"
        " JOIN sync_runs AS r USING (shop_id, batch_id) LEFT JOIN hint_looks AS h USING (shop_id, order_id)"
        " WHERE r.mode IN ('rescan', 'deep_rescan') AND h.order_id IS NULL"
        " AND DATE(l.observed_at + INTERVAL 8 HOUR) > DATE(UTC_TIMESTAMP() + INTERVAL 8 HOUR) - INTERVAL 30 DAY",
    },
}
"""Dashboard → title of a big number → what it has to say, asked of the base tables."""
WITH_TODAY = {"refunds": 90, "lives": 90, "sync": 30}
"""Days of the date filter where it ends with today; else it is 90 days up to yesterday."""
MAY_BE_NOTHING = {"超时的同步", "未覆盖天数", "无法解析的行", "待人工复核", "只有复查发现的变化"}
SAYS = {
    "overview": ["渠道实收（万元，买家首次来源）", "近 14 天未成熟"],
    "lives": ["不是某一分钟的在线人数", "购买次数：小鹅通未公布这个数的含义", "留存：看直播满若干分钟的比例"],
    "learning": ["学习情况与续费、退款", "完课率：课程 × 购买月", "未读到"],
    "promotion": ["校园大使 · moter", "推广员客户明细"],
    "refunds": ["退款率（订单）"],
    "sync": ["每天一次的同步为 30 小时"],
}
"""Dashboard → what it has to say besides."""
RED = """cells => cells.filter(cell => {
    const [red, green, blue] = getComputedStyle(cell).backgroundColor.match(/\\d+/g).map(Number);
    return red > 180 && green < 120 && blue < 130;
}).map(cell => cell.innerText)"""
"""What stands in cells that alarm; in this warehouse one sync has failed, and none is late."""
UNTIL = (
    "SELECT DATE_FORMAT(MAX(last_success_at) + INTERVAL 8 HOUR, '%m-%d %H:%i') FROM sync_status"
    " WHERE resource = 'marts'"
)
SHOP_ROLE, OTHER_ROLE = "本店运营", "别店运营"
SETTINGS = {
    "SUPERSET_LOGIN_TRIES": "1000",  # these tests log in more often than people
    "SUPERSET_CACHE_SECONDS": "1",
    "SUPERSET_SHOP_ROLES": f"{SHOP_ROLE}={bi_shop.APP_ID}; {OTHER_ROLE}=appother",
}


def default_span(slug: str) -> tuple[datetime, datetime]:
    """What the date filter of a dashboard has at first, Beijing time."""
    today = datetime.now(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if days := WITH_TODAY.get(slug):
        return today - timedelta(days=days - 1), today + timedelta(days=1)
    return today - timedelta(days=7 if slug == "orders" else 90), today


@dataclass
class Look:
    """A Superset, the browser of somebody who is logged in as 运营, and the warehouse."""

    superset: Superset
    page: Page
    database: Database

    def open(self, slug: str) -> None:
        """Open a dashboard and wait until every chart of it is drawn; charts below the fold wait to be seen."""
        self.page.set_viewport_size({"width": 1600, "height": 1200})
        self.page.goto(f"{self.superset.url}/superset/dashboard/{slug}/", wait_until="domcontentloaded")
        self.page.wait_for_selector(".grid-container .chart-slice")
        height = self.page.evaluate("document.querySelector('.grid-container').scrollHeight")
        self.page.set_viewport_size({"width": 1600, "height": int(height) + 200})
        self.page.wait_for_function(READY)

    def chart(self, title: str) -> Any:
        return self.page.locator(f"[data-test=chart-grid-component][data-test-chart-name='{title}']")

    def tile(self, title: str) -> Decimal:
        """The big number as the page shows it: ¥12.34万 → 12.34, 5.60% → 0.056."""
        text = self.chart(title).locator(".header-line").inner_text()
        number = Decimal(re.sub(r"[¥万,%]", "", text))
        return number / 100 if text.endswith("%") else number

    def expected(self, sql: str, span: tuple[datetime, datetime]) -> Decimal:
        return Decimal(self.database.value(sql, {"begin": span[0], "end": span[1]}) or 0)


# --- what it takes -------------------------------------------------------------------------------------


def needed(thing: str, there: object) -> None:
    """Leave the tests out, but not in CI."""
    if not there:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop(f"WARNING: the dashboards are not tested: {thing}")


@pytest.fixture(scope="module")
def warehouse(migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Database:
    needed("there is no chromium (apt-get install chromium fonts-noto-cjk)", CHROMIUM)
    needed("there is no .venv-bi (scripts/bi/install)", PYTHON.exists())
    return Database(migrated)


def make_reader(dsn: str, name: str) -> str:
    """The user of the dashboards as `make grants` makes it, under a name of this run; its URI for Superset."""
    password = "Aa1-only-for-this-test"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_XIAOE_MYSQL_ADMIN", dsn)
        patch.setenv("XIAOE_BI_READER_PASSWORD", password)
        grants.apply("%", require_tls=False, may_show=False, names={"bi_reader": name}, users=["bi_reader"])
    parts = urlsplit(dsn)
    return f"mysql+pymysql://{name}:{password}@{parts.hostname}:{parts.port}{parts.path}?charset=utf8mb4"


@pytest.fixture(scope="module")
def superset(warehouse: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    """Superset over a filled shop; both are made at the same time."""
    name = f"xiaoe_test_bi_{os.getpid()}"
    reader = make_reader(warehouse.url, name)
    superset = Superset(tmp_path_factory.mktemp("superset"), reader, settings=SETTINGS)
    with ThreadPoolExecutor() as pool:
        applied = pool.submit(superset.apply)
        bi_shop.fill(warehouse, tmp_path_factory.mktemp("pages"))
        assert re.fullmatch(rf"dashboards 10  charts \d+  datasets {len(DATASETS)}  databases 1", applied.result())
    superset.start()
    try:
        superset.wait_healthy()
        yield superset
    finally:
        superset.stop()
        warehouse.rows(f"DROP USER '{name}'@'%%'", ())


def log_in(browser: Any, url: str, user: str, password: str) -> Page:
    """A page of somebody who has just logged in, and sees the overview."""
    page: Page = browser.new_page(locale="zh-CN", timezone_id="Asia/Shanghai")
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}/")
    page.wait_for_selector("#password")
    assert "请输入用户名和密码" in page.inner_text("body")
    page.fill("#username", user)
    page.fill("#password", password)
    page.keyboard.press("Enter")
    page.wait_for_selector(".grid-container .chart-slice")
    assert urlsplit(page.url).path == "/superset/dashboard/overview/"
    return page


@pytest.fixture(scope="module")
def look(superset: Superset, warehouse: Database) -> Iterator[Look]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        page = log_in(browser, superset.url, VIEWER, superset.secrets["viewer_password"])
        yield Look(superset, page, warehouse)
        browser.close()


@pytest.fixture(scope="module")
def administrator(look: Look) -> Iterator[Page]:
    """A page of the administrator."""
    page = log_in(look.page.context.browser, look.superset.url, ADMIN, look.superset.secrets["admin_password"])
    yield page
    page.context.close()


def session(superset: Superset, user: str, password: str) -> requests.Session:
    """Logged in as the API has it."""
    session = requests.Session()
    answer = session.post(
        f"{superset.url}/api/v1/security/login",
        json={"username": user, "password": password, "provider": "db", "refresh": False},
        timeout=60,
    )
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    token = session.get(f"{superset.url}/api/v1/security/csrf_token/", timeout=60).json()["result"]
    session.headers["X-CSRFToken"] = token
    return session


# --- who may come in -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/superset/dashboard/overview/", "/dashboard/list/", "/superset/welcome/"])
def test_who_is_not_logged_in_is_sent_to_the_login_page(superset: Superset, path: str) -> None:
    answer = requests.get(f"{superset.url}{path}", timeout=60)
    assert urlsplit(answer.url).path == "/login/"
    assert "实收" not in answer.text


def test_what_the_login_page_reports_does_not_undo_a_login(superset: Superset) -> None:
    page = requests.Session()
    page.get(f"{superset.url}/login/", timeout=60)
    before = dict(page.cookies)
    answer = page.post(f"{superset.url}/superset/log/?explode=events", data={"events": "[]"}, timeout=60)
    assert (answer.status_code, answer.headers.get("Set-Cookie")) == (204, None)
    assert dict(page.cookies) == before


def test_who_is_not_logged_in_gets_no_data(superset: Superset) -> None:
    for path in ("dashboard/", "chart/", "dataset/", "dashboard/overview/charts"):
        answer = requests.get(f"{superset.url}/api/v1/{path}", timeout=60)
        assert answer.status_code in {401, 403, 404}, path
    query = {"datasource": {"id": 1, "type": "table"}, "queries": [{"metrics": ["paid"]}]}
    answer = requests.post(f"{superset.url}/api/v1/chart/data", json=query, timeout=60, allow_redirects=False)
    assert answer.status_code in {302, 400, 401, 403}
    assert "paid" not in answer.text


TITLES = [
    "经营总览", "订单明细", "商品分析", "用户分析", "复购与客户", "直播分析", "学习分析",
    "推广分析", "退款与福利", "同步监控",
]  # fmt: skip


def test_staff_may_look_and_nothing_else(superset: Superset) -> None:
    staff = session(superset, VIEWER, superset.secrets["viewer_password"])
    shown = staff.get(f"{superset.url}/api/v1/dashboard/", timeout=60).json()
    assert [page["dashboard_title"] for page in shown["result"]] == TITLES
    number = shown["result"][0]["id"]
    forbidden = [
        ("PUT", f"dashboard/{number}", {"dashboard_title": "x"}),
        ("DELETE", f"dashboard/{number}", None),
        ("POST", "chart/", {"slice_name": "x", "datasource_id": 1, "datasource_type": "table"}),
        ("POST", "sqllab/execute/", {"database_id": 1, "sql": "SELECT 1"}),
        ("GET", "security/users/", None),
        ("POST", "assets/import/", None),
    ]
    for method, path, body in forbidden:
        answer = staff.request(method, f"{superset.url}/api/v1/{path}", json=body, timeout=60)
        assert answer.status_code in {403, 404}, f"{method} {path}: {answer.status_code} {answer.text[:200]}"


def add_person(superset: Superset, name: str, role: str) -> requests.Session:
    """A user with one role, made by the administrator, logged in."""
    admin = session(superset, ADMIN, superset.secrets["admin_password"])
    roles = admin.get(f"{superset.url}/api/v1/security/roles/?q=(page_size:100)", timeout=60).json()["result"]
    [number] = [one["id"] for one in roles if one["name"] == role]
    person = {
        "username": name, "first_name": name, "last_name": "x", "email": f"{name}@example.com", "active": True,
        "password": "Aa1-of-a-colleague", "roles": [number],
    }  # fmt: skip
    answer = admin.post(f"{superset.url}/api/v1/security/users/", json=person, timeout=60)
    assert answer.ok, answer.text[:300]
    return session(superset, name, "Aa1-of-a-colleague")


def run_sql(superset: Superset, who: requests.Session, sql: str) -> requests.Response:
    [database] = who.get(f"{superset.url}/api/v1/database/", timeout=60).json()["result"]
    query = {"database_id": database["id"], "sql": sql, "schema": urlsplit(superset.warehouse).path.lstrip("/")}
    return who.post(f"{superset.url}/api/v1/sqllab/execute/", json=query, timeout=60)


def dataset_id(superset: Superset, who: requests.Session, name: str) -> int:
    found = who.get(f"{superset.url}/api/v1/dataset/?q=(page_size:100)", timeout=60).json()["result"]
    [number] = [one["id"] for one in found if one["table_name"] == name]
    return int(number)


def paid_orders(superset: Superset, who: requests.Session, dataset: str, metric: str) -> int:
    query = {
        "datasource": {"id": dataset_id(superset, who, dataset), "type": "table"},
        "queries": [{"metrics": [metric], "columns": []}],
    }
    answer = who.post(f"{superset.url}/api/v1/chart/data", json=query, timeout=60)
    [row] = answer.json()["result"][0]["data"]
    return int(row[metric] or 0)


def test_administrators_and_analysts_query_in_the_sql_lab_and_only_read_the_marts(superset: Superset) -> None:
    admin = session(superset, ADMIN, superset.secrets["admin_password"])
    for who in (admin, add_person(superset, "fenxi", "分析师")):
        for sql, allowed in (
            ("SELECT COUNT(*) AS n FROM bi_sales_daily", True),
            ("SELECT COUNT(*) AS n FROM orders", False),
            ("DELETE FROM bi_sales_daily", False),
        ):
            answer = run_sql(superset, who, sql)
            assert answer.ok == allowed, answer.text[:300]


def test_an_analyst_makes_a_chart_and_changes_none_of_ours(superset: Superset) -> None:
    analyst = add_person(superset, "fenxi2", "分析师")
    number = dataset_id(superset, analyst, "bi_sales_daily")
    chart = {
        "slice_name": "我的图", "datasource_id": number, "datasource_type": "table", "viz_type": "big_number_total",
        "params": '{"viz_type": "big_number_total", "metric": "paid"}',
    }  # fmt: skip
    made = analyst.post(f"{superset.url}/api/v1/chart/", json=chart, timeout=60)
    assert made.status_code == 201, made.text[:300]
    mine = made.json()["id"]
    query = "(filters:!((col:slice_name,opr:eq,value:实收金额)))"
    ours = analyst.get(f"{superset.url}/api/v1/chart/?q={query}", timeout=60).json()["result"]
    for number, allowed in ((mine, True), (ours[0]["id"], False)):
        answer = analyst.put(f"{superset.url}/api/v1/chart/{number}", json={"slice_name": "改名"}, timeout=60)
        assert answer.ok == allowed, answer.text[:300]
    for path in ("security/users/", "security/roles/"):
        assert analyst.get(f"{superset.url}/api/v1/{path}", timeout=60).status_code == 403
    assert analyst.delete(f"{superset.url}/api/v1/chart/{mine}", timeout=60).ok


def test_a_role_of_one_shop_sees_that_shop_only(superset: Superset, warehouse: Database) -> None:
    everything = warehouse.value("SELECT SUM(orders_paid) FROM bi_sales_daily")
    assert everything > 0
    for name, role, expected in (("ben", SHOP_ROLE, everything), ("bie", OTHER_ROLE, 0)):
        who = add_person(superset, name, role)
        assert paid_orders(superset, who, "bi_sales_daily", "orders") == expected
        assert paid_orders(superset, who, "bi_orders", "paid_orders") == expected
        assert paid_orders(superset, who, "bi_shops", "shops") == (expected > 0)


# --- what they see -------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", list(TILES))
def test_every_chart_is_drawn_and_every_big_number_is_what_the_sql_says(look: Look, slug: str) -> None:
    refused: list[str] = []

    def note(answer: Any) -> None:
        if "/chart/data" in answer.url and answer.status >= 400:
            refused.append(f"{answer.status} {answer.text()[:300]}")

    look.page.on("response", note)
    look.open(slug)
    look.page.remove_listener("response", note)
    assert refused == []
    assert look.page.locator("[role=alert]").count() == 0
    big = "[data-test-viz-type=big_number_total]"
    titles = look.page.locator(big).evaluate_all("all => all.map(e => e.dataset.testChartName)")
    assert titles == ["数据截至", *TILES[slug]]
    until = look.chart("数据截至").locator(".header-line").inner_text()
    assert until == look.database.value(UNTIL)
    for title, sql in TILES[slug].items():
        shown, exact = look.tile(title), look.expected(sql, default_span(slug))
        places = Decimal(1).scaleb(int(shown.as_tuple().exponent))
        spare = 1 if "分钟" in title else 0  # the minute may have changed since
        assert abs(shown - exact) <= places / 2 + spare, f"{title}: the page says {shown}, the warehouse {exact}"
        assert exact > 0 or title in MAY_BE_NOTHING, f"{title} proves nothing"
    if SHOTS:
        look.page.screenshot(path=ROOT / SHOTS / f"bi-{slug}.png")
    shown = look.page.inner_text("body")
    assert [words for words in SAYS.get(slug, ()) if words not in shown] == []
    assert look.page.locator("[data-test-viz-type=pie]").count() == 0, "a pie cuts its labels off"
    assert look.page.locator("td").evaluate_all(RED) == (["失败"] if slug == "sync" else [])


def cells(look: Look, title: str) -> dict[str, list[str]]:
    """A table of texts: first cell of each line → the others."""
    lines = (
        look.chart(title)
        .locator("tbody tr")
        .evaluate_all("all => all.map(line => [...line.cells].map(cell => cell.innerText.trim()))")
    )
    return {first: others for first, *others in lines}


@pytest.mark.parametrize("width", [1440, 390])
def test_the_first_screen_says_at_once_what_yesterday_brought(look: Look, width: int) -> None:
    look.page.set_viewport_size({"width": width, "height": 900})
    look.page.goto(f"{look.superset.url}/", wait_until="domcontentloaded")
    look.page.wait_for_selector("[data-test-chart-name='本月累计（至昨日）'] tbody tr")
    shown = look.page.inner_text("body")
    for words in ("昨日", "今日", "本月累计（至昨日）", "数据截至", "较前日", "较上周", "较去年"):
        assert words in shown
    today = default_span("overview")[1]
    yesterday = (today - timedelta(days=1), today)
    board = cells(look, "昨日")
    paid = look.expected(f"SELECT SUM(price) {PAID}", yesterday)
    before = look.expected(f"SELECT SUM(price) {PAID}", (today - timedelta(days=2), today - timedelta(days=1)))
    assert board["实收（元）"][:2] == [f"{paid:,.2f}", f"{(paid / before - 1) * 100:+,.1f}%"]
    assert board["支付订单数"][0] == f"{look.expected(f'SELECT COUNT(*) {PAID}', yesterday):,}"
    assert board["新客"][0] == f"{look.expected(NEW, yesterday):,}"
    assert cells(look, "今日（至最近一次同步，与同一时段比）")["日期"][0].startswith(f"{today:%m-%d} 至 ")
    no_formula_stands_for_the_range(look, width)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize(
    ("slug", "title"), [("lives", "7 天内付款观众"), ("learning", "流失风险人数"), ("promotion", "推广订单数")]
)
def test_on_a_screen_and_on_a_phone_the_number_is_there(look: Look, slug: str, title: str, width: int) -> None:
    """And nobody is named on the page."""
    look.page.set_viewport_size({"width": width, "height": 900})
    look.page.goto(f"{look.superset.url}/superset/dashboard/{slug}/", wait_until="domcontentloaded")
    tile = look.chart(title)
    tile.scroll_into_view_if_needed()
    tile.locator(".header-line").wait_for()
    assert look.tile(title) == look.expected(TILES[slug][title], default_span(slug))
    assert look.page.locator("[role=alert]").count() == 0
    shown = look.page.inner_text("body")
    assert [words for words in ("张三", "u_promoter") if words in shown] == []


def no_formula_stands_for_the_range(look: Look, width: int) -> None:
    """On the date filter, in its form, and among the filters of a chart."""
    first, end = default_span("overview")
    said = f"{first:%Y-%m-%d} 至 {end - timedelta(days=1):%Y-%m-%d}"
    if width < 600:
        look.page.get_by_text("更多筛选").click()
        look.page.wait_for_selector(f"text={said}")
    else:
        look.page.locator("[data-test-chart-name='昨日'] .filter-counts").hover()
        look.page.wait_for_selector("text=/^近 90 日$/ >> nth=1")
        look.page.get_by_text(said).click()
        look.page.wait_for_selector(".time-range-popover")
        form = look.page.inner_text(".time-range-popover")
        assert (form.count("自定义"), form.count("天之前"), form.count(said)) == (2, 1, 1), "it can be filled in"
    shown = look.page.inner_text("body")
    assert [sign for sign in ("≤", "DATE", "col <", "today") if sign in shown] == []


def reached(look: Look) -> str:
    """The paid orders on 订单明细, which a click is opening."""
    look.page.wait_for_url("**/superset/dashboard/orders/**")
    look.page.wait_for_selector("[data-test-chart-name='支付的订单'] tbody tr")
    look.page.wait_for_function(READY)
    listed = look.chart("支付的订单").locator("tbody tr").count()
    shown = f"{look.tile('支付订单数'):,}"
    assert listed == min(20, int(shown.replace(",", "")))
    return shown


def test_a_figure_reaches_its_orders_in_one_click(look: Look) -> None:
    look.open("overview")
    yesterday = cells(look, "昨日")["支付订单数"][0]
    look.page.get_by_role("link", name="昨日", exact=True).last.click()
    assert reached(look) == yesterday


def test_a_day_reaches_its_orders_and_a_bar_filters_them(look: Look) -> None:
    look.open("overview")
    [(day, orders), *_] = [(day, line[1]) for day, line in cells(look, "查某日的订单").items() if int(line[1]) > 3]
    look.chart("查某日的订单").locator("tr", has_text=day).get_by_role("link").click()
    assert reached(look) == orders
    bars = cells(look, "支付订单数：福利判定（点击即筛选）")
    name, [count] = next(iter(bars.items()))
    look.chart("支付订单数：福利判定（点击即筛选）").locator("tbody td").first.click()
    look.page.wait_for_function(
        "count => document.querySelector('[data-test-chart-name=\"支付订单数\"] .header-line')?.innerText === count",
        arg=count,
    )
    look.page.wait_for_function(READY)
    assert reached(look) == count
    assert name in look.chart("支付的订单").inner_text()


def test_orders_are_exported_as_they_are_filtered(look: Look) -> None:
    look.open("orders")
    header, *rows = csv.reader(io.StringIO(export(look, "退款的订单", "导出 CSV").decode("utf-8-sig")))
    assert header[:3] == ["退款时间", "订单ID", "店铺"]
    assert {row[2] for row in rows} == {bi_shop.SHOP_NAME}
    assert len(rows) == look.expected(f"SELECT COUNT(*) {REFUNDED}", default_span("orders"))


def test_somebody_new_is_added_logs_in_and_changes_the_password(look: Look) -> None:
    """All of it with the mouse: what the administrator sees, and what the colleague sees."""
    url, browser = look.superset.url, look.page.context.browser
    first, second = "Aa1-for-the-first-day", "Bb2-of-the-colleague"
    admin = log_in(browser, url, ADMIN, look.superset.secrets["admin_password"])
    admin.goto(f"{url}/users/")
    admin.wait_for_selector(f"text={VIEWER}")
    for path in ("/roles/", "/list_groups/"):
        admin.goto(f"{url}{path}")
        admin.wait_for_selector("[data-test=listview-table], .ant-table")
    admin.goto(f"{url}/users/")
    admin.locator("button").filter(has=admin.locator("[aria-label=plus]")).first.click()
    values = {"first_name": "小", "last_name": "王", "username": "xiaowang", "email": "xiaowang@example.com"}
    for name, value in {**values, "password": first, "confirmPassword": first}.items():
        admin.fill(f"[role=dialog] #{name}", value)
    admin.check("[role=dialog] #active")
    admin.click("[role=dialog] #roles", force=True)  # the list's own placeholder lies over it
    admin.keyboard.type("分析师")
    admin.locator(".ant-select-item-option", has_text="分析师").first.click()
    admin.locator("[data-test=form-modal-save-button]").click()
    admin.wait_for_selector("text=xiaowang@example.com")
    admin.context.close()
    person = log_in(browser, url, "xiaowang", first)
    assert person.locator("text=SQL").first.is_visible()
    person.locator("text=设置").first.hover()
    person.locator("a[href='/user_info/']").click()
    person.locator("button").filter(has=person.locator("[aria-label=lock]")).first.click()
    for name in ("password", "confirm_password"):
        person.fill(f"[role=dialog] #{name}", second)
    with person.expect_response(lambda answer: "/api/v1/me/" in answer.url and answer.request.method == "PUT") as put:
        person.locator("[data-test=form-modal-save-button]").click()
    assert put.value.ok
    person.context.close()
    log_in(browser, url, "xiaowang", second).context.close()
    refused = requests.post(
        f"{url}/api/v1/security/login",
        json={"username": "xiaowang", "password": first, "provider": "db", "refresh": False},
        timeout=60,
    )
    assert refused.status_code == 401


GUESSES = (
    "反选所有", "删除数据库", "货币", "星期日", "星期二", "30秒钟", "看板不存在", "边缘宽度", "连续式", "处于", "流式",
    "激活邮件报告", "新增规则", "编辑查询", "图表名称", "查询链接",
)  # fmt: skip
"""What Superset's catalogue has for "Select all", "Select a database", "Current", "Summary", "True" and others."""


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/list/",
        "/chart/list/",
        "/users/",
        "/roles/",
        "/list_groups/",
        "/user_info/",
        "/sqllab/",
        "/theme/list/",
    ],
)
def test_no_guess_of_a_machine_is_on_a_page(administrator: Page, superset: Superset, path: str) -> None:
    administrator.goto(f"{superset.url}{path}")
    administrator.wait_for_load_state("networkidle")
    shown = administrator.inner_text("body")
    assert "设置" in shown
    assert [word for word in GUESSES if word in shown] == []


def test_a_range_is_said_in_days_and_else_from_when_until_before_when(look: Look) -> None:
    words = subprocess.run(
        [PYTHON, "-c", "import patch_pages as p; print(p.words(p.Assets.read(p.ASSETS)))"],
        cwd=ROOT / "include" / "superset",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    said = {
        "2026-11-01 : 2026-12-01": "2026-11-01 至 2026-11-30",
        "2026-02-28T00:00:00 : 2026-03-01T00:00:00": "2026-02-28",
        "2026-11-01T08:00:00 : now": "2026-11-01 08:00:00 起，现在 前",
        'DATEADD(DATETIME("today"), -3, month) : today': "今天前 3 个月 起，今天 前",
        'DATEADD(DATETIME("today"), -90, day) : today': "近 90 日",
        "Last week": "最近一周",
        "专栏, 直播": "专栏, 直播",
    }
    assert {text: look.page.evaluate(f"text => ({words}).range(text)", text) for text in said} == said
    ends = {("", "2026-12-01"): "2026-12-01 前", ("2026-12-01", ""): "2026-12-01 起", ("", ""): "不限"}
    assert {two: look.page.evaluate(f"two => ({words}).ends(...two)", [*two]) for two in ends} == ends


@pytest.mark.parametrize("width", [1440, 390])
def test_what_staff_may_not_open_and_what_is_not_there_is_said_in_chinese(look: Look, width: int) -> None:
    look.page.set_viewport_size({"width": width, "height": 900})
    for path, status, title in (
        ("/sqllab/", 403, "没有权限"),
        ("/chart/add", 403, "没有权限"),
        ("/explore/?slice_id=1", 403, "没有权限"),
        ("/users/", 403, "没有权限"),
        ("/superset/dashboard/999/", 404, "没有这个页面"),
        ("/nothing", 404, "没有这个页面"),
    ):
        answer = look.page.goto(f"{look.superset.url}{path}")
        assert answer
        assert (answer.status, look.page.inner_text("h1")) == (status, title), path
        shown = look.page.inner_text("body")
        assert re.findall("[A-Za-z]{2,}", shown) == []
        assert look.page.evaluate("document.documentElement.scrollWidth") <= width
    look.page.get_by_text("回到看板首页").click()
    look.page.wait_for_url("**/superset/dashboard/overview/")


def test_programs_get_errors_that_they_can_read(superset: Superset) -> None:
    staff = session(superset, VIEWER, superset.secrets["viewer_password"])
    for path, status in (("dashboard/99999", 404), ("security/users/", 403)):
        answer = staff.get(f"{superset.url}/api/v1/{path}", headers={"Accept": "application/json"}, timeout=60)
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (status, "application/json")


def test_staff_may_change_their_own_password_from_the_menu(look: Look) -> None:
    look.page.locator("text=设置").first.hover()
    look.page.locator("a[href='/user_info/']").click()
    look.page.wait_for_selector("[aria-label=lock]")
    assert VIEWER in look.page.inner_text("body")


def test_a_filter_changes_the_numbers(look: Look) -> None:
    look.open("overview")
    everything = look.tile("支付订单数")
    look.page.locator("[data-test='NATIVE_FILTER-product_type']").click()
    choice = look.page.locator(".ant-select-item-option").first
    kind = choice.inner_text()
    choice.click()
    look.page.keyboard.press("Escape")
    look.page.locator("[data-test='filter-bar__apply-button']").click()
    look.page.wait_for_function(
        "before => document.querySelector('[data-test-chart-name=\"支付订单数\"] .header-line')?.innerText !== before",
        arg=f"{everything:,}",
    )
    look.page.wait_for_function(READY)
    sql = f"SELECT COUNT(*) {PAID} AND resource_type_text = '{kind}'"
    assert 0 < look.tile("支付订单数") == look.expected(sql, default_span("overview")) < everything


def export(look: Look, title: str, choice: str) -> bytes:
    """What somebody gets from the menu of a chart."""
    look.chart(title).locator("button[id$='-controls']").click()
    look.page.get_by_text("下载", exact=True).hover()
    with look.page.expect_download() as download:
        # Not by the mouse: the way to it can lead out of the menu, which then closes.
        look.page.get_by_text(choice, exact=True).dispatch_event("click")
    look.page.keyboard.press("Escape")
    assert download.value.suggested_filename.endswith({"导出 CSV": ".csv", "导出 Excel": ".xlsx"}[choice])
    return Path(download.value.path()).read_bytes()


def test_excel_opens_what_is_exported(look: Look) -> None:
    look.open("overview")
    body = export(look, "店铺对比", "导出 CSV")
    assert body.startswith(b"\xef\xbb\xbf")
    header, row = csv.reader(io.StringIO(body.decode("utf-8-sig")))
    assert header[:2] == ["店铺", "实收金额（元）"]
    assert Decimal(row[1]) == look.expected(f"SELECT SUM(price) {PAID}", default_span("overview"))
    sheet = openpyxl.load_workbook(io.BytesIO(export(look, "店铺对比", "导出 Excel"))).worksheets[0]
    names, values, *rest = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert ("店铺" in names, rest) == (True, [])
    assert float(values[names.index("实收金额（元）")]) == pytest.approx(float(row[1]))


@pytest.mark.parametrize(("limit", "is_streamed"), [(100_001, False), (1_000_000, True)])
def test_excel_opens_a_csv_of_any_size(superset: Superset, warehouse: Database, limit: int, is_streamed: bool) -> None:
    """What Superset may have to stream, by the limit that is asked for, has the mark in front as a small one has."""
    admin = session(superset, "admin", superset.secrets["admin_password"])
    query = "(filters:!((col:table_name,opr:eq,value:bi_sales_daily)))"
    [dataset] = admin.get(f"{superset.url}/api/v1/dataset/?q={query}", timeout=60).json()["result"]
    asked = {
        "datasource": {"id": dataset["id"], "type": "table"},
        "queries": [{"columns": ["product_type"], "metrics": ["orders"], "row_limit": limit}],
        "form_data": {"row_limit": limit},
        "result_format": "csv",
        "result_type": "full",
    }
    answer = admin.post(f"{superset.url}/api/v1/chart/data", json=asked, timeout=60)
    assert answer.headers.get("Transfer-Encoding", "") == ("chunked" if is_streamed else "")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert not answer.content[3:].startswith(b"\xef\xbb\xbf")
    _, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    expected = warehouse.rows("SELECT product_type, SUM(orders_paid) AS n FROM bi_sales_daily GROUP BY product_type")
    assert sorted((name, int(count)) for name, count in rows) == sorted(
        (row["product_type"], int(row["n"])) for row in expected
    )


# --- how it gets there ---------------------------------------------------------------------------------


def test_applying_again_changes_nothing_and_a_mistake_changes_nothing(superset: Superset, tmp_path: Path) -> None:
    """In one process, on a copy: starting Superset takes longer than importing."""
    home = tmp_path / "home"
    shutil.copytree(superset.home, home)
    done = subprocess.run(
        [PYTHON, ROOT / "tests" / "live" / "superset_again.py"],
        env={**superset.environment(), "SUPERSET_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "as it should be"


def test_of_many_guesses_of_a_password_ten_are_looked_at(superset: Superset, tmp_path: Path) -> None:
    """In one process, on a copy: over the page and the interface, from many addresses, in every spelling."""
    home = tmp_path / "home"
    shutil.copytree(superset.home, home)
    done = subprocess.run(
        [PYTHON, ROOT / "tests" / "live" / "superset_guesses.py"],
        env={**superset.environment(), "SUPERSET_HOME": str(home), "SUPERSET_LOGIN_TRIES": "10"},
        input=superset.secrets["viewer_password"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "as it should be"


def test_a_dataset_that_the_warehouse_does_not_have_is_named(superset: Superset, tmp_path: Path) -> None:
    code = tmp_path / "superset"
    shutil.copytree(ROOT / "include" / "superset", code)
    dataset = code / "assets" / "datasets" / "live_daily.yaml"
    dataset.write_text(
        dataset.read_text("utf-8").replace("  title: 直播标题", "  title: 直播标题\n  city: 城市"), "utf-8"
    )
    with pytest.raises(RuntimeError, match=r"(?s)exit 2.*live_daily\.yaml.*city"):
        superset.apply(code)

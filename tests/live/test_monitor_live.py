"""The monitoring page in a live Airflow, in a real browser.

SCREENSHOTS=docs/images in the environment keeps pictures for the documentation.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openpyxl
import pytest
import requests

from emulator.process import running
from servers.airflow import ROOT, Standalone, wait_until
from support.fixtures import servers, shop_connection
from support.servers.browser import Visit, chromium
from support.worlds.shop import APP_ID, CLIENT_ID, SECRET, Database, Sync
from xiaoe.api import shop_names
from xiaoe.clock import BEIJING
from xiaoe.marts.refresh import Refresher
from xiaoe.monitor.operators import XiaoeStorageOperator
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.reports import links
from xiaoe.resources.registry import RESOURCES
from xiaoe.windows import EVER, Window

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.airflow,
    pytest.mark.slow,
    # One server is enough here: what differs between them is in tests/integration.
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

NOW = datetime.now(BEIJING).replace(microsecond=0)
HISTORY = timedelta(days=60)
CONN_ID = "kept_in_airflow"
USER, PASSWORD = "operator", "known-to-the-test-only"
NOT_LISTED = (
    "connection xiaoe_default: this server's IP address is not on the whitelist: add its outgoing address in"
    " 小鹅通 → IP白名单 (/xe.order.list.get/1.0.1 answered code 2051: ip not in whitelist)"
)
EVIL = "<script>document.title = 'run'</script><img src=x onerror=\"document.title='run'\"> 接口拒绝"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1440, "height": 900}


def note_alert(database: Database, message: str, log_url: str) -> None:
    database.rows(
        "INSERT INTO alerts (kind, dag_id, task_id, shop, cause, message, log_url, run_id, opened_at, last_seen_at,"
        " seen_count) VALUES ('failed', 'xiaoe_refunds', 'shop.stage', 'xiaoe_default', 'c', %s, %s,"
        " 'r', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), 3)",
        (message, log_url),
    )


@pytest.fixture(scope="module")
def warehouse(migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """An emulated shop, synced: all but five days of its orders, everything else, and an alert."""
    database = Database(migrated)
    database.empty()
    store = tmp_path_factory.mktemp("pages")
    with (
        pytest.MonkeyPatch.context() as patch,
        running(
            orders=600,
            start=f"{NOW - HISTORY:%Y-%m-%d}",
            now=f"{NOW:%Y-%m-%dT%H:%M:%S}",
            frozen=True,
            shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
        ) as shop,
    ):
        patch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", migrated)
        patch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(shop.url))
        patch.setenv("XIAOE_PAGE_STORE", f"file://{store}")
        sync = Sync(store)
        begin = (NOW - HISTORY).replace(hour=0, minute=0, second=0)
        sync.run(Window(begin, begin + timedelta(days=20)))
        sync.run(Window(begin + timedelta(days=25), NOW), mode="incremental", moves=True)
        sync.run(Window(begin, NOW), resource=RESOURCES["refunds"], mode="incremental", moves=True)
        sync.run(Window(EVER, NOW), resource=RESOURCES["products"], mode="whole")
        XiaoeStorageOperator(task_id="storage").execute({})
        Refresher(Warehouse(), APP_ID, now=NOW).refresh()
        with Warehouse().session() as session:
            shop_names.remember(session, APP_ID, "一店", "xiaoe_default")
            session.commit()
    note_alert(database, NOT_LISTED, "http://127.0.0.1/log")
    database.rows(
        "INSERT INTO backups (url, started_at, finished_at, encrypted, status, drilled_at, drill_status)"
        " VALUES ('file:///b', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), 1, 'success', UTC_TIMESTAMP(3), 'success')"
    )
    return database


class Guarded(Standalone):
    """An Airflow that asks who is there; with everybody an administrator, nothing could be refused."""

    def settings(self) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        self.home.mkdir(parents=True, exist_ok=True)
        passwords.write_text(json.dumps({USER: PASSWORD}), "utf-8")
        return {
            **super().settings(),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        }

    def token(self) -> str:
        known = {"username": USER, "password": PASSWORD}
        return str(requests.post(f"{self.url}/auth/token", json=known, timeout=60).json()["access_token"])


@pytest.fixture(scope="module")
def airflow(warehouse: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    airflow = Guarded(tmp_path_factory.mktemp("airflow"))
    airflow.start(
        {
            "XIAOE_MYSQL_CONN_ID": CONN_ID,
            "XIAOE_HISTORY_START": f"{NOW - HISTORY:%Y-%m-%d}",
            "AIRFLOW_CONN_XIAOE_DEFAULT": shop_connection("http://127.0.0.1:1"),
        }
    )
    try:
        airflow.wait_healthy()
        parts = urlsplit(warehouse.url)
        airflow.api(
            "POST", "connections", connection_id=CONN_ID, conn_type="mysql", host=parts.hostname, port=parts.port,
            login=parts.username, password=parts.password, schema=parts.path.lstrip("/"),
        )  # fmt: skip
        yield airflow
    finally:
        airflow.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


def visit(airflow: Standalone, browser: Any, scheme: str = "light", size: dict[str, int] = DESKTOP) -> Visit:
    """A visitor from China who has logged in."""
    guest = Visit(browser, color_scheme=scheme, viewport=size, locale="zh-CN")
    guest.page.context.add_cookies([{"name": "_token", "value": airflow.token(), "url": airflow.url}])
    return guest


def keep(visit: Visit, name: str, *, whole: bool = False) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        visit.page.screenshot(path=ROOT / folder / f"{name}.png", full_page=whole)


def token(airflow: Standalone) -> dict[str, str]:
    return {"Authorization": f"Bearer {airflow.token()}"}


def overflow(page: Any) -> int:
    """Pixels by which the page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def background(page: Any) -> int:
    """Brightness of the page's background, 0 to 765."""
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in colour.strip("rgb()").split(","))


def figures(page: Any) -> dict[str, str]:
    """Label of a card at the top → its value."""
    return {
        card.locator("span").inner_text(): card.locator("strong").inner_text()
        for card in page.locator("#cards .card").all()
    }


def test_nobody_sees_the_page_without_logging_in(airflow: Standalone) -> None:
    for path in ("page", "page?lang=en&shop=" + APP_ID, "today", "monitor.css"):
        for headers in ({}, {"Authorization": "Bearer not-a-token"}, {"Cookie": "_token=not-a-token"}):
            answer = requests.get(f"{airflow.url}/xiaoe-monitor/{path}", headers=headers, timeout=60)
            assert answer.status_code in (401, 403), (path, headers)
            assert APP_ID not in answer.text
    for path in ("docs", "redoc", "openapi.json"):
        answer = requests.get(f"{airflow.url}/xiaoe-monitor/{path}", headers=token(airflow), timeout=60)
        assert answer.status_code == 404, path


def test_with_a_token_it_is_there_and_allows_no_script(airflow: Standalone) -> None:
    answer = requests.get(f"{airflow.url}/xiaoe-monitor/page", headers=token(airflow), timeout=60)
    assert answer.status_code == 200
    assert APP_ID in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text


def test_the_page_opens_from_airflow_s_menu_and_says_what_the_tables_say(
    airflow: Standalone, warehouse: Database, browser: Any
) -> None:
    guest = visit(airflow, browser)
    guest.page.goto(airflow.url)
    guest.page.get_by_text("浏览", exact=True).or_(guest.page.get_by_text("Browse", exact=True)).first.click()
    guest.page.get_by_text("小鹅通 Xiaoe").first.click()
    guest.page.wait_for_url("**/plugin/xiaoe-monitor**")
    frame = guest.page.frame_locator("iframe")
    assert frame.locator("h1").inner_text() == "小鹅通同步监控"
    assert figures(frame)["未关闭告警"] == f"{warehouse.value('SELECT COUNT(*) FROM alerts'):,}"
    keep(guest, "monitor-light")
    frame.locator("#windows summary").click()
    shown = frame.locator("#windows tbody tr").all()
    stored = warehouse.rows("SELECT * FROM sync_windows ORDER BY id DESC LIMIT 20")
    assert len(shown) == len(stored) > 5
    for line, row in zip(shown, stored, strict=True):
        names = ("api_total", "staged", "inserted", "updated", "unchanged", "rejected", "passes")
        assert [cell.inner_text() for cell in line.locator("td").all()[4:]] == [f"{row[name]:,}" for name in names]
    frame.get_by_text("English").click()
    frame.get_by_role("heading", name="Coverage calendar").wait_for()
    assert frame.locator("h1").inner_text() == "Xiaoe sync monitor"
    assert guest.strangers == set()
    guest.close()


def test_the_calendar_shows_the_days_that_nobody_read(airflow: Standalone, browser: Any) -> None:
    guest = visit(airflow, browser)
    guest.page.goto(f"{airflow.url}/xiaoe-monitor/page")
    orders = guest.page.locator("#coverage .pair > div").first
    first, last = NOW - HISTORY + timedelta(days=20), NOW - HISTORY + timedelta(days=24)
    assert orders.locator(".gaps").inner_text() == f"缺口：{first:%Y-%m-%d} – {last:%Y-%m-%d}"
    assert orders.locator(".month i.gap").count() == 5
    assert orders.locator(".month i.day").count() == HISTORY.days - 5
    assert orders.locator(".month i.today").count() == 1
    guest.close()


@pytest.mark.parametrize(
    ("name", "scheme", "size"),
    [("monitor-dark", "dark", DESKTOP), ("monitor-phone", "light", PHONE), (None, "dark", PHONE)],
)
def test_it_follows_theme_and_size(
    airflow: Standalone, browser: Any, name: str | None, scheme: str, size: dict[str, int]
) -> None:
    guest = visit(airflow, browser, scheme, size)
    guest.page.goto(f"{airflow.url}/plugin/xiaoe-monitor")
    inner = guest.page.frame_locator("iframe")
    inner.locator("#storage svg").wait_for()
    frame = next(one for one in guest.page.frames if "/xiaoe-monitor/" in one.url)
    frame.wait_for_load_state()  # the style sheet, too
    assert overflow(frame) == 0
    guest.page.goto(f"{airflow.url}/xiaoe-monitor/page")
    assert overflow(guest.page) == 0
    assert (background(guest.page) < 200) == (scheme == "dark")
    assert guest.page.locator("svg.pygal-chart").count() == 3
    assert not [text for text in guest.complaints if "xiaoe-monitor" in text or "Content Security Policy" in text]
    assert guest.strangers == set()
    if name:
        keep(guest, name)
    guest.close()


SMALL = """() => [...document.querySelectorAll('body *')].filter(one => one.checkVisibility() && !one.closest('svg')
  && [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
  && parseFloat(getComputedStyle(one).fontSize) < 12).map(one => one.outerHTML.slice(0, 80))"""
"""Elements with a text of less than 12 pixels."""
TOO_WIDE = """() => [...document.querySelectorAll('body *')]
  .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5)
  .map(one => one.outerHTML.slice(0, 80))"""
"""Elements that reach beyond the screen."""
SHOWN = "() => { document.querySelectorAll('samp').forEach(one => one.remove()); return document.body.innerText; }"
"""What a page says, but for ids and what it quotes."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_today_opens_on_a_phone_by_its_link_without_a_log_in(
    airflow: Standalone, browser: Any, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    for name in ("AIRFLOW__API__SECRET_KEY", "AIRFLOW__API__BASE_URL"):
        monkeypatch.setenv(name, airflow.settings()[name])
    guest = Visit(browser, color_scheme=scheme, viewport=PHONE, locale="zh-CN", device_scale_factor=2)
    answer = guest.page.goto(links.address(datetime.now(BEIJING)))
    assert answer.status == 200
    assert guest.page.locator("h1").inner_text() == "今日经营"
    for kind in ("now", "yesterday", "month"):
        amount = guest.page.locator(f"#shop-0-{kind} .amount")
        assert amount.inner_text().startswith("¥")
        assert amount.bounding_box()["height"] < 40, "in one line"
    assert guest.page.locator(".spark rect").count() == 14
    assert guest.page.evaluate(SMALL) == []
    assert guest.page.evaluate(TOO_WIDE) == []
    assert overflow(guest.page) == 0
    assert (background(guest.page) < 200) == (scheme == "dark")
    assert guest.complaints == []
    assert guest.strangers == set()
    keep(guest, f"today-{scheme}", whole=True)
    guest.page.goto(f"{airflow.url}/xiaoe-monitor/page")
    assert guest.page.locator("h1").count() == 0, "the link opens that page only"
    guest.close()


def test_a_forged_or_expired_link_is_refused_in_words(airflow: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIRFLOW__API__SECRET_KEY", "AIRFLOW__API__BASE_URL"):
        monkeypatch.setenv(name, airflow.settings()[name])
    old = links.address(datetime.now(BEIJING) - timedelta(days=8))
    for address, said in ((old, "链接已过期"), (old[:-10] + "AAAA/today", "链接无效")):
        answer = requests.get(address, headers={"Accept-Language": "zh-CN"}, timeout=60)
        assert answer.status_code == 403
        assert said in answer.text
        assert APP_ID not in answer.text
        assert requests.get(address.replace("/today", "/monitor.css"), timeout=60).status_code == 403


def test_dags_have_chinese_names_and_their_forms_date_pickers(airflow: Standalone, browser: Any) -> None:
    airflow.wait_for_dags("xiaoe_orders_rescan")
    guest = visit(airflow, browser)
    guest.page.goto(f"{airflow.url}/dags")
    guest.page.get_by_role("link", name="15 天复查").wait_for()
    guest.page.goto(f"{airflow.url}/dags/xiaoe_orders_rescan")  # without the buttons of the list
    guest.page.get_by_text("店铺").first.wait_for()
    guest.page.get_by_text("失败的任务").first.wait_for()
    guest.page.get_by_role("button", name="触发").first.click()
    form = guest.page.get_by_role("dialog")
    form.get_by_text("接受缺失 accept_missing").wait_for()
    assert form.get_by_text("选择日期与时间").count() == 2
    assert "*" not in form.inner_text(), "nothing is required"
    guest.close()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_dags_and_the_page_speak_chinese_and_say_first_what_to_do(
    airflow: Standalone, warehouse: Database, browser: Any, size: dict[str, int]
) -> None:
    guest = visit(airflow, browser, size=size)
    guest.page.goto(f"{airflow.url}/dags?tags=复查")
    guest.page.get_by_role("link", name="90 天复查").wait_for()
    assert guest.page.get_by_role("link", name="每日备份").count() == 0
    assert guest.page.get_by_text("rescan", exact=True).count() == 0
    guest.page.goto(f"{airflow.url}/xiaoe-monitor/page")
    verdict = guest.page.locator("#verdict")
    assert re.fullmatch(r"有 \d+ 项要处理", verdict.locator("h2").inner_text())
    assert verdict.locator("li a").count() > 0
    assert {"严重问题", "警告"} <= figures(guest.page).keys()
    shown = re.sub(r"xiaoe_\w+|curl ifconfig\.me", "", guest.page.evaluate(SHOWN))
    assert set(re.findall("[A-Za-z]{4,}", shown)) <= {"English", "Airflow"}
    guest.close()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_table_comes_from_the_browser_as_staff_read_it(
    airflow: Standalone, browser: Any, tmp_path: Path, size: dict[str, int]
) -> None:
    guest = visit(airflow, browser, size=size)
    guest.page.goto(f"{airflow.url}/xiaoe-monitor/page")
    guest.page.locator("#export").click()
    guest.page.select_option("select[name=table]", label="每日商品销售")
    assert overflow(guest.page) == 0
    with guest.page.expect_download() as download:
        guest.page.get_by_role("button", name="下载").click()
    download.value.save_as(tmp_path / "products.xlsx")
    header, first, *_ = openpyxl.load_workbook(tmp_path / "products.xlsx").worksheets[0].iter_rows()
    cells = {cell.value: value for cell, value in zip(header, first, strict=True)}
    assert cells["商品名称"].value
    assert cells["支付订单数"].number_format == "#,##0"
    for cell in header:
        assert re.search("[\u4e00-\u9fff]", cell.value)
        assert "UTC" not in cell.value
        width = cell.parent.column_dimensions[cell.column_letter].width
        assert width >= sum(2 if ord(sign) > 255 else 1 for sign in cell.value), cell.value
    guest.close()


def test_what_a_message_says_is_text(airflow: Standalone, warehouse: Database, browser: Any) -> None:
    warehouse.rows("DELETE FROM alerts")
    note_alert(warehouse, EVIL, "javascript:alert(1)")
    guest = visit(airflow, browser)
    guest.page.goto(f"{airflow.url}/xiaoe-monitor/page")
    alert = guest.page.locator("#alerts li")
    assert alert.locator(".message").inner_text() == EVIL
    assert alert.locator("a").count() == 0, "an address that is none of the web is no link"
    assert guest.page.title() == "小鹅通同步监控"
    guest.close()


def test_without_the_warehouse_it_says_so(airflow: Standalone, browser: Any) -> None:
    """The last one: the connection is of no use afterwards."""
    airflow.api("PATCH", f"connections/{CONN_ID}?update_mask=port", connection_id=CONN_ID, conn_type="mysql", port=1)
    answer = requests.get(f"{airflow.url}/xiaoe-monitor/page", headers=token(airflow), timeout=60)
    assert answer.status_code == 503
    assert "暂时无法显示" in answer.text
    assert CONN_ID in answer.text
    assert "Traceback" not in answer.text
    log = airflow.home / "standalone.log"
    wait_until(lambda: "the page page.html cannot be shown" in log.read_text("utf-8", "replace"), 60, "no log of it")

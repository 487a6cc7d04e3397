"""The page 今日经营 without a database, and the links that open it."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from airflow.configuration import conf
from cryptography.fernet import Fernet

from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.marts.kpi import Kpi
from xiaoe.monitor import today, web
from xiaoe.monitor.i18n import Texts
from xiaoe.notify.addresses import opens_elsewhere
from xiaoe.reports import links
from xiaoe.reports.text import ShopFigures, Today

NOW = datetime(2026, 11, 30, 14, 25, tzinfo=BEIJING)
READ = datetime(2026, 11, 30, 14, 20, tzinfo=BEIJING)
DAY = timedelta(days=1)
YESTERDAY = date(2026, 11, 29)
KPI = Kpi(4, Decimal("1234.50"), 0, 1, Decimal("34.50"), 3, Decimal("1200.00"), 2)
BASES = {"前日": Kpi(paid_amount=Decimal(1000)), "上周同日": None, "去年同日": Kpi()}
SHOP = ShopFigures(
    "琴行", "", KPI, BASES, (KPI._replace(paid_amount=Decimal(9000)), KPI._replace(paid_amount=Decimal(10000))),
    Today("14:20", KPI._replace(paid_amount=Decimal(500)), KPI._replace(paid_amount=Decimal(400))),
)  # fmt: skip
TREND: list[Decimal | None] = [Decimal(100 * number) for number in range(1, 15)]


def view(*shops: ShopFigures, language: str = "zh", read: datetime | None = READ, **options: Any) -> dict[str, Any]:
    data = today.TodayData(YESTERDAY, read, [*shops], [options.get("trend", TREND)] * len(shops))
    texts = Texts(language, datetime(2026, 11, 30, 6, 25))
    return today.view(data, texts, NOW, has_monitor=options.get("has_monitor", True))


def html(*shops: ShopFigures, **options: Any) -> str:
    return web._template("today.html").render(view(*shops, **options))


# --- what it says --------------------------------------------------------------------------------------


def test_today_yesterday_and_the_month_with_what_they_compare_with() -> None:
    [shop] = view(SHOP)["shops"]
    assert [(one.label, one.amount, one.compared) for one in shop["spans"]] == [
        ("今日至 14:20", "¥500.00", "较昨日同时段 +25.0%"),
        ("昨日 11-29（周日）", "¥1,234.50", "较前日 +23.4%，上周同日无数据，去年同日为 0"),
        ("11 月累计（至 29 日）", "¥9,000.00", "较上月同期 -10.0%"),
    ]
    assert dict(shop["spans"][1].facts) == {
        "支付订单": "4 单",
        "净收入": "¥1,200.00",
        "付款人数": "3 人",
        "其中新客": "2 人",
        "客单价（按人）": "¥400.00",
        "笔单价（按单）": "¥308.62",
        "退款": "¥34.50",
        "退款订单": "1 单",
    }
    assert view(SHOP)["as_of"] == "数据截至 11-30 14:20（北京时间）"
    assert view(SHOP)["behind"] == ""


def test_a_day_that_is_not_read_to_its_end_says_so_and_shows_no_figures_but_today_s() -> None:
    unread = ShopFigures("琴行", "11-29 的订单尚未读全", Kpi(), {}, today=SHOP.today)
    [shop] = view(unread)["shops"]
    assert shop["unread"] == "暂无数字：11-29 的订单尚未读全"
    assert [one.kind for one in shop["spans"]] == ["now"]


def test_a_month_with_days_that_are_not_read_says_so() -> None:
    [shop] = view(SHOP._replace(month=(None, None)))["shops"]
    assert (shop["spans"][-1].amount, shop["spans"][-1].note) == ("", "有日期未读全")


def test_orders_without_an_amount_are_counted() -> None:
    [shop] = view(SHOP._replace(kpi=KPI._replace(orders_without_amount=2)))["shops"]
    assert shop["spans"][1].note == "2 单的金额缺失或读不出"


@pytest.mark.parametrize(
    ("read", "as_of"),
    [(None, "还没有读取过订单"), (datetime(2026, 11, 29, 23, 30, tzinfo=BEIJING), "数据截至 11-29 23:30（北京时间）")],
)
def test_orders_that_stand_still_since_yesterday_are_no_figures_of_today(read: datetime | None, as_of: str) -> None:
    found = view(SHOP._replace(today=None), read=read)
    assert found["as_of"] == as_of
    assert found["behind"] == "今天的订单还没有读到，请联系维护的人"


def test_a_watermark_ahead_of_the_clock_is_now() -> None:
    assert view(SHOP, read=NOW + DAY)["as_of"] == "数据截至 11-30 14:25（北京时间）"


def test_the_trend_is_drawn_to_the_highest_day_and_missing_days_are_told() -> None:
    [shop] = view(SHOP, trend=[None, *TREND[1:]])["shops"]
    bars, trend = shop["trend"]["bars"], shop["trend"]
    assert (len(bars), bars[-1].height, bars[6].height, bars[0].is_missing) == (14, 38, 19, True)
    assert (trend["first"], trend["last"], trend["most"], trend["missing"]) == (
        "11-16",
        "11-29",
        "最高 ¥1,400.00",
        "缺 1 天",
    )
    [shop] = view(SHOP, trend=[Decimal(0)] * 14)["shops"]
    assert {bar.height for bar in shop["trend"]["bars"]} == {0}
    [shop] = view(SHOP, trend=[None] * 14)["shops"]
    assert (shop["trend"]["most"], shop["trend"]["missing"]) == ("", "缺 14 天")


def test_the_page_has_no_script_and_no_style_of_its_own_and_escapes_names() -> None:
    evil = "<script>alert(1)</script>"
    shown = html(SHOP._replace(name="全部店铺"), SHOP._replace(name=evil))
    assert "&lt;script&gt;alert(1)" in shown
    assert not re.search(r"<script|<style|style=|https?:|javascript", shown)
    assert "全部店铺" in shown
    assert 'href="page?lang=zh"' in shown
    assert 'href="page' not in html(SHOP, has_monitor=False), "who has only a link sees this page only"


def test_the_chinese_page_has_no_english_and_the_english_one_says_the_same() -> None:
    body = html(SHOP).partition("<body>")[2]
    words = re.sub(r"<[^>]*>", " ", re.sub(r'<a [^>]*id="language".*?</a>', "", body, flags=re.S))
    assert re.findall("[A-Za-z]{2,}", words) == []
    [shop] = view(SHOP, language="en")["shops"]
    assert shop["spans"][1].label == "Yesterday, 11-29 Sun"
    assert shop["spans"][1].compared == "+23.4% against the day before, the week before: no data, the year before: 0"


# --- links ---------------------------------------------------------------------------------------------


@pytest.fixture
def key(clean_environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    clean_environment.setenv("AIRFLOW__API__SECRET_KEY", "the-key-of-this-airflow")
    clean_environment.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/")
    return clean_environment


def token(now: datetime = NOW) -> str:
    [found] = re.findall(r"^https://airflow\.example\.com/xiaoe-monitor/link/([\w=-]+)/today$", links.address(now))
    return str(found)


def test_a_link_opens_for_its_days_and_no_longer(key: pytest.MonkeyPatch) -> None:
    made = token()
    assert links.state(made, NOW) == links.state(made, NOW + 7 * DAY) == "valid"
    assert links.state(made, NOW + 7 * DAY + timedelta(seconds=1)) == "expired"
    assert links.state(made, NOW - timedelta(minutes=1)) == "expired", "a clock that was set back"
    key.setenv("XIAOE_TODAY_LINK_DAYS", "1")
    assert links.state(made, NOW + 2 * DAY) == "expired", "the setting counts as it is now"


def test_a_forged_link_opens_nothing(key: pytest.MonkeyPatch) -> None:
    made = token()
    middle = len(made) // 2
    changed = made[:middle] + ("A" if made[middle] != "A" else "B") + made[middle + 1 :]
    for forged in (changed, "", "x", made[:-8], Fernet(Fernet.generate_key()).encrypt(b"today").decode()):
        assert links.state(forged, NOW) == "forged", forged
    assert links.state(Fernet(links._key()).encrypt_at_time(b"else", int(NOW.timestamp())).decode(), NOW) == "forged"
    key.setenv("AIRFLOW__API__SECRET_KEY", "a-new-one")
    assert links.state(made, NOW) == "forged", "a new secret key ends every link"


def test_a_link_holds_nothing_that_is_readable(key: pytest.MonkeyPatch) -> None:
    assert token() != token(), "no two are alike"
    assert "today" not in token()
    assert "the-key" not in token()


def test_without_a_secret_key_there_is_no_link_and_the_setting_is_named(
    key: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key.delenv("AIRFLOW__API__SECRET_KEY")
    with pytest.raises(XiaoeConfigError, match="AIRFLOW__API__SECRET_KEY"):
        links.address(NOW)
    assert links.lines(NOW) == []
    assert "AIRFLOW__API__SECRET_KEY" in caplog.text


def test_the_report_has_a_link_only_where_people_can_open_it(key: pytest.MonkeyPatch) -> None:
    [line] = links.lines(NOW)
    assert line.startswith("手机查看（7 天内有效）：https://airflow.example.com/xiaoe-monitor/link/")
    for here in ("http://localhost:8080", "http://127.0.0.1:8080", ""):
        key.setenv("AIRFLOW__API__BASE_URL", here)
        assert not opens_elsewhere(conf.get("api", "base_url"))
        assert links.lines(NOW) == []

"""The morning report on a small shop, worked out by hand, and how it reaches staff once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from support.fixtures import shop_connection
from support.servers.inbox import ChatService, MailServer, body, chat_service, mail_server
from support.worlds import two_shops
from support.worlds.marts import refresh
from support.worlds.shop import Database
from support.worlds.two_shops import NOW, A, B, read
from xiaoe import clock
from xiaoe.api import shop_names
from xiaoe.clock import BEIJING, midnight
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.marts import kpi
from xiaoe.marts.periods import Period
from xiaoe.monitor import today, web
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.reports import links
from xiaoe.reports.operators import XiaoeReportOperator, XiaoeReportSendOperator

pytestmark = pytest.mark.mysql

DAY = timedelta(days=1)

DAY_OF_A = [
    "实收 210.00 元，较前日 +133.3%，较上周同日 +75.0%，去年同日无数据；净收入 120.00 元",
    "支付 5 单，较前日 +400.0%；付款 3 人，其中新客 1 人",
    "客单价（按人）66.67 元，笔单价（按单）42.00 元",
    "退款 90.00 元，1 单，前日为 0",
    "本月累计实收 480.00 元，较上月同期 +140.0%；今日至 08:00 实收 40.00 元，昨日同时段为 0",
    "异常：无",
]
DAY_OF_B = [
    "实收 1,000.00 元，与前日持平，上周同日为 0，去年同日无数据；净收入 1,000.00 元",
    "支付 1 单，与前日持平；付款 1 人，其中新客 0 人",
    "客单价（按人）1,000.00 元，笔单价（按单）1,000.00 元",
    "退款 0.00 元，0 单，与前日持平",
    "本月累计实收 2,000.00 元，上月同期为 0；今日至 08:00 实收 0.00 元，与昨日同时段持平",
    "异常：无",
]
DAY_OF_ALL = [
    "实收 1,210.00 元，较前日 +11.0%，较上周同日 +908.3%，去年同日无数据；净收入 1,120.00 元",
    "支付 6 单，较前日 +200.0%；付款 4 人，其中新客 1 人",
    "客单价（按人）300.00 元，笔单价（按单）201.67 元",
    "退款 90.00 元，1 单，前日为 0",
    "本月累计实收 2,480.00 元，较上月同期 +1140.0%；今日至 08:00 实收 40.00 元，昨日同时段为 0",
    "异常：无",
]
WEEK_OF_A = [
    "实收 360.00 元，较上周 +200.0%，去年同周无数据；净收入 270.00 元",
    "支付 7 单，较上周 +600.0%；付款 4 人，其中新客 2 人",
    "客单价（按人）87.50 元，笔单价（按单）51.43 元",
    "退款 90.00 元，1 单，上周为 0",
]
MONTH_OF_A = [
    "实收 480.00 元，较上月 +140.0%，去年同月无数据；净收入 390.00 元",
    "支付 8 单，较上月 +700.0%；付款 4 人，其中新客 3 人",
    "客单价（按人）117.50 元，笔单价（按单）60.00 元",
    "退款 90.00 元，1 单，上月为 0",
]
SCHEDULED: Any = {
    "dag_run": SimpleNamespace(run_type="scheduled", run_after=NOW),
    "params": {"day": None},
    "data_interval_end": NOW,
}


@pytest.fixture
def session(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    for name in ("XIAOE_REPORT_MAIL_TO", "XIAOE_REPORT_CHAT_CONN_ID"):
        monkeypatch.delenv(name, raising=False)
    for conn_id, shop_id in (("XIAOE_FIRST", A), ("XIAOE_SECOND", B)):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", shop_connection("http://127.0.0.1:1", app_id=shop_id))
    with Warehouse().session() as session:
        two_shops.fill(session)
        shop_names.remember(session, A, "琴行", "xiaoe_first")
        session.commit()
        yield session


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection())
        monkeypatch.setenv("XIAOE_REPORT_MAIL_TO", "boss@example.com")
        yield server


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatService]:
    with chat_service() as service:
        service.stand_in(monkeypatch)
        monkeypatch.setenv("AIRFLOW_CONN_APPRISE_BOSS", service.connection("wecombot://abcdefgh12345678/"))
        monkeypatch.setenv("XIAOE_REPORT_CHAT_CONN_ID", "apprise_boss")
        yield service


def prepare(*conn_ids: str, day: str | None = None) -> list[dict[str, Any]]:
    context = SCHEDULED | {"params": {"day": day}}
    return XiaoeReportOperator(task_id="prepare", xiaoe_conn_ids=[*conn_ids] or ["xiaoe_first"]).execute(context)


def send(channel: str, reports: list[dict[str, Any]]) -> list[str]:
    return XiaoeReportSendOperator(task_id=channel, channel=channel, reports=reports).execute({})  # type: ignore[arg-type]


def sent(database: Database) -> list[tuple[Any, ...]]:
    rows = database.rows("SELECT period, channel, is_complete FROM report_sends ORDER BY period, channel")
    return [tuple(row.values()) for row in rows]


# --- the figures ---------------------------------------------------------------------------------------


def test_a_day_a_week_and_a_month_of_one_shop(session: Session) -> None:
    day, week, month = prepare()
    assert day == {
        "period": "day",
        "first_day": "2026-05-31",
        "title": "经营早报 2026-05-31（周日）：实收 210.00 元",
        "lines": ["【琴行】", *DAY_OF_A],
        "is_complete": True,
    }
    assert (week["title"], week["lines"]) == (
        "经营周报 2026-05-25 至 2026-05-31：实收 360.00 元",
        ["【琴行】", *WEEK_OF_A],
    )
    assert (month["title"], month["lines"]) == ("经营月报 2026 年 5 月：实收 480.00 元", ["【琴行】", *MONTH_OF_A])


def test_several_shops_have_their_sum_first(session: Session) -> None:
    day, *_ = prepare("xiaoe_first", "xiaoe_second")
    assert day["title"] == "经营早报 2026-05-31（周日）：实收 1,210.00 元"
    assert day["lines"] == ["【全部店铺】", *DAY_OF_ALL, "【琴行】", *DAY_OF_A, "【appB】", *DAY_OF_B]


def test_targets_of_the_month_are_in_the_day_s_and_the_month_s_report(session: Session) -> None:
    """Of all shops together only what each of them aims at; those of other months say nothing."""
    targets = [
        (A, "2026-05-01", "paid_amount", 400), (A, "2026-05-01", "new_buyers", 10),
        (A, "2026-06-01", "paid_amount", 1), (B, "2026-05-01", "paid_amount", 3600),
    ]  # fmt: skip
    session.insert_many("INSERT INTO targets VALUES (%s, %s, %s, %s, '2026-05-01')", targets)
    session.commit()
    day, week, month = prepare("xiaoe_first", "xiaoe_second")
    of_a = "目标（5 月，时间进度 100.0%）：实收达成 120.0%；新客达成 30.0%，还差 7"
    of_all = "目标（5 月，时间进度 100.0%）：实收达成 62.0%，还差 1,520.00 元"
    of_b = "目标（5 月，时间进度 100.0%）：实收达成 55.6%，还差 1,600.00 元"
    for report in (day, month):
        assert [line for line in report["lines"] if line.startswith("目标")] == [of_all, of_a, of_b]
    assert not [line for line in week["lines"] if line.startswith("目标")]
    assert day["lines"][6:8] == [of_all, "异常：无"]
    [past] = prepare(day="2026-05-29")
    assert past["lines"][6] == "目标（5 月，时间进度 93.5%）：实收达成 45.0%，还差 220.00 元；新客达成 10.0%，还差 9"


def test_a_past_day_says_nothing_of_today(session: Session) -> None:
    [day] = prepare(day="2026-05-29")
    assert day["lines"][1].startswith("实收 60.00 元，前日为 0，")
    assert day["lines"][5] == "本月累计实收 180.00 元，较上月同期 -10.0%", "a4 and a10 against a6"


def test_the_mart_the_orders_and_sql_by_hand_agree_on_every_day(session: Session, database: Database) -> None:
    by_hand = (
        "SELECT (SELECT COUNT(*) FROM orders WHERE shop_id = 'appA' AND DATE(pay_time) = %s),"
        " (SELECT COALESCE(SUM(price), 0) FROM orders WHERE shop_id = 'appA' AND DATE(pay_time) = %s),"
        " (SELECT COUNT(*) FROM orders WHERE shop_id = 'appA' AND DATE(refund_time) = %s),"
        " (SELECT COALESCE(SUM(refund_money), 0) FROM orders WHERE shop_id = 'appA' AND DATE(refund_time) = %s),"
        " (SELECT COUNT(DISTINCT user_id) FROM orders WHERE shop_id = 'appA' AND DATE(pay_time) = %s),"
        " (SELECT COUNT(*) FROM (SELECT MIN(DATE(pay_time)) AS day FROM orders WHERE shop_id = 'appA'"
        " AND user_id IS NOT NULL GROUP BY user_id) AS firsts WHERE day = %s)"
    )
    refresh(A, NOW.replace(tzinfo=None))
    days = [date(2026, 4, 15) + DAY * number for number in range(47)]
    held = kpi.covered_days(session, A, days)
    assert [*held] == days, "also those on which nothing happened"
    for day, found in held.items():
        [expected] = session.query(by_hand, (day,) * 6)
        assert expected == (
            found.orders_paid, found.paid_amount, found.refund_orders, found.refund_amount, found.buyers,
            found.new_buyers,
        )  # fmt: skip
        assert kpi.between(session, A, midnight(day), midnight(day + DAY)) == found


# --- days that are not complete ------------------------------------------------------------------------


def test_a_day_that_was_not_read_to_its_end_has_no_figures(session: Session, database: Database) -> None:
    database.rows("DELETE FROM sync_windows WHERE shop_id = 'appB'")
    read(session, B, midnight(date(2026, 4, 1)), datetime(2026, 5, 31, 20, tzinfo=BEIJING), datetime(2026, 5, 31, 12))
    day, *_ = prepare("xiaoe_first", "xiaoe_second")
    unread = "05-18、05-19、05-20、05-21、05-22 等 14 天的订单尚未读全"
    assert day["is_complete"] is False
    assert day["title"] == "经营早报 2026-05-31（周日）：数据不完整"
    again = "补齐后重跑 xiaoe_daily_report 会再发。"
    assert day["lines"][:2] == ["【全部店铺】", f"数据不完整，暂无数字：appB：{unread}。{again}"]
    assert day["lines"][-2:] == ["【appB】", f"数据不完整，暂无数字：{unread}。{again}"]
    assert [line.partition("；今日")[0] for line in day["lines"][2:9]] == [
        "【琴行】",
        *(line.partition("；今日")[0] for line in DAY_OF_A),
    ]


@pytest.mark.parametrize(
    ("begin", "seen", "unread"),
    [
        ("2026-05-31 00:00", "2026-05-31 16:00", []),
        ("2026-05-31 00:00", "2026-05-31 15:59", ["2026-05-31"]),
        ("2026-05-31 00:01", "2026-06-01 00:00", ["2026-05-31"]),
        ("2026-05-29 12:00", "2026-06-01 00:00", []),
        ("2026-05-29 00:00", "2026-05-31 15:00", ["2026-05-29", "2026-05-30", "2026-05-31"]),
    ],
    ids=["seen at its end", "seen a minute before", "begins late", "the shop's first day counts whole", "seen early"],
)
def test_what_has_to_be_read(session: Session, database: Database, begin: str, seen: str, unread: list[str]) -> None:
    database.rows("DELETE FROM sync_windows")
    start = datetime.fromisoformat(begin).replace(tzinfo=BEIJING)
    read(session, A, start, midnight(date(2026, 6, 1)), datetime.fromisoformat(seen))
    found = kpi.unread_days(session, A, Period("day", date(2026, 5, 31), date(2026, 6, 1)))
    assert [f"{day}" for day in found] == unread


def test_a_shop_that_was_never_read_has_no_figures(session: Session, database: Database) -> None:
    database.rows("DELETE FROM sync_windows")
    day, *_ = prepare()
    assert day["lines"][1].startswith("数据不完整，暂无数字：05-31 的订单尚未读全")


def test_a_wrong_connection_has_no_figures_nor_have_all_shops_together(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_SECOND", shop_connection("http://127.0.0.1:1", app_id=""))
    day, *_ = prepare("xiaoe_first", "xiaoe_second")
    assert (day["title"], day["is_complete"]) == ("经营早报 2026-05-31（周日）：数据不完整", False)
    again = "补齐后重跑 xiaoe_daily_report 会再发。"
    assert day["lines"] == [
        "【全部店铺】", f"数据不完整，暂无数字：连接 xiaoe_second：连接配置有误。{again}",
        "【琴行】", *DAY_OF_A,
        "【连接 xiaoe_second】", f"数据不完整，暂无数字：连接配置有误。{again}",
    ]  # fmt: skip
    with pytest.raises(XiaoeConfigError, match="app_id is empty"):
        prepare("xiaoe_second")


DAY_OF_A_IN_ENGLISH = [
    "Paid ¥210.00, +133.3% against the day before, +75.0% against the week before, the year before: no data;"
    " net income ¥120.00",
    "5 orders paid, +400.0% against the day before; 3 buyers, 1 of them new",
    "Per buyer ¥66.67, per order ¥42.00",
    "Refunds ¥90.00, 1 orders, the day before: 0",
    "Month so far paid ¥480.00, +140.0% against as much of the month before;"
    " today until 08:00 paid ¥40.00, the same hours of yesterday: 0",
    "Unusual: nothing",
]


def test_reports_are_in_one_language(
    session: Session, database: Database, inbox: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_LANGUAGE", "en")
    targets = [(A, "2026-05-01", "paid_amount", 1000), (A, "2026-05-01", "new_buyers", 2)]
    session.insert_many("INSERT INTO targets VALUES (%s, %s, %s, %s, '2026-05-01')", targets)
    session.commit()
    reports = prepare()
    assert [report["title"] for report in reports] == [
        "Morning report 2026-05-31 Sun: paid ¥210.00",
        "Weekly report 2026-05-25 to 2026-05-31: paid ¥360.00",
        "Monthly report 2026-05: paid ¥480.00",
    ]
    day = reports[0]["lines"]
    assert [line for line in day if not line.startswith("Targets")] == ["[琴行]", *DAY_OF_A_IN_ENGLISH]
    assert "Targets (month 5, 100.0% of it over): paid 48.0% reached, ¥520.00 to go; new buyers 150.0% reached" in day
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_THIRD", shop_connection("http://127.0.0.1:1", app_id=""))
    send("mail", reports)
    database.rows("UPDATE sync_windows SET window_end = '2026-05-29 20:00:00'")
    send("mail", prepare("xiaoe_first", "xiaoe_second", "xiaoe_third", day="2026-05-30"))
    assert len(inbox.mails) == 4
    for mail in inbox.mails:
        assert re.findall("[\u4e00-\u9fff]+", f"{mail['Subject']}{body(mail)}".replace("琴行", "")) == []
    assert "orders of 05-29, 05-30 are not read to the end" in body(inbox.mails[-1])


# --- on its way ----------------------------------------------------------------------------------------


def test_it_arrives_once_by_mail_and_in_the_chat(
    session: Session, database: Database, inbox: MailServer, group: ChatService
) -> None:
    for _ in range(2):
        reports = prepare()
        send("mail", reports)
        send("chat", reports)
    assert [mail["Subject"] for mail in inbox.mails] == [report["title"] for report in reports]
    assert {mail["To"] for mail in inbox.mails} == {"boss@example.com"}
    assert all(line in body(inbox.mails[0]) for line in DAY_OF_A)
    assert group.texts["wecombot"] == ["\n".join([report["title"], *report["lines"]]) for report in reports]
    assert sent(database) == [(kind, way, 1) for kind in ("day", "month", "week") for way in ("chat", "mail")]


def test_a_channel_that_is_down_gets_its_report_later_and_the_other_one_no_second(
    session: Session, database: Database, inbox: MailServer, group: ChatService
) -> None:
    reports = prepare(day="2026-05-29")
    inbox.refusals["DATA"] = "451 try later"
    with pytest.raises(XiaoeRetriableError, match="451"):
        send("mail", reports)
    send("chat", reports)
    assert sent(database) == [("day", "chat", 1)]
    inbox.refusals.clear()
    assert send("mail", reports) == [reports[0]["title"]]
    assert send("chat", reports) == []
    assert len(inbox.mails) == len(group.texts["wecombot"]) == 1
    assert sent(database) == [("day", "chat", 1), ("day", "mail", 1)]


def test_a_report_without_figures_is_sent_once_and_once_more_when_they_are_there(
    session: Session, database: Database, inbox: MailServer
) -> None:
    database.rows("UPDATE sync_windows SET window_end = '2026-05-29 20:00:00'")
    for _ in range(2):
        send("mail", prepare(day="2026-05-29"))
    assert [mail["Subject"] for mail in inbox.mails] == ["经营早报 2026-05-29（周五）：数据不完整"]
    assert sent(database) == [("day", "mail", 0)]
    database.rows("UPDATE sync_windows SET window_end = '2026-06-01 08:00:00'")
    database.rows("INSERT INTO mart_queue (shop_id, kind, day) VALUES ('appA', 'covered', '2026-05-29')")
    for _ in range(2):
        send("mail", prepare(day="2026-05-29"))
    assert [mail["Subject"] for mail in inbox.mails][1:] == ["经营早报 2026-05-29（周五）：实收 60.00 元"]
    assert sent(database) == [("day", "mail", 1)]


def test_a_channel_that_is_not_configured_is_skipped(session: Session, database: Database) -> None:
    assert send("mail", prepare()) == send("chat", prepare()) == []
    assert sent(database) == []


def test_a_connection_that_is_not_there_is_named_with_its_setting(
    session: Session, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_REPORT_CHAT_CONN_ID", "boss")
    with pytest.raises(XiaoeConfigError, match="XIAOE_REPORT_CHAT_CONN_ID='boss', but there is no Airflow connection"):
        send("chat", prepare(day="2026-05-29"))
    assert sent(database) == []


def test_a_day_that_is_not_over_has_no_figures(session: Session) -> None:
    [day] = prepare(day="2026-06-01")
    assert day["is_complete"] is False
    assert day["lines"][1].startswith("数据不完整，暂无数字：05-19、")


# --- the page 今日经营 ---------------------------------------------------------------------------------


def sections(html: str) -> dict[str, str]:
    """Name of a shop → the text of its part of the page."""
    found = {}
    for part in re.findall(r'<section class="panel shop".*?</section>', html, re.S):
        text = " ".join(re.sub(r"<[^>]*>", " ", re.sub("<svg.*?</svg>", "", part, flags=re.S)).split())
        found[re.findall("<h2>(.*?)</h2>", part)[0]] = text
    return found


def test_the_page_says_what_the_report_says(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_CONN_IDS", "xiaoe_first,xiaoe_second")
    prepare("xiaoe_first", "xiaoe_second")
    status, html = web.render_today("zh", has_monitor=True)
    assert status == 200
    assert "数据截至 06-01 08:00（北京时间）" in html
    shown = sections(html)
    assert [*shown] == ["全部店铺", "琴行", "appB"]
    for name, lines in (("全部店铺", DAY_OF_ALL), ("琴行", DAY_OF_A), ("appB", DAY_OF_B)):
        paid, against, net = re.fullmatch(r"实收 (.*) 元，(.*)；净收入 (.*) 元", lines[0]).groups()  # type: ignore[union-attr]
        orders, buyers, new = re.fullmatch(r"支付 (\d+) 单，.*付款 (\d+) 人，其中新客 (\d+) 人", lines[1]).groups()  # type: ignore[union-attr]
        per_buyer, per_order = re.findall(r"[\d,.]+(?= 元)", lines[2])
        refund, refunds = re.match(r"退款 (.*) 元，(\d+) 单", lines[3]).groups()  # type: ignore[union-attr]
        month, against_month, today, against_today = re.fullmatch(
            r"本月累计实收 (.*) 元，(.*)；今日至 08:00 实收 (.*) 元，(.*)", lines[4]
        ).groups()  # type: ignore[union-attr]
        assert f"今日至 08:00 · 实收 ¥{today} {against_today} " in shown[name]
        assert (
            f"昨日 05-31（周日） · 实收 ¥{paid} {against} 支付订单 {orders} 单 净收入 ¥{net} 付款人数 {buyers} 人"
            in shown[name]
        )
        assert f"其中新客 {new} 人 客单价（按人） ¥{per_buyer} 笔单价（按单） ¥{per_order}" in shown[name]
        assert f"退款 ¥{refund} 退款订单 {refunds} 单" in shown[name]
        assert f"5 月累计（至 31 日） · 实收 ¥{month} {against_month}" in shown[name]


def test_the_trend_of_the_page_is_the_mart_s(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_CONN_IDS", "xiaoe_first")
    prepare()
    data = today.read(session, NOW, "zh")
    days = [date(2026, 5, 18) + DAY * number for number in range(14)]
    covered = kpi.covered_days(session, A, days)
    assert data.trends == [[covered[day].paid_amount for day in days]]
    assert [f"{amount}" for amount in data.trends[0] if amount] == ["120.00", "60.00", "90.00", "210.00"]


def test_a_day_that_was_not_read_has_no_figures_on_the_page(
    session: Session, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_CONN_IDS", "xiaoe_first,xiaoe_second")
    database.rows("DELETE FROM sync_windows WHERE shop_id = 'appB'")
    read(session, B, midnight(date(2026, 4, 1)), datetime(2026, 5, 31, 20, tzinfo=BEIJING), datetime(2026, 5, 31, 12))
    prepare("xiaoe_first", "xiaoe_second")
    _, html = web.render_today("zh", has_monitor=False)
    shown = sections(html)
    assert "今天的订单还没有读到" in html
    assert "数据截至 05-31 20:00（北京时间）" in html
    assert "暂无数字：05-18、05-19、05-20、05-21、05-22 等 14 天的订单尚未读全" in shown["appB"]
    assert "昨日" not in shown["appB"]
    assert "昨日" not in shown["全部店铺"]
    assert "昨日 05-31（周日） · 实收 ¥210.00" in shown["琴行"]


def test_the_page_is_an_error_in_words_where_every_connection_is_wrong(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_CONN_IDS", "xiaoe_first")
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_FIRST", shop_connection("http://127.0.0.1:1", app_id=""))
    status, html = web.render_today("zh", has_monitor=False)
    assert status == 503
    assert "xiaoe_first" in html
    assert "Traceback" not in html


def test_a_chat_gets_a_link_to_the_page_that_opens_it_and_a_mail_none(
    session: Session, inbox: MailServer, group: ChatService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__SECRET_KEY", "the-key-of-this-airflow")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    reports = prepare(day="2026-05-29")
    send("mail", reports)
    send("chat", reports)
    assert "/link/" not in body(inbox.mails[0])
    [text] = group.texts["wecombot"]
    [token] = re.findall(r"https://airflow\.example\.com/xiaoe-monitor/link/(\S+)/today$", text)
    assert links.state(token, NOW + 7 * DAY) == "valid"
    assert links.state(token, NOW + 8 * DAY) == "expired"

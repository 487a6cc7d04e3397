"""What the dashboards open on: yesterday, today, the month, each against what came before; worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from bi_assets import ASSETS, Assets

from support.worlds import two_shops
from support.worlds.marts import refresh
from support.worlds.shop import Database
from support.worlds.two_shops import NOW, A, B, read
from xiaoe.benefits.attention import grants_taken_back
from xiaoe.clock import BEIJING, midnight
from xiaoe.marts.board import spans
from xiaoe.merge.freshness import FRESH_WITHIN, write_limits
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.vocabulary import MODES, RESOURCES

pytestmark = pytest.mark.mysql

BOARD = Assets.read(ASSETS).datasets["kpi_board"]
NONE = "无数据"
# figure, against the day before, the same weekday a week before, the same date a year before
DAY_OF_A = {
    "日期": ("05-31 周日", "05-30 周六", "05-24 周日", "05-31 周六"),
    "实收（元）": ("210.00", "+133.3%", "+75.0%", NONE),
    "净收入（元）": ("120.00", "+33.3%", "持平", NONE),
    "支付订单数": ("5", "+400.0%", "+400.0%", NONE),
    "付款人数": ("3", "+200.0%", "+200.0%", NONE),
    "新客": ("1", "持平", "持平", NONE),
    "退款（元）": ("90.00", "前值为 0", "前值为 0", NONE),
    "客单价（按人）": ("66.67", "-25.9%", "-44.4%", NONE),
    "笔单价（按单）": ("42.00", "-53.3%", "-65.0%", NONE),
}
TODAY_OF_A = {
    "日期": ("06-01 至 08:00", "05-31 至 08:00", "05-25 至 08:00", "06-01 至 08:00"),
    "实收（元）": ("40.00", "前值为 0", "前值为 0", NONE),
    "净收入（元）": ("40.00", "前值为 0", "前值为 0", NONE),
    "支付订单数": ("1", "前值为 0", "前值为 0", NONE),
    "付款人数": ("1", "前值为 0", "前值为 0", NONE),
    "新客": ("0", "持平", "持平", NONE),
    "退款（元）": ("0.00", "持平", "持平", NONE),
    "客单价（按人）": ("40.00", "前值为 0", "前值为 0", NONE),
    "笔单价（按单）": ("40.00", "前值为 0", "前值为 0", NONE),
}
MONTH_OF_A = {
    "日期": ("05-01 至 05-31", "04-01 至 04-30", None, "05-01 至 05-31"),
    "实收（元）": ("480.00", "+140.0%", NONE, NONE),
    "净收入（元）": ("390.00", "+95.0%", NONE, NONE),
    "支付订单数": ("8", "+700.0%", NONE, NONE),
    "付款人数": ("4", "+300.0%", NONE, NONE),
    "新客": ("3", "+200.0%", NONE, NONE),
    "退款（元）": ("90.00", "前值为 0", NONE, NONE),
    "客单价（按人）": ("117.50", "-41.3%", NONE, NONE),
    "笔单价（按单）": ("60.00", "-70.0%", NONE, NONE),
}
DAY_OF_BOTH = DAY_OF_A | {
    "实收（元）": ("1,210.00", "+11.0%", "+908.3%", NONE),
    "净收入（元）": ("1,120.00", "+2.8%", "+833.3%", NONE),
    "支付订单数": ("6", "+200.0%", "+500.0%", NONE),
    "付款人数": ("4", "+100.0%", "+300.0%", NONE),
    "新客": ("1", "-50.0%", "持平", NONE),
    "客单价（按人）": ("300.00", "-45.0%", "+150.0%", NONE),
    "笔单价（按单）": ("201.67", "-63.0%", "+68.1%", NONE),
}


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Warehouse().session() as session:
        two_shops.fill(session)
        yield session


def board(database: Database, block: str, *shops: str) -> dict[str, tuple[str | None, ...]]:
    """A block of the first screen as the chart asks for it."""
    metrics = ", ".join(
        BOARD.metrics[name].sql.replace("%", "%%") + f" AS `{name}`" for name in ("now", "before", "week", "year")
    )
    rows = database.rows(
        f"SELECT line, {metrics} FROM bi_kpi_board WHERE block = %s AND shop_id IN %s GROUP BY line"
        " ORDER BY MIN(line_no)",
        (block, shops),
    )
    return {line: tuple(texts) for line, *texts in (row.values() for row in rows)}


def refreshed(database: Database) -> Database:
    for shop_id in (A, B):
        refresh(shop_id, NOW.replace(tzinfo=None))
    return database


# --- 昨日、今日、本月 -------------------------------------------------------------------------------------


def test_each_block_of_one_shop(session: Session, database: Database) -> None:
    refreshed(database)
    assert board(database, "day", A) == DAY_OF_A
    assert board(database, "today", A) == TODAY_OF_A
    assert board(database, "month", A) == MONTH_OF_A


def test_figures_of_shops_add_up_and_what_is_per_head_does_not(session: Session, database: Database) -> None:
    assert board(refreshed(database), "day", A, B) == DAY_OF_BOTH


def test_refreshing_again_changes_nothing_and_a_day_later_all_of_it(session: Session, database: Database) -> None:
    held = refreshed(database).rows("SELECT * FROM mart_kpi_spans ORDER BY shop_id, block, base")
    assert refreshed(database).rows("SELECT * FROM mart_kpi_spans ORDER BY shop_id, block, base") == held
    refresh(A, NOW.replace(tzinfo=None) + timedelta(days=1))
    assert board(database, "today", A)["日期"][0] == "尚未同步"
    assert {line: texts[0] for line, texts in board(database, "day", A).items()}["实收（元）"] == "数据不完整"
    assert database.value("SELECT COUNT(*) FROM mart_kpi_spans WHERE shop_id = %s", (A,)) == 11


def test_buyers_are_counted_again_only_where_somebody_may_have_bought(session: Session, database: Database) -> None:
    refreshed(database)
    database.rows("UPDATE mart_kpi_spans SET buyers = 99 WHERE shop_id = %s AND block = 'month' AND base = 'now'", (A,))
    queue = "INSERT INTO mart_queue (shop_id, kind, day) VALUES (%s, %s, %s)"
    for kind, day, expected in (("sales", "2026-05-31", 99), ("buyers", "2026-04-30", 99), ("buyers", "2026-05-31", 4)):
        database.rows(queue, (A, kind, day))
        refreshed(database)
        held = "SELECT buyers FROM mart_kpi_spans WHERE shop_id = %s AND block = 'month' AND base = 'now'"
        assert database.value(held, (A,)) == expected, (kind, day)


def test_a_shop_that_was_not_read_to_the_end_leaves_no_figure_for_all(session: Session, database: Database) -> None:
    database.rows("DELETE FROM sync_windows WHERE shop_id = %s", (B,))
    read(session, B, midnight(date(2026, 4, 1)), datetime(2026, 5, 31, 20, tzinfo=BEIJING), datetime(2026, 5, 31, 12))
    refreshed(database)
    assert board(database, "day", A) == DAY_OF_A
    for shops in ((B,), (A, B)):
        found = board(database, "day", *shops)
        assert {texts[0] for line, texts in found.items() if line != "日期"} == {"数据不完整"}
        assert {texts[1] for line, texts in found.items() if line != "日期"} == {NONE}


@pytest.mark.parametrize(
    ("now", "month", "before", "year"),
    [
        ("2026-11-30", "11-01 11-30", "10-01 10-30", "2025-11-01 2025-11-30"),
        ("2026-11-01", "10-01 11-01", "09-01 10-01", "2025-10-01 2025-11-01"),
        ("2026-03-31", "03-01 03-31", "02-01 03-01", "2025-03-01 2025-03-31"),
        ("2028-03-01", "02-01 03-01", "01-01 01-30", "2027-02-01 2027-03-01"),
        ("2028-02-29", "02-01 02-29", "01-01 01-29", "2027-02-01 2027-03-01"),
    ],
)
def test_the_month_goes_up_to_yesterday(now: str, month: str, before: str, year: str) -> None:
    moment = datetime.fromisoformat(f"{now} 12:00").replace(tzinfo=BEIJING)
    found = {span.base: f"{span.begin:%Y-%m-%d} {span.end:%Y-%m-%d}" for span in spans(moment, moment)[4:7]}
    expected = {"now": month, "before": before}
    assert found == {name: " ".join(f"{now[:4]}-{day}" for day in days.split()) for name, days in expected.items()} | {
        "year": year
    }


# --- 发放后收回 -----------------------------------------------------------------------------------------


def test_what_was_taken_back_is_what_the_notice_counts(session: Session, database: Database) -> None:
    history = {
        "straight": ["grant", "revoke"],
        "reviewed": ["pending", "grant", "review", "revoke"],
        "never granted": ["pending", "review", "revoke"],
        "given again": ["grant", "revoke", "grant"],
        "twice": ["grant", "revoke", "grant", "revoke"],
        "revoked once more": ["grant", "revoke", "review", "revoke"],
    }
    for order, decisions in history.items():
        for number, (old, new) in enumerate(zip([None, *decisions], decisions, strict=False)):
            session.execute(
                "INSERT INTO benefit_decision_log (shop_id, order_id, old_decision, new_decision, reason, policy_id,"
                " decided_by, decided_at) VALUES (%s, %s, %s, %s, 'r', 1, 'system', %s)",
                (A, order, old, new, datetime(2026, 5, 30, 15, 30) + timedelta(hours=number)),
            )
        session.execute(
            "INSERT INTO benefit_decisions (shop_id, order_id, decision, decision_text, reason, basis, policy_id,"
            " decided_at) VALUES (%s, %s, %s, 'x', 'r', 'b', 1, '2026-05-31')",
            (A, order, decisions[-1]),
        )
    session.commit()
    # The second decision of each fell at half past midnight in Beijing, on the 30th by UTC.
    rows = database.rows("SELECT day, taken_back FROM bi_benefits_taken_back ORDER BY day")
    assert [(f"{row['day']}", row["taken_back"]) for row in rows] == [("2026-05-31", 4)]
    noticed = grants_taken_back(session, A, midnight(date(2026, 5, 31)), midnight(date(2026, 6, 1)))
    assert {order for _, order in noticed} == {"reviewed", "revoked once more", "straight", "twice"}


# --- 同步是否及时 ---------------------------------------------------------------------------------------


def test_a_sync_is_late_by_its_own_limit(session: Session, database: Database) -> None:
    write_limits(session)
    for minutes, shop in ((-1, "in time"), (1, "late")):
        for (resource, mode), limit in FRESH_WITHIN.items():
            session.execute(
                "INSERT INTO sync_status (shop_id, resource, mode, last_success_at, last_attempt_at, status)"
                " VALUES (%s, %s, %s, UTC_TIMESTAMP(3) - INTERVAL %s MINUTE, UTC_TIMESTAMP(3), 'success')",
                (shop, resource, mode, limit // timedelta(minutes=1) + minutes),
            )
    session.execute(
        "INSERT INTO sync_status (shop_id, resource, mode, last_attempt_at, status)"
        " VALUES ('never', 'orders', 'incremental', UTC_TIMESTAMP(3), 'failed'),"
        " ('never', 'shop', 'check', UTC_TIMESTAMP(3), 'failed')"
    )
    session.commit()
    rows = database.rows(
        "SELECT DISTINCT shop_id, freshness_text FROM bi_sync_status WHERE shop_id NOT IN (%s, %s)", (A, B)
    )
    assert {(row["shop_id"], row["freshness_text"]) for row in rows} == {
        ("in time", "正常"), ("late", "超时"), ("never", "从未成功"), ("never", "不定期"),
    }  # fmt: skip


def test_data_and_ways_of_reading_have_one_name_each_everywhere(session: Session, database: Database) -> None:
    names = {(row["kind"], row["code"]): row["name"] for row in database.rows("SELECT * FROM sync_names")}
    assert names == {("resource", one): text.zh for one, text in RESOURCES.items()} | {
        ("mode", one): text.zh for one, text in MODES.items()
    }
    for table in ("sync_status", "sync_windows", "rejected_rows", "field_problems", "parent_coverage"):
        database.rows(f"DELETE FROM {table}")
    now = "UTC_TIMESTAMP(3)"
    for number, resource in enumerate([*RESOURCES, "unheard_of"]):
        for table, columns, values in (
            ("rejected_rows", "raw_hash, reason, raw_json, batch_id, first_seen_at, last_seen_at",
             f"{number}, '', '', '', {now}, {now}"),
            ("field_problems", "row_key, field, column_name, shape, reason, first_seen_at, last_seen_at",
             f"'', 'price', '', '', '', {now}, {now}"),
            ("parent_coverage", "mode, wanted, reached, postponed, planned_at", f"'whole', 1, 1, 0, {now}"),
        ):  # fmt: skip
            database.rows(
                f"INSERT INTO {table} (shop_id, resource, {columns}) VALUES (%s, %s, {values})", (A, resource)
            )
        for mode in [*MODES, "unheard_of"]:
            database.rows(
                "INSERT INTO sync_status (shop_id, resource, mode, last_attempt_at, status)"
                f" VALUES (%s, %s, %s, {now}, 'success')",
                (A, resource, mode),
            )
            database.rows(
                "INSERT INTO sync_windows (shop_id, resource, mode, window_start, window_end, observed_at, api_total,"
                " staged, inserted, updated, unchanged, rejected, passes, batch_id, run_id, merged_at)"
                f" VALUES (%s, %s, %s, {now}, {now}, {now}, 0, 0, 0, 0, 0, 0, 1, LEFT(%s, 16), '', {now})",
                (A, resource, mode, mode),
            )
    for view in ("bi_sync_status", "bi_sync_daily"):
        held = {(row["resource_text"], row["mode_text"]) for row in database.rows(f"SELECT * FROM {view}")}
        assert held == {
            (resource, mode)
            for resource in [*(text.zh for text in RESOURCES.values()), "unheard_of"]
            for mode in [*(text.zh for text in MODES.values()), "unheard_of"]
        }, view
    texts = {row["resource_text"] for row in database.rows("SELECT * FROM bi_rejected_rows")}
    assert texts == {
        name + more
        for name in [*(text.zh for text in RESOURCES.values()), "unheard_of"]
        for more in ("", " · 字段 price")
    }
    covered = {row["resource_text"] for row in database.rows("SELECT * FROM bi_parent_coverage")}
    assert covered == {*(text.zh for text in RESOURCES.values()), "unheard_of"}


def test_limits_are_written_once_and_follow_the_program(session: Session, database: Database) -> None:
    write_limits(session)
    session.execute("UPDATE sync_limits SET fresh_minutes = 7 WHERE resource = 'orders'")
    session.execute("INSERT INTO sync_limits VALUES ('gone', 'whole', 1)")
    write_limits(session)
    session.commit()
    held = {(row["resource"], row["mode"]): row["fresh_minutes"] for row in database.rows("SELECT * FROM sync_limits")}
    assert held == {name: limit // timedelta(minutes=1) for name, limit in FRESH_WITHIN.items()}

"""What dashboards show: every figure of a small shop, worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from support.oracles.benefits import LONG_AGO
from support.worlds.marts import content, merge, refresh, sales
from support.worlds.shop import Database
from support.worlds.small_shop import NOW, ORDERS, SEEN, A, B, fill
from xiaoe.benefits.decide import Decider, apply_policy
from xiaoe.benefits.policy import Policy
from xiaoe.clock import BEIJING, midnight
from xiaoe.exceptions import XiaoeRetriableError
from xiaoe.marts.kpi import between
from xiaoe.merge.status import write_done
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.registry import PERSONAL

pytestmark = pytest.mark.mysql


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def yuan(text: str) -> Decimal:
    return Decimal(text)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Warehouse().session() as session:
        yield session


@pytest.fixture
def shop(session: Session, database: Database) -> Database:
    """The two shops, merged, and their marts."""
    fill(session)
    return database


@pytest.fixture(scope="module")
def golden(migrated: str) -> Database:
    """The same, for tests that change nothing; they stand first."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", migrated)
        database = Database(migrated)
        database.empty()
        with Warehouse().session() as session:
            fill(session)
    return database


def table(database: Database, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in database.rows(sql, parameters)]


# --- 订单明细 ------------------------------------------------------------------------------------------


def test_orders_one_by_one_add_up_to_the_days(golden: Database) -> None:
    for orders, amount, time, is_wanted in (
        ("orders_paid", "paid_amount", "pay_time", "pay_time IS NOT NULL"),
        ("refund_orders", "refund_amount", "refund_time", "is_refunded = 1 AND refund_time IS NOT NULL"),
    ):
        one_by_one = table(
            golden,
            f"SELECT shop_id, DATE({time}) AS day, COUNT(*), COALESCE(SUM({amount}), 0) FROM bi_orders"
            f" WHERE {is_wanted} AND is_counted = 1 GROUP BY 1, 2 ORDER BY 1, 2",
        )
        assert one_by_one == table(
            golden,
            f"SELECT shop_id, day, SUM({orders}), SUM({amount}) FROM bi_sales_daily GROUP BY 1, 2"
            f" HAVING SUM({orders}) > 0 ORDER BY 1, 2",
        )


def test_an_order_is_told_as_people_call_things(golden: Database) -> None:
    names = "product_name, product_type, channel, is_refunded, paid_amount, refund_amount, decision_text, is_counted"
    found = table(golden, f"SELECT order_id, {names} FROM bi_orders WHERE order_id IN ('a04', 'a05', 'a08', 'a11')")
    assert sorted(found) == [
        ("a04", "Python 入门", "视频", "抖音", 1, yuan("100"), yuan("30"), "未判定", 1),
        ("a05", "图文专栏", "图文", "抖音", 0, None, None, "未判定", 1),
        ("a08", "p9", "未知(99)", "未知", 1, yuan("80"), yuan("80"), "未判定", 1),
    ]


def test_no_order_tells_whose_it_is(golden: Database) -> None:
    shown = {row["c"] for row in golden.rows(
        "SELECT column_name AS c FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name = 'bi_orders'"
    )}  # fmt: skip
    assert "order_id" in shown
    personal = {column for columns in PERSONAL.values() for column in columns}
    assert not shown & {*personal, "user_id", "out_order_id", "transaction_id"}


# --- 经营总览 ------------------------------------------------------------------------------------------


SALES = (
    "SUM(orders_created), SUM(orders_paid), SUM(paid_amount), SUM(refund_orders), SUM(full_refund_orders),"
    " SUM(refund_amount), SUM(refund_orders_by_pay_day), SUM(refund_amount_by_pay_day), SUM(net_amount),"
    " SUM(net_amount_by_pay_day)"
)


def figures(*values: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(value) for value in values)


def test_sales_by_day(golden: Database) -> None:
    found = table(golden, f"SELECT day, {SALES} FROM bi_sales_daily WHERE shop_id = %s GROUP BY day ORDER BY day", A)
    assert found == [
        #                      made paid  amount   back full amount  by pay date    net       net by pay date
        (day("03-01"), *figures("2", "1", "100.00", "0", "0", "0.00", "0", "0.00", "100.00", "100.00")),
        (day("03-02"), *figures("4", "4", "300.00", "1", "0", "30.00", "3", "130.00", "270.00", "170.00")),
        (day("03-05"), *figures("0", "0", "0.00", "1", "1", "50.00", "0", "0.00", "-50.00", "0.00")),
        (day("03-10"), *figures("1", "1", "100.00", "0", "0", "0.00", "0", "0.00", "100.00", "100.00")),
        (day("04-01"), *figures("1", "1", "0.00", "0", "0", "0.00", "0", "0.00", "0.00", "0.00")),
        (day("04-02"), *figures("3", "3", "110.00", "0", "0", "0.00", "2", "80.00", "110.00", "30.00")),
        (day("04-03"), *figures("0", "0", "0.00", "1", "1", "0.00", "0", "0.00", "0.00", "0.00")),
        (day("04-30"), *figures("1", "1", "100.00", "0", "0", "0.00", "0", "0.00", "100.00", "100.00")),
        (day("07-15"), *figures("0", "0", "0.00", "1", "1", "80.00", "0", "0.00", "-80.00", "0.00")),
    ]


def test_big_numbers_of_each_shop(golden: Database) -> None:
    found = table(golden, f"SELECT shop_id, {SALES} FROM bi_sales_daily GROUP BY shop_id ORDER BY shop_id")
    assert found == [
        (A, *figures("12", "11", "710.00", "4", "3", "160.00", "5", "210.00", "550.00", "500.00")),
        (B, *figures("2", "2", "400.00", "1", "1", "200.00", "1", "200.00", "200.00", "200.00")),
    ]


def test_rates_of_the_first_quarter(golden: Database) -> None:
    """客单价, 退款率 by pay date in orders and in money, 支付率."""
    [found] = table(
        golden,
        "SELECT SUM(paid_amount) / SUM(orders_paid), SUM(refund_orders_by_pay_day) / SUM(orders_paid),"
        " SUM(refund_amount_by_pay_day) / SUM(paid_amount), SUM(orders_paid) / SUM(orders_created) FROM bi_sales_daily"
        " WHERE shop_id = %s AND day < '2026-04-01'",
        A,
    )
    # 500 / 6 orders, 3 of 6, 130 of 500, 6 of 7
    assert [round(value, 4) for value in found] == list(figures("83.3333", "0.5", "0.26", "0.8571"))


def test_sales_by_type_and_channel(golden: Database) -> None:
    found = table(
        golden,
        "SELECT product_type, channel, SUM(orders_paid), SUM(quantity_paid), SUM(paid_amount), SUM(refund_amount)"
        " FROM bi_sales_daily WHERE shop_id = %s GROUP BY product_type, channel",
        A,
    )
    assert sorted(found) == sorted(
        [
            ("视频", "微信", *figures("4", "4", "300.00", "0.00")),
            ("视频", "抖音", *figures("2", "2", "200.00", "30.00")),
            ("视频", "未知", *figures("1", "1", "20.00", "0.00")),
            ("图文", "微信", *figures("1", "1", "50.00", "50.00")),
            ("图文", "抖音", *figures("1", "1", "50.00", "0.00")),
            ("未知(99)", "未知", *figures("2", "2", "90.00", "80.00")),
        ]
    )


KPI = "orders_paid, paid_amount, orders_without_amount, refund_orders, refund_amount, buyers, buyers_amount, new_buyers"


def test_the_days_of_a_shop(golden: Database) -> None:
    found = table(
        golden,
        "SELECT shop_id, day, orders_paid, paid_amount, net_amount, refund_orders, refund_amount, buyers, new_buyers,"
        " amount_per_buyer, amount_per_order, is_covered FROM bi_kpi_daily ORDER BY shop_id, day",
    )
    none = (None, None)
    assert [(row[0], row[1], *row[2:11]) for row in found] == [
        #                 paid amount    net     back  amount  buyers new   by buyer, by order
        (A, day("03-01"), *figures("1", "100.00", "100.00", "0", "0.00", "1", "1", "100.00", "100.00")),
        (A, day("03-02"), *figures("4", "300.00", "270.00", "1", "30.00", "3", "2", "100.00", "75.00")),
        (A, day("03-05"), *figures("0", "0.00", "-50.00", "1", "50.00", "0", "0"), *none),
        (A, day("03-10"), *figures("1", "100.00", "100.00", "0", "0.00", "1", "0", "100.00", "100.00")),
        (A, day("04-01"), *figures("1", "0.00", "0.00", "0", "0.00", "1", "0", "0.00", "0.00")),
        (A, day("04-02"), *figures("3", "110.00", "110.00", "0", "0.00", "1", "1", "90.00", "36.67")),
        (A, day("04-03"), *figures("0", "0.00", "0.00", "1", "0.00", "0", "0"), *none),
        (A, day("04-30"), *figures("1", "100.00", "100.00", "0", "0.00", "1", "0", "100.00", "100.00")),
        (A, day("07-15"), *figures("0", "0.00", "-80.00", "1", "80.00", "0", "0"), *none),
        (B, day("03-02"), *figures("1", "200.00", "200.00", "0", "0.00", "1", "1", "200.00", "200.00")),
        (B, day("03-31"), *figures("0", "0.00", "0.00", "0", "0.00", "0", "0"), *none),
        (B, day("04-01"), *figures("1", "200.00", "0.00", "1", "200.00", "1", "1", "200.00", "200.00")),
    ]
    assert {row[11] for row in found} == {0}, "no window of the ledger covers them"


def counted_alike(session: Session) -> None:
    for shop_id, on, *held in session.query(f"SELECT shop_id, day, {KPI} FROM bi_kpi_daily"):
        begin = midnight(on)
        assert list(between(session, shop_id, begin, begin + timedelta(days=1))) == held, (shop_id, on)


def test_parts_of_a_day_are_counted_as_days_are(golden: Database) -> None:
    """What a report works out from the orders is, for a whole day, what the mart holds."""
    with Warehouse().session() as session:
        counted_alike(session)
        morning = between(session, A, midnight(day("03-02")), midnight(day("03-02")) + timedelta(hours=12))
        march = between(session, A, midnight(day("03-01")), midnight(day("04-01")))
    # a02 and a03; a04 is paid at 12:05, and its money went back in the evening
    assert morning == (2, yuan("150.00"), 0, 0, yuan("0.00"), 2, yuan("150.00"), 1)
    assert march == (6, yuan("500.00"), 0, 2, yuan("80.00"), 3, yuan("500.00"), 3)


# --- 商品分析 ------------------------------------------------------------------------------------------


def test_products(golden: Database) -> None:
    found = table(
        golden,
        "SELECT shop_id, product_name, sale_status, SUM(orders_paid), SUM(paid_amount), SUM(refund_orders),"
        " SUM(refund_amount_by_pay_day), SUM(net_amount_by_pay_day) FROM bi_products_daily"
        " GROUP BY shop_id, resource_id, product_name, sale_status ORDER BY shop_id, resource_id",
    )
    assert found == [
        (A, "Python 入门", "上架", *figures("6", "520.00", "1", "30.00", "490.00")),
        (A, "图文专栏", "未知", *figures("2", "100.00", "1", "100.00", "0.00")),
        (A, "p3", "未知", *figures("1", "0.00", "0", "0.00", "0.00")),
        (A, "p9", "未知", *figures("2", "90.00", "2", "80.00", "10.00")),
        (B, "p1", "下架", *figures("2", "400.00", "1", "200.00", "200.00")),
    ]


def test_a_product_on_a_day(golden: Database) -> None:
    found = table(
        golden,
        "SELECT channel, orders_created, orders_paid, paid_amount, net_amount FROM bi_products_daily"
        " WHERE shop_id = %s AND resource_id = 'p1' AND day = '2026-03-02' ORDER BY paid_amount, channel DESC",
        A,
    )
    assert sorted(found) == sorted(
        [("抖音", 1, 1, yuan("100.00"), yuan("70.00")), ("微信", 0, 1, yuan("100.00"), yuan("100.00"))]
    )


# --- 用户分析 ------------------------------------------------------------------------------------------


def test_new_and_returning_buyers(golden: Database) -> None:
    found = table(
        golden,
        "SELECT day, channel, buyers, new_buyers, returning_buyers, paid_amount, new_amount, returning_amount"
        " FROM bi_buyers_daily WHERE shop_id = %s ORDER BY day, buyers DESC",
        A,
    )
    assert found == [
        (day("03-01"), "微信", 1, 1, 0, *figures("100.00", "100.00", "0.00")),
        (day("03-02"), "微信", 2, 1, 1, *figures("150.00", "50.00", "100.00")),
        (day("03-02"), "抖音", 1, 1, 0, *figures("150.00", "150.00", "0.00")),
        (day("03-10"), "微信", 1, 0, 1, *figures("100.00", "0.00", "100.00")),
        (day("04-01"), "微信", 1, 0, 1, *figures("0.00", "0.00", "0.00")),
        (day("04-02"), "未知", 1, 1, 0, *figures("90.00", "90.00", "0.00")),
        (day("04-30"), "抖音", 1, 0, 1, *figures("100.00", "0.00", "100.00")),
    ]


def test_cohorts(golden: Database) -> None:
    found = table(
        golden,
        "SELECT shop_id, cohort_month, active_month, month_offset, channel, cohort_buyers, buyers, repeat_buyers,"
        " orders_paid, paid_amount FROM bi_cohorts ORDER BY shop_id, cohort_month, active_month, cohort_buyers DESC",
    )
    march, april = day("03-01"), day("04-01")
    assert found == [
        #                                   cohort, buyers, twice, orders, amount
        (A, march, march, 0, "微信", 2, 2, 2, 4, yuan("350.00")),
        (A, march, march, 0, "抖音", 1, 1, 1, 2, yuan("150.00")),
        (A, march, april, 1, "微信", 2, 1, 0, 1, yuan("0.00")),
        (A, march, april, 1, "抖音", 1, 1, 0, 1, yuan("100.00")),
        (A, april, april, 0, "未知", 1, 1, 1, 2, yuan("90.00")),
        (B, march, march, 0, "微信", 1, 1, 0, 1, yuan("200.00")),
        (B, march, april, 1, "微信", 1, 0, 0, 0, yuan("0.00")),
        (B, april, april, 0, "微信", 1, 1, 0, 1, yuan("200.00")),
    ]


# --- 退款与福利 ----------------------------------------------------------------------------------------


def test_age_of_refunds(golden: Database) -> None:
    found = table(
        golden,
        "SELECT shop_id, pay_day, product_type, channel, age_days, refund_orders, refund_amount FROM bi_refund_ages"
        " ORDER BY shop_id, pay_day, age_days",
    )
    assert found == [
        (A, day("03-02"), "视频", "抖音", 0, 1, yuan("30.00")),
        (A, day("03-02"), "图文", "微信", 3, 1, yuan("50.00")),
        (A, day("04-02"), "未知(99)", "未知", 1, 1, yuan("0.00")),
        (A, day("04-02"), "未知(99)", "未知", 104, 1, yuan("80.00")),
        (B, day("04-01"), "视频", "微信", 0, 1, yuan("200.00")),
    ]


def curve(database: Database, shop_id: str, week: str) -> dict[int, tuple[Any, ...]]:
    rows = table(
        database,
        "SELECT age_days, SUM(paid_orders), SUM(refund_orders), SUM(paid_amount), SUM(refund_amount)"
        " FROM bi_refund_curve WHERE shop_id = %s AND pay_week = %s GROUP BY age_days",
        shop_id,
        day(week),
    )
    return {age: figures for age, *figures in rows}  # type: ignore[misc]


def test_curve_of_refunds(golden: Database) -> None:
    """The week of Monday, March 2nd: a02, a03, a04, a12 on one day. When a12 was refunded is not known."""
    found = curve(golden, A, "03-02")
    assert list(found) == list(range(61))
    assert found[0] == found[2] == [*figures("4", "1", "300.00", "30.00")]
    assert found[3] == found[60] == [*figures("4", "2", "300.00", "80.00")]
    late = curve(golden, A, "03-30")
    assert late[0] == [*figures("4", "0", "110.00", "0.00")]
    assert late[60] == [*figures("4", "1", "110.00", "0.00")], "a08 came back after 104 days"


def test_a_curve_grows_by_the_day(session: Session, database: Database) -> None:
    merge(session, [one for one in sales(ORDERS) if one.order_id in ("a03", "a06")], SEEN)
    refresh(A, datetime(2026, 3, 2, 23))
    assert curve(database, A, "03-02") == {}, "the first day is not over"
    refresh(A, datetime(2026, 3, 6))
    assert {age: row[:2] for age, row in curve(database, A, "03-02").items()} == {
        0: [1, 0], 1: [1, 0], 2: [1, 0], 3: [1, 1],
    }  # fmt: skip
    refresh(A, datetime(2026, 9, 1))
    assert list(curve(database, A, "03-02")) == list(curve(database, A, "03-09")) == list(range(61))


@pytest.fixture
def decided(shop: Database, session: Session) -> Database:
    """The benefits of shop A decided at `NOW`, by the rule as it comes."""
    policy = Policy(14, "created_time", "review", [], LONG_AGO)
    number = apply_policy(session, policy, by="test", shop_ids=[A])
    session.commit()
    Decider(Warehouse(), A, policy, number, now=NOW.replace(tzinfo=BEIJING)).decide()
    refresh(A, NOW)
    return shop


def test_decisions_by_deadline(decided: Database) -> None:
    found = table(
        decided,
        "SELECT deadline_day, decision_text, reason, SUM(orders), SUM(order_amount) FROM bi_benefits_daily"
        " WHERE shop_id = %s GROUP BY deadline_day, decision, decision_text, reason"
        " ORDER BY deadline_day, decision, reason",
        A,
    )
    assert found == [
        (day("03-15"), "发放", "截止后观测，期内无退款", *figures("2", "200.00")),
        (day("03-16"), "不适用", "未支付", *figures("1", "50.00")),
        (day("03-16"), "人工复核", "已退款，退款时间未知", *figures("1", "50.00")),
        (day("03-16"), "人工复核", "截止前部分退款", *figures("1", "100.00")),
        (day("03-16"), "取消", "截止前已全额退款", *figures("1", "50.00")),
        (day("03-24"), "人工复核", "截止时退款处理中", *figures("1", "100.00")),
        (day("04-15"), "发放", "截止后观测，期内无退款", *figures("1", "0.00")),
        (day("04-16"), "发放", "截止后观测，期内无退款", *figures("2", "100.00")),
        (day("04-16"), "取消", "截止前已全额退款", *figures("1", "10.00")),
        (day("05-14"), "人工复核", "截止时退款失败", *figures("1", "100.00")),
        (day("05-15"), "人工复核", "店铺列表中已无此订单", *figures("1", "50.00")),
    ]


def test_changes_of_decisions(decided: Database, session: Session) -> None:
    """a01 is refunded late at night, in time or not does not matter here: its grant is looked at again."""
    [a01] = [one for one in sales(ORDERS) if one.order_id == "a01"]
    later = datetime(2026, 8, 1, 23, 59, 59)
    refunded = a01.__class__(
        **{**a01.__dict__, "order_state": 10, "refund_time": datetime(2026, 3, 14), "refund_money": Decimal(100)}
    )
    merge(session, [refunded], later)
    [(number,)] = session.query("SELECT MAX(id) FROM benefit_policies")
    policy = Policy(14, "created_time", "review", [], LONG_AGO)
    Decider(Warehouse(), A, policy, number, now=later.replace(tzinfo=BEIJING)).decide()
    refresh(A, later)
    found = table(
        decided,
        "SELECT day, old_text, new_text, changes FROM bi_benefit_changes_daily WHERE shop_id = %s"
        " ORDER BY day, old_decision, new_decision",
        A,
    )
    assert found == [
        (day("08-01"), "首次判定", "发放", 5),
        (day("08-01"), "首次判定", "不适用", 1),
        (day("08-01"), "首次判定", "人工复核", 5),
        (day("08-01"), "首次判定", "取消", 2),
        (day("08-01"), "发放", "取消", 1),
    ]
    by_deadline = "SELECT decision, orders FROM bi_benefits_daily WHERE deadline_day = '2026-03-15' ORDER BY decision"
    assert table(decided, by_deadline) == [("grant", 1), ("revoke", 1)]


def test_what_waits_now(session: Session, database: Database) -> None:
    """Two are past their deadline, the longest by 50 hours; two are due in 24 hours, four in 7 days."""
    hours = {"w1": -50.5, "w2": -1, "d1": 1, "d2": 23, "d3": 25, "d4": 167, "d5": 169}
    for name, offset in hours.items():
        _decision(session, name, "pending", offset)
    for name, decision in {"r1": "review", "r2": "review", "g1": "grant"}.items():
        _decision(session, name, decision, -24)
    session.execute("UPDATE benefit_decisions SET deadline_at = NULL WHERE order_id = 'r2'")
    write_done(session, A, "benefits", "decide", "")
    session.commit()
    [row] = database.rows("SELECT * FROM bi_benefits_now")
    assert row == {
        "shop_id": A, "pending_orders": 7, "waiting_orders": 2, "longest_wait_hours": 50, "due_24h_orders": 2,
        "due_7d_orders": 4, "review_orders": 2,
    }  # fmt: skip


def _decision(session: Session, name: str, decision: str, hours: float) -> None:
    session.execute(
        "INSERT INTO benefit_decisions (shop_id, order_id, decision, decision_text, reason, deadline_at, basis,"
        " policy_id, decided_at) VALUES (%s, %s, %s, '', '', UTC_TIMESTAMP() + INTERVAL %s MINUTE, '', 1,"
        " UTC_TIMESTAMP())",
        (A, name, decision, 8 * 60 + int(hours * 60)),
    )


def test_answers_by_day_of_beijing(session: Session, database: Database) -> None:
    session.insert_many(
        "INSERT INTO benefit_reviews (shop_id, order_id, basis, answer, answered_by, answered_at)"
        " VALUES (%s, %s, %s, %s, '王', %s)",
        [
            (A, "a1", "x", "grant", "2026-03-01 15:59:59"),
            (A, "a1", "y", "revoke", "2026-03-01 16:00:00"),
            (A, "a2", "x", "grant", "2026-03-01 16:00:01"),
            (A, "a3", "x", "grant", "2026-03-02 03:00:00"),
        ],
    )
    session.commit()
    found = table(database, "SELECT * FROM bi_benefit_reviews ORDER BY day, answer")
    assert found == [
        (A, day("03-01"), "grant", "发放", 1),
        (A, day("03-02"), "grant", "发放", 2),
        (A, day("03-02"), "revoke", "取消", 1),
    ]


def test_applications_by_day(session: Session, database: Database) -> None:
    session.insert_many(
        "INSERT INTO refunds (shop_id, aftersale_id, state, state_text, sale_type, sale_type_text, apply_refund_money,"
        " refund_money, created_at, absent_since, row_hash, raw_hash, observed_at, batch_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, 1, %s, 'b')",
        [
            (A, "s1", 13, "退款完成", 1, "仅退款", "50.00", "50.00", "2026-03-05 00:00:00", None, SEEN),
            (A, "s2", 13, "退款完成", 1, "仅退款", "30.00", "20.00", "2026-03-05 23:59:59", None, SEEN),
            (A, "s3", 99, None, None, None, "10.00", None, "2026-03-05 12:00:00", None, SEEN),
            (A, "s4", 13, "退款完成", 1, "仅退款", "70.00", "70.00", "2026-03-05 12:00:00", SEEN, SEEN),
            (A, "s5", 13, "退款完成", 1, "仅退款", "70.00", "70.00", None, None, SEEN),
        ],
    )
    session.commit()
    found = table(database, "SELECT * FROM bi_aftersales_daily ORDER BY state DESC")
    assert found == [
        (A, day("03-05"), "退款完成", "仅退款", 2, yuan("80.00"), yuan("70.00")),
        (A, day("03-05"), "未知(99)", "未知", 1, yuan("10.00"), yuan("0.00")),
    ]


# --- 直播分析 ------------------------------------------------------------------------------------------


def test_live_streams_and_how_they_grow(session: Session, database: Database) -> None:
    session.insert_many(
        "INSERT INTO live_streams (shop_id, live_id, title, alive_type, alive_type_text, alive_state, alive_state_text,"
        " start_at, view_count, reward_sum, purchase_count, absent_since, row_hash, raw_hash, observed_at, batch_id)"
        " VALUES (%s, %s, %s, %s, %s, 2, '已结束', %s, %s, %s, %s, %s, 1, 1, %s, 'b')",
        [
            (A, "l1", "公开课", 10, "横屏", "2026-03-01 20:00:00", 150, "12.50", 3, None, SEEN),
            (A, "l2", "旧直播", 99, None, None, 10, "0.00", 0, SEEN, SEEN),
        ],
    )
    session.insert_many(
        "INSERT INTO live_stream_days (shop_id, live_id, day, view_count, reward_sum, purchase_count, observed_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [
            (A, "l1", "2026-03-02", 100, "10.00", 1, SEEN),
            (A, "l1", "2026-03-05", 150, "12.50", 3, SEEN),
            (A, "l2", "2026-03-03", 10, None, 0, SEEN),
            (B, "l1", "2026-03-03", 7, None, 0, SEEN),
        ],
    )
    session.commit()
    start = datetime(2026, 3, 1, 20)
    assert table(database, "SELECT * FROM bi_live_streams") == [
        (A, "l1", "公开课", "横屏", "已结束", start, start.date(), 150, yuan("12.50"), 3)
    ]
    found = table(
        database,
        "SELECT shop_id, live_id, title, live_type, day, view_count, more_views, more_reward, more_purchases"
        " FROM bi_live_daily ORDER BY shop_id, live_id, day",
    )
    assert found == [
        (A, "l1", "公开课", "横屏", day("03-02"), 100, None, None, None),
        (A, "l1", "公开课", "横屏", day("03-05"), 150, 50, yuan("2.50"), 2),
        (A, "l2", "旧直播", "未知(99)", day("03-03"), 10, None, None, None),
        (B, "l1", None, "未知", day("03-03"), 7, None, None, None),
    ]


# --- 同步监控 ------------------------------------------------------------------------------------------


def test_freshness(session: Session, database: Database) -> None:
    session.execute(
        "INSERT INTO sync_status"
        " (shop_id, resource, mode, watermark, last_success_at, last_attempt_at, status, message)"
        " VALUES (%s, 'orders', 'incremental', UTC_TIMESTAMP() + INTERVAL 390 MINUTE,"
        " UTC_TIMESTAMP(3) - INTERVAL 45 MINUTE, UTC_TIMESTAMP(3), 'failed', 'secret'),"
        " (%s, 'marts', 'refresh', NULL, NULL, '2026-03-01 16:00:00', 'success', NULL)",
        (A, A),
    )
    session.commit()
    marts, orders = database.rows("SELECT * FROM bi_sync_status ORDER BY resource")
    assert (marts["resource_text"], marts["mode_text"], marts["status_text"]) == ("报表汇总", "刷新", "成功")
    assert (marts["last_attempt_at"], marts["minutes_since_success"]) == (datetime(2026, 3, 2), None)
    assert (orders["resource_text"], orders["mode_text"], orders["status_text"]) == ("订单", "增量", "失败")
    assert (orders["minutes_since_success"], orders["watermark_lag_minutes"]) == (45, 90)
    assert "message" not in orders


def test_windows_by_day_and_days_covered(session: Session, database: Database) -> None:
    """March 2nd is covered by two windows together, the 3rd twice, the 4th but for its last hour, the 5th not."""
    windows = [
        ("history", "2026-03-02 00:00:00", "2026-03-02 12:00:00", "2026-03-10 15:00:00", 10, 1),
        ("history", "2026-03-02 12:00:00", "2026-03-04 00:00:00", "2026-03-10 16:30:00", 20, 2),
        ("rescan", "2026-03-02 18:00:00", "2026-03-04 23:00:00", "2026-03-11 01:00:00", 5, 1),
        ("rescan", "2026-03-06 00:00:00", "2026-03-07 00:00:00", "2026-03-11 02:00:00", 1, 1),
    ]
    session.insert_many(
        "INSERT INTO sync_windows (shop_id, resource, mode, window_start, window_end, observed_at, api_total, staged,"
        " inserted, updated, unchanged, rejected, passes, batch_id, run_id, merged_at)"
        f" VALUES ('{A}', 'orders', %s, %s, %s, %s, %s, %s, %s, 0, 0, 0, %s, 'b', 'r', %s)",
        [(mode, begin, end, seen, n, n, n, passes, seen) for mode, begin, end, seen, n, passes in windows],
    )
    session.execute(
        "INSERT INTO rejected_rows (shop_id, resource, raw_hash, row_key, reason, raw_json, batch_id, first_seen_at,"
        " last_seen_at, resolved_at) VALUES (%s, 'orders', 1, 'o', '', '', 'b', '2026-03-01 16:00:00', %s, NULL),"
        " (%s, 'orders', 2, 'o', '', '', 'b', '2026-03-01', %s, %s)",
        (A, SEEN, A, SEEN, SEEN),
    )
    session.commit()
    refresh(A, datetime(2026, 3, 7))
    assert table(
        database,
        "SELECT day, mode_text, windows, staged, inserted, repeated_windows FROM bi_sync_daily ORDER BY day, mode",
    ) == [
        (day("03-10"), "历史", 1, 10, 10, 0),
        (day("03-11"), "历史", 1, 20, 20, 1),
        (day("03-11"), "15 天复查", 2, 6, 6, 0),
    ]
    covered = "SELECT day, is_covered, looked_at FROM bi_sync_coverage ORDER BY day"
    assert table(database, covered) == [
        (day("03-02"), 1, datetime(2026, 3, 10, 23)),
        (day("03-03"), 1, datetime(2026, 3, 11, 9)),
        (day("03-04"), 0, None),
        (day("03-05"), 0, None),
        (day("03-06"), 1, datetime(2026, 3, 11, 10)),
    ]
    [rejected] = database.rows("SELECT * FROM bi_rejected_rows")
    assert (rejected["resource_text"], rejected["open_rows"]) == ("订单", 1)
    assert rejected["first_seen_at"] == datetime(2026, 3, 2)
    refresh(A, datetime(2026, 3, 8))
    assert table(database, covered)[-1] == (day("03-07"), 0, None), "another day has passed that nobody looked at"


# --- imported orders -----------------------------------------------------------------------------------

# Imported by the code of its type, of its client, of both; i4 by one of several types, and never paid. o3 looks alike.
IMPORTED = """
shop | order | buyer | product | type | created        | paid           | price  | state | refunded       | back
appA | i1    | ua    | p1      | 视频 | 03-01 10:00:00 | 03-01 10:00:00 | 100.00 | 1     | -              | -
appA | i2    | ua    | p1      | 视频 | 03-02 10:00:00 | 03-02 10:00:00 | 30.00  | 10    | 03-04 10:00:00 | 30.00
appA | i3    | ub    | p2      | 图文 | 03-03 10:00:00 | 03-03 10:00:00 | 7.00   | 1     | -              | -
appA | i4    | ub    | p2      | 图文 | 03-03 10:00:00 | -              | 7.00   | 0     | -              | -
appA | o1    | ua    | p1      | 视频 | 03-05 10:00:00 | 03-05 10:00:00 | 50.00  | 1     | -              | -
appA | o3    | ub    | p1      | 视频 | 03-05 10:00:00 | 03-05 10:00:00 | 5.00   | 1     | -              | -
"""
ORIGINS = {
    "i1": (1, "30"), "i2": (10, None), "i3": (30, "2,70"), "i4": (1, "2,30,8"), "o1": (1, "2,8"), "o3": (0, "3,300"),
}  # fmt: skip
REVENUE = (
    "SELECT SUM(orders_created), SUM(orders_paid), SUM(paid_amount), SUM(refund_orders), SUM(net_amount),"
    " SUM(net_amount_by_pay_day), SUM(imported_orders), SUM(imported_amount) FROM {}"
)
BUYERS = "SELECT day, new_buyers, returning_buyers, paid_amount FROM bi_buyers_daily ORDER BY day"


def merge_imported(session: Session, **origins: tuple[int | None, str | None]) -> None:
    found = [replace(one, client_type=1, order_type="2") for one in sales(IMPORTED)]
    for name, (client_type, order_type) in origins.items():
        found = [
            replace(one, client_type=client_type, order_type=order_type) if one.order_id == name else one
            for one in found
        ]
    merge(session, found, SEEN + timedelta(seconds=len(origins)))


def test_imported_orders_are_kept_and_marked(session: Session, database: Database) -> None:
    merge_imported(session, **ORIGINS)
    marked = table(database, "SELECT order_id FROM orders WHERE is_imported = 1 ORDER BY order_id")
    assert marked == [("i1",), ("i2",), ("i3",), ("i4",)]
    assert database.value("SELECT COUNT(*) FROM orders WHERE is_imported = 0") == 2


def test_imported_orders_are_no_revenue_but_a_figure_of_their_own(session: Session, database: Database) -> None:
    merge_imported(session, **ORIGINS)
    refresh(A, NOW)
    for name in ("bi_sales_daily", "bi_products_daily"):
        assert table(database, REVENUE.format(name)) == [figures("2", "2", "55", "0", "55", "55", "3", "137")]
    assert table(database, BUYERS) == [(day("03-05"), *figures("2", "0", "55"))]
    assert table(database, "SELECT * FROM bi_refund_ages") == []
    assert table(database, "SELECT SUM(buyers), SUM(paid_amount) FROM mart_cohorts") == [figures("2", "55")]
    assert table(database, "SELECT SUM(orders_paid), SUM(paid_amount), SUM(buyers) FROM bi_kpi_daily") == [
        figures("2", "55", "2")
    ]
    counted_alike(session)


def test_a_shop_may_count_them_and_no_longer(
    session: Session, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change of the setting everything is worked out once more; nobody has to ask for it."""
    merge_imported(session, **ORIGINS)
    refresh(A, NOW)
    before = table(database, REVENUE.format("bi_sales_daily"))
    assert refresh(A, NOW)["days"] == 0
    monkeypatch.setenv("XIAOE_COUNT_IMPORTED", "on")
    assert refresh(A, NOW)["days"] > 0
    assert table(database, REVENUE.format("bi_sales_daily")) == [
        figures("6", "5", "192", "1", "162", "162", "3", "137")
    ]
    assert table(database, BUYERS)[0] == (day("03-01"), *figures("1", "0", "100"))
    counted_alike(session)
    monkeypatch.delenv("XIAOE_COUNT_IMPORTED")
    refresh(A, NOW)
    assert table(database, REVENUE.format("bi_sales_daily")) == before


def test_an_order_that_turns_out_to_be_imported_leaves_the_figures(session: Session, database: Database) -> None:
    merge_imported(session)
    refresh(A, NOW)
    assert table(database, REVENUE.format("bi_sales_daily")) == [figures("6", "5", "192", "1", "162", "162", "0", "0")]
    merge_imported(session, **ORIGINS)
    refresh(A, NOW)
    assert table(database, REVENUE.format("bi_sales_daily")) == [figures("2", "2", "55", "0", "55", "55", "3", "137")]
    assert table(database, BUYERS) == [(day("03-05"), *figures("2", "0", "55"))]


def test_the_amount_of_imported_orders_is_no_revenue_among_benefits_either(
    session: Session, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are decided on like the others; only their money is left out, unless a setting counts it."""
    merge_imported(session, **ORIGINS)
    policy = Policy(14, "created_time", "review", [], LONG_AGO)
    number = apply_policy(session, policy, by="test", shop_ids=[A])
    session.commit()
    Decider(Warehouse(), A, policy, number, now=NOW.replace(tzinfo=BEIJING)).decide()
    amounts = "SELECT SUM(orders), SUM(order_amount) FROM bi_benefits_daily"
    refresh(A, NOW)
    assert table(database, amounts) == [figures("6", "55")]
    monkeypatch.setenv("XIAOE_COUNT_IMPORTED", "on")
    refresh(A, NOW)
    assert table(database, amounts) == [figures("6", "199")]


# --- what sums lack ------------------------------------------------------------------------------------

# w1 tells no price, w2 one that cannot be read now: the last good value is added. w3 does not tell when it was paid,
# w4 when it was refunded, w5 how much went back; w6 was never paid, which can be read.
LACKING = """
shop | order | buyer | product | type | created        | paid           | price  | state | refunded       | back
appA | w1    | ua    | p1      | 视频 | 03-01 10:00:00 | 03-02 10:00:00 | -      | 1     | -              | -
appA | w2    | ua    | p1      | 视频 | 03-01 10:00:00 | 03-02 10:00:00 | 30.00  | 1     | -              | -
appA | w3    | ua    | p1      | 视频 | 03-01 10:00:00 | -              | 7.00   | 1     | -              | -
appA | w4    | ua    | p1      | 视频 | 03-01 10:00:00 | 03-02 10:00:00 | 50.00  | 10    | -              | 50.00
appA | w5    | ua    | p1      | 视频 | 03-01 10:00:00 | 03-02 10:00:00 | 5.00   | 10    | 03-03 10:00:00 | -
appA | w6    | ua    | p1      | 视频 | 03-01 10:00:00 | -              | 5.00   | 6     | -              | -
"""
UNREAD = {"w1": "title,price", "w2": "price", "w3": "pay_time", "w4": "refund_time", "w5": "refund_money"}


def test_sums_say_how_many_orders_they_lack(session: Session, database: Database) -> None:
    lacking = (
        "SELECT day, SUM(paid_amount), SUM(orders_without_amount), SUM(refund_amount), SUM(refunds_without_amount)"
        " FROM {} GROUP BY day ORDER BY day"
    )
    found = sales(LACKING)
    merge(session, found, SEEN)
    refresh(A, NOW)
    assert table(database, lacking.format("bi_sales_daily")) == [
        (day("03-01"), *figures("0", "0", "0", "0")),
        (day("03-02"), *figures("85", "1", "0", "0")),
        (day("03-03"), *figures("0", "0", "0", "1")),
    ]
    merge(session, [replace(one, problem_columns=UNREAD.get(one.order_id)) for one in found], SEEN + timedelta(hours=1))
    refresh(A, NOW)
    for name in ("bi_sales_daily", "bi_products_daily"):
        assert table(database, lacking.format(name)) == [
            (day("03-01"), *figures("0", "1", "0", "1")),
            (day("03-02"), *figures("85", "2", "0", "0")),
            (day("03-03"), *figures("0", "0", "0", "1")),
        ]
    counted_alike(session)
    merge(session, found, SEEN + timedelta(hours=2))
    refresh(A, NOW)
    assert table(database, lacking.format("bi_sales_daily"))[0] == (day("03-01"), *figures("0", "0", "0", "0"))


# State 11 says that a partial refund was started (docs/xiaoe-api.md section 2): p1 and p2 saw no money back.
STARTED = """
shop | order | buyer | product | type | created        | paid           | price  | state | refunded       | back
appA | p1    | ua    | p1      | 视频 | 03-01 10:00:00 | 03-01 10:00:00 | 100.00 | 11    | -              | -
appA | p2    | ua    | p1      | 视频 | 03-01 10:00:00 | 03-01 10:00:00 | 100.00 | 11    | 03-02 10:00:00 | 0.00
appA | p3    | ua    | p1      | 视频 | 03-01 10:00:00 | 03-01 10:00:00 | 100.00 | 11    | 03-02 10:00:00 | 5.00
appA | p4    | ua    | p1      | 视频 | 03-01 10:00:00 | 03-01 10:00:00 | 100.00 | 11    | 03-02 10:00:00 | -
"""


def test_a_refund_that_was_only_started_is_none(session: Session, database: Database) -> None:
    """What p4 got back is not known, only when."""
    merge(session, sales(STARTED), SEEN)
    refresh(A, NOW)
    assert table(
        database, "SELECT SUM(refund_orders), SUM(refund_orders_by_pay_day), SUM(refund_amount) FROM bi_sales_daily"
    ) == [figures("2", "2", "5")]


@pytest.mark.parametrize("held", [("marts", A), ("marts", A, "beside")], ids=["first", "beside"])
def test_a_refresh_waits_for_either_connection_of_another(
    held: tuple[str, ...], shop: Database, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that died took its lock along; the other may still compute, and would overwrite what is newer."""
    lock, before = Session.lock, content(shop)
    monkeypatch.setattr(Session, "lock", lambda self, *names: lock(self, *names, timeout=0))
    with session.lock(*held), pytest.raises(XiaoeRetriableError, match="another task has held the lock"):
        refresh(A, NOW, rebuild=True)
    assert table(shop, "SELECT COUNT(*) FROM mart_queue") == [(0,)]
    assert content(shop) == before
    assert refresh(A, NOW, rebuild=True)["days"] > 0
    assert content(shop) == before

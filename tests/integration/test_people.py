"""Accounts that the shop merged count as one person: the small shop once more, worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from support.worlds.marts import content, merge, merge_accounts, merge_users, refresh, sales
from support.worlds.shop import Database
from support.worlds.small_shop import NOW, ORDERS, SEEN, A, B, fill
from xiaoe.clock import midnight
from xiaoe.marts.kpi import between
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql

TOMORROW = NOW + timedelta(days=1)
CHAIN = {"ud": "uc", "uc": "ua"}
"""In shop A ua has bought a01, a02 and a07, uc a04, a12 and a10, ud a08 and a13: now all are ua's. ub stays."""
MERGED_AT = datetime(2026, 7, 30)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Warehouse().session() as session:
        yield session


@pytest.fixture(params=["told first", "told later"])
def shop(request: pytest.FixtureRequest, session: Session, database: Database) -> Database:
    """The small shops, whose merges of accounts are pushed before their orders come, or after figures are there."""
    is_later = request.param == "told later"
    if not is_later:
        merge_accounts(session, A, CHAIN, MERGED_AT)
    fill(session)
    if is_later:
        merge_accounts(session, A, CHAIN, MERGED_AT)
        refresh(A, NOW)
    refresh(A, TOMORROW)
    return database


def table(database: Database, sql: str) -> list[list[str]]:
    return [[f"{value}" for value in row.values()] for row in database.rows(sql)]


def test_buyers_of_a_day(shop: Database) -> None:
    found = table(
        shop,
        "SELECT day, channel, buyers, new_buyers, returning_buyers, paid_amount, new_amount, returning_amount"
        f" FROM bi_buyers_daily WHERE shop_id = '{A}' ORDER BY day",
    )
    assert found == [
        ["2026-03-01", "微信", "1", "1", "0", "100.00", "100.00", "0.00"],
        ["2026-03-02", "微信", "2", "1", "1", "300.00", "50.00", "250.00"],
        ["2026-03-10", "微信", "1", "0", "1", "100.00", "0.00", "100.00"],
        ["2026-04-01", "微信", "1", "0", "1", "0.00", "0.00", "0.00"],
        ["2026-04-02", "微信", "1", "0", "1", "90.00", "0.00", "90.00"],
        ["2026-04-30", "微信", "1", "0", "1", "100.00", "0.00", "100.00"],
    ]
    kpi = f"SELECT day, buyers, new_buyers FROM bi_kpi_daily WHERE shop_id = '{A}' AND buyers > 0 ORDER BY day"
    assert table(shop, kpi) == [[row[0], row[2], row[3]] for row in found]


def test_buyers_of_months_and_what_they_brought(shop: Database, session: Session) -> None:
    cohorts = table(
        shop,
        "SELECT channel, cohort_month, active_month, cohort_buyers, buyers, repeat_buyers, orders_paid, paid_amount"
        f" FROM bi_cohorts WHERE shop_id = '{A}' ORDER BY active_month",
    )
    assert cohorts == [
        ["微信", "2026-03-01", "2026-03-01", "2", "2", "2", "6", "500.00"],
        ["微信", "2026-03-01", "2026-04-01", "2", "1", "1", "4", "190.00"],
    ]
    assert table(
        shop, f"SELECT net_amount, total_net_amount FROM bi_ltv WHERE shop_id = '{A}' ORDER BY month_offset"
    ) == [
        ["370.00", "370.00"],
        ["110.00", "480.00"],
    ]
    for first, end, buyers, new in (("2026-03-01", "2026-04-01", 2, 2), ("2026-04-01", "2026-05-01", 1, 0)):
        begin, over = (midnight(datetime.fromisoformat(one).date()) for one in (first, end))
        figures = between(session, A, begin, over)
        assert (figures.buyers, figures.new_buyers) == (buyers, new)


def test_customers(shop: Database) -> None:
    assert table(
        shop,
        "SELECT user_id, channel, segment, first_day, second_day, last_day, orders_paid, paid_amount, refund_amount"
        f" FROM mart_buyers WHERE shop_id = '{A}' ORDER BY user_id",
    ) == [
        ["ua", "微信", "重要保持客户", "2026-03-01", "2026-03-02", "2026-04-30", "8", "540.00", "160.00"],
        ["ub", "微信", "一般保持客户", "2026-03-02", "2026-03-10", "2026-03-10", "2", "150.00", "50.00"],
    ]
    assert table(
        shop,
        "SELECT segment, times, interval_text, buyers, orders_paid, span_days, net_amount FROM bi_customers"
        f" WHERE shop_id = '{A}' ORDER BY times",
    ) == [
        ["一般保持客户", "2", "8–30 天", "1", "2", "8", "100.00"],
        ["重要保持客户", "8", "1–7 天", "1", "8", "60", "380.00"],
    ]


def test_orders_have_the_channel_of_the_person_wherever_they_are_shown(shop: Database) -> None:
    channels = "SELECT DISTINCT channel FROM {} WHERE shop_id = '{}' AND paid_amount > 0 ORDER BY channel"
    for name in ("bi_orders", "bi_sales_daily", "bi_products_daily"):
        assert table(shop, channels.format(name, A)) == [["微信"], ["未知"]], "a09 has no buyer"
    assert table(shop, f"SELECT SUM(new_orders) FROM bi_coupons_daily WHERE shop_id = '{A}'") == [["2"]], "a01, a03"


def test_accounts_of_the_same_name_in_another_shop_are_other_people(shop: Database) -> None:
    assert table(shop, f"SELECT user_id, orders_paid FROM mart_buyers WHERE shop_id = '{B}' ORDER BY user_id") == [
        ["ua", "1"],
        ["ue", "1"],
    ]


def test_a_later_merge_takes_the_accounts_away_again(shop: Database, session: Session) -> None:
    merge_accounts(session, A, {"uc": "ub"}, MERGED_AT + timedelta(hours=1))
    refresh(A, TOMORROW)
    held = f"SELECT user_id, orders_paid, paid_amount, refund_amount FROM mart_buyers WHERE shop_id = '{A}' ORDER BY 1"
    assert table(shop, held) == [["ua", "3", "200.00", "0.00"], ["ub", "7", "490.00", "210.00"]]
    days = f"SELECT day, SUM(buyers), SUM(new_buyers) FROM bi_buyers_daily WHERE shop_id = '{A}' GROUP BY 1 ORDER BY 1"
    assert table(shop, days) == [
        ["2026-03-01", "1", "1"],
        ["2026-03-02", "2", "1"],
        ["2026-03-10", "1", "0"],
        ["2026-04-01", "1", "0"],
        ["2026-04-02", "1", "0"],
        ["2026-04-30", "1", "0"],
    ]
    refresh(A, TOMORROW + timedelta(days=1))  # segments are of the day
    kept = content(shop)
    refresh(A, TOMORROW + timedelta(days=1), rebuild=True)
    assert content(shop) == kept


def test_what_a_merge_does_not_touch_is_not_worked_out_again(session: Session, database: Database) -> None:
    """Only the days of uc and ud are, and the months in which they buy; not the others of ua."""
    fill(session)
    merge_accounts(session, A, CHAIN, MERGED_AT)
    counts = refresh(A, NOW)
    # a04, a05, a12: 03-02; a08, a13: 04-02, and their refunds 04-03, 07-15; a10: 04-30, and its refund 05-01
    assert (counts["days"], counts["months"]) == (6, 2)
    assert not any(refresh(A, NOW).values()), "merges that are known"


def test_who_registered_twice_registered_once(session: Session, database: Database) -> None:
    """It counts on the day of the account that stays, which buys first in May by the other one."""
    [order] = [one for one in sales(ORDERS) if one.order_id == "a01"]
    merge(session, [replace(order, user_id="u1", pay_time=datetime(2026, 5, 1), price=Decimal(1))], SEEN)
    registered: dict[str, Any] = {"u1": datetime(2026, 4, 30), "u2": datetime(2026, 4, 1)}
    merge_users(session, A, {"u1": "微信", "u2": "抖音"}, SEEN, registered)
    refresh(A, NOW)
    rows = "SELECT day, channel, interval_text, users FROM bi_registrations ORDER BY day"
    assert table(database, rows) == [["2026-04-01", "抖音", "尚未购买", "1"], ["2026-04-30", "微信", "1–7 天", "1"]]
    merge_accounts(session, A, {"u1": "u2"}, MERGED_AT)
    refresh(A, NOW)
    assert table(database, rows) == [["2026-04-01", "抖音", "8–30 天", "1"]]

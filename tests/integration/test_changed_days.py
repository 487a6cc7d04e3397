"""A merge queues the days of which a changed order moves a figure, and only those (include/sql/merge/orders.sql)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from support.worlds.shop import APP_ID, Database, Sync
from support.worlds.staged import StagedRun, at, raw_order

pytestmark = pytest.mark.mysql

CREATED, PAID, REFUNDED = dt.date(2026, 9, 2), dt.date(2026, 9, 3), dt.date(2026, 9, 5)
BEFORE = {
    "created_time": f"{CREATED} 10:00:00",
    "pay_time": f"{PAID} 10:00:00",
    "refund_time": f"{REFUNDED} 10:00:00",
    "coupon_id": "c_1",
    "coupon_name": "新人券",
    "discount_price": 100,
    "order_type": [2],
    "client_type": 0,
    "refund_money": 100,
}
OF_BUYERS: dict[str, Any] = {"user_id": "u_other", "price": "98.00", "client_type": 1, "order_type": [6, 2]}
"""Fields that decide how many buyers a day has, each with another value."""
OF_SALES: dict[str, Any] = {
    "resource_type": 6,
    "resource_id": "v_other",
    "count": 2,
    "refund_money": 200,
    "order_state": 10,
    "coupon_id": "c_2",
    "coupon_name": "老友券",
    "coupon_price": 5,
    "discount_price": 200,
}
"""Fields that decide other figures of a day."""
OF_NOTHING: dict[str, Any] = {"title": "改了名", "ship_state": 1}


def queued(database: Database) -> set[tuple[str, dt.date | None, str | None]]:
    """Kind, day and user of everything that waits for the marts."""
    found = database.rows("SELECT * FROM mart_queue WHERE kind <> 'covered'")
    return {(row["kind"], row["day"], row["user_id"] or None) for row in found}


def queued_after(sync: Sync, database: Database, **fields: Any) -> set[tuple[str, dt.date | None, str | None]]:
    """What is queued after one order came again with other values of these fields; the orders beside it did not."""
    beside = raw_order(2, pay_time="2026-09-06 10:00:00")
    sync.merge(*StagedRun([(at(0), [raw_order(1, **BEFORE), beside])], run_id="before").write(sync.store))
    columns = ", ".join(one for one in database.stored_columns("orders") if one != "shop_id")
    database.rows(
        f"INSERT INTO orders (shop_id, {columns}) SELECT 'appOther', {columns.replace('user_id', 'CONCAT(user_id, 9)')}"
        " FROM orders WHERE shop_id = %s AND order_id = 'o_00001'",
        [APP_ID],
    )
    database.rows("DELETE FROM mart_queue")
    changed = raw_order(1, **{**BEFORE, **fields})
    sync.merge(*StagedRun([(at(60), [changed, beside])], run_id="after").write(sync.store))
    return queued(database)


def test_a_new_order_counts_its_buyer(sync: Sync, database: Database) -> None:
    sync.merge(*StagedRun([(at(0), [raw_order(1, **BEFORE)])]).write(sync.store))
    assert queued(database) == {("buyers", PAID, None), ("sales", CREATED, None), ("sales", REFUNDED, None)}


@pytest.mark.parametrize("field", OF_BUYERS)
def test_a_field_that_counts_buyers(sync: Sync, database: Database, field: str) -> None:
    assert queued_after(sync, database, **{field: OF_BUYERS[field]}) == {
        ("buyers", PAID, None),
        ("sales", CREATED, None),
        ("sales", REFUNDED, None),
        ("buyer", None, "u_1"),
    }


@pytest.mark.parametrize("field", OF_SALES)
def test_a_field_of_other_figures(sync: Sync, database: Database, field: str) -> None:
    assert queued_after(sync, database, **{field: OF_SALES[field]}) == {
        ("sales", CREATED, None),
        ("sales", PAID, None),
        ("sales", REFUNDED, None),
        ("buyer", None, "u_1"),
    }


@pytest.mark.parametrize("field", OF_NOTHING)
def test_a_field_of_no_figure(sync: Sync, database: Database, field: str) -> None:
    assert queued_after(sync, database, **{field: OF_NOTHING[field]}) == set()


def test_a_time_that_moves_queues_the_day_it_leaves_and_the_one_it_comes_to(sync: Sync, database: Database) -> None:
    later = dt.date(2026, 9, 9)
    for field, kind, left in (
        ("pay_time", "buyers", PAID),
        ("created_time", "sales", CREATED),
        ("refund_time", "sales", REFUNDED),
    ):
        found = queued_after(sync, database, **{field: f"{later} 11:00:00"})
        assert {(kind, left, None), (kind, later, None), ("buyer", None, "u_1")} <= found, field
        database.empty()


def test_an_order_without_a_buyer_queues_no_buyer(sync: Sync, database: Database) -> None:
    for minute, price in enumerate(("99.00", "98.00")):
        database.rows("DELETE FROM mart_queue")
        order = raw_order(1, **{**BEFORE, "user_id": "", "price": price})
        sync.merge(*StagedRun([(at(60 * minute), [order])], run_id=f"run-{minute}").write(sync.store))
    assert {kind for kind, *_ in queued(database)} == {"buyers", "sales"}

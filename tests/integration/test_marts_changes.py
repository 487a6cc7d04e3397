"""What dashboards read stays what a reckoning from nothing would give, whatever changes, in whatever order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.faults.chaos import by_level
from support.worlds.marts import MARTS, Sale, content, lose, merge, merge_accounts, merge_users, refresh
from support.worlds.shop import Database
from xiaoe.marts.refresh import Refresher
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql

SHOP = "appA"
DAY_ONE = datetime(2026, 1, 30, 10)
TODAY = datetime(2026, 5, 1, 12)
SEEN = datetime(2026, 4, 30)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Warehouse().session() as session:
        yield session


def sale(number: int, **changes: Any) -> Sale:
    """A paid order of its own user and product, made on the day of its number."""
    made = DAY_ONE + timedelta(days=number)
    return replace(
        Sale(SHOP, f"o{number}", f"u{number}", f"p{number}", "视频", 3, made, made, Decimal(100), 1, None, None),
        **changes,
    )


def from_nothing(database: Database, session: Session, today: datetime = TODAY) -> dict[str, list[tuple[Any, ...]]]:
    """What the marts hold when everything is recomputed."""
    for table in MARTS:
        session.execute(f"DELETE FROM {table}")
    session.commit()
    refresh(SHOP, today, rebuild=True)
    return content(database)


def figures(database: Database) -> list[tuple[Any, ...]]:
    rows = database.rows(
        "SELECT day, orders_paid, paid_amount, refund_amount FROM bi_sales_daily ORDER BY day, channel"
    )
    return [
        (f"{row['day']:%m-%d}", row["orders_paid"], int(row["paid_amount"]), int(row["refund_amount"])) for row in rows
    ]


# --- anything, in any order ----------------------------------------------------------------------------

moments = st.none() | st.sampled_from([0, 1, 2, 3, 40]).map(lambda day: DAY_ONE + timedelta(days=day))
found = st.builds(
    Sale,
    shop_id=st.just(SHOP),
    order_id=st.sampled_from(["o1", "o2", "o3", "o4", "o5", "o6"]),
    user_id=st.sampled_from(["u1", "u2", "u3", None]),
    resource_id=st.sampled_from(["p1", "p2", None]),
    resource_type_text=st.sampled_from(["视频", None]),
    resource_type=st.sampled_from([3, 1, None]),
    created_time=moments,
    pay_time=moments,
    price=st.sampled_from([None, Decimal(0), Decimal(100)]),
    order_state=st.sampled_from([None, 1, 3, 8, 10, 11]),
    refund_time=moments,
    refund_money=st.sampled_from([None, Decimal(0), Decimal(30), Decimal(100)]),
    quantity=st.sampled_from([None, 1, 2]),
    client_type=st.sampled_from([None, 1, 10]),
    order_type=st.sampled_from([None, "", "2", "2,70"]),
    order_type_text=st.sampled_from([None, "普通", "普通,优惠券"]),
    coupon_id=st.sampled_from([None, "c1"]),
    discount_price=st.sampled_from([None, Decimal(5)]),
)
steps = st.one_of(
    st.tuples(
        st.just("merge"), st.lists(found, min_size=1, max_size=4, unique_by=lambda one: one.order_id), st.integers(0, 9)
    ),
    st.tuples(st.just("lose"), found),
    st.tuples(
        st.just("users"),
        st.dictionaries(st.sampled_from(["u1", "u2"]), st.sampled_from([None, "微信", "抖音"]), min_size=1),
        st.dictionaries(st.sampled_from(["u1", "u2"]), moments),
    ),
    st.tuples(
        st.just("accounts"),
        st.dictionaries(st.sampled_from(["u1", "u2", "u3", "u4"]), st.sampled_from(["u1", "u2", "u3"]), min_size=1),
        st.integers(0, 9),
    ),
    st.tuples(st.just("refresh")),
)


@given(st.lists(steps, min_size=3, max_size=12))
@settings(max_examples=by_level(4, 8, 50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_the_marts_are_what_they_would_be_from_nothing(
    database: Database, session: Session, happened: list[tuple[Any, ...]]
) -> None:
    database.empty()
    session.rollback()
    for kind, *what in happened:
        if kind == "merge":
            merge(session, what[0], SEEN + timedelta(minutes=what[1]))
        elif kind == "lose":
            lose(session, what[0])
        elif kind == "users":
            merge_users(session, SHOP, what[0], SEEN, what[1])
        elif kind == "accounts":
            merge_accounts(session, SHOP, what[0], SEEN + timedelta(minutes=what[1]))
        else:
            refresh(SHOP, TODAY)
    refresh(SHOP, TODAY)
    tomorrow = TODAY + timedelta(days=1)
    refresh(SHOP, tomorrow)
    kept = content(database)
    assert database.value("SELECT COUNT(*) FROM mart_queue") == 0
    assert kept == from_nothing(database, session, tomorrow)


# --- what moves ----------------------------------------------------------------------------------------


def test_a_refund_that_moves_leaves_its_old_day(session: Session, database: Database) -> None:
    back = sale(0, order_state=10, refund_money=Decimal(100), refund_time=DAY_ONE + timedelta(days=9))
    merge(session, [back], SEEN)
    refresh(SHOP, TODAY)
    assert figures(database) == [("01-30", 1, 100, 0), ("02-08", 0, 0, 100)]
    merge(session, [replace(back, refund_time=DAY_ONE + timedelta(days=40))], SEEN + timedelta(seconds=1))
    assert refresh(SHOP, TODAY)["days"] == 3, "the day of payment, and both days of the refund"
    assert figures(database) == [("01-30", 1, 100, 0), ("03-11", 0, 0, 100)]


def test_a_buyer_whose_first_order_is_found_later_is_new_there(session: Session, database: Database) -> None:
    """The history is loaded backwards; then the first order is gone."""
    new = "SELECT day, new_buyers, returning_buyers FROM bi_buyers_daily ORDER BY day"
    early, late, last = (sale(number, user_id="u") for number in (0, 40, 80))
    merge(session, [late, last], SEEN)
    refresh(SHOP, TODAY)
    assert [tuple(row.values())[1:] for row in database.rows(new)] == [(1, 0), (0, 1)]
    merge(session, [early], SEEN)
    refresh(SHOP, TODAY)
    assert [tuple(row.values())[1:] for row in database.rows(new)] == [(1, 0), (0, 1), (0, 1)]
    cohorts = "SELECT DISTINCT cohort_month FROM mart_cohorts ORDER BY cohort_month"
    assert [f"{row['cohort_month']:%m}" for row in database.rows(cohorts)] == ["01"]
    lose(session, early)
    refresh(SHOP, TODAY)
    assert [tuple(row.values())[1:] for row in database.rows(new)] == [(1, 0), (0, 1)]
    assert [f"{row['cohort_month']:%m}" for row in database.rows(cohorts)] == ["03"]


def test_a_source_that_the_list_tells_later_is_the_channel_of_old_orders(session: Session, database: Database) -> None:
    merge(session, [sale(0), sale(40)], SEEN)
    refresh(SHOP, TODAY)
    merge_users(session, SHOP, {"u0": "微信", "u40": None}, SEEN)
    assert refresh(SHOP, TODAY)["days"] == 1
    for table in ("bi_sales_daily", "bi_buyers_daily", "mart_products_daily", "mart_cohorts"):
        assert sorted(row["channel"] for row in database.rows(f"SELECT channel FROM {table}")) == ["微信", "未知"]


def test_what_did_not_change_is_not_worked_out_again(session: Session, database: Database) -> None:
    merge(session, [sale(0), sale(40)], SEEN)
    refresh(SHOP, TODAY)
    merge(session, [replace(sale(0), quantity=1)], SEEN + timedelta(seconds=1))
    assert not any(refresh(SHOP, TODAY).values())
    merge(session, [replace(sale(0), order_state=8)], SEEN + timedelta(seconds=2))
    counts = refresh(SHOP, TODAY)
    assert (counts["days"], counts["months"], counts["weeks"]) == (1, 0, 1), "who bought did not change"


# --- at the same time ----------------------------------------------------------------------------------


def test_a_merge_during_a_refresh_is_not_lost_and_waits_for_nobody(
    session: Session, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It commits behind the reading of the orders, and before the queue is cleared."""
    merge(session, [sale(0)], SEEN)
    done, merged = Refresher._done, []

    def merge_meanwhile(other: Session, numbers: list[int]) -> None:
        if not merged:
            session.execute("SET SESSION innodb_lock_wait_timeout = 1")
            merge(session, [sale(0, price=Decimal(70)), sale(1)], SEEN + timedelta(seconds=1))
            merged.append(figures(database))
        done(other, numbers)

    monkeypatch.setattr(Refresher, "_done", staticmethod(merge_meanwhile))
    refresh(SHOP, TODAY)
    assert merged == [[]], "nobody sees half of it"
    assert figures(database) == [("01-30", 1, 70, 0), ("01-31", 1, 100, 0)]


def test_a_refresh_that_breaks_off_changes_nothing_and_the_next_makes_up_for_it(
    session: Session, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(session, [sale(0)], SEEN)
    refresh(SHOP, TODAY)
    before = content(database)
    merge(session, [sale(0, price=Decimal(70))], SEEN + timedelta(seconds=1))
    with monkeypatch.context() as patched:
        patched.setattr(Refresher, "_done", staticmethod(lambda *_: 1 / 0))
        with pytest.raises(ZeroDivisionError):
            refresh(SHOP, TODAY)
    assert content(database) == before
    refresh(SHOP, TODAY)
    assert figures(database) == [("01-30", 1, 70, 0)]


def test_a_rebuild_makes_up_for_changes_by_hand(session: Session, database: Database) -> None:
    merge(session, [sale(0), sale(1)], SEEN)
    refresh(SHOP, TODAY)
    session.execute("DELETE FROM order_items")
    session.execute("DELETE FROM orders WHERE order_id = 'o1'")
    session.execute("UPDATE orders SET price = 5")
    session.commit()
    refresh(SHOP, TODAY)
    assert figures(database) == [("01-30", 1, 100, 0), ("01-31", 1, 100, 0)]
    refresh(SHOP, TODAY, rebuild=True)
    assert figures(database) == [("01-30", 1, 5, 0)]
    assert content(database) == from_nothing(database, session)


# --- who reads -----------------------------------------------------------------------------------------


def test_no_view_needs_rights_on_what_it_reads(database: Database) -> None:
    views = database.rows(
        "SELECT table_name AS name, security_type AS runs_as FROM information_schema.views"
        " WHERE table_schema = DATABASE() AND table_name LIKE 'bi\\_%%'",
        (),
    )
    assert len(views) == 32
    assert {row["runs_as"] for row in views} == {"DEFINER"}


def test_the_contract_names_every_column_and_no_other(database: Database) -> None:
    """docs/bi.md, which the dashboards are built on."""
    page = (Path(__file__).parents[2] / "docs" / "bi.md").read_text("utf-8")
    told = {}
    for name, part in re.findall(r"^### `(bi_\w+)`(.*?)(?=^### |\Z)", page, re.M | re.S):
        cells = re.findall(r"^\| (`[^|]*) \|", part, re.M)
        told[name] = sorted(column for cell in cells for column in re.findall(r"`(\w+)`", cell))
    held: dict[str, list[str]] = {}
    for row in database.rows(
        "SELECT table_name AS name, column_name AS col FROM information_schema.columns WHERE table_schema = DATABASE()"
    ):
        if row["name"].startswith("bi_"):
            held.setdefault(row["name"], []).append(row["col"])
    assert told == {name: sorted(columns) for name, columns in held.items()}
    assert held.pop("bi_orders").count("order_id") == 1  # one row an order, without its buyer
    personal = {"user_id", "nickname", "phone", "receiver_name", "order_id", "answered_by", "raw_json", "message"}
    assert not personal & {column for columns in held.values() for column in columns}

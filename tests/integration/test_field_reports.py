"""Rows that shops have really sent, and what is stored of them: one odd row costs neither its page nor a figure.

What a server's owner does is in test_hostile_server.py, every form of every value in tests/support/worlds/forms.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from support.worlds.marts import merge, refresh, sales
from support.worlds.shop import APP_ID, Database, Sync, unbalanced
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql

SEEN = datetime(2026, 11, 10)
TODAY = datetime(2026, 11, 10)
SOLD = """
shop | order | buyer | product | type | created        | paid           | price | state | refunded | back
appA | a01   | ua    | p1      | 视频 | 11-01 10:00:00 | 11-01 10:01:00 | 10.00 | 1     | -        | -
appA | a02   | ub    | p1      | 视频 | 11-01 11:00:00 | 11-01 11:01:00 | 20.00 | 1     | -        | -
appA | a03   | uc    | p1      | 视频 | 11-02 11:00:00 | 11-02 11:01:00 | 30.00 | 1     | -        | -
"""


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Warehouse().session() as session:
        yield session


# --- keys that the database takes for one ---------------------------------------------------------------


def keys(database: Database) -> tuple[list[str], list[tuple[str, str]]]:
    """Of the orders, and of the rejected rows with the key that each gave way to."""
    rejected = database.rows("SELECT row_key, reason FROM rejected_rows WHERE resolved_at IS NULL ORDER BY raw_hash")
    return (
        [row["order_id"] for row in database.rows("SELECT order_id FROM orders ORDER BY order_id")],
        [(row["row_key"], row["reason"].split("'")[1]) for row in rejected],
    )


@pytest.mark.parametrize("first", ["x", "x "])
@pytest.mark.parametrize("pages", [1, 2])
def test_a_key_with_a_blank_at_its_end_gives_way_and_is_told(
    sync: Sync, database: Database, first: str, pages: int
) -> None:
    second = "x " if first == "x" else "x"
    rows = [raw_order(1, order_id=first), raw_order(2, order_id=second), raw_order(3)]
    listed = [(at(0), rows)] if pages == 1 else [(at(0), rows[:1]), (at(1), rows[1:])]
    for number in range(2):
        counts = sync.merge(*StagedRun(listed, run_id=f"run-{number}").write(sync.store))
        assert (counts["staged"], counts["rejected"]) == (3, 1)
        assert keys(database) == (["o_00003", first], [(second, first)])
        assert database.value("SELECT user_id FROM orders WHERE order_id = 'x'") == "u_1"
    assert not unbalanced(database)


def test_a_key_that_differs_in_a_blank_from_one_of_another_run_is_told(sync: Sync, database: Database) -> None:
    one, other = raw_order(1, order_id="x"), raw_order(2, order_id="x ")
    sync.merge(*StagedRun([(at(0), [one])], run_id="one").write(sync.store))
    counts = sync.merge(*StagedRun([(at(9), [one, other])], run_id="both").write(sync.store))
    assert (counts["unchanged"], counts["rejected"]) == (1, 1)
    assert keys(database) == (["x"], [("x ", "x")])
    assert database.value("SELECT user_id FROM orders") == "u_1"
    assert not unbalanced(database)


# --- what is no JSON ------------------------------------------------------------------------------------

NO_JSON = (b"NaN", b"Infinity", b"-Infinity", b"undefined", b"01", b".5", b"0x1F", b"None")


@pytest.mark.parametrize("sent", NO_JSON)
@pytest.mark.parametrize("column", ["price", "title", "created_time", "order_state", "refund_money"])
def test_what_is_no_json_in_a_field_is_a_problem_of_that_field(
    sync: Sync, database: Database, sent: bytes, column: str
) -> None:
    mark = b'"no json"'
    row = raw_order(2, **{column: "no json"})
    assert row.count(mark) == 1
    rows = [raw_order(1), row.replace(mark, sent), raw_order(3)]
    counts = sync.merge(*StagedRun([(at(0), rows)]).write(sync.store))
    assert (counts["inserted"], counts["rejected"]) == (3, 0)
    stored = database.rows(f"SELECT order_id, problem_columns, {column} AS value FROM orders ORDER BY order_id")
    assert [row["problem_columns"] for row in stored] == [None, column, None]
    assert [row["value"] is None for row in stored][1]
    problems = database.rows("SELECT row_key, field, value, shape FROM field_problems")
    assert [(row["row_key"], row["field"], row["value"]) for row in problems] == [("o_00002", column, sent.decode())]
    assert problems[0]["shape"].startswith("not JSON ")


def test_a_row_whose_key_is_no_json_is_rejected_and_the_others_are_stored(sync: Sync, database: Database) -> None:
    rows = [raw_order(1), raw_order(2).replace(b'"o_00002"', b"NaN"), raw_order(3)]
    counts = sync.merge(*StagedRun([(at(0), rows)]).write(sync.store))
    assert (counts["inserted"], counts["rejected"]) == (2, 1)
    assert [row["order_id"] for row in database.rows("SELECT order_id FROM orders ORDER BY 1")] == [
        "o_00001",
        "o_00003",
    ]
    assert "order_id='NaN'" in database.value("SELECT reason FROM rejected_rows")


def test_texts_that_json_would_have_escaped_are_read(sync: Sync, database: Database) -> None:
    sent = rb"""line one""" + b"\n\ttwo " + rb"it\'s \x41 \u4e2d \ud83d"
    rows = [raw_order(1, title="no json").replace(b"no json", sent), raw_order(2)]
    assert sync.merge(*StagedRun([(at(0), rows)]).write(sync.store))["inserted"] == 2
    titles = [row["title"] for row in database.rows("SELECT title FROM orders ORDER BY order_id")]
    assert titles == ["line one\n\ttwo it's \\x41 中 \ufffd", "课程 2"]
    assert database.value("SELECT COUNT(*) FROM field_problems") == 0


# --- figures --------------------------------------------------------------------------------------------


def test_the_largest_counts_and_amounts_add_up(session: Session, database: Database) -> None:
    largest = 2**31 - 1
    most = Decimal("9999999999.99")
    found = [replace(one, quantity=largest, price=most, refund_money=most, order_state=10,
                     refund_time=one.pay_time) for one in sales(SOLD)]  # fmt: skip
    merge(session, found, SEEN)
    refresh("appA", TODAY)
    daily = database.rows("SELECT day, quantity_paid, paid_amount, refund_amount, net_amount FROM bi_sales_daily")
    assert {
        (f"{row['day']}", row["quantity_paid"], row["paid_amount"], row["refund_amount"], row["net_amount"])
        for row in daily
    } == {
        ("2026-11-01", 2 * largest, 2 * most, 2 * most, Decimal(0)),
        ("2026-11-02", largest, most, most, Decimal(0)),
    }
    assert database.value("SELECT SUM(quantity_paid) FROM bi_products_daily") == 3 * largest
    assert database.value("SELECT COUNT(*) FROM mart_queue") == 0


@pytest.mark.parametrize("wrong", ["9999-12-31 23:59:59", "9999-12-01 00:00:00", "0001-01-01 00:00:00"])
def test_a_day_at_the_end_of_the_calendar_does_not_stop_the_marts(
    session: Session, database: Database, wrong: str
) -> None:
    """Such days come from warehouses that were filled before these times were known for what they are."""
    merge(session, sales(SOLD), SEEN)
    for kind in ("sales", "buyers", "month", "week", "deadline", "decided", "covered"):
        database.rows(f"INSERT INTO mart_queue (shop_id, kind, day) VALUES ('appA', %s, DATE('{wrong}'))", [kind])
    refresh("appA", TODAY)
    days = database.rows("SELECT day, paid_amount FROM bi_sales_daily ORDER BY day")
    assert [(f"{row['day']}", row["paid_amount"]) for row in days] == [("2026-11-01", 30), ("2026-11-02", 30)]
    assert database.value("SELECT COUNT(*) FROM mart_queue") == 0


def test_an_unpaid_order_with_a_sentinel_is_not_paid(sync: Sync, database: Database) -> None:
    rows = [raw_order(1, pay_time="1970-01-01 08:00:00", order_state=0), raw_order(2, pay_time="9999-12-31 23:59:59")]
    sync.merge(*StagedRun([(at(0), rows)]).write(sync.store))
    assert (
        database.rows("SELECT pay_time, problem_columns FROM orders")
        == [{"pay_time": None, "problem_columns": None}] * 2
    )
    refresh(APP_ID, TODAY)
    assert database.value("SELECT SUM(orders_paid) FROM bi_sales_daily") == 0
    assert database.value("SELECT COUNT(*) FROM mart_cohorts") == 0


@pytest.mark.parametrize("cut", ["课程".encode()[:-1], "课程".encode("gbk"), b"\xff", b"\xed\xa0\xbd", b"\xc0\x80"])
def test_bytes_that_are_no_text_cost_no_row(sync: Sync, database: Database, cut: bytes) -> None:
    """A text cut in the middle of a character, or of another encoding: what is no UTF-8 becomes U+FFFD."""
    rows = [raw_order(1), raw_order(2, title="mark").replace(b'"mark"', b'"<%b>"' % cut), raw_order(3)]
    rows.append(raw_order(4, user_id="mark").replace(b'"mark"', b'"<%b>"' % cut))
    rows.append(raw_order(5, order_id="mark").replace(b'"mark"', b'"<%b>"' % cut))
    for number in range(2):
        counts = sync.merge(*StagedRun([(at(number), rows)], run_id=f"run-{number}").write(sync.store))
        assert counts["rejected"] == 1
    stored = database.rows("SELECT order_id, title, price, problem_columns FROM orders ORDER BY order_id")
    assert [row["order_id"] for row in stored] == ["o_00001", "o_00002", "o_00003", "o_00004"]
    assert stored[1]["title"] == f"<{cut.decode('utf-8', 'replace')}>"
    assert stored[1]["price"] == stored[0]["price"]
    assert [row["problem_columns"] for row in stored] == [None, None, None, "user_id"]
    assert "UTF-8" in database.value("SELECT reason FROM rejected_rows")

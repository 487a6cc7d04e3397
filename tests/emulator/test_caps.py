"""Lists that end after a number of rows, as a search engine's do: on for users, an option for the others."""

from __future__ import annotations

import pytest
from conftest import DAY, LISTS


def small(connect, **options):
    return connect(orders=1500, cap_rows=100, **options)


@pytest.mark.parametrize("table", LISTS)
def test_a_capped_list_tells_no_larger_total_and_ends_there(connect, table):
    client = small(connect, capped=["orders", *LISTS])
    rows = client.list_all(table, page_size=20, most=5, until_refused=True)
    whole = [row[LISTS[table][4]] for row in connect(orders=1500, cap_rows=0).list_all(table, page_size=20)]
    assert [row[LISTS[table][4]] for row in rows] == whole[:100]
    assert len(whole) > 100


def test_a_page_that_reaches_over_the_cap_is_cut(connect):
    client = small(connect)
    pages = [rows for _, rows in client.list_pages("users", page_size=40, until_refused=True)]
    assert [len(rows) for rows in pages] == [40, 40, 20]


def test_the_order_list_can_be_capped(connect):
    client = small(connect, capped=["orders"])
    now = client.emulator.clock()["unix"]
    window = {"begin_time": now - 7 * DAY, "end_time": now, "page_size": 50}
    assert client.page(**window)[0] == 100
    assert len(client.page(**window, page_index=2)[1]) == 50
    assert client.ask(**window, page_index=3)["code"] == 1002
    day = {**window, "begin_time": now - DAY // 2}
    assert client.page(**day)[0] == sum(1 for _ in client.emulator.truth_orders(begin=now - DAY // 2)) < 100


def test_days_that_hold_fewer_users_are_whole(connect):
    client = small(connect)
    assert client.list_page("users")[0] == 100
    asked = {"user_created_start": "2025-02-01", "user_created_end": "2025-02-02"}
    truth = [row for row in client.truth("users") if "2025-02-01" <= row["registered_at"] < "2025-02-03"]
    assert client.list_page("users", **asked)[0] == len(client.list_all("users", **asked)) == len(truth) < 100


def test_only_users_are_capped_unless_chosen_otherwise(connect):
    client = small(connect)
    assert client.list_page("users")[0] == 100
    assert all(client.list_page(table)[0] > 100 for table in LISTS if table != "users")
    now = client.emulator.clock()["unix"]
    assert client.page(begin_time=now - 7 * DAY, end_time=now)[0] > 100


def test_users_end_at_ten_thousand_by_default(connect):
    client = connect(orders=25_000, no_limits=True)
    assert len(client.truth("users")) > 12_000
    pages = list(client.list_pages("users", most=250, until_refused=True))
    assert {total for total, _ in pages} == {10_000}
    assert sum(len(rows) for _, rows in pages) == 10_000


def test_the_cap_can_be_switched_off(connect):
    client = connect(orders=25_000, no_limits=True, cap_rows=0)
    assert client.list_page("users")[0] > 12_000

"""Paging, window, order and filters of the order list (docs/xiaoe-api.md section 2)."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime

import pytest
from conftest import DAY, PATH

WEEK = 7 * DAY


def ids(rows):
    return [row["order_id"] for row in rows]


@pytest.fixture(scope="module")
def now(shop):
    return shop.emulator.clock()["unix"]


def test_pages_of_a_window_hold_every_order_once_in_ascending_order(shop, now):
    begin = now - WEEK
    rows = shop.window(begin, now, page_size=50)
    total, _ = shop.page(begin_time=begin, end_time=now)
    assert len(rows) == len(set(ids(rows))) == total > 200
    assert [row["created_time"] for row in rows] == sorted(row["created_time"] for row in rows)
    assert set(ids(rows)) == {row["order_id"] for row in shop.emulator.truth_orders(begin=begin, end=now + 1)}


def test_windows_that_meet_hold_the_whole_shop_once(shop):
    rows = shop.everything()
    assert len(rows) == len(set(ids(rows))) == 3000


def test_pages_hold_200_by_default_and_at_most(shop, now):
    for size in ({}, {"page_size": 500}, {"page_size": "200"}):
        assert len(shop.page(begin_time=now - WEEK, end_time=now, **size)[1]) == 200


def test_a_wrong_paging_key_is_ignored(shop, now):
    window = {"begin_time": now - WEEK, "end_time": now, "page_size": 20}
    first = shop.page(**window)
    assert shop.page(**window, page=2) == shop.page(**window, page=3) == first
    assert shop.page(**window, page_index=2) != first


def test_a_page_beyond_the_end_is_empty_and_keeps_the_total(shop, now):
    data = shop.ask(begin_time=now - WEEK, end_time=now, page_index=99)["data"]
    assert data["total"] > 200
    assert data["list"] in (None, [])


def test_without_times_the_last_day_is_listed(shop, now):
    rows = shop.page()[1]
    assert ids(rows) == ids(shop.window(now - DAY, now))


def test_a_window_of_seven_days_is_allowed_and_one_second_more_is_not(shop, now):
    assert shop.ask(begin_time=now - WEEK, end_time=now)["code"] == 0
    assert shop.ask(begin_time=now - WEEK - 1, end_time=now)["code"] == 1002


@pytest.mark.parametrize(("wide_window", "days"), [("cut", 7), ("served", 20)])
def test_a_wide_window_can_be_cut_or_served(connect, wide_window, days):
    client = connect(wide_window=wide_window)
    begin = client.emulator.clock()["unix"] - 20 * DAY
    total, _ = client.page(begin_time=begin, end_time=begin + 20 * DAY)
    expected = client.emulator.truth_orders(begin=begin, end=begin + days * DAY + 1)
    assert total == sum(1 for _ in expected)


def test_end_time_is_in_the_window_or_not_as_chosen(shop, connect):
    exclusive = connect(orders=3000, end_exclusive=True)
    times = Counter(row["created_time"] for row in shop.emulator.truth_orders())
    time, count = times.most_common(1)[0]
    second = int(datetime.fromisoformat(time + "+08:00").timestamp())
    window = {"begin_time": second, "end_time": second}
    assert shop.page(**window)[0] == count >= 2
    assert exclusive.page(**window)[0] == 0
    assert exclusive.page(begin_time=second, end_time=second + 1)[0] == count


def test_orders_share_seconds_also_at_midnight(shop):
    times = Counter(row["created_time"] for row in shop.emulator.truth_orders())
    shared = [time for time, count in times.items() if count > 1]
    assert len(shared) > 50
    assert any(time.endswith("00:00:00") for time in times)
    assert any(time.endswith("23:59:59") for time in times)


def test_descending_order_is_the_reverse(shop, now):
    up = shop.window(now - 2 * DAY, now)
    down = shop.window(now - 2 * DAY, now, order_by="created_at:desc")
    assert ids(down) == ids(up)[::-1]
    assert shop.ask(order_by="price:asc")["code"] == 1002


@pytest.mark.parametrize(
    "name",
    [
        "order_id", "resource_id", "transaction_id", "out_order_id", "user_id", "order_state", "ship_state",
        "sales_state", "resource_type",
    ],
)  # fmt: skip
def test_a_filter_finds_exactly_the_rows_that_hold_its_value(shop, now, name):
    rows = shop.window(now - WEEK, now)
    value = str(next(row[name] for row in rows if row.get(name)) if name != "sales_state" else 0)
    expected = [row["order_id"] for row in rows if str(row.get(name)) == value]
    found = ids(shop.window(now - WEEK, now, **{name: value}))
    assert set(expected) <= set(found)  # a row may leave the field out and still match
    assert len(found) - len(expected) <= 5
    assert len(found) < len(rows) or name in ("sales_state", "ship_state")


def test_an_order_id_is_bound_to_the_window_unless_chosen_otherwise(shop, connect):
    free = connect(orders=3000, order_id_window="ignored")
    old = next(shop.emulator.truth_orders())["order_id"]
    assert shop.page(order_id=old)[0] == 0
    assert ids(free.page(order_id=old)[1]) == [old]
    assert free.page(order_id="o_1_2_3")[0] == free.page(order_id="nonsense")[0] == 0


def test_nothing_comes_in_every_documented_shape(shop):
    before = shop.begin - 100 * DAY
    shapes = {json.dumps(shop.ask(begin_time=before + i, end_time=before + i)["data"]) for i in range(60)}
    assert shapes == {"null", "[]", "{}", '{"total": 0, "list": []}', '{"total": 0, "list": null}'}


@pytest.mark.parametrize("bad", [{"page_index": 0}, {"page_size": "x"}, {"begin_time": "2025-01-01 00:00:00"}])
def test_a_parameter_that_cannot_be_read_is_1002(shop, bad):
    assert shop.ask(**bad)["code"] == 1002


def test_unknown_interfaces_and_wrong_methods_are_told(shop):
    body = json.dumps({"access_token": shop.access_token})
    assert json.loads(shop.http("POST", "/xe.user.batch.get/9.9.9", body)[2])["code"] == 2052
    assert json.loads(shop.http("GET", PATH)[2])["code"] == 2055
    assert json.loads(shop.http("POST", PATH, "not json")[2])["code"] == 2007


def test_an_interface_without_permission_is_2017(connect):
    assert connect(deny=["xe.order.list.get/1.0.1"]).ask()["code"] == 2017


def test_the_envelope_spells_its_text_in_two_ways(shop):
    unknown = json.loads(shop.http("POST", "/nothing")[2])
    assert (set(shop.ask()), set(unknown)) == ({"code", "msg", "data"}, {"code", "message", "data"})


def test_the_spelling_can_be_fixed(connect):
    assert set(connect(message_key="message").ask()) == {"code", "message", "data"}

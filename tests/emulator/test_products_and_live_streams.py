"""The lists of products and live streams (docs/xiaoe-api.md sections 5 and 6) and what becomes of both."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import pytest
from conftest import DAY
from plain_parser import parse_live, parse_product


def at(text):
    return int(datetime.fromisoformat(text + "+08:00").timestamp())


@pytest.fixture(scope="module")
def products(shop):
    return {row["resource_id"]: row for row in shop.truth("products")}


def test_products_are_listed_newest_first_with_the_number_of_the_page(shop):
    rows = [parse_product(row) for row in shop.list_all("products")]
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    assert shop.call("products", page=2)["data"]["current_page"] == 2


def test_what_orders_name_is_a_product_of_that_type_and_title_unless_it_has_vanished(shop, products):
    orders = list(shop.emulator.truth_orders())
    missing = {row["resource_id"] for row in orders} - products.keys()
    assert len(missing) < 15
    for order in orders:
        product = products.get(order["resource_id"])
        if product:
            assert (product["name"], product["resource_type"]) == (order["title"], order["resource_type"])
            assert product["resource_type_text"] == order["resource_type_text"]
            assert product["created_at"] < order["created_time"]


def test_a_price_is_what_an_order_paid_or_had_off(shop, products):
    for order in shop.emulator.truth_orders(end=shop.begin + 10 * DAY):
        product = products.get(order["resource_id"])
        if product and order["price"] and order["discount_price"] and product["price_low"]:
            paid = round(100 * (float(order["price"]) + float(order["discount_price"])))
            assert paid == round(100 * float(product["price_low"])) * order["quantity"]


@pytest.mark.parametrize(("name", "value"), [("resource_type", 3), ("sale_status", 0), ("sale_status", "1")])
def test_products_can_be_filtered(shop, products, name, value):
    rows = shop.list_all("products", **{name: value})
    expected = {key for key, row in products.items() if str(row[name]) == str(value)}
    assert {row["resource_id"] for row in rows} == expected
    assert 0 < len(expected) < len(products)


@pytest.mark.parametrize("write", [lambda text: text, at, lambda text: str(at(text))])
def test_products_can_be_asked_for_by_creation_up_to_fifteen_days(shop, products, write):
    window = ("2025-01-01 00:00:00", "2025-01-16 00:00:00")
    rows = shop.list_all("products", start_time=write(window[0]), end_time=write(window[1]))
    expected = {key for key, row in products.items() if window[0] <= row["created_at"] <= window[1]}
    assert {row["resource_id"] for row in rows} == expected != set()
    assert shop.call("products", start_time=write(window[0]), end_time=write("2025-01-16 00:00:01"))["code"] == 1002


def test_one_time_alone_or_nonsense_is_1002(shop):
    assert shop.call("products", start_time=1735660800)["code"] == 1002
    assert shop.call("products", end_time="2025-01-01 00:00:00")["code"] == 1002
    assert shop.call("products", start_time="soon", end_time="later")["code"] == 1002


def test_the_type_is_text(shop):
    assert {row["spu_type"] for row in shop.list_all("products") if "spu_type" in row} == {"VCP", "CMN"}


def test_ten_come_on_a_page_by_default(shop):
    assert len(shop.list_page("products")[1]) == 10


def test_deleted_products_stay_in_the_list(connect):
    client = connect()
    before = {row["resource_id"]: row["is_deleted"] for row in client.truth("products")}
    client.emulator.advance(300 * DAY)
    client.login()
    after = {row["resource_id"]: int(row["is_deleted"]) for row in client.list_all("products")}
    assert before.keys() < after.keys()
    assert sum(after[key] for key in before) > sum(before.values()) + 10


def test_products_come_go_off_sale_are_deleted_and_vanish(connect):
    client = connect(deleted_products="dropped")
    histories, listed = defaultdict(list), []
    for _ in range(30):
        rows = client.truth("products")
        listed.append({row["resource_id"] for row in rows})
        for row in rows:
            history, state = histories[row["resource_id"]], (row["sale_status"], row["is_deleted"])
            if history and history[-1][0] != state:
                assert row["updated_at"] > (history[-1][1] or "")
            if not history or history[-1][0] != state:
                history.append((state, row["updated_at"]))
        client.emulator.advance(10 * DAY)
    ways = {tuple(state for state, _ in history) for history in histories.values()}
    assert {((2, 0), (1, 0)), ((1, 0), (0, 0)), ((1, 0), (0, 0), (1, 0)), ((1, 0), (0, 1))} <= ways
    assert listed[-1] - listed[0]
    assert listed[0] - listed[-1]
    assert all(not gone & later for gone, later in zip([a - b for a, b in zip(listed, listed[1:])], listed[2:]))  # noqa: B905, RUF007


def test_unknown_codes_have_no_text(shop, products):
    odd = {row["sale_status"]: row["sale_status_text"] for row in products.values()}
    assert odd == {0: "下架", 1: "上架", 2: "待上架", 9: None}
    assert {row["resource_type_text"] for row in products.values() if row["resource_type"] == 999} == {None}
    streams = {row["alive_type"]: row["alive_type_text"] for row in shop.truth("live_streams")}
    assert streams == {10: "横屏", 11: "竖屏", 12: "语音", 13: "录播", 14: None}


def test_products_that_are_streams_are_live_streams_of_the_same_title(shop, products):
    streams = {row["live_id"]: row for row in shop.truth("live_streams")}
    sold = {key: row["name"] for key, row in products.items() if row["resource_type"] == 4}
    assert len(sold) > 10
    assert {key: streams[key]["title"] for key in sold} == sold
    assert len(streams) > len(sold) + 100


def test_a_stream_waits_runs_and_ends_as_the_clock_does(connect):
    client = connect()
    client.emulator.set_clock("2025-03-01T19:00:00")
    seen = defaultdict(list)
    for _ in range(60):
        for row in client.truth("live_streams"):
            seen[row["live_id"]].append(row)
        now = client.emulator.advance(311)["now"]
    moved = [rows for rows in seen.values() if [rows[0]["alive_state"], rows[-1]["alive_state"]] == [0, 2]]
    assert moved
    for rows in moved:
        states = [row["alive_state"] for row in rows]
        views = [row["view_count"] for row in rows]
        assert states == sorted(states)
        assert set(states) == {0, 1, 2}
        assert views == sorted(views)
        assert {view for view, state in zip(views, states, strict=True) if state == 0} == {0}
        assert len({view for view, state in zip(views, states, strict=True) if state == 2}) == 1
        assert rows[0]["manual_stop_at"] is None
        assert (rows[-1]["manual_stop_at"] or rows[-1]["stop_at"]) <= now


def test_views_are_counted_every_five_minutes(connect):
    client = connect()
    client.emulator.set_clock("2025-03-01T21:00:00")
    running = next(row for row in client.truth("live_streams") if row["alive_state"] == 1 and row["view_count"])
    start = datetime.fromisoformat(running["start_at"])
    counts = []
    for second in range(0, 1800, 60):
        client.emulator.set_clock(datetime.fromtimestamp(start.timestamp() + second).isoformat())
        row = next(row for row in client.truth("live_streams") if row["live_id"] == running["live_id"])
        counts.append(row["view_count"])
    assert [len(set(counts[step : step + 5])) for step in range(0, 30, 5)] == [1] * 6
    assert len(set(counts)) > 2


def test_sums_and_counts_of_streams_have_their_documented_types(shop):
    rows = shop.list_all("live_streams")
    rewards = {type(row["reward_sum"]) for row in rows if "reward_sum" in row}
    assert rewards == {int, str}
    assert all(row["reward_sum"] == 0 or "." in row["reward_sum"] for row in rows if "reward_sum" in row)
    assert {type(row["purchase_count"]) for row in rows if "purchase_count" in row} == {str}


def test_streams_are_stopped_by_hand_early_and_late_or_not(shop):
    ended = [row for row in map(parse_live, shop.list_all("live_streams")) if row["alive_state"] == 2]
    assert any(row["manual_stop_at"] and row["stop_at"] and row["manual_stop_at"] < row["stop_at"] for row in ended)
    assert any(row["manual_stop_at"] and row["stop_at"] and row["manual_stop_at"] > row["stop_at"] for row in ended)
    assert any(row["manual_stop_at"] is None for row in ended)
    assert any(row["stop_at"] is None for row in ended)


def test_streams_go_to_the_bin_and_some_vanish(connect):
    client = connect()
    before = {row["live_id"]: row["recycle_bin_state"] for row in client.truth("live_streams")}
    client.emulator.advance(60 * DAY)
    after = {row["live_id"]: row["recycle_bin_state"] for row in client.truth("live_streams")}
    assert any(before[key] == 0 and after.get(key) == 1 for key in before)
    assert before.keys() - after.keys()

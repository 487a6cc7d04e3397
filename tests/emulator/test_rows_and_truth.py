"""Rows as the API sends them, and the truth about them, which is computed from the orders' lifecycles."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta

import pytest
from conftest import DAY, LISTS, Client
from plain_parser import parse

FIELDS = {
    *("order_id", "user_id", "resource_type", "resource_id", "title", "count", "price", "coupon_id"),
    *("coupon_name", "coupon_price", "order_state", "ship_state", "sales_state", "pay_way", "collection_way"),
    *("out_order_id", "transaction_id", "client_type", "system_info", "created_time", "pay_time"),
    *("refund_time", "after_sales_state", "settle_time", "refund_money", "receiver_name", "receiver_detail"),
    *("receiver_phone", "order_type", "discount_price", "discount_data", "team_buy_state", "goods_no"),
    "goods_img",
}
NULL_TIMES = {"0000-00-00 00:00:00", "-0001-11-30 00:00:00", "", "--", None}


@pytest.fixture(scope="module")
def rows(shop):
    return shop.everything()


@pytest.fixture(scope="module")
def truth(shop):
    return list(shop.emulator.truth_orders())


def at(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")


def stripped(row):
    return {name: value for name, value in row.items() if name not in ("shop_id", "resource_type_text")}


def test_rows_hold_the_documented_fields(rows):
    assert set().union(*rows) - FIELDS == {"share_user_id", "trade_ext"}
    assert sum(set(row) >= FIELDS for row in rows) > len(rows) * 0.9
    assert any(FIELDS - set(row) for row in rows)


@pytest.mark.parametrize("name", ["resource_type", "count", "order_state", "ship_state", "pay_way", "client_type"])
def test_numbers_come_as_integers_and_strings(rows, name):
    assert {type(row[name]) for row in rows if name in row} == {int, str}


def test_price_is_in_yuan_as_number_string_or_blank(rows):
    prices = [row["price"] for row in rows]
    assert {type(price) for price in prices} == {int, float, str, type(None)}
    assert "" in prices
    assert {49, "49", "49.00"} <= set(prices)


def test_fen_come_as_integer_digits_empty_and_null(rows):
    for name in ("coupon_price", "refund_money"):
        values = [row[name] for row in rows if name in row]
        assert {type(value) for value in values} == {int, str, type(None)}
        assert "" in values
        assert any(isinstance(value, str) and value.isdigit() for value in values)


def test_empty_times_come_in_every_kind(rows):
    for name in ("pay_time", "refund_time", "settle_time"):
        assert {row[name] for row in rows if name in row} >= NULL_TIMES


def test_texts_hold_what_breaks_loaders(rows):
    text = "".join(row["title"] + (row.get("receiver_detail") or "") for row in rows)
    assert all(piece in text for piece in ("\t", "\n", "\\", "\\N", '"', "'", "🔥", "🐶", "𠮷"))


def test_unknown_codes_come_now_and_then_and_have_no_text(rows, truth):
    assert {str(row["order_state"]) for row in rows} >= {"0", "1", "6", "7", "77"}
    assert "999" in {str(row["resource_type"]) for row in rows}
    odd = [row for row in truth if row["order_state"] == 77 or row["resource_type"] == 999]
    for row in odd:
        assert row["order_state_text" if row["order_state"] == 77 else "resource_type_text"] is None


def test_the_truth_is_what_a_plain_reading_of_the_rows_gives_at_any_time(connect):
    client = connect(orders=1200)
    for days in (0, 1, 13, 60):
        client.emulator.advance(days * DAY)
        client.login()
        told = {row["order_id"]: stripped(row) for row in client.emulator.truth_orders()}
        read = {row["order_id"]: parse(row) for row in client.everything()}
        assert read == told


def test_the_truth_names_the_shop_and_the_resource_type(truth):
    texts = {row["resource_type"]: row["resource_type_text"] for row in truth}
    assert {row["shop_id"] for row in truth} == {"app1"}
    assert (texts[3], texts[4], texts[21], texts[50]) == ("视频", "直播", "实物商品", "课程(训练营pro)")


def test_the_truth_can_be_bounded_half_open(shop, truth):
    begin, end = shop.begin + 10 * DAY, shop.begin + 20 * DAY
    bounded = list(shop.emulator.truth_orders(begin=begin, end=end))
    assert bounded == [row for row in truth if "2025-01-11" <= row["created_time"] < "2025-01-21"]


def test_the_summary_agrees_with_the_rows(shop, truth):
    summary = shop.emulator.truth_summary()["shops"]["app1"]
    assert summary["orders"] == len(truth) == 3000
    assert summary["by_order_state"] == {str(k): n for k, n in Counter(r["order_state"] for r in truth).items()}
    assert summary["rejects"] == 0


def test_orders_change_state_as_time_passes(connect):
    client = connect(orders=3000)
    begin = client.emulator.clock()["unix"] - 25 * DAY
    end, seen = begin + 25 * DAY, defaultdict(list)
    for _ in range(20):
        for row in client.emulator.truth_orders(begin=begin, end=end):
            states = seen[row["order_id"]]
            if states[-1:] != [row["order_state"]]:
                states.append(row["order_state"])
        client.emulator.advance(DAY)
    paths = {tuple(states) for states in seen.values()}
    assert {(0, 1), (4, 1), (1, 8, 10), (1, 8, 3), (1, 8, 9), (1, 8, 1), (1, 8, 11)} <= paths


def test_a_refund_shows_from_its_very_second(connect, truth):
    client = connect(orders=3000)
    for state in (3, 10, 11):
        final = next(row for row in truth if row["order_state"] == state and row["refund_time"])
        decided = at(final["refund_time"])
        before = state_at(client, final, decided - timedelta(seconds=1))
        after = state_at(client, final, decided)
        assert (before["order_state"], before["refund_time"]) == (8, None)
        assert after["order_state_text"] == {3: "已退款", 10: "退款成功", 11: "部分退款"}[state]
        assert after["refund_time"] == final["refund_time"]


def test_an_order_nobody_pays_is_cancelled_after_thirty_minutes(connect, truth):
    client = connect(orders=3000)
    final = next(row for row in truth if row["order_state"] == 6)
    limit = at(final["created_time"]) + timedelta(minutes=30)
    assert state_at(client, final, limit - timedelta(seconds=1))["order_state_text"] == "未支付"
    assert state_at(client, final, limit)["order_state_text"] == "超时未支付自动取消"


def state_at(client, order, moment):
    """Return the truth about one order at another time."""
    client.emulator.set_clock(moment.isoformat())
    second = int(datetime.fromisoformat(order["created_time"] + "+08:00").timestamp())
    rows = client.emulator.truth_orders(begin=second, end=second + 1)
    return next(row for row in rows if row["order_id"] == order["order_id"])


def test_what_a_state_implies(truth):
    for row in truth:
        state, paid = row["order_state"], row["pay_time"] is not None
        assert paid == (state in (1, 3, 8, 9, 10, 11, 77))
        assert row["sales_state"] in (-1, None) or row["refund_time"]
        if row["refund_time"]:
            assert state in (3, 10, 11)
            assert row["refund_time"] >= row["pay_time"] >= row["created_time"]
            assert float(row["refund_money"]) <= float(row["price"])
        if state in (3, 10) and row["refund_money"] is not None:
            assert row["refund_money"] == row["price"]
        if state == 11 and row["refund_money"] is not None:
            assert (float(row["refund_money"]) > 0) == (row["refund_time"] is not None)
        if row["refund_time"] and row["sales_state"] is not None:
            assert row["sales_state"] == (1 if state == 11 else 2)


def test_discounts_are_listed_and_summed_in_fen(rows):
    counts = Counter()
    for row in rows:
        if "discount_price" in row and row.get("coupon_price", "") != "":
            listed = [discount["discount_price"] for discount in row["discount_data"] or []]
            counts[len(listed)] += 1
            assert sum(listed) == int(row["discount_price"] or 0)
            assert int(row["coupon_price"] or 0) in (0, *listed)
    assert {0, 1, 2, 3} <= counts.keys()


def test_types_and_clients_of_orders_have_their_texts(rows, truth):
    types = {code for row in rows for code in row.get("order_type", ())}
    assert {2, "2", 8, 30, 70} <= types
    assert any(row["order_type"] == "" and row["order_type_text"] is None for row in truth)
    texts = {row["order_type"]: row["order_type_text"] for row in truth}
    assert (texts["2,8"], texts["30"], texts["98"]) == ("普通,优惠券", "开放API导入", None)
    clients = {row["client_type"]: row["client_type_text"] for row in truth}
    assert (clients[10], clients[30], clients[5], clients[99]) == ("开放API导入", "管理台导入", "手机号/浏览器", None)


def test_imported_orders_are_marked_in_one_field_or_both(shop, rows, truth):
    marks = {}
    for row in rows:
        by_type = not {"30", "70"}.isdisjoint(map(str, row.get("order_type", ())))
        marks[row["order_id"]] = (by_type, str(row.get("client_type")) in ("10", "30"))
    assert {(True, True), (True, False), (False, True), (False, False)} == set(marks.values())
    summary = shop.emulator.truth_summary()["shops"]["app1"]
    imported = [row for row in truth if any(marks[row["order_id"]])]
    assert 30 < len(imported) <= summary["imported"] <= len(imported) + 5  # a row may leave both marks out
    paid = sum(float(row["price"]) for row in imported if row["pay_time"] and row["price"])
    assert 0 < paid <= float(summary["imported_paid"]) + 0.005 < float(summary["paid"])


def test_refunds_fall_before_on_and_after_the_fourteenth_day(connect):
    client = connect(orders=8000)
    client.emulator.advance(70 * DAY)
    ages = [
        at(row["refund_time"]) - at(row["created_time"])
        for row in client.emulator.truth_orders(end=client.begin + 60 * DAY)
        if row["refund_time"]
    ]
    deadline, second = timedelta(days=14), timedelta(seconds=1)
    assert {deadline - second, deadline, deadline + second} <= set(ages)
    assert min(ages) < timedelta(days=1)
    assert timedelta(days=50) < max(ages) <= timedelta(days=60)


def test_some_orders_are_paid_days_after_they_were_made(truth):
    waits = [at(row["pay_time"]) - at(row["created_time"]) for row in truth if row["pay_time"]]
    assert max(waits) > timedelta(days=3)


def test_an_unchanged_order_is_the_same_from_call_to_call(shop):
    begin = shop.begin + 3 * DAY
    assert shop.raw(begin_time=begin, end_time=begin + DAY)[2] == shop.raw(begin_time=begin, end_time=begin + DAY)[2]


def test_an_unchanged_order_is_the_same_while_time_goes_by(connect):
    client = connect()
    before = {row["order_id"]: row for row in client.everything()}
    told = {row["order_id"]: row for row in client.emulator.truth_orders()}
    client.emulator.advance(2 * DAY)
    client.login()
    unchanged = {r["order_id"] for r in client.emulator.truth_orders() if told.get(r["order_id"]) == r}
    after = {row["order_id"]: row for row in client.everything()}
    assert 1000 < len(unchanged) < 1500
    assert all(json.dumps(before[order_id]) == json.dumps(after[order_id]) for order_id in unchanged)


def test_types_can_vary_from_call_to_call_while_the_truth_stays(connect):
    client = connect(jitter="per_call")
    begin = client.begin + 3 * DAY
    first, second = (client.window(begin, begin + DAY) for _ in range(2))
    assert first != second
    assert [parse(row) for row in first] == [parse(row) for row in second]


@pytest.mark.process
def test_two_processes_with_one_seed_give_the_same_bytes(start, serve):
    answers = []
    for run, seed in ((start, 5), (serve, 5), (serve, 6)):
        with run(seed=seed, orders=1000) as emulator:
            client = Client(emulator).login()
            answers.append(
                [
                    client.raw(begin_time=client.begin, end_time=client.begin + 7 * DAY)[2],
                    client.access_token,
                    *(client.call(table) for table in LISTS),
                ]
            )
    assert answers[0] == answers[1]
    assert all(one != other for one, other in zip(answers[0], answers[2], strict=True))


def test_orders_at_a_rate_go_on_as_the_clock_does(connect):
    client = connect(orders=None, orders_per_day=40)
    before = sum(1 for _ in client.emulator.truth_orders())
    assert 0.7 * 59 * 40 < before < 1.4 * 59 * 40
    client.emulator.advance(10 * DAY)
    assert sum(1 for _ in client.emulator.truth_orders()) > before + 200


def test_rows_that_cannot_be_typed_are_told_apart(connect):
    client = connect(orders=2000, bad_rows=0.02)
    rejects = list(client.emulator.truth_rejects())
    good = {row["order_id"]: stripped(row) for row in client.emulator.truth_orders()}
    rows = client.everything()
    spoilt = [row for row in rows if row.get("order_id") not in good]
    assert len(rows) == len(good) + len(rejects) == 2000
    assert {row["kind"] for row in rejects} == {
        "price_abc", "order_id_missing", "refund_money_12x", "created_time_text",
    }  # fmt: skip
    assert Counter(row.get("order_id") for row in spoilt) == Counter(row["order_id"] for row in rejects)
    signs = Counter((row.get("price") == "abc", row.get("refund_money") == "12x") for row in spoilt)
    assert signs[True, False] == sum(row["kind"] == "price_abc" for row in rejects)
    assert all(parse(row) == good[row["order_id"]] for row in rows if row.get("order_id") in good)

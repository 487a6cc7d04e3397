"""The after-sales list (docs/xiaoe-api.md section 3) and its agreement with the orders."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta

import pytest
from conftest import ALL_DAYS, BASE, DAY
from plain_parser import parse, parse_refund

REFUSED = {12, 4, 5}
OWN_ENDS = {3: {13, 14}, 10: {13, 14}, 9: REFUSED}
OPEN = {0, 2, 3, 6, 8, 11, 19, 21}


def at(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")


@pytest.fixture(scope="module")
def truth(shop):
    return shop.truth("refunds")


@pytest.fixture(scope="module")
def by_order(truth):
    found = defaultdict(list)
    for row in truth:
        found[row["order_id"]].append(row)
    return found


def test_the_window_is_days_both_included(shop, truth):
    rows = shop.list_all("refunds", created_at="2025-02-03||2025-02-05")
    expected = {row["aftersale_id"] for row in truth if "2025-02-03" <= row["created_at"][:10] <= "2025-02-05"}
    assert {row["aftersale_id"] for row in rows} == expected
    assert len({row["created_at"][:10] for row in rows}) == 3
    one_day = shop.list_all("refunds", created_at="2025-02-04||2025-02-04")
    assert {row["created_at"][:10] for row in one_day} == {"2025-02-04"}


@pytest.mark.parametrize("field", ["created_at", "updated_at", "apply_time", "refund_time"])
def test_date_type_chooses_the_field_filtered_and_sorted_by(shop, truth, field):
    rows = [parse_refund(row) for row in shop.list_all("refunds", date_type=field, created_at="2025-02-10||2025-02-20")]
    # the times of applying and of refunding are not sent: they are those of creation and of the last step
    column = {"apply_time": "created_at", "refund_time": "updated_at"}.get(field, field)
    meant = [row for row in truth if field != "refund_time" or row["state"] in (13, 14)]
    expected = {row["aftersale_id"] for row in meant if "2025-02-10" <= row[column][:10] <= "2025-02-20"}
    assert {row["aftersale_id"] for row in rows} == expected
    assert [row[column] for row in rows] == sorted((row[column] for row in rows), reverse=True)


def test_without_a_date_type_the_creation_counts(shop):
    assert shop.list_page("refunds") == shop.list_page("refunds", date_type="created_at")


@pytest.mark.parametrize(
    ("sales_state", "states"), [(1, {0, 2, 3, 8, 19}), (2, {13, 14, 15}), (3, {1, 7}), ("6", {6, 11, 16, 17})]
)
def test_sales_state_filters_groups_of_states(connect, sales_state, states):
    client = connect(orders=8000)
    found = {int(row["state"]) for row in client.list_all("refunds", sales_state=sales_state)}
    assert found <= states
    expected = sum(row["state"] in states for row in client.truth("refunds"))
    assert client.list_page("refunds", sales_state=sales_state)[0] == expected > 0


def test_minus_one_is_every_state(shop):
    assert shop.list_page("refunds", sales_state=-1) == shop.list_page("refunds")


@pytest.mark.parametrize(
    "bad",
    [
        {"created_at": None}, {"created_at": "2025-02-01"}, {"created_at": "2025-02-30||2025-03-01"},
        {"created_at": "2025-03-01||2025-02-01"}, {"created_at": 1740000000}, {"date_type": "paid_at"},
        {"sales_state": "all"}, {"sales_state": 13}, {"page_index": 0},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_1002(shop, bad):
    assert shop.call("refunds", **bad)["code"] == 1002


def test_every_order_that_is_refunded_or_tried_has_its_after_sale(shop, by_order):
    for order in shop.emulator.truth_orders():
        own = by_order[order["order_id"]][-1:]
        if order["order_state"] == 8:
            assert own[0]["state"] in OPEN
            assert own[0]["sale_type"] in (1, 2, None)
        if order["order_state"] == 11 and not order["refund_time"]:
            assert own[0]["state"] in OPEN | REFUSED
        if order["order_state"] in OWN_ENDS:
            assert own[0]["state"] in OWN_ENDS[order["order_state"]]
        if order["refund_time"]:
            assert own[0]["updated_at"] == order["refund_time"]
            assert order["refund_money"] in (own[0]["refund_money"], None)
            assert own[0]["created_at"] > order["pay_time"]


def test_every_after_sale_has_an_order_and_a_refund_of_it_shows_there(shop, truth):
    orders = {row["order_id"]: row for row in shop.emulator.truth_orders()}
    for row in truth:
        order = orders[row["order_id"]]
        assert row["goods_name"] == order["title"]
        assert row["actual_fee"] == order["price"]
        assert row["created_at"] > order["created_time"]
        if row["state"] in (13, 14):
            assert order["order_state"] in (3, 10, 11)
            assert row["refund_money"] == row["apply_refund_money"]
        else:
            assert row["refund_money"] in (None, "0.00")


def test_cancelled_refused_and_exchanged_ones_leave_the_order_alone(shop, truth):
    orders = {row["order_id"]: row for row in shop.emulator.truth_orders()}
    alone = [row for row in truth if orders[row["order_id"]]["order_state"] == 1]
    assert {row["state"] for row in alone} >= {1, 4, 15}
    assert {row["sale_type"] for row in alone} == {1, 2, 3, None}
    assert all(orders[row["order_id"]]["refund_time"] is None for row in alone)


def test_a_refund_that_the_merchant_starts_makes_an_after_sale(shop, truth):
    orders = {row["order_id"]: row for row in shop.emulator.truth_orders()}
    started = [row for row in truth if row["state_reason"] == "商家主动退款"]
    assert len(started) > 10
    assert {row["state"] for row in started} <= {11, 13}
    for row in started:
        assert at(row["updated_at"]) - at(row["created_at"]) < timedelta(minutes=2)
        assert orders[row["order_id"]]["order_state"] in (3, 8, 10, 11)


def test_an_order_that_cost_nothing_is_refunded_with_nothing(connect):
    client = connect(orders=8000)
    orders = {row["order_id"]: row for row in client.emulator.truth_orders()}
    free = [row for row in client.truth("refunds") if orders[row["order_id"]]["price"] == "0.00"]
    done = [row for row in free if row["state"] == 13 and row["refund_money"] is not None]
    assert len(done) > 3
    for row in done:
        order = orders[row["order_id"]]
        assert (row["refund_money"], row["apply_refund_money"], row["state_reason"]) == ("0.00", "0.00", "商家主动退款")
        assert (order["order_state"], order["refund_time"]) == (10, row["updated_at"])


def test_many_rows_lack_the_type_but_none_its_name(shop):
    rows = shop.list_all("refunds")
    bare = [row for row in rows if not {"sale_type", "remark", "sku_id"} & row.keys()]
    assert 0.15 < len(bare) / len(rows) < 0.35
    assert {row["sale_type_name"] for row in rows} == {"仅退款", "退货退款", "换货"}


def test_goods_are_listed_with_number_and_price_in_fen(shop):
    rows = [row for row in shop.list_all("refunds") if "goods_list" in row]
    assert {len(row["goods_list"]) for row in rows} == {1, 2}
    for row in rows:
        first, *gifts = row["goods_list"]
        assert first["goods_name"] == row["goods_name"]
        assert int(first["buy_num"]) * int(first["goods_price"]) == int(row["original_price"])
        assert all((gift["buy_num"], gift["goods_price"]) == (1, 0) for gift in gifts)


def test_an_application_lapses_after_its_state_is_overdue_or_before(truth):
    for row in truth:
        assert (row["invalid_time"] is not None) == (row["state"] in {0, 2, 3, 6, 8, 11, 16, 17, 19})
        if row["invalid_time"]:
            assert at(row["invalid_time"]) - at(row["created_at"]) == timedelta(days=15)


def test_some_orders_have_two_after_sales_one_after_the_other(by_order):
    two = [rows for rows in by_order.values() if len(rows) > 1]
    assert len(two) >= 3
    assert all(first["state"] in (1, 4, 18, 15) for first, _ in two)
    assert all(first["updated_at"] < second["created_at"] for first, second in two)


def test_refunds_long_after_the_fourteenth_day_are_found_by_their_update(connect):
    client = connect(orders=3000)
    client.emulator.set_clock("2025-04-20T12:00:00")
    client.login()
    orders = {row["order_id"]: row for row in client.emulator.truth_orders()}
    window = {"created_at": "2025-03-20||2025-04-20", "date_type": "updated_at"}
    rows = [parse_refund(row) for row in client.list_all("refunds", **window)]
    ages = [
        at(row["updated_at"]) - at(orders[row["order_id"]]["created_time"]) for row in rows if row["state"] in (13, 14)
    ]
    assert any(timedelta(days=38) < age < timedelta(days=43) for age in ages)
    assert timedelta(days=48) < max(ages) <= timedelta(days=60)
    late = next(
        row for row, age in zip([r for r in rows if r["state"] in (13, 14)], ages, strict=True) if age.days > 39
    )
    begin = int(datetime.fromisoformat(orders[late["order_id"]]["created_time"] + "+08:00").timestamp())
    found = client.window(begin, begin, order_id=late["order_id"])
    assert [parse(row)["refund_time"] for row in found] == [late["updated_at"]]


def test_states_move_and_the_update_time_with_them(connect):
    client = connect(orders=3000)
    seen = defaultdict(list)
    for _ in range(60):
        for row in client.truth("refunds", begin=client.begin + 50 * DAY):
            steps = seen[row["aftersale_id"]]
            step = (row["updated_at"], row["state"])
            assert not steps or steps[-1] == step or (steps[-1][0] < step[0] and steps[-1][1] != step[1])
            if steps[-1:] != [step]:
                steps.append(step)
        client.emulator.advance(DAY // 4)
    ways = {tuple(state for _, state in steps) for steps in seen.values()}
    assert {(0, 2, 11, 13), (2, 11, 13), (0, 3, 11, 13), (0, 2, 1), (2, 4), (0, 2, 4)} <= ways
    assert any(way[-2:] == (11, 14) and 8 in way for way in ways)
    assert any(way[-1:] == (15,) and 17 in way for way in ways)


def test_a_day_watched_as_it_goes_on_is_the_same_as_one_seen_at_its_end(connect):
    busy = {"orders": None, "orders_per_day": 3000, "start": "2025-02-28T00:00:00"}
    watched, unwatched = connect(**busy), connect(**busy, no_limits=True)
    counts = []
    for _ in range(10):
        watched.emulator.advance(3600)
        counts.append(len(watched.truth("refunds")))
    unwatched.emulator.advance(10 * 3600)
    assert counts == sorted(counts)
    assert counts[-1] > counts[0] > 0
    assert watched.truth("refunds") == unwatched.truth("refunds")
    watched.emulator.set_clock(BASE["now"])  # back: what was made later is not told
    unwatched.emulator.set_clock(BASE["now"])
    earlier = watched.truth("refunds")
    assert 0 < len(earlier) < counts[-1]
    assert max(row["created_at"] for row in earlier) <= BASE["now"].replace("T", " ")
    assert {row["aftersale_id"] for row in earlier} == {row["aftersale_id"] for row in unwatched.truth("refunds")}


def test_an_update_moves_a_row_to_the_top_while_one_pages(connect):
    client = connect(orders=3000)
    asked = {"created_at": ALL_DAYS, "date_type": "updated_at", "page_size": 50}
    total, first = client.list_page("refunds", **asked)
    client.emulator.advance(DAY)
    client.login()
    later, second = client.list_page("refunds", **asked, page_index=2)
    assert later > total
    assert {row["aftersale_id"] for row in first} & {row["aftersale_id"] for row in second}


def test_money_is_in_fen_and_a_part_is_less_than_the_whole(shop, truth):
    fen = {row["aftersale_id"]: row["actual_fee"] for row in shop.list_all("refunds")}
    assert all(int(fen[row["aftersale_id"]]) == round(float(row["actual_fee"]) * 100) for row in truth)
    parts = [row for row in truth if row["state"] == 13 and row["refund_money"] != row["actual_fee"]]
    assert len(parts) > 10
    assert all(0 < float(row["refund_money"]) < float(row["actual_fee"]) for row in parts if row["refund_money"])
    assert any(float(row["original_price"]) > float(row["actual_fee"]) for row in truth)


def test_unknown_states_come_now_and_then_and_have_no_text(connect):
    client, seen = connect(orders=3000), Counter()
    for _ in range(20):
        client.emulator.advance(DAY)
        seen.update(
            (row["state"], row["state_text"])
            for row in client.truth("refunds", begin=client.begin + 40 * DAY)
            if row["state"] > 19
        )
    assert set(seen) == {(21, None)}


def test_orders_that_cannot_be_typed_have_after_sales_all_the_same(connect):
    client = connect(orders=2000, bad_rows=0.02)
    assert len(client.list_all("refunds")) == len(client.truth("refunds"))


def test_the_truth_can_be_bounded_half_open(shop, truth):
    begin, end = shop.begin + 20 * DAY, shop.begin + 30 * DAY
    bounded = shop.truth("refunds", begin=begin, end=end)
    assert bounded == [row for row in truth if "2025-01-21" <= row["created_at"] < "2025-01-31"]

"""What holds for every list beside the orders: paging, truth, quirks, determinism (docs/xiaoe-api.md 3 to 9)."""

from __future__ import annotations

import json

import pytest
from conftest import DAY, LISTS, Client
from plain_parser import PARSERS

every_list = pytest.mark.parametrize("table", LISTS)
SECOND = {"app_id": "app2", "client_id": "client2", "secret_key": "secret2"}
NULL_TIMES = {"0000-00-00 00:00:00", "-0001-11-30 00:00:00", "", "--", None}
FIELDS = {
    "refunds": "aftersale_id order_id nick_name goods_name goods_list sku_id actual_fee original_price "
    "apply_refund_money refund_money reason remark state state_reason state_str sale_type sale_type_name created_at "
    "updated_at invalid_time state_invalid_time",
    "users": "user_id user_nickname bind_phone collect_phone avatar from pay_sum punch_count wx_union_id wx_open_id "
    "wx_app_open_id user_created_at latest_visited_at es_skip",
    "products": "resource_id spu_id spu_type resource_type goods_name goods_img price_low price_high price_line "
    "sale_status is_deleted created_at updated_at",
    "live_streams": "id title alive_type alive_state alive_start_at alive_stop_at alive_manual_stop_at view_count "
    "reward_sum purchase_count recycle_bin_state",
}


@pytest.fixture(scope="module")
def rows(shop):
    return {table: shop.list_all(table) for table in LISTS}


def ids(table, rows):
    return [row[LISTS[table][4]] for row in rows]


def told(client, table):
    """Return the truth by the row's key, without what the plain parser leaves out."""
    column = {"live_streams": "live_id"}.get(table, LISTS[table][4])
    skipped = ("shop_id", "resource_type_text")
    return {
        row[column]: {name: value for name, value in row.items() if name not in skipped} for row in client.truth(table)
    }


def read(client, table):
    return {row[LISTS[table][4]]: PARSERS[table](row) for row in client.list_all(table)}


@every_list
def test_paging_to_the_end_gives_every_row_once(shop, rows, table):
    total, _ = shop.list_page(table)
    expected = told(shop, table)
    assert len(rows[table]) == len(set(ids(table, rows[table]))) == total == len(expected) > 150
    assert set(ids(table, rows[table])) == set(expected)


@every_list
def test_the_size_of_pages_does_not_matter(shop, rows, table):
    pages = list(shop.list_pages(table, page_size=37))
    assert ids(table, [row for _, page in pages for row in page]) == ids(table, rows[table])
    assert {len(page) for _, page in pages[:-1]} == {37}


@every_list
def test_a_page_is_capped(shop, table):
    most = LISTS[table][3]
    assert len(shop.list_page(table, page_size=5000)[1]) == most
    assert len(shop.list_page(table, page_size=str(most))[1]) == most
    assert shop.call(table, page_size=0)["code"] == 1002


@every_list
def test_a_wrong_paging_key_is_ignored(shop, table):
    first = shop.list_page(table, page_size=20)
    for wrong in {"page", "page_index", "es_skip", "offset"} - {LISTS[table][1]}:
        assert shop.list_page(table, page_size=20, **{wrong: 2}) == first


@every_list
def test_beyond_the_end_there_is_an_empty_list_and_the_total(shop, rows, table):
    key = LISTS[table][1]
    place = rows[table][-1]["es_skip"] if key == "es_skip" else 999
    assert shop.call(table, **{key: place})["data"]["list"] in (None, [])
    assert shop.list_page(table, **{key: place})[0] == len(rows[table])


@every_list
def test_the_truth_is_what_a_plain_reading_gives_at_any_time(connect, table):
    client = connect()
    for days in (0, 1, 13, 80):
        client.emulator.advance(days * DAY)
        client.login()
        assert read(client, table) == told(client, table)


@every_list
def test_rows_hold_the_documented_fields_but_some_lack_a_few_and_some_have_more(rows, table):
    fields = set(FIELDS[table].split())
    assert set().union(*rows[table]) - fields == {"ext_info", "is_new_flag"}
    often = 0.6 if table == "refunds" else 0.9  # many after-sales lack sale_type, remark and sku_id
    assert sum(set(row) >= fields for row in rows[table]) > len(rows[table]) * often
    assert any(fields - set(row) for row in rows[table])


@pytest.mark.parametrize(
    ("table", "name"),
    [
        *[("refunds", name) for name in ("state", "sale_type", "actual_fee", "apply_refund_money")],
        *[("users", name) for name in ("punch_count", "latest_visited_at", "pay_sum")],
        *[("products", name) for name in ("resource_type", "sale_status", "price_low", "is_deleted")],
        *[("live_streams", name) for name in ("alive_type", "alive_state", "view_count", "reward_sum")],
    ],
)
def test_numbers_come_as_numbers_and_as_text(rows, table, name):
    assert {int, str} <= {type(row.get(name)) for row in rows[table]}


@pytest.mark.parametrize(
    ("table", "name"),
    [("refunds", "invalid_time"), ("refunds", "state_invalid_time"), ("live_streams", "alive_manual_stop_at")],
)
def test_empty_times_come_in_every_kind(rows, table, name):
    assert {row[name] for row in rows[table] if name in row} >= NULL_TIMES


@pytest.mark.parametrize(
    ("table", "name"),
    [("refunds", "reason"), ("users", "user_nickname"), ("products", "goods_name"), ("live_streams", "title")],
)
def test_texts_hold_what_breaks_loaders(rows, table, name):
    text = "".join(row.get(name) or "" for row in rows[table])
    assert all(piece in text for piece in ("\t", "\n", "\\", '"', "'"))


@pytest.mark.parametrize(
    ("table", "name"), [("refunds", "refund_money"), ("products", "price_line"), ("users", "pay_sum")]
)
def test_no_money_is_empty_null_or_zero(rows, table, name):
    assert {"", None, 0} <= {row.get(name) for row in rows[table]}


@every_list
def test_an_unchanged_row_is_the_same_while_time_goes_by(connect, table):
    client = connect()
    before, old = told(client, table), dict(zip(*_keyed(client, table), strict=True))
    client.emulator.advance(DAY)
    client.login()
    after, new = told(client, table), dict(zip(*_keyed(client, table), strict=True))
    unchanged = [key for key, row in before.items() if after.get(key) == row]
    assert len(unchanged) > len(before) / 2
    assert [json.dumps(old[key]) for key in unchanged] == [json.dumps(new[key]) for key in unchanged]


def _keyed(client, table):
    rows = client.list_all(table)
    return ids(table, rows), rows


def test_each_shop_has_its_own_rows_and_truth(serve):
    with serve(orders=300, shop=["app1:client1:secret1", "app2:client2:secret2"]) as emulator:
        one, two = Client(emulator).login(), Client(emulator, SECOND).login()
        for table in LISTS:
            truth = two.truth(table, shop_id="app2")
            assert {row["shop_id"] for row in truth} == {"app2"}
            assert len(truth) == two.list_page(table)[0]
            assert not set(ids(table, one.list_page(table)[1])) & set(ids(table, two.list_all(table)))


def test_types_can_vary_from_call_to_call(connect):
    client = connect(jitter="per_call")
    for table in LISTS:
        first, second = (client.list_page(table)[1] for _ in range(2))
        assert first != second
        assert [PARSERS[table](row) for row in first] == [PARSERS[table](row) for row in second]


def test_a_shop_without_orders_still_answers(serve):
    with serve(orders=0) as emulator:
        client = Client(emulator).login()
        assert client.list_page("refunds") == (0, [])
        assert client.truth("refunds") == []
        for table in ("users", "products", "live_streams"):
            assert len(client.list_all(table)) == len(client.truth(table)) > 50


def test_nothing_comes_in_every_documented_shape(shop):
    days = [f"2023-01-{day:02d}||2023-01-{day:02d}" for day in range(1, 32)]
    shapes = {json.dumps(shop.call("refunds", created_at=day)["data"]) for day in days}
    assert shapes == {"null", "[]", "{}", '{"row_count": 0, "list": []}', '{"row_count": 0, "list": null}'}


@pytest.mark.parametrize(("table", "calls", "seconds"), [("refunds", 300, 60), ("live_streams", 100, 10)])
def test_calls_are_limited(connect, table, calls, seconds):
    client = connect()
    assert {client.call(table, page_size=1)["code"] for _ in range(calls)} == {0}
    assert client.call(table)["code"] == 2053
    client.emulator.advance(seconds)
    assert client.call(table)["code"] == 0


@every_list
def test_an_interface_without_permission_is_2017(connect, table):
    client = connect(deny=[LISTS[name][0] for name in LISTS])
    assert client.call(table)["code"] == 2017

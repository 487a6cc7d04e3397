"""Order list 2.0 (docs/xiaoe-api.md section 10): the filter by the last change, groups, another enum."""

from __future__ import annotations

import json
from datetime import datetime

from conftest import DAY

PATH = "/xe.ecommerce.order.list/1.0.0"
FORMAT = "%Y-%m-%d %H:%M:%S"


def ask(client, **body):
    body = {"access_token": client.access_token, "order_by": "updated_at", "order_asc": "asc", **body}
    return json.loads(client.http("POST", PATH, json.dumps(body))[2])


def everything(client, **body):
    rows, page = [], 1
    while found := (ask(client, page=page, **body)["data"] or {}).get("list"):
        rows += found
        page += 1
    return rows


def info(row):
    return row["order_info"]


def times(client, days_ago, length):
    end = datetime.fromisoformat(client.emulator.clock()["now"]).timestamp() - days_ago * DAY
    begin, end = (datetime.fromtimestamp(moment).strftime(FORMAT) for moment in (end - length * DAY, end))
    return {"update_time_start": begin, "update_time_end": end}


def truth(client, **window):
    rows = client.emulator.truth_order_origins()
    first, last = window["update_time_start"], window["update_time_end"]
    return {row["order_id"]: row for row in rows if first <= row["update_time"] <= last}


def test_a_window_holds_the_orders_that_last_changed_in_it_once_and_in_order(shop):
    for days_ago in (0, 20):
        window = times(shop, days_ago, 10)
        rows = everything(shop, **window)
        names = [info(row)["order_id"] for row in rows]
        assert len(names) == len(set(names)) == ask(shop, **window)["data"]["total"] > 20
        assert set(names) == set(truth(shop, **window))
        changed = [info(row)["update_time"] for row in rows]
        assert changed == sorted(changed)


def test_states_are_of_another_enum_and_money_is_fen(shop):
    window = times(shop, 0, 10)
    expected = truth(shop, **window)
    for row in everything(shop, **window):
        right = expected[info(row)["order_id"]]
        assert int(info(row)["order_state"]) == right["order_list_2_state"] in (0, 2, 3, 4, 5)
        assert int(info(row)["actual_fee"]) == round(float(right["actual_fee"]) * 100)


def test_lines_come_in_both_nestings(shop):
    rows = everything(shop, **times(shop, 0, 10))
    beside = [row["good_list"] for row in rows if "good_list" in row]
    apart = [row["goods_info"]["goods_list"] for row in rows if "goods_info" in row]
    assert len(beside) > 5
    assert len(apart) > 5
    assert len(beside) + len(apart) == len(rows)
    assert all(len(lines) == 1 and lines[0]["goods_name"] for lines in beside + apart)


def test_more_than_31_days_are_cut_silently_and_a_page_holds_100(shop):
    window = times(shop, 0, 60)
    cut = {**window, "update_time_end": times(shop, 29, 31)["update_time_end"]}
    assert everything(shop, **window) == everything(shop, **cut)
    assert len(ask(shop, page_size=500, **times(shop, 0, 31))["data"]["list"]) == 100


def test_an_order_that_is_amended_changes_then_and_has_no_after_sale(connect):
    client = connect()
    now = datetime.fromisoformat(client.emulator.clock()["now"])
    order = next(
        row
        for row in client.emulator.truth_order_origins()
        if row["order_list_2_state"] == 4 and row["order_list_2_aftersale"] == 0 and float(row["actual_fee"]) > 0
    )
    named = {row["order_id"] for row in client.emulator.truth_refunds()}
    client.emulator.amend_order(order["order_id"], refunded_at=now.isoformat())
    window = {"update_time_start": now.strftime(FORMAT), "update_time_end": now.strftime(FORMAT)}
    found = {info(row)["order_id"]: info(row) for row in everything(client, **window)}
    assert int(found[order["order_id"]]["order_state"]) == 5
    [now_held] = [row for row in client.emulator.truth_orders() if row["order_id"] == order["order_id"]]
    assert now_held["order_state"] == 10
    assert {row["order_id"] for row in client.emulator.truth_refunds()} == named

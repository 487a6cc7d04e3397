"""Lists of one stream, one user, one promoter (docs/xiaoe-api.md section 10), and what becomes of them."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from conftest import DAY

VIEWERS, PROGRESS = "xe.alive.user.list/1.0.0", "xe.user.learning.records.get/1.0.0"
DAYS = "xe.learning_records.daily.get/1.0.0"
PROMOTERS, CUSTOMERS = "xe.distributor.list.get/1.0.0", "xe.distributor.member.sub_customer/1.0.0"
SALES = "xe.distributor.order.get/2.0.0"


def ask(client, path, **body):
    """Return the envelope of a call."""
    asked = json.dumps({"access_token": client.access_token, **body})
    return json.loads(client.http("POST", f"/{path}", asked)[2])


def listed(envelope):
    """Return rows and total, whatever they are called and whatever shape nothing has."""
    assert envelope["code"] == 0, envelope
    data = envelope["data"] or {}
    rows = next((data[name] for name in ("list", "return_list", "goods_list") if data.get(name)), [])
    return rows, data.get("total", data.get("count"))


def everything(client, path, page_key, size, **body):
    """Return every row, page by page until an empty one, and the totals told with rows."""
    rows, totals, page = [], set(), 1
    while True:
        found, total = listed(ask(client, path, **{page_key: page, "page_size": size}, **body))
        if not found:
            return rows, totals
        rows += found
        totals.add(total)
        page += 1


def truth(client, table, **bounds):
    return list(client.emulator.truth(table, **bounds))


def at(text):
    return int(datetime.fromisoformat(text + "+08:00").timestamp())


@pytest.fixture(scope="module")
def streams(shop):
    """Stream → its viewers."""
    found = {}
    for row in truth(shop, "live_viewers"):
        found.setdefault(row["live_id"], []).append(row)
    return found


def test_viewers_are_those_of_the_truth_page_by_page(shop, streams):
    largest = max(streams, key=lambda name: len(streams[name]))
    assert len(streams[largest]) > 100
    rows, totals = everything(shop, VIEWERS, "page", 100, resource_id=largest)
    assert totals == {len(rows)} == {len(streams[largest])}
    assert len({row["user_id"] for row in rows}) == len(rows)
    held = {row["user_id"]: row for row in streams[largest]}
    for row in rows:
        right = held[row["user_id"]]
        assert int(row["his_learning_time"]) == right["live_seconds"]
        assert int(row["his_learned_time"]) == right["replay_seconds"]
        assert int(row["his_learn_time"]) == right["learn_seconds"] == right["live_seconds"] + right["replay_seconds"]
        assert int(row["his_online_time"]) >= right["learn_seconds"]
        assert int(row["user_total_price"] or 0) == round(float(right["amount"]) * 100)
    assert any(row["replay_seconds"] and not row["live_seconds"] for row in streams[largest])


def test_a_stream_that_is_not_there_is_refused(shop):
    assert ask(shop, VIEWERS, resource_id="l_none")["code"] == 1002
    assert ask(shop, VIEWERS)["code"] == 1002


def test_viewers_come_while_a_stream_is_live_and_its_replay_is_open_and_then_no_more(connect):
    client = connect()
    began = {row["live_id"]: at(row["start_at"]) for row in client.truth("live_streams")}
    counts = []
    for days in (0, 3, 20, 20, 20):
        client.emulator.advance(days * DAY)
        rows = truth(client, "live_viewers", begin=at("2025-02-20 00:00:00"), end=at("2025-03-01 00:00:00"))
        assert all(began.get(row["live_id"], 0) < at("2025-03-01 00:00:00") for row in rows)
        counts.append((len(rows), sum(row["replay_seconds"] for row in rows)))
    assert counts[0] < counts[1] < counts[2]
    assert counts[3] >= counts[4], "streams leave the list, viewers come no more"


def test_learning_is_that_of_visits(shop):
    """Seconds by day add up to those of the records, and each record is learned when its user was there."""
    progress = truth(shop, "learning_progress")
    days = truth(shop, "learning_days")
    users = {row["user_id"]: row for row in shop.truth("users")}
    by_user = {}
    for row in days:
        by_user[row["user_id"]] = by_user.get(row["user_id"], 0) + row["stay_seconds"]
    learned = {}
    for row in progress:
        learned[row["user_id"]] = learned.get(row["user_id"], 0) + row["stay_seconds"]
        assert row["created_at"] <= row["last_learned_at"] <= users[row["user_id"]]["last_visited_at"]
        assert (row["finished_at"] is not None) is (row["max_progress"] == 100) is bool(row["is_finished"])
        assert row["progress"] <= row["max_progress"] <= 100
    assert len(learned) > 100
    assert all(by_user[name] == seconds for name, seconds in learned.items())
    buyer = max(learned, key=lambda name: sum(row["user_id"] == name for row in progress))
    pages = [ask(shop, PROGRESS, user_id=buyer, data={"page": page, "page_size": 2}) for page in (1, 2, 3)]
    rows = [row for page in pages for row in listed(page)[0]]
    assert {row["id"] for row in rows} == {row["record_id"] for row in progress if row["user_id"] == buyer}
    assert {listed(page)[1] for page in pages} == {None}, "no total is known"
    times = [row["last_learn_time"] for row in rows]
    assert times == sorted(times, reverse=True)


def test_days_are_asked_for_with_some_users(shop):
    days = [row for row in truth(shop, "learning_days") if row["day"] == "2025-02-20"]
    ids = [row["user_id"] for row in days]
    rows, total = listed(ask(shop, DAYS, date="2025-02-20", user_id_list=[*ids[:50], "u_nobody"], page_size=100))
    assert total is None
    assert {row["user_id"]: int(row["stay_time"]) for row in rows} == {
        row["user_id"]: row["stay_seconds"] for row in days[:50]
    }
    for wrong in ({"user_id_list": []}, {"user_id_list": ids * 100}, {"date": "yesterday", "user_id_list": ids[:1]}):
        assert ask(shop, DAYS, **{"date": "2025-02-20", **wrong})["code"] == 1002


def test_promoters_and_their_customers_add_up(shop):
    promoters, totals = everything(shop, PROMOTERS, "page_index", 50)
    assert totals == {len(promoters)} == {len(truth(shop, "promoters"))}
    brought = truth(shop, "promoter_customers")
    assert len(brought) > 100
    for promoter in promoters[:9]:
        rows, told = everything(shop, CUSTOMERS, "page_index", 100, user_id=promoter["user_id"], bind_state=0)
        right = {row["customer_id"]: row for row in brought if row["promoter_id"] == promoter["user_id"]}
        assert told == {len(right)}
        assert {row["sub_user_id"]: (int(row["order_num"]), int(row["status"])) for row in rows} == {
            name: (row["order_count"], row["status"]) for name, row in right.items()
        }
    assert ask(shop, CUSTOMERS, user_id="u_nobody")["code"] == 1002


def test_an_order_has_the_promoter_that_order_list_2_names(shop):
    sold = {row["order_id"]: row for row in truth(shop, "order_promoters")}
    named = {row["order_id"]: row["share_user_id"] for row in truth(shop, "order_origins")}
    assert {order: row["promoter_id"] for order, row in sold.items()}.items() <= named.items()
    nobody = next(order for order, promoter in named.items() if promoter is None)
    assert ask(shop, SALES, order_id=nobody)["data"] == []
    assert ask(shop, SALES, order_id="o_none")["code"] == 1002
    assert len(sold) > 5
    for order, right in sold.items():
        [row] = ask(shop, SALES, order_id=order)["data"]
        assert row["distributor"]["user_id"] == right["promoter_id"]
        assert int(row["status"]) == right["status"]


def test_shops_spell_the_customers_list_differently(start):
    """As documentation and clients do."""
    from conftest import Client

    found = set()
    for number in range(6):
        with start(orders=50, shop=[f"app{number}:client{number}:secret{number}"]) as emulator:
            credentials = {
                "app_id": f"app{number}", "client_id": f"client{number}", "secret_key": f"secret{number}",
            }  # fmt: skip
            client = Client(emulator, credentials).login()
            data = ask(client, CUSTOMERS, user_id="u_promoter_1")["data"]
            found.add(frozenset(data))
        if len(found) == 2:
            break
    assert found == {frozenset({"list", "total"}), frozenset({"return_list", "count"})}


def test_calls_are_counted_and_an_interface_may_be_denied(start):
    from conftest import Client

    with start(orders=50, deny=[VIEWERS]) as emulator:
        client = Client(emulator).login()
        assert ask(client, VIEWERS, resource_id="l")["code"] == 2017
        ask(client, PROMOTERS)
        ask(client, PROMOTERS)
        assert emulator.stats()["calls"] == {"token": 1, VIEWERS: 1, PROMOTERS: 2}

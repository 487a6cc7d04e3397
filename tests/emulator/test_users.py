"""The user list, paged by cursor (docs/xiaoe-api.md section 4), and its agreement with the orders."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from urllib.error import HTTPError

import pytest
from conftest import DAY
from plain_parser import parse_user


@pytest.fixture(scope="module")
def truth(shop):
    return {row["user_id"]: row for row in shop.truth("users")}


@pytest.fixture
def client(connect):
    client = connect(orders=1500, no_limits=True)
    client.emulator.set_users(share=1, vanish_share=0)
    yield client
    client.emulator.set_users(share=1, vanish_share=0)


def beijing(milliseconds):
    return f"{datetime.fromtimestamp(milliseconds // 1000, timezone(timedelta(hours=8))):%Y-%m-%d %H:%M:%S}"


def ids(rows):
    return [row["user_id"] for row in rows]


def test_the_newest_come_first_with_a_cursor_in_milliseconds(shop):
    rows = shop.list_all("users")
    cursors = [row["es_skip"] for row in rows]
    times = [cursor["user_created_at"] for cursor in cursors]
    assert times == sorted(times, reverse=True)
    assert any(time % 1000 for time in times)
    assert [cursor["id"] for cursor in cursors] == ids(rows)
    assert [row["user_created_at"] for row in rows] == [beijing(time) for time in times]


def test_the_last_visit_is_sent_only_on_request(shop):
    asked = shop.list_all("users")
    plain = shop.list_all("users", need_column=[])
    assert all("latest_visited_at" in row for row in asked)
    assert not any("latest_visited_at" in row for row in plain)
    assert ids(asked) == ids(plain)
    assert shop.list_page("users", need_column=["nothing"]) == shop.list_page("users", need_column=None)
    assert shop.call("users", need_column="latest_visited_at")["code"] == 1002


def test_a_visit_changes_nothing_for_who_does_not_ask_for_it(client):
    client.emulator.set_clock("2025-03-01T12:00:00")
    before = {row["user_id"]: row for row in client.list_all("users", need_column=[])}
    client.emulator.advance(5 * DAY)
    client.login()
    after = {row["user_id"]: row for row in client.list_all("users", need_column=[])}
    assert before.items() <= after.items()


@pytest.mark.parametrize(("name", "column"), [("user_created", "registered_at"), ("latest_visited", "last_visited_at")])
@pytest.mark.parametrize(
    ("first", "last"),
    [("2025-02-10", "2025-02-12"), ("2025-02-11", "2025-02-11"), ("2025-02-20", None), (None, "2025-01-05")],
)
def test_days_bound_a_list_both_included(shop, truth, name, column, first, last):
    asked = {f"{name}_start": first, f"{name}_end": last}
    pages = list(shop.list_pages("users", page_size=20, **asked))
    rows = [row for _, page in pages for row in page]
    days = {key: (row[column] or "")[:10] for key, row in truth.items()}
    expected = {key for key, day in days.items() if day and (first or "") <= day <= (last or "9")}
    assert set(ids(rows)) == expected != set()
    assert len(rows) == len(expected) < len(truth)
    assert {total for total, _ in pages} == {len(expected)}


@pytest.mark.parametrize(
    "bad", [{"user_created_start": "soon"}, {"latest_visited_end": "2025-02-30"}, {"user_created_end": 5}]
)
def test_a_day_that_cannot_be_read_is_1002(shop, bad):
    assert shop.call("users", **bad)["code"] == 1002


def test_a_client_that_does_not_advance_the_cursor_gets_the_same_page_again(shop):
    first = shop.list_page("users")
    assert shop.list_page("users", page=2, page_index=2) == first
    skip = first[1][-1]["es_skip"]
    assert shop.list_page("users", es_skip=skip) == shop.list_page("users", es_skip=skip) != first
    assert shop.list_page("users", es_skip=first[1][9]["es_skip"])[1][:40] == first[1][10:]


def test_an_empty_cursor_is_none_and_one_that_cannot_be_read_is_1002(shop):
    first = shop.list_page("users")
    assert all(shop.list_page("users", es_skip=nothing) == first for nothing in (None, "", {}))
    late = {"id": "u_1", "user_created_at": 10**18}
    for bad in (
        "x",
        5,
        {"id": "u_1"},
        {"user_created_at": 1740000000000},
        {**late, "id": 1},
        {**late, "user_created_at": "x"},
    ):
        assert shop.call("users", es_skip=bad)["code"] == 1002
    assert shop.list_page("users", es_skip=late) == first
    assert shop.list_page("users", es_skip={"id": "u_1", "user_created_at": 0})[1] == []


def test_everybody_who_orders_has_registered_before(shop, truth):
    for order in shop.emulator.truth_orders():
        assert truth[order["user_id"]]["registered_at"] < order["created_time"]


def test_some_never_buy_and_some_never_come(shop, truth):
    buyers = {row["user_id"] for row in shop.emulator.truth_orders()}
    assert buyers < truth.keys()
    assert len(truth) - len(buyers) > 300
    assert any(row["last_visited_at"] is None for row in truth.values())
    assert any(row["last_visited_at"] for row in truth.values())
    assert all(row["last_visited_at"] >= row["registered_at"] for row in truth.values() if row["last_visited_at"])


def test_users_register_and_visit_while_one_pages(client):
    before = ids(client.list_all("users"))
    total, rows = client.list_page("users", page_size=50)
    found = ids(rows)
    while rows:
        client.emulator.advance(3600)
        client.login()
        later, rows = client.list_page("users", page_size=50, es_skip=rows[-1]["es_skip"])
        found += ids(rows)
    assert found == before
    assert later > total
    newest = client.list_page("users")[1][0]["user_id"]
    assert newest not in before


def test_a_visit_changes_a_row(client):
    before = {row["user_id"]: row for row in client.truth("users")}
    client.emulator.advance(5 * DAY)
    after = {row["user_id"]: row for row in client.truth("users")}
    changed = [key for key in before if before[key] != after[key]]
    assert 0 < len(changed) < len(before)
    for key in changed:
        assert (before[key]["last_visited_at"] or "") < after[key]["last_visited_at"]


def test_users_vanish_at_a_moment_of_the_clock(client):
    client.emulator.set_users(vanish_share=0.1, vanish_at="2025-03-02T00:00:00")
    before = client.list_all("users")
    assert len(before) == client.list_page("users")[0] == len(client.truth("users"))
    client.emulator.set_clock("2025-03-02T00:00:00")
    client.login()
    after = client.list_all("users")
    gone = set(ids(before)) - set(ids(after))
    assert 0.05 < len(gone) / len(before) < 0.15
    assert set(ids(after)) == {row["user_id"] for row in client.truth("users")}
    place = next(index for index, row in enumerate(before) if row["user_id"] in gone)
    follower = next(row["user_id"] for row in before[place + 1 :] if row["user_id"] not in gone)
    assert client.list_page("users", es_skip=before[place]["es_skip"])[1][0]["user_id"] == follower


def test_the_list_can_shrink_to_a_share_at_run_time(client):
    everybody = client.list_all("users")
    assert client.emulator.set_users(share=0.4)["app1"]["share"] == 0.4
    some = client.list_all("users")
    assert abs(len(some) / len(everybody) - 0.4) < 0.02
    assert client.list_page("users")[0] == len(some) == len(client.truth("users"))
    assert set(ids(some)) < set(ids(everybody))
    client.emulator.set_users(share=0)
    assert client.list_page("users") == (0, [])
    client.emulator.set_users(share=1)
    assert client.list_all("users") == everybody


def test_the_flags_say_the_same(client, connect):
    everybody = len(client.list_all("users"))
    other = connect(users_share=0.4, users_vanish_share=0.1, users_vanish_at="2025-03-02T00:00:00")
    assert abs(other.list_page("users")[0] / everybody - 0.4) < 0.02
    other.emulator.set_clock("2025-03-02T00:00:00")
    other.login()
    assert abs(other.list_page("users")[0] / everybody - 0.3) < 0.02


@pytest.mark.parametrize("wish", [{"share": 1.5}, {"share": "x"}, {"vanish_at": "soon"}, {"shop_id": "nobody"}])
def test_a_wish_that_cannot_be_read_is_refused(client, wish):
    with pytest.raises(HTTPError) as refused:
        client.emulator.set_users(**wish)
    assert "error" in json.load(refused.value)


def test_the_nickname_is_that_of_the_after_sales(shop, truth):
    users = {row["order_id"]: row["user_id"] for row in shop.emulator.truth_orders()}
    named = [row for row in shop.truth("refunds") if row["nickname"] is not None]
    assert all(row["nickname"] == truth[users[row["order_id"]]]["nickname"] for row in named)


def test_pay_sum_keeps_the_digits_that_are_sent(shop, truth):
    assert {row["pay_sum"] for row in truth.values()} >= {"0", None}
    assert any("." in (row["pay_sum"] or "") for row in truth.values())
    assert all(parse_user(row)["pay_sum"] == truth[row["user_id"]]["pay_sum"] for row in shop.list_all("users"))


def test_the_truth_can_be_bounded_half_open(shop, truth):
    begin, end = shop.begin + 20 * DAY, shop.begin + 30 * DAY
    bounded = shop.truth("users", begin=begin, end=end)
    assert bounded == [row for row in truth.values() if "2025-01-21" <= row["registered_at"] < "2025-01-31"]


@pytest.mark.parametrize("filters", ["ignored", "refused"])
def test_a_shop_may_know_no_filter_by_days(connect, filters):
    shop = connect(user_filters=filters)
    days = {"user_created_start": "2025-03-01", "latest_visited_start": "2025-03-01"}
    asked = shop.call("users", **days)
    if filters == "refused":
        assert asked["code"] == 1002
    else:
        assert asked["data"]["total"] == shop.call("users")["data"]["total"]
    assert shop.call("users")["code"] == 0

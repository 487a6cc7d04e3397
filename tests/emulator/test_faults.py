"""Faults: off by default, by script or at a rate; each kind does what its name says."""

from __future__ import annotations

import json
from http.client import IncompleteRead
from urllib.error import HTTPError

import pytest
from conftest import DAY, Client

PERMANENT = ("lying_total", "lost_rows")


@pytest.fixture(scope="module")
def faulty(serve):
    with serve(orders=3000, no_limits=True) as emulator:
        yield Client(emulator).login()


@pytest.fixture(autouse=True)
def no_faults_left(faulty):
    yield
    faulty.emulator.set_faults()
    faulty.login()


@pytest.fixture
def window(faulty):
    now = faulty.emulator.clock()["unix"]
    return {"begin_time": now - 7 * DAY, "end_time": now, "page_size": 50}


def script(client, kind, **entry):
    client.emulator.set_faults(next=[{"kind": kind, **entry}], stall_seconds=0.4, retry_after=1)


def pages(client, window, count):
    """Return total and order ids of the first pages."""
    found = [client.page(**window, page_index=index) for index in range(1, count + 1)]
    return [total for total, _ in found], [[row["order_id"] for row in rows] for _, rows in found]


@pytest.mark.parametrize(("kind", "status"), [("http_500", 500), ("http_502", 502), ("http_429", 429)])
def test_http_errors_come_as_often_as_the_script_says(faulty, kind, status):
    script(faulty, kind, times=2)
    assert [faulty.raw()[0] for _ in range(3)] == [status, status, 200]


def test_429_tells_when_to_come_back_and_502_is_html(faulty):
    script(faulty, "http_429")
    assert faulty.raw()[1]["retry-after"] == "1"
    script(faulty, "http_502")
    assert faulty.raw()[2].startswith(b"<html>")


def test_a_page_that_is_not_json(faulty):
    script(faulty, "non_json")
    with pytest.raises(json.JSONDecodeError):
        faulty.ask()
    assert faulty.ask()["code"] == 0


def test_a_connection_cut_in_the_middle_of_the_body(faulty):
    script(faulty, "cut")
    with pytest.raises(IncompleteRead) as cut:
        faulty.raw()
    assert len(cut.value.partial) > 0
    assert faulty.ask()["code"] == 0


def test_a_stalled_answer_comes_too_late(faulty):
    script(faulty, "stall")
    with pytest.raises(TimeoutError):
        faulty.http("POST", "/xe.order.list.get/1.0.1", json.dumps({"access_token": faulty.access_token}), 0.1)
    assert faulty.ask()["code"] == 0


@pytest.mark.parametrize("code", [1001, 1002, 2053, 2054, 2017])
def test_codes(faulty, code):
    script(faulty, f"code_{code}")
    assert [faulty.ask()["code"] for _ in range(2)] == [code, 0]


def test_2008_ends_the_token(faulty):
    script(faulty, "code_2008")
    assert [faulty.ask()["code"] for _ in range(2)] == [2008, 2008]
    assert faulty.login().ask()["code"] == 0


def test_data_is_wrongly_null_once(faulty, window):
    script(faulty, "null_data")
    first, second = faulty.ask(**window), faulty.ask(**window)
    assert (first["code"], first["data"]) == (0, None)
    assert second["data"]["total"] > 0


def test_a_script_waits_for_its_page_and_window(faulty, window):
    script(faulty, "http_500", page_index=3, begin_time=window["begin_time"])
    assert faulty.raw(page_index=3)[0] == 200
    assert [faulty.raw(**window, page_index=index)[0] for index in (1, 2, 3, 3)] == [200, 200, 500, 200]


def test_a_script_can_hit_the_token_call(faulty):
    script(faulty, "http_500", interface="token")
    assert faulty.ask()["code"] == 0
    assert [faulty.http("GET", "/token")[0] for _ in range(2)] == [500, 200]


def test_the_plan_can_be_read_and_nonsense_is_refused(faulty):
    script(faulty, "http_500", times=2)
    faulty.raw()
    with pytest.raises(HTTPError, match="400"):
        faulty.emulator.set_faults(next=[{"kind": "no_such_kind"}])
    with pytest.raises(HTTPError, match="400"):
        faulty.emulator.set_faults(rate=0.5, kinds=["lost_rows"])


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ({"rate": "often"}, "rate: expected a number, got 'often'"),
        ({"retry_after": None}, "retry_after: expected an integer, got None"),
        ({"kinds": "cut"}, "kinds: expected a list of texts, got 'cut'"),
        ({"next": ["cut"]}, "next: expected a list of objects, got ['cut']"),
        ({"next": [{"times": 2}]}, "kind: expected text, got None"),
        ({"next": [{"kind": "cut", "times": "x"}]}, "times: expected an integer, got 'x'"),
        ({"next": [{"kind": "cut", "shop_id": 5}]}, "shop_id: expected text, got 5"),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused_by_field_and_value(faulty, plan, reason):
    with pytest.raises(HTTPError) as refused:
        faulty.emulator.set_faults(**plan)
    assert json.load(refused.value) == {"error": f"ValueError: {reason}"}


def test_a_duplicate_row_is_on_two_pages_and_none_is_left_out(faulty, window):
    script(faulty, "duplicate_row", page_index=3)
    totals, lists = pages(faulty, window, 9)
    assert lists[1][-1] == lists[2][0]
    assert len({order_id for ids in lists for order_id in ids}) == totals[0] == totals[-1]
    assert sum(map(len, lists)) == totals[0] + 1


def test_a_row_slips_between_two_pages_while_the_total_moves(faulty, window):
    script(faulty, "slipped_row", page_index=3)
    totals, lists = pages(faulty, window, 9)
    assert totals[0] == totals[1] == totals[2] + 1 == totals[-1] + 1
    assert len({order_id for ids in lists for order_id in ids}) == totals[0] - 1


def test_the_total_moves_by_one_while_paging(faulty, window):
    script(faulty, "moving_total")
    totals, lists = pages(faulty, window, 5)
    assert [total - totals[0] for total in totals] == [0, 1, -1, 1, -1]
    assert {len(ids) for ids in lists} == {50}


def test_a_short_page_in_the_middle_moves_the_rest_to_an_extra_page(faulty, window):
    script(faulty, "short_page", page_index=2)
    totals, lists = pages(faulty, window, 9)
    ids = [order_id for ids in lists for order_id in ids]
    assert list(map(len, lists))[:4] == [50, 25, 50, 50]
    assert len(ids) == len(set(ids)) == totals[0]


def test_the_last_page_is_empty(faulty, window):
    script(faulty, "empty_last_page")
    totals, lists = pages(faulty, window, 9)
    assert sum(map(len, lists)) == totals[0] // 50 * 50 < totals[0]


def test_a_page_is_repeated(faulty, window):
    script(faulty, "repeated_page", page_index=2)
    _, lists = pages(faulty, window, 3)
    assert lists[0] == lists[1] != lists[2]


@pytest.mark.parametrize(
    "kind", ["duplicate_row", "slipped_row", "moving_total", "short_page", "empty_last_page", "repeated_page"]
)
def test_a_passing_data_fault_is_over_when_the_window_is_paged_again(faulty, window, kind):
    clean = pages(faulty, window, 9)
    script(faulty, kind)
    assert pages(faulty, window, 9) != clean
    assert pages(faulty, window, 9) == clean


@pytest.mark.parametrize("kind", PERMANENT)
def test_a_permanent_fault_stays_and_shows_as_rows_short_of_the_total(faulty, window, kind):
    script(faulty, kind, begin_time=window["begin_time"], amount=2)
    for _ in range(3):
        totals, lists = pages(faulty, window, 9)
        assert len({order_id for ids in lists for order_id in ids}) == totals[0] - 2
    other = {**window, "begin_time": window["begin_time"] + 1}
    totals, lists = pages(faulty, other, 9)
    assert sum(map(len, lists)) == totals[0]


def test_a_rate_hits_its_share_of_calls_and_never_the_same_call_twice_in_a_row(faulty, window):
    faulty.emulator.set_faults(rate=0.4, kinds=["http_500", "code_1001", "null_data"])

    def is_hit(index):
        status, _, raw = faulty.raw(**window, page_index=index)
        return status != 200 or json.loads(raw)["code"] != 0 or json.loads(raw)["data"] is None

    hits = [is_hit(1 + index // 2 % 5) for index in range(200)]
    assert 40 < sum(hits) < 120
    assert not any(hits[index] and hits[index + 1] for index in range(0, 200, 2))
    assert set(faulty.emulator.stats()["faults"]) >= {"http_500", "code_1001", "null_data"}

"""Faults meet the other lists as they meet the order list; those that move rows respect a cursor."""

from __future__ import annotations

import json

import pytest
from conftest import LISTS, Client

SIZE = 20
every_list = pytest.mark.parametrize("table", LISTS)


@pytest.fixture(scope="module")
def faulty(serve):
    with serve(orders=700, no_limits=True) as emulator:
        yield Client(emulator).login()


@pytest.fixture(autouse=True)
def no_faults_left(faulty):
    yield
    faulty.emulator.set_faults()
    faulty.login()


def script(client, table, kind, **entry):
    client.emulator.set_faults(next=[{"kind": kind, "interface": LISTS[table][0], **entry}], stall_seconds=0.1)


def pages(client, table):
    """Return totals and ids of all pages."""
    found = list(client.list_pages(table, page_size=SIZE))
    return [total for total, _ in found], [[row[LISTS[table][4]] for row in rows] for _, rows in found]


@every_list
@pytest.mark.parametrize("kind", ["http_500", "http_429", "non_json", "code_1001", "code_2053", "null_data"])
def test_an_answer_is_spoilt_once(faulty, table, kind):
    script(faulty, table, kind)
    asked = json.dumps({"access_token": faulty.access_token, "created_at": "2025-02-01||2025-02-28"})
    answers = [faulty.http("POST", "/" + LISTS[table][0], asked) for _ in range(2)]
    assert answers[0][::2] != answers[1][::2]
    assert json.loads(answers[1][2])["data"]["list"]
    assert faulty.emulator.stats()["faults"][kind] >= 1


@every_list
def test_an_answer_fault_can_wait_for_a_page(faulty, table):
    script(faulty, table, "code_1001", page_index=3)
    with pytest.raises(AssertionError, match="1001"):
        pages(faulty, table)
    assert len(pages(faulty, table)[1]) > 3


@every_list
@pytest.mark.parametrize("kind", ["duplicate_row", "short_page", "moving_total"])
def test_faults_that_lose_nothing(faulty, table, kind):
    _, clean = pages(faulty, table)
    script(faulty, table, kind)
    totals, found = pages(faulty, table)
    assert found != clean or len(set(totals)) > 1
    assert {key for page in found for key in page} == {key for page in clean for key in page}
    assert sum(map(len, found)) == sum(map(len, clean)) + (kind == "duplicate_row")
    assert pages(faulty, table)[1] == clean


@every_list
def test_a_row_slips_between_two_pages_while_the_total_moves(faulty, table):
    clean_totals, clean = pages(faulty, table)
    script(faulty, table, "slipped_row", page_index=3)
    totals, found = pages(faulty, table)
    assert sum(map(len, found)) == clean_totals[0] - 1 == totals[-1] == totals[0] - 1
    assert pages(faulty, table)[1] == clean


@every_list
def test_the_last_page_is_empty(faulty, table):
    totals, clean = pages(faulty, table)
    script(faulty, table, "empty_last_page")
    assert pages(faulty, table)[1] == clean[:-1]
    assert totals[0] > sum(map(len, clean[:-1]))


@every_list
def test_a_page_is_repeated(faulty, table):
    _, clean = pages(faulty, table)
    script(faulty, table, "repeated_page", page_index=2)
    _, found = pages(faulty, table)
    assert found[0] == found[1] == clean[0]
    assert pages(faulty, table)[1] == clean


@every_list
@pytest.mark.parametrize("kind", ["lying_total", "lost_rows"])
def test_a_permanent_fault_shows_as_rows_short_of_the_total(faulty, table, kind):
    script(faulty, table, kind, amount=2)
    for _ in range(2):
        totals, found = pages(faulty, table)
        assert len({key for page in found for key in page}) == totals[0] - 2


def test_a_fault_of_one_list_leaves_the_others_alone(faulty):
    script(faulty, "users", "http_500", times=5)
    assert {faulty.call(table)["code"] for table in LISTS if table != "users"} == {0}
    assert faulty.ask()["code"] == 0

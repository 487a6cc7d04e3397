"""After-sales, users, products and live streams: from the emulated API into real databases, equal to the truth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator, running
from support.fixtures import Connect, servers
from support.worlds.runs import EVERYTHING_LISTED as WHOLE
from support.worlds.runs import HOUR, Interrupted, TaskRunner, unhurried, write_list
from support.worlds.shop import (
    APP_ID,
    CLIENT_ID,
    END,
    EVERYTHING,
    NOW,
    SECRET,
    Database,
    Sync,
    days,
    merge_sql,
    unbalanced,
    unlike,
)
from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import BEIJING, beijing_text
from xiaoe.exceptions import XiaoeConfigError, XiaoeIncompleteError, XiaoeReconciliationError
from xiaoe.merge.merger import Merger
from xiaoe.resources.base import Cursor, Resource
from xiaoe.resources.live_streams import LIVE_STREAMS
from xiaoe.resources.products import PRODUCTS
from xiaoe.resources.refunds import REFUNDS
from xiaoe.resources.users import USERS
from xiaoe.windows import Window, slices

pytestmark = pytest.mark.mysql
on_one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
"""What rests on the API and on no server's SQL."""

RESOURCES = [unhurried(resource) for resource in (REFUNDS, USERS, PRODUCTS, LIVE_STREAMS)]
WHOLE_LISTS = RESOURCES[1:]
of_each = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
of_each_whole = pytest.mark.parametrize("resource", WHOLE_LISTS, ids=lambda resource: resource.name)
PAGE = {"refunds": 4, "users": 40, "products": 30, "live_streams": 30}
"""Rows per page with which each list has some six pages or more; refunds in `RECENT`."""
RECENT = Window(END - days(5), END)


@pytest.fixture(scope="module")
def shop() -> Iterator[Emulator]:
    """The shop of the other tests, without limits."""
    with running(
        orders=800, start="2026-10-20", now=NOW, frozen=True, seed=7, shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
        no_limits=True,
    ) as emulator:  # fmt: skip
        yield emulator


@pytest.fixture
def free(shop: Emulator, sync: Sync, connect: Connect) -> Emulator:
    """That shop with its clock set back, all users shown and no faults."""
    shop.set_clock(NOW)
    shop.set_faults()
    shop.set_users(share=1, vanish_share=0, vanish_at=NOW)
    connect(shop)
    return shop


@pytest.fixture
def runs(free: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRunner:
    """The tasks of the DAGs at the shop's time."""
    runs = TaskRunner(free, monkeypatch, tmp_path / "runs")
    monkeypatch.setenv("XIAOE_HISTORY_START", "2026-10-01")
    return runs


def window_of(resource: Resource) -> Window:
    return RECENT if resource.name == "refunds" else WHOLE


def truth(api: Emulator, resource: Resource) -> list[dict[str, Any]]:
    return list(getattr(api, f"truth_{resource.table}")(APP_ID))


def in_window(rows: list[dict[str, Any]], resource: Resource, window: Window) -> list[dict[str, Any]]:
    if resource.time is None:
        return rows
    return [row for row in rows if beijing_text(window.begin) <= str(row[resource.time]) < beijing_text(window.end)]


def wrong(database: Database, api: Emulator, resource: Resource, window: Window | None = None) -> list[str]:
    """How a table differs from the truth; of a window, rows by their last change."""
    inferred = " AND is_inferred = 0" if resource.has_inferred else ""
    held = database.rows(f"SELECT * FROM {resource.table} WHERE absent_since IS NULL{inferred}")
    right = truth(api, resource)
    if window:
        right = in_window(right, resource, window)
        names = {row[resource.key] for row in right}
        held = [row for row in held if row[resource.key] in names]
    return unlike(held, right, resource.key)


def absent(database: Database, resource: Resource) -> set[str]:
    rows = database.rows(f"SELECT {resource.key} AS name FROM {resource.table} WHERE absent_since IS NOT NULL")
    return {row["name"] for row in rows}


# --- equal to the truth --------------------------------------------------------------------------------


@of_each_whole
def test_a_whole_list_equals_the_truth(sync: Sync, database: Database, free: Emulator, resource: Resource) -> None:
    counts = sync.run(WHOLE, resource=resource, mode="whole", moves=True)
    assert counts["inserted"] > 100
    assert wrong(database, free, resource) == []
    assert unbalanced(database) == []
    assert sync.watermark("whole", resource.name) == END


def test_all_after_sales_equal_the_truth(sync: Sync, database: Database, api: Emulator) -> None:
    """At the pace that the interface allows; the total is in `row_count`."""
    sync.run(EVERYTHING, resource=REFUNDS)
    assert wrong(database, api, REFUNDS) == []
    assert unbalanced(database) == []


@of_each
def test_a_list_read_twice_types_and_writes_nothing_the_second_time(
    sync: Sync, database: Database, free: Emulator, resource: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync.run(window_of(resource), resource=resource)
    before = database.snapshot()
    monkeypatch.setattr(resource.reader, "row", lambda raw: pytest.fail("an unchanged row was typed"))
    counts = sync.run(window_of(resource), resource=resource)
    assert (counts["inserted"], counts["updated"], counts["absent"]) == (0, 0, 0)
    assert counts["unchanged"] == counts["staged"] > 0
    after = database.snapshot()
    assert [table for table in after if after[table] != before[table]] == ["sync_windows"]


@on_one_server
@of_each
def test_the_same_with_5_percent_of_failing_calls(
    sync: Sync, database: Database, free: Emulator, connect: Connect, resource: Resource
) -> None:
    connect(free, page_size=1 if resource is RESOURCES[0] else 8, timeout=1)
    seen = sum(free.stats()["faults"].values())
    free.set_faults(rate=0.05, stall_seconds=1.2)
    sync.run(window_of(resource), resource=resource, moves=True)
    free.set_faults()
    assert sum(free.stats()["faults"].values()) > seen
    assert wrong(database, free, resource, window_of(resource)) == []
    assert unbalanced(database) == []


@on_one_server
@of_each
def test_each_kind_of_failing_answer_in_the_middle(
    sync: Sync, database: Database, free: Emulator, connect: Connect, resource: Resource
) -> None:
    connect(free, page_size=PAGE[resource.name] * 2)
    for kind in ("http_500", "http_429", "cut", "non_json", "null_data", "code_1002", "code_2008", "code_2053"):
        database.empty()
        free.set_faults(next=[{"kind": kind, "page_index": 2}])
        sync.run(window_of(resource), resource=resource)
        assert free.set_faults()["next"] == []
        assert wrong(database, free, resource, window_of(resource)) == [], kind
        assert unbalanced(database) == [], kind


@on_one_server
@of_each
def test_what_does_not_end_fails_by_name_and_leaves_everything(
    sync: Sync, database: Database, free: Emulator, connect: Connect, resource: Resource
) -> None:
    connect(free, page_size=PAGE[resource.name] * 2)
    sync.run(window_of(resource), resource=resource, moves=True)
    free.advance(3 * 86_400)
    before = database.snapshot()
    free.set_faults(next=[{"kind": "code_2017", "times": None, "page_index": 2}])
    with pytest.raises(XiaoeConfigError, match="2017"):
        sync.run(window_of(resource), resource=resource, moves=True)
    assert database.snapshot() == before


# --- listings that are false ---------------------------------------------------------------------------

FAULTS: list[dict[str, Any]] = [
    {"kind": "duplicate_row", "page_index": 3},
    {"kind": "slipped_row", "page_index": 3},
    {"kind": "moving_total"},
    {"kind": "short_page"},
    {"kind": "empty_last_page"},
    {"kind": "repeated_page", "page_index": 3},
    {"kind": "lying_total", "amount": 2},
    {"kind": "lying_total", "amount": -2},
    {"kind": "lost_rows", "amount": 3, "page_index": 2},
]


@on_one_server
@of_each
def test_a_listing_that_is_false_once_is_read_again(
    sync: Sync, database: Database, free: Emulator, connect: Connect, resource: Resource
) -> None:
    connect(free, page_size=PAGE[resource.name])
    for fault in FAULTS:
        database.empty("api_tokens")
        free.set_faults(next=[{**fault, "times": 1}])
        sync.run(window_of(resource), resource=resource, moves=True)
        free.set_faults()
        assert wrong(database, free, resource, window_of(resource)) == [], fault
        assert unbalanced(database) == [], fault


LASTING = [fault for fault in FAULTS if fault["kind"] not in ("duplicate_row", "short_page", "repeated_page")]


@on_one_server
@of_each
def test_a_listing_that_stays_false_is_never_green_and_wrong(
    sync: Sync, database: Database, free: Emulator, connect: Connect, resource: Resource
) -> None:
    """Equal to the truth, or failed by name and nothing changed; what the warehouse knows is a day old."""
    connect(free, page_size=2 * PAGE[resource.name])
    free.set_clock((END - days(1)).isoformat())
    sync.run(window_of(resource), resource=resource, moves=True)
    free.set_clock(NOW)
    for fault in LASTING:
        before = database.snapshot()
        free.set_faults(next=[{**fault, "times": None}])
        try:
            sync.run(window_of(resource), resource=resource, moves=True, mode="again")
        except (XiaoeIncompleteError, XiaoeReconciliationError) as error:
            message = str(error)
        else:
            message = ""
        if message:
            assert re.search(r"API says \d+ rows|API lists \d+ rows|page \d+ is the same", message), message
            assert database.snapshot() == before, fault
        else:
            assert wrong(database, free, resource, window_of(resource)) == [], fault
            assert absent(database, resource) <= absent_rightly(database, free, resource), fault
    free.set_faults()
    sync.run(window_of(resource), resource=resource, moves=True)
    assert wrong(database, free, resource, window_of(resource)) == []


def absent_rightly(database: Database, api: Emulator, resource: Resource) -> set[str]:
    """Rows that really are gone: of live streams, some go by themselves."""
    there = {row[resource.key] for row in truth(api, resource)}
    held = database.rows(f"SELECT {resource.key} AS name FROM {resource.table}")
    return {row["name"] for row in held} - there


@on_one_server
def test_a_cursor_that_is_not_understood_ends_and_fails_by_name(sync: Sync, database: Database, free: Emulator) -> None:
    """A client that spells it wrong gets the first page for ever."""
    misspelt = replace(WHOLE_LISTS[0], paging=Misspelt("es_skip"))
    with pytest.raises(XiaoeIncompleteError, match=r"page 2 is the same as one before it: does .* still page by"):
        sync.run(WHOLE, resource=misspelt)
    assert not any(database.snapshot().values())


class Misspelt(Cursor):
    def fields(self, index: int, cursor: Any) -> dict[str, Any]:
        return {} if cursor is None else {"esSkip": cursor}


@on_one_server
def test_users_that_register_while_the_list_is_read_do_not_disturb_it(
    sync: Sync, database: Database, free: Emulator, connect: Connect
) -> None:
    """They come before the first page, which says how many there were."""
    connect(free, page_size=50)
    begin = END - days(5)
    free.set_clock(begin.isoformat())
    before = {row["user_id"] for row in truth(free, USERS)}
    hook = Interrupted(lambda fetched: free.advance(7200))
    counts = sync.run(WHOLE, resource=WHOLE_LISTS[0], hook=hook)
    assert counts["staged"] == len(before)
    assert database.value("SELECT passes FROM sync_windows") == 1
    assert {row["user_id"] for row in database.rows("SELECT user_id FROM users")} == before
    assert len(truth(free, USERS)) > len(before)
    sync.run(WHOLE, resource=WHOLE_LISTS[0])
    assert wrong(database, free, USERS) == []
    assert absent(database, USERS) == set()


@on_one_server
def test_a_list_that_loses_rows_while_it_is_read_is_read_again(
    sync: Sync, database: Database, free: Emulator, connect: Connect
) -> None:
    connect(free, page_size=20)
    hook = Interrupted(lambda fetched: free.set_users(vanish_share=0.1, vanish_at=NOW) if fetched == 4 else None)
    sync.run(WHOLE, resource=WHOLE_LISTS[0], hook=hook)
    sync.run(WHOLE, resource=WHOLE_LISTS[0])
    assert wrong(database, free, USERS) == []


# --- after-sales ---------------------------------------------------------------------------------------


def watermark(database: Database) -> datetime:
    found = database.value("SELECT watermark FROM sync_status WHERE resource = 'refunds' AND mode = 'incremental'")
    return found.replace(tzinfo=BEIJING)


def windows(database: Database) -> list[tuple[datetime, datetime]]:
    rows = database.rows("SELECT window_start, window_end FROM sync_windows WHERE resource = 'refunds' ORDER BY id")
    return [(row["window_start"].replace(tzinfo=BEIJING), row["window_end"].replace(tzinfo=BEIJING)) for row in rows]


def test_hour_by_hour_after_sales_equal_the_truth_and_the_watermark_follows(
    runs: TaskRunner, database: Database
) -> None:
    """The first run loads the history; each later one reads from three days before the watermark."""
    now = runs.at(END - days(9))
    runs.sync("refunds", "incremental")
    first = windows(database)
    assert first[0][0] == datetime(2026, 10, 1, tzinfo=BEIJING)
    assert first[-1][1] == watermark(database) == now - timedelta(minutes=1)
    assert wrong(database, runs.api, REFUNDS) == []
    for hours in (1, 1, 5, 14, 24, 96):
        last, number = watermark(database), len(windows(database))
        now = runs.at(now + hours * HOUR)
        runs.sync("refunds", "incremental")
        assert wrong(database, runs.api, REFUNDS) == []
        assert watermark(database) == now - timedelta(minutes=1)
        parts = slices(Window(last - days(3), watermark(database)))
        assert windows(database)[number:] == [(part.begin, part.end) for part in parts]
    assert unbalanced(database) == []
    assert absent(database, REFUNDS) == set()


@on_one_server
def test_the_overlap_can_be_chosen(runs: TaskRunner, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_REFUND_OVERLAP_DAYS", "1")
    runs.at(END - HOUR)
    runs.sync("refunds", "incremental")
    last = watermark(database)
    runs.at(END)
    runs.sync("refunds", "incremental")
    assert windows(database)[-1] == (last - days(1), watermark(database))


@on_one_server
def test_a_window_by_hand_and_a_backfill_leave_the_watermark_alone(runs: TaskRunner, database: Database) -> None:
    runs.sync("refunds", "incremental")
    before = watermark(database)
    runs.at(END + days(2))
    runs.sync("refunds", "incremental", kind="manual", **{"from": "2026-11-01", "to": "2026-11-05 12:00"})
    runs.sync("refunds", "incremental", kind="backfill")
    assert watermark(database) == before
    assert windows(database)[-2] == (datetime(2026, 11, 1, tzinfo=BEIJING), datetime(2026, 11, 5, 12, tzinfo=BEIJING))


@on_one_server
def test_a_failed_run_leaves_the_watermark_and_the_next_one_closes_the_gap(
    runs: TaskRunner, database: Database
) -> None:
    now = runs.at(END - days(6))
    runs.sync("refunds", "incremental")
    before, last = database.snapshot(), watermark(database)
    runs.api.set_faults(next=[{"kind": "code_2017", "times": None}])
    for _ in range(3):
        now = runs.at(now + days(1))
        with pytest.raises(XiaoeConfigError):
            runs.sync("refunds", "incremental")
    after = database.snapshot()
    assert [table for table in after if after[table] != before[table]] == ["sync_status"]
    assert watermark(database) == last
    runs.api.set_faults()
    runs.at(now + days(1))
    runs.sync("refunds", "incremental")
    assert wrong(database, runs.api, REFUNDS) == []


@on_one_server
@pytest.mark.parametrize("begin", ["2026-11-02 00:00:00", "2026-11-02 12:34:56"])
@pytest.mark.parametrize("end", ["2026-11-16 00:00:00", "2026-11-16 00:00:01", "2026-11-15 23:59:59"])
def test_a_window_that_ends_at_or_about_midnight_holds_its_rows(
    sync: Sync, database: Database, free: Emulator, begin: str, end: str
) -> None:
    window = Window(*(datetime.fromisoformat(text).replace(tzinfo=BEIJING) for text in (begin, end)))
    sync.run(window, resource=RESOURCES[0])
    assert len(in_window(truth(free, REFUNDS), REFUNDS, window)) > 10
    assert wrong(database, free, REFUNDS, window) == []
    assert unbalanced(database) == []


def test_after_sales_that_change_while_they_are_read_are_not_lost(
    runs: TaskRunner, sync: Sync, database: Database, connect: Connect
) -> None:
    """With each page some hours go by: rows move from slices already read to later ones, and within the last one."""
    connect(runs.api, page_size=2, concurrency=1)
    begin = runs.at(END - days(6))
    sync.run(Window(begin - days(20), begin), resource=RESOURCES[0])
    moves = 0

    def hours_go_by(fetched: int) -> None:
        nonlocal moves
        if fetched % 4 == 0 and moves < 10:
            moves += 1
            runs.at(runs.now + HOUR)

    window = Window(begin - days(20), begin + days(1))
    sync.run(window, resource=RESOURCES[0], hook=Interrupted(hours_go_by), mode="again")
    assert moves > 3
    assert absent(database, REFUNDS) == set()
    assert unbalanced(database) == []
    connect(runs.api)
    overlap = Window(begin - days(3), runs.now)
    sync.run(overlap, resource=RESOURCES[0], mode="again")
    assert wrong(database, runs.api, REFUNDS, Window(begin - days(20), runs.now)) == []


@on_one_server
def test_after_sales_that_never_stand_still_are_read_all_the_same(
    runs: TaskRunner, sync: Sync, database: Database, connect: Connect
) -> None:
    """Each page finds others changed. What did is on the first page of the second pass, and the pass ends there."""
    connect(runs.api, page_size=7, concurrency=1)
    window = Window(END - days(6), END)
    begun = END - days(2)
    runs.at(begun)
    totals = set()

    def time_goes_by(fetched: int) -> None:
        runs.at(runs.now + 5 * HOUR)
        totals.add(len(in_window(truth(runs.api, REFUNDS), REFUNDS, window)))

    sync.run(window, resource=RESOURCES[0], hook=Interrupted(time_goes_by))
    assert len(totals) > 2, "it changed while it was read"
    [row] = database.rows("SELECT passes, api_total, staged FROM sync_windows ORDER BY id DESC LIMIT 1")
    assert (row["passes"], row["api_total"]) == (2, row["staged"])
    connect(runs.api)
    sync.run(Window(begun, runs.now), resource=RESOURCES[0], mode="again")  # what changed since: the next run's
    assert wrong(database, runs.api, REFUNDS, Window(window.begin, runs.now)) == []


@on_one_server
def test_a_past_window_does_not_miss_rows_that_have_moved_on(runs: TaskRunner, sync: Sync, database: Database) -> None:
    """By their last change they belong to a later window now."""
    window = Window(END - days(9), END - days(6))
    runs.at(window.end)
    sync.run(window, resource=RESOURCES[0])
    held = {row["aftersale_id"] for row in database.rows("SELECT aftersale_id FROM refunds")}
    runs.at(END)
    assert len(in_window(truth(runs.api, REFUNDS), REFUNDS, window)) < len(held)
    counts = sync.run(window, resource=RESOURCES[0])
    assert counts["absent"] == 0
    assert {row["aftersale_id"] for row in database.rows("SELECT aftersale_id FROM refunds")} >= held
    assert absent(database, REFUNDS) == set()
    assert wrong(database, runs.api, REFUNDS, window) == []


def deleted(amount: int) -> dict[str, Any]:
    """The API no longer lists some after-sales and no longer counts them."""
    interface = REFUNDS.endpoint.removeprefix("/")
    return {
        "next": [
            {"kind": "lost_rows", "page_index": 1, "amount": amount, "interface": interface},
            {"kind": "lying_total", "amount": -amount, "interface": interface},
        ]
    }


def test_a_row_that_is_gone_from_a_window_up_to_now_fails_by_name(runs: TaskRunner, database: Database) -> None:
    runs.sync("refunds", "incremental")
    before = database.snapshot()
    runs.at(END + timedelta(minutes=10))
    runs.api.set_faults(**deleted(2))
    with pytest.raises(XiaoeReconciliationError) as raised:
        runs.sync("refunds", "incremental")
    message = str(raised.value)
    assert "the warehouse holds 2 more that it no longer lists: as_" in message
    assert "accept_missing" in message
    named = {word.strip(",.:") for word in message.split() if word.startswith("as_")}
    assert len(named) == 2
    after = database.snapshot()
    assert [table for table in after if after[table] != before[table]] == ["sync_status"]

    counts = runs.sync("refunds", "incremental", kind="manual", accept_missing=True)
    assert counts["absent"] == 2
    assert absent(database, REFUNDS) == named
    runs.sync("refunds", "incremental")
    runs.api.set_faults()
    runs.sync("refunds", "incremental")
    assert absent(database, REFUNDS) == set()
    assert wrong(database, runs.api, REFUNDS) == []


@on_one_server
def test_a_row_hidden_for_a_moment_is_looked_for_again(runs: TaskRunner, database: Database) -> None:
    runs.sync("refunds", "incremental")
    runs.at(END + timedelta(minutes=10))
    runs.api.set_faults(next=[{**fault, "times": 1} for fault in deleted(2)["next"]])
    runs.sync("refunds", "incremental")
    assert absent(database, REFUNDS) == set()
    assert wrong(database, runs.api, REFUNDS) == []
    assert database.value("SELECT passes FROM sync_windows ORDER BY id DESC LIMIT 1") == 2


def test_what_was_read_last_wins_whichever_is_merged_last(runs: TaskRunner, sync: Sync, database: Database) -> None:
    begin = END - days(8)
    runs.at(END - days(2))
    early = sync.stage(Window(begin, runs.now), resource=RESOURCES[0])
    runs.at(END)
    sync.run(Window(begin, runs.now), resource=RESOURCES[0])
    before = database.snapshot()
    sync.merge(*early)
    after = database.snapshot()
    assert [table for table in after if after[table] != before[table]] == ["sync_windows"]
    assert wrong(database, runs.api, REFUNDS, Window(begin, END)) == []


# --- whole lists ---------------------------------------------------------------------------------------


def test_users_that_vanish_are_marked_and_unmarked_when_they_come_back(
    sync: Sync, database: Database, free: Emulator
) -> None:
    sync.run(WHOLE, resource=USERS, mode="whole", moves=True)
    everyone = {row["user_id"] for row in truth(free, USERS)}
    rows = database.rows("SELECT * FROM users ORDER BY user_id")
    free.set_users(vanish_share=0.2, vanish_at=NOW)
    gone = everyone - {row["user_id"] for row in truth(free, USERS)}
    counts = sync.run(WHOLE, resource=USERS, mode="whole", moves=True)
    assert counts["absent"] == len(gone) > 20
    assert absent(database, USERS) == gone
    assert wrong(database, free, USERS) == []
    kept = database.rows("SELECT * FROM users ORDER BY user_id")
    assert [{**row, "absent_since": None} for row in kept] == rows, "marked, and nothing else"
    since = database.rows("SELECT user_id, absent_since FROM users ORDER BY 1")
    assert sync.run(WHOLE, resource=USERS, mode="whole")["absent"] == 0
    assert database.rows("SELECT user_id, absent_since FROM users ORDER BY 1") == since

    free.set_users(vanish_share=0)
    counts = sync.run(WHOLE, resource=USERS, mode="whole", moves=True)
    assert (counts["updated"], counts["inserted"], counts["absent"]) == (len(gone), 0, 0)
    assert absent(database, USERS) == set()
    assert wrong(database, free, USERS) == []
    assert unbalanced(database) == []


def test_a_list_that_shrinks_to_under_half_is_refused_with_an_alert_until_somebody_accepts_it(
    runs: TaskRunner, database: Database
) -> None:
    runs.sync("users", "whole")
    before, all_of_them = database.snapshot(), database.value("SELECT COUNT(*) FROM users")
    runs.api.set_users(share=0.49)
    runs.at(END + days(1))
    left = len(truth(runs.api, USERS))
    with pytest.raises(XiaoeReconciliationError) as raised:
        runs.sync("users", "whole")
    message = str(raised.value)
    assert f"users: the API lists {left} rows, and of the {all_of_them} that the warehouse holds" in message
    assert "more than half. Nothing was changed" in message
    assert "accept_missing" in message
    after = database.snapshot()
    assert [table for table in after if after[table] != before[table]] == ["sync_status"]
    [status] = database.rows("SELECT * FROM sync_status WHERE resource = 'users' AND mode = 'whole'")
    assert (status["status"], status["message"]) == ("failed", message)
    assert status["watermark"] == END.replace(tzinfo=None)

    assert runs.sync("users", "whole", kind="manual", accept_missing=True)["absent"] > all_of_them // 2
    assert wrong(database, runs.api, USERS) == []
    runs.at(END + days(2))
    runs.sync("users", "whole")
    assert wrong(database, runs.api, USERS) == []
    [status] = database.rows("SELECT * FROM sync_status WHERE resource = 'users' AND mode = 'whole'")
    assert status["status"] == "success"


def test_a_list_of_a_little_more_than_half_is_taken(runs: TaskRunner, database: Database) -> None:
    runs.sync("users", "whole")
    runs.api.set_users(share=0.52)
    runs.sync("users", "whole")
    assert wrong(database, runs.api, USERS) == []


@on_one_server
@of_each_whole
def test_an_empty_list_where_there_were_rows_is_refused(
    sync: Sync, database: Database, free: Emulator, resource: Resource
) -> None:
    """`data: null` twice looks like a shop without any."""
    sync.run(WHOLE, resource=resource)
    before = database.snapshot()
    free.set_faults(next=[{"kind": "null_data", "times": None}])
    with pytest.raises(
        XiaoeReconciliationError, match=f"{resource.name}: the list is suddenly empty .*: the API lists 0 rows"
    ):
        sync.run(WHOLE, resource=resource)
    assert database.snapshot() == before


def test_an_empty_shop_is_a_success(sync: Sync, database: Database, free: Emulator) -> None:
    free.set_users(share=0)
    assert not any(sync.run(WHOLE, resource=USERS, mode="whole", moves=True).values())
    assert sync.watermark("whole", "users") == END


@of_each_whole
def test_a_refresh_that_breaks_off_marks_nobody(
    sync: Sync, database: Database, free: Emulator, connect: Connect, resource: Resource
) -> None:
    connect(free, page_size=20)
    sync.run(WHOLE, resource=resource)
    before = database.snapshot()
    free.set_users(vanish_share=0.2, vanish_at=NOW)
    free.set_faults(next=[{"kind": "lost_rows", "page_index": 2, "amount": 3}])
    with pytest.raises(XiaoeIncompleteError):
        sync.run(WHOLE, resource=resource)
    assert database.snapshot() == before


def test_a_refresh_merged_late_marks_nobody_that_a_later_one_saw(
    sync: Sync, database: Database, free: Emulator
) -> None:
    sync.run(WHOLE, resource=USERS, mode="whole")
    free.set_users(vanish_share=0.2, vanish_at=NOW)
    late = sync.stage(WHOLE, resource=USERS, mode="whole")
    free.set_users(vanish_share=0)
    sync.run(WHOLE, resource=USERS, mode="whole")
    sync.merge(*late)
    assert absent(database, USERS) == set()
    assert wrong(database, free, USERS) == []


def test_a_refresh_merged_late_brings_nobody_back_that_a_later_one_missed(
    sync: Sync, database: Database, free: Emulator
) -> None:
    sync.run(WHOLE, resource=USERS, mode="whole")
    late = sync.stage(WHOLE, resource=USERS, mode="whole")
    free.set_users(vanish_share=0.2, vanish_at=NOW)
    sync.run(WHOLE, resource=USERS, mode="whole")
    gone = absent(database, USERS)
    assert len(gone) > 20
    sync.merge(*late)
    assert absent(database, USERS) == gone


def test_days_go_by_and_every_list_equals_the_truth(sync: Sync, database: Database, free: Emulator) -> None:
    """Products are renamed and deleted, streams begin, end and go; users visit."""
    for day in (6, 3, 0):
        free.set_clock((END - days(day)).isoformat())
        for resource in WHOLE_LISTS:
            sync.run(WHOLE, resource=resource, mode="whole", moves=True)
            assert wrong(database, free, resource) == []
    assert unbalanced(database) == []


# --- live streams --------------------------------------------------------------------------------------

FIGURES = ("view_count", "reward_sum", "purchase_count")


def by_day(database: Database) -> dict[tuple[str, str], tuple[Any, ...]]:
    rows = database.rows("SELECT * FROM live_stream_days")
    return {(row["live_id"], str(row["day"])): tuple(row[name] for name in FIGURES) for row in rows}


def test_views_are_kept_by_day_where_they_changed(runs: TaskRunner, database: Database) -> None:
    held: dict[str, tuple[Any, ...]] = {}
    for day in (7, 6, 5, 1):
        now = runs.at(END - days(day))
        runs.sync("live_streams", "whole")
        rows = database.rows("SELECT * FROM live_streams WHERE absent_since IS NULL")
        figures = {row["live_id"]: tuple(row[name] for name in FIGURES) for row in rows}
        changed = {name for name in figures if figures[name] != held.get(name)}
        history = by_day(database)
        today = {name: value for (name, on), value in history.items() if on == f"{now:%Y-%m-%d}"}
        assert changed <= today.keys()
        assert {name: today[name] for name in today} == {name: figures[name] for name in today}
        assert changed or day == 7
        held |= figures
    assert len({day for _, day in by_day(database)}) == 4


def test_the_latest_look_of_a_day_stays(runs: TaskRunner, database: Database) -> None:
    runs.at(END - days(1))
    runs.sync("live_streams", "whole")
    early = runs.stage("live_streams", "whole")
    runs.at(END - days(1) + 6 * HOUR)
    runs.sync("live_streams", "whole")
    history, days_before = by_day(database), database.rows("SELECT * FROM live_stream_days ORDER BY live_id, day")
    assert {day for _, day in history} == {f"{END - days(1):%Y-%m-%d}"}
    runs.merge("live_streams", "whole", early)
    assert database.rows("SELECT * FROM live_stream_days ORDER BY live_id, day") == days_before
    assert wrong(database, runs.api, LIVE_STREAMS) == []


@on_one_server
def test_midnight_in_beijing_begins_a_new_day(runs: TaskRunner, database: Database) -> None:
    runs.at(datetime(2026, 11, 18, 23, 30, tzinfo=BEIJING))
    runs.sync("live_streams", "whole")
    assert {day for _, day in by_day(database)} == {"2026-11-18"}
    runs.at(datetime(2026, 11, 19, 9, 0, tzinfo=BEIJING))
    runs.sync("live_streams", "whole")
    assert {day for _, day in by_day(database)} == {"2026-11-18", "2026-11-19"}


def test_rewards_and_figures_of_live_streams_as_the_api_sends_them(
    sync: Sync, database: Database, tmp_path: Path
) -> None:
    rows = [
        b'{"id":"l_1","title":"a","alive_type":"11","alive_state":2,"alive_start_at":"2026-11-01 20:00:00",'
        b'"alive_stop_at":"--","alive_manual_stop_at":"0000-00-00 00:00:00","view_count":"77","reward_sum":"12.50",'
        b'"purchase_count":"3","recycle_bin_state":0}',
        b'{"id":"l_2","alive_type":99,"view_count":5,"reward_sum":0,"purchase_count":"0"}',
        b'{"id":"l_3","reward_sum":"1.005"}',
    ]
    counts = sync.merge(*write_list(LIVE_STREAMS, tmp_path, rows, END - days(1)))
    assert (counts["inserted"], counts["rejected"]) == (3, 0)
    one, two, three = database.rows("SELECT * FROM live_streams ORDER BY live_id")
    assert (one["alive_type_text"], one["alive_state_text"], one["view_count"]) == ("竖屏", "已结束", 77)
    assert (str(one["reward_sum"]), one["purchase_count"]) == ("12.50", 3)
    assert (str(one["start_at"]), one["stop_at"], one["manual_stop_at"]) == ("2026-11-01 20:00:00", None, None)
    assert (str(two["reward_sum"]), two["alive_type"], two["alive_type_text"]) == ("0.00", 99, None)
    assert (three["reward_sum"], three["problem_columns"]) == (None, "reward_sum")
    assert database.value("SELECT value FROM field_problems") == "1.005"
    assert database.value("SELECT unknown_codes FROM sync_windows") == "alive_type=99: 1"
    assert len(by_day(database)) == 3


def test_times_of_users_are_milliseconds_and_become_beijing_time(
    sync: Sync, database: Database, tmp_path: Path
) -> None:
    rows = [
        b'{"user_id":"u_1","user_created_at":1764547199999,"latest_visited_at":0,"pay_sum":"12.5"}',
        b'{"user_id":"u_2","user_created_at":"1764547200000","latest_visited_at":null,"pay_sum":""}',
        b'{"user_id":"u_3","user_created_at":"yesterday"}',
    ]
    counts = sync.merge(*write_list(USERS, tmp_path, rows, END - days(1)))
    assert (counts["inserted"], counts["rejected"]) == (3, 0)
    one, two, three = database.rows("SELECT * FROM users ORDER BY user_id")
    assert (three["registered_at"], three["problem_columns"]) == (None, "registered_at")
    assert str(one["registered_at"]) == "2025-12-01 07:59:59"
    assert str(two["registered_at"]) == "2025-12-01 08:00:00"
    assert (one["last_visited_at"], two["last_visited_at"]) == (None, None)
    assert (one["pay_sum"], two["pay_sum"]) == (12.5, None)


@on_one_server
def test_the_hook_of_every_resource_asks_in_the_interface_s_own_words(
    sync: Sync, database: Database, free: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(free, page_size=200)
    asked: list[dict[str, Any]] = []
    original = XiaoeHook._post

    def note(hook: XiaoeHook, resource: Resource, body: dict[str, Any], index: int, token: str) -> Any:
        asked.append(body)
        return original(hook, resource, body, index, token)

    monkeypatch.setattr(XiaoeHook, "_post", note)
    firsts = []
    for resource in RESOURCES:
        asked.clear()
        sync.run(window_of(resource), resource=resource)
        firsts.append(asked[0])
    assert firsts == [
        {
            "created_at": "2026-11-15||2026-11-21", "date_type": "updated_at", "sales_state": -1,
            "page_index": 1, "page_size": 100,
        },
        {"need_column": ["latest_visited_at"], "page_size": 50},
        {"page": 1, "page_size": 100},
        {"page": 1, "page_size": 100},
    ]  # fmt: skip


def test_a_merge_of_every_resource_can_be_repeated(sync: Sync, database: Database, free: Emulator) -> None:
    staged = [sync.stage(window_of(resource), resource=resource, mode="whole") for resource in RESOURCES]
    for run in staged:
        sync.merge(*run)
    before = database.snapshot()
    for run, resource in zip(staged, RESOURCES, strict=True):
        counts = Merger(sync.warehouse, resource, merge_sql(resource.name)).merge(*run)
        assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (0, 0, counts["staged"])
    assert database.snapshot() == before

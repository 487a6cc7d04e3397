"""Newer wins: whatever order pages are merged in, and however often (docs/design: rule 3)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.worlds.shop import Database, Sync, unbalanced
from support.worlds.staged import DAY_ONE, StagedRun, at, raw_order
from xiaoe.merge import merger
from xiaoe.resources.registry import RESOURCES
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

ORDERS = 5
STATES = (0, 1, 3, 8, 10)
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Observation:
    """One run: when, which orders, and what each page said of them.

    Args:
        second: The first page's; the others follow within ten seconds.
        first: The first order of its window, in order of creation.
        last: The last one.
        pages: Per page, order → state; every order of the window is on one page at least.
    """

    second: int
    first: int
    last: int
    pages: tuple[dict[int, int], ...]

    def seen(self) -> dict[int, tuple[float, int]]:
        """Order → when it was seen last, and its state then."""
        return {order: (self.when(page), state) for page, on in enumerate(self.pages) for order, state in on.items()}

    def when(self, page: int) -> float:
        return self.second + page / 10

    def staged(self, name: str) -> StagedRun:
        """Its pages: one order a day, so that its window is some days."""
        return StagedRun(
            [
                (at(self.when(page)), [raw_order(order, order_state=state, title=f"{state}") for order, state in on])
                for page, on in enumerate(tuple(on.items()) for on in self.pages)
            ],
            run_id=name,
            window=Window(DAY_ONE + timedelta(days=self.first), DAY_ONE + timedelta(days=self.last + 1)),
        )


@st.composite
def observations(draw: st.DrawFn) -> list[Observation]:
    """TaskRunner at different times over any part of the week; orders come into being as time goes on."""
    born = draw(st.lists(st.integers(0, 40), min_size=ORDERS, max_size=ORDERS))
    found = []
    for second in sorted(draw(st.sets(st.integers(0, 9), min_size=2, max_size=5))):
        first = draw(st.integers(0, ORDERS - 1))
        last = draw(st.integers(first, ORDERS - 1))
        there = [order for order in range(first, last + 1) if born[order] <= second * 10]
        pages: list[dict[int, int]] = [{} for _ in range(draw(st.integers(1, 3)))]
        for order in there:
            for page in draw(st.sets(st.integers(0, len(pages) - 1), min_size=1)):
                pages[page][order] = draw(st.sampled_from(STATES))
        found.append(Observation(second * 10, first, last, tuple(pages)))
    return found


def one(second: int, *states: int) -> Observation:
    """A run over the first orders, one page."""
    return Observation(second, 0, len(states) - 1, (dict(enumerate(states)),))


ONE_EIGHT_ONE = [one(0, 1), one(10, 8), one(20, 1)]


@SLOW
@given(runs=observations(), data=st.data(), rows_in_a_chunk=st.sampled_from([1, 3, 5000]))
def test_any_order_of_merges_ends_in_the_newest_observation(
    sync: Sync, database: Database, runs: list[Observation], data: st.DataObject, rows_in_a_chunk: int
) -> None:
    order = data.draw(st.permutations(range(len(runs))), label="merged in the order")
    again = data.draw(st.lists(st.sampled_from(range(len(runs))), max_size=3), label="and then again")
    check_any_order(sync, database, runs, [*order, *again], rows_in_a_chunk)


@pytest.mark.parametrize(
    "order", [(0, 2, 1), (2, 1, 0), (1, 2, 0), (0, 1, 2), (2, 0, 1), (1, 0, 2), (0, 2, 1, 1, 0, 2, 1)]
)
def test_there_and_back_again(sync: Sync, database: Database, order: tuple[int, ...]) -> None:
    """1 → 8 → 1: the last run finds nothing to write, and yet the one before it must not win when it comes late."""
    check_any_order(sync, database, ONE_EIGHT_ONE, order, 5000)
    assert database.value("SELECT order_state FROM orders") == 1


def check_any_order(
    sync: Sync, database: Database, runs: list[Observation], order: tuple[int, ...] | list[int], rows_in_a_chunk: int
) -> None:
    database.empty()
    with TemporaryDirectory() as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(merger, "CHUNK_ROWS", rows_in_a_chunk)
        staged = [run.staged(f"run-{number}").write(Path(store)) for number, run in enumerate(runs)]
        for number in order:
            counts = sync.merge(*staged[number])
            assert balanced(counts), counts
            assert database.wrong_lines() == []
    newest: dict[int, tuple[float, int]] = {}
    for run in runs:
        for key, seen in run.seen().items():
            newest[key] = max(newest.get(key, seen), seen)
    expected = {f"o_{key:05d}": (state, f"{state}") for key, (_, state) in newest.items()}
    found = database.rows("SELECT order_id, order_state, title FROM orders")
    assert {row["order_id"]: (row["order_state"], row["title"]) for row in found} == expected
    assert unbalanced(database) == []
    assert database.value("SELECT COUNT(*) FROM sync_windows") == len(runs)
    check_log(database)


def check_log(database: Database) -> None:
    """The log of each order is a chain that ends in what the order says."""
    last: dict[str, str] = {}
    for row in database.rows("SELECT * FROM order_state_log WHERE field = 'order_state' ORDER BY id"):
        assert row["old_value"] == last.get(row["order_id"], row["old_value"])
        assert row["old_value"] != row["new_value"]
        last[row["order_id"]] = row["new_value"]
    states = database.rows("SELECT order_id, CAST(order_state AS CHAR) AS state FROM orders")
    assert {row["order_id"]: last.get(row["order_id"], row["state"]) for row in states} == {
        row["order_id"]: row["state"] for row in states
    }


@SLOW
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 8, "bad", "nameless"])), min_size=1, max_size=8),
    page_size=st.integers(1, 4),
    rows_in_a_chunk=st.sampled_from([1, 3, 5000]),
    times=st.integers(1, 2),
)
@example(rows=[(0, 1), (0, 8)], page_size=1, rows_in_a_chunk=1, times=1)  # twice in one run, in two chunks
@example(rows=[(0, "bad"), (0, "bad")], page_size=1, rows_in_a_chunk=1, times=1)
@example(rows=[(0, "nameless"), (0, "nameless")], page_size=2, rows_in_a_chunk=5000, times=1)
@example(rows=[(0, "bad"), (0, 1), (0, "bad")], page_size=1, rows_in_a_chunk=1, times=2)
def test_every_staged_row_is_inserted_updated_unchanged_or_rejected(
    sync: Sync,
    database: Database,
    rows: list[tuple[int, int | str]],
    page_size: int,
    rows_in_a_chunk: int,
    times: int,
) -> None:
    """Each once, however often it came: on several pages, in several chunks, in several versions."""
    database.empty()
    raw = [untyped(number) if state == "nameless" else version(number, state) for number, state in rows]
    pages = [(at(page), raw[page : page + page_size]) for page in range(0, len(raw), page_size)]
    with TemporaryDirectory() as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(merger, "CHUNK_ROWS", rows_in_a_chunk)
        staged = StagedRun(pages).write(Path(store))
        for _ in range(times):
            counts = sync.merge(*staged)
            assert balanced(counts), counts
    last = {f"o_{number:05d}": state for number, state in rows if state != "nameless"}
    held = database.rows("SELECT order_id, order_state FROM orders WHERE order_state <> 0")
    found = {row["order_id"]: row["order_state"] for row in held}
    assert found.keys() <= last.keys()
    for key, state in last.items():  # of one that is bad now, an earlier version may be held
        assert found.get(key) == state or state == "bad"
    assert database.wrong_lines() == []


def test_duplicates_inside_a_batch_in_any_order(sync: Sync, database: Database) -> None:
    """The same order on three pages, asked for in any order; the page asked for last is right."""
    for turn, seconds in enumerate([(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)]):
        database.empty()
        pages = [(at(second), [raw_order(1, order_state=STATES[second]), raw_order(9 + second)]) for second in seconds]
        counts = sync.merge(*StagedRun(pages, run_id=f"turn-{turn}").write(sync.store))
        assert (counts["staged"], counts["inserted"], counts["updated"]) == (4, 4, 0)
        assert database.value("SELECT order_state FROM orders WHERE order_id = 'o_00001'") == STATES[2]


def test_other_bytes_that_say_the_same_are_not_written(sync: Sync, database: Database) -> None:
    """Numbers as strings, other null times, another order of fields, fields nobody knows."""
    sync.merge(*StagedRun([(at(0), [raw_order(1), raw_order(2)])], run_id="first").write(sync.store))
    before = database.snapshot("raw_hash")
    same = {**json.loads(raw_order(1)), "price": 99, "order_state": "1", "refund_time": "--", "news": [1]}
    other = json.dumps(dict(reversed(same.items()))).encode()
    assert other != raw_order(1)
    counts = sync.merge(*StagedRun([(at(10), [other, raw_order(2)])], run_id="second").write(sync.store))
    assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (0, 0, 2)
    after = database.snapshot("raw_hash")
    assert (after["orders"], after["order_items"]) == (before["orders"], before["order_items"])
    assert after["order_state_log"] == []
    hashes = database.rows("SELECT raw_hash FROM orders ORDER BY order_id")
    assert hashes == [{"raw_hash": RESOURCES["orders"].reader.raw_hash(raw)} for raw in (other, raw_order(2))]


def test_a_row_seen_unchanged_counts_as_seen(sync: Sync, database: Database) -> None:
    """The ledger remembers that a run saw it, though it wrote nothing; a run in another window does not count."""
    sync.merge(*one(0, 1, 1).staged("first").write(sync.store))
    sync.merge(*Observation(30, 1, 1, ({1: 1},)).staged("only the second order").write(sync.store))
    counts = sync.merge(*one(10, 8, 8).staged("late").write(sync.store))
    assert (counts["updated"], counts["unchanged"]) == (1, 1)
    assert database.rows("SELECT order_state FROM orders ORDER BY order_id") == [{"order_state": 8}, {"order_state": 1}]


def test_merging_the_same_pages_twice_adds_nothing(sync: Sync, database: Database) -> None:
    """Somebody clears the merge task, or it was killed after its commit."""
    first, second = one(0, 1, 1, 1).staged("first").write(sync.store), one(5, 1, 3, 8).staged("2").write(sync.store)
    sync.merge(*first)
    sync.merge(*second)
    before = database.snapshot()
    for run in (first, second, first):
        sync.merge(*run)
    after = database.snapshot()
    assert after == before


def test_a_row_that_loses_its_creation_time_is_kept(sync: Sync, database: Database) -> None:
    sync.merge(*StagedRun([(at(0), [raw_order(1, created_time="0000-00-00 00:00:00")])]).write(sync.store))
    assert database.rows("SELECT order_id, created_time FROM orders") == [{"order_id": "o_00001", "created_time": None}]
    assert database.wrong_lines() == []


def balanced(counts: Counter[str]) -> bool:
    """Whether the four outcomes add up to what was staged, and none is negative."""
    parts = [counts[name] for name in ("inserted", "updated", "unchanged", "rejected")]
    return min(parts) >= 0 and sum(parts) == counts["staged"]


def version(number: int, state: int | str) -> bytes:
    return raw_order(number, price="abc") if state == "bad" else raw_order(number, order_state=state)


def untyped(number: int) -> bytes:
    return raw_order(number, order_id=None)

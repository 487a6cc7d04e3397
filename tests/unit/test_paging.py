"""Paging: every row once and in order, an end to every trap, and no incomplete list ever accepted."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from xiaoe.rows.keys import among, distinct, key_hash
from xiaoe.stage import paging
from xiaoe.stage.judging import MAX_PASSES, Pass, Verdict, completed_by, judge, union
from xiaoe.stage.paging import Page, Progress, follow_cursor, read_pages

Fetch = Callable[[int], Page]
SEEN = datetime(2026, 11, 20, tzinfo=timezone.utc)


def page(index: int, keys: Sequence[int], total: int | None) -> Page:
    return Page(index, total, array("q", keys), SEEN)


def listing(rows: Sequence[int], size: int) -> Fetch:
    """A list that stands still and tells the truth."""
    return lambda index: page(index, rows[(index - 1) * size : index * size], len(rows))


def counted(fetch: Fetch, most: int = 1000) -> tuple[Fetch, list[int]]:
    """The same, with a note of every page asked for; more than `most` fails instead of hanging."""
    asked: list[int] = []

    def ask(index: int) -> Page:
        asked.append(index)
        assert len(asked) <= most, "it never ends"
        return fetch(index)

    return ask, asked


@contextmanager
def threads(number: int, fetch: Fetch) -> Iterator[Callable[[int], Future[Page]]]:
    """Fetch in so many threads."""
    with ThreadPoolExecutor(number) as pool:
        yield lambda index: pool.submit(fetch, index)


def read(fetch: Fetch, ahead: int = 1, stored: Sequence[Page] = ()) -> list[Page]:
    with threads(ahead, fetch) as begin:
        return list(read_pages(begin, ahead=ahead, stored=stored))


def without_total(pages: Sequence[Page]) -> int:
    """Pages with rows and without a total."""
    return sum(one.total is None and bool(one.keys) for one in pages)


def outcome(pages: Sequence[Page]) -> Pass:
    """What a reader makes of the pages of one pass."""
    totals = tuple(one.total for one in pages if one.total is not None)
    return Pass(totals, distinct(one.keys for one in pages), Progress.through(pages).repeated, without_total(pages))


# --- reading -------------------------------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 6), st.data())
def test_every_row_comes_exactly_once_and_in_order(rows: int, size: int, ahead: int, data: st.DataObject) -> None:
    fetch, asked = counted(listing(range(rows), size))
    pages = -(-rows // size)
    kept = data.draw(st.integers(0, pages))
    stored = [listing(range(rows), size)(index) for index in range(1, kept + 1)]
    fetched = read(fetch, ahead, stored)
    assert [key for one in (*stored, *fetched) for key in one.keys] == list(range(rows))
    assert [one.index for one in fetched] == list(range(kept + 1, max(pages, 1) + 1))
    assert sorted(asked) == [one.index for one in fetched], "a page was fetched twice or for nothing"


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 6))
def test_never_more_pages_are_under_way_than_allowed(rows: int, size: int, ahead: int) -> None:
    lock = threading.Lock()
    under_way = 0
    most = 0
    true_list = listing(range(rows), size)

    def fetch(index: int) -> Page:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        try:
            return true_list(index)
        finally:
            with lock:
                under_way -= 1

    with threads(20, fetch) as begin:
        assert len(list(read_pages(begin, ahead=ahead))) == -(-rows // size)
    assert most <= ahead


def test_pages_really_are_fetched_side_by_side() -> None:
    """Three fetches wait for each other: one after the other, they would wait for ever."""
    together = threading.Barrier(3, timeout=30)
    true_list = listing(range(40), 10)

    def fetch(index: int) -> Page:
        if index > 1:
            together.wait()
        return true_list(index)

    assert len(read(fetch, 3)) == 4


def test_a_slow_page_does_not_change_the_order() -> None:
    last_done = threading.Event()
    true_list = listing(range(30), 10)

    def fetch(index: int) -> Page:
        if index == 2:
            assert last_done.wait(30)
        if index == 3:
            last_done.set()
        return true_list(index)

    assert [one.index for one in read(fetch, 4)] == [1, 2, 3]


def test_an_error_ends_the_reading_and_keeps_the_pages_before_it() -> None:
    true_list = listing(range(100), 10)

    def fetch(index: int) -> Page:
        if index == 4:
            raise OSError("cut")
        return true_list(index)

    with threads(3, fetch) as begin:
        reader = read_pages(begin, ahead=3)
        got = [next(reader).index for _ in range(3)]
        with pytest.raises(OSError, match="cut"):
            next(reader)
    assert got == [1, 2, 3]


def test_a_reader_that_is_left_early_fetches_no_further() -> None:
    fetch, asked = counted(listing(range(1000), 10))
    with threads(4, fetch) as begin:
        reader = read_pages(begin, ahead=4)
        next(reader)
        next(reader)
        reader.close()
    assert len(asked) <= 1 + 4 + 1


def test_stored_pages_that_were_the_whole_list_need_no_call() -> None:
    fetch, asked = counted(listing(range(20), 10))
    stored = [listing(range(20), 10)(index) for index in (1, 2)]
    assert read(fetch, 4, stored) == []
    assert asked == []


# --- traps ---------------------------------------------------------------------------------------------

ROWS = range(95)
SIZE = 10
TRUE = listing(ROWS, SIZE)


def with_total(total: Callable[[int], int | None]) -> Fetch:
    return lambda index: page(index, TRUE(index).keys, total(index))


def missing_row(index: int) -> Page:
    """A row slipped between page 3 and 4, and the total knows."""
    if index < 4:
        return TRUE(index)
    return page(index, ROWS[(index - 1) * SIZE + 1 : index * SIZE + 1], 94)


TRAPS: dict[str, Fetch] = {
    "the paging key is not understood": lambda index: page(index, range(10), 95),
    "the paging key is not understood, and the total grows": lambda index: page(index, range(10), 95 + 10 * index),
    "it stops at a page and repeats that one": lambda index: TRUE(min(index, 3)),
    "it starts again from the first page": lambda index: TRUE((index - 1) % 4 + 1),
    "an empty page in the middle": lambda index: page(index, [] if index == 4 else TRUE(index).keys, 95),
    "a short page in the middle": lambda index: page(index, TRUE(index).keys[: 5 if index == 4 else 10], 95),
    "a short first page": lambda index: page(index, TRUE(index).keys[: 1 if index == 1 else 10], 95),
    "total 0": with_total(lambda index: 0),
    "a negative total": with_total(lambda index: -1),
    "no total": with_total(lambda index: None),
    "a total on no page but the second": with_total(lambda index: 95 if index == 2 else None),
    "a total too small": with_total(lambda index: 42),
    "a total too large": with_total(lambda index: 10**9),
    "a total that grows with every page": with_total(lambda index: 95 + 10 * index),
    "a total that shrinks with every page": with_total(lambda index: 95 - index),
    "duplicates over the pages": lambda index: page(index, ROWS[(index - 1) * 8 : (index - 1) * 8 + 10], 95),
    "a row slipped between two pages": missing_row,
    "one row on every page": lambda index: page(index, ROWS[index - 1 : index], 95),
    "nothing, but a total": lambda index: page(index, [], 95),
    "nothing at all": lambda index: page(index, [], None),
}
COMPLETE = {"one row on every page"}


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("ahead", [1, 4])
def test_every_trap_ends(trap: str, ahead: int) -> None:
    fetch, _ = counted(TRAPS[trap])
    assert len(read(fetch, ahead)) <= len(ROWS) + 1


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap not in COMPLETE])
def test_no_trap_is_taken_for_a_complete_list(trap: str) -> None:
    """The trap stays, pass after pass: an error is right, rows lost in silence are not."""
    passes: list[Pass] = []
    while True:
        passes.append(outcome(read(TRAPS[trap])))
        verdict = judge(passes)
        if verdict is Verdict.AGAIN:
            continue
        break
    used = passes[-1:] if verdict is Verdict.LAST else passes
    if trap == "nothing at all":  # said twice: there is no telling it from an empty window
        assert (verdict, len(passes)) == (Verdict.LAST, 2)
    elif verdict is Verdict.FAIL:
        assert len(passes) == MAX_PASSES
    else:
        assert set(union(used).tolist()) >= set(ROWS if trap != "a row slipped between two pages" else ())


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap not in COMPLETE])
def test_once_the_trap_is_gone_the_next_pass_is_enough(trap: str) -> None:
    """Whatever the first pass was, unless it was complete, one good pass puts it right."""
    first = outcome(read(TRAPS[trap]))
    if judge([first]) is Verdict.AGAIN:
        assert judge([first, outcome(read(TRUE))]) is Verdict.LAST


# --- judging -------------------------------------------------------------------------------------------


@dataclass
class LiveList:
    """A list that grows between calls, and answers that may be wrong in what they carry, not in the total.

    Args:
        rows: What is in it, oldest first.
        arrivals: Row to put in before call n, and where.
        spoilt: What goes wrong with call n.

    `told` is the list as it was when a total was told last: what arrives later nobody can know of.
    """

    rows: list[int]
    size: int
    arrivals: dict[int, list[int]]
    spoilt: dict[int, str]
    calls: count[int] = field(default_factory=count)
    fresh: count[int] = field(default_factory=lambda: count(1000))
    told: list[int] = field(default_factory=list)

    def fetch(self, index: int) -> Page:
        call = next(self.calls)
        for place in self.arrivals.get(call, ()):
            self.rows.insert(min(place, len(self.rows)), next(self.fresh))
        start = (index - 1) * self.size
        keys = self.rows[start : start + self.size]
        total: int | None = len(self.rows)
        match self.spoilt.get(call):
            case "empty":
                keys = []
            case "short":
                keys = keys[: len(keys) // 2]
            case "first page":
                keys = self.rows[: self.size]
            case "page before":
                keys = self.rows[max(0, start - self.size) : start]
            case "hole":
                keys = keys[1:]
            case "twice":
                keys = [*keys[:1], *keys[:-1]]
            case "no total":
                total = None
            case "null":
                keys, total = [], None
        if total is not None:
            self.told = list(self.rows)
        return page(index, keys, total)


FAULTS = ["empty", "short", "first page", "page before", "hole", "twice", "no total", "null"]
live_lists = st.builds(
    LiveList,
    rows=st.integers(0, 25).map(lambda number: list(range(number))),
    size=st.integers(1, 6),
    arrivals=st.dictionaries(st.integers(0, 30), st.lists(st.integers(0, 40), max_size=2), max_size=4),
    spoilt=st.dictionaries(st.integers(0, 30), st.sampled_from(FAULTS), max_size=8),
)


@given(live_lists)
@settings(max_examples=400)
def test_what_is_accepted_holds_every_row_of_the_list(live: LiveList) -> None:
    """For lists that do not shrink while they are read, whatever else goes wrong with the answers.

    Two answers of `data: null` in a row are the one exception: an empty window cannot be told from them.
    """
    passes: list[Pass] = []
    verdict = Verdict.AGAIN
    while verdict is Verdict.AGAIN:
        passes.append(outcome(read(live.fetch)))
        verdict = judge(passes)
    assume(any(one.totals for one in passes[-2:]))
    if verdict is not Verdict.FAIL:
        accepted = union(passes[-1:] if verdict is Verdict.LAST else passes).tolist()
        assert set(live.told) <= set(accepted) <= set(live.rows)


@given(live_lists)
def test_a_list_that_comes_to_rest_is_accepted_in_the_end(live: LiveList) -> None:
    """Faults are over after some calls: a steady pass is always enough."""
    before = outcome(read(live.fetch))
    live.arrivals.clear()
    live.spoilt.clear()
    assert judge([before, outcome(read(live.fetch))]) is Verdict.LAST


def passed(keys: Sequence[int], *totals: int, repeated: int | None = None) -> Pass:
    return Pass(totals, distinct([array("q", keys)]), repeated)


@pytest.mark.parametrize(
    ("passes", "verdict"),
    [
        ([passed([1, 2], 2, 2)], Verdict.LAST),
        ([passed([], 0)], Verdict.LAST),
        ([passed([])], Verdict.AGAIN),
        ([passed([]), passed([])], Verdict.LAST),
        ([passed([1], 1), passed([]), passed([])], Verdict.AGAIN),
        ([passed([1, 2])], Verdict.AGAIN),
        ([passed([1, 2], 2, repeated=2)], Verdict.AGAIN),
        ([passed([1, 2], 3, 2)], Verdict.AGAIN),
        ([passed([1, 2], 3), passed([2, 3], 3)], Verdict.ALL),
        ([passed([1, 2], 3, 4), passed([2, 3], 4, 3)], Verdict.AGAIN),
        ([passed([1, 2], 2, 3), passed([1, 2], 1, 2)], Verdict.ALL),
        ([passed([1, 2], 2, 3), passed([1, 2], 3, 2)], Verdict.AGAIN),
        ([passed([1, 2], 3), passed([1, 2], 3)], Verdict.AGAIN),
        ([passed([1, 2], 3)] * MAX_PASSES, Verdict.FAIL),
        ([passed([1, 2])] * MAX_PASSES, Verdict.FAIL),
        ([passed([1], 2)] * (MAX_PASSES - 1) + [passed([1, 2], 2)], Verdict.LAST),
    ],
)
def test_verdicts(passes: list[Pass], verdict: Verdict) -> None:
    assert judge(passes) is verdict


def test_the_number_of_passes_can_be_chosen() -> None:
    assert judge([passed([1], 2)], most=1) is Verdict.FAIL


# --- by cursor -----------------------------------------------------------------------------------------

FollowCursor = Callable[[int, Any], Page]


def cursor_page(index: int, keys: Sequence[int], total: int | None, cursor: Any = ...) -> Page:
    """A page that carries the key of its last row as cursor, or another one."""
    last = keys[-1] if keys else None
    return Page(index, total, array("q", keys), SEEN, cursor=last if cursor is ... else cursor)


def newest_first(rows: Sequence[int], size: int) -> FollowCursor:
    """A list that stands still: from the highest number down, page by page behind the cursor."""

    def fetch(index: int, cursor: int | None) -> Page:
        left = [row for row in sorted(rows, reverse=True) if cursor is None or row < cursor]
        return cursor_page(index, left[:size], len(rows))

    return fetch


def follow(fetch: FollowCursor, stored: Sequence[Page] = (), most: int = 500) -> list[Page]:
    """Read to the end; more calls than `most` fail instead of hanging."""
    asked = count()

    def ask(index: int, cursor: Any) -> Page:
        assert next(asked) < most, "it never ends"
        return fetch(index, cursor)

    return list(follow_cursor(ask, stored=stored))


def cursor_outcome(pages: Sequence[Page]) -> Pass:
    totals = tuple(one.total for one in pages if one.total is not None)
    return Pass(
        totals,
        distinct(one.keys for one in pages),
        Progress.through(pages, by_cursor=True).repeated,
        without_total(pages),
    )


@given(st.integers(0, 60), st.integers(1, 20), st.data())
def test_by_cursor_every_row_comes_exactly_once_and_in_order(rows: int, size: int, data: st.DataObject) -> None:
    everything = follow(newest_first(range(rows), size))
    assert [key for one in everything for key in one.keys] == list(reversed(range(rows)))
    assert not everything[-1].keys, "only an empty page is the end"
    assert [one.index for one in everything] == list(range(1, len(everything) + 1))
    kept = data.draw(st.integers(0, len(everything)))
    again = follow(newest_first(range(rows), size), everything[:kept])
    assert [one.keys for one in again] == [one.keys for one in everything[kept:]], "resumed behind the last page"
    assert judge([cursor_outcome(everything)], newest_first=True) is Verdict.LAST


def test_each_page_is_asked_for_with_the_cursor_of_the_one_before_it() -> None:
    asked: list[tuple[int, Any]] = []

    def fetch(index: int, cursor: Any) -> Page:
        asked.append((index, cursor))
        return cursor_page(index, [10 - index] if index < 4 else [], 3, {"id": index} if index < 4 else None)

    follow(fetch)
    assert asked == [(1, None), (2, {"id": 1}), (3, {"id": 2}), (4, {"id": 3})]


CURSOR_TRAPS: dict[str, FollowCursor] = {
    "the cursor is not understood": lambda index, cursor: cursor_page(index, range(10), 95),
    "the cursor is not understood, and rows come in at the front": lambda index, cursor: cursor_page(
        index, range(index, index + 10), 95, {"id": 1}
    ),
    "the cursor never advances": lambda index, cursor: cursor_page(index, range(10 * index, 10 * index + 10), 95, 7),
    "no row has a cursor": lambda index, cursor: cursor_page(index, range(10 * index, 10 * index + 10), 95, None),
    "it runs in a circle": lambda index, cursor: cursor_page(index, range(10 * (index % 4), 10 * (index % 4) + 10), 95),
    "it never ends": lambda index, cursor: cursor_page(index, range(10 * index, 10 * index + 10), 95),
    "it never ends and tells no total": lambda index, cursor: cursor_page(
        index, range(10 * index, 10 * index + 3), None
    ),
    "one row for ever": lambda index, cursor: cursor_page(index, [index], 95, index),
    "an empty page in the middle": lambda index, cursor: cursor_page(index, range(10) if index == 1 else [], 95),
    "nothing, but a total": lambda index, cursor: cursor_page(index, [], 95),
    "a total that shrinks": lambda index, cursor: cursor_page(
        index, range(10 * index, 10 * index + 10) if index < 10 else [], 95 - index
    ),
    "too many rows": lambda index, cursor: cursor_page(
        index, range(10 * index, 10 * index + 10) if index < 13 else [], 95
    ),
    "a total of 0": lambda index, cursor: cursor_page(index, range(10) if index == 1 else [], 0),
}


@pytest.mark.parametrize("trap", CURSOR_TRAPS)
def test_every_cursor_trap_ends_and_is_never_taken_for_a_complete_list(trap: str) -> None:
    pages = follow(CURSOR_TRAPS[trap], most=250)
    passes = [cursor_outcome(pages)] * MAX_PASSES
    for number in range(1, MAX_PASSES + 1):
        verdict = judge(passes[:number], newest_first=True)
        assert verdict is (Verdict.AGAIN if number < MAX_PASSES else Verdict.FAIL)


@pytest.mark.parametrize(
    ("trap", "page_number"),
    [("the cursor is not understood", 2), ("the cursor never advances", 2), ("it runs in a circle", 5)],
)
def test_the_page_that_came_again_is_named(trap: str, page_number: int) -> None:
    assert cursor_outcome(follow(CURSOR_TRAPS[trap])).repeats == page_number


def test_a_last_page_that_comes_for_ever_is_the_end_of_a_complete_list() -> None:
    """Some search engines answer an old cursor with the last page instead of none."""
    true_list = newest_first(range(25), 10)

    def fetch(index: int, cursor: Any) -> Page:
        found = true_list(index, cursor)
        return found if found.keys else cursor_page(index, range(4, -1, -1), 25)

    pages = follow(fetch)
    assert cursor_outcome(pages).repeats is None
    assert judge([cursor_outcome(pages)], newest_first=True) is Verdict.LAST


def test_a_list_of_one_page_needs_no_cursor() -> None:
    pages = follow(lambda index, cursor: cursor_page(index, range(10), 10, None))
    assert len(pages) == 1
    assert judge([cursor_outcome(pages)], newest_first=True) is Verdict.LAST


@dataclass
class GrowingList:
    """A list that grows at its front while it is read, and answers that may be wrong in what they carry.

    Args:
        rows: How many there are at first.
        size: Of a page.
        arrivals: How many come before call n.
        spoilt: What goes wrong with call n.

    `told` is the list as it was when the pass under way told its first total.
    """

    rows: int
    size: int
    arrivals: dict[int, int]
    spoilt: dict[int, str]
    calls: count[int] = field(default_factory=count)
    told: list[int] = field(default_factory=list)
    is_told: bool = False

    def read(self) -> list[Page]:
        """One pass."""
        self.is_told = False
        return follow(self.fetch)

    def fetch(self, index: int, cursor: int | None) -> Page:
        call = next(self.calls)
        self.rows += self.arrivals.get(call, 0)
        true_page = newest_first(range(self.rows), self.size)(index, cursor)
        keys, total = list(true_page.keys), true_page.total
        match self.spoilt.get(call):
            case "empty":
                keys = []
            case "short":
                keys = keys[: len(keys) // 2]
            case "hole":
                keys = keys[1:]
            case "twice":
                keys = [*keys[:1], *keys[:-1]]
            case "no total":
                total = None
            case "null":
                keys, total = [], None
        if total is not None and not self.is_told:
            self.told, self.is_told = list(range(self.rows)), True
        return cursor_page(index, keys, total)


growing = {
    "rows": st.integers(0, 25),
    "size": st.integers(1, 6),
    "arrivals": st.dictionaries(st.integers(0, 40), st.integers(1, 3), max_size=6),
}
CURSOR_FAULTS = ["empty", "short", "hole", "twice", "no total", "null"]


@given(st.builds(GrowingList, **growing, spoilt=st.just({})))
def test_a_list_that_grows_at_its_front_is_complete_in_one_pass(live: GrowingList) -> None:
    """With all rows that were there when its first page was asked for."""
    outcome = cursor_outcome(live.read())
    assert judge([outcome], newest_first=True) is Verdict.LAST
    assert outcome.keys.tolist() == live.told
    grew = len(set(outcome.totals)) > 1
    assert (judge([outcome]) is Verdict.LAST) is not grew, "of other lists, a total that moves proves nothing"


@given(st.builds(GrowingList, **growing, spoilt=st.dictionaries(st.integers(0, 40), st.sampled_from(CURSOR_FAULTS))))
@settings(max_examples=400)
def test_what_is_accepted_by_cursor_holds_every_row_of_the_list(live: GrowingList) -> None:
    passes: list[Pass] = []
    verdict = Verdict.AGAIN
    while verdict is Verdict.AGAIN:
        passes.append(cursor_outcome(live.read()))
        verdict = judge(passes, newest_first=True)
    assume(any(one.totals for one in passes[-2:]))
    if verdict is not Verdict.FAIL:
        accepted = union(passes[-1:] if verdict is Verdict.LAST else passes).tolist()
        assert set(live.told) <= set(accepted) <= set(range(live.rows))


@pytest.mark.parametrize(
    ("passes", "verdict"),
    [
        ([passed([1, 2], 2, 3)], Verdict.LAST),
        ([passed([1, 2], 2, 3, 2)], Verdict.LAST),
        ([passed([1, 2], 3, 2)], Verdict.AGAIN),
        ([passed([1, 2], 2, 1)], Verdict.AGAIN),
        ([passed([1, 2, 3], 2, 3)], Verdict.AGAIN),
        ([passed([1, 2], 2, 3, repeated=2)], Verdict.AGAIN),
    ],
)
def test_verdicts_of_lists_that_are_newest_first(passes: list[Pass], verdict: Verdict) -> None:
    assert judge(passes, newest_first=True) is verdict


# --- lists whose latest change comes first -------------------------------------------------------------


@settings(max_examples=300)
@given(
    st.integers(0, 30),
    st.integers(1, 6),
    st.lists(st.lists(st.one_of(st.none(), st.integers(0, 40)), max_size=3), max_size=40),
    st.sets(st.integers(0, 40), max_size=2),
)
def test_a_first_page_completes_only_what_is_complete_with_it(
    rows: int, size: int, between: list[list[int | None]], lost: set[int]
) -> None:
    """Between two pages rows change, and move to the front, or come; the first pass is not shown some of them."""
    standing, happening = list(range(rows)), iter(between)

    def go_on() -> None:
        for row in next(happening, []):
            if row is None or row not in standing:
                standing.insert(0, 100 + len(standing))
            else:
                standing.insert(0, standing.pop(standing.index(row)))

    pages: list[Page] = []
    while not pages or (len(pages) * size < len(standing) and pages[-1].keys):
        shown = listing(standing, size)(len(pages) + 1)
        pages.append(page(shown.index, [row for row in shown.keys if row not in lost], shown.total))
        go_on()
    first = Pass(tuple(one.total or 0 for one in pages), distinct(one.keys for one in pages))
    again = listing(standing, size)(1)
    topped = Pass((again.total or 0,), distinct([again.keys]))
    if completed_by([first], again):
        assert set(union([first, topped]).tolist()) == set(standing)
        assert judge([first, topped]) in (Verdict.LAST, Verdict.ALL)
    else:
        assert set(standing) - set(union([first, topped]).tolist())


@pytest.mark.parametrize(
    ("earlier", "again", "is_enough"),
    [
        ([passed([1, 2, 3], 3, 4)], page(1, [9, 1], 4), True),
        ([passed([1, 2, 3], 3, 4), passed([1, 2, 3], 4, 5)], page(1, [8, 9], 5), True),
        ([passed([1, 2, 3], 3, 4)], page(1, [3, 1], 4), False),
        ([passed([1, 2, 3], 3, 4)], page(1, [3, 1], 3), False),
        ([passed([1, 2, 3], 3, 4)], page(2, [9, 1], 4), False),
        ([passed([1, 2, 3], 3, 4)], page(1, [9, 1], None), False),
        ([Pass((3, 4), distinct([array("q", [1, 2, 3])]), None, 1)], page(1, [9, 1], 4), False),
    ],
    ids=[
        "what was missed",
        "of both",
        "it lacks one",
        "it tells fewer",
        "not the first",
        "it tells none",
        "one told none",
    ],
)
def test_what_completes_earlier_passes(earlier: list[Pass], again: Page, is_enough: bool) -> None:
    assert completed_by(earlier, again) is is_enough


def test_a_total_that_may_be_a_cap_completes_nothing() -> None:
    earlier, again = [passed(range(9_999), 9_999, 9_999)], page(1, [20_000, 1], 10_000)
    assert completed_by(earlier, again)
    assert not completed_by(earlier, again, cap=10_000)


# --- small parts ---------------------------------------------------------------------------------------


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_union_and_distinct_are_those_of_sets(left: list[int], right: list[int]) -> None:
    assert union([passed(left), passed(right)]).tolist() == sorted({*left, *right})


@given(st.text(), st.text())
def test_a_key_has_one_hash_of_eight_bytes(left: str, right: str) -> None:
    assert (key_hash(left) == key_hash(right)) == (left == right)
    assert array("q", [key_hash(left)]).itemsize == 8


def test_a_key_that_utf8_cannot_hold_has_a_hash_too() -> None:
    assert key_hash("\ud83d") != key_hash("\ud83e")


def test_a_pass_knows_its_last_total_and_whether_it_was_steady() -> None:
    assert (passed([]).last_total, passed([]).steady) == (None, False)
    assert (passed([], 3, 3).last_total, passed([], 3, 3).steady) == (3, True)
    assert (passed([], 3, 4).last_total, passed([], 3, 4).steady) == (4, False)


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)))
def test_what_is_among_the_keys_is_that_of_a_set(hashes: list[int], keys: list[int]) -> None:
    found = among(np.array(hashes, np.int64), distinct([array("q", keys)]))
    assert found.tolist() == [one in set(keys) for one in hashes]


@given(st.lists(st.lists(st.integers(0, 9)), max_size=4))
def test_distinct_keys_are_those_of_a_set(lists: list[list[int]]) -> None:
    parts = [array("q", keys) for keys in lists]
    assert distinct(parts).tolist() == sorted({key for keys in lists for key in keys})
    assert [part.tolist() for part in parts] == lists, "others still need them"


# --- lists that tell no total -------------------------------------------------------------------------


@given(st.lists(st.integers(0, 99), unique=True, max_size=40), st.integers(1, 7), st.integers(1, 9))
def test_a_list_that_tells_no_total_is_read_to_its_first_empty_page(rows: list[int], size: int, asked: int) -> None:
    """Also where its pages are smaller than asked for."""
    with threads(2, lambda index: page(index, listing(rows, size)(index).keys, None)) as begin:
        found = list(read_pages(begin, ahead=3, page_size=asked, needs_total=False))
    assert [key for one in found for key in one.keys] == rows
    assert not found[-1].keys


def test_a_list_without_a_total_and_without_an_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "_MAX_PAGES_WITHOUT_TOTAL", 20)
    with threads(2, lambda index: page(index, [2 * index, 2 * index + 1], None)) as begin:
        pages = list(read_pages(begin, ahead=3, page_size=2, needs_total=False))
    assert len(pages) == 21
    progress = Progress.through(pages, needs_total=False)
    assert progress.is_cut
    cut = Pass((), distinct(one.keys for one in pages), progress.repeated, without_total(pages), progress.is_cut)
    assert judge([cut, cut], needs_total=False) is Verdict.AGAIN, "the same twice, and nobody saw its end"


@given(st.lists(st.sets(st.integers(0, 5), min_size=1), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_without_a_total_only_the_same_twice_is_complete(
    readings: list[set[int]], is_told: bool, needs_total: bool
) -> None:
    """And not once it told one, in whichever pass: then it has to add up."""
    passes = [Pass((), distinct([array("q", sorted(one))])) for one in readings]
    if is_told:
        passes[0] = Pass((99,), passes[0].keys)
    same = len(readings) > 1 and readings[-1] == readings[-2]
    expected = Verdict.END if same and not is_told and not needs_total else Verdict.AGAIN
    assert judge(passes, most=6, needs_total=needs_total) is expected

"""Reads a list to its end and judges whether it is complete. No HTTP, no files, no Airflow.

The total changes while a list is read, and rows are repeated or lost between pages (docs/xiaoe-api.md section 9.4). So
a slice is read in passes until the rows equal the total:

- A pass is complete if every page had the same total, no page repeated another, and as many distinct rows were read.
  Otherwise all passes together are, once they have as many distinct rows as the last total, and the last pass's total
  was steady, or the last pass added nothing and never showed a larger total.
- Neither rows nor total (`data: null`) has to be seen twice: a faulty response looks the same. So has a list that
  never sends a total (live streams).
- A list by last change, latest first, is never still in a busy shop; what changed meanwhile is on the first page,
  beside the total of the same moment. So a further pass ends at its first page if everything read so far plus that
  page equals its total (`completed_by`). The price: one response speaks for the list.
- By cursor, newest first: a user who registers meanwhile is added before the first page while the total grows. Such a
  pass is complete with its first page's total, unless the total fell below it later (`monotonic_total`).
- A page that equals the first or the previous one ends the pass (an unknown paging key returns page 1 for ever); so do
  a repeated cursor, and twice as many rows as the first total.
"""

from __future__ import annotations

import enum
import json
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from xiaoe.rows.keys import Keys, distinct, merged

MAX_PASSES = 5

_MAX_PAGES_WITHOUT_TOTAL = 10_000
"""Pages of a list without a total; a longer one is treated as endless."""
_EXTRA_PAGES = 3
"""Pages by which a list may exceed twice its first total."""


@dataclass(frozen=True)
class Page:
    """One page as the reader needs it.

    Args:
        index: From 1.
        total: Rows in all, according to this page; None if it has no total.
        keys: `key_hash` of every row on the page, in order; eight bytes each (`array("q")`).
        observed_at: UTC, before the request was sent.
        cursor: What to request the next page with, where pages are not numbered.
        body: The response's bytes; empty once they are handed on.
        keyless: Of `keys`, those of rows without a key.
    """

    index: int
    total: int | None
    keys: array[int]
    observed_at: datetime
    cursor: Any = None
    body: bytes = b""
    keyless: array[int] = field(default_factory=lambda: array("q"))


@dataclass(frozen=True)
class Pass:
    """The outcome of reading a slice once.

    Args:
        totals: The totals, in the order of the pages that have one.
        keys: Distinct key hashes, sorted.
        repeats: Index of the page that was the same as one before it, if any.
        without_total: Pages with rows and without a total.
        is_cut: Whether reading stopped because the list looked endless.
        keyless: Of `keys`, those of rows without a key, sorted.
    """

    totals: tuple[int, ...]
    keys: Keys
    repeats: int | None = None
    without_total: int = 0
    is_cut: bool = False
    keyless: Keys = field(default_factory=lambda: distinct([]))

    @property
    def last_total(self) -> int | None:
        """The last total."""
        return self.totals[-1] if self.totals else None

    @property
    def steady(self) -> bool:
        """Whether every page with rows has the same total."""
        return len(set(self.totals)) == 1 and not self.without_total

    @property
    def monotonic_total(self) -> bool:
        """Whether every page with rows has a total, and none is smaller than the first."""
        return bool(self.totals) and self.totals[0] == min(self.totals) and not self.without_total


class Verdict(enum.Enum):
    """What to do after a pass."""

    LAST = "the last pass is complete by itself"
    ALL = "all passes together are complete"
    AGAIN = "read the slice again"
    FAIL = "it does not add up, and reading it again did not help"


def judge(
    passes: Sequence[Pass], most: int = MAX_PASSES, *, newest_first: bool = False, needs_total: bool = True
) -> Verdict:
    """Decide whether what was read is complete; the rules are in the module's docstring.

    Args:
        passes: Oldest first.
        most: How many passes there may be.
        newest_first: Rows that are added while the list is read appear before its first page. Such a pass is also
            complete with as many rows as its first total, if the total never fell below that.
        needs_total: False for a list that may have no total at all: two passes in a row that end at an empty page and
            have the same rows are complete.
    """
    last = passes[-1]
    adds_up = last.steady or (newest_first and last.monotonic_total)
    if last.repeats is None and adds_up and _matches([last], last.totals[0]):
        return Verdict.LAST
    if len(passes) > 1:
        last_two, everything = passes[-2:], union(passes)
        adds_nothing = len(everything) == len(union(passes[:-1]))
        at_most = last.last_total == max(last.totals, default=None) and not last.without_total
        is_settled = last.steady or (adds_nothing and at_most)
        if last.last_total is not None and _matches(passes, last.last_total) and is_settled:
            return Verdict.ALL
        if len(everything) == 0 and not any(reading.totals for reading in last_two):
            return Verdict.LAST
        has_no_total = not any(reading.totals for reading in passes)
        reached_end = not any(reading.repeats or reading.is_cut for reading in last_two)
        if not needs_total and has_no_total and reached_end and np.array_equal(last.keys, last_two[0].keys):
            return Verdict.LAST
    return Verdict.AGAIN if len(passes) < most else Verdict.FAIL


def _matches(passes: Sequence[Pass], total: int) -> bool:
    """Whether as many rows came as the total says; it may or may not count rows without a key (section 10.13)."""
    rows = len(union(passes))
    return total in (rows, rows - len(merged([reading.keyless for reading in passes])))


def completed_by(passes: Sequence[Pass], page: Page) -> bool:
    """Whether the first page of a further pass completes the earlier passes; for a list whose latest change is first.

    Args:
        passes: All so far; True only if none has a larger total than the page.
        page: The page.
    """
    if page.index != 1 or page.total is None or any(earlier.without_total for earlier in passes):
        return False
    largest = max((total for earlier in passes for total in earlier.totals), default=page.total)
    return largest <= page.total == len(merged([union(passes), distinct([page.keys])]))


def union(passes: Sequence[Pass]) -> Keys:
    """Distinct keys of several passes."""
    return merged([reading.keys for reading in passes])


def read_pages(
    fetch: Callable[[int], Future[Page]],
    *,
    ahead: int,
    stored: Sequence[Page] = (),
    page_size: int | None = None,
    needs_total: bool = True,
) -> Iterator[Page]:
    """Yield the numbered pages of a list from the first one to the last, in order.

    Args:
        fetch: Starts to fetch page `index`.
        ahead: How many pages may be requested, or wait for a slower one before them, at the same time.
        stored: Pages 1..n of an earlier try; reading continues after them and does not yield them again.
        page_size: Rows per page that are requested: a list whose last page is full may exceed its total.
        needs_total: False for a list that may have no total at all: it ends at an empty page.
    """
    progress = Progress.through(stored, page_size=page_size, needs_total=needs_total)
    requested: deque[Future[Page]] = deque()
    try:
        while not progress.ended:
            wanted = min(ahead, progress.pages_left) if progress.read else 1  # the first one has the total
            while len(requested) < wanted:
                requested.append(fetch(progress.read + len(requested) + 1))
            page = requested.popleft().result()
            yield page
            progress.take(page)
    finally:
        for future in requested:
            future.cancel()


def follow_cursor(fetch: Callable[[int, Any], Page], *, stored: Sequence[Page] = ()) -> Iterator[Page]:
    """Yield the pages of a list that is read by cursor, up to the first empty one.

    Args:
        fetch: Fetches page `index` with the cursor of the page before it, None for the first.
        stored: As for `read_pages`.
    """
    progress = Progress.through(stored, by_cursor=True)
    while not progress.ended:
        page = fetch(progress.read + 1, progress.cursor)
        yield page
        progress.take(page)


class Progress:
    """The state of a pass: what was read, and whether it has ended.

    A pass by number ends once it has as many rows as the last total and the page is not full, or at an empty page; a
    pass by cursor only at an empty page. Both also end at a page that repeats the previous or the first one, or a
    cursor, and with twice as many rows as the first total.

    Args:
        by_cursor: Whether pages are requested by cursor.
        page_size: Rows of a full page, if known.
        needs_total: False for a list that may have no total at all: it ends at an empty page, as one by cursor.
    """

    def __init__(self, *, by_cursor: bool = False, page_size: int | None = None, needs_total: bool = True) -> None:
        self.read = 0
        self.ended = False
        self.is_cut = False
        self.repeated: int | None = None
        self.cursor: Any = None
        self._by_cursor = by_cursor
        self._page_size = page_size
        self._needs_total = needs_total
        self._cursors: set[str] = set()
        self._rows = 0
        self._total = 0
        self._first_total: int | None = None
        self._size = 1
        self._first = array("q")
        self._previous = array("q")

    @classmethod
    def through(
        cls,
        pages: Iterable[Page],
        *,
        by_cursor: bool = False,
        page_size: int | None = None,
        needs_total: bool = True,
    ) -> Progress:
        """The progress after these pages."""
        progress = cls(by_cursor=by_cursor, page_size=page_size, needs_total=needs_total)
        for page in pages:
            progress.take(page)
        return progress

    def take(self, page: Page) -> None:
        """Add a page."""
        was_whole = 0 < self._total <= self._rows
        self.read += 1
        self._rows += len(page.keys)
        self._size = max(self._size, len(page.keys))
        if page.total is not None:
            self._total = page.total
            self._first_total = page.total if self._first_total is None else self._first_total
        has_no_total = self._first_total is None and not self._needs_total
        is_endless = self._rows > (
            _MAX_PAGES_WITHOUT_TOTAL * self._size
            if has_no_total
            else 2 * (self._first_total or 0) + _EXTRA_PAGES * self._size
        )
        self.is_cut = self.is_cut or (is_endless and bool(page.keys))
        is_repeat = bool(page.keys) and (page.keys in (self._first, self._previous) or self._cursor_is_old(page.cursor))
        if is_repeat and not was_whole:
            self.repeated = page.index
        if self._by_cursor:
            stuck = bool(page.keys) and page.cursor is None
            self.ended = not page.keys or is_repeat or is_endless or stuck
        else:
            is_full = self._page_size is not None and len(page.keys) >= self._page_size
            is_whole = self._rows >= self._total and not is_full and not has_no_total
            self.ended = not page.keys or is_repeat or is_endless or is_whole
        self.cursor = page.cursor
        self._first = self._first or page.keys
        self._previous = page.keys

    @property
    def pages_left(self) -> int:
        """Remaining pages if they are as full as the fullest so far; at least one."""
        return max(1, -(-(self._total - self._rows) // self._size))

    def _cursor_is_old(self, cursor: Any) -> bool:
        if cursor is None:
            return False
        mark = json.dumps(cursor, sort_keys=True)
        is_old = mark in self._cursors
        self._cursors.add(mark)
        return is_old

"""Reading a list to its end, and judging whether the end was reached. Knows no HTTP, no files, no Airflow.

The API's total moves while it is read, rows come twice or slip between pages (docs/xiaoe-api.md
section 9.4). So a slice is read in passes until what was read adds up with what the API says.
"""

from __future__ import annotations

import enum
import json
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from xiaoe.rows.keys import Keys, distinct, merged

MOST_PASSES = 5

_MOST_UNTOLD = 10_000
"""Pages of a list that tells no total: beyond, it has no end."""
_PAGES_ALLOWED = 3
"""Pages that a list may be longer than twice what its first page told."""


@dataclass(frozen=True)
class Page:
    """One page as the reader needs it.

    Args:
        index: From 1.
        total: Rows in all, as this page tells; None where it does not.
        keys: `key_hash` of every row on the page, in order; eight bytes each (`array("q")`).
        payload: Whatever the caller wants to keep of it.
        cursor: What to ask for the page behind it with, where pages are not numbered.
    """

    index: int
    total: int | None
    keys: array[int]
    payload: Any = None
    cursor: Any = None


@dataclass(frozen=True)
class Pass:
    """What one reading of a slice brought.

    Args:
        totals: Every total told, in the order of the pages.
        keys: Distinct key hashes, sorted.
        repeats: Index of the page that was the same as one before it, if any.
        untold: Pages with rows that told no total.
        is_cut: Whether it was given up on as endless.
    """

    totals: tuple[int, ...]
    keys: Keys
    repeats: int | None = None
    untold: int = 0
    is_cut: bool = False

    @property
    def last_total(self) -> int | None:
        """What the API said last."""
        return self.totals[-1] if self.totals else None

    @property
    def steady(self) -> bool:
        """Whether every page with rows told a total, and all the same."""
        return len(set(self.totals)) == 1 and not self.untold

    @property
    def never_fell(self) -> bool:
        """Whether every page with rows told a total, and none a smaller one than the first."""
        return bool(self.totals) and self.totals[0] == min(self.totals) and not self.untold


class Verdict(enum.Enum):
    """What to do after a pass."""

    LAST = "the last pass is complete by itself"
    ALL = "all passes together are complete"
    AGAIN = "read the slice again"
    FAIL = "it does not add up, and reading it again did not help"


def judge(
    passes: Sequence[Pass], most: int = MOST_PASSES, *, newest_first: bool = False, needs_total: bool = True
) -> Verdict:
    """Decide whether what was read is complete.

    A pass is complete by itself if the API told the same total on every page and that many distinct rows
    came. Otherwise the passes together are, once they hold as many rows as the API said last, and either
    that total was steady, or the last pass brought nothing new and never told more than that. A slice
    without rows and without a total (`data: null`) has to say so twice: a faulty answer looks the same.

    Args:
        passes: Oldest first.
        most: How many passes there may be.
        newest_first: What is added while the list is read comes before its first page. Such a pass is also
            complete with as many rows as its first page told, if the total never fell below that.
        needs_total: False for a list that may tell none at all: then two passes in a row to an empty page, with the
            same rows, are complete.
    """
    last = passes[-1]
    adds_up = last.steady or (newest_first and last.never_fell)
    if last.repeats is None and adds_up and len(last.keys) == last.totals[0]:
        return Verdict.LAST
    if len(passes) > 1:
        before = union(passes[:-1])
        both = union(passes)
        nothing_new = len(both) == len(before) and last.last_total == max(last.totals, default=None) and not last.untold
        if last.last_total is not None and len(both) == last.last_total and (last.steady or nothing_new):
            return Verdict.ALL
        if len(both) == 0 and not any(one.totals for one in passes[-2:]):
            return Verdict.LAST
        is_untold = not any(one.totals for one in passes) and not any(one.repeats or one.is_cut for one in passes[-2:])
        if not needs_total and is_untold and np.array_equal(last.keys, passes[-2].keys):
            return Verdict.LAST
    return Verdict.AGAIN if len(passes) < most else Verdict.FAIL


def tops_up(passes: Sequence[Pass], page: Page) -> bool:
    """Whether the first page of a further pass says that with it nothing is missing any more.

    For a list whose latest change comes first: what changed while it was read is on its first page now, beside the
    total of the same moment. A list that changes all the time would never be still for as long as a whole pass takes.

    Args:
        passes: All so far; none told more rows than the page does.
        page: The page.
    """
    if page.index != 1 or page.total is None or any(one.untold for one in passes):
        return False
    told = max((total for one in passes for total in one.totals), default=page.total)
    return told <= page.total == len(merged([union(passes), distinct([page.keys])]))


def union(passes: Sequence[Pass]) -> Keys:
    """Distinct keys of several passes."""
    return merged([one.keys for one in passes])


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
        fetch: Begins to fetch page `index`.
        ahead: How many pages may be asked for, or wait behind one that comes late, at the same time.
        stored: Pages 1..n that an earlier try left behind; reading goes on behind them and does not
            yield them again.
        page_size: Rows per page that are asked for: a list whose last page is full may go on behind its total.
        needs_total: False for a list that may tell none at all: it ends at an empty page.
    """
    progress = Progress.through(stored, page_size=page_size, needs_total=needs_total)
    coming: deque[Future[Page]] = deque()
    try:
        while not progress.ended:
            wanted = min(ahead, progress.pages_left) if progress.read else 1  # the first one tells how many there are
            while len(coming) < wanted:
                coming.append(fetch(progress.read + len(coming) + 1))
            page = coming.popleft().result()
            yield page
            progress.take(page)
    finally:
        for future in coming:
            future.cancel()


def follow_cursor(fetch: Callable[[int, Any], Page], *, stored: Sequence[Page] = ()) -> Iterator[Page]:
    """Yield the pages of a list that is read by cursor, one after the other, to the first empty one.

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
    """How far a pass has come and whether it is at its end.

    A pass by number ends with as many rows as the API says there are and a page that is not full, or at an
    empty page; a pass by cursor only at an empty page. Either ends at a page that repeats the one before it or
    the first, a pass by cursor also at a cursor that came before: a list whose paging key is not understood
    answers with its first page for ever. And whatever the API says later, either ends when twice as many rows
    came as its first page told.

    Args:
        by_cursor: Whether pages are asked for by cursor.
        page_size: Rows of a full page, where that is known.
        needs_total: False for a list that may tell no total at all: then it ends at an empty page, as one by cursor.
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
        """The progress behind these pages."""
        progress = cls(by_cursor=by_cursor, page_size=page_size, needs_total=needs_total)
        for page in pages:
            progress.take(page)
        return progress

    def take(self, page: Page) -> None:
        """Count a page in."""
        whole_before = 0 < self._total <= self._rows
        self.read += 1
        self._rows += len(page.keys)
        self._size = max(self._size, len(page.keys))
        if page.total is not None:
            self._total = page.total
            self._first_total = page.total if self._first_total is None else self._first_total
        is_untold = self._first_total is None and not self._needs_total
        most = _MOST_UNTOLD * self._size if is_untold else 2 * (self._first_total or 0) + _PAGES_ALLOWED * self._size
        is_endless = self._rows > most
        self.is_cut = self.is_cut or (is_endless and bool(page.keys))
        is_again = bool(page.keys) and (page.keys in (self._first, self._previous) or self._cursor_is_old(page.cursor))
        if is_again and not whole_before:
            self.repeated = page.index
        if self._by_cursor:
            stuck = bool(page.keys) and page.cursor is None
            self.ended = not page.keys or is_again or is_endless or stuck
        else:
            is_full = self._page_size is not None and len(page.keys) >= self._page_size
            is_whole = self._rows >= self._total and not is_full and not is_untold
            self.ended = not page.keys or is_again or is_endless or is_whole
        self.cursor = page.cursor
        self._first = self._first or page.keys
        self._previous = page.keys

    @property
    def pages_left(self) -> int:
        """Pages still to come if they are as full as the fullest so far; at least one before the end."""
        return max(1, -(-(self._total - self._rows) // self._size))

    def _cursor_is_old(self, cursor: Any) -> bool:
        if cursor is None:
            return False
        mark = json.dumps(cursor, sort_keys=True)
        is_old = mark in self._cursors
        self._cursors.add(mark)
        return is_old

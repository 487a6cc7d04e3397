"""Reads a list to its end, by number or by cursor. No HTTP, no files, no Airflow.

Whether what was read is complete, `stage.judging` decides. A page that equals the first or the previous one ends the
reading (an unknown paging key returns page 1 for ever); so do a repeated cursor, and twice as many rows as the first
total, unless that may be a cap (`rows.caps`).
"""

from __future__ import annotations

import json
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from xiaoe.rows.caps import may_be_cap

_MAX_PAGES_WITHOUT_TOTAL = 10_000
"""Pages of a list without a total; a longer one is treated as endless."""
_MAX_PAGES_OF_CAPPED = 100_000
"""The same of a list whose total may be a cap: five million users."""
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


def read_pages(
    fetch: Callable[[int], Future[Page]],
    *,
    ahead: int,
    stored: Sequence[Page] = (),
    page_size: int | None = None,
    needs_total: bool = True,
    cap: int | None = None,
) -> Iterator[Page]:
    """Yield the numbered pages of a list from the first one to the last, in order.

    Args:
        fetch: Starts to fetch page `index`.
        ahead: How many pages may be requested, or wait for a slower one before them, at the same time.
        stored: Pages 1..n of an earlier try; reading continues after them and does not yield them again.
        page_size: Rows per page that are requested: a list whose last page is full may exceed its total.
        needs_total: False for a list that may have no total at all: it ends at an empty page.
        cap: `settings.list_cap`: a list whose total may be one ends at an empty page, too.
    """
    progress = Progress.through(stored, page_size=page_size, needs_total=needs_total, cap=cap)
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


def follow_cursor(
    fetch: Callable[[int, Any], Page], *, stored: Sequence[Page] = (), cap: int | None = None
) -> Iterator[Page]:
    """Yield the pages of a list that is read by cursor, up to the first empty one.

    Args:
        fetch: Fetches page `index` with the cursor of the page before it, None for the first.
        stored: As for `read_pages`.
        cap: Likewise.
    """
    progress = Progress.through(stored, by_cursor=True, cap=cap)
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
        cap: `settings.list_cap`: a list whose total may be one ends there, too; None: every total is believed.
    """

    def __init__(
        self,
        *,
        by_cursor: bool = False,
        page_size: int | None = None,
        needs_total: bool = True,
        cap: int | None = None,
    ) -> None:
        self.read = 0
        self.ended = False
        self.is_cut = False
        self.repeated: int | None = None
        self.cursor: Any = None
        self._by_cursor = by_cursor
        self._page_size = page_size
        self._needs_total = needs_total
        self._cap = cap
        self._is_capped = False
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
        cap: int | None = None,
    ) -> Progress:
        """The progress after these pages."""
        progress = cls(by_cursor=by_cursor, page_size=page_size, needs_total=needs_total, cap=cap)
        for page in pages:
            progress.take(page)
        return progress

    def take(self, page: Page) -> None:
        """Add a page."""
        was_whole = 0 < self._total <= self._rows and not self._is_capped
        self.read += 1
        self._rows += len(page.keys)
        self._size = max(self._size, len(page.keys))
        if page.total is not None:
            self._total = page.total
            self._first_total = page.total if self._first_total is None else self._first_total
        self._is_capped = self._is_capped or (self._cap is not None and may_be_cap(page.total, self._cap))
        has_no_total = self._first_total is None and not self._needs_total
        ends_by_itself = has_no_total or self._is_capped
        is_endless = self._rows > self._most_rows(has_no_total=has_no_total)
        self.is_cut = self.is_cut or (is_endless and bool(page.keys))
        is_repeat = bool(page.keys) and (page.keys in (self._first, self._previous) or self._cursor_is_old(page.cursor))
        if is_repeat and not was_whole:
            self.repeated = page.index
        if self._by_cursor:
            stuck = bool(page.keys) and page.cursor is None
            self.is_cut = self.is_cut or stuck
            self.ended = not page.keys or is_repeat or is_endless or stuck
        else:
            is_full = self._page_size is not None and len(page.keys) >= self._page_size
            is_whole = self._rows >= self._total and not is_full and not ends_by_itself
            self.ended = not page.keys or is_repeat or is_endless or is_whole
        self.cursor = page.cursor
        self._first = self._first or page.keys
        self._previous = page.keys

    @property
    def pages_left(self) -> int:
        """Remaining pages if they are as full as the fullest so far; at least one."""
        return max(1, -(-(self._total - self._rows) // self._size))

    def _most_rows(self, *, has_no_total: bool) -> int:
        """How many rows there may be until the list looks endless."""
        if self._is_capped:
            return _MAX_PAGES_OF_CAPPED * self._size
        if has_no_total:
            return _MAX_PAGES_WITHOUT_TOTAL * self._size
        return 2 * (self._first_total or 0) + _EXTRA_PAGES * self._size

    def _cursor_is_old(self, cursor: Any) -> bool:
        if cursor is None:
            return False
        mark = json.dumps(cursor, sort_keys=True)
        is_old = mark in self._cursors
        self._cursors.add(mark)
        return is_old

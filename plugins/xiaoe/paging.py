"""Reading a list to its end, and judging whether the end was reached. Knows no HTTP, no files, no Airflow.

The API's total moves while it is read, rows come twice or slip between pages (docs/xiaoe-api.md
section 9.4). So a slice is read in passes until what was read adds up with what the API says.
"""

from __future__ import annotations

import enum
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_PASSES = 5

Keys = npt.NDArray[np.uint64]
"""Hashes of keys: eight bytes each, so that a window of millions of rows stays small."""


@dataclass(frozen=True)
class Page:
    """One page as the reader needs it.

    Args:
        index: From 1.
        total: Rows in all, as this page tells; None where it does not.
        keys: `key_hash` of every row on the page, in order; eight bytes each (`array("Q")`).
        payload: Whatever the caller wants to keep of it.
    """

    index: int
    total: int | None
    keys: array[int]
    payload: Any = None


@dataclass(frozen=True)
class Pass:
    """What one reading of a slice brought.

    Args:
        totals: Every total told, in the order of the pages.
        keys: Distinct key hashes, sorted.
        repeats: Index of the page that was the same as one before it, if any.
    """

    totals: tuple[int, ...]
    keys: Keys
    repeats: int | None = None

    @property
    def last_total(self) -> int | None:
        """What the API said last."""
        return self.totals[-1] if self.totals else None

    @property
    def steady(self) -> bool:
        """Whether the API told a total and always the same."""
        return len(set(self.totals)) == 1


class Verdict(enum.Enum):
    """What to do after a pass."""

    LAST = "the last pass is complete by itself"
    ALL = "all passes together are complete"
    AGAIN = "read the slice again"
    FAIL = "it does not add up, and reading it again did not help"


def key_hash(key: str | bytes) -> int:
    """64 bits of a key."""
    data = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def distinct(keys: array[int]) -> Keys:
    """Sorted distinct hashes."""
    return np.unique(np.array(keys, dtype=np.uint64))


def judge(passes: Sequence[Pass], most: int = MOST_PASSES) -> Verdict:
    """Decide whether what was read is complete.

    A pass is complete by itself if the API told the same total on every page and that many distinct rows
    came. Otherwise the passes together are, once they hold as many rows as the API said last, and either
    that total was steady, or the last pass brought nothing new and never told more than that. A slice
    without rows and without a total (`data: null`) has to say so twice: a faulty answer looks the same.
    """
    last = passes[-1]
    if last.steady and last.repeats is None and len(last.keys) == last.last_total:
        return Verdict.LAST
    if len(passes) > 1:
        before = union(passes[:-1])
        both = union(passes)
        nothing_new = len(both) == len(before) and last.last_total == max(last.totals, default=None)
        if last.last_total is not None and len(both) == last.last_total and (last.steady or nothing_new):
            return Verdict.ALL
        if len(both) == 0 and not any(one.totals for one in passes[-2:]):
            return Verdict.LAST
    return Verdict.AGAIN if len(passes) < most else Verdict.FAIL


def union(passes: Sequence[Pass]) -> Keys:
    """Distinct keys of several passes."""
    return np.unique(np.concatenate([one.keys for one in passes]))


def read_pages(fetch: Callable[[int], Page], *, concurrency: int, stored: Sequence[Page] = ()) -> Iterator[Page]:
    """Yield the pages of a list from the first one to the last, in order, `concurrency` at a time.

    At most `concurrency` pages are held. Reading ends when as many rows came as the API says there are,
    at an empty page, or at a page that repeats the one before it or the first: a list whose paging key is
    not understood answers with its first page for ever.

    Args:
        fetch: Fetches page `index`; called from several threads.
        concurrency: How many pages to fetch at the same time.
        stored: Pages 1..n that an earlier try left behind; reading goes on behind them and does not
            yield them again.
    """
    reader = _Progress()
    for page in stored:
        reader.take(page)
    if not stored:
        first = fetch(1)
        yield first
        reader.take(first)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="xiaoe-page") as pool:
        ahead: deque[Future[Page]] = deque()
        try:
            while not reader.ended:
                while len(ahead) < min(concurrency, reader.pages_left):
                    ahead.append(pool.submit(fetch, reader.read + len(ahead) + 1))
                page = ahead.popleft().result()
                yield page
                reader.take(page)
        finally:
            for future in ahead:
                future.cancel()


class _Progress:
    """How far a pass has come and whether it is at its end."""

    def __init__(self) -> None:
        self.read = 0
        self.ended = False
        self._rows = 0
        self._total = 0
        self._size = 1
        self._first = array("Q")
        self._previous = array("Q")

    def take(self, page: Page) -> None:
        self.read += 1
        self._rows += len(page.keys)
        self._size = max(self._size, len(page.keys))
        if page.total is not None:
            self._total = page.total
        self.ended = not page.keys or self._rows >= self._total or repeats(page.keys, self._first, self._previous)
        self._first = self._first or page.keys
        self._previous = page.keys

    @property
    def pages_left(self) -> int:
        """Pages still to come if they are as full as the fullest so far; at least one before the end."""
        return max(1, -(-(self._total - self._rows) // self._size))


def repeats(keys: array[int], *before: array[int]) -> bool:
    """Whether a page is, row for row, one that was there before."""
    return bool(keys) and keys in before

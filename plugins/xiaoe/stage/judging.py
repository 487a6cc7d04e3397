"""Judges whether what was read of a list is complete. Pure.

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
- A total that may be a cap (`rows.caps`) proves nothing, and neither does one that stays while more rows come, or a
  list whose deep pages are refused (`shows_cap`). The stager halves such a window. Where it cannot, the list is read to
  its end, and is complete if two passes in a row reach it with the same rows, unless these are exactly as many as the
  cap: then the end may be the cap's.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from xiaoe.rows.caps import LEAST_CAP, may_be_cap
from xiaoe.rows.keys import Keys, distinct, merged
from xiaoe.stage.paging import Page

MAX_PASSES = 5


@dataclass(frozen=True)
class Pass:
    """The outcome of reading a slice once.

    Args:
        totals: The totals, in the order of the pages that have one.
        keys: Distinct key hashes, sorted.
        repeats: Index of the page that was the same as one before it, if any.
        without_total: Pages with rows and without a total.
        is_cut: Whether reading stopped before an end was seen: the list looked endless, or a page had no cursor.
        is_refused: Whether the API refused a deep page.
        keyless: Of `keys`, those of rows without a key, sorted.
    """

    totals: tuple[int, ...]
    keys: Keys
    repeats: int | None = None
    without_total: int = 0
    is_cut: bool = False
    is_refused: bool = False
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

    def reached_end(self, cap: int | None) -> bool:
        """Whether the list ended by itself: not by a fault, nor after exactly as many rows as the cap."""
        return not (self.repeats or self.is_cut or self.is_refused) and len(self.keys) != cap


class Verdict(enum.Enum):
    """What to do after a pass."""

    LAST = "the last pass is complete by itself"
    END = "the last two passes reached the end with the same rows"
    ALL = "all passes together are complete"
    AGAIN = "read the slice again"
    FAIL = "it does not add up, and reading it again did not help"


def judge(
    passes: Sequence[Pass],
    most: int = MAX_PASSES,
    *,
    newest_first: bool = False,
    needs_total: bool = True,
    cap: int | None = None,
) -> Verdict:
    """Decide whether what was read is complete; the rules are in the module's docstring.

    Args:
        passes: Oldest first.
        most: How many passes there may be.
        newest_first: Rows that are added while the list is read appear before its first page. Such a pass is also
            complete with as many rows as its first total, if the total never fell below that.
        needs_total: False for a list that may have no total at all: two passes in a row that end at an empty page and
            have the same rows are complete.
        cap: `settings.list_cap`; None: every total is believed.
    """
    last = passes[-1]
    is_capped = cap is not None and any(shows_cap(reading, cap) for reading in passes)
    adds_up = (last.steady or (newest_first and last.monotonic_total)) and not is_capped
    if last.repeats is None and adds_up and _matches([last], last.totals[0]):
        return Verdict.LAST
    if len(passes) > 1:
        last_two, everything = passes[-2:], union(passes)
        adds_nothing = len(everything) == len(union(passes[:-1]))
        at_most = last.last_total == max(last.totals, default=None) and not last.without_total
        is_settled = last.steady or (adds_nothing and at_most)
        adds_up = last.last_total is not None and _matches(passes, last.last_total)
        if adds_up and is_settled and not is_capped:
            return Verdict.ALL
        if len(everything) == 0 and not any(reading.totals for reading in last_two):
            return Verdict.LAST
        has_no_total = not any(reading.totals for reading in passes)
        rests_on_end = is_capped or (not needs_total and has_no_total)
        reached_end = all(reading.reached_end(cap) for reading in last_two)
        if rests_on_end and reached_end and np.array_equal(last.keys, last_two[0].keys):
            return Verdict.END
    return Verdict.AGAIN if len(passes) < most else Verdict.FAIL


def _matches(passes: Sequence[Pass], total: int) -> bool:
    """Whether as many rows came as the total says; it may or may not count rows without a key (section 10.13)."""
    rows = len(union(passes))
    return total in (rows, rows - len(merged([reading.keyless for reading in passes])))


def shows_cap(reading: Pass, cap: int) -> bool:
    """Whether there may be more rows than a pass's totals say.

    Args:
        reading: The pass.
        cap: `settings.list_cap`.
    """
    stays_behind = reading.steady and LEAST_CAP <= reading.totals[0] < len(reading.keys)
    return reading.is_refused or stays_behind or any(may_be_cap(total, cap) for total in reading.totals)


def completed_by(passes: Sequence[Pass], page: Page, cap: int | None = None) -> bool:
    """Whether the first page of a further pass completes the earlier passes; for a list whose latest change is first.

    Args:
        passes: All so far; True only if none has a larger total than the page.
        page: The page.
        cap: As for `judge`.
    """
    if page.index != 1 or page.total is None or any(earlier.without_total for earlier in passes):
        return False
    if cap is not None and may_be_cap(page.total, cap):
        return False
    largest = max((total for earlier in passes for total in earlier.totals), default=page.total)
    return largest <= page.total == len(merged([union(passes), distinct([page.keys])]))


def union(passes: Sequence[Pass]) -> Keys:
    """Distinct keys of several passes."""
    return merged([reading.keys for reading in passes])

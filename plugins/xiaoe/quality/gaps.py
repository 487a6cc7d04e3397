"""Spans of the history that no window covers: lost, or only not read yet. Pure, no database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from xiaoe.coverage import Segment, Span, gaps


class Ledger(NamedTuple):
    """What there is to say about the ledger of a shop's orders.

    Args:
        lost: Gaps that nobody is going to close by himself.
        to_come: Gaps that the history DAG is on its way to.
        begin: From where it should be complete.
        end: Up to where.
        covered: When what was made when was last seen.
    """

    lost: list[Span]
    to_come: list[Span]
    begin: datetime
    end: datetime
    covered: Sequence[Segment]

    @property
    def missing(self) -> timedelta:
        """How long all gaps are together."""
        return sum((gap.end - gap.begin for gap in (*self.lost, *self.to_come)), timedelta())

    @property
    def share(self) -> float:
        """How much is covered, from 0 to 1."""
        whole = self.end - self.begin
        return 1 - self.missing / whole if whole else 1.0


def judge(
    covered: Sequence[Segment], begin: datetime, now: datetime, *, frontier: datetime | None, moving: bool
) -> Ledger:
    """Tell gaps that are lost from those that the history DAG has not come to yet.

    It reads week by week, from the oldest on, and does not come back by itself to a week that failed: what lies
    behind the week it has reached is lost. What lies before it is to come, as long as it moves.

    Args:
        covered: As `segments` returns them.
        begin: Start of the history.
        now: The present.
        frontier: Up to where the history DAG has come by its schedule; None before its first week.
        moving: Whether it got through lately, or has yet to begin.
    """
    latest = covered[-1].begin if covered else now  # behind it, it is freshness that counts
    end = max(begin, min(latest, now))
    lost: list[Span] = []
    to_come: list[Span] = []
    for gap in gaps(covered, begin, end):
        is_behind = frontier is not None and gap.begin < frontier
        (lost if is_behind or not moving else to_come).append(gap)
    return Ledger(lost, to_come, begin, end, covered)

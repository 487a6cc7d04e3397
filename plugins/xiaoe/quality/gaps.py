"""Parts of the history that no window covers: lost, or not read yet. Pure: no database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from xiaoe.coverage import Segment, Span, gaps


class Ledger(NamedTuple):
    """The gaps in the ledger of a shop's orders.

    Args:
        lost: Gaps that no scheduled run will close.
        to_come: Gaps that the history DAG will still read.
        begin: Start of the time that should be complete.
        end: Its end.
        covered: The time since the begin as segments with their last observation.
    """

    lost: list[Span]
    to_come: list[Span]
    begin: datetime
    end: datetime
    covered: Sequence[Segment]

    @property
    def missing(self) -> timedelta:
        """Total length of all gaps."""
        return sum((gap.end - gap.begin for gap in (*self.lost, *self.to_come)), timedelta())

    @property
    def share(self) -> float:
        """Share that is covered, from 0 to 1."""
        whole = self.end - self.begin
        return 1 - self.missing / whole if whole else 1.0


def classify_gaps(
    covered: Sequence[Segment], begin: datetime, now: datetime, *, frontier: datetime | None, moving: bool
) -> Ledger:
    """Separate lost gaps from those that the history DAG has not reached yet.

    The DAG reads week by week, oldest first, and does not return by itself to a week that failed: gaps before the week
    it has reached are lost. Later gaps are still to come, as long as the DAG makes progress.

    Args:
        covered: As returned by `xiaoe.coverage.segments`.
        begin: Start of the history.
        now: The current time.
        frontier: How far the scheduled runs of the history DAG have come; None before its first week.
        moving: Whether the DAG succeeded lately, or has not started yet.
    """
    latest = covered[-1].begin if covered else now  # time after it is judged by freshness
    end = max(begin, min(latest, now))
    lost: list[Span] = []
    to_come: list[Span] = []
    for gap in gaps(covered, begin, end):
        is_behind = frontier is not None and gap.begin < frontier
        (lost if is_behind or not moving else to_come).append(gap)
    return Ledger(lost, to_come, begin, end, covered)

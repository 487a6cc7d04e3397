"""Error budgets and burn rates over several windows, as in chapter 5 of Google's SRE workbook. Pure.

Events are counted in slots of `SLOT`, numbered backwards from now: slot 0 is the youngest. An event stands in the slot
in which its time was up, so each is either in time or late. While nothing is read nobody knows how many orders there
are: `with_expected` counts the shop's usual number as late, until they have been read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from xiaoe.coverage import Span

SLOT = timedelta(minutes=5)
PERIOD = timedelta(days=30)
MIN_EVENTS = 200
"""Events of a period below which an objective is not judged: its whole budget would be less than one of them."""
MIN_LATE = 3
"""Late events in a rule's long window below which it does not fire: one late order is no trend."""


class Events(NamedTuple):
    """Numbers of events in time and late; expected ones are counted as fractions."""

    in_time: float = 0.0
    late: float = 0.0

    @property
    def number(self) -> float:
        """All of them."""
        return self.in_time + self.late


Slots = Mapping[int, Events]


class Rule(NamedTuple):
    """Fires if the budget burns at least `burn` times as fast as it may, in the long window and still in the short one.

    The short window ends the alert soon after the trouble.
    """

    name: str
    long: timedelta
    short: timedelta
    burn: float


RULES = (
    Rule("hour", timedelta(hours=1), timedelta(minutes=5), 14.4),
    Rule("6_hours", timedelta(hours=6), timedelta(minutes=30), 6.0),
    Rule("3_days", timedelta(days=3), timedelta(hours=6), 1.0),
)
"""The workbook's table: 2 % of the budget in an hour, 5 % in six hours, 10 % in three days."""


def within(slots: Slots, window: timedelta) -> Events:
    """The events of the last `window`, whole slots."""
    last = window // SLOT
    found = [events for ago, events in slots.items() if 0 <= ago < last]
    return Events(math.fsum(one.in_time for one in found), math.fsum(one.late for one in found))


def burn_rate(events: Events, target: float) -> float:
    """How many times as fast as it may the budget burns: 1 uses it up in exactly one period; 0 without events.

    Args:
        events: Of a window.
        target: Share that has to be in time, below 1.
    """
    return events.late / events.number / (1 - target) if events.number else 0.0


def budget_left(events: Events, target: float) -> float:
    """Share of the budget that is left, 1 to minus infinity; 1 without events."""
    return 1 - burn_rate(events, target)


def firing(slots: Slots, target: float) -> Rule | None:
    """The first rule that fires, the most urgent first."""
    for rule in RULES:
        long, short = within(slots, rule.long), within(slots, rule.short)
        if long.late >= MIN_LATE and min(burn_rate(long, target), burn_rate(short, target)) >= rule.burn:
            return rule
    return None


def state(slots: Slots, target: float) -> str:
    """`few`, `burning`, `spent` or `kept`, as `objective_status.state` holds it."""
    period = within(slots, PERIOD)
    if period.number < MIN_EVENTS:
        return "few"
    if firing(slots, target):
        return "burning"
    return "spent" if budget_left(period, target) < 0 else "kept"


def with_expected(slots: Slots, unseen: Sequence[Span], per_second: float, now: datetime) -> dict[int, Events]:
    """The slots, with what is expected of time that nobody has read counted as late.

    Args:
        slots: What is known.
        unseen: Spans that should have been read by now, moved to when they should have been.
        per_second: The usual number of events.
        now: With an offset.
    """
    found = dict(slots)
    for begin, end in unseen:
        for ago in range(max(0, (now - end) // SLOT), min((now - begin) // SLOT, PERIOD // SLOT - 1) + 1):
            overlap = min(end, now - ago * SLOT) - max(begin, now - (ago + 1) * SLOT)
            known = found.get(ago, Events())
            late = known.late + max(0.0, overlap.total_seconds()) * per_second
            found[ago] = known._replace(late=late)
    return found


def length(spans: Iterable[Span]) -> timedelta:
    """How long spans are together."""
    return sum((end - begin for begin, end in spans), timedelta())

"""Error budgets without a database: what burn rates promise, whatever the events."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.clock import BEIJING
from xiaoe.coverage import Span
from xiaoe.objectives import budget
from xiaoe.objectives.budget import PERIOD, RULES, SLOT, Events

TARGET = 0.995
NOW = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
SLOTS = PERIOD // SLOT
counts = st.builds(Events, st.integers(0, 500), st.integers(0, 500))
slots = st.dictionaries(st.integers(0, SLOTS - 1), counts, max_size=30)
steady = st.builds(lambda late: dict.fromkeys(range(SLOTS), Events(1000 - late, late)), st.integers(0, 1000))


@given(slots, st.integers(0, SLOTS - 1), st.sampled_from(RULES))
def test_one_more_late_event_never_ends_an_alert(found: dict[int, Events], ago: int, rule: budget.Rule) -> None:
    known = found.get(ago, Events())
    more = {**found, ago: known._replace(late=known.late + 1)}
    was, now = budget.within(found, rule.long), budget.within(more, rule.long)
    assert budget.burn_rate(now, TARGET) >= budget.burn_rate(was, TARGET)
    assert budget.firing(more, TARGET) or not budget.firing(found, TARGET)
    assert budget.budget_left(now, TARGET) <= budget.budget_left(was, TARGET)


@given(slots)
def test_events_in_time_alone_burn_nothing(found: dict[int, Events]) -> None:
    punctual = {ago: events._replace(late=0) for ago, events in found.items()}
    assert budget.firing(punctual, TARGET) is None
    assert budget.budget_left(budget.within(punctual, PERIOD), TARGET) == 1


@given(steady, st.floats(0.5, 0.999))
def test_a_steady_share_fires_exactly_from_the_lowest_burn_rate_on(found: dict[int, Events], target: float) -> None:
    rate = budget.burn_rate(found[0], target)
    fired = budget.firing(found, target)
    assert (fired is not None) == (rate >= 1)
    if fired:
        assert fired == next(rule for rule in RULES if rate >= rule.burn)


def test_a_budget_that_burns_once_as_fast_as_it_may_is_used_up_in_a_period() -> None:
    period = budget.within(dict.fromkeys(range(SLOTS), Events(199, 1)), PERIOD)
    assert budget.budget_left(period, TARGET) == pytest.approx(0)


@given(slots, st.timedeltas(timedelta(0), PERIOD), st.timedeltas(timedelta(0), PERIOD), st.floats(0, 10))
def test_what_is_expected_is_the_rate_times_the_time_that_nobody_read(
    found: dict[int, Events], one: timedelta, other: timedelta, per_second: float
) -> None:
    span = Span(NOW - max(one, other), NOW - min(one, other))
    added = budget.with_expected(found, [span], per_second, NOW)
    before, after = budget.within(found, PERIOD), budget.within(added, PERIOD)
    assert after.late - before.late == pytest.approx(per_second * abs(one - other).total_seconds(), abs=1e-3)
    assert after.in_time == before.in_time


@given(st.integers(0, 5))
def test_what_lies_before_the_period_is_not_counted(days: int) -> None:
    span = Span(NOW - PERIOD - timedelta(days=days + 1), NOW - PERIOD + timedelta(hours=1))
    added = budget.within(budget.with_expected({}, [span], 1.0, NOW), timedelta(days=365))
    assert added.late == pytest.approx(3600)


@pytest.mark.parametrize(("late", "state"), [(0, "kept"), (1, "kept"), (2, "kept"), (3, "burning"), (600, "burning")])
def test_one_or_two_late_orders_are_no_alert(late: int, state: str) -> None:
    found = {300: Events(995, 0), 0: Events(0, late)} if late else {300: Events(995, 0)}
    assert budget.state(found, TARGET) == state


def test_a_budget_that_was_used_up_long_ago_is_spent_and_does_not_burn() -> None:
    assert budget.state({SLOTS - 5: Events(500, 100), 5: Events(400, 0)}, TARGET) == "spent"


def test_of_a_few_orders_nothing_is_judged() -> None:
    assert budget.state({0: Events(0, budget.MIN_EVENTS - 1)}, TARGET) == "few"

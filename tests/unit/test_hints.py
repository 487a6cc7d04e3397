"""When hints are announced, which orders they make us look up, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.serialization.serialized_objects import BaseSerialization

from xiaoe.clock import BEIJING
from xiaoe.coverage import Look
from xiaoe.exceptions import XiaoeRetriableError
from xiaoe.hints import trigger
from xiaoe.hints.answers import Outcome, Stored, outcome
from xiaoe.hints.queue import Hint
from xiaoe.hints.trigger import AGAIN, Announcer, HintTrigger
from xiaoe.stage.hinted import shows_after, to_look_up
from xiaoe.stage.lookup import NamedOrder

NOON = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
SECOND = timedelta(seconds=1)
SKEW = timedelta(minutes=5)

# --- announcing ----------------------------------------------------------------------------------------


def test_an_empty_queue_is_not_announced() -> None:
    assert not Announcer().is_due(None, 0, 0)


def test_hints_are_announced_once_while_they_wait() -> None:
    announcer = Announcer()
    assert announcer.is_due(1, 3, 0)
    assert not announcer.is_due(1, 3, 2)
    assert not announcer.is_due(2, 9, 4), (
        "the run that takes 2 and 3 takes 9, too, or it is announced when they are gone"
    )
    assert announcer.is_due(9, 9, 6)


def test_hints_that_nobody_takes_are_announced_again() -> None:
    announcer = Announcer()
    assert announcer.is_due(1, 1, 0)
    assert not announcer.is_due(1, 1, AGAIN - 1)
    assert announcer.is_due(1, 1, AGAIN)
    assert not announcer.is_due(1, 1, AGAIN + 1)


def test_the_trigger_goes_on_after_the_database_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow does not start a trigger again that failed."""
    answers: Iterator[Any] = iter([(None, 0), XiaoeRetriableError("away"), (4, 7)])

    def ends(warehouse: object) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(trigger, "_ends_of_queue", ends)
    monkeypatch.setattr(trigger, "EVERY", 0)

    async def first() -> Any:
        async for event in HintTrigger().run():
            return event

    assert asyncio.run(first()).payload == {"newest": 7}


def test_the_trigger_can_be_stored() -> None:
    path, kwargs = HintTrigger().serialize()
    assert path == "xiaoe.hints.trigger.HintTrigger"
    assert BaseSerialization.deserialize(BaseSerialization.serialize(kwargs)) == {}


# --- which orders are looked up --------------------------------------------------------------------------


def hint(*, changed: datetime | None, told: datetime = NOON) -> Hint:
    return Hint(1, "o_1", "list", changed, told)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (None, NOON),
        (NOON - SECOND, NOON),
        (NOON - timedelta(days=3), NOON - timedelta(days=3) + SKEW),
        (NOON + timedelta(hours=1), NOON),
    ],
    ids=["not told", "a moment ago", "days ago", "by a clock that is ahead"],
)
def test_a_reading_shows_a_change_once_it_was_told_or_happened_by_both_clocks(
    changed: datetime | None, expected: datetime
) -> None:
    assert shows_after(hint(changed=changed), SKEW) == expected


def order(*, created: datetime | None = NOON - timedelta(days=200), observed: datetime | None = None) -> NamedOrder:
    return NamedOrder("o_1", NOON, created, observed.astimezone(timezone.utc) if observed else None)


def test_an_order_is_looked_up_unless_it_was_read_since() -> None:
    around = Look(NOON - timedelta(days=201), NOON - timedelta(days=199), NOON.astimezone(timezone.utc))
    stale, fresh = order(observed=NOON - SECOND), order(observed=NOON)
    assert to_look_up([stale, fresh], []) == [stale]
    assert to_look_up([stale], [around]) == []
    assert to_look_up([stale], [around._replace(observed_at=around.observed_at - SECOND)]) == [stale]
    assert to_look_up([order(created=None)], [around]) == [order(created=None)]


# --- what came of it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "is_unlisted", "expected"),
    [
        (None, Stored(1, "look"), False, "new"),
        (Stored(1, "earlier"), Stored(2, "look"), False, "changed"),
        (Stored(1, "earlier"), Stored(1, "look"), False, "same"),
        (Stored(1, "earlier"), Stored(1, "earlier"), False, "seen"),
        (Stored(1, "earlier"), Stored(1, "earlier"), True, "unlisted"),
        (None, None, False, "unlisted"),
    ],
)
def test_what_came_of_a_hint(before: Stored | None, after: Stored | None, is_unlisted: bool, expected: Outcome) -> None:
    assert outcome(before, after, "look", is_unlisted) == expected

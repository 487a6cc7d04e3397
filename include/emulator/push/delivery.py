"""Delivers events as the shop does: late, twice, out of order, not at all, and again where it was not answered."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from emulator.api import Api
from emulator.options import PushTarget
from emulator.push.events import Event, events_between
from emulator.push.sealing import FORMS, Secrets, seal

_AT_ONCE = 16
_TIMEOUT = 5.0
_EVERY = 2.0
_LONGEST_BREAK = 600
"""Seconds of shop time that a running emulator makes up for at once, e.g. after its clock was set."""
ANSWER = "success"


@dataclass(frozen=True)
class Trouble:
    """What becomes of events on their way; shares from 0 to 1.

    Args:
        twice: Are sent again though they were answered.
        lost: Are never sent.
        late: Are sent after all others.
        shuffled: Whether the rest comes in any order.
    """

    twice: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    shuffled: bool = False

    def order(self, events: Sequence[Event], seed: int) -> list[Event]:
        """The events as they are sent."""
        chance = random.Random(seed)  # noqa: S311 - no secret
        sent = [event for event in events if chance.random() >= self.lost]
        if self.shuffled:
            chance.shuffle(sent)
        held_back = {event.message_id for event in sent if chance.random() < self.late}
        sent.sort(key=lambda event: event.message_id in held_back)  # keeps the order of the others
        return sent + [event for event in sent if chance.random() < self.twice]


@dataclass
class Delivery:
    """What came of it.

    Args:
        answered: `message_id` of the events that were answered with success.
        unanswered: Of those that were not.
        answers: HTTP status, or the kind of error → how many.
    """

    answered: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)


async def deliver(events: Sequence[Event], url: str, secrets: Secrets) -> Delivery:
    """Send events, several at a time, in every form in turn; each once."""
    result, turn = Delivery(), asyncio.Semaphore(_AT_ONCE)

    async def send(number: int, event: Event, client: httpx.AsyncClient) -> None:
        sealed = seal(event.text, secrets, int(time.time()), form=FORMS[number % len(FORMS)])
        async with turn:
            try:
                answer = await client.post(
                    f"{url}?{sealed.query}", content=sealed.body, headers={"Content-Type": sealed.content_type}
                )
                told, is_taken = str(answer.status_code), answer.text == ANSWER and answer.status_code == 200
            except httpx.HTTPError as error:
                told, is_taken = type(error).__name__, False
        result.answers[told] += 1
        (result.answered if is_taken else result.unanswered).add(event.message_id)

    async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
        await asyncio.gather(*(send(number, event, client) for number, event in enumerate(events)))
    result.unanswered -= result.answered
    return result


class Pusher(threading.Thread):
    """Pushes what happens while the emulator runs.

    What was not answered is tried again every two seconds, for as long as the emulator lives: more patient than the
    shop, which gives up after a day.
    """

    def __init__(self, api: Api, target: PushTarget) -> None:
        super().__init__(name=f"push-{target.app_id}", daemon=True)
        self._api = api
        self._target = target
        self._shop = api.shop(target.app_id)
        self._secrets = Secrets(target.token, target.aeskey)

    def run(self) -> None:
        """Never ends."""
        since, open_events = self._api.clock.now(), dict[str, Event]()
        while True:
            time.sleep(_EVERY)
            now = self._api.clock.now()
            for event in events_between(self._shop, max(since, now - _LONGEST_BREAK), now):
                open_events[event.message_id] = event
            since = now
            done = asyncio.run(deliver(list(open_events.values()), self._target.url, self._secrets))
            open_events = {name: event for name, event in open_events.items() if name not in done.answered}

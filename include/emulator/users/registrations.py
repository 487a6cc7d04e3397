"""When users register, and which of them the list shows: arithmetic from user number to second and back.

A shop's users are numbered 0, 1, 2, ... in order of registration. Of every three, two are the buyers that the
orders' catalogue knows by number, and the third never buys. The catalogue lets buyer ``u`` into the crowd with
order ``3 * (u - 49)``, so a buyer registers at least half a minute before the first order that could be theirs.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from math import floor

from emulator.clock import DAY
from emulator.orders.arrivals import Rhythm
from emulator.seeded import draw, fraction, salt_of

_EARLY = 49  # buyers who may have made the very first order
_EARLY_PACE = 14 * 3600  # seconds between two of them, before the shop's first order
_LEAD = 30_000  # milliseconds from registration to the first order, at least
_NEVER_BUYS = 1 << 40  # numbers from here on are no buyer's
# Whoever is hidden is so by place in a block of this many, so that the others can be counted by division.
BLOCK = 1000
_STRIDE = 617  # without a common factor with the block


@dataclass(frozen=True)
class Hiding:
    """Which users the list leaves out; shares are of all users ever registered."""

    share: float = 1.0  # what the list shows
    vanish_share: float = 0.0  # of all users, gone ...
    vanish_at: int = 0  # ... from this unix second on

    def shown(self, now: int) -> tuple[int, ...]:
        """Return the places in a block that are shown at ``now``."""
        last = round(self.share * BLOCK)
        first = round(self.vanish_share * BLOCK) if now >= self.vanish_at else 0
        return _shown(first, last)


@lru_cache(maxsize=64)
def _shown(first: int, last: int) -> tuple[int, ...]:
    return tuple(place for place in range(BLOCK) if first <= place * _STRIDE % BLOCK < last)


class Shown:
    """The users that a list shows, by rank: 0 is the one who registered first."""

    def __init__(self, registered: int, places: tuple[int, ...]) -> None:
        self._places = places
        self.count = self.before(registered)

    def before(self, number: int) -> int:
        """Return how many with a smaller number are shown."""
        blocks, place = divmod(number, BLOCK)
        return blocks * len(self._places) + bisect_left(self._places, place)

    def number(self, rank: int) -> int:
        """Return the user of that rank."""
        blocks, rest = divmod(rank, len(self._places))
        return blocks * BLOCK + self._places[rest]


def identity(number: int) -> int:
    """Return what the catalogue's ``user_id`` makes this user's id of: a buyer's number, or one that never buys."""
    trio, place = divmod(number, 3)
    return _NEVER_BUYS + trio if place == 2 else 2 * trio + place


class Crowd:
    """Registration times of one shop's users."""

    def __init__(self, key: bytes, start: int, rhythm: Rhythm) -> None:
        self._salt = salt_of(key.hex(), "registrations")
        self._start = start
        self._rhythm = rhythm

    def registered(self, number: int) -> int:
        """Return the unix millisecond at which a user registers; never less than the predecessor's."""
        place = (number + fraction(draw(self._salt, number) >> 32)) * 2 / 3 - 1
        whole = floor(place)
        before, after = self._latest(whole), self._latest(whole + 1)
        return int((before + (place - whole) * (after - before)) * 1000) - _LEAD

    def count(self, now: int) -> int:
        """Return how many have registered when the second ``now`` is over."""
        return self.count_before((now + 1) * 1000)

    def count_before(self, millisecond: int) -> int:
        """Return how many register before that millisecond."""
        most = 75
        while self.registered(most) < millisecond:
            most *= 2
        return bisect_left(range(most), millisecond, key=self.registered)

    def _latest(self, buyer: int) -> int:
        """Return the second by which a buyer must be there, without the lead."""
        if self._rhythm.is_silent:  # one a day, for whom nobody waits
            return self._start + (buyer - _EARLY) * DAY
        if buyer <= _EARLY:
            return self._rhythm.created(0) - (_EARLY - buyer) * _EARLY_PACE
        return self._rhythm.created(3 * (buyer - _EARLY))

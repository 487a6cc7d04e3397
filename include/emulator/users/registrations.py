"""Registration times and visibility of users: arithmetic from user number to millisecond and back.

A shop's users are numbered 0, 1, 2, ... in order of registration. Of every three, two are buyers in the
orders' catalogue, and the third never buys. In the catalogue, buyer `u` can first appear with
order `3 * (u - 49)`, so a buyer registers at least half a minute before the first possible order.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from math import floor

from emulator.clock import DAY
from emulator.orders.arrivals import Arrivals
from emulator.seeded import draw, fraction, salt_of

_EARLY = 49  # buyers who may have placed the very first order
_EARLY_PACE = 14 * 3600  # seconds between two of them, before the shop's first order
_LEAD = 30_000  # milliseconds from registration to the first order, at least
_NEVER_BUYS = 1 << 40  # numbers from here on belong to no buyer
# Users are hidden by their place in a block of this size, so that visible ones can be counted by division.
BLOCK = 1000
_STRIDE = 617  # coprime to the block


@dataclass(frozen=True)
class Visibility:
    """Which users are listed; shares are of all users ever registered."""

    share: float = 1.0  # of all users, listed
    vanish_share: float = 0.0  # of all users, deleted ...
    vanish_at: int = 0  # ... from this unix second on

    def places(self, now: int) -> tuple[int, ...]:
        """The places in a block that are visible at `now`."""
        last = round(self.share * BLOCK)
        first = round(self.vanish_share * BLOCK) if now >= self.vanish_at else 0
        return _places(first, last)


@lru_cache(maxsize=64)
def _places(first: int, last: int) -> tuple[int, ...]:
    return tuple(place for place in range(BLOCK) if first <= place * _STRIDE % BLOCK < last)


class VisibleUsers:
    """The users of a list by rank; 0 registered first."""

    def __init__(self, registered: int, places: tuple[int, ...]) -> None:
        self._places = places
        self.count = self.before(registered)

    def before(self, number: int) -> int:
        """How many users with a smaller number are visible."""
        blocks, place = divmod(number, BLOCK)
        return blocks * len(self._places) + bisect_left(self._places, place)

    def number(self, rank: int) -> int:
        """The number of the user with this rank."""
        blocks, rest = divmod(rank, len(self._places))
        return blocks * BLOCK + self._places[rest]


def identity(number: int) -> int:
    """The argument of `Catalogue.user_id` for this user: a buyer's number, or one that never buys."""
    trio, place = divmod(number, 3)
    return _NEVER_BUYS + trio if place == 2 else 2 * trio + place


class Registrations:
    """Registration times of one shop's users."""

    def __init__(self, key: bytes, start: int, arrivals: Arrivals) -> None:
        self._salt = salt_of(key.hex(), "registrations")
        self._start = start
        self._arrivals = arrivals

    def registered(self, number: int) -> int:
        """The unix millisecond of a user's registration; never less than the predecessor's."""
        place = (number + fraction(draw(self._salt, number) >> 32)) * 2 / 3 - 1
        whole = floor(place)
        before, after = self._latest(whole), self._latest(whole + 1)
        return int((before + (place - whole) * (after - before)) * 1000) - _LEAD

    def count(self, now: int) -> int:
        """How many users have registered at the end of second `now`."""
        return self.count_before((now + 1) * 1000)

    def count_before(self, millisecond: int) -> int:
        """How many users register before this millisecond."""
        most = 75
        while self.registered(most) < millisecond:
            most *= 2
        return bisect_left(range(most), millisecond, key=self.registered)

    def _latest(self, buyer: int) -> int:
        """The second before which a buyer must have registered, without the lead."""
        if self._arrivals.is_empty:  # no orders: one user a day
            return self._start + (buyer - _EARLY) * DAY
        if buyer <= _EARLY:
            return self._arrivals.created(0) - (_EARLY - buyer) * _EARLY_PACE
        return self._arrivals.created(3 * (buyer - _EARLY))

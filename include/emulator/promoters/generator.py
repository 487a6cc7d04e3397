"""A shop's promoters and whom they brought."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from emulator.clock import DAY
from emulator.seeded import draw, salt_of
from emulator.users.generator import UserGenerator

PROMOTERS = 63
_GROUPS = ("", "华南", "华北组🔥")
_CIRCLE = 131  # of so many users in a row, the first PROMOTERS have a promoter


class Promoter(NamedTuple):
    """A promoter; order list 2.0 names the first seven."""

    user_id: str
    nickname: str
    level: int
    group: int


class Customer(NamedTuple):
    """Whom a promoter brought; `bound` in unix seconds, `spent` in fen."""

    user_id: str
    bound: int
    orders: int
    spent: int
    is_bound: bool
    bits: int


def promoters() -> list[Promoter]:
    """All promoters."""
    return [
        Promoter(f"u_promoter_{number}", f'推广{number} "号"', 1 + number % 3, number % len(_GROUPS))
        for number in range(PROMOTERS)
    ]


def group_name(promoter: Promoter) -> str:
    """What the shop calls the promoter's group."""
    return _GROUPS[promoter.group]


def customers(promoter_id: str, users: UserGenerator, now: int) -> Iterator[Customer]:
    """A promoter's customers at `now`, in order of registration; bound an hour after it."""
    number = next((place for place, one in enumerate(promoters()) if one.user_id == promoter_id), None)
    if number is None:
        return
    salt = salt_of(promoter_id)
    for place in range(number, users.registrations.count(now), _CIRCLE):
        user, bits = users.user(place), draw(salt, place)
        bound = user.registered // 1000 + 3600
        if bound <= now:
            orders = min(bits % 9, (now - bound) // (20 * DAY))
            is_bound = now < bound + 365 * DAY
            yield Customer(user.user_id, bound, orders, orders * (990 + bits % 30_000), is_bound, bits)

"""The viewers of one live stream at one time, computed from the stream's attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from emulator.clock import DAY
from emulator.live_streams.generator import LiveStream
from emulator.seeded import draw, salt_of
from emulator.users.generator import UserGenerator

_REPLAY_DAYS = 12  # viewers of the replay come this long after the end
_FEW, _MANY, _ONE_IN = 24, 260, 25  # most streams have some viewers, one in 25 several pages of them


class Viewer(NamedTuple):
    """One viewer. Seconds of watching live, of the replay, and in the room; `spent` in fen."""

    user_id: str
    nickname: str
    live: int
    replay: int
    online: int
    comments: int
    spent: int
    bits: int


def viewers_at(live: LiveStream, users: UserGenerator, now: int) -> list[Viewer]:
    """Who has watched up to `now`, in order of first coming; a third come for the replay only."""
    if now < live.starts_at:
        return []
    salt = salt_of(live.live_id, "viewers")
    registered = users.count_before(live.starts_at, now)
    most = min((_MANY if salt % _ONE_IN == 0 else _FEW) * (salt >> 8 & 255) >> 8, registered)
    return list(_viewers(live, users, now, salt, registered, most))


def _viewers(
    live: LiveStream, users: UserGenerator, now: int, salt: int, registered: int, most: int
) -> Iterator[Viewer]:
    length = live.ends_at - live.starts_at
    first = salt >> 16
    for place in range(most):
        bits = draw(salt, place)
        number = (first + place) % registered  # neighbours: each user once
        is_late = place % 3 == 2
        came = live.ends_at + bits % (_REPLAY_DAYS * DAY) if is_late else live.starts_at + bits % max(1, length)
        if came > now:
            continue
        watched = 0 if is_late else min(live.ends_at, now) - came
        again = bits >> 20 & 3 == 0 and now > live.ends_at + DAY
        replay = min(now - came, bits >> 24 & 4095) if is_late else (bits >> 24 & 2047) * again
        user = users.user(number)
        yield Viewer(
            user.user_id,
            user.nickname,
            watched,
            replay,
            watched + replay + (bits & 63),
            (bits >> 40) % 6 if watched else 0,
            (bits >> 44) % 20_000 if bits & 7 == 0 and now > live.ends_at else 0,
            bits,
        )

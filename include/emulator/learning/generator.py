"""What a user learned: at each visit of the shop some seconds of one of a few contents, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from emulator.orders.catalogue import Catalogue
from emulator.seeded import draw
from emulator.users.generator import User

_MOST = 4  # contents that a user learns
_TYPES = (1, 2, 3, 4, 20)  # documented types of content
_WHOLE = 100


class Visit(NamedTuple):
    """One visit with learning: when (unix seconds), which of the user's contents, and how many seconds."""

    at: int
    content: int
    seconds: int


class Record(NamedTuple):
    """What a user has learned of one content up to a time; times are unix seconds."""

    record_id: str
    resource_id: str
    resource_type: int
    product_id: str
    progress: int
    best: int
    finished_at: int | None
    last_at: int
    first_at: int
    seconds: int
    bits: int


def visits(user: User, now: int) -> Iterator[Visit]:
    """A user's visits with learning up to `now`, the earliest first."""
    if user.first_visit is None:
        return
    contents = user.encoding % (_MOST + 1)
    for number in range(user.visits if contents else 0):
        at = user.first_visit + number * user.visit_every
        if at > now:
            return
        bits = draw(user.encoding, number)
        if bits & 3:  # every fourth visit is for something else
            yield Visit(at, (bits >> 2) % contents, 30 + (bits >> 8) % 3600)


def learned_on(user: User, begin: int, end: int, now: int) -> int:
    """Seconds that a user learned in [begin, end), up to `now`."""
    return sum(visit.seconds for visit in visits(user, now) if begin <= visit.at < end)


def records(user: User, catalogue: Catalogue, now: int) -> list[Record]:
    """What a user has learned up to `now`, the latest first."""
    found: dict[int, list[Visit]] = {}
    for visit in visits(user, now):
        found.setdefault(visit.content, []).append(visit)
    made = [_record(user, catalogue, content, done) for content, done in found.items()]
    return sorted(made, key=lambda record: (-record.last_at, record.record_id))


def _record(user: User, catalogue: Catalogue, content: int, done: list[Visit]) -> Record:
    bits = draw(user.encoding, 1000 + content)
    step = 10 + bits % 60
    finishing = -(-_WHOLE // step)
    best = min(_WHOLE, step * len(done))
    product = catalogue.numbered(bits % 200)
    return Record(
        str(user.number * 10 + content + 1),
        f"i_{bits & 0xFFFFFFFF:08x}{content:02x}",
        _TYPES[bits % len(_TYPES)],
        product.resource_id if bits & 1 << 33 else "",
        best if len(done) % 3 else best // 2,  # the latest visit may have stopped earlier
        best,
        done[finishing - 1].at if len(done) >= finishing else None,
        done[-1].at,
        done[0].at,
        sum(visit.seconds for visit in done),
        bits,
    )

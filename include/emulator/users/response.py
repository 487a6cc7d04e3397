"""A user as the API sends it (docs/xiaoe-api.md sections 4 and 9)."""

from __future__ import annotations

import json

from emulator.encodings import UNKNOWN_FIELDS, Encoder
from emulator.seeded import draw
from emulator.users.generator import User, last_visit

_FIRST_ID = 10_000_000


def cursor_id(user: User) -> int:
    """The id in `es_skip`; it grows with the registration time."""
    return _FIRST_ID + user.number


def number_of(identifier: int) -> int:
    """The number of the user whose cursor holds that id."""
    return identifier - _FIRST_ID


def _pay_sum(pay_sum: str | None, bits: int) -> object:
    """A number or its text, with the digits of the truth; None as `""` or `null`."""
    if pay_sum is None:
        return "" if bits & 1 else None
    return pay_sum if bits & 1 else json.loads(pay_sum)


def render(user: User, now: int, salt: int) -> dict[str, object]:
    """One row; another `salt` gives other encodings."""
    visited = last_visit(user, now)
    bits = draw(user.encoding ^ salt, visited & 0xFFFFFFFF)
    encoder = Encoder(bits >> 1)
    row: dict[str, object] = {
        "user_id": user.user_id,
        "user_nickname": user.nickname,
        "bind_phone": user.phone,
        "collect_phone": user.collect_phone,
        "avatar": user.avatar,
        "from": user.source,
        "pay_sum": _pay_sum(user.pay_sum, bits),
        "punch_count": encoder.number(user.punch_count),
        "wx_union_id": user.union_id,
        "wx_open_id": user.open_id,
        "wx_app_open_id": user.app_open_id,
        "user_created_at": encoder.number(user.registered),
        "latest_visited_at": encoder.number(visited),
        "es_skip": {"id": cursor_id(user), "user_created_at": user.registered},
    }
    for name in user.omitted:
        del row[name]
    return {**row, **UNKNOWN_FIELDS} if user.has_unknown_fields else row

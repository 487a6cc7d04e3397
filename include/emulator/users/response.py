"""A user as the API sends it (docs/xiaoe-api.md sections 4 and 9)."""

from __future__ import annotations

import json

from emulator.clock import to_text
from emulator.encodings import UNKNOWN_FIELDS, Encoder
from emulator.seeded import draw
from emulator.users.generator import User, last_visit

LAST_VISIT = "latest_visited_at"


def _pay_sum(pay_sum: str | None, bits: int) -> object:
    """A number or its text, with the digits of the truth; None as `""` or `null`."""
    if pay_sum is None:
        return "" if bits & 1 else None
    return pay_sum if bits & 1 else json.loads(pay_sum)


def render(user: User, now: int, salt: int, *, with_last_visit: bool) -> dict[str, object]:
    """One row; another `salt` gives other encodings. `latest_visited_at` (milliseconds) is sent only on request."""
    visited = last_visit(user, now) if with_last_visit else 0
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
        "user_created_at": to_text(user.registered // 1000),
        "es_skip": {"id": user.user_id, "user_created_at": user.registered},
    }
    if with_last_visit:
        row[LAST_VISIT] = encoder.number(visited)
    for name in user.omitted:
        del row[name]
    return {**row, **UNKNOWN_FIELDS} if user.has_unknown_fields else row

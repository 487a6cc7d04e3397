"""Expected rows of the warehouse's `users` table, computed from a user's attributes and visits, not from the response.

shop_id         the shop's app_id
user_id         unchanged
nickname        user_nickname, unchanged
phone           bind_phone; `""` and null stay different
collect_phone, avatar, punch_count, wx_union_id, wx_open_id, wx_app_open_id: unchanged
source          from
pay_sum         the digits that are sent, as text, unit not documented; a blank is null
registered_at   user_created_at
last_visited_at latest_visited_at, milliseconds truncated to the second, Beijing text; 0 is null.
                The list sends it only on request

A field omitted from the response is null. Users hidden from the list have no row.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.encodings import time_text
from emulator.users.generator import User, UserGenerator, last_visit

# API field -> column, where the names differ.
_COLUMNS = {"from": "source"}


def rows(shop_id: str, users: UserGenerator, begin: int, end: int, now: int) -> Iterator[dict[str, object]]:
    """Expected rows of the users visible at `now` who registered in [begin, end), oldest first."""
    visible = users.visible(now)
    first, last = (visible.before(users.count_before(moment, now)) for moment in (begin, end))
    for rank in range(first, last):
        yield truth(shop_id, users.user(visible.number(rank)), now)


def truth(shop_id: str, user: User, now: int) -> dict[str, object]:
    """The expected row without the warehouse's bookkeeping columns."""
    visited = last_visit(user, now)
    row: dict[str, object] = {
        "shop_id": shop_id,
        "user_id": user.user_id,
        "nickname": user.nickname,
        "phone": user.phone,
        "collect_phone": user.collect_phone,
        "avatar": user.avatar,
        "source": user.source,
        "pay_sum": user.pay_sum,
        "punch_count": user.punch_count,
        "wx_union_id": user.union_id,
        "wx_open_id": user.open_id,
        "wx_app_open_id": user.app_open_id,
        "registered_at": time_text(user.registered // 1000),
        "last_visited_at": time_text(visited // 1000) if visited else None,
    }
    row.update(dict.fromkeys((_COLUMNS.get(field, field) for field in user.omitted), None))
    return row

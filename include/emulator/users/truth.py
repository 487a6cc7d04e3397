"""What the warehouse's ``users`` table must hold: told from a user's facts and visits, not the API's answer.

shop_id         the shop's app_id
user_id         as it is
nickname        user_nickname; an empty text stays empty
phone           bind_phone; ``""`` stays ``""``, null stays null
collect_phone, avatar, punch_count, wx_union_id, wx_open_id, wx_app_open_id: as they are
source          from
pay_sum         the digits that are sent, as text, unit unsettled; a blank is null
registered_at   user_created_at, milliseconds cut to the second, Beijing text
last_visited_at latest_visited_at likewise; 0 is null

A field the API leaves out of a row is null. Users that the list hides have no row.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.encodings import time_text
from emulator.users.generator import User, UserBook, last_visit

# The API's name of a field where the table's differs.
_COLUMNS = {"from": "source"}


def rows(shop_id: str, book: UserBook, begin: int, end: int, now: int) -> Iterator[dict[str, object]]:
    """Yield the expected rows of the users shown at ``now`` who registered in [begin, end), oldest first."""
    shown = book.shown(now)
    first = shown.before(book.crowd.count_before(min(begin, now + 1) * 1000))
    last = min(shown.count, shown.before(book.crowd.count_before(min(end, now + 1) * 1000)))
    for rank in range(first, last):
        yield truth(shop_id, book.user(shown.number(rank)), now)


def truth(shop_id: str, user: User, now: int) -> dict[str, object]:
    """Return the expected row, without the warehouse's bookkeeping columns."""
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

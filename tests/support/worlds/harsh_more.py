"""Viewers, learning and promoters of the harsh shop (`harsh_shop`), written from docs/xiaoe-api.md section 10 alone.

A total is called `total` or `count`, is a number, a text, or not there; rows are a list or PHP's object with gaps,
under either documented name; nothing at all has six forms. Texts hold bytes that are no UTF-8. One list of each kind
gets a row, one loses one, between its first page and its second. Users of whom nobody knows when they came have
learned, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zlib import crc32

from support.worlds.harsh_rows import Body, Child, Fact, Row, error, keyless

if TYPE_CHECKING:
    from support.worlds.harsh_shop import HarshShop

RESOURCE_TYPES = {1: "图文", 3: "视频", 6: "专栏", 25: "训练营"}
DAY = timedelta(days=1)
PROMOTERS = 120
NOTHING: Sequence[Any] = (
    None,
    [],
    {},
    {"list": None, "total": "0"},
    {"list": [], "total": 0},
    {"list": {}, "total": 0},
)
"""Forms of `data` where there is no row."""


def lists(known: Mapping[str, Sequence[Row]], now: datetime) -> dict[str, list[Row]]:
    """The lists that rest on those of orders, users and live streams.

    Args:
        known: Their rows.
        now: Of the shop.
    """
    return {
        "live_viewers": list(_viewers(known["live_streams"], now)),
        "learning_days": list(_learned(known["users"], now)),
        "learning_progress": list(_progress(known["orders"], now)),
        "promoters": [_promoter(number) for number in range(PROMOTERS)],
        "promoter_customers": list(_customers(now)),
        "order_promoters": list(_sales(known["orders"])),
    }


def parents_with(rows: Iterable[Row], least: int) -> list[str]:
    """Parents with as many rows or more, in their order."""
    held: dict[str, int] = {}
    for row in rows:
        if isinstance(row, Child):
            held[row.parent] = held.get(row.parent, 0) + 1
    return [parent for parent, count in held.items() if count >= least]


def _value(row: Row, field: str) -> Any:
    return next(fact.value for fact in row.facts if fact.field == field)


def _viewers(streams: Sequence[Row], now: datetime) -> Iterable[Row]:
    """Of streams that began in the last 29 days: a few each, none of every eleventh, many of two."""
    number = 0
    for stream in streams:
        if not now - 29 * DAY < stream.time <= now or stream.number % 11 == 0:
            continue
        for place in range({100: 130, 111: 90}.get(stream.number, 5 + stream.number % 5)):
            live, replay = place * 61 % 4000, number * 37 % 20_000
            yield Child(number, stream.time, (
                Fact("user_id", "user_id", "id", f"5550{place:05d}" if place % 4 == 0 else f"u_{place:05d}"),
                Fact("wx_nickname", "nickname", "bytes", f"观众\ufffd{place} 😀\n"),
                Fact("his_online_time", "online_seconds", "count", live + replay + 5),
                Fact("his_learn_time", "learn_seconds", "count", live + replay),
                Fact("his_learning_time", "live_seconds", "count", live),
                Fact("his_learned_time", "replay_seconds", "count", replay),
                Fact("comment_num", "comment_num", "count", place % 9),
                Fact("user_total_price", "amount", "fen", Decimal(number % 13 * 990) / 100),
            ), stream.key, "live_id")  # fmt: skip
            number += 1


def _learned(users: Sequence[Row], now: datetime) -> Iterable[Row]:
    """Every second of the last seven days, of everybody who was there since, or may have been."""
    number, today = 0, now.replace(hour=0, minute=0)
    for back in range(7, 0, -1):
        begin = today - back * DAY
        for user in users:
            visited, is_unknown = _value(user, "latest_visited_at"), user.odd and user.odd.field == "latest_visited_at"
            may = visited is None or is_unknown or visited >= begin
            if user.time < begin + DAY and may and (user.number // 2 + back) % 2 == 0:
                yield _Day(number, begin, (
                    Fact("user_id", "user_id", "id", user.key),
                    Fact("stay_time", "stay_seconds", "count", number * 97 % 30_000),
                ), f"{begin:%Y-%m-%d}", "day")  # fmt: skip
                number += 1


class _Day(Child):
    """A row whose parent is a day."""

    def stored(self, *unread: str) -> dict[str, Any]:
        return {**super().stored(*unread), "day": date.fromisoformat(self.parent)}


def _progress(orders: Sequence[Row], now: datetime) -> Iterable[Row]:
    """Of everybody who paid: up to three records each, many of two."""
    number = 0
    buyers = sorted({_value(order, "user_id") for order in orders if _value(order, "pay_time")})
    for place, buyer in enumerate(buyers):
        for record in range({20: 90, 30: 70}.get(place, place % 4)):
            progress = number * 7 % 101
            begun = now - timedelta(days=number % 50, minutes=number)
            yield Child(number, begun, (
                Fact("id", "record_id", "id", str(1000 + record) if record % 2 else f"r{record}"),
                Fact("resource_id", "resource_id", "id", f"v_{record:05d}" if number % 2 else f"9000{record:05d}"),
                Fact("product_id", "product_id", "id", f"p_{record}" if number % 3 else None),
                Fact("resource_type", "resource_type", "code", list(RESOURCE_TYPES)[number % 4], RESOURCE_TYPES),
                Fact("learn_progress", "progress", "percent", progress),
                Fact("max_learn_progress", "max_progress", "percent", max(progress, 50)),
                Fact("is_finish", "is_finished", "flag", int(progress == 100)),
                Fact("finished_at", "finished_at", "time", begun if progress == 100 else None),
                Fact("last_learn_time", "last_learned_at", "time", begun + timedelta(seconds=40)),
                Fact("stay_time", "stay_seconds", "count", number * 131),
                Fact("created_at", "created_at", "time", begun),
            ), buyer, "user_id")  # fmt: skip
            number += 1


def promoter_id(number: int) -> str:
    """The id of a promoter: digits alone for some."""
    return f"6660{number:05d}" if number % 3 == 0 else f"u_p{number:04d}"


def _promoter(number: int) -> Row:
    return Row(number, datetime(2026, 1, 1), (
        Fact("user_id", "user_id", "id", promoter_id(number)),
        Fact("nickname", "nickname", "bytes", f"推广\ufffd\t{number}"),
        Fact("avatar", "avatar", "text", "https://example.com/p.png" if number % 3 else None),
        Fact("level", "level", "digits", str(1 + number % 3)),
        Fact("group_id", "group_id", "id", f"{7 + number % 4}" if number % 4 else None),
        Fact("group_name", "group_name", "bytes", "华东\ufffd组" if number % 4 else None),
    ))  # fmt: skip


def _customers(now: datetime) -> Iterable[Row]:
    """A few of each promoter, none of every seventh, many of two."""
    number = 0
    for promoter in range(PROMOTERS):
        for place in range({50: 120, 60: 90}.get(promoter, 2 + promoter % 4 if promoter % 7 else 0)):
            bound = now - timedelta(days=number % 300, seconds=number)
            yield Child(number, bound, (
                Fact("sub_user_id", "customer_id", "id", f"5550{place:05d}" if place % 4 == 0 else f"u_{place:05d}"),
                Fact("order_num", "order_count", "count", number % 17 * 900),
                Fact("sum_price", "amount", "fen", Decimal(number % 17 * 1990) / 100),
                Fact("bind_time", "bound_at", "time", bound),
                Fact("status", "status", "code", number % 3),
                Fact("expired_at", "expires_at", "time", bound + 365 * DAY if number % 5 else None),
            ), promoter_id(promoter), "promoter_id")  # fmt: skip
            number += 1


def _sales(orders: Sequence[Row]) -> Iterable[Row]:
    """Of each paid order by a promoter, as far as both can be read: one, none of every seventh, two of every ninth."""
    number = 0
    unknown = {one.key for one in orders if one.odd and one.odd.field in ("pay_time", "order_type")}
    paid = [one for one in orders if _value(one, "pay_time") and one.key not in unknown]
    for place, order in enumerate(one for one in paid if 22 in _value(one, "order_type")):
        for which in range(0 if place % 7 == 0 else 2 if place % 9 == 0 else 1):
            yield Child(number, order.time, (
                Fact("user_id", "promoter_id", "id", promoter_id(place * 2 % PROMOTERS + which)),
                Fact("level", "level", "digits", str(1 + number % 3)),
                Fact("distribute_price", "amount", "fen", Decimal(number % 17 * 199) / 100),
                Fact("status", "status", "code", number % 4),
            ), order.key, "order_id")  # fmt: skip
            number += 1


# --- on the wire ---------------------------------------------------------------------------------------


def _list_viewers(shop: HarshShop, body: Body) -> dict[str, Any]:
    return _of_parent(shop, "live_viewers", body.get("resource_id"), body, ("page", 100), ["list"], ["total"])


def _list_days(shop: HarshShop, body: Body) -> dict[str, Any]:
    """Of the users that are asked for; the total may not be told."""
    users = set(map(str, body.get("user_id_list", ())))
    return _of_parent(
        shop, "learning_days", body.get("date"), body, ("page", 100), ["list"], [None, "total"],
        lambda row: str(row.facts[0].value) in users,
    )  # fmt: skip


def _list_progress(shop: HarshShop, body: Body) -> dict[str, Any]:
    """Pages are asked for in `data`; the total may not be told."""
    page = body.get("data", {})
    return _of_parent(
        shop, "learning_progress", body.get("user_id"), page, ("page", 50), ["goods_list"], [None, "total"]
    )


def _list_customers(shop: HarshShop, body: Body) -> dict[str, Any]:
    names = ["list", "return_list"], ["count", "total"]
    return _of_parent(shop, "promoter_customers", body.get("user_id"), body, ("page_index", 100), *names)


def _list_order_promoters(shop: HarshShop, body: Body) -> dict[str, Any]:
    """An array without a total; what is the promoter's lies in a group, or beside it."""
    found = _of_parent(shop, "order_promoters", body.get("order_id"), body, ("page", 100), ["list"], [None])
    if found["data"] and found["data"].get("list"):
        rows = found["data"]["list"]
        grouped = [_grouped(row) for row in (rows.values() if isinstance(rows, dict) else rows)]
        found["data"] = dict(zip(rows, grouped, strict=True)) if isinstance(rows, dict) else grouped
    return found


def _grouped(row: dict[str, Any]) -> dict[str, Any]:
    inner = {name: row[name] for name in ("user_id", "level", "distribute_price") if name in row}
    return {**{name: value for name, value in row.items() if name not in inner}, "distributor": inner, "superior": []}


def _list_promoters(shop: HarshShop, body: Body) -> dict[str, Any]:
    found = [shop.sent("promoters", row) for row in shop.lists["promoters"]]
    found[30:30] = [{"nickname": "filler"}] if found else []
    size, first = _asked(body, "page_index", 50)
    total = sum("user_id" in one for one in found)
    return _answer(found[first : first + size], "return_list", "count", total, crc32(f"{first}".encode()))


def _of_parent(
    shop: HarshShop,
    name: str,
    parent: Any,
    body: Body,
    paging: tuple[str, int],
    list_keys: Sequence[str],
    total_keys: Sequence[str | None],
    is_asked_for: Callable[[Row], bool] = lambda _: True,
) -> dict[str, Any]:
    """A page of one parent's list; its number decides on the names."""
    if parent is None or str(parent) in shop.refused:
        return error(1002, "参数错误")
    rows = [row for row in shop.lists[name] if isinstance(row, Child) and row.parent == str(parent)]
    found = [shop.sent(name, row) for row in rows if is_asked_for(row)]
    key = shop.lists[name][0].facts[0].field if shop.lists[name] else ""
    long_ones = parents_with(shop.lists[name], 45)
    if found and isinstance(shop.lists[name][0], Child) and rows[0].parent == shop.lists[name][0].parent:
        found.append(keyless(key, found[0]))
    shop.of_parent[name, str(parent)] += 1
    if shop.of_parent[name, str(parent)] == 1 and str(parent) in long_ones[:2]:
        # Before the second page, the first of these gets a row in front, the other one loses one.
        found = found[1:] if str(parent) == long_ones[0] else [{**found[0], key: "u_gone"}, *found]
    size, first = _asked(body, *paging)
    choice = crc32(str(parent).encode())
    return _answer(
        found[first : first + size],
        list_keys[choice % len(list_keys)],
        total_keys[choice // 2 % len(total_keys)],
        sum(key in one for one in found),
        choice // 4,
    )


def _asked(body: Body, page_key: str, most: int) -> tuple[int, int]:
    """Rows of a page, and the place of its first."""
    size = min(int(body.get("page_size", 10)), most)
    return size, (int(body.get(page_key, 1)) - 1) * size


def _answer(rows: Sequence[Any], list_key: str, total_key: str | None, total: int, choice: int) -> dict[str, Any]:
    if not rows and not total:
        return {"code": "0", "message": "success", "data": NOTHING[choice % len(NOTHING)]}
    told = {} if total_key is None else {total_key: (total, str(total), f" {total} ")[choice % 3]}
    gaps = {str(2 * place): row for place, row in enumerate(rows)}
    return {"code": 0, "msg": "ok", "data": {**told, list_key: gaps if rows and choice % 5 == 0 else rows, "_v": [1]}}


SERVED: Mapping[str, Callable[[HarshShop, Body], dict[str, Any]]] = {
    "/xe.alive.user.list/1.0.0": _list_viewers,
    "/xe.learning_records.daily.get/1.0.0": _list_days,
    "/xe.user.learning.records.get/1.0.0": _list_progress,
    "/xe.distributor.list.get/1.0.0": _list_promoters,
    "/xe.distributor.member.sub_customer/1.0.0": _list_customers,
    "/xe.distributor.order.get/2.0.0": _list_order_promoters,
}
"""Path → what answers it."""

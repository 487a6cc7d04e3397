"""Order list 2.0 of the harsh shop (`harsh_shop`), written from docs/xiaoe-api.md section 2 and 10 alone.

Fields lie in `order_info` or beside it, a group may be a text of JSON or an empty array; lines lie in either place, as
an array, as PHP's object with gaps, or as text; of one order in 45, a line has a field that nobody can read. Both ends
of a window are excluded, more than 31 days of it are silently cut, and its total is text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zlib import crc32

from support.worlds.harsh_forms import dressed, odd
from support.worlds.harsh_rows import Body, Fact, Row, error, keyless, numbered

if TYPE_CHECKING:
    from support.worlds.harsh_shop import HarshShop

STATES = {0: "待付款", 1: "待成交", 2: "待发货", 3: "已发货", 4: "已完成", 5: "已关闭"}
AFTER_SALES = {0: "无", 1: "售后中", 2: "部分退款", 3: "全额退款"}
CLOSED_BY = {0: "未关闭", 1: "自动取消", 2: "用户取消", 3: "商家取消", 4: "全额退款", 5: "拼团失败", 6: "系统关闭"}
CHANNELS = {0: "商详", 1: "直播间", 2: "广告"}
WIDEST = timedelta(days=31)
LINES = "lines_json"
"""The column of a row that has its lines."""


def origins(orders: Sequence[Row], now: datetime) -> list[Row]:
    """One of each order, earliest change first."""
    return sorted((_origin(order, now) for order in orders), key=lambda row: row.time)


class Origin(Row):
    """An order of this list. Lines with a field that nobody can read are a problem of it, but they are there."""

    @property
    def unread(self) -> set[str]:
        """As of any row, and the lines."""
        return super().unread | ({"good_list"} if odd_line(self.number) else set())

    def stored(self, *unread: str) -> dict[str, Any]:
        """As of any row, without the lines: see `lines_of`."""
        found = super().stored(*unread)
        del found[LINES]
        problems = (found["problem_columns"] or "").split(",")
        if odd_line(self.number) and LINES not in problems:
            found["problem_columns"] = ",".join(filter(None, [*problems, LINES]))
        return found


def _origin(order: Row, now: datetime) -> Row:
    number = order.number
    told = {fact.column: fact.value for fact in order.facts}
    changed = min(order.time + timedelta(hours=number * 7 % 200), now - timedelta(minutes=1))
    return Origin(number, changed, (
        Fact("order_id", "order_id", "id", order.key),
        Fact("user_id", "user_id", "id", told["user_id"]),
        Fact("order_state", "order_list_2_state", "code", number % 6, STATES),
        Fact("aftersale_show_state", "order_list_2_aftersale", "code", number % 4, AFTER_SALES),
        Fact("order_close_type", "close_type", "code", number % 7, CLOSED_BY),
        Fact("actual_fee", "actual_fee", "fen", told["price"]),
        Fact("discount_amount", "discount_amount", "fen", Decimal(number % 7 * 15)),
        Fact("refund_fee", "refund_fee", "fen", told["refund_money"]),
        Fact("refund_time", "refund_time", "time", told["refund_time"]),
        Fact("settle_state", "settle_state", "code", number % 2),
        Fact("share_user_id", "share_user_id", "id", f"6660{number:05d}" if number % 6 == 3 else None),
        Fact("share_type", "share_type", "code", number % 3),
        Fact("channel_type", "channel_type", "code", number % 3, CHANNELS),
        Fact("channel_bus_id", "channel_bus_id", "id", f"l_{number % 40:06d}" if number % 3 == 1 else None),
        Fact("wx_app_type", "wx_app_type", "code", 1),
        Fact("relation_order_id", "relation_order_id", "id", None),
        Fact("created_time", "created_time", "time", order.time),
        Fact("update_time", "update_time", "time", changed),
        Fact("good_list", LINES, "lines", _lines(number, told["price"])),
    ))  # fmt: skip


def _lines(number: int, paid: Decimal) -> tuple[tuple[Fact, ...], ...]:
    return tuple(
        (
            Fact("sku_id", "sku_id", "id", f"70{number:05d}" if number % 3 else f"s_{number}"),
            Fact("spu_id", "spu_id", "id", f"80{number:06d}"),
            Fact("goods_name", "goods_name", "text", f'课 "{number}"\n😀'),
            Fact("buy_num", "buy_num", "count", 1 + number % 3 * 1000),
            Fact("unit_price", "unit_price", "fen", Decimal(number * 999) / 100),
            Fact("total_price", "total_price", "fen", Decimal(number * 1998) / 100),
            Fact("actual_fee", "actual_fee", "fen", paid if place == 0 else None),
            Fact("refund_state", "refund_state", "code", number % 4),
            Fact("expire_start", "expire_start", "time", datetime(2026, 9, 1, 8)),
            Fact("expire_end", "expire_end", "time", None),
        )
        for place in range(1 + number % 3)
    )


def odd_line(number: int) -> tuple[int, int] | None:
    """Which field of which line of an order cannot be read, counted from 0."""
    return (number % (1 + number % 3), 1 + number // 45 % 9) if number % 45 == 4 else None


def lines_of(rows: Iterable[Row]) -> set[tuple[Any, ...]]:
    """`order_lines` as it has to be: order, line from 1, the values of its fields; none where all lines are odd."""
    found = set()
    for row in rows:
        if row.odd is row.facts[-1]:
            continue
        for place, line in enumerate(row.facts[-1].value):
            values = [fact.value for fact in line]
            which = odd_line(row.number)
            if which and which[0] == place:
                values[which[1]] = None
            found.add((row.key, place + 1, *values))
    return found


# --- on the wire ---------------------------------------------------------------------------------------


def written_lines(lines: tuple[tuple[Fact, ...], ...], number: int, mood: int) -> Any:
    """An order's lines in one of their forms."""
    which = odd_line(number)
    sent: list[dict[str, Any]] = [
        {
            fact.field: odd(fact.kind, number)
            if which == (place, at)
            else dressed(fact.kind, fact.value, fact.words, crc32(f"{number} {place} {at} {mood}".encode()))
            for at, fact in enumerate(line)
        }
        for place, line in enumerate(lines)
    ]
    gaps = {str(2 * place + 9): line for place, line in enumerate(sent)}
    forms = [sent, gaps, json.dumps(sent, ensure_ascii=False), sent[0] if len(sent) == 1 else sent]
    return forms[(number // 9 + mood) % len(forms)]


def list_origins(shop: HarshShop, body: Body) -> dict[str, Any]:
    """By the last change, in either order; neither end of the window is in it."""
    begin = datetime.fromisoformat(body["update_time_start"])
    end = min(datetime.fromisoformat(body["update_time_end"]), begin + WIDEST)
    if body.get("order_by") != "updated_at":
        return error(1002, "this shop sorts by updated_at here")
    inside = [row for row in shop.lists["order_origins"] if begin < row.time < end]
    found = [_grouped(shop.sent("order_origins", row), row.number) for row in inside]
    if inside and inside[0] is shop.lists["order_origins"][0]:
        found.append({"good_list": [], "order_info": keyless("order_id", shop.sent("order_origins", inside[0]))})
    if body.get("order_asc") != "asc":
        found.reverse()
    return numbered(found, "key", body, "page", 100, "total")


def _grouped(sent: dict[str, Any], number: int) -> dict[str, Any]:
    lines = sent.pop("good_list", None)
    beside = {name: sent.pop(name) for name in ("share_user_id", "channel_type") if number % 5 == 0 and name in sent}
    info: Mapping[str, Any] | str = json.dumps(sent, ensure_ascii=False) if number % 7 == 3 else sent
    where = ({"good_list": lines, "goods_info": []}, {"good_list": None, "goods_info": {"goods_list": lines}})
    return {
        "key": "told", "order_info": info, **beside, **where[number // 2 % 2], "payment_info": [],
        "buyer_info": {"phone": "13800000000"}, "price_info": {"actual_fee": "1.00"}, "ship_info": None,
    }  # fmt: skip

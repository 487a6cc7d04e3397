"""One order of `xe.ecommerce.order.list/1.0.0` ("order list 2.0") → `order_origins` and `order_lines`.

The list by its last change (docs/xiaoe-api.md section 10). Each order that is new or changed in it becomes a hint
(`hints.queue`): `orders` is written from the other list alone. Stored is what that one does not tell: lines, promoter,
channel, close reason. Its state enum is another one, so no column is called `order_state`. All money arrives in fen and
leaves as yuan; times stay Beijing wall-clock. `buyer_info`, `payment_info` and `ship_info` are not read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from xiaoe import settings
from xiaoe.clock import beijing_text
from xiaoe.resources.base import SECOND, Numbered, Parts, Resource, Scope
from xiaoe.rows import values
from xiaoe.rows.codes import texts
from xiaoe.rows.decode import Mapping, decoded
from xiaoe.rows.nested import NestedRowReader
from xiaoe.rows.problems import PartlyReadError
from xiaoe.windows import Window

_LINE: dict[str, Callable[[Any], Any]] = {
    "sku_id": values.identifier,
    "spu_id": values.identifier,
    "goods_name": values.text,
    "buy_num": values.count,
    "unit_price": values.fen,
    "total_price": values.fen,
    "actual_fee": values.fen,
    "refund_state": values.code,
    "expire_start": values.time,
    "expire_end": values.time,
}
"""Field of a line → how it is read; columns of `order_lines` are called the same."""


def order_lines(value: Any) -> str | None:
    """An order's lines → a JSON array of objects, each field typed; at most 65,535 bytes of UTF-8.

    An array of objects; also such an array as a text, PHP's object of them with numbers for names, or one of them
    alone [?].

    Raises:
        PartlyReadError: Fields of lines cannot be read: they are null, the others are kept.
        ValueError: There is no line in it, or it is too long.
    """
    came = _listed(value)
    if not came:
        return None if came is None else "[]"
    if not any(isinstance(line, dict) for line in came):
        raise ValueError("not an array of objects")
    problems: list[str] = []
    kept = values.text(msgspec.json.encode([_line(line, no, problems) for no, line in enumerate(came, 1)]).decode())
    if problems:
        more = f"; and {len(problems) - 2} more" if len(problems) > 2 else ""
        raise PartlyReadError("; ".join(problems[:2]) + more, kept)
    return kept


def _listed(value: Any) -> list[Any] | None:
    if value is None or (isinstance(value, str) and value.strip() in values.EMPTY):
        return None
    if isinstance(value, str):
        try:
            value = decoded(msgspec.Raw(value.encode()))
        except (ValueError, RecursionError):
            raise ValueError("not an array of objects") from None
    if isinstance(value, dict):
        if value.keys() & _LINE.keys():
            return [value]
        if all(str(name).isdecimal() for name in value):
            return [value[name] for name in sorted(value, key=int)]
    if not isinstance(value, list):
        raise ValueError("not an array of objects")
    return value


def _line(line: Any, number: int, problems: list[str]) -> dict[str, Any]:
    """The fields of a line; what cannot be read is None, and named in `problems`."""
    if not isinstance(line, dict):
        problems.append(f"line {number} is not an object")
        return dict.fromkeys(_LINE)
    typed: dict[str, Any] = {}
    for name, read in _LINE.items():
        try:
            typed[name] = read(line.get(name))
        except ValueError as error:
            typed[name] = None
            problems.append(f"{name} of line {number}: {error}")
    return typed


MAPPING: Mapping = {
    "order_id": ("order_id", values.identifier),
    "user_id": ("user_id", values.identifier),
    "order_list_2_state": ("order_state", values.code),
    "order_list_2_aftersale": ("aftersale_show_state", values.code),
    "close_type": ("order_close_type", values.code),
    "actual_fee": ("actual_fee", values.fen),
    "discount_amount": ("discount_amount", values.fen),
    "refund_fee": ("refund_fee", values.fen),
    "refund_time": ("refund_time", values.time),
    "settle_state": ("settle_state", values.code),
    "share_user_id": ("share_user_id", values.identifier),
    "share_type": ("share_type", values.code),
    "channel_type": ("channel_type", values.code),
    "channel_bus_id": ("channel_bus_id", values.identifier),
    "wx_app_type": ("wx_app_type", values.code),
    "relation_order_id": ("relation_order_id", values.identifier),
    "created_time": ("created_time", values.time),
    "update_time": ("update_time", values.time),
    "lines_json": ("good_list", order_lines),
}
"""Column → field of the API and how it is read."""

CODE_TEXTS: dict[str, dict[int, str]] = {
    "order_list_2_state": texts("order_list_2_state"),
    "order_list_2_aftersale": texts("order_list_2_aftersale"),
    "close_type": texts("order_list_2_close"),
    "channel_type": texts("order_list_2_channel"),
}
"""Columns that get a second one, `<name>_text`, in Chinese."""


def changed_between(window: Window) -> dict[str, Any]:
    """Times as text, Beijing, on the last change, oldest first (docs/xiaoe-api.md section 10).

    Whether the ends are included is not documented: the second before the window begins is sent, as for orders.
    """
    return {
        "update_time_start": beijing_text(window.begin - SECOND),
        "update_time_end": beijing_text(window.end),
        "order_by": "updated_at",
        "order_asc": "asc",
    }


ORDER_ORIGINS = Resource(
    name="order_origins",
    table="order_origins",
    endpoint="/xe.ecommerce.order.list/1.0.0",
    scope=Scope.CHANGED,
    paging=Numbered("page"),
    size_key="page_size",
    total_key="total",
    largest_page=100,
    calls_per_second=20,
    quota_seconds=1,
    filters=changed_between,
    parts=Parts(SECOND, changed_between, "update_time"),
    time="update_time",
    time_index="idx_order_origins_updated",
    reader=NestedRowReader(
        MAPPING,
        CODE_TEXTS,
        key="order_id",
        # One page of the documentation has the lines in a separate group.
        groups={"order_info": None, "goods_info": {"goods_list": "good_list", "good_list": "good_list"}},
        unkept=("buyer_info", "payment_info", "ship_info"),
    ),
    fresh_within={"incremental": timedelta(minutes=20)} if "list" in settings.hints() else {},
    lag=timedelta,
)

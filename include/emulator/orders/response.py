"""An order as the API sends it: mixed units, jittering types, blanks of every kind.

A row is written by filling a template, which is some five times cheaper than encoding a dictionary. 64
bits called forms choose the template and the shapes of money and empty times; they follow from the order
and its state, so that an unchanged order is the same, byte for byte, from call to call.
"""

from __future__ import annotations

import json
from functools import lru_cache

from emulator.clock import to_text
from emulator.orders.generator import Order
from emulator.orders.lifecycle import State
from emulator.seeded import draw, key_of

_PATTERNS = 64
# docs/xiaoe-api.md section 9.1, as JSON
_NULL_TIMES = ('"0000-00-00 00:00:00"', '"-0001-11-30 00:00:00"', '""', '"--"', "null")
# docs/xiaoe-api.md section 2, in its order: N a number that may come as a string, T plain text, J ready JSON.
_FIELDS = (
    "T order_id", "T user_id", "N resource_type", "T resource_id", "J title", "N count", "J price",
    "J coupon_id", "J coupon_name", "J coupon_price", "N order_state", "N ship_state", "N sales_state",
    "N pay_way", "N collection_way", "J out_order_id", "J transaction_id", "N client_type", "J system_info",
    "T created_time", "J pay_time", "J refund_time", "N after_sales_state", "J settle_time",
    "J refund_money", "J receiver_name", "J receiver_detail", "J receiver_phone", "J order_type",
    "J discount_price", "J discount_data", "N team_buy_state", "T goods_no", "T goods_img",
)  # fmt: skip
# docs/xiaoe-api.md section 9.8: fields nobody announced
_UNKNOWN_FIELDS = ',"share_user_id":null,"trade_ext":{"scene":"直播间","tags":["a",1,null]}}'


@lru_cache(maxsize=4096)
def _template(pattern: int, omitted: tuple[str, ...]) -> str:
    """Return a %-template for all fields; the pattern decides which numbers are strings."""
    strings = key_of("strings", pattern)
    parts = []
    for place, field in enumerate(_FIELDS):
        kind, name = field.split()
        hole = {"J": "%s", "T": '"%s"', "N": '"%d"' if strings[place % 32] & 1 else "%d"}[kind]
        # "%.0s" swallows the value of a field that is left out
        parts.append("%.0s" if name in omitted else f'{"," if place else ""}"{name}":{hole}')
    return "{" + "".join(parts) + "}"


@lru_cache(maxsize=65536)
def _json(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


def _fen(value: int | None, bits: int) -> str:
    """Write an amount in fen as an integer or digit string, and none as ``""`` or ``null``."""
    if value is None:
        return '""' if bits & 1 else "null"
    return f'"{value}"' if bits & 1 else str(value)


def _yuan(fen: int | None, bits: int) -> str:
    """Write an amount in yuan as a number or a string, with or without its zeros."""
    if fen is None:
        return '""' if bits & 1 else "null"
    if fen % 100 == 0 and bits & 2:
        return f'"{fen // 100}"' if bits & 1 else str(fen // 100)
    text = f"{fen // 100}.{fen % 100:02d}"
    return f'"{text}"' if bits & 1 else text


def _time(unix: int | None, bits: int) -> str:
    return _NULL_TIMES[(bits & 0xFF) % 5] if unix is None else f'"{to_text(unix)}"'


def _discounts(order: Order, bits: int) -> str:
    if not order.coupon_price:
        return "[]" if bits & 1 else "null"
    name = _json(order.habits.coupon_name)
    return f'[{{"discount_name":{name},"discount_type":3,"discount_price":{order.coupon_price}}}]'


def render(order: Order, state: State, salt: int) -> str:
    """Return one row of the order list as JSON; another ``salt`` gives other forms."""
    pay_time = state.pay_time
    settled = state.settle_time is not None
    forms = draw(order.forms ^ salt, state.order_state << 8 | state.ship_state << 2 | settled << 1 | (pay_time is None))
    product, habits = order.product, order.habits
    no_text = _json(habits.no_text)
    receiver = order.receiver
    text = _template(forms & (_PATTERNS - 1), habits.omitted) % (
        order.order_id,
        order.user_id,
        product.resource_type,
        product.resource_id,
        _json(product.title),
        order.quantity,
        _yuan(None if pay_time is None and habits.price_blank_until_paid else order.price, forms >> 6),
        _json(habits.coupon_id),
        _json(habits.coupon_name),
        _fen(order.coupon_price or habits.no_coupon_price, forms >> 8),
        state.order_state,
        state.ship_state,
        state.sales_state,
        habits.pay_way,
        1,
        _json(habits.out_order_id),
        no_text if pay_time is None else f'"{order.transaction_id}"',
        habits.client_type,
        _json(habits.system_info),
        to_text(order.created),
        _time(pay_time, forms >> 9),
        _time(state.refund_time, forms >> 17),
        state.after_sales_state,
        _time(state.settle_time, forms >> 25),
        _fen(habits.no_refund if state.refund_money is None else state.refund_money, forms >> 33),
        _json(receiver.name) if receiver else no_text,
        _json(receiver.address) if receiver else no_text,
        f'"{receiver.phone}"' if receiver else no_text,
        "[1]",
        order.coupon_price,
        _discounts(order, forms >> 34),
        0,
        product.goods_no,
        "https://img.invalid/" + product.resource_id,
    )
    if habits.has_unknown_fields:
        text = text[:-1] + _UNKNOWN_FIELDS
    return _spoilt(text, order.bad_row) if order.bad_row else text


def _spoilt(text: str, how: str) -> str:
    """Make a row that no client can type; see ``book.BAD_ROWS``."""
    row = json.loads(text)
    if how == "order_id_missing":
        del row["order_id"]
    else:
        spoilt = {"price_abc": ("price", "abc"), "refund_money_12x": ("refund_money", "12x")}
        field, value = spoilt.get(how, ("created_time", "yesterday"))
        row[field] = value
    return json.dumps(row, ensure_ascii=False)

"""An order as the API sends it: mixed units, varying types and all kinds of blanks.

A row is a filled template, about five times cheaper than encoding a dictionary. 64 bits choose the
template and the encodings of money and null times; they depend only on the order
and its state, so that an unchanged order is identical, byte for byte, from call to call.
"""

from __future__ import annotations

import json
from functools import lru_cache

from emulator.clock import to_text
from emulator.orders.generator import Order
from emulator.orders.lifecycle import OrderSnapshot
from emulator.seeded import draw, key_of

_PATTERNS = 64
# docs/xiaoe-api.md section 9.1, as JSON
_NULL_TIMES = ('"0000-00-00 00:00:00"', '"-0001-11-30 00:00:00"', '""', '"--"', "null")
# docs/xiaoe-api.md section 2, in its order: N a number or digits, T plain text, J ready JSON.
_FIELDS = (
    "T order_id", "T user_id", "N resource_type", "T resource_id", "J title", "N count", "J price",
    "J coupon_id", "J coupon_name", "J coupon_price", "N order_state", "N ship_state", "N sales_state",
    "N pay_way", "N collection_way", "J out_order_id", "J transaction_id", "N client_type", "J system_info",
    "T created_time", "J pay_time", "J refund_time", "N after_sales_state", "J settle_time",
    "J refund_money", "J receiver_name", "J receiver_detail", "J receiver_phone", "J order_type",
    "J discount_price", "J discount_data", "N team_buy_state", "T goods_no", "T goods_img",
)  # fmt: skip
# docs/xiaoe-api.md section 9.8: undocumented extra fields
_UNKNOWN_FIELDS = ',"share_user_id":null,"trade_ext":{"scene":"直播间","tags":["a",1,null]}}'


@lru_cache(maxsize=4096)
def _template(pattern: int, omitted: tuple[str, ...]) -> str:
    """A %-template for all fields; the pattern decides which numbers are strings."""
    strings = key_of("strings", pattern)
    parts = []
    for place, field in enumerate(_FIELDS):
        kind, name = field.split()
        hole = {"J": "%s", "T": '"%s"', "N": '"%d"' if strings[place % 32] & 1 else "%d"}[kind]
        # "%.0s" drops the value of an omitted field
        parts.append("%.0s" if name in omitted else f'{"," if place else ""}"{name}":{hole}')
    return "{" + "".join(parts) + "}"


@lru_cache(maxsize=65536)
def _json(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


def _fen(value: int | None, bits: int) -> str:
    """An amount in fen as an integer or digits; None as `""` or `null`."""
    if value is None:
        return '""' if bits & 1 else "null"
    return f'"{value}"' if bits & 1 else str(value)


def _yuan(fen: int | None, bits: int) -> str:
    """An amount in yuan as a number or a string, with or without trailing zeros."""
    if fen is None:
        return '""' if bits & 1 else "null"
    if fen % 100 == 0 and bits & 2:
        return f'"{fen // 100}"' if bits & 1 else str(fen // 100)
    text = f"{fen // 100}.{fen % 100:02d}"
    return f'"{text}"' if bits & 1 else text


def _time(unix: int | None, bits: int) -> str:
    return _NULL_TIMES[(bits & 0xFF) % 5] if unix is None else f'"{to_text(unix)}"'


def _discounts(order: Order, bits: int) -> str:
    if not order.discounts:
        return "[]" if bits & 1 else "null"
    items = (
        f'{{"discount_name":{_json(name)},"discount_type":{code},"discount_price":{fen}}}'
        for name, code, fen in order.discounts
    )
    return f"[{','.join(items)}]"


@lru_cache(maxsize=256)
def _order_types(codes: tuple[int, ...], as_text: int) -> str:
    return json.dumps([str(code) if as_text else code for code in codes])


def render(order: Order, snapshot: OrderSnapshot, salt: int) -> str:
    """One row of the order list as JSON; another `salt` gives other encodings."""
    pay_time = snapshot.pay_time
    settled = snapshot.settle_time is not None
    bits = draw(
        order.encoding ^ salt, snapshot.order_state << 8 | snapshot.ship_state << 2 | settled << 1 | (pay_time is None)
    )
    product, attributes = order.product, order.attributes
    no_text = _json(attributes.no_text)
    receiver = order.receiver
    text = _template(bits & (_PATTERNS - 1), attributes.omitted) % (
        order.order_id,
        order.user_id,
        product.resource_type,
        product.resource_id,
        _json(product.title),
        order.quantity,
        _yuan(None if pay_time is None and attributes.price_blank_until_paid else order.price, bits >> 6),
        _json(attributes.coupon_id),
        _json(attributes.coupon_name),
        _fen(order.coupon_price or attributes.no_coupon_price, bits >> 8),
        snapshot.order_state,
        snapshot.ship_state,
        snapshot.sales_state,
        attributes.pay_way,
        1,
        _json(attributes.out_order_id),
        no_text if pay_time is None else f'"{order.transaction_id}"',
        attributes.client_type,
        _json(attributes.system_info),
        to_text(order.created),
        _time(pay_time, bits >> 9),
        _time(snapshot.refund_time, bits >> 17),
        snapshot.after_sales_state,
        _time(snapshot.settle_time, bits >> 25),
        _fen(attributes.no_refund if snapshot.refund_money is None else snapshot.refund_money, bits >> 33),
        _json(receiver.name) if receiver else no_text,
        _json(receiver.address) if receiver else no_text,
        f'"{receiver.phone}"' if receiver else no_text,
        _order_types(attributes.order_types, bits >> 35 & 1),
        _fen(order.discount_price or attributes.no_coupon_price, bits >> 36),
        _discounts(order, bits >> 34),
        0,
        product.goods_no,
        "https://img.invalid/" + product.resource_id,
    )
    if attributes.has_unknown_fields:
        text = text[:-1] + _UNKNOWN_FIELDS
    return _spoilt(text, order.bad_row) if order.bad_row else text


def _spoilt(text: str, how: str) -> str:
    """A row that no client can type; see `generator.BAD_ROWS`."""
    row = json.loads(text)
    if how == "order_id_missing":
        del row["order_id"]
    else:
        spoilt = {"price_abc": ("price", "abc"), "refund_money_12x": ("refund_money", "12x")}
        field, value = spoilt.get(how, ("created_time", "yesterday"))
        row[field] = value
    return json.dumps(row, ensure_ascii=False)

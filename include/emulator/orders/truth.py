"""Expected rows of the warehouse's `orders` table, computed from an order's lifecycle, not from the response.

Money is text in yuan with two decimals, times are Beijing text, codes are integers. Texts are unchanged,
including empty ones. A field omitted from the response is null.

order_type      the codes of the array joined by commas, e.g. `2,8`; an empty array is an empty text
discount_price  all discounts, coupon included
*_text          the documented texts of the codes, null for an undocumented one; those of order_type are joined by
                commas without the undocumented ones, null if none is left
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import to_text
from emulator.codes import (
    AFTER_SALES_STATES,
    CLIENT_TYPES,
    ORDER_STATES,
    ORDER_TYPES,
    RESOURCE_TYPES,
    SALES_STATES,
    SHIP_STATES,
)
from emulator.encodings import time_text, yuan
from emulator.orders.generator import Order, OrderGenerator
from emulator.orders.lifecycle import OrderSnapshot, snapshot_at

# API field -> column, where the names differ.
_COLUMNS = {"count": "quantity"}
# Columns with a `<name>_text` beside them.
_TEXTS = {
    "resource_type": RESOURCE_TYPES,
    "order_state": ORDER_STATES,
    "ship_state": SHIP_STATES,
    "client_type": CLIENT_TYPES,
    "sales_state": SALES_STATES,
    "after_sales_state": AFTER_SALES_STATES,
}


def rows(shop_id: str, orders: OrderGenerator, begin: int, end: int, now: int) -> Iterator[dict[str, object] | None]:
    """Expected rows of the orders created in [begin, end); None for an order whose row cannot be typed."""
    for order in map(orders.order, orders.created_between(begin, end, now)):
        yield None if order.bad_row else truth(shop_id, order, snapshot_at(order.lifecycle, now))


def rejects(shop_id: str, orders: OrderGenerator, begin: int, end: int, now: int) -> Iterator[dict[str, object] | None]:
    """Expected rejects of the orders whose rows cannot be typed; None for the others."""
    for order in map(orders.order, orders.created_between(begin, end, now)):
        yield reject(shop_id, order) if order.bad_row else None


def truth(shop_id: str, order: Order, snapshot: OrderSnapshot) -> dict[str, object]:
    """The expected row without the warehouse's bookkeeping columns."""
    product = order.product
    paid = snapshot.pay_time is not None
    attributes, receiver, no_text = order.attributes, order.receiver, order.attributes.no_text
    row: dict[str, object] = {
        "shop_id": shop_id,
        "order_id": order.order_id,
        "user_id": order.user_id,
        "resource_type": product.resource_type,
        "resource_id": product.resource_id,
        "title": product.title,
        "quantity": order.quantity,
        "price": yuan(order.price) if paid or not attributes.price_blank_until_paid else None,
        "coupon_id": attributes.coupon_id,
        "coupon_name": attributes.coupon_name,
        "discount_price": yuan(order.discount_price or attributes.no_coupon_price),
        "coupon_price": yuan(order.coupon_price or attributes.no_coupon_price),
        "refund_money": yuan(attributes.no_refund if snapshot.refund_money is None else snapshot.refund_money),
        "order_state": snapshot.order_state,
        "ship_state": snapshot.ship_state,
        "pay_way": attributes.pay_way,
        "client_type": attributes.client_type,
        "order_type": ",".join(map(str, attributes.order_types)),
        "collection_way": 1,
        "after_sales_state": snapshot.after_sales_state,
        "team_buy_state": 0,
        "sales_state": snapshot.sales_state,
        "out_order_id": attributes.out_order_id,
        "transaction_id": order.transaction_id if paid else no_text,
        "goods_no": product.goods_no,
        "system_info": attributes.system_info,
        "receiver_name": receiver.name if receiver else no_text,
        "receiver_phone": receiver.phone if receiver else no_text,
        "receiver_detail": receiver.address if receiver else no_text,
        "created_time": to_text(order.created),
        "pay_time": time_text(snapshot.pay_time),
        "refund_time": time_text(snapshot.refund_time),
        "settle_time": time_text(snapshot.settle_time),
    }
    omitted = (_COLUMNS.get(field, field) for field in attributes.omitted)
    row.update((column, None) for column in omitted if column in row)
    for column, texts in _TEXTS.items():
        code = row[column]
        row[f"{column}_text"] = texts.get(code) if isinstance(code, int) else None
    row["order_type_text"] = _order_type_text(attributes.order_types) if row["order_type"] is not None else None
    return row


def _order_type_text(codes: tuple[int, ...]) -> str | None:
    return ",".join(ORDER_TYPES[code] for code in codes if code in ORDER_TYPES) or None


def reject(shop_id: str, order: Order) -> dict[str, object]:
    """The expected row of `rejected_rows` for an order whose row cannot be typed."""
    return {
        "shop_id": shop_id,
        "order_id": None if order.bad_row == "order_id_missing" else order.order_id,
        "kind": order.bad_row,
        "created_time": None if order.bad_row == "created_time_text" else to_text(order.created),
    }

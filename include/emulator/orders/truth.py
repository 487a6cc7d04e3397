"""Expected rows of the warehouse's `orders` table, computed from an order's lifecycle, not from the response.

Money is text in yuan with two decimals, times are Beijing text, codes are integers. Texts are unchanged,
including empty ones. A field omitted from the response is null.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import to_text
from emulator.codes import ORDER_STATES, RESOURCE_TYPES, SHIP_STATES
from emulator.encodings import time_text, yuan
from emulator.orders.generator import Order, OrderGenerator
from emulator.orders.lifecycle import OrderSnapshot, snapshot_at

# API field -> column, where the names differ.
_COLUMNS = {"count": "quantity"}


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
        "resource_type_text": RESOURCE_TYPES.get(product.resource_type),
        "resource_id": product.resource_id,
        "title": product.title,
        "quantity": order.quantity,
        "price": yuan(order.price) if paid or not attributes.price_blank_until_paid else None,
        "coupon_id": attributes.coupon_id,
        "coupon_name": attributes.coupon_name,
        "coupon_price": yuan(order.coupon_price or attributes.no_coupon_price),
        "refund_money": yuan(attributes.no_refund if snapshot.refund_money is None else snapshot.refund_money),
        "order_state": snapshot.order_state,
        "order_state_text": ORDER_STATES.get(snapshot.order_state),
        "ship_state": snapshot.ship_state,
        "ship_state_text": SHIP_STATES.get(snapshot.ship_state),
        "pay_way": attributes.pay_way,
        "client_type": attributes.client_type,
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
    row.update(dict.fromkeys((_COLUMNS.get(field, field) for field in attributes.omitted), None))
    return row


def reject(shop_id: str, order: Order) -> dict[str, object]:
    """The expected row of `rejected_rows` for an order whose row cannot be typed."""
    return {
        "shop_id": shop_id,
        "order_id": None if order.bad_row == "order_id_missing" else order.order_id,
        "kind": order.bad_row,
        "created_time": None if order.bad_row == "created_time_text" else to_text(order.created),
    }

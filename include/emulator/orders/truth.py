"""What the warehouse's ``orders`` table must hold for an order: told from its story, not the API's answer.

Money is text in yuan with two decimals, times are Beijing text, codes are integers. Texts are as the API
sends them, an empty one included. A field the API leaves out is null.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import to_text
from emulator.codes import ORDER_STATES, RESOURCE_TYPES, SHIP_STATES
from emulator.encodings import time_text, yuan
from emulator.orders.generator import Book, Order
from emulator.orders.lifecycle import State, state_at

# The API's name of a field where the table's differs.
_COLUMNS = {"count": "quantity"}


def rows(shop_id: str, book: Book, begin: int, end: int, now: int) -> Iterator[dict[str, object] | None]:
    """Yield the expected rows of the orders created in [begin, end), and nothing for one that cannot be typed."""
    for order in map(book.order, book.created_between(begin, end, now)):
        yield None if order.bad_row else truth(shop_id, order, state_at(order.story, now))


def rejects(shop_id: str, book: Book, begin: int, end: int, now: int) -> Iterator[dict[str, object] | None]:
    """Yield what is expected of the orders whose rows cannot be typed, and nothing for the others."""
    for order in map(book.order, book.created_between(begin, end, now)):
        yield reject(shop_id, order) if order.bad_row else None


def truth(shop_id: str, order: Order, state: State) -> dict[str, object]:
    """Return the expected row, without the warehouse's bookkeeping columns."""
    product = order.product
    paid = state.pay_time is not None
    habits, receiver, no_text = order.habits, order.receiver, order.habits.no_text
    row: dict[str, object] = {
        "shop_id": shop_id,
        "order_id": order.order_id,
        "user_id": order.user_id,
        "resource_type": product.resource_type,
        "resource_type_text": RESOURCE_TYPES.get(product.resource_type),
        "resource_id": product.resource_id,
        "title": product.title,
        "quantity": order.quantity,
        "price": yuan(order.price) if paid or not habits.price_blank_until_paid else None,
        "coupon_id": habits.coupon_id,
        "coupon_name": habits.coupon_name,
        "coupon_price": yuan(order.coupon_price or habits.no_coupon_price),
        "refund_money": yuan(habits.no_refund if state.refund_money is None else state.refund_money),
        "order_state": state.order_state,
        "order_state_text": ORDER_STATES.get(state.order_state),
        "ship_state": state.ship_state,
        "ship_state_text": SHIP_STATES.get(state.ship_state),
        "pay_way": habits.pay_way,
        "client_type": habits.client_type,
        "collection_way": 1,
        "after_sales_state": state.after_sales_state,
        "team_buy_state": 0,
        "sales_state": state.sales_state,
        "out_order_id": habits.out_order_id,
        "transaction_id": order.transaction_id if paid else no_text,
        "goods_no": product.goods_no,
        "system_info": habits.system_info,
        "receiver_name": receiver.name if receiver else no_text,
        "receiver_phone": receiver.phone if receiver else no_text,
        "receiver_detail": receiver.address if receiver else no_text,
        "created_time": to_text(order.created),
        "pay_time": time_text(state.pay_time),
        "refund_time": time_text(state.refund_time),
        "settle_time": time_text(state.settle_time),
    }
    row.update(dict.fromkeys((_COLUMNS.get(field, field) for field in habits.omitted), None))
    return row


def reject(shop_id: str, order: Order) -> dict[str, object]:
    """Return what is expected in ``rejected_rows`` for an order whose row cannot be typed."""
    return {
        "shop_id": shop_id,
        "order_id": None if order.bad_row == "order_id_missing" else order.order_id,
        "kind": order.bad_row,
        "created_time": None if order.bad_row == "created_time_text" else to_text(order.created),
    }

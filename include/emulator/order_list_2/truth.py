"""The expected rows of `order_origins` and `order_lines`, of all orders created in a window."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import to_text
from emulator.codes import ORDER_LIST_2_AFTERSALES, ORDER_LIST_2_CHANNELS, ORDER_LIST_2_CLOSES, ORDER_LIST_2_STATES
from emulator.encodings import time_text, yuan
from emulator.order_list_2.changes import aftersale_of, changed_at, state_of
from emulator.order_list_2.response import channel_of, promoter_of
from emulator.orders.generator import Order, OrderGenerator
from emulator.orders.lifecycle import snapshot_at


def rows(shop_id: str, orders: OrderGenerator, begin: int, end: int, now: int) -> Iterator[dict[str, object]]:
    """The rows of `order_origins`."""
    for order in map(orders.order, orders.created_between(begin, end, now)):
        yield _origin(shop_id, order, now)


def lines(shop_id: str, orders: OrderGenerator, begin: int, end: int, now: int) -> Iterator[dict[str, object]]:
    """The rows of `order_lines`: one per order."""
    for order in map(orders.order, orders.created_between(begin, end, now)):
        yield {
            "shop_id": shop_id,
            "order_id": order.order_id,
            "line_no": 1,
            "sku_id": f"sku_{order.number}",
            "spu_id": order.product.resource_id,
            "goods_name": order.product.title,
            "buy_num": order.quantity,
            "unit_price": yuan(order.product.price),
            "total_price": yuan(order.product.price * order.quantity),
            "actual_fee": yuan(order.price),
            "refund_state": aftersale_of(order, now),
            "expire_start": time_text(snapshot_at(order.lifecycle, now).pay_time),
            "expire_end": None,
        }


def _origin(shop_id: str, order: Order, now: int) -> dict[str, object]:
    snapshot = snapshot_at(order.lifecycle, now)
    state, close_type = state_of(order, now)
    aftersale = aftersale_of(order, now)
    channel, room = channel_of(order)
    promoter = promoter_of(order)
    return {
        "shop_id": shop_id,
        "order_id": order.order_id,
        "user_id": order.user_id,
        "order_list_2_state": state,
        "order_list_2_state_text": ORDER_LIST_2_STATES[state],
        "order_list_2_aftersale": aftersale,
        "order_list_2_aftersale_text": ORDER_LIST_2_AFTERSALES[aftersale],
        "close_type": close_type,
        "close_type_text": ORDER_LIST_2_CLOSES[close_type],
        "actual_fee": yuan(order.price),
        "discount_amount": yuan(order.discount_price),
        "refund_fee": yuan(snapshot.refund_money),
        "refund_time": time_text(snapshot.refund_time),
        "settle_state": int(snapshot.settle_time is not None),
        "share_user_id": promoter,
        "share_type": 1 if promoter else 0,
        "channel_type": channel,
        "channel_type_text": ORDER_LIST_2_CHANNELS[channel],
        "channel_bus_id": room,
        "wx_app_type": 1,
        "relation_order_id": "",
        "created_time": to_text(order.created),
        "update_time": to_text(changed_at(order.lifecycle, now)),
    }

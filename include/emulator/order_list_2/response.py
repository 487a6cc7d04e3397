"""An order as order list 2.0 sends it (docs/xiaoe-api.md section 10): groups of fields, all money in fen."""

from __future__ import annotations

from emulator.clock import to_text
from emulator.encodings import UNKNOWN_FIELDS, Encoder
from emulator.order_list_2.changes import aftersale_of, changed_at, state_of
from emulator.orders.generator import Order
from emulator.orders.lifecycle import snapshot_at
from emulator.promoters.generator import promoters
from emulator.seeded import draw

_CHANNELS = 3
_BY_PROMOTER = 22
_SELLERS = 7


def promoter_of(order: Order) -> str | None:
    """The user who shared the product, of every order by a promoter, as far as its order_type is told."""
    attributes = order.attributes
    is_told = _BY_PROMOTER in attributes.order_types and "order_type" not in attributes.omitted
    return promoters()[order.number % _SELLERS].user_id if is_told else None


def channel_of(order: Order) -> tuple[int, str | None]:
    """channel_type, and the live room where it is 1."""
    channel = order.number % _CHANNELS
    return channel, f"l_room_{order.number % 11}" if channel == 1 else None


def render(order: Order, now: int, salt: int) -> dict[str, object]:
    """One element of the list; some have their lines in `goods_info.goods_list` instead of `good_list`."""
    snapshot = snapshot_at(order.lifecycle, now)
    state, close_type = state_of(order, now)
    changed = changed_at(order.lifecycle, now)
    encoder = Encoder(draw(order.encoding ^ salt, changed))
    channel, room = channel_of(order)
    info: dict[str, object] = {
        "order_id": order.order_id,
        "user_id": order.user_id,
        "order_state": encoder.number(state),
        "aftersale_show_state": encoder.number(aftersale_of(order, now)),
        "order_close_type": encoder.number(close_type),
        "actual_fee": encoder.fen(order.price),
        "discount_amount": encoder.fen(order.discount_price),
        "refund_fee": encoder.fen(snapshot.refund_money),
        "refund_time": encoder.time(snapshot.refund_time),
        "settle_state": int(snapshot.settle_time is not None),
        "share_user_id": promoter_of(order),
        "share_type": 1 if promoter_of(order) else 0,
        "channel_type": encoder.number(channel),
        "channel_bus_id": room,
        "wx_app_type": 1,
        "relation_order_id": "",
        "created_time": to_text(order.created),
        "update_time": to_text(changed),
        **(UNKNOWN_FIELDS if order.attributes.has_unknown_fields else {}),
    }
    line = {
        "sku_id": f"sku_{order.number}",
        "spu_id": order.product.resource_id,
        "goods_name": order.product.title,
        "buy_num": encoder.number(order.quantity),
        "unit_price": encoder.fen(order.product.price),
        "total_price": encoder.fen(order.product.price * order.quantity),
        "actual_fee": encoder.fen(order.price),
        "refund_state": aftersale_of(order, now),
        "expire_start": encoder.time(snapshot.pay_time),
        "expire_end": encoder.time(None),
    }
    is_apart = order.number % 2
    return {
        "order_info": info,
        **({"goods_info": {"goods_list": [line]}} if is_apart else {"good_list": [line]}),
        "buyer_info": {"nick_name": f"买家 {order.user_id}", "phone": "13800000000"},
        "payment_info": [],
        "ship_info": {"receiver": order.receiver.name} if order.receiver else [],
    }

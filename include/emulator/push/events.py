"""What a shop has to tell: the changes of its orders, and accounts that became one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from emulator.clock import DAY, to_text
from emulator.orders.generator import Order
from emulator.orders.lifecycle import AUTO_CANCELLED, CANCELLED, snapshot_at
from emulator.seeded import key_of
from emulator.shop import Shop

_LONGEST_LIFE = 80 * DAY
"""No order changes later than that."""
_MERGES = 41
"""Of every so many orders one is followed by a merge of its buyer's account with that of the order before it."""
_ACTION_TEXTS = {
    "create": "订单创建",
    "create_zero_order": "0元订单创建",
    "set_pay": "订单支付",
    "cancel": "订单取消",
    "confirm_ship": "订单发货",
    "confirm_receipt": "确认收货",
    "refund_callback": "订单退款",
    "settle": "订单结算",
}


class Event(NamedTuple):
    """A change: when (unix seconds), its `message_id`, the message's text, and the order it is of, if any."""

    at: int
    message_id: str
    text: bytes
    order_id: str | None


def events_between(shop: Shop, begin: int, end: int) -> list[Event]:
    """Everything that happens in [begin, end), in order.

    A merge of accounts changes no list of users: what becomes of the merged account there is not documented.
    """
    numbers = shop.orders.created_between(begin - _LONGEST_LIFE, end, end)
    found = [
        event for number in numbers for event in _events_of(shop, shop.orders.order(number)) if begin <= event.at < end
    ]
    return sorted(found, key=lambda event: (event.at, event.message_id))


def _events_of(shop: Shop, order: Order) -> Iterator[Event]:
    life = order.lifecycle
    refunded_at = life.refund.done_at if life.refund and life.refund.pays_back else None
    moments = {
        "create" if order.price else "create_zero_order": life.created,
        "set_pay": life.paid_at if order.price else None,
        "cancel": life.closed_at if life.closed_state in (AUTO_CANCELLED, CANCELLED) else None,
        "confirm_ship": life.shipped_at,
        "confirm_receipt": life.received_at,
        "refund_callback": refunded_at,
        "settle": life.settled_at,
    }
    for action, at in moments.items():
        if at is not None:
            yield _order_change(shop, order, action, at)
    if order.number % _MERGES == _MERGES - 1:
        yield _account_merge(shop, order)


def _message_id(app_id: str, at: int, *parts: object) -> str:
    return f"{to_text(at)[:10].replace('-', '')}_{key_of(app_id, at, *parts).hex()[:24]}"


def _order_change(shop: Shop, order: Order, action: str, at: int) -> Event:
    message_id = _message_id(shop.app_id, at, order.order_id, action)
    fields = {
        "action": action,
        "action_text": _ACTION_TEXTS[action],
        "app_id": shop.app_id,
        "channel_id": "0",
        "channel_name": "未知渠道来源",
        "order_id": order.order_id,
        "order_state": str(snapshot_at(order.lifecycle, at).order_state),
        "user_id": order.user_id,
        "version": "v1.1.0",
    }
    head = {"type": "order_change", "app_id": shop.app_id, "message_id": message_id, "retry_times": "0"}
    return Event(at, message_id, f"<doc>{_xml(head)}<xe_data>{_xml(fields)}</xe_data></doc>".encode(), order.order_id)


def _account_merge(shop: Shop, order: Order) -> Event:
    """Without a single root, as the documentation shows this one."""
    at = order.created + 3600
    message_id = _message_id(shop.app_id, at, order.order_id, "merge")
    fields = {
        "app_id": shop.app_id,
        "merged_at": to_text(at),
        "source_user_id": order.user_id,
        "target_user_id": shop.orders.order(order.number - 1).user_id,
    }
    head = {"app_id": shop.app_id, "message_id": message_id, "retry_times": "0", "type": "account_merge"}
    return Event(at, message_id, f"{_xml(head)}<xe_data>{_xml(fields)}</xe_data>".encode(), None)


def _xml(fields: dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())

"""Expected rows of the three lists about promoters, computed from who they are, not from the responses."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import DAY, to_text
from emulator.encodings import yuan
from emulator.orders.generator import OrderGenerator
from emulator.orders.lifecycle import snapshot_at
from emulator.promoters.generator import customers, group_name, promoters
from emulator.promoters.sales import sale_of
from emulator.users.generator import UserGenerator


def rows(shop_id: str) -> Iterator[dict[str, object]]:
    """Expected rows of `promoters`."""
    for one in promoters():
        yield {
            "shop_id": shop_id,
            "user_id": one.user_id,
            "nickname": one.nickname,
            "avatar": f"https://avatar.invalid/{one.user_id}",
            "level": str(one.level),
            "group_id": str(one.group),
            "group_name": group_name(one),
        }


def brought(shop_id: str, users: UserGenerator, now: int) -> Iterator[dict[str, object]]:
    """Expected rows of `promoter_customers`."""
    for promoter in promoters():
        for one in customers(promoter.user_id, users, now):
            yield {
                "shop_id": shop_id,
                "row_key": f"{promoter.user_id}/{one.user_id}",
                "promoter_id": promoter.user_id,
                "customer_id": one.user_id,
                "order_count": one.orders,
                "amount": yuan(one.spent),
                "bound_at": to_text(one.bound),
                "status": 1 if one.is_bound else 2,
                "expires_at": to_text(one.bound + 365 * DAY),
            }


def sales(shop_id: str, orders: OrderGenerator, begin: int, end: int, now: int) -> Iterator[dict[str, object] | None]:
    """Expected rows of `order_promoters`: of the paid orders created in a window."""
    for order in map(orders.order, orders.created_between(begin, end, now)):
        sale = sale_of(order)
        if sale is None or snapshot_at(order.lifecycle, now).pay_time is None:
            yield None
            continue
        yield {
            "shop_id": shop_id,
            "row_key": f"{order.order_id}/{sale.promoter.user_id}",
            "order_id": order.order_id,
            "promoter_id": sale.promoter.user_id,
            "level": str(sale.promoter.level),
            "amount": yuan(sale.share),
            "status": sale.status,
        }

"""Expected rows of `promoters` and `promoter_customers`, computed from who they are, not from the responses."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import DAY, to_text
from emulator.encodings import yuan
from emulator.promoters.generator import customers, group_name, promoters
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

"""The expected rows by table name; each resource's `truth` module documents its columns.

`begin` and `end` (half-open, unix seconds) bound the creation time of orders, after-sales and products, the
registration time of users, the planned start of live streams, also of their viewers, the days of learning, and when
those paid whose progress is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import emulator.learning.truth as learning
import emulator.live_streams.truth as live_streams
import emulator.live_viewers.truth as live_viewers
import emulator.order_list_2.truth as order_list_2
import emulator.orders.truth as orders
import emulator.products.truth as products
import emulator.promoters.truth as promoters
import emulator.refunds.truth as after_sales
import emulator.users.truth as users
from emulator.shop import Shop

# A row, or None, which only gives other requests a turn.
Rows = Iterator[dict[str, object] | None]


def _orders(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return orders.rows(shop.app_id, shop.orders, begin, end, now)


def _rejects(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return orders.rejects(shop.app_id, shop.orders, begin, end, now)


def _refunds(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return after_sales.rows(shop.app_id, shop.after_sales, shop.users.nicknames, begin, end, now)


def _users(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return users.rows(shop.app_id, shop.users, begin, end, now)


def _products(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return products.rows(shop.app_id, shop.products, begin, end, now)


def _live_streams(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return live_streams.rows(shop.app_id, shop.live_streams, begin, end, now)


def _order_origins(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return order_list_2.rows(shop.app_id, shop.orders, begin, end, now)


def _order_lines(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return order_list_2.lines(shop.app_id, shop.orders, begin, end, now)


def _live_viewers(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return live_viewers.rows(shop.app_id, shop.live_streams, shop.users, begin, end, now)


def _learning_days(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return learning.days(shop.app_id, shop.users, begin, end, now)


def _learning_progress(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return learning.progress(shop.app_id, shop.orders, shop.users, begin, end, now)


def _promoters(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return promoters.rows(shop.app_id)


def _promoter_customers(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return promoters.brought(shop.app_id, shop.users, now)


def _order_promoters(shop: Shop, begin: int, end: int, now: int) -> Rows:
    return promoters.sales(shop.app_id, shop.orders, begin, end, now)


TRUTHS: dict[str, Callable[[Shop, int, int, int], Rows]] = {
    "orders": _orders,
    "rejects": _rejects,
    "refunds": _refunds,
    "users": _users,
    "products": _products,
    "live_streams": _live_streams,
    "order_origins": _order_origins,
    "order_lines": _order_lines,
    "live_viewers": _live_viewers,
    "learning_days": _learning_days,
    "learning_progress": _learning_progress,
    "promoters": _promoters,
    "promoter_customers": _promoter_customers,
    "order_promoters": _order_promoters,
}

"""`xe.order.list.get/1.0.1` (docs/xiaoe-api.md section 2)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from emulator.clock import DAY
from emulator.errors import ApiError
from emulator.limits import Limit
from emulator.listing import NumberedPages, Request, integer, list_data, parse_page
from emulator.options import Options
from emulator.orders.generator import OrderGenerator
from emulator.orders.lifecycle import snapshot_at
from emulator.orders.response import render
from emulator.shop import Shop

PAGE_SIZE = 200
WIDEST = 7 * DAY
FILTERS = (
    "order_id", "resource_id", "transaction_id", "out_order_id", "user_id", "order_state", "ship_state",
    "sales_state", "resource_type",
)  # fmt: skip
_ORDERS = {"created_at:asc": 1, "created_at:desc": -1}
_FOREVER = 1 << 62


def _window(body: dict[str, object], now: int, options: Options) -> tuple[int, int]:
    """The requested window, half-open.

    Guesses: a missing end is now, a missing begin a day before the end; a too
    wide window that is cut keeps its begin.
    """
    end = integer(body, "end_time", now, 0)
    begin = integer(body, "begin_time", max(0, end - DAY), 0)
    if end - begin > WIDEST and options.wide_window != "served":
        if options.wide_window == "error":
            raise ApiError(1002, "the window is wider than 7 days")
        end = begin + WIDEST
    return begin if options.begin_inclusive else begin + 1, end + 1 if options.end_inclusive else end


def _filters(body: dict[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(body[name])) for name in FILTERS if body.get(name) not in (None, ""))


class OrderListing(NumberedPages):
    """The orders of one window, and the requested page."""

    def __init__(self, orders: OrderGenerator, numbers: Sequence[int], now: int, salt: int, request: Request) -> None:
        super().__init__(request, len(numbers))
        self._orders = orders
        self._numbers = numbers
        self._now = now
        self._salt = salt

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """The rows at these positions of the window."""
        orders = (self._orders.order(self._numbers[position]) for position in positions)
        return [msgspec.Raw(render(order, snapshot_at(order.lifecycle, self._now), self._salt)) for order in orders]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """`{"total", "list"}`, or one of the empty shapes (docs/xiaoe-api.md section 9.3)."""
        return list_data(self.key, total, rows)


class OrderEndpoint:
    """Lists the orders created in a window of at most seven days."""

    path = "xe.order.list.get/1.0.1"
    resource = "orders"

    def limit(self, options: Options) -> Limit:
        """The documented 3000 calls in 10 s, unless `--order-quota` changes it."""
        return Limit(options.order_quota, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> OrderListing:
        """Parse a request; unknown keys such as `page` are ignored, as in the live API."""
        direction = _ORDERS.get(str(body.get("order_by") or "created_at:asc"))
        if direction is None:
            raise ApiError(1002, "order_by is invalid")
        request = parse_page(shop, body, "page_index", PAGE_SIZE, PAGE_SIZE)
        numbers = self._numbers(shop, body, now, options)[::direction]
        salt = call if options.jitter == "per_call" else 0
        return OrderListing(shop.orders, numbers, now, salt, request)

    def _numbers(self, shop: Shop, body: dict[str, object], now: int, options: Options) -> Sequence[int]:
        begin, end = _window(body, now, options)
        filters = _filters(body)
        order_id = dict(filters).get("order_id")
        if order_id and options.order_id_window == "ignored":
            begin, end = 0, _FOREVER
        created = shop.orders.created_between(begin, end, now)
        numbers: Sequence[int] = shop.orders.with_id(order_id, created) if order_id else created
        return shop.orders.matching(numbers, filters, now) if filters else numbers

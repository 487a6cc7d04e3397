"""`xe.ecommerce.order.list/1.0.0` (docs/xiaoe-api.md section 10), filtered by the last change only."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from emulator.clock import DAY, to_unix
from emulator.errors import ApiError
from emulator.limits import Limit
from emulator.listing import NumberedPages, Request, list_data, parse_page
from emulator.options import Options
from emulator.order_list_2.changes import changed_between
from emulator.order_list_2.response import render
from emulator.orders.generator import OrderGenerator
from emulator.shop import Shop

PAGE_SIZE = 100
WIDEST = 31 * DAY
_FIELDS = ("created_at", "pay_time", "settle_time", "updated_at")


class ChangedOrderListing(NumberedPages):
    """The orders that last changed in a window, and the requested page."""

    def __init__(self, orders: OrderGenerator, numbers: Sequence[int], now: int, salt: int, request: Request) -> None:
        super().__init__(request, len(numbers))
        self._orders = orders
        self._numbers = numbers
        self._now = now
        self._salt = salt

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """The rows at these positions of the window."""
        orders = (self._orders.order(self._numbers[position]) for position in positions)
        return [msgspec.Raw(msgspec.json.encode(render(order, self._now, self._salt))) for order in orders]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """`{"total", "list", "page", "page_size"}`, or one of the empty shapes (docs/xiaoe-api.md section 9.3)."""
        return list_data(self.key, total, rows, page=self.page, page_size=self.page_size)


def _window(body: dict[str, object], now: int) -> tuple[int, int]:
    """The requested times, half-open, both inclusive; the end of a window over 31 days is silently cut.

    Guesses: without times, all of them up to now; the begin is kept.
    """
    try:
        begin = to_unix(str(body.get("update_time_start") or "1970-01-02"))
        end = to_unix(str(body["update_time_end"])) if body.get("update_time_end") else now
    except ValueError:
        raise ApiError(1002, "update_time is invalid") from None
    return begin, min(end, begin + WIDEST) + 1 if body.get("update_time_start") else end + 1


class ChangedOrderEndpoint:
    """Lists the orders that last changed in a window of at most 31 days."""

    path = "xe.ecommerce.order.list/1.0.0"
    resource = "order_origins"

    def limit(self, options: Options) -> Limit:
        """The documented 20 calls a second."""
        return Limit(20, 1.0)

    def listing(
        self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options
    ) -> ChangedOrderListing:
        """Parse a request. Guess: by the last change, descending unless asked for otherwise."""
        if str(body.get("order_by") or "updated_at") not in _FIELDS:
            raise ApiError(1002, "order_by is invalid")
        request = parse_page(shop, body, "page", PAGE_SIZE, PAGE_SIZE)
        numbers = changed_between(shop.orders, *_window(body, now), now)
        direction = 1 if body.get("order_asc") == "asc" else -1
        salt = call if options.jitter == "per_call" else 0
        return ChangedOrderListing(shop.orders, numbers[::direction], now, salt, request)

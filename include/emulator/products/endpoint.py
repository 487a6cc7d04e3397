"""`xe.goods.list.get/4.0.0` (docs/xiaoe-api.md section 5)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from emulator.clock import DAY, to_unix
from emulator.errors import ApiError
from emulator.limits import Limit
from emulator.listing import NumberedPages, Request, list_data, parse_page
from emulator.options import Options
from emulator.products.generator import Goods, snapshot_at
from emulator.products.response import render
from emulator.shop import Shop

PAGE_SIZE = 100
_DEFAULT_PAGE_SIZE = 10
WIDEST = 15 * DAY


def _moment(body: dict[str, object], name: str) -> int | None:
    """Parse a time; its format is not documented, so unix seconds and Beijing text are both accepted."""
    value = body.get(name)
    if value in (None, ""):
        return None
    text = str(value)
    try:
        return int(text) if text.isdecimal() else to_unix(text)
    except ValueError:
        raise ApiError(1002, f"{name} is invalid") from None


def _window(body: dict[str, object]) -> tuple[int, int] | None:
    """The requested times, both inclusive (a guess)."""
    begin, end = _moment(body, "start_time"), _moment(body, "end_time")
    if begin is None and end is None:
        return None
    if begin is None or end is None:
        raise ApiError(1002, "start_time and end_time go together")
    if end - begin > WIDEST:
        raise ApiError(1002, "the window is wider than 15 days")
    return begin, end


class ProductListing(NumberedPages):
    """The products that match a request, and the requested page."""

    def __init__(self, products: Sequence[Goods], now: int, salt: int, request: Request) -> None:
        super().__init__(request, len(products))
        self._products = products
        self._now = now
        self._salt = salt

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """The rows at these positions."""
        page = (self._products[position] for position in positions)
        rows = (render(goods, snapshot_at(goods, self._now), self._salt) for goods in page)
        return [msgspec.Raw(msgspec.json.encode(row)) for row in rows]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """`{"current_page", "list", "total"}`, or one of the empty shapes (docs/xiaoe-api.md section 9.3)."""
        return list_data(self.key, total, rows, current_page=self.page)


class ProductEndpoint:
    """Lists a shop's products, deleted ones included (`is_deleted` 1). Guess: newest first."""

    path = "xe.goods.list.get/4.0.0"
    resource = "products"

    def limit(self, options: Options) -> Limit:
        """The documented 3000 calls in 10 s."""
        return Limit(3000, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> ProductListing:
        """Parse a request; unknown keys such as `page_index` are ignored."""
        window = _window(body)
        request = parse_page(shop, body, "page", _DEFAULT_PAGE_SIZE, PAGE_SIZE)
        filters = {
            name: str(body[name]) for name in ("resource_type", "sale_status") if body.get(name) not in (None, "")
        }
        products = shop.products.listed(now)
        if window:
            products = [goods for goods in products if window[0] <= goods.created <= window[1]]
        if filters:
            products = [goods for goods in products if _matches(goods, now, filters)]
        return ProductListing(products, now, call if options.jitter == "per_call" else 0, request)


def _matches(goods: Goods, now: int, filters: dict[str, str]) -> bool:
    values = {"resource_type": goods.product.resource_type, "sale_status": snapshot_at(goods, now).sale_status}
    return all(str(values[name]) == text for name, text in filters.items())

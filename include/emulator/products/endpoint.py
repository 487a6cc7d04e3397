"""``xe.goods.list.get/4.0.0`` (docs/xiaoe-api.md section 5)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from emulator.clock import DAY, to_unix
from emulator.errors import ApiError
from emulator.limits import Limit
from emulator.listing import NumberedPages, Request, request_of, shape_of
from emulator.options import Options
from emulator.products.generator import Goods, display_at
from emulator.products.response import render
from emulator.shop import Shop

PAGE_SIZE = 100
_DEFAULT_PAGE_SIZE = 20
WIDEST = 15 * DAY


def _moment(body: dict[str, object], name: str) -> int | None:
    """Read a time; its format is not documented, so unix seconds and Beijing text are both understood."""
    value = body.get(name)
    if value in (None, ""):
        return None
    text = str(value)
    try:
        return int(text) if text.isdecimal() else to_unix(text)
    except ValueError:
        raise ApiError(1002, f"{name} is invalid") from None


def _window(body: dict[str, object]) -> tuple[int, int] | None:
    """Return the times asked for, both included (a guess)."""
    begin, end = _moment(body, "start_time"), _moment(body, "end_time")
    if begin is None and end is None:
        return None
    if begin is None or end is None:
        raise ApiError(1002, "start_time and end_time go together")
    if end - begin > WIDEST:
        raise ApiError(1002, "the window is wider than 15 days")
    return begin, end


class ProductListing(NumberedPages):
    """The products asked for, of which one page is wanted."""

    def __init__(self, products: Sequence[Goods], now: int, salt: int, request: Request) -> None:
        super().__init__(request, len(products))
        self._products = products
        self._now = now
        self._salt = salt

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """Return the rows at these positions."""
        wanted = (self._products[position] for position in positions)
        products = (render(goods, display_at(goods, self._now), self._salt) for goods in wanted)
        return [msgspec.Raw(msgspec.json.encode(product)) for product in products]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """Return ``{"current_page", "list", "total"}``, or one of the shapes of nothing."""
        return shape_of(self.key, total, rows, current_page=self.page)


class ProductList:
    """Lists a shop's products; the order is not documented, newest first is a guess, 20 a page as well."""

    path = "xe.goods.list.get/4.0.0"

    def limit(self, options: Options) -> Limit:
        """Return the documented 3000 calls in 10 s."""
        return Limit(3000, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> ProductListing:
        """Read a request; unknown keys such as ``page_index`` are ignored."""
        window = _window(body)
        request = request_of(shop, body, "page", _DEFAULT_PAGE_SIZE, PAGE_SIZE)
        wanted = {
            name: str(body[name]) for name in ("resource_type", "sale_status") if body.get(name) not in (None, "")
        }
        products = shop.products.listed(now)
        if window:
            products = [goods for goods in products if window[0] <= goods.created <= window[1]]
        if wanted:
            products = [goods for goods in products if _matches(goods, now, wanted)]
        return ProductListing(products, now, call if options.jitter == "per_call" else 0, request)


def _matches(goods: Goods, now: int, wanted: dict[str, str]) -> bool:
    values = {"resource_type": goods.product.resource_type, "sale_status": display_at(goods, now).sale_status}
    return all(str(values[name]) == text for name, text in wanted.items())

"""`xe.ecommerce.after_sale.list/1.0.0` (docs/xiaoe-api.md section 3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from emulator.clock import DAY, to_unix
from emulator.errors import ApiError
from emulator.limits import Limit
from emulator.listing import NumberedPages, Request, integer, list_data, parse_page
from emulator.options import Options
from emulator.refunds.generator import AfterSaleQuery, snapshot_at
from emulator.refunds.response import render
from emulator.shop import Shop

PAGE_SIZE = 100
_DEFAULT_PAGE_SIZE = 20
DATE_TYPES = ("created_at", "updated_at", "refund_time", "apply_time")
# The filter sales_state: -1 all, 1 待商家处理, 2 售后成功, 3 已撤销, 6 售后中.
SALES_STATES: dict[int, tuple[int, ...]] = {
    -1: (),
    1: (0, 2, 3, 8, 19),
    2: (13, 14, 15),
    3: (1, 7),
    6: (6, 11, 16, 17),
}
_WINDOW = re.compile(r"(\d{4}-\d\d-\d\d)\|\|(\d{4}-\d\d-\d\d)")


class AfterSaleListing(NumberedPages):
    """The after-sales of one window, and the requested page."""

    def __init__(self, shop: Shop, found: Sequence[int], now: int, salt: int, request: Request) -> None:
        super().__init__(request, len(found))
        self._shop = shop
        self._found = found
        self._now = now
        self._salt = salt

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """The rows at these positions of the window."""
        return [msgspec.Raw(msgspec.json.encode(self._row(self._found[position]))) for position in positions]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """`{"row_count", "list"}`, or one of the empty shapes (docs/xiaoe-api.md section 9.3)."""
        return list_data(self.key, total, rows, "row_count")

    def _row(self, code: int) -> dict[str, object]:
        after_sale = self._shop.after_sales.after_sale(code)
        nickname = self._shop.users.nicknames.of(after_sale.order.user_id)
        return render(after_sale, snapshot_at(after_sale, self._now), nickname, self._salt)


def _query(body: dict[str, object]) -> AfterSaleQuery:
    """Parse a request. Guesses: a window is required, and which states each `sales_state` means."""
    field = str(body.get("date_type") or DATE_TYPES[0])
    if field not in DATE_TYPES:
        raise ApiError(1002, "date_type is invalid")
    window = _WINDOW.fullmatch(str(body.get("created_at")))
    states = SALES_STATES.get(integer(body, "sales_state", -1, -1))
    try:
        begin, last = (to_unix(day) for day in window.groups()) if window else (1, 0)
    except ValueError:
        begin, last = 1, 0
    if last < begin:
        raise ApiError(1002, "created_at is invalid")
    if states is None:
        raise ApiError(1002, "sales_state is invalid")
    return AfterSaleQuery(field, begin, last + DAY, states)


class AfterSaleEndpoint:
    """Lists the after-sales of a range of days, both inclusive, latest first.

    Guesses: 20 per page, at most 100 (more is silently 100); within a second the one with the younger order is
    first.
    """

    path = "xe.ecommerce.after_sale.list/1.0.0"
    resource = "refunds"

    def limit(self, options: Options) -> Limit:
        """The documented 300 calls per minute."""
        return Limit(300, 60.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> AfterSaleListing:
        """Parse a request; unknown keys such as `page` are ignored."""
        request = parse_page(shop, body, "page_index", _DEFAULT_PAGE_SIZE, PAGE_SIZE)
        found = shop.after_sales.found(_query(body), now)
        return AfterSaleListing(shop, found, now, call if options.jitter == "per_call" else 0, request)

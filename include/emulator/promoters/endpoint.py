"""The list of promoters, of one promoter's customers, and of one order's promoter (docs/xiaoe-api.md section 10).

Clients and documentation spell rows and total of the customers differently: some shops answer one way, some the other.
"""

from __future__ import annotations

import msgspec

from emulator.clock import DAY, to_text
from emulator.encodings import Encoder
from emulator.errors import ApiError
from emulator.learning.endpoint import PlainListing
from emulator.limits import Limit
from emulator.listing import Request, integer, parse_page, window_key
from emulator.options import Options
from emulator.promoters.generator import customers, group_name, promoters
from emulator.promoters.sales import sale_of
from emulator.seeded import key_of
from emulator.shop import Shop

_PROMOTERS_PAGE, _CUSTOMERS_PAGE, _DEFAULT_PAGE = 50, 100, 10
_OF_STATE = {0: (True, False), 1: (True,), 2: (False,)}


class CountedListing(PlainListing):
    """Rows that are made already, with a total of a certain name."""

    def __init__(self, made: list[dict[str, object]], names: tuple[str, str], request: Request) -> None:
        super().__init__(made, names[0], request)
        self._names = names

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """Rows and total."""
        return dict(zip(self._names, (rows, total), strict=True))


class PromoterEndpoint:
    """Lists promoters. Guesses: 10 per page, at most 50; 500 calls in 10 s, as for the call about one order."""

    path = "xe.distributor.list.get/1.0.0"
    resource = "promoters"

    def limit(self, options: Options) -> Limit:
        """A guess."""
        return Limit(500, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> CountedListing:
        """Parse a request."""
        made: list[dict[str, object]] = [
            {
                "user_id": one.user_id,
                "nickname": one.nickname,
                "avatar": f"https://avatar.invalid/{one.user_id}",
                "level": one.level,
                "group_id": one.group,
                "group_name": group_name(one),
            }
            for one in promoters()
        ]
        request = parse_page(shop, body, "page_index", _DEFAULT_PAGE, _PROMOTERS_PAGE)
        return CountedListing(made, ("return_list", "count"), request)


class CustomerEndpoint:
    """Lists a promoter's customers. Guess: a user who is no promoter is refused with 1002."""

    path = "xe.distributor.member.sub_customer/1.0.0"
    resource = "promoter_customers"

    def limit(self, options: Options) -> Limit:
        """The documented 3000 calls in 10 s."""
        return Limit(3000, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> CountedListing:
        """Parse a request."""
        asked = str(body.get("user_id") or "")
        states = _OF_STATE.get(integer(body, "bind_state", 0, 0))
        if states is None or asked not in {one.user_id for one in promoters()}:
            raise ApiError(1002, "user_id or bind_state is invalid")
        salt = call if options.jitter == "per_call" else 0
        made: list[dict[str, object]] = []
        for one in customers(asked, shop.users, now):
            encoder = Encoder(one.bits ^ salt)
            if one.is_bound in states:
                made.append(
                    {
                        "sub_user_id": one.user_id,
                        "wx_nickname": shop.users.nicknames.of(one.user_id),
                        "order_num": encoder.number(one.orders),
                        "sum_price": encoder.fen(one.spent),
                        "bind_time": encoder.time(one.bound),
                        "status": encoder.number(1 if one.is_bound else 2),
                        "expired_at": encoder.time(one.bound + 365 * DAY),
                    }
                )
        names = ("list", "total") if key_of(shop.app_id)[0] & 1 else ("return_list", "count")
        return CountedListing(made, names, parse_page(shop, body, "page_index", _DEFAULT_PAGE, _CUSTOMERS_PAGE))


class ArrayListing(PlainListing):
    """Rows that are made already; `data` is the array of them, whatever page is asked for."""

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """The rows themselves."""
        return rows


class OrderPromoterEndpoint:
    """Who brought the buyer of one order. Guesses: nobody is an empty array; an unknown order is refused with 1002."""

    path = "xe.distributor.order.get/2.0.0"
    resource = "order_promoters"

    def limit(self, options: Options) -> Limit:
        """The documented 500 calls in 10 s."""
        return Limit(500, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> ArrayListing:
        """Parse a request."""
        known = shop.orders.created_between(0, now + 1, now)
        numbers = shop.orders.with_id(str(body.get("order_id") or ""), known)
        if not numbers:
            raise ApiError(1002, "order_id is invalid")
        order = shop.orders.order(numbers[0])
        sale = sale_of(order)
        made: list[dict[str, object]] = []
        if sale is not None:
            encoder = Encoder(order.encoding ^ (call if options.jitter == "per_call" else 0))
            made.append(
                {
                    "order_at": to_text(order.created),
                    "purchase_name": order.product.title,
                    "price": encoder.fen(order.price),
                    "status": encoder.number(sale.status),
                    "distributor": {
                        "user_id": sale.promoter.user_id,
                        "nickname": sale.promoter.nickname,
                        "level": sale.promoter.level,
                        "distribute_price": encoder.fen(sale.share),
                    },
                    "superior": None,
                }
            )
        return ArrayListing(made, "", Request(window_key(shop, body, "page"), 1, _DEFAULT_PAGE))

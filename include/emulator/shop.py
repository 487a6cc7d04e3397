"""One shop of the emulator: its credentials, tokens and data."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.clock import to_unix
from emulator.live_streams.generator import LiveStreamGenerator
from emulator.options import Credentials, Options
from emulator.orders.arrivals import Arrivals
from emulator.orders.generator import OrderGenerator
from emulator.products.generator import ProductGenerator
from emulator.refunds.generator import AfterSaleGenerator
from emulator.seeded import key_of
from emulator.tokens import TokenIssuer
from emulator.users.generator import UserGenerator
from emulator.users.registrations import Registrations, Visibility


@dataclass
class Shop:
    """A shop; `app_id` is its id in the warehouse."""

    credentials: Credentials
    tokens: TokenIssuer
    orders: OrderGenerator
    after_sales: AfterSaleGenerator
    users: UserGenerator
    products: ProductGenerator
    live_streams: LiveStreamGenerator

    @property
    def app_id(self) -> str:
        """The shop's id."""
        return self.credentials.app_id


def open_shop(credentials: Credentials, options: Options, now: int) -> Shop:
    """Generate a shop from the seed; `now` is used only with `options.orders`."""
    key = key_of(options.seed, credentials.app_id)
    start = to_unix(options.start)
    if options.orders is None:
        arrivals = Arrivals(key, start, options.orders_per_day, even=options.even)
    else:
        arrivals = Arrivals.with_total(key, start, options.orders, now, even=options.even)
    orders = OrderGenerator(key, arrivals, options.bad_rows)
    products = ProductGenerator(key, start, orders.catalogue, drops_deleted=options.deleted_products == "dropped")
    visibility = Visibility(
        options.users_share,
        options.users_vanish_share,
        to_unix(options.users_vanish_at) if options.users_vanish_at else 0,
    )
    return Shop(
        credentials,
        TokenIssuer(key_of(key.hex(), credentials.client_id), options.token_life, options.token_mode),
        orders,
        AfterSaleGenerator(key, orders),
        UserGenerator(key, orders.catalogue, Registrations(key, start, arrivals), visibility),
        products,
        LiveStreamGenerator(key, start, products),
    )

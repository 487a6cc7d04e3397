"""One shop of the emulator: its credentials, tokens and data."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.clock import to_unix
from emulator.live_streams.generator import LiveBook
from emulator.options import Credentials, Options
from emulator.orders.arrivals import Rhythm
from emulator.orders.generator import Book
from emulator.products.generator import ProductBook
from emulator.refunds.generator import CaseBook
from emulator.seeded import key_of
from emulator.tokens import TokenOffice
from emulator.users.generator import UserBook
from emulator.users.registrations import Crowd, Hiding


@dataclass
class Shop:
    """A shop; ``app_id`` is its id in the warehouse."""

    credentials: Credentials
    tokens: TokenOffice
    orders: Book
    after_sales: CaseBook
    users: UserBook
    products: ProductBook
    lives: LiveBook

    @property
    def app_id(self) -> str:
        """Return the shop's id."""
        return self.credentials.app_id


def open_shop(credentials: Credentials, options: Options, now: int) -> Shop:
    """Make a shop from the seed; ``now`` matters only for ``options.orders``."""
    key = key_of(options.seed, credentials.app_id)
    start = to_unix(options.start)
    if options.orders is None:
        rhythm = Rhythm(key, start, options.orders_per_day, even=options.even)
    else:
        rhythm = Rhythm.with_total(key, start, options.orders, now, even=options.even)
    orders = Book(key, rhythm, options.bad_rows)
    products = ProductBook(key, start, orders.catalogue)
    hiding = Hiding(
        options.users_share,
        options.users_vanish_share,
        to_unix(options.users_vanish_at) if options.users_vanish_at else 0,
    )
    return Shop(
        credentials,
        TokenOffice(key_of(key.hex(), credentials.client_id), options.token_life, options.token_mode),
        orders,
        CaseBook(key, orders),
        UserBook(key, orders.catalogue, Crowd(key, start, rhythm), hiding),
        products,
        LiveBook(key, start, products),
    )

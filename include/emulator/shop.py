"""One shop of the emulator: its credentials, tokens and data."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.aftersales.book import CaseBook
from emulator.clock import to_unix
from emulator.dice import key_of
from emulator.lives.book import LiveBook
from emulator.options import Credentials, Options
from emulator.orders.book import Book
from emulator.orders.rhythm import Rhythm
from emulator.products.book import ProductBook
from emulator.tokens import TokenOffice
from emulator.users.book import UserBook
from emulator.users.crowd import Crowd, Hiding


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

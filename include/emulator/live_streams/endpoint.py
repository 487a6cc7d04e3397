"""``xe.alive.list.get/1.0.0`` (docs/xiaoe-api.md section 6): documented by name, so much of this is a guess."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from emulator.limits import Limit
from emulator.listing import NumberedPages, Request, request_of, shape_of
from emulator.live_streams.generator import Live, screen_at
from emulator.live_streams.response import render
from emulator.options import Options
from emulator.shop import Shop

PAGE_SIZE = 100
_DEFAULT_PAGE_SIZE = 20


class LiveListing(NumberedPages):
    """All live streams, of which one page is wanted."""

    def __init__(self, lives: Sequence[Live], now: int, salt: int, request: Request) -> None:
        super().__init__(request, len(lives))
        self._lives = lives
        self._now = now
        self._salt = salt

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """Return the rows at these positions."""
        wanted = (self._lives[position] for position in positions)
        lives = (render(live, screen_at(live, self._now), self._salt) for live in wanted)
        return [msgspec.Raw(msgspec.json.encode(live)) for live in lives]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """Return ``{"total", "list"}``, or one of the shapes of nothing (docs/xiaoe-api.md section 9.3)."""
        return shape_of(self.key, total, rows)


class LiveList:
    """Lists a shop's live streams.

    Guesses: latest start first; 20 a page, at most 100, more is silently 100; the total is called ``total``;
    100 calls in 10 s, which is documented for the call by ids; what lies in the recycle bin is listed.
    """

    path = "xe.alive.list.get/1.0.0"

    def limit(self, options: Options) -> Limit:
        """Return the 100 calls in 10 s of the call by ids."""
        return Limit(100, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> LiveListing:
        """Read a request; unknown keys such as ``page_index`` are ignored."""
        request = request_of(shop, body, "page", _DEFAULT_PAGE_SIZE, PAGE_SIZE)
        return LiveListing(shop.lives.listed(now), now, call if options.jitter == "per_call" else 0, request)

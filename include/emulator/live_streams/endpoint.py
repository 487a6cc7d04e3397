"""`xe.alive.list.get/1.0.0` (docs/xiaoe-api.md section 6): documented by name, so much of this is a guess."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from emulator.limits import Limit
from emulator.listing import NumberedPages, Request, list_data, parse_page
from emulator.live_streams.generator import LiveStream, snapshot_at
from emulator.live_streams.response import render
from emulator.options import Options
from emulator.shop import Shop

PAGE_SIZE = 100
_DEFAULT_PAGE_SIZE = 20


class LiveStreamListing(NumberedPages):
    """All live streams, and the requested page."""

    def __init__(self, streams: Sequence[LiveStream], now: int, salt: int, request: Request) -> None:
        super().__init__(request, len(streams))
        self._streams = streams
        self._now = now
        self._salt = salt

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """The rows at these positions."""
        page = (self._streams[position] for position in positions)
        rows = (render(live, snapshot_at(live, self._now), self._salt) for live in page)
        return [msgspec.Raw(msgspec.json.encode(row)) for row in rows]

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """`{"total", "list"}`, or one of the empty shapes (docs/xiaoe-api.md section 9.3)."""
        return list_data(self.key, total, rows)


class LiveStreamEndpoint:
    """Lists a shop's live streams.

    Guesses: latest start first; 20 per page, at most 100 (more is silently 100); the total is called `total`;
    100 calls in 10 s, as documented for the call by ids; streams in the recycle bin are listed.
    """

    path = "xe.alive.list.get/1.0.0"
    resource = "live_streams"

    def limit(self, options: Options) -> Limit:
        """The 100 calls in 10 s of the call by ids."""
        return Limit(100, 10.0)

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> LiveStreamListing:
        """Parse a request; unknown keys such as `page_index` are ignored."""
        request = parse_page(shop, body, "page", _DEFAULT_PAGE_SIZE, PAGE_SIZE)
        return LiveStreamListing(
            shop.live_streams.listed(now), now, call if options.jitter == "per_call" else 0, request
        )

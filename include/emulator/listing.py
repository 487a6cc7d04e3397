"""The common parts of the list endpoints: a request becomes a `Listing`, of which any span of rows can be encoded.

A new resource is a module like `products/endpoint.py`: a class with `path`, `limit` and `listing`, registered
in `api.ENDPOINTS`. Data faults work on row spans and therefore apply to every listing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from emulator.errors import ApiError
from emulator.limits import Limit
from emulator.options import Options
from emulator.seeded import key_of
from emulator.shop import Shop


class RowSpan(NamedTuple):
    """The rows of a listing that an answer contains, [start, stop) without `lost`, and the total it reports."""

    start: int
    stop: int
    total: int
    lost: frozenset[int] = frozenset()


class Listing(Protocol):
    """All rows that match a request, and the page it asks for."""

    key: str  # the same for all pages of one window
    page: int  # from 1
    page_size: int
    start: int  # position of the page's first row
    total: int
    follows: bool  # whether a page starts where the previous one ended, regardless of its contents (a cursor)

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """The rows at these positions of the listing, as JSON."""

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """The envelope's `data`."""


class Endpoint(Protocol):
    """One list interface of the API."""

    path: str
    resource: str  # its name in `options.RESOURCES`

    def limit(self, options: Options) -> Limit:
        """The interface's call limit."""

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> Listing:
        """Parse a request; `call` is the call's serial number. Raises ApiError 1002 for an invalid parameter."""


class Request(NamedTuple):
    """The requested page; `key` is the same for all pages of one window."""

    key: str
    page: int
    page_size: int


class NumberedPages:
    """The common part of all `Listing` classes with numbered pages."""

    follows = False

    def __init__(self, request: Request, total: int) -> None:
        self.key, self.page, self.page_size = request
        self.start = (self.page - 1) * self.page_size
        self.total = total


def parse_page(shop: Shop, body: dict[str, object], page_key: str, default: int, most: int) -> Request:
    """Parse the requested page; a `page_size` over `most` is silently reduced to `most`."""
    return Request(
        window_key(shop, body, page_key),
        integer(body, page_key, 1, 1),
        min(integer(body, "page_size", default, 1), most),
    )


def window_key(shop: Shop, body: dict[str, object], page_key: str) -> str:
    """The identity of a window: every parameter except the page and the token."""
    asked = {name: value for name, value in body.items() if name not in ("access_token", page_key)}
    return json.dumps([shop.app_id, asked], sort_keys=True)


def list_data(
    key: str, total: int, rows: list[msgspec.Raw], total_key: str = "total", **more: object
) -> dict[str, object] | list[object] | None:
    """`{total_key: total, "list": rows}`, or one of the empty shapes (docs/xiaoe-api.md section 9.3)."""
    if rows:
        return {total_key: total, "list": rows, **more}
    kind = key_of(key)[0]
    if total:
        return {total_key: total, "list": None if kind & 1 else [], **more}
    return ({total_key: 0, "list": [], **more}, {total_key: 0, "list": None, **more}, None, [], {})[kind % 5]


def requested_span(listing: Listing, cap: int | None) -> RowSpan:
    """The rows of an answer without faults. Raises ApiError 1002 for a page that starts after row `cap`.

    Guess, from the cursor's name `es_skip`: a search engine with its default result window of 10,000 rows.
    """
    if cap is not None and listing.start >= cap:
        raise ApiError(1002, f"result window is too large, it must end at row {cap}")
    last = listing.total if cap is None else min(listing.total, cap)
    start = min(listing.start, last)
    return RowSpan(start, min(start + listing.page_size, last), listing.total)


def encode(listing: Listing, span: RowSpan, cap: int | None) -> object:
    """The envelope's `data` for a span of rows; a total over `cap` is reported as `cap`."""
    positions = [place for place in range(max(0, span.start), min(span.stop, listing.total)) if place not in span.lost]
    total = span.total if cap is None else min(span.total, cap)
    return listing.data(total, listing.rows(positions))


def integer(body: dict[str, object], name: str, default: int, least: int) -> int:
    """Parse a parameter sent as a number or as digits. Raises ApiError 1002 below `least` or for anything else."""
    value = body.get(name)
    if value is None or value == "":
        return default
    try:
        number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else least - 1
    except ValueError:
        number = least - 1
    if number < least:
        raise ApiError(1002, f"{name} is invalid")
    return number

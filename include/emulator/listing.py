"""The skeleton of a listing interface: a request becomes a ``Listing``, of which any cut can be rendered.

A further resource is a module like ``products/endpoint.py``: a class with ``path``, ``limit`` and ``listing``,
entered in ``api.INTERFACES``. Faults in the data work on cuts and so serve every listing.
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


class Cut(NamedTuple):
    """Which rows of a listing an answer carries: [start, stop) without ``lost``, and the total it tells."""

    start: int
    stop: int
    total: int
    lost: frozenset[int] = frozenset()


class Listing(Protocol):
    """All rows that one request asks for, of which it wants one page."""

    key: str  # the same for all pages of one window
    page: int  # from 1
    page_size: int
    start: int  # position of the page's first row
    total: int
    follows: bool  # whether a page starts where the one sent before it ended, whatever that held

    def rows(self, positions: Sequence[int]) -> list[msgspec.Raw]:
        """Return the rows at these positions of the whole listing, as JSON."""

    def data(self, total: int, rows: list[msgspec.Raw]) -> object:
        """Return the envelope's ``data``."""


class Interface(Protocol):
    """One business interface."""

    path: str

    def limit(self, options: Options) -> Limit:
        """Return how many calls it allows."""

    def listing(self, shop: Shop, body: dict[str, object], now: int, call: int, options: Options) -> Listing:
        """Read a request; ``call`` numbers the calls. Raises ApiError 1002 for a parameter it cannot read."""


class Request(NamedTuple):
    """Which page of which window; ``key`` is the same for all pages of one window."""

    key: str
    page: int
    page_size: int


class NumberedPages:
    """The part of a ``Listing`` that all interfaces share whose pages are asked for by number."""

    follows = False

    def __init__(self, request: Request, total: int) -> None:
        self.key, self.page, self.page_size = request
        self.start = (self.page - 1) * self.page_size
        self.total = total


def request_of(shop: Shop, body: dict[str, object], page_key: str, default: int, most: int) -> Request:
    """Read which page is asked for; a ``page_size`` over ``most`` is silently ``most``."""
    return Request(
        window_key(shop, body, page_key),
        integer(body, page_key, 1, 1),
        min(integer(body, "page_size", default, 1), most),
    )


def window_key(shop: Shop, body: dict[str, object], page_key: str) -> str:
    """Return what names a window: all that is asked for but the page."""
    asked = {name: value for name, value in body.items() if name not in ("access_token", page_key)}
    return json.dumps([shop.app_id, asked], sort_keys=True)


def shape_of(
    key: str, total: int, rows: list[msgspec.Raw], total_key: str = "total", **more: object
) -> dict[str, object] | list[object] | None:
    """Return ``{total_key: total, "list": rows}``, or one of the shapes of nothing (docs/xiaoe-api.md section 9.3)."""
    if rows:
        return {total_key: total, "list": rows, **more}
    kind = key_of(key)[0]
    if total:
        return {total_key: total, "list": None if kind & 1 else [], **more}
    return ({total_key: 0, "list": [], **more}, {total_key: 0, "list": None, **more}, None, [], {})[kind % 5]


def page_of(listing: Listing) -> Cut:
    """Return the cut of an answer without faults."""
    start = min(listing.start, listing.total)
    return Cut(start, min(start + listing.page_size, listing.total), listing.total)


def render(listing: Listing, cut: Cut) -> object:
    """Return the envelope's ``data`` for a cut."""
    positions = [place for place in range(max(0, cut.start), min(cut.stop, listing.total)) if place not in cut.lost]
    return listing.data(cut.total, listing.rows(positions))


def integer(body: dict[str, object], name: str, default: int, least: int) -> int:
    """Read a parameter that may come as a number or as digits."""
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

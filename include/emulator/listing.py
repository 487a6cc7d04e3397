"""The skeleton of a listing interface: a request becomes a ``Listing``, of which any cut can be rendered.

A further resource is a module like ``orders/interface.py``: a class with ``path``, ``limit`` and ``listing``,
entered in ``api.INTERFACES``. Faults in the data work on cuts and so serve every listing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from emulator.errors import ApiError
from emulator.limits import Limit
from emulator.options import Options
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
    total: int

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


def page_of(listing: Listing) -> Cut:
    """Return the cut of an answer without faults."""
    start = min((listing.page - 1) * listing.page_size, listing.total)
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

"""Faults in the data of a listing, as functions from a true cut to a false one.

``at`` is the page (from 1) where the fault sits, ``amount`` how many rows it concerns. Except where said
otherwise the total told stays the true one, so that a client that counts distinct ids can see what happened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emulator.listing import Cut, Listing


class Place(NamedTuple):
    """The page where a data fault sits and the number of rows it concerns."""

    at: int
    amount: int


def _shift(cut: Cut, listing: Listing, by: int) -> Cut:
    """Move a page by rows; a page that was full stays full while there are rows."""
    start = listing.start + by
    stop = min(start + listing.page_size, listing.total)
    return cut._replace(start=min(start, listing.total), stop=stop)


def _is_shifted(listing: Listing, place: Place) -> bool:
    """Tell whether a page meets a shift that began on page ``at``; pages of a cursor follow by themselves."""
    return listing.page == place.at if listing.follows else listing.page >= place.at


def _duplicate_row(cut: Cut, listing: Listing, place: Place) -> Cut:
    """Repeat the last row of a page at the top of the next; all later rows move down, none is left out."""
    return _shift(cut, listing, -place.amount) if _is_shifted(listing, place) else cut


def _slipped_row(cut: Cut, listing: Listing, place: Place) -> Cut:
    """Lose a row between two pages because one before it left the window; from there on the total is less."""
    if listing.page < place.at:
        return cut
    cut = _shift(cut, listing, place.amount) if _is_shifted(listing, place) else cut
    return cut._replace(total=listing.total - place.amount)


def _moving_total(cut: Cut, listing: Listing, place: Place) -> Cut:
    """Tell one more on even pages and one less on odd ones after the first."""
    if listing.page == 1:
        return cut
    return cut._replace(total=max(0, listing.total + (1 if listing.page % 2 == 0 else -1) * place.amount))


def _short_page(cut: Cut, listing: Listing, place: Place) -> Cut:
    """Send half a page in the middle; its other half comes with the next page, and so on to an extra page."""
    half = listing.page_size // 2
    if listing.page == place.at:
        return cut._replace(stop=min(cut.start + half, cut.stop))
    moves = listing.page > place.at and not listing.follows
    return _shift(cut, listing, half - listing.page_size) if moves else cut


def _empty_last_page(cut: Cut, listing: Listing, place: Place) -> Cut:
    """Send nothing where the last rows should be."""
    return cut._replace(stop=cut.start) if cut.stop == listing.total else cut


def _repeated_page(cut: Cut, listing: Listing, place: Place) -> Cut:
    """Send the page before once more in place of this one."""
    return _shift(cut, listing, -listing.page_size) if listing.page == place.at else cut


def _lying_total(cut: Cut, listing: Listing, place: Place) -> Cut:
    """Tell a total that is too large, on every page."""
    return cut._replace(total=listing.total + place.amount)


def _lost_rows(cut: Cut, listing: Listing, place: Place) -> Cut:
    """Leave rows out of the middle of a page while the total still counts them."""
    if listing.page != place.at:
        return cut
    middle = (cut.start + cut.stop) // 2
    return cut._replace(lost=frozenset(range(middle, min(middle + place.amount, cut.stop))))


DATA_FAULTS: dict[str, Callable[[Cut, Listing, Place], Cut]] = {
    "duplicate_row": _duplicate_row,
    "slipped_row": _slipped_row,
    "moving_total": _moving_total,
    "short_page": _short_page,
    "empty_last_page": _empty_last_page,
    "repeated_page": _repeated_page,
    "lying_total": _lying_total,
    "lost_rows": _lost_rows,
}

# These are meant to last: a client that retries must still end in an error.
PERMANENT = ("lying_total", "lost_rows")
# Where a fault sits if the script does not say.
DEFAULT_PAGE = {"lost_rows": 1}

"""Faults in the data of a listing, as functions from a correct `RowSpan` to a faulty one.

`at` is the page (from 1) where the fault starts, `amount` the number of rows affected. Unless stated
otherwise the total stays correct, so that a client that counts distinct ids can detect the fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emulator.listing import Listing, RowSpan


class FaultPlace(NamedTuple):
    """The page where a data fault starts and the number of rows it affects."""

    at: int
    amount: int


def _shift(span: RowSpan, listing: Listing, by: int) -> RowSpan:
    """Shift a page by a number of rows; a full page stays full as long as rows are left."""
    start = listing.start + by
    stop = min(start + listing.page_size, listing.total)
    return span._replace(start=min(start, listing.total), stop=stop)


def _is_shifted(listing: Listing, place: FaultPlace) -> bool:
    """Whether a shift that started on page `at` applies to this page; cursor pages shift by themselves."""
    return listing.page == place.at if listing.follows else listing.page >= place.at


def _duplicate_row(span: RowSpan, listing: Listing, place: FaultPlace) -> RowSpan:
    """Repeat the last row of a page as the first of the next; later rows move down, none is missing."""
    return _shift(span, listing, -place.amount) if _is_shifted(listing, place) else span


def _slipped_row(span: RowSpan, listing: Listing, place: FaultPlace) -> RowSpan:
    """Skip a row between two pages because an earlier one left the window; the total shrinks from there on."""
    if listing.page < place.at:
        return span
    span = _shift(span, listing, place.amount) if _is_shifted(listing, place) else span
    return span._replace(total=listing.total - place.amount)


def _moving_total(span: RowSpan, listing: Listing, place: FaultPlace) -> RowSpan:
    """Report a larger total on even pages and a smaller one on odd pages after the first."""
    if listing.page == 1:
        return span
    return span._replace(total=max(0, listing.total + (1 if listing.page % 2 == 0 else -1) * place.amount))


def _short_page(span: RowSpan, listing: Listing, place: FaultPlace) -> RowSpan:
    """Send half a page in the middle; the rest moves to the following pages, with an extra page at the end."""
    half = listing.page_size // 2
    if listing.page == place.at:
        return span._replace(stop=min(span.start + half, span.stop))
    moves = listing.page > place.at and not listing.follows
    return _shift(span, listing, half - listing.page_size) if moves else span


def _empty_last_page(span: RowSpan, listing: Listing, place: FaultPlace) -> RowSpan:
    """Send an empty page in place of the last rows."""
    return span._replace(stop=span.start) if span.stop == listing.total else span


def _repeated_page(span: RowSpan, listing: Listing, place: FaultPlace) -> RowSpan:
    """Send the previous page in place of this one."""
    return _shift(span, listing, -listing.page_size) if listing.page == place.at else span


def _lying_total(span: RowSpan, listing: Listing, place: FaultPlace) -> RowSpan:
    """Report a total that is too large on every page."""
    return span._replace(total=listing.total + place.amount)


def _lost_rows(span: RowSpan, listing: Listing, place: FaultPlace) -> RowSpan:
    """Omit rows from the middle of a page while the total still counts them."""
    if listing.page != place.at:
        return span
    middle = (span.start + span.stop) // 2
    return span._replace(lost=frozenset(range(middle, min(middle + place.amount, span.stop))))


DATA_FAULTS: dict[str, Callable[[RowSpan, Listing, FaultPlace], RowSpan]] = {
    "duplicate_row": _duplicate_row,
    "slipped_row": _slipped_row,
    "moving_total": _moving_total,
    "short_page": _short_page,
    "empty_last_page": _empty_last_page,
    "repeated_page": _repeated_page,
    "lying_total": _lying_total,
    "lost_rows": _lost_rows,
}

# Permanent by default: a client that retries must still end in an error.
PERMANENT = ("lying_total", "lost_rows")
# The page where a fault starts unless the script names one.
DEFAULT_PAGE = {"lost_rows": 1}

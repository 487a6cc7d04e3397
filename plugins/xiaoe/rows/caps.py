"""Is this total all there is, or where the API stops counting? Pure functions.

A search engine, as the name `es_skip` suggests one behind some lists, by default counts up to 10,000 and serves no page
that ends after row 10,000 (docs/xiaoe-api.md section 9.10). Nobody has documented where a real shop's lists
stop, so any round thousand is suspected as well: of honest totals that is one in a thousand, and costs a few calls.
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST_CAP = 1000
"""No list is assumed to stop earlier: below, a total that does not add up or a page that is refused is a fault."""
_NEAR = 20
"""A total within one twentieth of the cap is as good as at it: the list may grow while it is read, and the last page
must not reach over the cap."""


def nearly(cap: int) -> int:
    """The smallest total that is not told apart from a cap."""
    return cap - cap // _NEAR


def may_be_cap(total: int | None, cap: int) -> bool:
    """Whether there may be more rows than the total says.

    Args:
        total: The API's.
        cap: `settings.list_cap`.
    """
    if total is None:
        return False
    return total >= nearly(cap) or (total >= LEAST_CAP and total % LEAST_CAP == 0)


def is_deep(rows: int, cap: int) -> bool:
    """Whether a page behind so many rows may be refused because of a cap."""
    return rows >= min(LEAST_CAP, nearly(cap))


def is_counted(rows: int, totals: Sequence[int], cap: int) -> bool:
    """Whether totals of a list that changes while it is read prove that these rows are all: none of them is a cap.

    Args:
        rows: Distinct rows.
        totals: As told before and after the rows were read.
        cap: `settings.list_cap`.
    """
    return bool(totals) and cap < min(totals) <= rows <= max(totals)

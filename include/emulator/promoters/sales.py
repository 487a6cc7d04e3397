"""What a promoter has of an order."""

from __future__ import annotations

from typing import NamedTuple

from emulator.order_list_2.response import promoter_of
from emulator.orders.generator import Order
from emulator.promoters.generator import Promoter, promoters

_STATES = 3
_SHARE = 10  # one part in so many of the price


class Sale(NamedTuple):
    """An order that a promoter brought; `share` in fen."""

    promoter: Promoter
    share: int
    status: int


def sale_of(order: Order) -> Sale | None:
    """Who brought the buyer, as order list 2.0 says; None: nobody."""
    found = [one for one in promoters() if one.user_id == promoter_of(order)]
    return Sale(found[0], order.price // _SHARE, order.number % _STATES) if found else None

"""What the API says of some days of the past, against what the warehouse holds of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from hashlib import blake2b
from typing import NamedTuple

from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import midnight
from xiaoe.exceptions import XiaoeIncompleteError
from xiaoe.mysql.session import Session
from xiaoe.quality.catalogue import DAY_TOTALS
from xiaoe.quality.figures import count_orders, covered_days, read_ledger
from xiaoe.quality.results import NAMED, Result
from xiaoe.quality.scope import Scope
from xiaoe.resources.orders import ORDERS
from xiaoe.windows import Window

SETTLE_SECONDS = 10.0
"""Before a total that does not fit is asked for again."""


class Day(NamedTuple):
    """One day on both sides.

    Args:
        day: Of Beijing.
        told: What the API says.
        fewest: What the warehouse holds.
        most: What it could hold: with orders of the next midnight's second, which the API may count in, and with
            orders that could not be typed.
    """

    day: date
    told: int
    fewest: int
    most: int

    @property
    def agrees(self) -> bool:
        """Whether both can be right."""
        return self.fewest <= self.told <= self.most

    def __str__(self) -> str:
        command = f"make sync TYPE=rescan FROM={self.day} TO={self.day + timedelta(days=1)}"
        return f"{self.day} 接口 {self.told} 单，数仓 {self.fewest} 单。命令：{command}"


def sample(days: Sequence[date], number: int, seed: str) -> list[date]:
    """Some of the days, as good as drawn; the same seed draws the same ones."""
    return sorted(sorted(days, key=lambda day: blake2b(f"{seed} {day}".encode()).digest())[:number])


def day_totals(session: Session, hook: XiaoeHook, scope: Scope, *, number: int, seed: str) -> Result:
    """Ask again for some days that are in the ledger, and compare.

    Args:
        session: The warehouse.
        hook: The shop's connection.
        scope: The shop, and the present.
        number: How many days.
        seed: Draws them.

    Raises:
        XiaoeRetriableError: The API cannot be reached.
        XiaoeIncompleteError: It tells no total.
    """
    days = sample(covered_days(read_ledger(session, scope)), number, seed)
    compared = [_agreed(session, hook, scope.shop_id, day) for day in days]
    wrong = [one for one in compared if not one.agrees]
    asked = f"抽查 {'、'.join(map(str, days))}" if days else "尚无读完的日子可抽查"
    detail = "；".join(map(str, wrong[:NAMED])) if wrong else asked
    difference = sum(abs(one.told - one.fewest) for one in wrong)
    return Result(DAY_TOTALS, not wrong, difference, DAY_TOTALS.expected, detail)


def _agreed(session: Session, hook: XiaoeHook, shop_id: str, day: date) -> Day:
    """Compare a day; once more where it does not fit, since a sync may just have been at it."""
    found = _compare(session, hook, shop_id, day)
    if not found.agrees:
        hook.sleep(SETTLE_SECONDS)
        found = _compare(session, hook, shop_id, day)
    return found


def _compare(session: Session, hook: XiaoeHook, shop_id: str, day: date) -> Day:
    told = ask_total(hook, day)
    session.rollback()  # a snapshot of now, not of the one before
    fewest = count_orders(session, shop_id, day, listed=True)
    most = count_orders(session, shop_id, day, listed=True, with_edges=True) + _untyped(session, shop_id)
    return Day(day, told, fewest, most)


def ask_total(hook: XiaoeHook, day: date) -> int:
    """How many orders of a day the API has, from the first page of its list."""
    window = Window(midnight(day), midnight(day + timedelta(days=1)))
    listing = hook.list_page(ORDERS, {**ORDERS.filters(window), **ORDERS.paging.fields(1, None)}).listing
    if listing.total is None and listing.rows:
        raise XiaoeIncompleteError(f"orders of {day}: the API sent no {ORDERS.total_key}")
    return listing.total or 0


def _untyped(session: Session, shop_id: str) -> int:
    """Orders that the API has and the warehouse could not type; nobody knows their day."""
    [(number,)] = session.query(
        "SELECT COUNT(*) FROM rejected_rows AS x LEFT JOIN orders AS o ON x.shop_id = o.shop_id"
        " AND x.row_key = o.order_id WHERE x.shop_id = %s AND x.resource = 'orders' AND x.resolved_at IS NULL"
        " AND o.order_id IS NULL",
        (shop_id,),
    )
    return int(number)

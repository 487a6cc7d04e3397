"""The API's totals of some past days, compared with the warehouse.

Days are drawn by a hash of shop and run, so a cleared run draws the same ones. Orders of the very second of the next
midnight and rejected rows may be counted or not; within that margin both totals are equal. Many rejected rows make the
check that much blinder. A total that may be the API's cap is a lower limit: more orders in the warehouse are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from hashlib import blake2b
from typing import NamedTuple

from xiaoe import settings
from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import midnight
from xiaoe.exceptions import XiaoeIncompleteError
from xiaoe.mysql.session import Session
from xiaoe.quality.catalogue import DAY_TOTALS
from xiaoe.quality.figures import complete_days, count_orders, read_ledger
from xiaoe.quality.results import MAX_NAMED, Result
from xiaoe.quality.scope import CheckScope
from xiaoe.resources.orders import ORDERS
from xiaoe.rows.caps import may_be_cap
from xiaoe.windows import Window

SETTLE_SECONDS = 10.0
"""Wait before a mismatch is asked for again: a sync may have been running."""


class Day(NamedTuple):
    """The orders of one day on both sides.

    Args:
        day: Beijing day.
        api_total: The API's total.
        fewest: Orders that the warehouse holds.
        most: The same with orders of the next midnight's second, which the API may include, and with orders that could
            not be typed.
        is_capped: Whether the API may hold more than it counts (`rows.caps`): then its total is a lower limit.
    """

    day: date
    api_total: int
    fewest: int
    most: int
    is_capped: bool = False

    @property
    def agrees(self) -> bool:
        """Whether the totals are compatible."""
        return self.api_total <= self.most and (self.is_capped or self.fewest <= self.api_total)

    def __str__(self) -> str:
        command = f"make sync TYPE=rescan FROM={self.day} TO={self.day + timedelta(days=1)}"
        return f"{self.day} 接口 {self.api_total} 单，数仓 {self.fewest} 单。命令：{command}"


def sample(days: Sequence[date], number: int, seed: str) -> list[date]:
    """A pseudo-random sample of the days; the same seed draws the same ones."""
    return sorted(sorted(days, key=lambda day: blake2b(f"{seed} {day}".encode()).digest())[:number])


def day_totals(session: Session, hook: XiaoeHook, scope: CheckScope, *, number: int, seed: str) -> Result:
    """Ask the API for the totals of some covered days, and compare.

    Args:
        session: The warehouse.
        hook: The shop's connection.
        scope: The shop and the current time.
        number: How many days.
        seed: Determines which days.

    Raises:
        XiaoeRetriableError: The API cannot be reached.
        XiaoeIncompleteError: It returns no total.
    """
    days = sample(complete_days(read_ledger(session, scope)), number, seed)
    compared = [_agreed(session, hook, scope.shop_id, day) for day in days]
    wrong = [one for one in compared if not one.agrees]
    asked = f"抽查 {'、'.join(map(str, days))}" if days else "尚无读完的日子可抽查"
    detail = "；".join(map(str, wrong[:MAX_NAMED])) if wrong else asked
    difference = sum(abs(one.api_total - one.fewest) for one in wrong)
    return Result(DAY_TOTALS, not wrong, difference, DAY_TOTALS.expected, detail)


def _agreed(session: Session, hook: XiaoeHook, shop_id: str, day: date) -> Day:
    """Compare a day, twice if the totals differ."""
    found = _compare(session, hook, shop_id, day)
    if not found.agrees:
        hook.sleep(SETTLE_SECONDS)
        found = _compare(session, hook, shop_id, day)
    return found


def _compare(session: Session, hook: XiaoeHook, shop_id: str, day: date) -> Day:
    api_total = ask_total(hook, day)
    session.rollback()  # the next query reads a new snapshot
    fewest = count_orders(session, shop_id, day, listed=True)
    most = count_orders(session, shop_id, day, listed=True, with_edges=True) + _untyped(session, shop_id)
    return Day(day, api_total, fewest, most, may_be_cap(api_total, settings.list_cap()))


def ask_total(hook: XiaoeHook, day: date) -> int:
    """The API's total of a day's orders, from the first page of its list."""
    window = Window(midnight(day), midnight(day + timedelta(days=1)))
    listing = hook.list_page(ORDERS, {**ORDERS.filters(window), **ORDERS.paging.fields(1, None)}).listing
    if listing.total is None and listing.rows:
        raise XiaoeIncompleteError(f"orders of {day}: the API sent no {ORDERS.total_key}")
    return listing.total or 0


def _untyped(session: Session, shop_id: str) -> int:
    """Number of the shop's orders that could not be typed; their day is unknown."""
    [(number,)] = session.query(
        "SELECT COUNT(*) FROM rejected_rows AS x LEFT JOIN orders AS o ON x.shop_id = o.shop_id"
        " AND x.row_key = o.order_id WHERE x.shop_id = %s AND x.resource = 'orders' AND x.resolved_at IS NULL"
        " AND o.order_id IS NULL",
        (shop_id,),
    )
    return int(number)

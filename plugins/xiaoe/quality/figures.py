"""Checks that are worked out in Python: the ledger, freshness, how many orders a day brings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from itertools import starmap
from statistics import median

from xiaoe import settings
from xiaoe.clock import BEIJING, beijing_text, in_words, midnight, utc_text
from xiaoe.coverage import Look, Segment, Span, seen_days, segments
from xiaoe.merge.freshness import FreshWithin
from xiaoe.merge.status import read_watermark
from xiaoe.mysql.session import Session
from xiaoe.quality.catalogue import (
    CRITICAL,
    LEDGER_COMPLETE,
    NEVER_SYNCED,
    ORDERS_OF_YESTERDAY,
    WARNING,
    FigureCheck,
)
from xiaoe.quality.gaps import Ledger, judge
from xiaoe.quality.results import NAMED, Result, found_nothing
from xiaoe.quality.scope import Scope

SETTLED = timedelta(hours=12)
"""Two weeks of the history are read at once: only after this long has the later one overtaken the earlier for good."""
STOPPED = timedelta(days=1)
"""A history that still has gaps gets through several times a day."""
WEEKS = 8
FEWEST_WEEKS = 3
USUAL = 20
"""Orders a day, below which a day says nothing."""
ODD = 3.0
"""How many times more, or fewer, orders than usual are worth a look."""


def figure(session: Session, check: FigureCheck, *, scope: Scope, fresh_within: FreshWithin) -> Result:
    """Work out one of `FIGURE_CHECKS`."""
    if check is LEDGER_COMPLETE:
        return _ledger_result(read_ledger(session, scope))
    if check is ORDERS_OF_YESTERDAY:
        return _orders_of_yesterday(session, scope)
    return _freshness(session, check, scope, fresh_within)


# --- the ledger ----------------------------------------------------------------------------------------


def read_ledger(session: Session, scope: Scope) -> Ledger:
    """The gaps in a shop's ledger of orders, since the start of the history."""
    begin, now = settings.history_start(), scope.now
    # Nobody has seen what was still to come when a window was read.
    windows = session.query(
        "SELECT window_start, LEAST(window_end, observed_at + INTERVAL 8 HOUR), observed_at FROM sync_windows"
        " WHERE shop_id = %s AND resource = 'orders' AND window_end > %s",
        (scope.shop_id, beijing_text(begin)),
    )
    covered = [Segment(since.replace(tzinfo=BEIJING), seen) for since, seen in segments(starmap(Look, windows))]
    [(frontier,)] = session.query(
        "SELECT MAX(window_end) FROM sync_windows WHERE shop_id = %s AND resource = 'orders' AND mode = 'history'"
        " AND run_id LIKE 'scheduled%%' AND merged_at < %s",
        (scope.shop_id, utc_text(now - SETTLED)),
    )
    succeeded = _successes(session, scope.shop_id).get(("orders", "history"))
    return judge(
        covered,
        begin,
        now,
        frontier=frontier and frontier.replace(tzinfo=BEIJING),
        moving=succeeded is None or now - succeeded < STOPPED,
    )


def covered_days(ledger: Ledger) -> list[date]:
    """Whole days that are in the ledger, oldest first."""
    first, end = (edge.astimezone(BEIJING).date() for edge in (ledger.begin, ledger.end))
    if midnight(first) < ledger.begin:
        first += timedelta(days=1)
    return [day for day, seen in seen_days(ledger.covered, first, end).items() if seen]


def _ledger_result(ledger: Ledger) -> Result:
    """Gaps that are lost are critical; what is to come warns, with how far it is."""
    named = ledger.lost or ledger.to_come
    text = "、".join(f"{beijing_text(gap.begin)} 至 {beijing_text(gap.end)}" for gap in named[:NAMED])
    detail = ""
    if named:
        kind = "缺口" if ledger.lost else "历史尚未读完"
        detail = f"{kind}：{text}{' …' if len(named) > NAMED else ''}；已覆盖 {ledger.share:.1%}"
    if ledger.lost:
        detail += f"。命令：{_command(ledger.lost[0])}"
    days = ledger.missing / timedelta(days=1)
    severity = CRITICAL if ledger.lost or not ledger.to_come else WARNING
    return Result(LEDGER_COMPLETE, not named, days, LEDGER_COMPLETE.expected, detail, severity)


def _command(gap: Span) -> str:
    return f"make sync TYPE=history FROM='{beijing_text(gap.begin)}' TO='{beijing_text(gap.end)}'"


# --- freshness -----------------------------------------------------------------------------------------


def _successes(session: Session, shop_id: str) -> dict[tuple[str, str], datetime]:
    rows = session.query(
        "SELECT resource, mode, last_success_at FROM sync_status WHERE shop_id = %s AND last_success_at IS NOT NULL",
        (shop_id,),
    )
    return {(resource, mode): at.replace(tzinfo=timezone.utc) for resource, mode, at in rows}


def _freshness(session: Session, check: FigureCheck, scope: Scope, fresh_within: FreshWithin) -> Result:
    """Syncs whose last success is too long ago, or those that never had one."""
    successes = _successes(session, scope.shop_id)
    if check is NEVER_SYNCED:
        never = [" ".join(name) for name in fresh_within if name not in successes]
        return found_nothing(check, check.expected, never, len(never))
    stale = []
    for name, limit in fresh_within.items():
        if name in successes and (age := scope.now - successes[name]) > limit:
            since = beijing_text(successes[name])
            stale.append(f"{' '.join(name)} 最近成功 {since}，已 {in_words(age)}，时限 {in_words(limit)}")
    return found_nothing(check, check.expected, stale, len(stale))


# --- orders of yesterday -------------------------------------------------------------------------------


def _orders_of_yesterday(session: Session, scope: Scope) -> Result:
    """Compare yesterday with the same day of the weeks before, once it has been read to its end."""
    check = ORDERS_OF_YESTERDAY
    today = scope.now.astimezone(BEIJING).date()
    watermark = read_watermark(session, scope.shop_id, "orders", "incremental")
    if watermark is None or watermark < midnight(today):
        return Result(check, True, None, check.expected, "昨日尚未读完")
    yesterday = today - timedelta(days=1)
    first = max(yesterday - timedelta(weeks=WEEKS), settings.history_start().date())
    days = [yesterday - timedelta(weeks=week) for week in range(1, WEEKS + 1)]
    before = [count_orders(session, scope.shop_id, day) for day in days if day >= first]
    orders = count_orders(session, scope.shop_id, yesterday)
    severity, usual = judge_day(orders, before)
    detail = f"{yesterday} 有 {orders} 单，往常同一星期几约 {usual:g} 单" if usual else "可比的日子太少"
    return Result(check, not severity, orders, check.expected, detail, severity)


def judge_day(orders: int, before: Sequence[int]) -> tuple[str, float]:
    """How bad a day's number of orders is ("": not), and what is usual (0: nobody can tell).

    A day without a single order is critical: an API that answers nothing, consistently, looks complete to every
    other check. A rush or a quiet day is worth a look.

    Args:
        orders: Of the day.
        before: Of the same day in the weeks before; weeks without an order do not count: they may not be loaded yet.
    """
    known = [number for number in before if number]
    usual = float(median(known)) if len(known) >= FEWEST_WEEKS else 0.0
    if usual < USUAL:
        return "", usual
    if not orders:
        return CRITICAL, usual
    return (WARNING if not usual / ODD <= orders <= usual * ODD else ""), usual


def count_orders(session: Session, shop_id: str, day: date, *, listed: bool = False, with_edges: bool = False) -> int:
    """Orders made on a day of Beijing.

    Args:
        session: The warehouse.
        shop_id: The shop.
        day: Of Beijing.
        listed: Only those that the API still lists.
        with_edges: With those of the second before the day, and of its last midnight's very second.
    """
    second = timedelta(seconds=with_edges)
    [(number,)] = session.query(
        f"SELECT COUNT(*) FROM orders WHERE shop_id = %s AND created_time >= %s"
        f" AND created_time < %s{' AND absent_since IS NULL' if listed else ''}",
        (shop_id, beijing_text(midnight(day) - second), beijing_text(midnight(day + timedelta(days=1)) + second)),
    )
    return int(number)

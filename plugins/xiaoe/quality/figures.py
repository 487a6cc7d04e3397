"""Checks computed in Python: gaps in the ledger, freshness, the number of orders of a day.

Intervals are joined in Python: a running maximum in SQL took minutes. How far the history DAG has come is read from
its scheduled runs that were merged at least `SETTLED` ago, because two weeks are read at once; a week read by hand
proves nothing. If the DAG has not succeeded for `STOPPED`, every remaining gap is critical.
"""

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
from xiaoe.quality.gaps import Ledger, classify_gaps
from xiaoe.quality.results import MAX_NAMED, Result, found_nothing
from xiaoe.quality.scope import CheckScope

SETTLED = timedelta(hours=12)
"""Two weeks of the history are read at once; a week counts as reached only this long after its merge."""
STOPPED = timedelta(days=1)
"""A history DAG that still has weeks to read succeeds several times a day."""
JUDGED_WITHIN = timedelta(hours=1)
"""An objective that was evaluated longer ago stands for nothing."""
WEEKS = 8
MIN_WEEKS = 3
MIN_USUAL = 20
"""Usual number of orders a day below which a day is not judged."""
ODD = 3.0
"""A day with this many times more, or fewer, orders than usual is a warning."""


def figure(session: Session, check: FigureCheck, *, scope: CheckScope, fresh_within: FreshWithin) -> Result:
    """Compute one of `FIGURE_CHECKS`."""
    if check is LEDGER_COMPLETE:
        return _ledger_result(read_ledger(session, scope))
    if check is ORDERS_OF_YESTERDAY:
        return _orders_of_yesterday(session, scope)
    return _freshness(session, check, scope, fresh_within)


# --- the ledger ----------------------------------------------------------------------------------------


def read_ledger(session: Session, scope: CheckScope) -> Ledger:
    """The gaps in a shop's ledger of orders, since the start of the history."""
    begin, now = settings.history_start(), scope.now
    # A window proves nothing about the time after it was read.
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
    return classify_gaps(
        covered,
        begin,
        now,
        frontier=frontier and frontier.replace(tzinfo=BEIJING),
        moving=succeeded is None or now - succeeded < STOPPED,
    )


def complete_days(ledger: Ledger) -> list[date]:
    """Whole days that are in the ledger, oldest first."""
    first, end = (edge.astimezone(BEIJING).date() for edge in (ledger.begin, ledger.end))
    if midnight(first) < ledger.begin:
        first += timedelta(days=1)
    return [day for day, seen in seen_days(ledger.covered, first, end).items() if seen]


def _ledger_result(ledger: Ledger) -> Result:
    """Lost gaps are critical; weeks still to be read are a warning, with the share covered."""
    named = ledger.lost or ledger.to_come
    text = "、".join(f"{beijing_text(gap.begin)} 至 {beijing_text(gap.end)}" for gap in named[:MAX_NAMED])
    detail = ""
    if named:
        kind = "缺口" if ledger.lost else "历史尚未读完"
        detail = f"{kind}：{text}{' …' if len(named) > MAX_NAMED else ''}；已覆盖 {ledger.share:.1%}"
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


def _freshness(session: Session, check: FigureCheck, scope: CheckScope, fresh_within: FreshWithin) -> Result:
    """Syncs whose last success is too long ago, or that never succeeded."""
    successes = _successes(session, scope.shop_id)
    if check is NEVER_SYNCED:
        never = [" ".join(name) for name in fresh_within if name not in successes]
        return found_nothing(check, check.expected, never, len(never))
    stale = []
    replaced = _behind_objectives(session, scope)
    for name, limit in fresh_within.items():
        if name not in replaced and name in successes and (age := scope.now - successes[name]) > limit:
            since = beijing_text(successes[name])
            stale.append(f"{' '.join(name)} 最近成功 {since}，已 {in_words(age)}，时限 {in_words(limit)}")
    return found_nothing(check, check.expected, stale, len(stale))


def _behind_objectives(session: Session, scope: CheckScope) -> set[tuple[str, ...]]:
    """Syncs that an objective of the shop judges just now: their alert is the budget's burn rate."""
    rows = session.query(
        "SELECT stands_for FROM objective_status WHERE shop_id = %s AND evaluated_at > %s",
        (scope.shop_id, utc_text(scope.now - JUDGED_WITHIN)),
    )
    return {tuple(sync.split(" ")) for (syncs,) in rows for sync in syncs.split(",") if sync}


# --- orders of yesterday -------------------------------------------------------------------------------


def _orders_of_yesterday(session: Session, scope: CheckScope) -> Result:
    """Compare yesterday with the same weekday of earlier weeks, once it has been read to its end."""
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
    """Severity of a day's number of orders ("": none), and the usual number (0: unknown).

    A day without any order is critical: an API that consistently returns nothing looks complete to every other check.
    An unusually busy or quiet day is a warning.

    Args:
        orders: Orders of the day.
        before: Orders of the same weekday in earlier weeks; days without orders are ignored (perhaps not loaded).
    """
    known = [number for number in before if number]
    usual = float(median(known)) if len(known) >= MIN_WEEKS else 0.0
    if usual < MIN_USUAL:
        return "", usual
    if not orders:
        return CRITICAL, usual
    return (WARNING if not usual / ODD <= orders <= usual * ODD else ""), usual


def count_orders(session: Session, shop_id: str, day: date, *, listed: bool = False, with_edges: bool = False) -> int:
    """Number of orders created on a Beijing day.

    Args:
        session: The warehouse.
        shop_id: The shop.
        day: Beijing day.
        listed: Only orders that the API still lists.
        with_edges: Include the second before the day, and the second of the midnight that ends it.
    """
    second = timedelta(seconds=with_edges)
    [(number,)] = session.query(
        f"SELECT COUNT(*) FROM orders WHERE shop_id = %s AND created_time >= %s"
        f" AND created_time < %s{' AND absent_since IS NULL' if listed else ''}",
        (shop_id, beijing_text(midnight(day) - second), beijing_text(midnight(day + timedelta(days=1)) + second)),
    )
    return int(number)

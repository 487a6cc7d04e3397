"""Counts the events of an objective, and writes where it stands to `objective_status`.

An objective is measured from its first evaluation after the sync behind it has succeeded, so neither the first load
nor what an older version read counts. Imported orders were sold elsewhere and never count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import starmap

from xiaoe import settings
from xiaoe.clock import BEIJING, beijing_text, utc_text
from xiaoe.coverage import Look, Span, gaps, segments
from xiaoe.mysql.session import Session
from xiaoe.objectives import budget
from xiaoe.objectives.budget import PERIOD, SLOT, Events
from xiaoe.settings.kinds import Setting


@dataclass(frozen=True)
class Objective:
    """What has to happen in time.

    Args:
        name: As `objective_events.objective`.
        within: Setting with the time allowed.
        ledger: Resource whose windows show what was read.
        pace: How soon the ledger covers a moment where everything works without hints.
        behind: Resource and mode of the syncs that it is measured by; it stands for their checks of freshness.
    """

    name: str
    within: Setting[timedelta]
    ledger: str
    pace: timedelta
    behind: tuple[tuple[str, str], ...]


OBJECTIVES = (
    Objective("order_arrival", settings.objective_order, "orders", timedelta(minutes=40), (("orders", "incremental"),)),
    Objective(
        "refund_decision",
        settings.objective_refund,
        "refunds",
        timedelta(hours=2),
        (("refunds", "incremental"), ("benefits", "decide")),
    ),
)


@dataclass(frozen=True)
class Standing:
    """Where an objective stands: a row of `objective_status`.

    Args:
        objective: The objective.
        state: As `budget.state` names it.
        within: The time allowed.
        target: Share that has to be in time.
        period: The events of `budget.PERIOD`.
        expected: How many of the late ones are expected only.
        burns: Burn rate of each rule's long window, by the rule's name.
    """

    objective: Objective
    state: str
    within: timedelta
    target: float
    period: Events
    expected: float
    burns: dict[str, float]


def evaluate(session: Session, shop_id: str, objective: Objective, now: datetime) -> Standing | None:
    """Measure an objective and write its row; None before the syncs behind it have succeeded.

    Args:
        session: The warehouse; the caller commits.
        shop_id: The shop.
        objective: What to measure.
        now: With an offset.
    """
    since = _since(session, shop_id, objective, now)
    if since is None:
        return None
    within, target = objective.within(), settings.objective_percent() / 100
    begin = max(since, now - PERIOD - within)
    known = _slots(session, shop_id, objective, begin, now, within)
    pace = max(objective.pace, within)
    unseen = _unseen(session, shop_id, objective, begin, now - pace)
    seen = max(now - begin - budget.length(unseen), timedelta()).total_seconds()
    per_second = budget.within(known, PERIOD).number / seen if seen else 0.0
    late = [Span(one.begin + pace, one.end + pace) for one in unseen]
    slots = budget.with_expected(known, late, per_second, now)
    period = budget.within(slots, PERIOD)
    standing = Standing(
        objective=objective,
        state=budget.state(slots, target),
        within=within,
        target=target,
        period=period,
        expected=period.late - budget.within(known, PERIOD).late,
        burns={rule.name: budget.burn_rate(budget.within(slots, rule.long), target) for rule in budget.RULES},
    )
    _write(session, shop_id, standing, since, now)
    return standing


def _since(session: Session, shop_id: str, objective: Objective, now: datetime) -> datetime | None:
    """From when on it is measured: as stored, or from now on if every sync behind it has succeeded."""
    stored = session.query(
        "SELECT since FROM objective_status WHERE shop_id = %s AND objective = %s", (shop_id, objective.name)
    )
    if stored:
        return stored[0][0].replace(tzinfo=timezone.utc)
    succeeded = set(
        session.query(
            "SELECT resource, mode FROM sync_status WHERE shop_id = %s AND last_success_at IS NOT NULL", (shop_id,)
        )
    )
    return now if succeeded.issuperset(objective.behind) else None


def _slots(
    session: Session, shop_id: str, objective: Objective, begin: datetime, now: datetime, within: timedelta
) -> dict[int, Events]:
    """Events that began from `begin` on and whose time is up, by slot; a refund that waits for its decision is late."""
    slot, allowed = SLOT // timedelta(seconds=1), within // timedelta(seconds=1)
    span = (shop_id, beijing_text(begin), beijing_text(now - within))
    rows = session.query(
        "SELECT TIMESTAMPDIFF(SECOND, e.began_at, %s) DIV %s AS ago,"
        " e.reached_at > e.began_at - INTERVAL 8 HOUR + INTERVAL %s SECOND AS is_late, COUNT(*)"
        " FROM objective_events AS e"
        " INNER JOIN orders AS o ON o.shop_id = e.shop_id AND o.order_id = e.order_id"
        " WHERE e.shop_id = %s AND e.began_at >= %s AND e.began_at <= %s AND e.objective = %s"
        " AND COALESCE(o.is_imported, 0) = 0 GROUP BY ago, is_late",
        (beijing_text(now - within), slot, allowed, *span, objective.name),
    )
    if ("benefits", "decide") in objective.behind:
        rows += session.query(
            "SELECT TIMESTAMPDIFF(SECOND, o.refund_time, %s) DIV %s AS ago, 1 AS is_late, COUNT(*)"
            " FROM benefit_queue AS q"
            " INNER JOIN orders AS o ON o.shop_id = q.shop_id AND o.order_id = q.order_id"
            " LEFT JOIN objective_events AS e ON e.shop_id = o.shop_id AND e.objective = %s"
            " AND e.began_at = o.refund_time AND e.order_id = o.order_id"
            " WHERE q.shop_id = %s AND o.refund_time >= %s AND o.refund_time <= %s AND e.order_id IS NULL"
            " AND COALESCE(o.is_imported, 0) = 0 GROUP BY ago",
            (beijing_text(now - within), slot, objective.name, *span),
        )
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for ago, is_late, number in rows:
        counts[int(ago)][int(is_late)] += int(number)
    return {ago: Events(*numbers) for ago, numbers in counts.items()}


def _unseen(session: Session, shop_id: str, objective: Objective, begin: datetime, end: datetime) -> Sequence[Span]:
    """Spans from `begin` to `end` that no window has read since."""
    # A window proves nothing about the time after it was read.
    windows = session.query(
        "SELECT window_start, LEAST(window_end, observed_at + INTERVAL 8 HOUR), observed_at FROM sync_windows"
        " WHERE shop_id = %s AND resource = %s AND window_end > %s",
        (shop_id, objective.ledger, beijing_text(begin)),
    )
    covered = [(since.replace(tzinfo=BEIJING), seen) for since, seen in segments(starmap(Look, windows))]
    return gaps(covered, begin, end)


def _write(session: Session, shop_id: str, standing: Standing, since: datetime, now: datetime) -> None:
    session.execute(
        "REPLACE INTO objective_status (shop_id, objective, since, state, target_percent, within_seconds, in_time,"
        " late, expected_late, burn_hour, burn_6_hours, burn_3_days, stands_for, evaluated_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            shop_id,
            standing.objective.name,
            utc_text(since),
            standing.state,
            standing.target * 100,
            standing.within // timedelta(seconds=1),
            standing.period.in_time,
            standing.period.late,
            standing.expected,
            *(standing.burns[rule.name] for rule in budget.RULES),
            "" if standing.state == "few" else ",".join(" ".join(sync) for sync in standing.objective.behind),
            utc_text(now),
        ),
    )

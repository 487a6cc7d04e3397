"""What needs attention: grants taken back, and orders not observed again since their deadline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sized
from datetime import datetime, timedelta

from xiaoe.benefits.names import NAMES
from xiaoe.clock import BEIJING, beijing_text, in_words, utc_text
from xiaoe.mysql.session import Session

LOG_PRECISION = timedelta(milliseconds=1)
"""Precision of `benefit_decision_log.decided_at`."""


def grants_taken_back(
    session: Session, shop_id: str, begin: datetime, end: datetime, *, after: int = 0
) -> list[tuple[int, str]]:
    """发放后收回: orders granted once, revoked in [begin, end) and still revoked: the benefit may have been handed out.

    A revoke takes a grant back if the last grant or revoke before it was a grant, even with a review, a wait or
    anything else in between. The dashboards' view `bi_benefits_taken_back` counts the same orders.

    Args:
        session: The warehouse.
        shop_id: The shop.
        begin: With an offset.
        end: With an offset; exclusive.
        after: Only log entries with a higher id.

    Returns:
        Id of the log entry and order id, in the order of the log.
    """
    return session.query(
        "SELECT l.id, l.order_id FROM benefit_decision_log AS l"
        " INNER JOIN benefit_decisions AS d ON l.shop_id = d.shop_id AND l.order_id = d.order_id"
        " WHERE l.shop_id = %s AND l.decided_at >= %s AND l.decided_at < %s AND l.id > %s"
        " AND l.new_decision = 'revoke' AND d.decision = 'revoke'"
        " AND (SELECT p.new_decision FROM benefit_decision_log AS p"
        " WHERE p.shop_id = l.shop_id AND p.order_id = l.order_id AND p.id < l.id"
        " AND p.new_decision IN ('grant', 'revoke') ORDER BY p.id DESC LIMIT 1) = 'grant' ORDER BY l.id",
        (shop_id, utc_text(begin), utc_text(end), after),
    )


def not_observed_since(session: Session, shop_id: str, now: datetime) -> tuple[int, timedelta]:
    """How many orders were not observed since their deadline, and how long ago the earliest deadline was."""
    [(waiting, earliest)] = session.query(
        "SELECT COUNT(*), MIN(deadline_at) FROM benefit_decisions"
        " WHERE shop_id = %s AND decision = 'pending' AND deadline_at < %s",
        (shop_id, beijing_text(now)),
    )
    longest = now - earliest.replace(tzinfo=BEIJING) if earliest else timedelta()
    return int(waiting), timedelta(seconds=int(longest.total_seconds()))


def summary(counts: Counter[str], taken_back: Sized, waiting: int, longest: timedelta) -> str:
    """One line in Chinese, for sync_status and the log."""
    decided = "，".join(f"{text} {counts[name]}" for name, text in NAMES.items() if counts[name]) or "无变化"
    back = f"；其中发放后收回 {len(taken_back)}" if taken_back else ""
    late = f"；{waiting} 单已过截止、等待复查，最久 {in_words(longest)}" if waiting else ""
    return f"本次判定：{decided}{back}{late}"

"""What staff have to hear of: grants taken back, and orders that wait to be seen after their deadline."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from xiaoe.ledger import beijing_text, utc_text
from xiaoe.warehouse import Session
from xiaoe.windows import BEIJING

NAMES = {"grant": "发放", "revoke": "取消", "review": "人工复核", "pending": "待定", "not_applicable": "不适用"}
"""Decision → Chinese, in the order of reports."""


def grants_taken_back(session: Session, shop_id: str, now: datetime) -> list[str]:
    """Orders whose grant became a revoke in the run of this moment: the benefit may be handed out already."""
    rows = session.query(
        "SELECT order_id FROM benefit_decision_log WHERE shop_id = %s AND decided_at = %s"
        " AND old_decision = 'grant' AND new_decision = 'revoke' ORDER BY order_id",
        (shop_id, utc_text(now)),
    )
    return [order_id for (order_id,) in rows]


def not_observed_since(session: Session, shop_id: str, now: datetime) -> tuple[int, timedelta]:
    """How many orders passed their deadline without having been seen after it, and for how long the longest waits."""
    [(waiting, earliest)] = session.query(
        "SELECT COUNT(*), MIN(deadline_at) FROM benefit_decisions"
        " WHERE shop_id = %s AND decision = 'pending' AND deadline_at < %s",
        (shop_id, beijing_text(now)),
    )
    longest = now - earliest.replace(tzinfo=BEIJING) if earliest else timedelta()
    return int(waiting), timedelta(seconds=int(longest.total_seconds()))


def summary(counts: Counter[str], taken_back: list[str], waiting: int, longest: timedelta) -> str:
    """One line in Chinese, for sync_status and the log."""
    decided = "，".join(f"{text} {counts[name]}" for name, text in NAMES.items() if counts[name]) or "无变化"
    back = f"；发放后取消 {len(taken_back)}" if taken_back else ""
    late = f"；{waiting} 单截止后尚未再次观测，最久 {longest}" if waiting else ""
    return f"本次判定：{decided}{back}{late}"

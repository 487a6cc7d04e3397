"""A person's answers about orders in review, one by one or many at once.

An answer is stored with `basis`, a digest of state, amount, time and after-sales. If one of them changes, the order is
decided again, and asked about again if it is still in review. A full refund in time overrides every answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from xiaoe.benefits.decide import merges_locked
from xiaoe.benefits.names import FORMER_LATER, FORMER_OPTIONS, LATER, OPTIONS
from xiaoe.clock import utc_text
from xiaoe.mysql.session import Session

MAX_NAME = 128
"""Characters kept of who answered."""
_DECISIONS: dict[str, str | None] = {**OPTIONS, **FORMER_OPTIONS, LATER: None, FORMER_LATER: None}


class ReviewAnswer(NamedTuple):
    """A person's answer.

    Args:
        decision: `grant` or `revoke`; None: put off (稍后再定).
        by: Who answered.
        at: When, with an offset.
    """

    decision: str | None
    by: str
    at: datetime


def read_answer(response: dict[str, Any]) -> ReviewAnswer | None:
    """The answer of a Human-in-the-loop task of Airflow; None if nobody answered in time."""
    [chosen] = response["chosen_options"]
    user = response["responded_by_user"]
    if not user:  # Airflow answers with the default, without a user
        return None
    name, number = str(user["name"] or ""), str(user["id"])
    by = number if name in ("", number) else f"{name} ({number})"
    at = response["responded_at"]
    when = datetime.fromisoformat(at) if isinstance(at, str) else at
    return ReviewAnswer(_DECISIONS[chosen], by[:MAX_NAME], when)


def record_answer(session: Session, about: dict[str, str], answer: ReviewAnswer) -> bool:
    """Store an answer and commit; unless it is put off, the next decision is the person's, with their name.

    Returns:
        Whether the order is unchanged since it was asked about. If not, the answer is ignored.
    """
    shop_id, order_id, basis = about["shop_id"], about["order_id"], about["basis"]
    with merges_locked(session, shop_id):  # a running decision would take the order out of the queue
        write_answers(session, shop_id, [(order_id, basis, answer)])
        found = session.query(
            "SELECT basis FROM benefit_decisions WHERE shop_id = %s AND order_id = %s", (shop_id, order_id)
        )
        session.commit()
    return bool(found) and found[0][0] == basis


def write_answers(session: Session, shop_id: str, answers: Sequence[tuple[str, str, ReviewAnswer]]) -> None:
    """Store answers, (order id, basis, answer) each, and queue their orders for decision; the caller commits.

    Call it under `merges_locked`.
    """
    decided = [(shop_id, order_id, basis, one) for order_id, basis, one in answers if one.decision]
    put_off = [(shop_id, order_id, basis, one) for order_id, basis, one in answers if not one.decision]
    session.insert_many(
        "INSERT INTO benefit_reviews (shop_id, order_id, basis, answer, answered_by, answered_at)"
        " VALUES (%s, %s, %s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE answer = VALUES(answer), answered_by = VALUES(answered_by),"
        " answered_at = VALUES(answered_at)",
        [(*key, one.decision, one.by, utc_text(one.at)) for *key, one in decided],
    )
    session.insert_many(
        "INSERT IGNORE INTO benefit_queue (shop_id, order_id) VALUES (%s, %s)",
        [(shop_id, order_id) for _, order_id, _, _ in decided],
    )
    session.insert_many(
        "REPLACE INTO benefit_postponements (shop_id, order_id, basis, postponed_by, postponed_at)"
        " VALUES (%s, %s, %s, %s, %s)",
        [(*key, one.by, utc_text(one.at)) for *key, one in put_off],
    )

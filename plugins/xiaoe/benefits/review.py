"""Orders that the rule cannot settle: the question to a person, and the answer.

An answer is stored with `basis`, a digest of state, amount, time and after-sales. If one of them changes, the order is
decided again, and asked about again if it is still in review. A full refund in time overrides every answer.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from xiaoe.api import shop_names
from xiaoe.benefits.decide import merges_locked
from xiaoe.benefits.names import LATER, NAMES, OPTIONS
from xiaoe.clock import utc_text
from xiaoe.mysql.session import Session

MAX_QUESTIONS = 50
"""Questions per shop and run; the next run asks the remaining ones."""
_MAX_NAME = 128
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~!&])")
_OPEN = """
    SELECT
        d.order_id, d.basis, d.reason, d.deadline_at, o.title, o.price, o.refund_money, o.order_state_text,
        o.order_state, o.created_time, o.pay_time, o.refund_time,
        (
            SELECT l.old_decision FROM benefit_decision_log AS l
            WHERE l.shop_id = d.shop_id AND l.order_id = d.order_id ORDER BY l.id DESC LIMIT 1
        )
    FROM benefit_decisions AS d
    LEFT JOIN orders AS o ON d.shop_id = o.shop_id AND d.order_id = o.order_id
    LEFT JOIN benefit_reviews AS v ON d.shop_id = v.shop_id AND d.order_id = v.order_id AND d.basis = v.basis
    WHERE d.shop_id = %s AND d.decision = 'review' AND v.order_id IS NULL
    ORDER BY d.deadline_at, d.order_id
    LIMIT %s
"""


class ReviewAnswer(NamedTuple):
    """A person's answer.

    Args:
        decision: `grant` or `revoke`.
        by: Who answered.
        at: When, with an offset.
    """

    decision: str
    by: str
    at: datetime


def open_questions(session: Session, shop_id: str, limit: int = MAX_QUESTIONS) -> list[dict[str, Any]]:
    """Orders in review without an answer to their current basis, earliest deadline first.

    Returns:
        The arguments of one order's tasks: `subject` and `body` of the question (Markdown, no personal data), and
        `about`, the key of the order.
    """
    shop_name = shop_names.name_of(session, shop_id)
    return [
        {
            "subject": f"福利复核：订单 {row[0]}（店铺 {shop_name}）",
            "body": _body(shop_name, row),
            "about": {"shop_id": shop_id, "order_id": row[0], "basis": row[1]},
        }
        for row in session.query(_OPEN, (shop_id, limit))
    ]


def _body(shop_name: str, row: tuple[Any, ...]) -> str:
    order_id, _, reason, deadline, title, price, refunded, state_text, state, created, paid, refund_time, before = row
    fields = {
        "店铺": shop_name,
        "订单": order_id,
        "商品": title,
        "复核原因": reason,
        "此前判定": NAMES.get(before, before),
        "订单状态": state_text or (None if state is None else f"未知（{state}）"),
        "实付金额": _yuan(price),
        "退款金额": _yuan(refunded),
        "下单时间": created,
        "支付时间": paid,
        "退款时间": refund_time,
        "福利截止": deadline,
    }
    lines = [f"- **{name}**：{markdown_text('—' if value is None else str(value))}" for name, value in fields.items()]
    return "\n".join([*lines, "", f"请在店铺后台核实后选择。选“{LATER}”或不答复：下次运行再问，福利暂不变动。"])


def _yuan(amount: Decimal | None) -> str | None:
    return None if amount is None else f"¥{amount:,.2f}"


def markdown_text(text: str) -> str:
    """Text that Markdown shows literally: no link, no image, no line break."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def read_answer(response: dict[str, Any]) -> ReviewAnswer | None:
    """The answer of a Human-in-the-loop task of Airflow; None if the order is to be asked about later."""
    [chosen] = response["chosen_options"]
    user = response["responded_by_user"]
    if chosen == LATER or not user:  # no answer in time: Airflow answers 稍后 without a user
        return None
    name, number = str(user["name"] or ""), str(user["id"])
    by = number if name in ("", number) else f"{name} ({number})"
    at = response["responded_at"]
    return ReviewAnswer(OPTIONS[chosen], by[:_MAX_NAME], datetime.fromisoformat(at) if isinstance(at, str) else at)


def record_answer(session: Session, about: dict[str, str], answer: ReviewAnswer) -> bool:
    """Store an answer and queue the order: the next decision is the person's, with their name.

    Returns:
        Whether the order is unchanged since it was asked about. If not, the answer is ignored.
    """
    key = (about["shop_id"], about["order_id"])
    with merges_locked(session, about["shop_id"]):  # a running decision would take the order out of the queue
        session.execute(
            "INSERT INTO benefit_reviews (shop_id, order_id, basis, answer, answered_by, answered_at)"
            " VALUES (%s, %s, %s, %s, %s, %s)"
            " ON DUPLICATE KEY UPDATE answer = VALUES(answer), answered_by = VALUES(answered_by),"
            " answered_at = VALUES(answered_at)",
            (*key, about["basis"], answer.decision, answer.by, utc_text(answer.at)),
        )
        session.execute("INSERT IGNORE INTO benefit_queue (shop_id, order_id) VALUES (%s, %s)", key)
        found = session.query("SELECT basis FROM benefit_decisions WHERE shop_id = %s AND order_id = %s", key)
        session.commit()
    return bool(found) and found[0][0] == about["basis"]

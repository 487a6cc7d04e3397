"""Questions to a person about orders that the rule cannot settle.

The latest deadline comes first: who bought last month waits for the benefit, who bought two years ago does not. Orders
that somebody put off get half of the places, the longest ago first, so that neither they nor the new ones are lost.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from xiaoe.api import shop_names
from xiaoe.benefits.names import LATER, NAMES
from xiaoe.mysql.session import Session

MAX_QUESTIONS = 50
"""Questions per shop and run. The sheet 人工复核 of the daily report has every order in review."""
MAX_SUBJECT = 250
"""Characters of a question's subject: what Airflow keeps of the name of a mapped task."""
_MAX_TITLE = 40
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
    LEFT JOIN
        benefit_postponements AS p ON d.shop_id = p.shop_id AND d.order_id = p.order_id AND d.basis = p.basis
    WHERE d.shop_id = %s AND d.decision = 'review' AND v.order_id IS NULL AND {}
    LIMIT %s
"""
_PUT_OFF = _OPEN.format("p.order_id IS NOT NULL ORDER BY p.postponed_at, d.order_id")
_NEW = _OPEN.format("p.order_id IS NULL ORDER BY d.deadline_at IS NULL DESC, d.deadline_at DESC, d.order_id")


def open_questions(session: Session, shop_id: str, limit: int = MAX_QUESTIONS) -> list[dict[str, Any]]:
    """Orders in review without an answer to their current basis: latest deadline first, those put off at the end.

    Returns:
        The arguments of one order's tasks: `subject` (at most `MAX_SUBJECT` characters of plain text) and `body`
        (Markdown) of the question, both without personal data, and `about`, the key of the order.
    """
    shop_name = shop_names.name_of(session, shop_id)
    put_off = session.query(_PUT_OFF, (shop_id, limit))
    new = session.query(_NEW, (shop_id, limit))
    put_off = put_off[: max(limit // 2, limit - len(new))]
    return [
        {
            "subject": _subject(shop_name, row),
            "body": _body(shop_name, row),
            "about": {"shop_id": shop_id, "order_id": row[0], "basis": row[1]},
        }
        for row in [*new[: limit - len(put_off)], *put_off]
    ]


def _subject(shop_name: str, row: tuple[Any, ...]) -> str:
    """What distinguishes one question from the others in a list: reason, amount, product, order, shop."""
    order_id, _, reason, _, title, price, *_ = row
    product = " ".join((title or "—").split())
    if len(product) > _MAX_TITLE:
        product = f"{product[: _MAX_TITLE - 1]}…"
    text = " · ".join([reason, _yuan(price) or "金额未知", product, f"订单 {order_id}"])
    return f"{text}（{shop_name}）"[:MAX_SUBJECT]


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
    return "\n".join(
        [*lines, "", f"请在店铺后台核实后选择，选择后立即生效。选“{LATER}”或不答复：以后再问，福利暂不变动。"]
    )


def _yuan(amount: Decimal | None) -> str | None:
    return None if amount is None else f"¥{amount:,.2f}"


def markdown_text(text: str) -> str:
    """Text that Markdown shows literally: no link, no image, no line break."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))

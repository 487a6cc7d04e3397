"""An after-sale as the API sends it (docs/xiaoe-api.md sections 3 and 9): all money in fen."""

from __future__ import annotations

from emulator.clock import to_text
from emulator.codes import AFTER_SALE_STATES
from emulator.encodings import UNKNOWN_FIELDS, Forms
from emulator.refunds.generator import Case, Standing
from emulator.seeded import draw


def render(case: Case, standing: Standing, nickname: str, salt: int) -> dict[str, object]:
    """Return one row; another ``salt`` gives other forms. Guess: what an item of ``goods_list`` holds."""
    order, tale = case.order, case.tale
    forms = Forms(draw(case.forms ^ salt, standing.updated << 8 | standing.state))
    goods = {
        "resource_id": order.product.resource_id,
        "goods_name": order.product.title,
        "sku_id": case.sku_id,
        "goods_num": forms.number(order.quantity),
    }
    row: dict[str, object] = {
        "aftersale_id": case.aftersale_id,
        "order_id": order.order_id,
        "nick_name": nickname,
        "goods_name": order.product.title,
        "goods_list": [goods],
        "sku_id": case.sku_id,
        "actual_fee": forms.fen(order.price),
        "original_price": forms.fen(case.original_price),
        "apply_refund_money": forms.fen(tale.asked),
        "refund_money": forms.fen(standing.refund_money),
        "reason": case.reason,
        "remark": case.remark,
        "state": forms.number(standing.state),
        "state_str": AFTER_SALE_STATES.get(standing.state, "平台介入中"),
        "sale_type": forms.number(tale.sale_type),
        "created_at": to_text(case.created),
        "updated_at": to_text(standing.updated),
        "invalid_time": forms.time(standing.invalid),
        "state_invalid_time": forms.time(standing.state_invalid),
    }
    for name in case.omitted:
        del row[name]
    return {**row, **UNKNOWN_FIELDS} if case.has_unknown_fields else row

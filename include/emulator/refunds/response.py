"""An after-sale as the API sends it (docs/xiaoe-api.md sections 3 and 9): all money in fen."""

from __future__ import annotations

from emulator.clock import to_text
from emulator.codes import AFTER_SALE_STATES, SALE_TYPES
from emulator.encodings import UNKNOWN_FIELDS, Encoder
from emulator.refunds.generator import AfterSale, AfterSaleSnapshot
from emulator.seeded import draw


def _goods(name: str, count: int | str | None, price: int | str | None) -> dict[str, object]:
    """An item of goods_list; `price` is in fen. Guess: the price of one piece."""
    return {"goods_name": name, "buy_num": count, "goods_price": price}


def render(after_sale: AfterSale, snapshot: AfterSaleSnapshot, nickname: str, salt: int) -> dict[str, object]:
    """One row; another `salt` gives other encodings."""
    order, lifecycle = after_sale.order, after_sale.lifecycle
    encoder = Encoder(draw(after_sale.encoding ^ salt, snapshot.updated << 8 | snapshot.state))
    goods = [_goods(order.product.title, encoder.number(order.quantity), encoder.fen(order.product.price))]
    if after_sale.has_gift:
        goods.append(_goods("赠品🎁", 1, 0))
    row: dict[str, object] = {
        "aftersale_id": after_sale.aftersale_id,
        "order_id": order.order_id,
        "nick_name": nickname,
        "goods_name": order.product.title,
        "goods_list": goods,
        "sku_id": after_sale.sku_id,
        "actual_fee": encoder.fen(order.price),
        "original_price": encoder.fen(after_sale.original_price),
        "apply_refund_money": encoder.fen(lifecycle.asked),
        "refund_money": encoder.fen(snapshot.refund_money),
        "reason": after_sale.reason,
        "remark": after_sale.remark,
        "state": encoder.number(snapshot.state),
        "state_reason": snapshot.reason,
        "state_str": AFTER_SALE_STATES.get(snapshot.state, "平台介入中"),
        "sale_type": encoder.number(lifecycle.sale_type),
        "sale_type_name": SALE_TYPES[lifecycle.sale_type],
        "created_at": to_text(after_sale.created),
        "updated_at": to_text(snapshot.updated),
        "invalid_time": encoder.time(snapshot.invalid),
        "state_invalid_time": encoder.time(snapshot.state_invalid),
    }
    for name in after_sale.omitted:
        del row[name]
    return {**row, **UNKNOWN_FIELDS} if after_sale.has_unknown_fields else row

"""Expected rows of the warehouse's `refunds` table, computed from an after-sale's steps, not from the response.

shop_id          the shop's app_id
aftersale_id, order_id, goods_name, sku_id, reason, remark: unchanged; `""` and null stay different
nickname         nick_name, unchanged
state, sale_type codes as integers
state_text       the documented text of the code, not the row's state_str; null for an undocumented code
state_reason, sale_type_name: unchanged
goods_count      the number of items in goods_list
sale_type_text   仅退款, 退货退款, 换货 (the documentation has them in English)
actual_fee, original_price, apply_refund_money, refund_money: fen to yuan, two decimals; a blank is null, 0 is 0.00
created_at, updated_at, invalid_time, state_invalid_time: Beijing text; a null time is null

A field omitted from the response is null.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.clock import to_text
from emulator.codes import AFTER_SALE_STATES, SALE_TYPES
from emulator.encodings import time_text, yuan
from emulator.refunds.generator import AfterSale, AfterSaleGenerator, snapshot_at
from emulator.users.generator import Nicknames

# API field -> column, where the names differ.
_COLUMNS = {"nick_name": "nickname", "goods_list": "goods_count"}


def rows(
    shop_id: str, generator: AfterSaleGenerator, nicknames: Nicknames, begin: int, end: int, now: int
) -> Iterator[dict[str, object] | None]:
    """Expected rows of the after-sales created in [begin, end), in order of their orders' creation."""
    for _, after_sale in generator.touched_between(begin, end, now):
        yield truth(shop_id, after_sale, nicknames, now) if begin <= after_sale.created < end else None


def truth(shop_id: str, after_sale: AfterSale, nicknames: Nicknames, now: int) -> dict[str, object]:
    """The expected row without the warehouse's bookkeeping columns."""
    snapshot, order, lifecycle = snapshot_at(after_sale, now), after_sale.order, after_sale.lifecycle
    row: dict[str, object] = {
        "shop_id": shop_id,
        "aftersale_id": after_sale.aftersale_id,
        "order_id": order.order_id,
        "nickname": nicknames.of(order.user_id),
        "goods_name": order.product.title,
        "sku_id": after_sale.sku_id,
        "actual_fee": yuan(order.price),
        "original_price": yuan(after_sale.original_price),
        "apply_refund_money": yuan(lifecycle.asked),
        "refund_money": yuan(snapshot.refund_money),
        "reason": after_sale.reason,
        "remark": after_sale.remark,
        "state": snapshot.state,
        "state_reason": snapshot.reason,
        "state_text": AFTER_SALE_STATES.get(snapshot.state),
        "sale_type": lifecycle.sale_type,
        "sale_type_name": SALE_TYPES[lifecycle.sale_type],
        "goods_count": 2 if after_sale.has_gift else 1,
        "created_at": to_text(after_sale.created),
        "updated_at": to_text(snapshot.updated),
        "invalid_time": time_text(snapshot.invalid),
        "state_invalid_time": time_text(snapshot.state_invalid),
    }
    omitted = (_COLUMNS.get(field, field) for field in after_sale.omitted)
    row.update(dict.fromkeys(omitted, None))
    row["sale_type_text"] = None if row["sale_type"] is None else SALE_TYPES[lifecycle.sale_type]
    return row

"""One item of `xe.ecommerce.after_sale.list/1.0.0` → one row of `refunds` (docs/xiaoe-api.md section 3).

Units: every amount arrives in fen (one source only) and leaves as yuan. Times stay Beijing wall-clock.
`goods_list` and `state_str` are not stored: the order and the code say the same; they stay in the kept pages.
"""

from __future__ import annotations

from xiaoe.rows import values
from xiaoe.rows.codes import texts
from xiaoe.rows.decode import Mapping

MAPPING: Mapping = {
    "aftersale_id": ("aftersale_id", values.identifier),
    "order_id": ("order_id", values.identifier),
    "state": ("state", values.code),
    "sale_type": ("sale_type", values.code),
    "apply_refund_money": ("apply_refund_money", values.fen),
    "refund_money": ("refund_money", values.fen),
    "actual_fee": ("actual_fee", values.fen),
    "original_price": ("original_price", values.fen),
    "reason": ("reason", values.text),
    "remark": ("remark", values.text),
    "nickname": ("nick_name", values.text),
    "goods_name": ("goods_name", values.text),
    "sku_id": ("sku_id", values.identifier),
    "created_at": ("created_at", values.time),
    "updated_at": ("updated_at", values.time),
    "invalid_time": ("invalid_time", values.time),
    "state_invalid_time": ("state_invalid_time", values.time),
}
"""Column → field of the API and how it is read."""

CODE_TEXTS: dict[str, dict[int, str]] = {
    "state": texts("aftersale_state"),
    "sale_type": texts("sale_type"),
}
"""Columns that get a second one, `<name>_text`, in Chinese."""

PERSONAL = ("nickname", "reason", "remark")
"""Columns that tell who somebody is: `XIAOE_PERSONAL_DATA` may have them masked or hashed."""

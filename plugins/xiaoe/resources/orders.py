"""One order of `xe.order.list.get/1.0.1` → one row of `orders` (docs/xiaoe-api.md section 2).

Units: `price` arrives in yuan, `coupon_price` and `refund_money` in fen; all three leave as yuan.
Times stay Beijing wall-clock. `goods_img`, `discount_price`, `discount_data` and `order_type` are not
stored: nobody has settled what they mean; they stay in the kept pages.
"""

from __future__ import annotations

from xiaoe.rows import values
from xiaoe.rows.codes import texts
from xiaoe.rows.decode import Mapping

MAPPING: Mapping = {
    "order_id": ("order_id", values.identifier),
    "user_id": ("user_id", values.identifier),
    "resource_type": ("resource_type", values.code),
    "resource_id": ("resource_id", values.identifier),
    "title": ("title", values.text),
    "quantity": ("count", values.code),
    "price": ("price", values.yuan),
    "coupon_id": ("coupon_id", values.identifier),
    "coupon_name": ("coupon_name", values.text),
    "coupon_price": ("coupon_price", values.fen),
    "refund_money": ("refund_money", values.fen),
    "order_state": ("order_state", values.code),
    "ship_state": ("ship_state", values.code),
    "pay_way": ("pay_way", values.code),
    "client_type": ("client_type", values.code),
    "collection_way": ("collection_way", values.code),
    "after_sales_state": ("after_sales_state", values.code),
    "team_buy_state": ("team_buy_state", values.code),
    "sales_state": ("sales_state", values.code),
    "out_order_id": ("out_order_id", values.identifier),
    "transaction_id": ("transaction_id", values.identifier),
    "goods_no": ("goods_no", values.text),
    "system_info": ("system_info", values.text),
    "receiver_name": ("receiver_name", values.text),
    "receiver_phone": ("receiver_phone", values.text),
    "receiver_detail": ("receiver_detail", values.text),
    "created_time": ("created_time", values.time),
    "pay_time": ("pay_time", values.time),
    "refund_time": ("refund_time", values.time),
    "settle_time": ("settle_time", values.time),
}
"""Column → field of the API and how it is read."""

CODE_TEXTS: dict[str, dict[int, str]] = {
    "resource_type": texts("resource_type"),
    "order_state": texts("order_state"),
    "ship_state": texts("ship_state"),
}
"""Columns that get a second one, `<name>_text`, in Chinese."""

PERSONAL = ("receiver_name", "receiver_phone", "receiver_detail", "system_info")
"""Columns that tell who somebody is: `XIAOE_PERSONAL_DATA` may have them masked or hashed."""

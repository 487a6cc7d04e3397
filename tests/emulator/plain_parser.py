"""A second, deliberately simple reading of an API row, to hold the emulator's truth against."""

from __future__ import annotations

from decimal import Decimal

ORDER_STATES = [
    "未支付",
    "支付成功",
    "支付失败",
    "已退款",
    "预付款",
    "支付处理中",
    "超时未支付自动取消",
    "手动取消",
]
ORDER_STATES += ["退款中", "退款失败", "退款成功", "部分退款"]
SHIP_STATES = ["无需发货", "未发货", "已发货", "已收货", "部分发货"]
TEXTS = (
    *("order_id", "user_id", "resource_id", "title", "coupon_id", "coupon_name", "out_order_id"),
    *("transaction_id", "goods_no", "system_info", "receiver_name", "receiver_phone", "receiver_detail"),
)
CODES = (
    "resource_type", "order_state", "ship_state", "pay_way", "client_type", "collection_way",
    "after_sales_state", "team_buy_state", "sales_state",
)  # fmt: skip
TIMES = ("created_time", "pay_time", "refund_time", "settle_time")


def money(value, divisor):
    """Return an amount as yuan text with two decimals."""
    return None if value in (None, "") else f"{Decimal(str(value)) / divisor:.2f}"


def code(value):
    """Return a code as an integer."""
    return None if value is None else int(value)


def moment(value):
    """Return a time, or ``None`` for all that does not begin with a year."""
    return value if value and value[:2] == "20" else None


def text_of(texts, number):
    """Return the text of a small code."""
    return texts[number] if number is not None and number < len(texts) else None


def parse(row):
    """Return the warehouse's columns of one API row, without ``shop_id`` and ``resource_type_text``."""
    parsed = {name: row.get(name) for name in TEXTS}
    parsed |= {name: code(row.get(name)) for name in CODES}
    parsed |= {name: moment(row.get(name)) for name in TIMES}
    parsed["quantity"] = code(row.get("count"))
    parsed["price"] = money(row.get("price"), 1)
    parsed["coupon_price"] = money(row.get("coupon_price"), 100)
    parsed["refund_money"] = money(row.get("refund_money"), 100)
    parsed["order_state_text"] = text_of(ORDER_STATES, parsed["order_state"])
    parsed["ship_state_text"] = text_of(SHIP_STATES, parsed["ship_state"])
    return parsed

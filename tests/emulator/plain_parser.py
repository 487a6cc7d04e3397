"""A second, deliberately simple reading of an API row, to hold the emulator's truth against."""

from __future__ import annotations

from datetime import datetime, timedelta
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
SALES_STATES = {-1: "无售后", 1: "部分退款", 2: "全额退款"}
AFTER_SALES_STATES = [
    "无售后",
    "处理中",
    "已处理",
    "已拒绝",
    "已关闭",
    "待打款",
    "待买家发货",
    "待卖家收货",
    "退款关闭",
]
CLIENT_TYPES = {0: "小程序", 1: "公众号", 2: "QQ", 3: "支付宝", 4: "安卓APP", 5: "手机号/浏览器", 6: "iOS/安卓工具"}
CLIENT_TYPES |= {10: "开放API导入", 11: "PC", 12: "APP", 13: "线下订单", 15: "APP内嵌SDK", 20: "抖音"}
CLIENT_TYPES |= {30: "管理台导入", 31: "积分兑换", 32: "企业微信", 33: "视频号小程序"}
CLIENT_TYPES |= {35: "视频号自定义交易组件", 88: "抖音小程序"}
ORDER_TYPES = {2: "普通", 6: "拼团", 8: "优惠券", 10: "邀请码", 12: "兑换码", 14: "会员续费", 16: "限时折扣"}
ORDER_TYPES |= {22: "推广员", 26: "秒杀", 30: "开放API导入", 37: "超级会员(正式)", 66: "其他", 70: "管理台导入"}
ORDER_TYPES |= {72: "直播带货"}
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
    parsed["discount_price"] = money(row.get("discount_price"), 100)
    parsed["sales_state_text"] = SALES_STATES.get(parsed["sales_state"])
    parsed["after_sales_state_text"] = text_of(AFTER_SALES_STATES, parsed["after_sales_state"])
    parsed["client_type_text"] = CLIENT_TYPES.get(parsed["client_type"])
    types = [int(value) for value in row.get("order_type", [])]
    parsed["order_type"] = ",".join(map(str, types)) if "order_type" in row else None
    parsed["order_type_text"] = ",".join(ORDER_TYPES[value] for value in types if value in ORDER_TYPES) or None
    parsed["order_state_text"] = text_of(ORDER_STATES, parsed["order_state"])
    parsed["ship_state_text"] = text_of(SHIP_STATES, parsed["ship_state"])
    return parsed


AFTER_SALE_STATES = {0: "未受理", 1: "用户取消", 2: "商家受理中", 3: "商家逾期未处理", 4: "商家拒绝退款"}
AFTER_SALE_STATES |= {
    5: "拒绝退货退款",
    6: "待买家退货",
    7: "退货退款关闭",
    8: "待商家收货",
    11: "商家退款中",
    12: "逾期未退款",
}
AFTER_SALE_STATES |= {13: "退款完成", 14: "退货退款完成", 15: "换货完成", 16: "待商家发货", 17: "待用户确认收货"}
AFTER_SALE_STATES |= {18: "拒绝换货", 19: "商家已收到货"}
SALE_TYPES = {1: "仅退款", 2: "退货退款", 3: "换货"}
SALE_STATUSES = {0: "下架", 1: "上架", 2: "待上架"}
ALIVE_TYPES = {10: "横屏", 11: "竖屏", 12: "语音", 13: "录播"}
ALIVE_STATES = {0: "未开始", 1: "直播中", 2: "已结束"}


def renamed(row, names):
    """Return columns of a row under their names in the warehouse: ``"name"`` or ``"column=name"``."""
    pairs = (name.split("=") for name in names.split())
    return {pair[0]: row.get(pair[-1]) for pair in pairs}


def each(convert, row, names, *more):
    """Return converted columns of a row."""
    return {name: convert(value, *more) for name, value in renamed(row, names).items()}


def milliseconds(value):
    """Return Beijing text of a time in milliseconds; 0 is none."""
    start = datetime(1970, 1, 1, 8)
    return str(start + timedelta(seconds=int(value) // 1000)) if int(value) else None


def parse_refund(row):
    """Return the columns of an after-sale."""
    parsed = renamed(row, "aftersale_id order_id nickname=nick_name goods_name sku_id reason remark")
    parsed |= renamed(row, "state_reason sale_type_name")
    parsed["goods_count"] = len(row["goods_list"]) if "goods_list" in row else None
    parsed |= each(money, row, "actual_fee original_price apply_refund_money refund_money", 100)
    parsed |= each(moment, row, "created_at updated_at invalid_time state_invalid_time")
    parsed |= each(code, row, "state sale_type")
    parsed["state_text"] = AFTER_SALE_STATES.get(parsed["state"])
    parsed["sale_type_text"] = SALE_TYPES.get(parsed["sale_type"])
    return parsed


def parse_user(row):
    """Return the columns of a user."""
    parsed = renamed(row, "user_id nickname=user_nickname phone=bind_phone collect_phone avatar source=from")
    parsed |= renamed(row, "wx_union_id wx_open_id wx_app_open_id")
    parsed |= each(code, row, "punch_count")
    parsed |= each(moment, row, "registered_at=user_created_at")
    parsed |= each(milliseconds, row, "last_visited_at=latest_visited_at")
    parsed["pay_sum"] = None if row.get("pay_sum") in (None, "") else str(row["pay_sum"])
    return parsed


def parse_product(row):
    """Return the columns of a product but for the text of its resource_type."""
    parsed = renamed(row, "resource_id spu_id spu_type name=goods_name")
    parsed |= each(money, row, "price_low price_high price_line", 100)
    parsed |= each(moment, row, "created_at updated_at")
    parsed |= each(code, row, "resource_type sale_status is_deleted")
    parsed["sale_status_text"] = SALE_STATUSES.get(parsed["sale_status"])
    return parsed


def parse_live(row):
    """Return the columns of a live stream."""
    parsed = renamed(row, "live_id=id title")
    parsed |= each(moment, row, "start_at=alive_start_at stop_at=alive_stop_at manual_stop_at=alive_manual_stop_at")
    parsed |= each(code, row, "alive_type alive_state view_count purchase_count recycle_bin_state")
    parsed["reward_sum"] = money(row.get("reward_sum"), 1)
    parsed["alive_type_text"] = ALIVE_TYPES.get(parsed["alive_type"])
    parsed["alive_state_text"] = ALIVE_STATES.get(parsed["alive_state"])
    return parsed


PARSERS = {
    "refunds": parse_refund,
    "users": parse_user,
    "products": parse_product,
    "live_streams": parse_live,
}

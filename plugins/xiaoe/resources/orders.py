"""One order of `xe.order.list.get/1.0.1` → one row of `orders` (docs/xiaoe-api.md section 2).

Units: `price` arrives in yuan, `coupon_price`, `discount_price` and `refund_money` in fen; all leave as yuan.
Times stay Beijing wall-clock. `order_type` is an array: its codes are stored as `2,8`; the table works out
`is_imported` from it and `client_type`. `goods_img` and `discount_data` are not stored; they stay in the kept pages.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from xiaoe import settings
from xiaoe.resources.base import SECOND, Copy, Feeds, Member, Numbered, Parts, Resource, Scope
from xiaoe.resources.privacy import forms_of
from xiaoe.rows import values
from xiaoe.rows.codes import texts
from xiaoe.rows.decode import Mapping, RowReader
from xiaoe.windows import Window

MAPPING: Mapping = {
    "order_id": ("order_id", values.identifier),
    "user_id": ("user_id", values.identifier),
    "resource_type": ("resource_type", values.code),
    "resource_id": ("resource_id", values.identifier),
    "title": ("title", values.text),
    "quantity": ("count", values.count),
    "price": ("price", values.yuan),
    "coupon_id": ("coupon_id", values.identifier),
    "coupon_name": ("coupon_name", values.text),
    "coupon_price": ("coupon_price", values.fen),
    "discount_price": ("discount_price", values.fen),
    "refund_money": ("refund_money", values.fen),
    "order_state": ("order_state", values.code),
    "ship_state": ("ship_state", values.code),
    "pay_way": ("pay_way", values.code),
    "client_type": ("client_type", values.code),
    "order_type": ("order_type", values.code_list),
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
    "client_type": texts("client_type"),
    "order_type": texts("order_type"),
    "after_sales_state": texts("after_sales_state"),
    "sales_state": texts("sales_state"),
}
"""Columns that get a second one, `<name>_text`, in Chinese."""

PERSONAL = ("receiver_name", "receiver_phone", "receiver_detail", "system_info")
"""Columns that tell who somebody is: `XIAOE_PERSONAL_DATA` may have them masked or hashed."""


def created_between(window: Window) -> dict[str, Any]:
    """Unix seconds on the creation time, oldest first (docs/xiaoe-api.md section 2).

    Whether `begin_time` and `end_time` themselves are included is not documented. The window's own end and the second
    before it begins are sent: where they are included, rows of that second come as well, and are merged once; where
    they are not, nothing is missing.
    """
    return {
        "begin_time": int(window.begin.timestamp()) - 1,
        "end_time": int(window.end.timestamp()),
        "order_by": "created_at:asc",
    }


ORDERS = Resource(
    name="orders",
    table="orders",
    endpoint="/xe.order.list.get/1.0.1",
    scope=Scope.CREATED,
    paging=Numbered("page_index"),
    size_key="page_size",
    total_key="total",
    largest_page=200,
    calls_per_second=300,
    quota_seconds=10,
    filters=created_between,
    parts=Parts(SECOND, created_between, "created_time"),
    time="created_time",
    time_index="idx_orders_created",
    reader=RowReader(
        MAPPING,
        CODE_TEXTS,
        key="order_id",
        forms=forms_of("orders", PERSONAL),
    ),
    personal=PERSONAL,
    members=(
        Member("users", {"user_id": "user_id"}),
        Member(
            "products",
            {
                "resource_id": "resource_id",
                "resource_type": "resource_type",
                "resource_type_text": "resource_type_text",
                "name": "title",
            },
        ),
    ),
    loads_new_rows=True,
    copies=(
        Copy(
            "order_items",
            {
                "order_id": "order_id",
                "line_no": 1,
                "resource_type": "resource_type",
                "resource_id": "resource_id",
                "title": "title",
                "quantity": "quantity",
                "amount": "price",
            },
        ),
    ),
    feeds=Feeds(
        decisions="order_id",
        mart_days={"buyers": ("pay_time",), "sales": ("created_time", "refund_time")},
        mart_buyer="user_id",
        arrival=("order_arrival", "created_time"),
    ),
    fresh_within={
        "incremental": timedelta(hours=1),
        "rescan": settings.rescan_every() + min(settings.rescan_every(), timedelta(hours=6)),
        "deep_rescan": timedelta(hours=30),
        "history": settings.history_interval() + timedelta(days=1),
        "late": timedelta(hours=2),
        **({"hints": timedelta(hours=2)} if settings.hints() else {}),
    },
)

"""Who brings buyers: `promoters`, `promoter_customers`, `order_promoters` (docs/xiaoe-api.md section 10).

Fen leave as yuan; times stay Beijing wall-clock. Who brought the buyer of an order is in `order_origins`; where order
list 2.0 is off, one call per order tells it, for orders by promoters of the last `XIAOE_LEARNING_DAYS`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from xiaoe import settings
from xiaoe.clock import beijing_text
from xiaoe.resources.base import Numbered, Parents, Resource, Scope, everything
from xiaoe.resources.privacy import forms_of
from xiaoe.rows import values
from xiaoe.rows.children import KEY, PARENT, Parent
from xiaoe.rows.decode import Mapping, RowReader
from xiaoe.rows.nested import NestedRowReader
from xiaoe.windows import EVER, Window

if TYPE_CHECKING:
    from xiaoe.mysql.session import Session

PROMOTER_MAPPING: Mapping = {
    "user_id": ("user_id", values.identifier),
    "nickname": ("nickname", values.text),
    "avatar": ("avatar", values.text),
    "level": ("level", values.text),
    "group_id": ("group_id", values.identifier),
    "group_name": ("group_name", values.text),
}
"""Column → field of the API and how it is read."""

CUSTOMER_MAPPING: Mapping = {
    "row_key": (KEY, values.identifier),
    "promoter_id": (PARENT, values.identifier),
    "customer_id": ("sub_user_id", values.identifier),
    "order_count": ("order_num", values.count),
    "amount": ("sum_price", values.fen),
    "bound_at": ("bind_time", values.time),
    "status": ("status", values.code),
    "expires_at": ("expired_at", values.planned),
}
"""Column → field of the API and how it is read."""

ORDER_MAPPING: Mapping = {
    "row_key": (KEY, values.identifier),
    "order_id": (PARENT, values.identifier),
    "promoter_id": ("user_id", values.identifier),
    "level": ("level", values.text),
    "amount": ("distribute_price", values.fen),
    "status": ("status", values.code),
}
"""Column → field of the API and how it is read; the promoter's lie in the group `distributor`."""

PERSONAL = ("nickname", "avatar")
"""Columns that tell who somebody is: `XIAOE_PERSONAL_DATA` may have them masked or hashed."""

_EVERY_STATE = 0
BY_PROMOTER = "22"
"""The code in `orders.order_type`."""
_ON = "promoters" in settings.more_lists()


def asks_each_order() -> bool:
    """Whether each order is asked for its promoter: order list 2.0, which names them all, is off."""
    return "list" not in settings.hints()


def due_promoters(session: Session, shop_id: str, window: Window) -> list[Parent]:
    """All promoters, those whose customers were read longest ago first."""
    rows = session.query(
        "SELECT p.user_id, r.observed_at FROM promoters AS p LEFT JOIN parent_readings AS r"
        " ON r.shop_id = p.shop_id AND r.resource = 'promoter_customers' AND r.parent_id = p.user_id"
        " WHERE p.shop_id = %s AND p.absent_since IS NULL ORDER BY r.observed_at IS NOT NULL, r.observed_at, p.user_id",
        (shop_id,),
    )
    return [Parent.read(user_id, {"user_id": user_id, "bind_state": _EVERY_STATE}, read) for user_id, read in rows]


def due_orders(session: Session, shop_id: str, window: Window) -> list[Parent]:
    """Paid orders by promoters, never read or changed since, those that wait longest first; of a chosen window, all."""
    if not asks_each_order():
        return []
    is_chosen = window.begin > EVER
    begin = window.begin if is_chosen else window.end - settings.learning_days()
    rows = session.query(
        "SELECT o.order_id, r.observed_at FROM orders AS o LEFT JOIN parent_readings AS r"
        " ON r.shop_id = o.shop_id AND r.resource = 'order_promoters' AND r.parent_id = o.order_id"
        " WHERE o.shop_id = %s AND o.pay_time >= %s AND o.pay_time < %s AND FIND_IN_SET(%s, o.order_type)"
        " AND o.absent_since IS NULL AND (%s OR r.observed_at IS NULL OR o.observed_at > r.observed_at)"
        " ORDER BY r.observed_at IS NOT NULL, r.observed_at, o.pay_time, o.order_id",
        (shop_id, beijing_text(begin), beijing_text(window.end), BY_PROMOTER, int(is_chosen)),
    )
    return [Parent.read(order_id, {"order_id": order_id}, read) for order_id, read in rows]


PROMOTERS = Resource(
    name="promoters",
    table="promoters",
    endpoint="/xe.distributor.list.get/1.0.0",
    scope=Scope.WHOLE,
    paging=Numbered("page_index"),
    size_key="page_size",
    list_key="return_list",
    total_key="count",
    largest_page=50,  # what clients use; the largest is not documented
    calls_per_second=50,  # a guess: as of the call for one order's promoter
    quota_seconds=10,
    filters=everything,
    time=None,
    reader=RowReader(PROMOTER_MAPPING, {}, key="user_id", forms=forms_of("promoters", PERSONAL)),
    personal=PERSONAL,
    fresh_within={"whole": timedelta(hours=30)} if _ON else {},
    more="promoters",
)

PROMOTER_CUSTOMERS = Resource(
    name="promoter_customers",
    table="promoter_customers",
    endpoint="/xe.distributor.member.sub_customer/1.0.0",
    scope=Scope.PER_PARENT,
    parents=Parents("promoter_id", ("sub_user_id",), due_promoters, budget=settings.nightly_calls),
    paging=Numbered("page_index"),
    size_key="page_size",
    list_key="return_list",  # the documentation says `list` and `total`, which are read as well
    total_key="count",
    largest_page=100,
    calls_per_second=300,
    quota_seconds=10,
    filters=everything,
    time=None,
    time_index="idx_promoter_customers_promoter",
    reader=RowReader(CUSTOMER_MAPPING, {}, key="row_key"),
    fresh_within={"incremental": timedelta(hours=30)} if _ON else {},
    more="promoters",
)

ORDER_PROMOTERS = Resource(
    name="order_promoters",
    table="order_promoters",
    endpoint="/xe.distributor.order.get/2.0.0",
    scope=Scope.PER_PARENT,
    parents=Parents("order_id", ("user_id",), due_orders, budget=settings.nightly_calls, group="distributor"),
    paging=Numbered("page"),  # no paging is documented: the answer is an array
    size_key="page_size",
    total_key="total",
    tells_total=False,
    may_be_array=True,
    largest_page=100,
    calls_per_second=50,
    quota_seconds=10,
    filters=everything,
    time=None,
    time_index="idx_order_promoters_order",
    reader=NestedRowReader(
        ORDER_MAPPING,
        {},
        key="row_key",
        groups={"distributor": {name: name for name in ("user_id", "level", "distribute_price")}},
        unkept=("distributor", "superior"),
    ),
    fresh_within={"incremental": timedelta(hours=30)} if _ON and asks_each_order() else {},
    more="promoters",
)

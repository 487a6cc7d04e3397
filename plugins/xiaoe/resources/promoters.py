"""Who brings buyers: `promoters` and `promoter_customers` (docs/xiaoe-api.md section 10).

`sum_price` arrives in fen and leaves as yuan; times stay Beijing wall-clock. Who brought the buyer of an order is in
`order_origins`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from xiaoe import settings
from xiaoe.resources.base import Numbered, Parents, Resource, Scope, everything
from xiaoe.resources.privacy import forms_of
from xiaoe.rows import values
from xiaoe.rows.children import KEY, PARENT, Parent
from xiaoe.rows.decode import Mapping, RowReader
from xiaoe.windows import Window

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

PERSONAL = ("nickname", "avatar")
"""Columns that tell who somebody is: `XIAOE_PERSONAL_DATA` may have them masked or hashed."""

_EVERY_STATE = 0
_ON = "promoters" in settings.more_lists()


def due_promoters(session: Session, shop_id: str, window: Window) -> list[Parent]:
    """All promoters, those whose customers were read longest ago first."""
    rows = session.query(
        "SELECT p.user_id, r.observed_at FROM promoters AS p LEFT JOIN parent_readings AS r"
        " ON r.shop_id = p.shop_id AND r.resource = 'promoter_customers' AND r.parent_id = p.user_id"
        " WHERE p.shop_id = %s AND p.absent_since IS NULL ORDER BY r.observed_at IS NOT NULL, r.observed_at, p.user_id",
        (shop_id,),
    )
    return [Parent.read(user_id, {"user_id": user_id, "bind_state": _EVERY_STATE}, read) for user_id, read in rows]


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

"""One item of `xe.ecommerce.after_sale.list/1.0.0` → one row of `refunds` (docs/xiaoe-api.md section 3).

Units: every amount arrives in fen (one source only) and leaves as yuan. Times stay Beijing wall-clock. Of `goods_list`
only the number of entries is stored, `state_str` not at all: the order and the code say the same; both stay in the kept
pages. `sale_type_name` is the API's own word, beside the text of the code, which a row may lack.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from xiaoe import settings
from xiaoe.resources.base import DAY, Feeds, Numbered, Parts, Resource, Scope
from xiaoe.resources.privacy import forms_of
from xiaoe.rows import values
from xiaoe.rows.codes import texts
from xiaoe.rows.decode import Mapping, RowReader
from xiaoe.windows import Window, whole_days

MAPPING: Mapping = {
    "aftersale_id": ("aftersale_id", values.identifier),
    "order_id": ("order_id", values.identifier),
    "state": ("state", values.code),
    "state_reason": ("state_reason", values.text),
    "sale_type": ("sale_type", values.code),
    "sale_type_name": ("sale_type_name", values.text),
    "apply_refund_money": ("apply_refund_money", values.fen),
    "refund_money": ("refund_money", values.fen),
    "actual_fee": ("actual_fee", values.fen),
    "original_price": ("original_price", values.fen),
    "reason": ("reason", values.text),
    "remark": ("remark", values.text),
    "nickname": ("nick_name", values.text),
    "goods_name": ("goods_name", values.text),
    "goods_count": ("goods_list", values.length),
    "sku_id": ("sku_id", values.identifier),
    "created_at": ("created_at", values.time),
    "updated_at": ("updated_at", values.time),
    "invalid_time": ("invalid_time", values.planned),
    "state_invalid_time": ("state_invalid_time", values.planned),
}
"""Column → field of the API and how it is read."""

CODE_TEXTS: dict[str, dict[int, str]] = {
    "state": texts("aftersale_state"),
    "sale_type": texts("sale_type"),
}
"""Columns that get a second one, `<name>_text`, in Chinese."""

PERSONAL = ("nickname", "reason", "remark", "state_reason")
"""Columns that tell who somebody is: `XIAOE_PERSONAL_DATA` may have them masked or hashed."""


def _changed_on_days(window: Window) -> dict[str, Any]:
    """The days of the window by `updated_at` (docs/xiaoe-api.md section 3).

    Whether the last day is included is not documented. The day behind the window's last is sent: where it is
    included, more rows come than were asked for; where it is not, nothing is missing.
    """
    days = whole_days(window)
    return {
        "created_at": f"{days.begin:%Y-%m-%d}||{days.end:%Y-%m-%d}",
        "date_type": "updated_at",
        "sales_state": -1,
    }


REFUNDS = Resource(
    name="refunds",
    table="refunds",
    endpoint="/xe.ecommerce.after_sale.list/1.0.0",
    scope=Scope.CHANGED,
    paging=Numbered("page_index"),
    size_key="page_size",
    total_key="row_count",
    largest_page=100,  # a guess: the documentation names no maximum
    calls_per_second=5,
    quota_seconds=60,
    filters=_changed_on_days,
    parts=Parts(DAY, _changed_on_days, "updated_at"),
    time="updated_at",
    time_index="idx_refunds_updated",
    reader=RowReader(
        MAPPING,
        CODE_TEXTS,
        key="aftersale_id",
        forms=forms_of("refunds", PERSONAL),
    ),
    personal=PERSONAL,
    feeds=Feeds(decisions="order_id"),
    fresh_within={"incremental": timedelta(hours=2)},
    overlap=settings.refund_overlap,
    reads_history=True,
)

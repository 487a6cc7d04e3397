"""One item of `xe.goods.list.get/4.0.0` → one row of `products` (docs/xiaoe-api.md section 5).

Units: prices arrive in fen and leave as yuan. Times stay Beijing wall-clock. `goods_img` is not stored:
its URLs expire.
"""

from __future__ import annotations

from datetime import timedelta

from xiaoe.resources.base import Numbered, Resource, Scope, everything
from xiaoe.rows import values
from xiaoe.rows.codes import texts
from xiaoe.rows.decode import Mapping, RowReader

MAPPING: Mapping = {
    "resource_id": ("resource_id", values.identifier),
    "spu_id": ("spu_id", values.identifier),
    "spu_type": ("spu_type", values.text),
    "resource_type": ("resource_type", values.code),
    "name": ("goods_name", values.text),
    "price_low": ("price_low", values.fen),
    "price_high": ("price_high", values.fen),
    "price_line": ("price_line", values.fen),
    "sale_status": ("sale_status", values.code),
    "is_deleted": ("is_deleted", values.code),
    "created_at": ("created_at", values.time),
    "updated_at": ("updated_at", values.time),
}
"""Column → field of the API and how it is read. Whether `spu_type` is a number is not documented: kept as text."""

CODE_TEXTS: dict[str, dict[int, str]] = {
    "resource_type": texts("resource_type"),
    "sale_status": texts("sale_status"),
}
"""Columns that get a second one, `<name>_text`, in Chinese."""


PRODUCTS = Resource(
    name="products",
    table="products",
    endpoint="/xe.goods.list.get/4.0.0",
    scope=Scope.WHOLE,
    paging=Numbered("page"),
    size_key="page_size",
    total_key="total",
    largest_page=100,
    calls_per_second=300,
    quota_seconds=10,
    filters=everything,
    parts=None,  # there is one by creation, but nobody has documented how its times are written
    time=None,
    reader=RowReader(MAPPING, CODE_TEXTS, key="resource_id"),
    has_inferred=True,
    fresh_within={"whole": timedelta(hours=30)},
)

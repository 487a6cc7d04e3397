"""What there is to sync: one declaration each. A new resource starts here (docs/decisions/0008)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xiaoe.rows import orders
from xiaoe.rows.decode import RowReader
from xiaoe.windows import Window


@dataclass(frozen=True)
class Resource:
    """One list interface of the API and the table it fills.

    Args:
        name: `sync_status.resource`, a folder of the page store, the asset `xiaoe_<name>`.
        table: Table of the warehouse; its staging table is `stg_<table>`.
        endpoint: Path of the list call.
        page_key: How the interface spells "which page"; a wrong key is ignored by the API.
        size_key: How it spells "rows per page".
        total_key: Where the answer's `data` tells how many rows there are in all.
        largest_page: Rows per page the interface allows.
        calls_per_second: What the interface allows.
        quota_seconds: Length of the window in which calls are counted.
        filters: A window → the interface's own filter fields.
        key: Key column, beside shop_id.
        time: Column that the window filter works on.
        reader: Types one row.
    """

    name: str
    table: str
    endpoint: str
    page_key: str
    size_key: str
    total_key: str
    largest_page: int
    calls_per_second: int
    quota_seconds: float
    filters: Callable[[Window], dict[str, Any]]
    key: str
    time: str
    reader: RowReader


def _created_between(window: Window) -> dict[str, Any]:
    """Unix seconds on the creation time, oldest first (docs/xiaoe-api.md section 2).

    Whether `end_time` itself is included is not documented. The window's own end is sent: where it is
    included, a row on the boundary comes twice and is merged once; where it is not, nothing is missing.
    """
    return {
        "begin_time": int(window.begin.timestamp()),
        "end_time": int(window.end.timestamp()),
        "order_by": "created_at:asc",
    }


ORDERS = Resource(
    name="orders",
    table="orders",
    endpoint="/xe.order.list.get/1.0.1",
    page_key="page_index",
    size_key="page_size",
    total_key="total",
    largest_page=200,
    calls_per_second=300,
    quota_seconds=10,
    filters=_created_between,
    key="order_id",
    time="created_time",
    reader=RowReader(orders.MAPPING, orders.CODE_TEXTS, key="order_id", source=orders.__file__),
)

RESOURCES = {resource.name: resource for resource in (ORDERS,)}

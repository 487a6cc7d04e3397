"""What there is to sync: one declaration each. A new resource starts here (docs/decisions/0008)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from xiaoe.destinations import Copy, Fresh, Member
from xiaoe.resources import live_streams, orders, products, refunds, users
from xiaoe.resources.privacy import forms_of
from xiaoe.rows.decode import RowReader
from xiaoe.windows import Window, whole_days


class Scope(enum.Enum):
    """What a window of a resource holds."""

    CREATED = "rows made in the window: once it lies in the past, their set is fixed"
    CHANGED = "rows last changed in the window: a row leaves it for a later one when it changes again"
    WHOLE = "everything there is at the moment"


@dataclass(frozen=True)
class Numbered:
    """Pages are asked for by number, from 1.

    Args:
        key: How the interface spells "which page"; a wrong key is ignored by the API.
    """

    key: str

    def fields(self, index: int, cursor: Any) -> dict[str, Any]:
        """What to send for a page."""
        return {self.key: index}

    def cursor(self, rows: Sequence[msgspec.Raw]) -> Any:
        """Numbers need no cursor."""
        return None


@dataclass(frozen=True)
class Cursor:
    """A page is asked for by what the last row of the page before it carries; newest rows come first.

    What is added while the list is read comes before its first page and is not met: such a list is complete
    when it holds as many rows as its first page told.

    Args:
        key: Field of the request, and of a row.
    """

    key: str

    def fields(self, index: int, cursor: Any) -> dict[str, Any]:
        """What to send for a page; the first one is asked for without a cursor."""
        return {} if cursor is None else {self.key: cursor}

    def cursor(self, rows: Sequence[msgspec.Raw]) -> Any:
        """The cursor behind these rows: the last row's, or that of the row before where the last one lacks it."""
        for raw in reversed(rows):
            try:
                fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
                cursor = msgspec.json.decode(fields.get(self.key, b"null"))
            except (ValueError, RecursionError):  # a row that is no object, or cannot be read
                continue
            if cursor:
                return cursor
        return None


@dataclass(frozen=True)
class Resource:
    """One list interface of the API and the table it fills.

    Args:
        name: `sync_status.resource`, a folder of the page store, the asset `xiaoe_<name>`.
        table: Table of the warehouse; its staging table is `stg_<table>`.
        endpoint: Path of the list call.
        scope: What a window of it means.
        paging: How pages are asked for.
        size_key: How the interface spells "rows per page".
        total_key: Where the answer's `data` tells how many rows there are in all.
        tells_total: False where nobody has documented that it does.
        largest_page: Rows per page the interface allows.
        calls_per_second: What the interface allows.
        quota_seconds: Length of the window in which calls are counted.
        filters: A window → the interface's own filter fields.
        key: Key column, beside shop_id.
        time: Column that the window filter works on; None where the scope is WHOLE.
        time_index: The index over `shop_id`, that column, `observed_at` and `absent_since`.
        reader: Types one row.
        members: Rows of other tables that a row names.
        fresh: How rows that are not there yet may go into their tables directly; None sends them through staging.
    """

    name: str
    table: str
    endpoint: str
    scope: Scope
    paging: Numbered | Cursor
    size_key: str
    total_key: str
    largest_page: int
    calls_per_second: int
    quota_seconds: float
    filters: Callable[[Window], dict[str, Any]]
    key: str
    time: str | None
    reader: RowReader
    members: tuple[Member, ...] = ()
    fresh: Fresh | None = None
    time_index: str | None = None
    tells_total: bool = True

    def covers_present(self, window: Window, read_at: datetime) -> bool:
        """Whether every row that the window ever held has to be in what was read of it.

        It has to for rows by creation and for whole lists. A row by its last change may have moved on since,
        to a day that only a window up to the present holds.
        """
        return self.scope is not Scope.CHANGED or read_at < whole_days(window).end

    @property
    def has_inferred(self) -> bool:
        """Whether rows of the table may have been inferred from other resources."""
        return any(member.table == self.table for other in RESOURCES.values() for member in other.members)


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


def _everything(window: Window) -> dict[str, Any]:
    """No filter at all: of products, all types and states."""
    return {}


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
    key="order_id",
    time="created_time",
    time_index="idx_orders_created",
    reader=RowReader(
        orders.MAPPING,
        orders.CODE_TEXTS,
        key="order_id",
        forms=forms_of("orders"),
    ),
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
    fresh=Fresh(
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
            Copy("benefit_queue", {"order_id": "order_id"}, twins="replace"),  # an after-sale may have been faster
        ),
        days={"buyers": ("pay_time",), "sales": ("created_time", "refund_time")},
    ),
)

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
    key="aftersale_id",
    time="updated_at",
    time_index="idx_refunds_updated",
    reader=RowReader(
        refunds.MAPPING,
        refunds.CODE_TEXTS,
        key="aftersale_id",
        forms=forms_of("refunds"),
    ),
)

USERS = Resource(
    name="users",
    table="users",
    endpoint="/xe.user.batch.get/2.0.0",
    scope=Scope.WHOLE,
    paging=Cursor("es_skip"),
    size_key="page_size",
    total_key="total",
    largest_page=50,
    calls_per_second=300,
    quota_seconds=10,
    filters=_everything,
    key="user_id",
    time=None,
    reader=RowReader(users.MAPPING, {}, key="user_id", forms=forms_of("users")),
)

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
    filters=_everything,
    key="resource_id",
    time=None,
    reader=RowReader(products.MAPPING, products.CODE_TEXTS, key="resource_id"),
)

LIVE_STREAMS = Resource(
    name="live_streams",
    table="live_streams",
    endpoint="/xe.alive.list.get/1.0.0",
    scope=Scope.WHOLE,
    paging=Numbered("page"),
    size_key="page_size",
    total_key="total",
    largest_page=100,  # a guess, like the limit below: documented for the call by ids only
    calls_per_second=10,
    quota_seconds=10,
    filters=_everything,
    key="live_id",
    time=None,
    tells_total=False,
    reader=RowReader(live_streams.MAPPING, live_streams.CODE_TEXTS, key="live_id"),
)

RESOURCES = {resource.name: resource for resource in (ORDERS, REFUNDS, USERS, PRODUCTS, LIVE_STREAMS)}

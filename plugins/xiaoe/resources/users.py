"""One item of `xe.user.batch.get/2.0.0` → one row of `users` (docs/xiaoe-api.md section 4).

`user_created_at` arrives as Beijing text, `latest_visited_at`, which has to be asked for, as unix milliseconds; both
leave as Beijing wall-clock. `punch_count` is the number of purchases. Nobody has settled the unit of `pay_sum`: it is
stored as it comes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from xiaoe import settings
from xiaoe.resources.base import DAY, Cursor, Parts, Recent, Resource, Scope
from xiaoe.resources.privacy import forms_of
from xiaoe.rows import values
from xiaoe.rows.decode import Mapping, RowReader
from xiaoe.windows import FOREVER, Window, whole_days

MAPPING: Mapping = {
    "user_id": ("user_id", values.identifier),
    "nickname": ("user_nickname", values.text),
    "phone": ("bind_phone", values.text),
    "collect_phone": ("collect_phone", values.text),
    "avatar": ("avatar", values.text),
    "source": ("from", values.text),
    "pay_sum": ("pay_sum", values.number),
    "punch_count": ("punch_count", values.count),
    "wx_union_id": ("wx_union_id", values.text),
    "wx_open_id": ("wx_open_id", values.text),
    "wx_app_open_id": ("wx_app_open_id", values.text),
    "registered_at": ("user_created_at", values.time),
    "last_visited_at": ("latest_visited_at", values.time),
}
"""Column → field of the API and how it is read."""

PERSONAL = ("nickname", "phone", "collect_phone", "avatar", "wx_union_id", "wx_open_id", "wx_app_open_id")
"""Columns that tell who somebody is: `XIAOE_PERSONAL_DATA` may have them masked or hashed."""


def _with_last_visit(window: Window) -> dict[str, Any]:
    """No filter; `latest_visited_at` comes only when it is asked for (docs/xiaoe-api.md section 4)."""
    return {"need_column": ["latest_visited_at"]}


def _registered_on_days(window: Window) -> dict[str, Any]:
    """Users who registered on the days of the window (docs/xiaoe-api.md section 4).

    Whether the last day is included is not documented, nor whether one end alone is understood: the day behind the
    window's last is sent, and always both.
    """
    days = whole_days(window)
    return {
        **_with_last_visit(window),
        "user_created_start": f"{days.begin:%Y-%m-%d}",
        "user_created_end": f"{days.end:%Y-%m-%d}",
    }


def _registered_since(day: datetime) -> dict[str, Any]:
    """Users who registered on a day of Beijing or later."""
    return _registered_on_days(Window(day, FOREVER))


def _visited_since(day: datetime) -> dict[str, Any]:
    """Users whose last visit was on a day of Beijing or later: whose row has changed (section 4)."""
    return {
        **_with_last_visit(Window(day, FOREVER)),
        "latest_visited_start": f"{day:%Y-%m-%d}",
        "latest_visited_end": f"{FOREVER:%Y-%m-%d}",
    }


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
    filters=_with_last_visit,
    parts=Parts(DAY, _registered_on_days, "registered_at"),
    recent=Recent(
        {"registered_at": _registered_since, "last_visited_at": _visited_since}, every=settings.users_whole_days
    ),
    time=None,
    reader=RowReader(MAPPING, {}, key="user_id", forms=forms_of("users", PERSONAL)),
    personal=PERSONAL,
    has_inferred=True,
    fresh_within={"recent": timedelta(hours=30)},  # of a run that has to read the whole list, and fails, too
)

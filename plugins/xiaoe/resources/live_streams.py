"""One item of `xe.alive.list.get/1.0.0` → one row of `live_streams` (docs/xiaoe-api.md section 6).

`reward_sum` arrives in yuan, as a string or the integer 0; `purchase_count` as a string. Times stay Beijing
wall-clock: `start_at` and `stop_at` are those planned, `manual_stop_at` is when somebody ended it.
"""

from __future__ import annotations

from datetime import timedelta

from xiaoe.resources.base import Numbered, Resource, Scope, everything
from xiaoe.rows import values
from xiaoe.rows.codes import texts
from xiaoe.rows.decode import Mapping, RowReader

MAPPING: Mapping = {
    "live_id": ("id", values.identifier),
    "title": ("title", values.text),
    "alive_type": ("alive_type", values.code),
    "alive_state": ("alive_state", values.code),
    "start_at": ("alive_start_at", values.planned),
    "stop_at": ("alive_stop_at", values.planned),
    "manual_stop_at": ("alive_manual_stop_at", values.time),
    "view_count": ("view_count", values.count),
    "reward_sum": ("reward_sum", values.yuan),
    "purchase_count": ("purchase_count", values.count),
    "recycle_bin_state": ("recycle_bin_state", values.code),
}
"""Column → field of the API and how it is read."""

CODE_TEXTS: dict[str, dict[int, str]] = {
    "alive_type": texts("alive_type"),
    "alive_state": texts("alive_state"),
}
"""Columns that get a second one, `<name>_text`, in Chinese."""


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
    filters=everything,
    time=None,
    tells_total=False,
    reader=RowReader(MAPPING, CODE_TEXTS, key="live_id"),
    fresh_within={"whole": timedelta(hours=30)},
)

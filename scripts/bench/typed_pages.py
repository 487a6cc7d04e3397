"""Orders of the pages, typed: as rows or as Arrow tables; for the peers that run in `.venv-bench`.

JSON is read with orjson. Duplicates at the edges of windows, which break the peers' staging keys, are left out.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

NUMBERS = (
    "resource_type", "count", "order_state", "ship_state", "pay_way", "client_type", "collection_way",
    "after_sales_state", "team_buy_state", "sales_state",
)  # fmt: skip
MONEY = {"price": 1, "coupon_price": 100, "refund_money": 100}
TIMES = ("created_time", "pay_time", "refund_time", "settle_time")
TEXTS = (
    "order_id", "user_id", "resource_id", "title", "coupon_id", "coupon_name", "out_order_id",
    "transaction_id", "goods_no", "system_info", "receiver_name", "receiver_phone", "receiver_detail",
)  # fmt: skip
LINE = ("resource_type", "resource_id", "title", "count", "price")
EMPTY = ("", "--", None)
NEVER = ("0000-00-00", "-0001-11-30")
YUAN = pa.decimal128(12, 2)
FEN = pa.scalar(Decimal("0.01"), pa.decimal128(3, 2))


def report(work: Callable[[], Any]) -> None:
    """Do the work; print {"seconds", "cpu", "peak_mb"} as JSON, with those of child processes."""
    import resource

    def spent() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    began, before = time.perf_counter(), spent()
    work()
    seconds, cpu = time.perf_counter() - began, spent() - before
    own = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    peak_mb = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak_mb}))


def batches(pages: list[str], size: int) -> Iterator[list[dict[str, Any]]]:
    """The raw orders, at least `size` at a time."""
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    for name in pages:
        _, _, body = gzip.decompress(Path(name).read_bytes()).partition(b"\n")
        rows += [row for row in orjson.loads(body)["data"]["list"] if row["order_id"] not in seen]
        seen.update(row["order_id"] for row in rows)
        if len(rows) >= size:
            yield rows
            rows = []
    if rows:
        yield rows


def typed(row: dict[str, Any]) -> dict[str, Any]:
    """Numbers, amounts in yuan, times, texts; values missing from the API are None."""
    order: dict[str, Any] = {name: None if row.get(name) in EMPTY else int(row[name]) for name in NUMBERS}
    for name, unit in MONEY.items():
        value = row.get(name)
        order[name] = None if value in EMPTY else Decimal(str(value)) / unit
    for name in TIMES:
        value = row.get(name)
        order[name] = None if value in EMPTY or value.startswith(NEVER) else datetime.fromisoformat(value)
    for name in TEXTS:
        value = row.get(name)
        order[name] = value if value is None or type(value) is str else str(value)
    return order


def orders_table(rows: list[dict[str, Any]]) -> pa.Table:
    """The same as one Arrow table."""
    values = {name: [row.get(name) for row in rows] for name in (*NUMBERS, *MONEY, *TIMES, *TEXTS)}
    columns: dict[str, Any] = {}
    for name in NUMBERS:
        columns[name] = pa.array([None if value in EMPTY else int(value) for value in values[name]], pa.int64())
    for name, unit in MONEY.items():
        texts = pa.array([None if value in EMPTY else str(value) for value in values[name]], pa.string())
        amounts = texts.cast(YUAN)
        columns[name] = amounts if unit == 1 else pc.multiply(amounts, FEN).cast(YUAN)
    for name in TIMES:
        texts = pa.array([None if v in EMPTY or v.startswith(NEVER) else v for v in values[name]], pa.string())
        columns[name] = texts.cast(pa.timestamp("s"))
    for name in TEXTS:
        columns[name] = pa.array([v if v is None or type(v) is str else str(v) for v in values[name]], pa.string())
    return pa.table(columns)


def lines_table(orders: pa.Table) -> pa.Table:
    """The only line of each order."""
    numbers = pa.array([1] * len(orders), pa.int64())
    return orders.select(["order_id", *LINE]).append_column("line_no", numbers)

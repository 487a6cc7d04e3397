"""The same pages through dlt, its best settings found and its defaults; runs in dlt's own environment.

Usage: dlt_peer.py PAGES DSN best|defaults FOLDER. PAGES names one page of the store per line, FOLDER is for dlt.
Prints {"seconds", "cpu", "peak_mb"} as JSON. Imports and the reading of this file are not counted.

dlt does: types by hints, normalising, its staging tables, delete and insert by primary key. It does not do the rest of
our merge: rejected rows, newer wins, state log, queues, members, ledger. The pages' JSON is read with orjson.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}

import dlt
import orjson

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
HINTS: dict[str, dict[str, Any]] = {
    **{name: {"data_type": "bigint"} for name in NUMBERS},
    **{name: {"data_type": "decimal", "precision": 12, "scale": 2} for name in MONEY},
    **{name: {"data_type": "timestamp", "timezone": False, "precision": 0} for name in TIMES},
    **{name: {"data_type": "text"} for name in TEXTS},
}
NEVER = ("0000-00-00", "-0001-11-30")
BATCH = 1000


def main() -> None:
    """Load the pages and print the costs."""
    names, dsn, settings, folder = sys.argv[1:]
    pages = Path(names).read_text().split()
    is_best = settings == "best"
    if is_best:
        os.environ["NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION"] = "true"
    options = {"create_unique_indexes": True, "create_primary_keys": True} if is_best else {}
    database = urlsplit(dsn).path.strip("/")
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=folder,
        destination=dlt.destinations.sqlalchemy(credentials=dsn, **options),
        dataset_name=database,
    )
    began, spent = time.perf_counter(), time.process_time()
    pipeline.run(flat(pages) if is_best else nested(pages))
    print(
        orjson.dumps(
            {
                "seconds": time.perf_counter() - began,
                "cpu": time.process_time() - spent,
                "peak_mb": int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024,
            }
        ).decode()
    )


def flat(pages: list[str]) -> list[Any]:
    """Orders and their lines as two resources without children, each with its own key and hints."""
    lines = {name: HINTS[name] for name in ("order_id", *LINE)} | {"line_no": {"data_type": "bigint"}}

    @dlt.resource(name="orders", write_disposition="merge", primary_key="order_id", columns=keyed(HINTS, "order_id"))
    def all_orders() -> Iterator[list[dict[str, Any]]]:
        for rows in batches(pages):
            yield [typed(row) for row in rows]

    @dlt.transformer(
        name="order_items",
        write_disposition="merge",
        primary_key=("order_id", "line_no"),
        columns=keyed(lines, "order_id"),
    )
    def order_items(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"order_id": row["order_id"], "line_no": 1, **{name: row[name] for name in LINE}} for row in rows]

    source = all_orders()
    return [source, source | order_items]


def nested(pages: list[str]) -> Any:
    """With dlt's defaults: a merge of the API's rows by their key."""

    @dlt.resource(name="orders", write_disposition="merge", primary_key="order_id")
    def orders() -> Iterator[list[dict[str, Any]]]:
        for rows in batches(pages):
            yield [typed(row) | {"items": [{name: row.get(name) for name in LINE}]} for row in rows]

    return orders


def keyed(columns: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Keys must fit into an index."""
    return columns | {key: {"data_type": "text", "precision": 128} for key in keys}


def batches(pages: list[str]) -> Iterator[list[dict[str, Any]]]:
    """The raw orders of the pages; without duplicates at window edges, which break dlt's staging key."""
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    for name in pages:
        _, _, body = gzip.decompress(Path(name).read_bytes()).partition(b"\n")
        rows += [row for row in orjson.loads(body)["data"]["list"] if row["order_id"] not in seen]
        seen.update(row["order_id"] for row in rows)
        if len(rows) >= BATCH:
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


if __name__ == "__main__":
    main()

"""The same pages through dlt: as Arrow tables, as rows with the best settings found, and with its defaults.

It runs in the peers' environment. Usage: dlt_peer.py PAGES DSN arrow|best|defaults FOLDER. PAGES names one page of the
store per line, FOLDER is for dlt. Prints {"seconds", "cpu", "peak_mb"} as JSON; imports and the reading of PAGES do not
count.

dlt does: types by hints, normalising, its staging tables, delete and insert by primary key. It does not do the rest of
our merge: rejected rows, newer wins, state log, queues, members, ledger.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}

import dlt
import pyarrow as pa
from typed_pages import LINE, MONEY, NUMBERS, TEXTS, TIMES, batches, lines_table, orders_table, report, typed

HINTS: dict[str, dict[str, Any]] = {
    **{name: {"data_type": "bigint"} for name in NUMBERS},
    **{name: {"data_type": "decimal", "precision": 12, "scale": 2} for name in MONEY},
    **{name: {"data_type": "timestamp", "timezone": False, "precision": 0} for name in TIMES},
    **{name: {"data_type": "text"} for name in TEXTS},
}
LINES = {name: HINTS[name] for name in ("order_id", *LINE)} | {"line_no": {"data_type": "bigint"}}
BATCH = 1000
ARROW_BATCH = 10_000


def main() -> None:
    """Load the pages and print the costs."""
    names, dsn, settings, folder = sys.argv[1:]
    pages = Path(names).read_text().split()
    if settings == "best":
        os.environ["NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION"] = "true"
    options = {} if settings == "defaults" else {"create_unique_indexes": True, "create_primary_keys": True}
    database = urlsplit(dsn).path.strip("/")
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=folder,
        destination=dlt.destinations.sqlalchemy(credentials=dsn, **options),
        dataset_name=database,
    )
    if settings == "arrow":
        report(lambda: pipeline.run(arrow(pages), loader_file_format="parquet"))
    else:
        report(lambda: pipeline.run(flat(pages) if settings == "best" else nested(pages)))


def arrow(pages: list[str]) -> list[Any]:
    """Orders and their lines as Arrow tables, which dlt writes as Parquet without looking at rows."""

    @dlt.resource(name="orders", write_disposition="merge", primary_key="order_id", columns=keyed({}, "order_id"))
    def all_orders() -> Iterator[pa.Table]:
        for rows in batches(pages, ARROW_BATCH):
            yield orders_table(rows)

    @dlt.transformer(
        name="order_items",
        write_disposition="merge",
        primary_key=("order_id", "line_no"),
        columns=keyed({}, "order_id"),
    )
    def order_items(orders: pa.Table) -> pa.Table:
        return lines_table(orders)

    source = all_orders()
    return [source, source | order_items]


def flat(pages: list[str]) -> list[Any]:
    """Orders and their lines as two resources without children, each with its own key and hints."""

    @dlt.resource(name="orders", write_disposition="merge", primary_key="order_id", columns=keyed(HINTS, "order_id"))
    def all_orders() -> Iterator[list[dict[str, Any]]]:
        for rows in batches(pages, BATCH):
            yield [typed(row) for row in rows]

    @dlt.transformer(
        name="order_items",
        write_disposition="merge",
        primary_key=("order_id", "line_no"),
        columns=keyed(LINES, "order_id"),
    )
    def order_items(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"order_id": row["order_id"], "line_no": 1, **{name: row[name] for name in LINE}} for row in rows]

    source = all_orders()
    return [source, source | order_items]


def nested(pages: list[str]) -> Any:
    """With dlt's defaults: a merge of the API's rows by their key."""

    @dlt.resource(name="orders", write_disposition="merge", primary_key="order_id")
    def orders() -> Iterator[list[dict[str, Any]]]:
        for rows in batches(pages, BATCH):
            yield [typed(row) | {"items": [{name: row.get(name) for name in LINE}]} for row in rows]

    return orders


def keyed(columns: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Keys must fit into an index."""
    return columns | {key: {"data_type": "text", "precision": 128} for key in keys}


if __name__ == "__main__":
    main()

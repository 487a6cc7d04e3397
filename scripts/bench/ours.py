"""This project's work, through its operators, in the calling process."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.place import DAYS, END, PRELOADED, Cost, measured


def stage(run_id: str, begin: datetime | None = None, end: datetime | None = None) -> Cost:
    """Fetch a window over HTTP into the page store; the result is the run's folder."""
    operators = prepared()
    operator = operators.XiaoeStageOperator(
        task_id="stage", resource="orders", mode="rescan", xiaoe_conn_id="xiaoe_default"
    )
    return measured(lambda: operator.execute(context(run_id, begin, end)))


def merge(folder: str) -> Cost:
    """Merge a staged run from the page store into the connection's database; the result is counts."""
    operators = prepared()
    from xiaoe.merge.sql import merge_sql
    from xiaoe.resources.orders import ORDERS

    operator = operators.XiaoeMergeOperator(
        task_id="merge", resource="orders", mode="rescan", folder=folder, sql=merge_sql(ORDERS)
    )
    return measured(lambda: operator.execute(context("merge")))


def hash_only(folder: str) -> Cost:
    """Read the pages and hash each row: the minimum cost of a rescan."""
    prepared()
    from xiaoe.resources.orders import ORDERS
    from xiaoe.rows.envelope import rows_of
    from xiaoe.storage.pages import RunFolder

    def read() -> int:
        run, hashes = RunFolder(Path(folder.removeprefix("file://"))), set()
        for part in run.read_manifest().slices:
            for name in part.pages:
                page = run.read_page(name)
                assert page is not None  # noqa: S101 - a benchmark
                rows = rows_of(page.body, total_field=ORDERS.total_key).rows
                hashes.update(map(ORDERS.reader.raw_hash, rows))
        return len(hashes)

    return measured(read)


def pages_of(folder: str) -> list[str]:
    """The files of a staged run, in order."""
    from xiaoe.storage.pages import RunFolder

    path = folder.removeprefix("file://")
    return [f"{path}/{name}" for part in RunFolder(Path(path)).read_manifest().slices for name in part.pages]


def raw_orders(pages: list[str]) -> Iterator[list[dict[str, Any]]]:
    """The orders of each page, as plain dictionaries."""
    import gzip
    import json

    for name in pages:
        _, _, body = gzip.decompress(Path(name).read_bytes()).partition(b"\n")
        yield json.loads(body)["data"]["list"]


def prepared() -> Any:
    """The operators, with everything imported that they would import when they run."""
    logging.disable()
    for name in PRELOADED:
        importlib.import_module(name)
    return importlib.import_module("xiaoe.sync.operators")


def context(run_id: str, begin: datetime | None = None, end: datetime | None = None) -> Any:
    """The context that Airflow would pass to an operator; the window is by default that of all orders."""
    from xiaoe.clock import BEIJING

    begin, end = begin or END - timedelta(days=DAYS), end or END
    return {
        "dag_run": SimpleNamespace(run_id=run_id, run_type="manual", run_after=END.replace(tzinfo=BEIJING)),
        "params": {"from": begin.isoformat(), "to": end.isoformat()},
    }

"""`make bench`: what a first load and a rescan cost, through the two operators, over HTTP into MySQL.

Each phase runs in a process of its own, so that its peak memory is its own. Figures belong to the
machine they were taken on; docs/performance.md says what bounds them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from standalone import ROOT

sys.path[:0] = [str(ROOT / "include")]

from emulator.connecting import airflow_connection  # noqa: E402 - found through the line above
from emulator.options import Credentials  # noqa: E402
from emulator.running import running  # noqa: E402

SHOP = Credentials("appbench000001", "xopbench000001", "bench-secret-0000001")
END = datetime(2026, 11, 20, 12)
DAYS = 14
LATER = timedelta(hours=4)


def main() -> int:
    """Run both phases and print a table and, as the last line, the same as key=value."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="orders, spread over 14 days")
    size = parser.parse_args().size
    dsn = _database()
    with (
        tempfile.TemporaryDirectory(prefix="xiaoe-bench-") as home,
        running(
            orders=size,
            start=f"{END - timedelta(days=DAYS):%Y-%m-%d}",
            now=END.isoformat(),
            frozen=True,
            shop=[":".join(SHOP)],
            no_limits=True,
        ) as emulator,
    ):
        _environment(home, dsn, emulator.url)
        _in_child(_migrate)
        first = _in_child(_sync, "first load")
        emulator.advance(int(LATER.total_seconds()))
        rescan = _in_child(_sync, "rescan")
    for name, one in (("first load", first), ("rescan", rescan)):
        rows = one["counts"]["staged"]
        print(
            f"{name:<11}{rows:>9} orders  {one['counts']['inserted']:>8} new {one['counts']['updated']:>6} changed"
            f"  fetch {one['stage']:6.1f} s  merge {one['merge']:6.1f} s  {rows / (one['stage'] + one['merge']):8.0f}"
            f" orders/s  merge alone {rows / one['merge']:8.0f} orders/s  peak {one['peak_mb']:4.0f} MB"
        )
    changed = rescan["counts"]["updated"] / rescan["counts"]["staged"]
    print(
        f"first_load_orders_per_s={_rate(first):.0f} rescan_orders_per_s={_rate(rescan):.0f}"
        f" rescan_changed={changed:.4f} peak_mb={max(first['peak_mb'], rescan['peak_mb']):.0f}"
    )
    return 0


def _rate(one: dict[str, Any]) -> float:
    return float(one["counts"]["staged"] / (one["stage"] + one["merge"]))


def _database() -> str:
    """An empty database `xiaoe_bench` on the private server, or on the one that the environment names."""
    import MySQLdb

    command = [ROOT / "scripts" / "database", "dsn"]
    dsn = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()  # noqa: S603
    parts = urlsplit(dsn)
    server = MySQLdb.connect(
        host=parts.hostname, port=parts.port or 3306, user=parts.username, passwd=parts.password or ""
    )
    server.query("DROP DATABASE IF EXISTS xiaoe_bench")
    server.close()
    return parts._replace(path="/xiaoe_bench").geturl()


def _environment(home: str, dsn: str, url: str) -> None:
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "XIAOE_PAGE_STORE": f"file://{home}/pages",
        "AIRFLOW_CONN_XIAOE_MYSQL": dsn,
        "AIRFLOW_CONN_XIAOE_DEFAULT": airflow_connection(url, SHOP, calls_per_second=300),
    }


def _in_child(work: Any, *arguments: Any) -> Any:
    """Run a function in a fresh process and return what it returns."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _migrate() -> None:
    from xiaoe.migrate import migrate

    migrate()


def _sync(run_id: str) -> dict[str, Any]:
    """Execute both operators as a task would, for the window of all orders."""
    from xiaoe.operators import XiaoeMergeOperator, XiaoeStageOperator
    from xiaoe.windows import BEIJING

    begin = END - timedelta(days=DAYS)
    context: Any = {
        "dag_run": SimpleNamespace(run_id=run_id, run_type="manual", run_after=END.replace(tzinfo=BEIJING)),
        "params": {"from": f"{begin:%Y-%m-%d}", "to": END.isoformat()},
    }
    stage = XiaoeStageOperator(task_id="stage", resource="orders", mode="rescan", xiaoe_conn_id="xiaoe_default")
    began = time.perf_counter()
    folder = stage.execute(context)
    staged = time.perf_counter()
    merge = XiaoeMergeOperator(task_id="merge", resource="orders", mode="rescan", folder=folder, sql=_merge_sql())
    counts = merge.execute(context)
    return {
        "stage": staged - began,
        "merge": time.perf_counter() - staged,
        "counts": counts,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _merge_sql() -> str:
    import jinja2

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(ROOT / "include" / "sql"))  # noqa: S701 - SQL, no HTML
    return environment.get_template("merge/orders.sql").render()


if __name__ == "__main__":
    sys.exit(main())

"""`make bench-marts`: the dashboards of two shops with some million orders.

Fills a separate database (bench.warehouse), then measures: all marts from nothing; a refresh after an hour's changes;
every query of every dashboard as it opens, and over 90 days. Prints a line for each, the slowest queries last, and
writes .local/bench-marts.json. Five million orders take some 10 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bi_assets import ASSETS, Assets

from bench.place import ROOT, note
from bench.tiles import Tile, tiles
from bench.warehouse import SHOPS, fill

JSON = ROOT / ".local" / "bench-marts.json"
STEPS = ("fill", "rebuild", "hour", "tiles")
LATE_REFUNDS = range(30, 180, 30)
"""How many days back an hour's late refunds reach, beside the two weeks that the hourly rescan reads."""


def main() -> int:
    """Fill, compute, measure; drop the database."""
    parser = argparse.ArgumentParser(prog="bench.marts", description=__doc__)
    parser.add_argument("--size", type=int, default=5_000_000, help="orders of both shops together")
    parser.add_argument("--steps", default=",".join(STEPS), help=f"some of {', '.join(STEPS)}; without fill: go on")
    parser.add_argument("--repeats", type=int, default=3, help="of each query; the first one warms up and is left out")
    parser.add_argument("--keep", action="store_true", help="leave the database")
    parser.add_argument("--database", default="xiaoe_bench_marts", help="its name")
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    arguments = parser.parse_args()
    steps = arguments.steps.split(",")
    connection = _database(arguments.database, is_new="fill" in steps)
    found: dict[str, Any] = {}
    try:
        with connection.cursor() as cursor:
            found = measure(cursor, steps, arguments.size, arguments.repeats)
            if not arguments.keep:
                cursor.execute(f"DROP DATABASE {arguments.database}")
    finally:
        connection.close()
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def _database(name: str, *, is_new: bool) -> Any:
    """A migrated database for this script, on the private server or on the one named by the environment."""
    import MySQLdb

    command = [ROOT / "scripts" / "servers" / "database", "dsn"]
    dsn = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()  # noqa: S603
    parts = urlsplit(dsn)
    server = MySQLdb.connect(
        host=parts.hostname, port=parts.port or 3306, user=parts.username, passwd=parts.password or "",
        charset="utf8mb4", autocommit=True,
    )  # fmt: skip
    if is_new:
        server.query(f"DROP DATABASE IF EXISTS {name}")
    os.environ |= {
        "AIRFLOW_CONN_XIAOE_MYSQL": parts._replace(path=f"/{name}", query="charset=utf8mb4").geturl(),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }
    from xiaoe.mysql.migrate import migrate

    migrate()
    server.select_db(name)
    server.query("SET time_zone = '+08:00'")  # as Superset's sessions
    return server


def measure(cursor: Any, steps: list[str], size: int, repeats: int) -> dict[str, Any]:
    """Take the steps; return seconds by name, queries by dashboard and tile."""
    from xiaoe import clock

    now = clock.now()
    run = cursor.execute
    found: dict[str, Any] = {"orders": size}
    if "fill" in steps:
        found["fill_seconds"] = seconds(lambda: fill(cursor, size, now))
        note(f"filled with {size:,} orders in {found['fill_seconds']:.0f} s")
    if "rebuild" in steps:
        found["rebuild_seconds"] = refresh(now, "rebuild", is_rebuild=True)
    if "hour" in steps:
        an_hour(run, now)
        found["hour_seconds"] = refresh(now, "hour")
    if "tiles" in steps:
        found["tiles"] = [
            {"range": span, **one._asdict(), "seconds": round(median(run, one.sql, repeats), 4)}
            for span, one in _all_tiles(now)
        ]
        for one in sorted(found["tiles"], key=lambda one: one["seconds"]):
            note(f"{one['seconds'] * 1000:7.0f} ms  {one['dashboard']} {one['name']}, {one['range']}")
    return found


def refresh(now: datetime, name: str, *, is_rebuild: bool = False) -> float:
    """Refresh the marts of all shops, at once as the tasks of the DAG do; return seconds until the last is done."""
    from xiaoe.marts.refresh import Refresher
    from xiaoe.mysql.warehouse import Warehouse

    def one(shop: str) -> None:
        taken = seconds(lambda: Refresher(Warehouse(), shop, now=now).refresh(rebuild=is_rebuild))
        note(f"{name}: {shop}: {taken:.1f} s")

    with ThreadPoolExecutor(len(SHOPS)) as pool:
        taken = seconds(lambda: list(pool.map(one, SHOPS)))
    note(f"{name}: {taken:.1f} s")
    return taken


def an_hour(run: Callable[[str], Any], now: datetime) -> None:
    """Queue an hour's changes of each shop: every day of the last two weeks, and months back for late refunds."""
    from xiaoe.clock import BEIJING

    today = now.astimezone(BEIJING).date()

    def queue(shop: str, kind: str, days: int) -> None:
        day = today - timedelta(days=days)
        run(f"INSERT INTO mart_queue (shop_id, kind, day) VALUES ('{shop}', '{kind}', '{day}')")

    for shop in SHOPS:
        for days in range(15):
            queue(shop, "buyers" if days < 2 else "sales", days)
            queue(shop, "deadline", days - 14)
        for days in LATE_REFUNDS:
            queue(shop, "sales", days)
        queue(shop, "decided", 0)
        queue(shop, "covered", 0)


def _all_tiles(now: datetime) -> list[tuple[str, Tile]]:
    """Range → query: as each dashboard opens, and where it opens on another range, over 90 days."""
    from xiaoe.clock import BEIJING

    today = now.astimezone(BEIJING).date()
    found = []
    for page in Assets.read(ASSETS).dashboards.values():
        opened = list(tiles(page, today))
        found += [("default", one) for one in opened]
        known = {one.sql for one in opened}
        found += [("90 days", one) for one in tiles(page, today, 90) if one.sql not in known]
    return found


def seconds(work: Callable[[], Any]) -> float:
    """How long the work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median(run: Callable[[str], Any], sql: str, repeats: int) -> float:
    """Seconds that a query takes, without the first run."""
    return statistics.median([seconds(lambda: run(sql)) for _ in range(repeats + 1)][1:])


if __name__ == "__main__":
    sys.exit(main())

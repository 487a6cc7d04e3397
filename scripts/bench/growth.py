"""`make bench-growth`: windows of 10,000 to a million orders; rescans over tables with up to ten million others.

Takes half an hour and some 20 GB of disk. Prints a line per step and writes .local/bench-growth.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import ours
from bench.__main__ import stage
from bench.place import DAYS, ROOT, SHOP, Cost, Place, in_child, note, stored_columns
from bench.results import median

JSON = ROOT / ".local" / "bench-growth.json"
FILL = 100_000
"""Rows per statement."""


def main() -> int:
    """Measure both ways of growing."""
    parser = argparse.ArgumentParser(prog="bench.growth", description=__doc__)
    parser.add_argument("--windows", default="10000,100000,1000000", help="orders of one window")
    parser.add_argument("--tables", default="0,1000000,10000000", help="other orders in the table")
    parser.add_argument(
        "--size", type=int, default=50_000, help="orders of the window that such a table is rescanned for"
    )
    parser.add_argument("--rounds", type=int, default=5, help="loads per window, in turns, and rescans per table")
    parser.add_argument("--json", type=Path, default=JSON)
    arguments = parser.parse_args()
    windows, tables = (numbers(text) for text in (arguments.windows, arguments.tables))
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="xiaoe-bench-") as home:
        place = Place(Path(home))
        try:
            found["windows"] = each_window(place, windows, arguments.rounds)
            found["tables"] = beside_others(place, arguments.size, tables, arguments.rounds)
        finally:
            place.drop()
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


def each_window(place: Place, sizes: list[int], rounds: int) -> list[dict[str, Any]]:
    """Fetch windows of so many orders, then load each into an empty database and rescan it, in turns."""
    staged = {}
    for size in sizes:
        os.environ["XIAOE_PAGE_STORE"] = f"file://{place.home}/pages-{size}"  # it is the same window each time
        staged[size] = stage(place, size)
    costs: dict[int, list[tuple[Cost, Cost]]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            place.migrated("ours")
            first, rescan = (in_child(ours.merge, folder) for folder in (staged[size].first, staged[size].rescan))
            costs[size].append((first, rescan))
            note(f"{size} orders: first load {first.seconds:.1f} s, rescan {rescan.seconds:.1f} s")
    found = []
    for size in sizes:
        fetched, firsts, rescans = staged[size].fetched[0], *zip(*costs[size], strict=True)
        one: dict[str, Any] = {"orders": size}
        for name, of_it in (("fetch", [fetched]), ("first_load", firsts), ("rescan", rescans)):
            one[f"{name}_seconds"] = median(cost.seconds for cost in of_it)
            one[f"{name}_peak_mb"] = max(cost.peak_mb for cost in of_it)
        found.append(one)
        note(json.dumps(one))
    return found


def beside_others(place: Place, size: int, tables: list[int], rounds: int) -> list[dict[str, Any]]:
    """Rescan one window again and again, with more and more orders of earlier times in the table."""
    staged = stage(place, size)
    database = place.migrated("ours")
    in_child(ours.merge, staged.first)
    found, held = [], 0
    for others in tables:
        fill(place, database, held, others)
        held = others
        costs = [in_child(ours.merge, staged.again) for _ in range(rounds + 1)][1:]  # the first warms the cache
        found.append({"others": others, "rescan_seconds": median(cost.seconds for cost in costs)})
        note(json.dumps(found[-1]))
    return found


def fill(place: Place, database: str, held: int, wanted: int) -> None:
    """Put copies of the window's orders into the table, made years earlier, up to so many."""
    with place.connected(database) as connection, connection.cursor() as cursor:
        names = stored_columns(cursor, "orders")
        picked = ", ".join(CHANGED.get(name, name) for name in names)
        for start in range(held, wanted, FILL):
            rows = min(FILL, wanted - start)
            cursor.execute(
                f"INSERT INTO orders ({', '.join(names)})"
                f" WITH RECURSIVE numbers AS (SELECT %s AS n UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < %s)"
                f" SELECT /*+ SET_VAR(cte_max_recursion_depth = {FILL + 1}) */ {picked}"
                " FROM numbers CROSS JOIN (SELECT * FROM orders WHERE shop_id = %s LIMIT 1) AS one",
                (start, start + rows, SHOP.app_id),
            )
            connection.commit()


MOMENT = f"TIMESTAMPADD(SECOND, -n * 6, created_time - INTERVAL {DAYS + 1} DAY)"
CHANGED = {
    "order_id": f"CONCAT('o_', UNIX_TIMESTAMP({MOMENT}), '_', LPAD(HEX(n), 12, '0'), '_', CRC32(n))",
    "user_id": "CONCAT('u_', CRC32(n) %% 1000000)",
    "created_time": MOMENT,
    "pay_time": MOMENT,
    "refund_time": "NULL",
}
"""Columns of a copy that differ from the original's; ten million orders, one every six seconds, are two years."""


def numbers(text: str) -> list[int]:
    """Comma-separated."""
    return [int(part) for part in text.split(",") if part]


if __name__ == "__main__":
    sys.exit(main())

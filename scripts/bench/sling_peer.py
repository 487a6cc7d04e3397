"""The same pages through sling, a program written in Go; runs in the peers' environment.

Usage: sling_peer.py PAGES DSN FOLDER. PAGES names one page of the store per line, FOLDER is for sling and its files.
Prints {"seconds", "cpu", "peak_mb"} as JSON, with the CPU and the peak of sling's process.

sling cannot read the pages, and Parquet only by a program that it downloads, so orders and lines are written as CSV
first, which is counted. It then loads each into a separate table and replaces rows by primary key.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.csv
import sling_linux_amd64
from typed_pages import LINE, MONEY, NUMBERS, TEXTS, TIMES, batches, lines_table, orders_table, report

PROGRAM = Path(sling_linux_amd64.__file__).parent / "bin" / "sling-linux-amd64"
ORDERS = {
    **dict.fromkeys(NUMBERS, "bigint"),
    **dict.fromkeys(MONEY, "decimal(12,2)"),
    **dict.fromkeys(TIMES, "datetime"),
    **dict.fromkeys(TEXTS, "string(255)"),
}
LINES = {name: ORDERS[name] for name in ("order_id", *LINE)} | {"line_no": "bigint"}
BATCH = 10_000


def main() -> None:
    """Load the pages and print the costs."""
    names, dsn, folder = sys.argv[1:]
    pages, home = Path(names).read_text().split(), Path(folder)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    server = urlsplit(dsn)
    connection = server._replace(scheme="mysql", query="tls=false").geturl()
    replication = {
        "source": "LOCAL",
        "target": "BENCH",
        "defaults": {"mode": "incremental", "target_options": {"column_casing": "source"}},
        "streams": {
            f"file://{home}/orders.csv": _stream(server.path, "orders", ORDERS, ["order_id"]),
            f"file://{home}/order_items.csv": _stream(server.path, "order_items", LINES, ["order_id", "line_no"]),
        },
    }
    (home / "replication.json").write_text(json.dumps(replication))
    environment = os.environ | {
        "BENCH": connection,
        "HOME": folder,
        "SLING_HOME_DIR": folder,
        "SLING_DISABLE_TELEMETRY": "TRUE",
        "SLING_THREADS": "2",
    }

    def work() -> None:
        write(pages, home)
        command = [PROGRAM, "run", "-r", home / "replication.json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])

    report(work)


def write(pages: list[str], home: Path) -> None:
    """Orders and lines, a CSV file each."""
    writers: dict[str, pyarrow.csv.CSVWriter] = {}
    for rows in batches(pages, BATCH):
        orders = orders_table(rows)
        for name, table in (("orders", orders), ("order_items", lines_table(orders))):
            if name not in writers:
                writers[name] = pyarrow.csv.CSVWriter(home / f"{name}.csv", table.schema)
            writers[name].write_table(table)
    for writer in writers.values():
        writer.close()


def _stream(database: str, table: str, columns: dict[str, str], key: list[str]) -> dict[str, object]:
    return {"object": f"{database.strip('/')}.{table}", "primary_key": key, "columns": columns}


if __name__ == "__main__":
    main()

"""The database servers of `make bench`: private ones that are as durable as is asked for, or the one that is named."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.place import ROOT, given_server

SETTINGS = {
    "durable": "binary log, one fsync of log and of binary log per commit, doublewrite: what production runs",
    "no-binlog": "the same without binary log",
    "fast": "no binary log, no fsync per commit, no doublewrite: the server of demo and tests",
}
NAMED = "named"
"""The settings of a server that AIRFLOW_CONN_XIAOE_MYSQL names: they are what they are."""


@contextmanager
def started(names: list[str]) -> Iterator[dict[str, str]]:
    """Start a private server for each of the settings; wipe them at the end.

    Yields:
        Settings → DSN. Only `NAMED` if the environment names a server.
    """
    if named := given_server():
        yield {NAMED: named}
        return
    with ExitStack() as stack:
        yield {name: stack.enter_context(_private(name)) for name in names}


@contextmanager
def _private(settings: str) -> Iterator[str]:
    home = ROOT / ".local" / f"bench-{settings}"
    environment = os.environ | {
        "XIAOE_LOCAL": str(home),
        "XIAOE_TREES": str(ROOT / ".local"),
        "XIAOE_DURABILITY": settings,
    }
    program = ROOT / "scripts" / "servers" / "database"

    def run(command: str) -> str:
        done = subprocess.run([program, command], env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
        return done.stdout.strip()

    try:
        yield run("start")
    finally:
        run("wipe")
        shutil.rmtree(home)

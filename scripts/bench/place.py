"""Where measurements take place: databases of their own, an emulator, a page store, fresh processes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import MySQLdb

from emulator.options import Credentials
from emulator.process import Emulator, airflow_connection, running

ROOT = Path(__file__).resolve().parents[2]
SHOP = Credentials("appbench000001", "xopbench000001", "bench-secret-0000001")
END = datetime(2026, 11, 20, 12)
DAYS = 14
PRELOADED = [
    "numpy",
    "xiaoe.api.hook",
    "xiaoe.merge.merger",
    "xiaoe.stage.stager",
    "xiaoe.merge.status",
    "xiaoe.sync.operators",
]
LATER = timedelta(hours=4)
"""So much later a rescan sees some 1% of the orders changed."""


@dataclass(frozen=True)
class Cost:
    """What one measurement took.

    Args:
        seconds: By the clock.
        cpu: Of our side, in seconds; the server's is not in it.
        peak_mb: Most memory the process ever held.
        result: What was done.
    """

    seconds: float
    cpu: float
    peak_mb: float
    result: Any = None


class Place:
    """A server, and a folder for pages and everything else.

    Args:
        home: The folder.
        prefix: Databases made here begin with it.
    """

    def __init__(self, home: Path, prefix: str = "xiaoe_bench") -> None:
        self.home = home
        self._prefix = prefix
        self._migrated: set[str] = set()
        command = [ROOT / "scripts" / "servers" / "database", "dsn"]
        self._server = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()  # noqa: S603
        os.environ |= {
            "AIRFLOW_HOME": str(home / "airflow"),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "XIAOE_PAGE_STORE": f"file://{home}/pages",
        }
        self.use(None)

    def dsn(self, database: str) -> str:
        """A database on the server, `mysql://...`."""
        return urlsplit(self._server)._replace(path=f"/{database}").geturl()

    def connect(self, database: str | None = None) -> Any:
        """A plain connection; files may be loaded."""
        parts = urlsplit(self._server)
        return MySQLdb.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            passwd=parts.password or "",
            charset="utf8mb4",
            local_infile=1,
            **({"db": database} if database else {}),
        )

    def empty(self, name: str) -> str:
        """An empty database of that name; returns how it is really called."""
        database = f"{self._prefix}_{name}"
        server = self.connect()
        for one in (database, f"{database}_staging"):  # the second is dlt's
            server.query(f"DROP DATABASE IF EXISTS {one}")
        server.query(f"CREATE DATABASE {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        server.close()
        return database

    def migrated(self, name: str) -> str:
        """The same with this project's tables, and the one that its connection names from now on."""
        database = f"{self._prefix}_{name}"
        os.environ["AIRFLOW_CONN_XIAOE_MYSQL"] = self.dsn(database)
        if database in self._migrated:
            self._truncate(database)
        else:
            self.empty(name)
            in_child(migrate)
            self._migrated.add(database)
        return database

    def _truncate(self, database: str) -> None:
        """Empty all tables; quicker than to make them anew, and the same: each gets a new file."""
        server = self.connect(database)
        cursor = server.cursor()
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")
        for table, _ in cursor.fetchall():
            if "yoyo" not in table:
                cursor.execute(f"TRUNCATE {table}")
        server.close()

    def drop(self) -> None:
        """Remove every database that was made here."""
        server = self.connect()
        cursor = server.cursor()
        cursor.execute("SHOW DATABASES LIKE %s", (f"{self._prefix}\\_%",))
        for (database,) in cursor.fetchall():
            cursor.execute(f"DROP DATABASE {database}")
        server.close()

    def use(self, emulator: Emulator | None, **extra: object) -> None:
        """Name the emulator in the shop's connection; without one, nothing is to be asked of it."""
        url = emulator.url if emulator else "http://127.0.0.1:1"
        os.environ["AIRFLOW_CONN_XIAOE_DEFAULT"] = airflow_connection(url, SHOP, **extra)

    @contextmanager
    def emulator(self, orders: int, **options: object) -> Iterator[Emulator]:
        """A shop with so many orders in the last 14 days, its clock standing still."""
        start = f"{END - timedelta(days=DAYS):%Y-%m-%d}"
        with running(
            orders=orders, start=start, now=END.isoformat(), frozen=True, shop=[":".join(SHOP)], **options
        ) as one:
            self.use(one, calls_per_second=300)
            yield one
        self.use(None)


def in_child(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a fresh process and return what it returns; Airflow and we are imported there already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return _run(context, work, arguments)


def in_bare_child(work: Callable[..., Any], *arguments: Any) -> Any:
    """The same in a process that has imported nothing yet."""
    return _run(multiprocessing.get_context("spawn"), work, arguments)


def _run(context: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    with context.Pool(1) as pool:
        return pool.apply(_with_environment, (dict(os.environ), work, arguments))


def _with_environment(environment: dict[str, str], work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """The server of forks was started before, with another one."""
    os.environ |= environment
    return work(*arguments)


def measured(work: Callable[[], Any]) -> Cost:
    """Run a function here and say what it took."""
    spent, began = time.process_time(), time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    return Cost(seconds, time.process_time() - spent, peak_mb(), result)


def peak_mb() -> float:
    """The most memory this process held; `ru_maxrss` would begin with that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def migrate() -> None:
    """Bring the connection's database up to date."""
    import logging

    logging.disable()
    from xiaoe.mysql.migrate import migrate as bring_up

    bring_up()


def note(text: str) -> None:
    """Say how far it is."""
    print(text, file=sys.stderr, flush=True)

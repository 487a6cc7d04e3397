"""The environment of measurements: separate databases, an emulator, a page store, new processes."""

from __future__ import annotations

import gc
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
"""After this time, a rescan finds some 1% of the orders changed."""


@dataclass(frozen=True)
class Cost:
    """The costs of one measurement.

    Args:
        seconds: Elapsed time.
        cpu: CPU seconds of the client, without the server's.
        peak_mb: Peak memory of the process.
        result: Result of the measured function.
    """

    seconds: float
    cpu: float
    peak_mb: float
    result: Any = None


class Place:
    """A server, and a folder for pages and everything else.

    Args:
        home: The folder.
        prefix: Prefix of the databases created here.
        server: DSN of the server; by default the one of `make demo`.
    """

    def __init__(self, home: Path, prefix: str = "xiaoe_bench", server: str | None = None) -> None:
        self.home = home
        self._prefix = prefix
        self._migrated: set[str] = set()
        self._server = server or _dsn()
        os.environ |= {
            "AIRFLOW_HOME": str(home / "airflow"),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "XIAOE_PAGE_STORE": f"file://{home}/pages",
        }
        self.use(None)

    def settings(self) -> dict[str, str]:
        """Name → value of what says how durable a commit is, and the server's version."""
        wanted = ("version", "log_bin", "sync_binlog", "innodb_flush_log_at_trx_commit")
        with self.connected() as server, server.cursor() as cursor:
            cursor.execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN {wanted}")
            return dict(cursor.fetchall())

    def dsn(self, database: str) -> str:
        """A database on the server, `mysql://...`."""
        return urlsplit(self._server)._replace(path=f"/{database}").geturl()

    @contextmanager
    def connected(self, database: str | None = None) -> Iterator[Any]:
        """A plain connection, which ends with the block: a transaction left open would hold up `drop`."""
        parts = urlsplit(self._server)
        connection = MySQLdb.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            passwd=parts.password or "",
            charset="utf8mb4",
            local_infile=1,
            **({"db": database} if database else {}),
        )
        try:
            yield connection
        finally:
            connection.close()

    def empty(self, name: str) -> str:
        """Create an empty database; return its full name."""
        database = f"{self._prefix}_{name}"
        with self.connected() as server:
            for one in (database, f"{database}_staging"):  # the second is dlt's
                server.query(f"DROP DATABASE IF EXISTS {one}")
            server.query(f"CREATE DATABASE {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        return database

    def migrated(self, name: str) -> str:
        """The same with this project's tables; its connection names it from now on."""
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
        """Empty all tables; quicker than recreating them, with the same effect: each gets a new file."""
        with self.connected(database) as server, server.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0")
            cursor.execute("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")
            for table, _ in cursor.fetchall():
                if "yoyo" not in table:
                    cursor.execute(f"TRUNCATE {table}")

    def drop(self) -> None:
        """Drop every database created here."""
        with self.connected() as server, server.cursor() as cursor:
            cursor.execute("SHOW DATABASES LIKE %s", (f"{self._prefix}\\_%",))
            for (database,) in cursor.fetchall():
                cursor.execute(f"DROP DATABASE {database}")

    def use(self, emulator: Emulator | None, **extra: object) -> None:
        """Name the emulator in the shop's connection; None if no call is expected."""
        url = emulator.url if emulator else "http://127.0.0.1:1"
        os.environ["AIRFLOW_CONN_XIAOE_DEFAULT"] = airflow_connection(url, SHOP, **extra)

    @contextmanager
    def emulator(self, orders: int, **options: object) -> Iterator[Emulator]:
        """A shop with this many orders in the last 14 days, its clock stopped."""
        start = f"{END - timedelta(days=DAYS):%Y-%m-%d}"
        with running(
            orders=orders, start=start, now=END.isoformat(), frozen=True, shop=[":".join(SHOP)], **options
        ) as one:
            self.use(one, calls_per_second=300)
            yield one
        self.use(None)


def given_server() -> str | None:
    """DSN of the server that the environment names, or None."""
    return _dsn() if os.environ.get("AIRFLOW_CONN_XIAOE_MYSQL") else None


def _dsn() -> str:
    command = [ROOT / "scripts" / "servers" / "database", "dsn"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()  # noqa: S603


def in_child(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a new process, with Airflow and this project already imported; return its result."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return _run(context, work, arguments)


def in_bare_child(work: Callable[..., Any], *arguments: Any) -> Any:
    """The same in a process without imports."""
    return _run(multiprocessing.get_context("spawn"), work, arguments)


def _run(context: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    with context.Pool(1) as pool:
        return pool.apply(_with_environment, (dict(os.environ), work, arguments))


def _with_environment(environment: dict[str, str], work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """The server of forks was started before, with another one."""
    os.environ |= environment
    return work(*arguments)


def measured(work: Callable[[], Any]) -> Cost:
    """Run a function in this process; return its costs."""
    gc.collect()  # else one of all that was imported may fall into the measurement: a fifth of a second
    spent, began = time.process_time(), time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    return Cost(seconds, time.process_time() - spent, peak_mb(), result)


def peak_mb() -> float:
    """Peak memory of this process; `ru_maxrss` would start with that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def migrate() -> None:
    """Migrate the connection's database."""
    import logging

    logging.disable()
    from xiaoe.mysql.migrate import migrate as bring_up

    bring_up()


def note(text: str) -> None:
    """Print the progress."""
    print(text, file=sys.stderr, flush=True)


def stored_columns(cursor: Any, table: str) -> list[str]:
    """Columns that an INSERT may name: all but those that the server computes."""
    cursor.execute(f"SHOW COLUMNS FROM {table}")
    return [row[0] for row in cursor.fetchall() if not {"VIRTUAL", "STORED"} & set(row[5].split())]

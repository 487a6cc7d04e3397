"""`make demo`: a shop, a database and Airflow on this machine, filled and running.

    demo.py         start everything, load the history, notice refunds, print what landed
    demo.py stop    stop what it started

The shop is the emulator in include/emulator. Its clock starts three days ago; once the history is
loaded it moves to now, so that there are new orders and refunds to find.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import MySQLdb
import requests
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from standalone import ROOT, Standalone, group_lives, stop_group, wait_until

BEIJING = timezone(timedelta(hours=8))
FOLDER = ROOT / ".local" / "demo"
STATE = FOLDER / "running.json"
SHOP = ("appdemo0000001", "xopdemo0000001", "demo-secret-0000001")
HISTORY_START = datetime(2025, 1, 1, tzinfo=BEIJING)
ORDERS_PER_DAY = 40
BEHIND = timedelta(days=3)
PATIENCE = 30 * 60
console = Console(highlight=False)


def main() -> int:
    """Run or stop the demo and return an exit code."""
    if sys.argv[1:] == ["stop"]:
        return stop()
    stop(quiet=True)
    started = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        dsn = database()
        url = start_emulator()
        airflow = start_airflow(dsn, url)
        run(airflow, dsn, url)
    except (RuntimeError, KeyboardInterrupt) as error:
        say(f"[bold red]the demo failed:[/] {error}\nlogs: {FOLDER}; stop what still runs: make demo-stop")
        return 1
    summary(airflow, dsn, url, time.monotonic() - started)
    return 0


def database() -> str:
    """Find or start the database and bring its schema up to date; return its DSN.

    A private server gets an empty database `xiaoe_demo`; one that the environment names is used as it is.
    """
    dsn = _output([ROOT / "scripts" / "database", "dsn"])
    if "AIRFLOW_CONN_XIAOE_MYSQL" not in os.environ:
        parts = urlsplit(dsn)
        dsn = parts._replace(path="/xiaoe_demo").geturl()
        with connected(dsn, database="") as connection:
            connection.query("DROP DATABASE IF EXISTS xiaoe_demo")
    os.environ["AIRFLOW_CONN_XIAOE_MYSQL"] = dsn
    _output([sys.executable, "-m", "xiaoe.cli", "migrate"])
    [[version]] = query(dsn, "SELECT VERSION()")
    say(f"database    MySQL/MariaDB {version}, schema is up to date")
    return dsn


def start_emulator() -> str:
    """Start the stand-in for the Xiaoe API and return its URL."""
    clock = datetime.now(BEIJING) - BEHIND
    with open(FOLDER / "emulator.log", "wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "emulator", "--port", "0", "--shop", ":".join(SHOP)),
                *("--start", f"{HISTORY_START:%Y-%m-%d}", "--now", f"{clock:%Y-%m-%dT%H:%M:%S}"),
                *("--orders-per-day", str(ORDERS_PER_DAY)),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT / "include")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    remember("emulator", process.pid)
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        raise RuntimeError(f"the emulator did not start: see {FOLDER / 'emulator.log'}")
    url = str(json.loads(line)["url"])
    say(f"shop        emulated Xiaoe API at {url}, {ORDERS_PER_DAY} orders a day since {HISTORY_START:%Y-%m-%d}")
    return url


def start_airflow(dsn: str, url: str) -> Standalone:
    """Start Airflow with connections to both, wait until it is up, and make the pool."""
    app_id, client_id, secret = SHOP
    airflow = Standalone(FOLDER / "airflow")
    airflow.start(
        {
            "AIRFLOW_CONN_XIAOE_MYSQL": dsn,
            "AIRFLOW_CONN_XIAOE_DEFAULT": json.dumps(
                {
                    "conn_type": "xiaoe",
                    "host": url,
                    "login": client_id,
                    "password": secret,
                    "extra": {"app_id": app_id},
                }
            ),
        }
    )
    assert airflow.process is not None  # noqa: S101 - for the type checker
    remember("airflow", airflow.process.pid)
    with console.status("airflow     starting, takes about a minute") as status:
        airflow.wait_healthy(lambda text: status.update(f"airflow     {text}"))
        airflow.wait_for_dags("xiaoe_orders_history", "xiaoe_orders_incremental", "xiaoe_orders_rescan")
    for name, pool in json.loads((ROOT / "include" / "pools.json").read_text("utf-8")).items():
        airflow.api("POST", "pools", name=name, **pool)
    say(f"airflow     running at {airflow.url}")
    return airflow


def run(airflow: Standalone, dsn: str, url: str) -> None:
    """History, then the clock moves, then an incremental run and a rescan."""
    weeks = (datetime.now(BEIJING) - HISTORY_START) // timedelta(days=7)
    unpause(airflow, "xiaoe_orders_history")
    began = time.monotonic()
    with Bar(weeks) as bar:

        def loaded() -> bool:
            [[done, orders]] = query(
                dsn,
                "SELECT COUNT(DISTINCT window_start), COALESCE(SUM(inserted), 0) FROM sync_windows"
                " WHERE mode = 'history' AND shop_id = %s",
                (SHOP[0],),
            )
            rate = float(orders) / max(time.monotonic() - began, 1)
            bar.show(int(done), f"{done}/{weeks} weeks, {orders} orders, {rate:.0f} orders/s")
            fail_on_failed_runs(airflow, "xiaoe_orders_history")
            return int(done) >= weeks

        wait_until(loaded, PATIENCE, "the history was not loaded in time")
    moved = requests.post(f"{url}/_emulator/clock", json={"advance": int(BEHIND.total_seconds())}, timeout=30)
    say(f"shop        its clock moves on three days to {moved.json()['now']}: new orders, refunds, deliveries")
    for mode in ("incremental", "rescan"):
        unpause(airflow, f"xiaoe_orders_{mode}")
    for mode in ("incremental", "rescan"):
        with console.status(f"{mode} is running"):
            wait_until(partial(succeeded, airflow, dsn, mode), PATIENCE, f"{mode} did not finish")
        where = "shop_id = %s AND mode = %s"
        [[message]] = query(dsn, f"SELECT message FROM sync_status WHERE {where}", (SHOP[0], mode))  # noqa: S608
        say(f"{mode:<12}{message}")


def succeeded(airflow: Standalone, dsn: str, mode: str) -> bool:
    """Whether a mode has had its first success."""
    fail_on_failed_runs(airflow, f"xiaoe_orders_{mode}")
    rows = query(
        dsn,
        "SELECT last_success_at IS NOT NULL FROM sync_status WHERE shop_id = %s AND mode = %s",
        (SHOP[0], mode),
    )
    return bool(rows and rows[0][0])


def fail_on_failed_runs(airflow: Standalone, dag_id: str) -> None:
    """End the demo with a name if a DAG run failed for good."""
    failed = airflow.api("GET", f"dags/{dag_id}/dagRuns?state=failed&limit=1")["dag_runs"]
    if failed:
        raise RuntimeError(f"{dag_id}, run {failed[0]['dag_run_id']}, failed: look at it on {airflow.url}")


def summary(airflow: Standalone, dsn: str, url: str, seconds: float) -> None:
    """Print what landed and where to look."""
    [[orders, paid, refunded]] = query(
        dsn,
        "SELECT COUNT(*), SUM(IF(pay_time IS NOT NULL, price, 0)), SUM(refund_money) FROM orders WHERE shop_id = %s",
        (SHOP[0],),
    )
    [[changes, refunds]] = query(
        dsn,
        "SELECT COUNT(*), COUNT(DISTINCT CASE WHEN field = 'refund_time' THEN order_id END) FROM order_state_log"
        " WHERE shop_id = %s",
        (SHOP[0],),
    )
    [[first, last]] = query(
        dsn, "SELECT MIN(created_time), MAX(created_time) FROM orders WHERE shop_id = %s", (SHOP[0],)
    )
    say(
        f"\n[bold]{orders} orders[/] from {first} to {last}, ¥{paid} paid, ¥{refunded} refunded\n"
        f"[bold]{changes} changes[/] seen after the first load, among them {refunds} refunds (order_state_log)\n"
        f"in {seconds / 60:.1f} minutes\n\n"
        f"Airflow     {airflow.url}   (no login; every 30 minutes and every hour it goes on by itself)\n"
        f"Shop        {url}/_emulator/truth/summary\n"
        f"MySQL       database {urlsplit(dsn).path.lstrip('/')} on the server that `make mysql` prints\n"
        "Stop        make demo-stop   (make clean removes every trace)"
    )


def stop(*, quiet: bool = False) -> int:
    """Stop what an earlier demo started, by the process groups it noted."""
    running: dict[str, int] = json.loads(STATE.read_text()) if STATE.exists() else {}
    for name, leader in running.items():
        if group_lives(leader):
            stop_group(leader)
            console.print(f"stopped {name}")
    STATE.unlink(missing_ok=True)
    if not running and not quiet:
        console.print("no demo is running")
    return 0


def remember(name: str, leader: int) -> None:
    """Note a process group for `stop`."""
    running = json.loads(STATE.read_text()) if STATE.exists() else {}
    STATE.write_text(json.dumps({**running, name: leader}))


def unpause(airflow: Standalone, dag_id: str) -> None:
    """Let a DAG's schedule begin."""
    airflow.api("PATCH", f"dags/{dag_id}", is_paused=False)


class Bar:
    """How far the history has come: a bar on a terminal, elsewhere a line every fifteen seconds."""

    def __init__(self, total: int) -> None:
        columns = (TextColumn("history    "), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, refresh_per_second=2, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=total)
        self._next_line = time.monotonic()

    def show(self, done: int, text: str) -> None:
        """Say how many weeks are done, and what else there is to say."""
        self._bar.update(self._task, completed=done, description=text)
        if not console.is_terminal and time.monotonic() >= self._next_line:
            say(f"history     {text}")
            self._next_line = time.monotonic() + 15

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()


def say(text: str) -> None:
    """Print a line, unbroken, at once."""
    console.print(text, soft_wrap=True)


@contextmanager
def connected(dsn: str, database: str | None = None) -> Iterator[Any]:
    """A connection to the database that the DSN names, or to another one on its server."""
    parts = urlsplit(dsn)
    connection = MySQLdb.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        passwd=parts.password or "",
        db=parts.path.lstrip("/") if database is None else database,
        charset="utf8mb4",
        autocommit=True,
    )
    try:
        yield connection
    finally:
        connection.close()


def query(dsn: str, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
    """Rows of one statement."""
    with connected(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())


def _output(command: list[Any]) -> str:
    """The last line that a command prints; what it says on the way is shown.

    Raises:
        RuntimeError: It failed.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} {' '.join(map(str, command[1:]))} failed, see above")
    return done.stdout.strip().rpartition("\n")[2]


if __name__ == "__main__":
    sys.exit(main())

"""`make demo`: emulated shops, a database and Airflow on this machine, loaded and running.

    python -m demo         start everything, load the history, find refunds, compare every table, print a summary
    python -m demo stop    stop what it started
    python -m demo --fault-rate 0.05    any other arguments are for the emulator: here, every twentieth call fails

The two shops are emulated by include/emulator. Its clock stands three days in the past; once the history is loaded it
moves to now, so that there are new orders and refunds to find. The shops push their changes. It runs on after the
comparison.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from demo.warehouse import connected, demo_dsn, equal_tables, query
from emulator.options import Credentials
from emulator.process import Emulator, airflow_connection
from emulator.push.sealing import Secrets
from servers.airflow import ROOT, Standalone, free_port, group_lives, stop_group, wait_until

BEIJING = timezone(timedelta(hours=8))
FOLDER = ROOT / ".local" / "demo"
STATE = FOLDER / "running.json"
SHOPS = {
    "xiaoe_default": Credentials("appdemo0000001", "xopdemo0000001", "demo-secret-0000001"),
    "xiaoe_second": Credentials("appdemo0000002", "xopdemo0000002", "demo-secret-0000002"),
}
"""Airflow connection → its shop."""
PUSH = Secrets("demo-token-0000001", "demoPushSecret00000000000000000000000000000")
"""Of the message push of both shops."""
PUSHED = timedelta(days=1)
"""So much of what happened is pushed at once when the clock has moved on; a merge of accounts is among it."""
INCREMENTAL = "xiaoe_orders_incremental"
DAGS = {
    "xiaoe_orders_hinted": [("orders", "hints")],
    "xiaoe_orders_rescan": [("orders", "rescan")],
    "xiaoe_orders_deep_rescan": [("orders", "deep_rescan")],
    "xiaoe_refunds": [("refunds", "incremental"), ("orders", "late")],
    "xiaoe_dimensions_daily": [("users", "whole"), ("products", "whole"), ("live_streams", "whole")],
    "xiaoe_benefits": [("benefits", "decide")],
    "xiaoe_marts": [("marts", "refresh")],
}
"""DAGs that run after the clock has moved → resources and modes that must succeed."""
MORE = {
    "xiaoe_live": [("live_viewers", "incremental")],
    "xiaoe_learning": [("learning_days", "incremental"), ("learning_progress", "incremental")],
    "xiaoe_promoters": [
        ("promoters", "whole"),
        ("promoter_customers", "incremental"),
        ("order_promoters", "incremental"),
    ],
}
"""The same, behind the lists that name their parents."""
QUALITY = "xiaoe_quality"
HISTORY_START = datetime(2025, 1, 1, tzinfo=BEIJING)
HISTORY_INTERVAL_DAYS = 28
ORDERS_PER_DAY = 40
LEARNING_DAYS = 7
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
        push_port = free_port()
        url = start_emulator(push_port, sys.argv[1:])
        start_push_service(push_port, url)
        airflow = start_airflow(dsn, url)
        run(airflow, dsn, url, push_port)
    except (RuntimeError, KeyboardInterrupt) as error:
        say(f"[bold red]the demo failed:[/] {error}\nlogs: {FOLDER}; stop what still runs: make demo-stop")
        return 1
    summary(airflow, dsn, url, time.monotonic() - started)
    return 0


def database() -> str:
    """Find or start the database and bring its schema up to date; return its DSN.

    A private server gets an empty database `xiaoe_demo`; one that the environment names is used as it is.
    """
    dsn = demo_dsn()
    if "AIRFLOW_CONN_XIAOE_MYSQL" not in os.environ:
        with connected(dsn, database="") as connection:
            connection.query("DROP DATABASE IF EXISTS xiaoe_demo")
    os.environ["AIRFLOW_CONN_XIAOE_MYSQL"] = dsn
    _output([sys.executable, "-m", "xiaoe.cli", "migrate"])
    with connected(dsn) as connection, connection.cursor() as cursor:  # else benefits would begin today
        cursor.executemany(
            "INSERT IGNORE INTO benefit_starts (shop_id, since, recorded_at) VALUES (%s, %s, UTC_TIMESTAMP(3))",
            [(shop.app_id, f"{HISTORY_START:%Y-%m-%d}") for shop in SHOPS.values()],
        )
    [[version]] = query(dsn, "SELECT VERSION()")
    say(f"database    MySQL/MariaDB {version}, schema is up to date")
    return dsn


def start_emulator(push_port: int, flags: list[str]) -> str:
    """Start the emulator of the Xiaoe API, which pushes to this port; return its URL."""
    clock = datetime.now(BEIJING) - BEHIND
    with open(FOLDER / "emulator.log", "wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "emulator", "--port", "0", "--frozen"),
                *(f"--shop={':'.join(shop)}" for shop in SHOPS.values()),
                *(f"--push={':'.join((shop.app_id, *PUSH, push_url(push_port, shop)))}" for shop in SHOPS.values()),
                *("--start", f"{HISTORY_START:%Y-%m-%d}", "--now", f"{clock:%Y-%m-%dT%H:%M:%S}"),
                *("--orders-per-day", str(ORDERS_PER_DAY), *flags),
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
    say(f"shops       two, emulated at {url}, {ORDERS_PER_DAY} orders a day each since {HISTORY_START:%Y-%m-%d}")
    return url


def push_url(port: int, shop: Credentials) -> str:
    """Where a shop pushes its messages."""
    return f"http://127.0.0.1:{port}/push/{shop.app_id}"


def connections(url: str) -> dict[str, str]:
    """The environment that names the shops, their pushes included."""
    secrets = {"push_token": PUSH.token, "push_secret": PUSH.aeskey}
    named = {f"AIRFLOW_CONN_{name.upper()}": airflow_connection(url, shop, **secrets) for name, shop in SHOPS.items()}
    return {"XIAOE_CONN_IDS": ",".join(SHOPS), "XIAOE_HINTS": "push", **named}


def start_push_service(port: int, url: str) -> None:
    """Start the service that takes the shops' pushes; the emulator repeats what is not answered yet."""
    with open(FOLDER / "push.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "xiaoe.cli", "push"],
            env={**os.environ, **connections(url), "XIAOE_PUSH_PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    remember("push", process.pid)
    say(f"push        taken at http://127.0.0.1:{port}/push")


def start_airflow(dsn: str, url: str) -> Standalone:
    """Start Airflow with connections to both, wait until it is up, and create the pool."""
    airflow = Standalone(FOLDER / "airflow")
    airflow.start(
        {
            "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
            "AIRFLOW_CONN_XIAOE_MYSQL": dsn,
            "XIAOE_HISTORY_INTERVAL_DAYS": str(HISTORY_INTERVAL_DAYS),
            "XIAOE_MORE_LISTS": "live_viewers,learning,promoters",
            "XIAOE_LEARNING_DAYS": str(LEARNING_DAYS),
            **connections(url),
        }
    )
    assert airflow.process is not None  # noqa: S101 - for the type checker
    remember("airflow", airflow.process.pid)
    with console.status("airflow     starting, takes about a minute") as status:
        airflow.wait_healthy(lambda text: status.update(f"airflow     {text}"))
        airflow.wait_for_dags("xiaoe_orders_history", INCREMENTAL, QUALITY, *DAGS, *MORE)
    airflow.create_pools()
    say(f"airflow     running at {airflow.url}")
    return airflow


def run(airflow: Standalone, dsn: str, url: str, push_port: int) -> None:
    """Load the history, move the clock, run everything else; then every table must equal the shops."""
    load_history(airflow, dsn)
    unpause(airflow, INCREMENTAL)
    report(airflow, dsn, INCREMENTAL, "orders", "incremental")
    moved = requests.post(f"{url}/_emulator/clock", json={"advance": int(BEHIND.total_seconds())}, timeout=30)
    say(f"shops       their clock moves on three days to {moved.json()['now']}: new orders, refunds, deliveries")
    unpause(airflow, "xiaoe_orders_hinted")
    push(url, push_port)
    for dags in (DAGS, MORE):
        for dag_id in dags:
            unpause(airflow, dag_id)
        for dag_id, steps in dags.items():
            for resource, mode in steps:
                report(airflow, dsn, dag_id, resource, mode)
    by_hand = airflow.api("POST", f"dags/{INCREMENTAL}/dagRuns", dag_run_id="demo", logical_date=None)
    path = f"dags/{INCREMENTAL}/dagRuns/{by_hand['dag_run_id']}"
    with console.status(f"{INCREMENTAL} is running"):
        wait_until(lambda: airflow.api("GET", path)["state"] == "success", PATIENCE, f"{path} did not succeed")
    report(airflow, dsn, INCREMENTAL, "orders", "incremental")
    for line in equal_tables(dsn, url, list(SHOPS.values()), since=HISTORY_START, more_lists=True):
        say(line)
    tell_of_hints(airflow, dsn)
    check(airflow, dsn)
    requests.post(f"{url}/_emulator/clock", json={"frozen": False}, timeout=30)


def push(url: str, port: int) -> None:
    """Let each shop push what happened in its last hours.

    Raises:
        RuntimeError: The service did not take a message.
    """
    emulator = Emulator(url)
    now = int(datetime.fromisoformat(str(emulator.clock()["now"])).replace(tzinfo=BEIJING).timestamp())
    for shop in SHOPS.values():
        told: dict[str, Any] = emulator.push(
            shop_id=shop.app_id, url=push_url(port, shop), token=PUSH.token, aeskey=PUSH.aeskey,
            begin=now - int(PUSHED.total_seconds()), end=now,
        )  # fmt: skip
        if told["unanswered"]:
            raise RuntimeError(f"the push service answered {told['answers']}: see {FOLDER / 'push.log'}")
        say(f"push        {shop.app_id}  {len(told['answered'])} messages taken")


def tell_of_hints(airflow: Standalone, dsn: str) -> None:
    """Wait until no hint waits, and print what came of them.

    Raises:
        RuntimeError: They were not looked up.
    """

    def looked_up() -> bool:
        fail_on_failed_runs(airflow, "xiaoe_orders_hinted")
        return query(dsn, "SELECT COUNT(*) FROM change_hints") == [[0]]

    wait_until(looked_up, PATIENCE, "hints wait: xiaoe_orders_hinted did not look them up")
    outcomes = query(dsn, "SELECT outcome, COUNT(*) FROM hint_looks GROUP BY outcome ORDER BY outcome")
    [[orders, first]] = query(
        dsn,
        "SELECT COUNT(DISTINCT shop_id, order_id), MIN(TIMESTAMPDIFF(SECOND, told_at, taken_at)) FROM hint_looks"
        " WHERE outcome IN ('new', 'changed')",
    )
    told = ", ".join(f"{outcome} {count}" for outcome, count in outcomes)
    soonest = f", the first {first} s after its push" if orders else ""
    say(f"hints       looked up: {told}; {orders} orders changed by them{soonest}")


def check(airflow: Standalone, dsn: str) -> None:
    """Run the data checks over all rows; a critical failure ends the demo."""
    unpause(airflow, QUALITY)

    def checked() -> bool:
        fail_on_failed_runs(airflow, QUALITY)
        return bool(airflow.api("GET", f"dags/{QUALITY}/dagRuns?state=success&limit=1")["dag_runs"])

    with console.status(f"{QUALITY} is running"):
        wait_until(checked, PATIENCE, f"{QUALITY} did not finish")
    [[passed, warned]] = query(dsn, "SELECT SUM(passed), SUM(passed = 0) FROM quality_results")
    say(f"checks      {passed} passed, {warned} warn (table quality_results)")


def report(airflow: Standalone, dsn: str, dag_id: str, resource: str, mode: str) -> None:
    """Wait for the first success in every shop, and print its message."""
    with console.status(f"{dag_id} is running"):
        wait_until(partial(succeeded, airflow, dsn, dag_id, resource, mode), PATIENCE, f"{dag_id} did not finish")
    for message in messages(dsn, resource, mode):
        say(f"{resource:<19}{mode:<12}{message}")


def load_history(airflow: Standalone, dsn: str) -> None:
    """Let the history DAG catch up, and show how far it is."""
    interval = timedelta(days=HISTORY_INTERVAL_DAYS)
    weeks = (datetime.now(BEIJING) - HISTORY_START) // interval * HISTORY_INTERVAL_DAYS // 7 * len(SHOPS)
    unpause(airflow, "xiaoe_orders_history")
    began = time.monotonic()
    with Bar(weeks) as bar:

        def loaded() -> bool:
            [[done, orders]] = query(
                dsn,
                "SELECT COUNT(DISTINCT shop_id, window_start), COALESCE(SUM(inserted), 0) FROM sync_windows"
                " WHERE mode = 'history'",
            )
            rate = float(orders) / max(time.monotonic() - began, 1)
            bar.show(int(done), f"{done}/{weeks} weeks of {len(SHOPS)} shops, {orders} orders, {rate:.0f} orders/s")
            fail_on_failed_runs(airflow, "xiaoe_orders_history")
            return int(done) >= weeks

        wait_until(loaded, PATIENCE, "the history was not loaded in time")


def succeeded(airflow: Standalone, dsn: str, dag_id: str, resource: str, mode: str) -> bool:
    """Whether a resource and mode have had their first success in every shop."""
    fail_on_failed_runs(airflow, dag_id)
    return len(messages(dsn, resource, mode)) == len(SHOPS)


def messages(dsn: str, resource: str, mode: str) -> list[str]:
    """The message of each shop's last success."""
    rows = query(
        dsn,
        "SELECT shop_id, message FROM sync_status WHERE resource = %s AND mode = %s AND last_success_at IS NOT NULL"
        " ORDER BY shop_id",
        (resource, mode),
    )
    return [f"{shop_id}  {message}" for shop_id, message in rows]


def fail_on_failed_runs(airflow: Standalone, dag_id: str) -> None:
    """Raise if a DAG run failed, naming it."""
    failed = airflow.api("GET", f"dags/{dag_id}/dagRuns?state=failed&limit=1")["dag_runs"]
    if failed:
        raise RuntimeError(f"{dag_id}, run {failed[0]['dag_run_id']}, failed: see {airflow.url}")


def summary(airflow: Standalone, dsn: str, url: str, seconds: float) -> None:
    """Print a summary and the addresses."""
    [[orders, paid, refunded, imported, first, last]] = query(
        dsn,
        "SELECT COUNT(*), SUM(IF(pay_time IS NOT NULL AND is_imported = 0, price, 0)),"
        " SUM(IF(is_imported = 0, refund_money, 0)), SUM(is_imported), MIN(created_time), MAX(created_time)"
        " FROM orders",
    )
    [[changes, refunds]] = query(
        dsn,
        "SELECT COUNT(*), COUNT(DISTINCT CASE WHEN field = 'refund_time' THEN CONCAT(shop_id, order_id) END)"
        " FROM order_state_log",
    )
    decided = query(
        dsn, "SELECT decision_text, COUNT(*) FROM benefit_decisions GROUP BY decision_text ORDER BY COUNT(*) DESC"
    )
    say(
        f"\n[bold]{orders} orders of {len(SHOPS)} shops[/] from {first} to {last}, ¥{paid} paid, ¥{refunded} refunded,"
        f" without {imported} imported ones\n"
        f"[bold]{changes} changes[/] seen after the first load, among them {refunds} refunds (order_state_log)\n"
        f"[bold]benefits[/] (benefit_decisions): {', '.join(f'{text} {count}' for text, count in decided)}\n"
        f"in {seconds / 60:.1f} minutes\n\n"
        f"Airflow     {airflow.url}   (no login; the DAGs keep running on their schedules)\n"
        f"Monitoring  {airflow.url}/plugin/xiaoe-monitor   (in the menu: Browse)\n"
        f"Shop        {url}/_emulator/truth/summary\n"
        f"MySQL       database {urlsplit(dsn).path.lstrip('/')} on the server that `make mysql` prints\n"
        "Dashboards  make bi   (Superset over these tables; make bi-stop ends it)\n"
        "Stop        make demo-stop   (make clean removes every trace)"
    )


def stop(*, quiet: bool = False) -> int:
    """Stop an earlier demo, by the process groups it recorded."""
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
    """Record a process group for `stop`."""
    running = json.loads(STATE.read_text()) if STATE.exists() else {}
    STATE.write_text(json.dumps({**running, name: leader}))


def unpause(airflow: Standalone, dag_id: str) -> None:
    """Unpause a DAG."""
    airflow.api("PATCH", f"dags/{dag_id}", is_paused=False)


class Bar:
    """How far the history has come: a bar on a terminal, elsewhere a line every fifteen seconds."""

    def __init__(self, total: int) -> None:
        columns = (TextColumn("history    "), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, refresh_per_second=2, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=total)
        self._next_line = time.monotonic()

    def show(self, done: int, text: str) -> None:
        """Show how many weeks are done, with a text."""
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
    """Print a line without wrapping."""
    console.print(text, soft_wrap=True)


def _output(command: list[Any]) -> str:
    """The last line of a command's output; its stderr is shown.

    Raises:
        RuntimeError: It failed.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} {' '.join(map(str, command[1:]))} failed, see above")
    return done.stdout.strip().rpartition("\n")[2]


if __name__ == "__main__":
    sys.exit(main())

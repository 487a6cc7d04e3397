"""`python -m support.worlds.load`: a day of two shops in an hour, with the real scheduler; an outage, and the catch-up.

Airflow knows no clock but the machine's, so it is not the clock that runs faster: the shops make as many orders an hour
as they would in `--speed` hours, and the DAGs are triggered as many times as often. What is found is printed, and the
end is an error unless every table equals the shops.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / name) for name in ("plugins", "include", "scripts", "tests")]

from emulator.compare import unlike  # noqa: E402
from emulator.options import Credentials  # noqa: E402
from emulator.process import Emulator, airflow_connection, running  # noqa: E402
from servers.airflow import Standalone, group_lives, wait_until  # noqa: E402
from support.faults.chaos import tell  # noqa: E402
from support.servers.relay import Relay  # noqa: E402
from support.servers.scratch import metadata, scratch  # noqa: E402
from support.worlds.shop import Database  # noqa: E402
from xiaoe.clock import BEIJING  # noqa: E402

SHOPS = {
    "xiaoe_default": Credentials("appload1", "xopload1", "secret-of-the-first-shop"),
    "xiaoe_second": Credentials("appload2", "xopload2", "secret-of-the-second-shop"),
}
EVERY = {"xiaoe_orders_incremental": 30, "xiaoe_orders_rescan": 60, "xiaoe_refunds": 60}
"""Minutes of the shops' time between two runs."""
BY_ASSET = ("xiaoe_benefits", "xiaoe_marts")
COMPARED = (("orders", "order_id", "created_time"), ("refunds", "aftersale_id", "updated_at"))
"""Table, its key, and what its watermark tells of."""
PATIENCE = 1800


@dataclass
class Sample:
    """The machine at a moment."""

    at: float
    lag: float
    memory_mb: float
    processes: int
    pages_mb: float
    database_mb: float


@dataclass
class Load:
    """All that runs.

    Args:
        airflow: The scheduler.
        database: The warehouse, not over the relay.
        api: The shops.
        relay: Between the tasks and one of them.
        speed: How many hours of the shops an hour has.
    """

    airflow: Standalone
    database: Database
    api: Emulator
    relay: Relay
    speed: float
    samples: list[Sample] = field(default_factory=list)
    triggered: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in EVERY})
    skipped: int = 0

    def trigger(self, dag_id: str) -> None:
        """Start a run, unless the one before it goes on: the schedule would wait as well."""
        runs = self.triggered[dag_id]
        if runs and self.state(dag_id, runs[-1]) not in ("success", "failed"):
            self.skipped += 1
            return
        run_id = f"load-{len(runs)}"
        self.airflow.api("POST", f"dags/{dag_id}/dagRuns", dag_run_id=run_id, logical_date=None)
        runs.append(run_id)

    def state(self, dag_id: str, run_id: str) -> str:
        return str(self.airflow.api("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def sample(self) -> None:
        """Look at it all."""
        marks = self.database.rows(
            "SELECT MIN(watermark) AS mark FROM sync_status WHERE resource = 'orders' AND mode = 'incremental'"
        )
        mark = marks[0]["mark"]
        lag = (datetime.now(BEIJING) - mark.replace(tzinfo=BEIJING)).total_seconds() if mark else -1.0
        assert self.airflow.process is not None
        memory, processes = of_group(self.airflow.process.pid)
        size = self.database.value(
            "SELECT SUM(file_size) FROM information_schema.innodb_tablespaces WHERE name LIKE CONCAT(DATABASE(), '/%')"
        )
        pages = sum(file.stat().st_size for file in (self.airflow.home / "pages").rglob("*.gz"))
        self.samples.append(
            Sample(time.monotonic(), lag, memory / 2**20, processes, pages / 2**20, float(size or 0) / 2**20)
        )
        print(f"{datetime.now():%H:%M:%S} {self.samples[-1]} skipped={self.skipped}", flush=True)

    def go_on(self, minutes: float) -> None:
        """Trigger every DAG when it is due, and look now and then."""
        end = time.monotonic() + 60 * minutes
        due = dict.fromkeys(EVERY, 0.0)
        while time.monotonic() < end:
            for dag_id, pause in EVERY.items():
                if time.monotonic() >= due[dag_id]:
                    self.trigger(dag_id)
                    due[dag_id] = time.monotonic() + 60 * pause / self.speed
            self.sample()
            time.sleep(15)

    def finish(self, dag_id: str) -> str:
        """One more run, behind all others; its state."""
        wait_until(lambda: self.all_ended(dag_id), PATIENCE, f"{dag_id} did not end")
        self.trigger(dag_id)
        wait_until(lambda: self.all_ended(dag_id), PATIENCE, f"{dag_id} did not end")
        return self.state(dag_id, self.triggered[dag_id][-1])

    def all_ended(self, dag_id: str) -> bool:
        going = f"dags/{dag_id}/dagRuns?state=running&state=queued&limit=1"
        return not self.airflow.api("GET", going)["dag_runs"]

    def failed(self) -> dict[str, int]:
        """DAG → runs that failed."""
        return {
            dag_id: self.airflow.api("GET", f"dags/{dag_id}/dagRuns?state=failed&limit=1")["total_entries"]
            for dag_id in (*EVERY, *BY_ASSET)
        }

    def wrong(self) -> list[str]:
        """How orders and after-sales differ from the shops, up to the watermark."""
        found = []
        for shop in SHOPS.values():
            for table, key, moment in COMPARED:
                until = str(
                    self.database.value(
                        "SELECT MIN(watermark) FROM sync_status WHERE shop_id = %s AND resource = %s"
                        " AND mode IN ('incremental', 'rescan')",
                        [shop.app_id, table],
                    )
                )
                held = self.database.rows(
                    f"SELECT * FROM {table} WHERE shop_id = %s AND {moment} < %s", [shop.app_id, until]
                )
                truth = [row for row in getattr(self.api, f"truth_{table}")(shop.app_id) if str(row[moment]) < until]
                assert truth, f"no {table} to compare before {until}"
                found += unlike(held, truth, key)
        return [*found, *self.database.wrong_lines()]


def of_group(leader: int) -> tuple[int, int]:
    """Bytes and number of the processes of a group; memory that they share counts once, for the largest."""
    private, shared, count = 0, 0, 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader and fields[0] != "Z":
                _, resident, common = (int(one) for one in (stat.parent / "statm").read_text().split()[:3])
                private, shared, count = private + resident - common, max(shared, common), count + 1
    return (private + shared) * os.sysconf("SC_PAGE_SIZE"), count


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--minutes", type=float, default=120, help="how long the load goes on before the outage")
    flags.add_argument("--outage", type=float, default=60, help="minutes without --of")
    flags.add_argument("--of", choices=("mysql", "api"), default="mysql")
    flags.add_argument("--orders-per-day", type=float, default=100_000, help="of a shop, in its own time")
    flags.add_argument("--speed", type=float, default=24, help="hours of the shops in an hour")
    chosen = flags.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # and everything that was started with it
    with ExitStack() as stack:
        load = begun(stack, chosen)
        load.go_on(chosen.minutes)
        steady = len(load.samples)
        print(f"outage of {chosen.of}: {chosen.outage} minutes", flush=True)
        load.relay.stop()
        stop = time.monotonic() + 60 * chosen.outage
        while time.monotonic() < stop:
            for dag_id in EVERY:
                load.trigger(dag_id)
            time.sleep(60 * 30 / chosen.speed)
        load.relay.start()
        back = time.monotonic()
        wait_until(lambda: caught_up(load), PATIENCE, "no run closed the gap")
        caught = time.monotonic() - back
        print(f"caught up after {caught:.0f} s", flush=True)
        load.api._ask("clock", {"frozen": True})
        ends = [load.finish(dag_id) for dag_id in EVERY]
        wrong = load.wrong()
        report(load, chosen, steady, caught, wrong)
        if wrong or set(ends) != {"success"}:
            sys.exit(f"FAILED: {ends} {wrong[:10]}")


def caught_up(load: Load) -> bool:
    for dag_id in EVERY:
        load.trigger(dag_id)
    load.sample()
    time.sleep(10)
    return 0 <= load.samples[-1].lag < 4 * 60 * 30 / load.speed


def begun(stack: ExitStack, chosen: argparse.Namespace) -> Load:
    """Everything started; what is in `stack` stops it."""
    home = ROOT / ".local" / "chaos" / "load"
    shutil.rmtree(home, ignore_errors=True)
    server = os.environ["XIAOE_TEST_MYSQL_DSN"]
    database = Database(stack.enter_context(scratch(server, f"xiaoe_test_load_{os.getpid()}", "utf8mb4")))
    own = stack.enter_context(metadata(server, f"xiaoe_airflow_load_{os.getpid()}"))
    today = datetime.now(BEIJING) - timedelta(days=1) / chosen.speed
    api = stack.enter_context(
        running(
            start=f"{today:%Y-%m-%dT%H:%M:%S}",
            orders_per_day=chosen.orders_per_day * chosen.speed,
            even=True,  # an hour here is a day there, and not its night
            shop=[":".join(shop) for shop in SHOPS.values()],
        )
    )
    relay = Relay(int(urlsplit(database.url if chosen.of == "mysql" else api.url).port or 0))
    relay.start()
    stack.callback(relay.stop)
    dsn, url = database.url, api.url
    if chosen.of == "mysql":
        dsn = dsn.replace(f":{relay.target}/", f":{relay.port}/")
    else:
        url = f"http://127.0.0.1:{relay.port}"
    os.environ["AIRFLOW_CONN_XIAOE_MYSQL"] = database.url
    from xiaoe.mysql.migrate import migrate

    migrate()
    airflow = Standalone(home / "airflow", database=own)
    airflow.start(
        {
            "AIRFLOW_CONN_XIAOE_MYSQL": dsn,
            "XIAOE_CONN_IDS": ",".join(SHOPS),
            "XIAOE_HISTORY_START": f"{today:%Y-%m-%d}",
            "XIAOE_HISTORY_INTERVAL_DAYS": "2",
            "XIAOE_PAGE_STORE": f"file://{airflow.home}/pages",
            "XIAOE_ALERTS": "off",
            **{f"AIRFLOW_CONN_{conn.upper()}": airflow_connection(url, shop) for conn, shop in SHOPS.items()},
        }
    )
    stack.callback(airflow.stop)
    airflow.wait_healthy()
    airflow.wait_for_dags(*EVERY, *BY_ASSET)
    airflow.create_pools()
    load = Load(airflow, database, api, relay, chosen.speed)
    for dag_id in (*EVERY, *BY_ASSET):
        airflow.api("PATCH", f"dags/{dag_id}", is_paused=False)
    return load


def report(load: Load, chosen: argparse.Namespace, steady: int, caught: float, wrong: list[str]) -> None:
    """What docs/reliability.md tells."""
    measured = [one for one in load.samples[:steady] if one.lag >= 0]
    third = max(1, len(measured) // 3)
    lags = sorted(one.lag for one in measured[third:])
    figures: dict[str, Any] = {
        "minutes": chosen.minutes,
        "speed": chosen.speed,
        "orders_per_day": chosen.orders_per_day,
        "orders": load.database.value("SELECT COUNT(*) FROM orders"),
        "refunds": load.database.value("SELECT COUNT(*) FROM refunds"),
        "runs": {dag_id: len(runs) for dag_id, runs in load.triggered.items()},
        "not_started_because_one_was_running": load.skipped,
        "failed_runs": load.failed(),
        "lag_s_median": round(lags[len(lags) // 2]),
        "lag_s_most": round(lags[-1]),
        "memory_mb_first_third": round(max(one.memory_mb for one in measured[:third])),
        "memory_mb_last_third": round(max(one.memory_mb for one in measured[-third:])),
        "processes_most": max(one.processes for one in measured),
        "pages_mb": round(load.samples[-1].pages_mb),
        "database_mb": round(load.samples[-1].database_mb),
        "outage": f"{chosen.outage} minutes of {chosen.of}",
        "caught_up_s": round(caught),
        "differences": len(wrong),
    }
    print(json.dumps(figures, indent=1), flush=True)
    tell("load", **figures)
    assert load.airflow.process is None or group_lives(load.airflow.process.pid)


if __name__ == "__main__":
    main()

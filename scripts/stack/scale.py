"""Measure the profile `celery` of docker-compose.yaml: a history and a rescan with several numbers of workers.

Then workers are killed, and the API's limit is tested; after each of these, every table is compared with both shops.
Limits are on, pages are in a bucket. Each worker runs one task at a time, so one more worker is one more task. Lines
that begin with `{` are for scripts. Needs a Docker engine; everything it creates has its own names and is removed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import requests

from demo.warehouse import BEIJING, connected, equal_tables, query
from servers.airflow import ROOT, free_port, wait_until
from stack.smoke import AGAIN, Stack, expect, read_env

FOLDER = ROOT / ".local" / "stack-scale"
PATIENCE = 30 * 60
HISTORY, RESCAN = "xiaoe_orders_history", "xiaoe_orders_rescan"
PORTS = ("AIRFLOW_PORT", "SUPERSET_PORT", "MYSQL_PORT", "MAILPIT_PORT", "EMULATOR_PORT", "BUCKET_PORT")
PARTS = ("api-server", "scheduler", "dag-processor", "redis", "emulator", "bucket")
HEARTBEAT_TIMEOUT = 60
"""Seconds after which a task that is not heard of counts as lost; Airflow's own default is 300."""
STORE = {
    "conn_type": "aws", "login": "id", "password": "secret-of-the-test", "extra": {"endpoint_url": "http://bucket:9000"},
}  # fmt: skip


def compose(*arguments: str, quiet: bool = True) -> str:
    """`docker compose` on this stack; returns what it prints.

    Raises:
        subprocess.CalledProcessError: It failed; what it said is on stderr.
    """
    command = ["docker", "compose", "--progress", "quiet" if quiet else "plain", "--env-file", str(FOLDER / ".env")]
    files = ["--file", "docker-compose.yaml", "--file", "scripts/stack/scale.yaml", "--project-directory", "."]
    profiles = ["--profile", "demo", "--profile", "celery"]
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, *files, *profiles, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


class Scale(Stack):
    """The stack with workers that come and go."""

    @property
    def conn_ids(self) -> list[str]:
        """Ids of the shops' connections."""
        return read_env(FOLDER / "airflow.env")["XIAOE_CONN_IDS"].split(",")

    @property
    def bucket(self) -> str:
        """Address of the bucket."""
        return self._url("BUCKET_PORT", 9000)

    def scale(self, workers: int) -> None:
        """Scale to this many workers and wait until all are healthy."""
        compose("up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", f"worker={workers}", "worker")

    def empty(self) -> None:
        """Remove the loaded rows and pages, but not the schema or the token."""
        root = f"mysql://root:{self.settings['MYSQL_ROOT_PASSWORD']}@{self.dsn.partition('@')[2]}"
        listed = "SHOW FULL TABLES FROM xiaoe WHERE table_type = 'BASE TABLE'"
        kept = {"api_tokens", "yoyo_lock", "_yoyo_log", "_yoyo_migration", "_yoyo_version"}
        with connected(root) as server, server.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0")
            for table, _ in query(root, listed):
                if table not in kept:
                    cursor.execute(f"TRUNCATE TABLE `{table}`")
        requests.post(f"{self.bucket}/moto-api/reset", timeout=60).raise_for_status()
        requests.put(f"{self.bucket}/pages", timeout=60).raise_for_status()

    def switch_on(self, *dags: str, off: bool = False) -> None:
        """Unpause, or pause, DAGs."""
        for dag in dags:
            self.api("PATCH", f"dags/{dag}", is_paused=off)

    def runs(self, dag: str) -> dict[str, str]:
        """Run id → state."""
        found = self.api("GET", f"dags/{dag}/dagRuns?limit=100")["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in found}

    def history(self) -> None:
        """Start the whole history; clear its runs if there are any."""
        for run in self.runs(HISTORY):
            self.api("POST", f"dags/{HISTORY}/dagRuns/{run}/clear", dry_run=False)
        self.switch_on(HISTORY)

    def history_done(self, weeks: int) -> bool:
        """Whether all its runs succeeded.

        Raises:
            RuntimeError: One failed.
        """
        states = [*self.runs(HISTORY).values()]
        expect("failed" not in states, f"a run of the history failed: see {self.airflow}")
        return len(states) >= weeks and set(states) == {"success"}

    def tasks(self, state: str) -> list[dict[str, Any]]:
        """Task instances in a state."""
        path = f"dags/~/dagRuns/~/taskInstances?state={state}&limit=100"
        return list(self.api("GET", path)["task_instances"])

    def stats(self) -> dict[str, Any]:
        """The emulator's statistics so far."""
        return dict(requests.get(f"{self.emulator}/_emulator/stats", timeout=60).json())

    def check(self) -> None:
        """Compare every table with both shops, once their clock stands still; raise if one differs."""
        self.scale(4)  # not part of the measurement
        clock = f"{self.emulator}/_emulator/clock"
        requests.post(clock, json={"frozen": True}, timeout=30).raise_for_status()
        try:
            self.switch_on(*AGAIN)
            self.run(*AGAIN)
            for line in equal_tables(self.dsn, self.emulator, self.shops, since=self.since):
                print(f"ok      {line}", flush=True)
        finally:
            self.switch_on(*AGAIN, off=True)  # so that their schedules do not disturb the next measurement
            requests.post(clock, json={"frozen": False}, timeout=30)


@contextmanager
def measured(stack: Scale, what: str, **facts: Any) -> Iterator[None]:
    """Print the duration and the emulator's statistics."""
    before, started = stack.stats(), time.monotonic()
    yield
    seconds, after = time.monotonic() - started, stack.stats()
    calls = sum(after["calls"].values()) - sum(before["calls"].values())
    answers = {code: count - before["answers"].get(code, 0) for code, count in after["answers"].items()}
    [[orders]] = query(stack.dsn, "SELECT COUNT(*) FROM orders")
    result = {
        "what": what, **facts, "seconds": round(seconds, 1), "orders": orders, "calls": calls,
        "answers": {code: count for code, count in answers.items() if count},
        "peak_calls_per_second": after["peak_calls_per_second"], "tokens": after["tokens_issued"],
        "load_average": os.getloadavg()[0],
    }  # fmt: skip
    print(json.dumps(result), flush=True)


def with_workers(stack: Scale, workers: int, weeks: int) -> None:
    """Load the history into an empty warehouse; then rescan the last 15 days, four hours later on the shops' clock."""
    stack.scale(workers)
    stack.empty()
    with measured(stack, "history", workers=workers):
        stack.history()
        wait_until(lambda: stack.history_done(weeks), PATIENCE, "the history did not end")
    if not stack.runs(RESCAN):
        stack.switch_on(RESCAN)
        wait_until(lambda: set(stack.runs(RESCAN).values()) == {"success"}, PATIENCE, "the rescan did not end")
    with measured(stack, "rescan", workers=workers):
        stack.run(RESCAN)


def killed(stack: Scale, weeks: int) -> None:
    """Load the history with two workers; kill one while it stages, then one while it merges."""
    stack.scale(2)
    stack.empty()
    with measured(stack, "history, two workers killed", workers=2):
        stack.history()
        for task in ("stage", "merge"):
            victim = busy(stack, task)
            subprocess.run(["docker", "kill", "--signal", "KILL", victim["hostname"]], check=True, capture_output=True)  # noqa: S603, S607
            print(f"killed the worker of {victim['dag_run_id']} {task}[{victim['map_index']}]", flush=True)
            stack.scale(2)
        wait_until(lambda: stack.history_done(weeks), PATIENCE, "the history did not end after the kills")


def limited(stack: Scale, weeks: int, rate: int) -> int:
    """The history by four workers, with a limit of 25 calls a second per shop: as 300 to 240, so 25 to 20.

    At most two tasks read the history of a shop at a time. Pages are small, so that calls are what takes the time.

    Args:
        stack: The stack, whose emulator and workers are restarted.
        weeks: Of history.
        rate: The connections' `calls_per_second`, of each task.

    Returns:
        Number of calls refused because the quota was used up.
    """
    stack.scale(0)
    for name, text in read_env(FOLDER / "airflow.env").items():
        if name.removeprefix("AIRFLOW_CONN_").lower() in stack.conn_ids:
            shop = json.loads(text)
            shop["extra"] |= {"calls_per_second": rate, "concurrency": 8, "page_size": 20}
            write_env("airflow.env", **{name: json.dumps(shop)})
    write_env(".env", EMULATOR_FLAGS=f"{stack.settings['EMULATOR_FLAGS']} --order-quota=250 --latency-ms=0")
    compose("up", "--detach", "--wait", "--no-deps", "emulator")
    stack.scale(4)
    stack.empty()
    with measured(stack, "history at the limit", workers=4, calls_per_second=rate):
        stack.history()
        wait_until(lambda: stack.history_done(weeks), PATIENCE, "the history did not end")
    return int(stack.stats()["answers"].get("2053", 0))


def at_the_limit(stack: Scale, weeks: int) -> None:
    """Within the limit no call is refused; beyond it some are, but nothing is lost."""
    expect(not (refused := limited(stack, weeks, 10)), f"{refused} calls were refused")
    expect(bool(limited(stack, weeks, 40)), "beyond the limit and no call was refused: this proves nothing")


def busy(stack: Scale, task: str) -> dict[str, Any]:
    """A running task of that name, on a worker."""
    found: list[dict[str, Any]] = []

    def running() -> bool:
        found[:] = [one for one in stack.tasks("running") if one["task_id"].endswith(f".{task}") and one["hostname"]]
        return bool(found)

    wait_until(running, PATIENCE, f"no {task} ever ran")
    return found[0]


def prepare(options: argparse.Namespace) -> None:
    """Settings of the stack: its secrets, ports, two shops, the bucket."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    environment = {**os.environ, "ENV_FOLDER": str(FOLDER)}
    subprocess.run(["scripts/env", "--demo"], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S607
    flags = f"--orders-per-day={options.orders_per_day} --latency-ms={options.latency_ms}"
    ports = {name: free_port() for name in PORTS}
    write_env(
        ".env", AIRFLOW_ENV_FILE=FOLDER / "airflow.env", IMAGE_TAG="test", AIRFLOW_EXECUTOR="CeleryExecutor",
        CELERY_CONCURRENCY=1, AIRFLOW_PARALLELISM=32, EMULATOR_FLAGS=flags, **ports,
    )  # fmt: skip
    start = datetime.now(BEIJING) - timedelta(weeks=options.weeks)
    write_env(
        "airflow.env", XIAOE_HISTORY_START=f"{start:%Y-%m-%d}", XIAOE_HISTORY_INTERVAL_DAYS=7, XIAOE_ALERTS="off",
        AIRFLOW_CONN_STORE=json.dumps(STORE), XIAOE_PAGE_STORE="s3://store@pages/pages",
        AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT=HEARTBEAT_TIMEOUT,
    )  # fmt: skip


def write_env(name: str, **values: object) -> None:
    """Set values in an env file of the stack."""
    held = read_env(FOLDER / name) | {key: str(value) for key, value in values.items()}
    (FOLDER / name).write_text("".join(f"{key}='{value}'\n" for key, value in held.items()), "utf-8")


def measure(options: argparse.Namespace) -> None:
    """All measurements, on a running stack."""
    stack = Scale(FOLDER / ".env")
    stack.make_people()
    stack.log_in("guanli")
    for workers in map(int, filter(None, options.workers.split(","))):
        with_workers(stack, workers, options.weeks)
    stack.check()
    killed(stack, options.weeks)
    stack.check()
    at_the_limit(stack, options.weeks)
    stack.check()


def main() -> None:
    """Start the stack, measure, remove it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--orders-per-day", type=int, default=1000, help="of each shop")
    parser.add_argument("--latency-ms", type=int, default=200, help="of each answer of the API")
    parser.add_argument("--weeks", type=int, default=6, help="of history")
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    parser.add_argument("--again", action="store_true", help="take the stack that --keep left")
    options = parser.parse_args()
    os.environ["COMPOSE_PROJECT_NAME"] = "xiaoe-scale"
    try:
        if not options.again:
            prepare(options)
            compose("down", "--volumes", "--remove-orphans")
            compose("build", "init", "bucket")
            compose("up", "--detach", "--wait", *PARTS)
        measure(options)
    finally:
        if not options.keep:
            compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
            shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main()

"""`make upgrade-test`: the previous release in mid-run, upgraded to this one, and back; no window may be lost.

    python -m upgrade             from the last tag; without tags, from before the newest migration
    python -m upgrade REVISION    from that

Real schedulers, two emulated shops, one warehouse. Each release is killed while its tasks run. The way up is this
release's migrations; there are no down-migrations, so the way back is the backup from before the upgrade, as
docs/deployment.md says. After each step every table must equal the shops.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from demo.__main__ import SHOPS
from demo.warehouse import BEIJING, connected, demo_dsn, equal_tables, query
from emulator.process import Emulator, airflow_connection, running
from servers.airflow import ROOT, Standalone, wait_until
from upgrade.release import Release, installed, previous

FOLDER = ROOT / ".local" / "upgrade"
HISTORY = "xiaoe_orders_history"
WEEKS = 10
AGAIN = (
    "xiaoe_orders_incremental", "xiaoe_orders_rescan", "xiaoe_orders_deep_rescan", "xiaoe_refunds",
    "xiaoe_dimensions_daily",
)  # fmt: skip
"""DAGs that also run by hand."""
DAGS = (HISTORY, *AGAIN, "xiaoe_benefits", "xiaoe_marts")
BEHIND = timedelta(days=3)
PATIENCE = 15 * 60
_LEDGER = "SELECT shop_id, resource, mode, window_start, window_end FROM sync_windows"
_UNBALANCED = "SELECT COUNT(*) FROM sync_windows WHERE inserted + updated + unchanged + rejected <> staged"


def main() -> int:
    """Return an exit code."""
    shutil.rmtree(FOLDER / "home", ignore_errors=True)
    try:
        before = installed(sys.argv[1] if sys.argv[1:] else previous(), FOLDER / "releases")
        with ExitStack() as stack:
            test(Installation.of(stack), before, Release("this", ROOT))
    except RuntimeError as error:
        print(f"FAILED: {error}; logs: {FOLDER / 'home'}", flush=True)
        return 1
    return 0


def test(world: Installation, before: Release, this: Release) -> None:
    """Up, and back.

    Raises:
        RuntimeError: A window was lost, a row differs, or something did not end.
    """
    tell(f"{before.name} ({before.migrations()} migrations) to this release ({this.migrations()})")
    if before.airflow_version() != this.airflow_version():
        raise RuntimeError(f"{before.name} locks another Airflow: the way back would need `airflow db downgrade`")
    before.cli(world.environment, "migrate")
    world.start(before)
    world.kill_in_mid_run(lambda: world.history() >= WEEKS // 2)
    windows = world.ledger()
    backup = before.cli(world.environment, "backup").partition(": ")[0]

    this.cli(world.environment, "migrate")
    world.start(this)
    world.finish()
    world.judge("after the upgrade", windows)

    world.shops.advance(int(BEHIND.total_seconds() / 2))
    world.trigger()
    world.kill_in_mid_run(lambda: True)
    later = world.ledger()
    try:
        before.cli(world.environment, "sync", "--type", "incremental", "--no-retry")
    except RuntimeError as refusal:
        if "newer than this code" not in str(refusal):
            raise
    else:
        raise RuntimeError(f"{before.name} works on a newer schema")
    if world.ledger() != later:
        raise RuntimeError(f"{before.name} wrote into a newer schema")
    tell(f"{before.name} refuses this release's schema, and writes nothing")

    tell(before.cli(world.environment, "restore", "--file", backup, "--force"))
    since = f"{world.begin:%Y-%m-%d}"
    before.cli(world.environment, "sync", "--type", "history", "--from", since)  # Airflow counts those runs as done
    world.start(before)
    world.finish()
    world.judge("after the way back", windows, is_older=True)


@dataclass
class Installation:
    """Two shops, a warehouse, an Airflow whose release changes.

    Args:
        shops: The emulator.
        dsn: The warehouse.
        begin: Of the history.
        stack: Stops what was started.
    """

    shops: Emulator
    dsn: str
    begin: datetime
    stack: ExitStack
    started: float = field(default_factory=time.monotonic)
    runs: int = 0
    airflow: Standalone | None = None

    @classmethod
    def of(cls, stack: ExitStack) -> Installation:
        """With an empty warehouse, and shops whose clock stands."""
        begin = (datetime.now(BEIJING) - timedelta(weeks=WEEKS)).replace(hour=0, minute=0, second=0, microsecond=0)
        shops = stack.enter_context(
            running(
                start=f"{begin:%Y-%m-%d}", now=f"{datetime.now(BEIJING) - BEHIND:%Y-%m-%dT%H:%M:%S}", frozen=True,
                orders_per_day=30, latency_ms=300, shop=[":".join(shop) for shop in SHOPS.values()],
            )
        )  # fmt: skip
        server = urlsplit(os.environ.get("XIAOE_TEST_MYSQL_DSN") or demo_dsn())
        with connected(server.geturl(), database="") as connection:
            for name in ("xiaoe_upgrade", "xiaoe_airflow_upgrade"):
                connection.query(f"DROP DATABASE IF EXISTS {name}")
            connection.query("CREATE DATABASE xiaoe_airflow_upgrade CHARACTER SET utf8mb4")
        return cls(shops, server._replace(path="/xiaoe_upgrade").geturl(), begin, stack)

    @property
    def environment(self) -> dict[str, str]:
        """What both releases are told."""
        home = FOLDER / "home"
        return {
            "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",  # so that killed tasks are noticed soon
            "AIRFLOW_CONN_XIAOE_MYSQL": self.dsn,
            "XIAOE_CONN_IDS": ",".join(SHOPS),
            "XIAOE_HISTORY_START": f"{self.begin:%Y-%m-%d}",
            "XIAOE_PAGE_STORE": f"file://{home}/pages",
            "XIAOE_BACKUP_STORE": f"file://{home}/backups",
            **{
                f"AIRFLOW_CONN_{name.upper()}": airflow_connection(self.shops.url, shop) for name, shop in SHOPS.items()
            },
        }

    def start(self, release: Release) -> None:
        """Start a release on the same Airflow database, warehouse and pages."""
        own = urlsplit(self.dsn)._replace(
            scheme="mysql+pymysql", path="/xiaoe_airflow_upgrade", query="charset=utf8mb4"
        )
        self.airflow = Standalone(FOLDER / "home", database=own.geturl(), root=release.root, python=release.python)
        self.airflow.start({**self.environment, "PYTHONPATH": str(release.root / "plugins")})
        self.stack.callback(self.airflow.stop)
        self.airflow.wait_healthy()
        self.airflow.wait_for_dags(*DAGS)
        self.airflow.create_pools()
        for dag_id in DAGS:
            self.airflow.api("PATCH", f"dags/{dag_id}", is_paused=False)
        tell(f"{release.name} runs")

    def api(self, path: str) -> Any:
        """Ask the Airflow that runs."""
        assert self.airflow is not None  # noqa: S101 - for the type checker
        return self.airflow.api("GET", path)

    def kill_in_mid_run(self, is_time: Callable[[], bool]) -> None:
        """Kill everything once it is time and tasks of several DAGs run."""
        busy: dict[str, int] = {}

        def is_busy() -> bool:
            tasks = self.api("dags/~/dagRuns/~/taskInstances?state=running&limit=100")["task_instances"]
            busy.clear()
            for task in tasks:
                busy[task["dag_id"]] = busy.get(task["dag_id"], 0) + 1
            return len(busy) > 1 and is_time()

        wait_until(is_busy, PATIENCE, "tasks of several DAGs never ran at once")
        waiting = self.api("dags/~/dagRuns?state=running&state=queued&limit=1")["total_entries"]
        assert self.airflow is not None  # noqa: S101
        self.airflow.kill()
        tell(
            f"killed in mid-run: {busy} tasks ran, {waiting} DAG runs were not over, {len(self.ledger())} windows held"
        )

    def trigger(self) -> None:
        """Run each DAG that is no history once more."""
        assert self.airflow is not None  # noqa: S101
        self.runs += 1
        for dag_id in AGAIN:
            self.airflow.api("POST", f"dags/{dag_id}/dagRuns", dag_run_id=f"test-{self.runs}", logical_date=None)

    def finish(self) -> None:
        """Wait until what was interrupted is over, then until everything has run once more."""
        self._wait()
        self.trigger()
        self._wait()

    def _wait(self) -> None:
        wait_until(
            lambda: self.api("dags/~/dagRuns?state=running&state=queued&limit=1")["total_entries"] == 0,
            PATIENCE,
            "runs did not end",
        )
        if failed := self.api("dags/~/dagRuns?state=failed&limit=10")["dag_runs"]:
            raise RuntimeError(f"failed: {[(run['dag_id'], run['dag_run_id']) for run in failed]}")

    def ledger(self) -> set[tuple[Any, ...]]:
        """Each window that is in the warehouse."""
        return {tuple(row) for row in query(self.dsn, _LEDGER)}

    def history(self) -> int:
        """How many weeks of both shops are in the ledger."""
        return sum(mode == "history" for _, _, mode, *_ in self.ledger())

    def judge(self, when: str, earlier: set[tuple[Any, ...]], *, is_older: bool = False) -> None:
        """Compare every table with the shops, and the ledger with what has to be in it.

        Args:
            when: For the message.
            earlier: Windows that were there.
            is_older: The tables are those of an older release.

        Raises:
            RuntimeError: A row differs, or a window is lost.
        """
        ledger = self.ledger()
        if lost := earlier - ledger:
            raise RuntimeError(f"{when}: {len(lost)} windows are no longer in the ledger, e.g. {next(iter(lost))}")
        [[unbalanced]] = query(self.dsn, _UNBALANCED)
        if unbalanced:
            raise RuntimeError(f"{when}: {unbalanced} windows do not add up")
        for shop in SHOPS.values():
            held = sorted((one[3], one[4]) for one in ledger if one[0] == shop.app_id and one[2] == "history")
            end = self.begin.replace(tzinfo=None)
            for first, last in held:
                if first > end:
                    break
                end = max(end, last)
            if end < (datetime.now(BEIJING) - timedelta(weeks=1)).replace(tzinfo=None):
                raise RuntimeError(f"{when}: the history of {shop.app_id} ends, or has a gap, at {end}")
        for line in equal_tables(self.dsn, self.shops.url, [*SHOPS.values()], since=self.begin, is_older=is_older):
            tell(f"{when}: {line}")
        tell(f"{when}: 0 windows lost, {len(ledger)} in the ledger, after {time.monotonic() - self.started:.0f} s")


def tell(text: str) -> None:
    """Print a line."""
    print(f"{datetime.now():%H:%M:%S} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

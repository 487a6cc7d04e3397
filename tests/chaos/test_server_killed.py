"""MySQL itself is killed in the middle of a merge: a private server, in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from support.faults.chaos import by_level, more_than_a_sample, spread, tell
from support.faults.processes import Child, KillSwitch, things_in
from support.worlds.shop import Database, Sync
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.exceptions import XiaoeRetriableError
from xiaoe.merge import merger
from xiaoe.mysql.migrate import migrate

pytestmark = [pytest.mark.mysql, pytest.mark.chaos, pytest.mark.slow]

REPO = Path(__file__).parents[2]


class Server:
    """A MySQL of the test's own, in a folder of its own; it may be killed."""

    def __init__(self, folder: Path) -> None:
        trees = os.environ.get("XIAOE_TREES") or os.environ.get("XIAOE_LOCAL") or str(REPO / ".local")
        if not (Path(trees) / "mysql" / "tree").is_dir():
            pytest.skip("scripts/servers/database fetch mysql was not run")
        self.folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "XIAOE_LOCAL": str(folder),
            "XIAOE_TREES": trees,
        }

    def script(self, verb: str) -> str:
        """`scripts/servers/database VERB mysql`; its last line."""
        done = subprocess.run(
            [REPO / "scripts" / "servers" / "database", verb, "mysql"],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().rpartition("\n")[2]

    def kill(self) -> None:
        """As a power failure does; returns when it is gone."""
        pid = int((self.folder / "mysql" / "run" / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        with suppress(OSError):
            while Path(f"/proc/{pid}/cmdline").read_bytes():
                pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.script("start")
    yield server
    server.script("stop")


@more_than_a_sample
def test_mysql_killed_in_the_middle_of_a_merge_and_started_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The merge fails by name; what it had not committed is gone with the server; the retry brings all of it."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 40)
    runs = [
        StagedRun([(at(10 * run), [raw_order(number, order_state=run) for number in range(100)])], run_id=f"run-{run}")
        for run in range(2)
    ]
    first, second = (run.write(tmp_path / "pages") for run in runs)
    url = server.script("dsn").partition("?")[0]
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", url)
    migrate()
    database, sync = Database(url), Sync(tmp_path / "pages")
    sync.merge(*first)
    before = database.snapshot()
    statements = things_in(lambda: sync.merge(*second), KillSwitch.at_each_statement)
    undisturbed = database.snapshot()
    points = spread(statements, by_level(1, 4, 25), seed=5)
    struck = 0
    for point in points:
        database.empty()
        sync.merge(*first)
        assert database.snapshot() == before
        child = Child(partial(killing, server.kill, point, lambda: sync.merge(*second)))
        struck += child.wait() != 0
        server.script("start")
        assert database.snapshot() in (before, undisturbed), point
        sync.merge(*second)
        assert database.snapshot() == undisturbed, point
    assert struck >= len(points) - 1  # the last one is the release of the lock
    tell("MySQL killed in a merge", points=len(points), merges_failed=struck)


def killing(strike: Callable[[], object], point: int, work: Callable[[], object]) -> None:
    """Do the work; before its n-th statement, this happens. Whoever notices has to say so by name."""
    switch = KillSwitch(point, strike)
    switch.at_each_statement()
    try:
        work()
    except XiaoeRetriableError:
        os._exit(3)

"""MySQL itself is killed in the middle of a merge: a private server, in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from support.faults.chaos import by_level, more_than_a_sample, spread, tell
from support.faults.processes import Child, KillSwitch, things_in
from support.servers.own_database import Server
from support.worlds.shop import Database, Sync
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.exceptions import XiaoeRetriableError
from xiaoe.merge import merger
from xiaoe.mysql.migrate import migrate

pytestmark = [pytest.mark.mysql, pytest.mark.chaos, pytest.mark.slow]


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

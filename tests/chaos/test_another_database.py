"""A server that comes back without what it held, or does not come back at once: noticed, never written over."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from emulator.running import Emulator
from support.chaos import by_level, more_than_a_sample, spread, tell
from support.fixtures import servers
from support.processes import Child, Fuse
from support.runs import Runs
from support.shop import END, Database, Sync, days, differences
from support.staged import HandMade, at, raw_order
from xiaoe import merge
from xiaoe.backup import command
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.migrate import migrate
from xiaoe.windows import Window

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.chaos,
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

REPO = Path(__file__).parents[2]
FROM = {"from": f"{END - days(3):%Y-%m-%d}"}


@pytest.fixture
def runs(database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    monkeypatch.setenv("XIAOE_BACKUP_STORE", f"file://{tmp_path}/backups")
    return Runs(api, monkeypatch, tmp_path / "pages")


def test_an_empty_replica_is_noticed_and_not_written_to(runs: Runs, database: Database, api: Emulator) -> None:
    """The stage task stops, and so does a merge of what was staged before; not even the failure is written."""
    for _ in range(2):  # the first install: there is nothing that could be missing
        runs.sync("orders", "incremental")
    staged = runs.stage("orders", "rescan")
    database.empty()
    for resource, mode in (("orders", "incremental"), ("refunds", "incremental"), ("users", "whole")):
        with pytest.raises(XiaoeConfigError, match=r"is empty, and syncs have been merged.*make restore.*make rebuild"):
            runs.sync(resource, mode)
    with pytest.raises(XiaoeConfigError, match="is empty, and syncs have been merged"):
        runs.merge("orders", "rescan", staged)
    assert not any(database.snapshot().values())
    assert database.rows("SELECT * FROM api_tokens") == []


def test_to_begin_anew_the_file_is_removed_that_the_message_names(runs: Runs, database: Database) -> None:
    for _ in range(2):
        runs.sync("orders", "incremental")
    database.empty()
    with pytest.raises(XiaoeConfigError) as raised:
        runs.sync("orders", "incremental")
    [path] = re.findall(r"remove file://(\S+\.json)", str(raised.value))
    Path(path).unlink()
    assert runs.sync("orders", "incremental")["inserted"] > 0


def test_neither_a_restore_nor_a_rebuild_is_taken_for_a_loss(
    runs: Runs, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.sync("orders", "history", kind="manual", **FROM)
    url, _ = command.back_up_now()
    runs.sync("orders", "incremental")
    command.restore_file(urlsplit(url).path, into=None, force=True)
    runs.sync("orders", "incremental")
    database.empty("api_tokens")
    command.rebuild_from_pages([], accept_missing=False)
    runs.sync("orders", "incremental")
    assert differences(database, api, Window((END - days(3)).replace(hour=0), END - days(0.01))) == []


def test_a_replica_without_tables_stays_without_and_after_migrate_it_is_noticed(
    runs: Runs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        runs.sync("orders", "incremental")
    name = f"{urlsplit(database.url).path.lstrip('/')}"
    database.rows(f"DROP DATABASE {name}")
    try:
        Database(database.url.rpartition("/")[0] + "/").rows(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        with pytest.raises(XiaoeConfigError, match="schema is missing"):
            runs.sync("orders", "incremental")
        assert database.rows("SHOW TABLES") == []
    finally:
        migrate()
    with pytest.raises(XiaoeConfigError, match="is empty, and syncs have been merged"):
        runs.sync("orders", "incremental")


def test_a_clock_that_steps_back_delays_a_change_and_loses_none(runs: Runs, database: Database, api: Emulator) -> None:
    """Orders seen by a fast clock look newer than they are; the next look behind that moment brings the change."""
    window = Window(END - days(3), END)
    real = runs.now
    runs.now = real + days(0.003)  # four minutes: within what is tolerated
    runs.sync("orders", "rescan")
    runs.now = real
    api.set_clock((real + days(2)).isoformat())  # orders change; our clock stands before its earlier looks
    runs.sync("orders", "rescan")
    runs.at(real + days(2))
    runs.sync("orders", "rescan")
    assert differences(database, api, window) == []


class Server:
    """A MySQL of the test's own, in a folder of its own; it may be killed."""

    def __init__(self, folder: Path) -> None:
        trees = os.environ.get("XIAOE_TREES") or os.environ.get("XIAOE_LOCAL") or str(REPO / ".local")
        if not (Path(trees) / "mysql" / "tree").is_dir():
            pytest.skip("scripts/database fetch mysql was not run")
        self.folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "XIAOE_LOCAL": str(folder),
            "XIAOE_TREES": trees,
        }

    def script(self, verb: str) -> str:
        """`scripts/database VERB mysql`; its last line."""
        done = subprocess.run(
            [REPO / "scripts" / "database", verb, "mysql"],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip().rpartition("\n")[2]

    def kill(self) -> None:
        """As a power failure does."""
        os.kill(int((self.folder / "mysql" / "run" / "pid").read_text()), signal.SIGKILL)


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
    monkeypatch.setattr(merge, "CHUNK_ROWS", 40)
    runs = [
        HandMade([(at(10 * run), [raw_order(number, order_state=run) for number in range(100)])], run_id=f"run-{run}")
        for run in range(2)
    ]
    first, second = (run.write(tmp_path / "pages") for run in runs)
    url = server.script("dsn").partition("?")[0]
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", url)
    migrate()
    database, sync = Database(url), Sync(tmp_path / "pages")
    sync.merge(*first)
    before = database.snapshot()
    sync.merge(*second)
    undisturbed = database.snapshot()
    statements = 70
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
    assert struck > len(points) // 2
    tell("MySQL killed in a merge", points=len(points), merges_failed=struck)


def killing(strike: Callable[[], object], point: int, work: Callable[[], object]) -> None:
    """Do the work; before its n-th statement, this happens. Whoever notices has to say so by name."""
    fuse = Fuse(point, strike)
    fuse.at_each_statement()
    try:
        work()
    except XiaoeRetriableError:
        os._exit(3)


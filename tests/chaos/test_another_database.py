"""A server that comes back without what it held is noticed and not written to; a clock that steps loses nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from emulator.process import Emulator
from support.fixtures import SERVERS, servers
from support.worlds.runs import TaskRunner
from support.worlds.shop import END, Database, days, differences
from xiaoe.backup import service
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.migrate import migrate
from xiaoe.sync import rebuild
from xiaoe.windows import Window

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.chaos,
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

PLUGINS = str(Path(__file__).parents[2] / "plugins")
FROM = {"from": f"{END - days(3):%Y-%m-%d}"}


@pytest.fixture
def runs(database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TaskRunner:
    monkeypatch.setenv("XIAOE_BACKUP_STORE", f"file://{tmp_path}/backups")
    return TaskRunner(api, monkeypatch, tmp_path / "pages")


def fail_over(monkeypatch: pytest.MonkeyPatch, replica: str) -> Database:
    """From now on, another server answers, with the tables and without the rows."""
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", replica)
    migrate()
    return Database(replica)


@pytest.fixture
def replica(database: Database) -> Iterator[str]:
    """A database of the same name on a server of the other kind."""
    other = os.environ.get(SERVERS["mariadb"])
    if not other or servers()[0] == "mariadb":
        pytest.skip("there is one server only")
    name = urlsplit(database.url).path
    url = urlsplit(other)._replace(path=name, query="").geturl()
    yield url
    Database(url).rows(f"DROP DATABASE IF EXISTS {name.lstrip('/')}")


def test_an_empty_replica_is_noticed_and_not_written_to(
    runs: TaskRunner, database: Database, monkeypatch: pytest.MonkeyPatch, replica: str
) -> None:
    """The stage task stops, and so does a merge of what was staged before; not even the failure is written."""
    for _ in range(2):  # the first install: there is nothing that could be missing
        runs.sync("orders", "incremental")
    staged = runs.stage("orders", "rescan")
    empty = fail_over(monkeypatch, replica)
    for resource, mode in (("orders", "incremental"), ("refunds", "incremental"), ("users", "whole")):
        with pytest.raises(XiaoeConfigError, match=r"is empty on this server.*make restore.*make rebuild"):
            runs.sync(resource, mode)
    with pytest.raises(XiaoeConfigError, match="is empty on this server"):
        runs.merge("orders", "rescan", staged)
    assert not any(empty.snapshot().values())
    assert empty.rows("SELECT * FROM api_tokens") == []
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", database.url)
    assert runs.merge("orders", "rescan", staged)["staged"] > 0


def test_to_begin_anew_on_another_server_the_file_is_removed_that_the_message_names(
    runs: TaskRunner, monkeypatch: pytest.MonkeyPatch, replica: str
) -> None:
    for _ in range(2):
        runs.sync("orders", "incremental")
    fail_over(monkeypatch, replica)
    with pytest.raises(XiaoeConfigError) as raised:
        runs.sync("orders", "incremental")
    [path] = re.findall(r"remove file://(\S+\.json)", str(raised.value))
    Path(path).unlink()
    assert runs.sync("orders", "incremental")["inserted"] > 0


def test_who_makes_the_tables_begins_anew(runs: TaskRunner, monkeypatch: pytest.MonkeyPatch, replica: str) -> None:
    for _ in range(2):
        runs.sync("orders", "incremental")
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", replica)
    subprocess.run([sys.executable, "-m", "xiaoe.cli", "migrate"], env=os.environ | {"PYTHONPATH": PLUGINS}, check=True)
    assert runs.sync("orders", "incremental")["inserted"] > 0


def test_neither_a_restore_nor_a_rebuild_is_taken_for_a_loss(
    runs: TaskRunner, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.sync("orders", "history", kind="manual", **FROM)
    url, _ = service.back_up_now()
    runs.sync("orders", "incremental")
    service.restore_file(urlsplit(url).path, into=None, force=True)
    runs.sync("orders", "incremental")
    database.empty("api_tokens")
    rebuild.rebuild_from_pages([], accept_missing=False)
    runs.sync("orders", "incremental")
    assert differences(database, api, Window((END - days(3)).replace(hour=0), END - days(0.01))) == []


def test_a_replica_without_tables_stays_without(
    runs: TaskRunner, monkeypatch: pytest.MonkeyPatch, replica: str
) -> None:
    for _ in range(2):
        runs.sync("orders", "incremental")
    bare = Database(replica.rpartition("/")[0] + "/")
    bare.rows(f"CREATE DATABASE {urlsplit(replica).path.lstrip('/')} CHARACTER SET utf8mb4")
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", replica)
    with pytest.raises(XiaoeConfigError, match="schema is missing"):
        runs.sync("orders", "incremental")
    assert Database(replica).rows("SHOW TABLES") == []


def test_a_clock_that_steps_back_delays_a_change_and_loses_none(
    runs: TaskRunner, database: Database, api: Emulator
) -> None:
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

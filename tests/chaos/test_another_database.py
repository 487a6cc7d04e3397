"""A server that comes back without what it held is noticed and not written to; a clock that steps loses nothing."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from emulator.running import Emulator
from support.fixtures import servers
from support.runs import Runs
from support.shop import END, Database, days, differences
from xiaoe.backup import command
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.migrate import migrate
from xiaoe.windows import Window

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.chaos,
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

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

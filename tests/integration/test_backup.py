"""Dump, restore, drill and retention against real servers."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pyrage
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from emulator.process import Emulator
from support.fixtures import servers
from support.worlds.runs import TaskRunner
from support.worlds.shop import END, TABLES, Database, Sync, days, differences
from xiaoe import cli, clock
from xiaoe.backup import service
from xiaoe.backup.drill import MARK
from xiaoe.backup.operators import XiaoeBackupDrillOperator, XiaoeBackupOperator, XiaoeBackupRetentionOperator
from xiaoe.backup.store import MANIFEST, BackupStore
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql
one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)

LAST_DAYS = Window(END - days(3), END)
NASTY = "it's \\ \"quoted\"\r\n\t\0\x1a 中文 😀 `; -- \\'"
"""What would end a literal, a line or a statement if it were not escaped."""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XIAOE_BACKUP_STORE", f"file://{tmp_path}/backups")
    return tmp_path / "backups"


@pytest.fixture
def scratch(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database beside the warehouse that is not there yet."""
    name = f"{urlsplit(database.url).path[1:]}_two"
    monkeypatch.setenv("XIAOE_BACKUP_DRILL_DATABASE", name)
    database.rows(f"DROP DATABASE IF EXISTS {name}")
    yield Database(f"{database.url}_two")
    database.rows(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def encrypted(monkeypatch: pytest.MonkeyPatch) -> str:
    """Backups are encrypted; the secret key."""
    return use_key(monkeypatch)


def use_key(monkeypatch: pytest.MonkeyPatch) -> str:
    secret = str(pyrage.x25519.Identity.generate())
    monkeypatch.setenv("AIRFLOW_CONN_BACKUP_KEY", json.dumps({"conn_type": "generic", "password": secret}))
    monkeypatch.setenv("XIAOE_BACKUP_KEY_CONN_ID", "backup_key")
    return secret


def back_up(**params: Any) -> Path:
    return Path(urlsplit(XiaoeBackupOperator(task_id="dump").execute(about(**params))).path)


def about(**params: Any) -> Any:
    return {"params": params, "dag_run": SimpleNamespace(dag_id="xiaoe_backup", run_id="r")}


def name_of(database: Database) -> str:
    return urlsplit(database.url).path[1:]


def recorded(database: Database) -> list[dict[str, Any]]:
    return database.rows("SELECT * FROM backups ORDER BY id")


# --- there and back ------------------------------------------------------------------------------------


def test_a_restored_database_holds_what_was_dumped(
    sync: Sync, database: Database, store: Path, scratch: Database
) -> None:
    sync.run(LAST_DAYS)
    database.rows("UPDATE orders SET title = %s, receiver_name = '', coupon_name = NULL LIMIT 5", [NASTY])
    database.rows("CREATE VIEW b_view AS SELECT order_id, title, price FROM orders WHERE title <> 'a;\nb'")
    database.rows("CREATE VIEW a_view AS SELECT order_id, title FROM b_view")
    database.rows("CREATE TABLE odd (id INT PRIMARY KEY, f FLOAT, d DOUBLE, b VARBINARY(9), g INT AS (id + 1))")
    database.rows("INSERT INTO odd (id, f, d, b) VALUES (0, 16777217.125, 0.1e-300, X'00FF270A'), (1, 1e-7, 2, '')")
    database.rows("INSERT INTO odd (id) VALUES (2)")
    try:
        file = back_up()
        said = service.restore_file(str(file), into=name_of(scratch), force=False)
        assert "counts and checksums are equal" in said
        assert scratch.snapshot() == database.snapshot()
        assert scratch.rows("SELECT * FROM odd ORDER BY id") == database.rows("SELECT * FROM odd ORDER BY id")
        views = "SELECT * FROM a_view ORDER BY order_id"
        assert scratch.rows(views) == database.rows(views) != []
        assert scratch.rows("SELECT title FROM orders WHERE title = %s", [NASTY]) == [{"title": NASTY}] * 5
    finally:
        database.rows("DROP VIEW IF EXISTS a_view, b_view")
        database.rows("DROP TABLE odd")


def test_the_shops_token_is_not_in_a_backup(sync: Sync, database: Database, store: Path, scratch: Database) -> None:
    sync.run(LAST_DAYS)
    [token] = database.rows("SELECT token FROM api_tokens")
    file = back_up()
    text = gzip.decompress(file.read_bytes()).decode()
    assert token["token"] not in text
    assert "CREATE TABLE `api_tokens`" in text
    service.restore_file(str(file), into=name_of(scratch), force=False)
    assert scratch.value("SELECT COUNT(*) FROM api_tokens") == 0
    assert scratch.value("SELECT COUNT(*) FROM backups") == 0


def test_a_backup_while_merges_go_on_holds_one_moment(
    sync: Sync, database: Database, store: Path, scratch: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders that a merge brings between two tables of the dump are in none of them."""
    sync.run(Window(END - days(2), END - days(1)))
    before = database.snapshot()
    from xiaoe.backup import tables

    create, merged = tables.create_table, []

    def merge_meanwhile(session: Any, table: str) -> str:
        if table == "orders" and not merged:  # order_items has been dumped already
            merged.append(sync.run(Window(END - days(1), END)))
        return create(session, table)

    monkeypatch.setattr(tables, "create_table", merge_meanwhile)
    file = back_up()
    assert merged[0]["inserted"] > 0
    service.restore_file(str(file), into=name_of(scratch), force=False)
    assert scratch.snapshot() == before != database.snapshot()
    assert scratch.wrong_lines() == []


def test_after_a_restore_the_syncs_close_the_gap(
    database: Database, api: Emulator, store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Backup, two days of orders and changes, the database lost, restore: the next runs bring all of it."""
    runs = TaskRunner(api, monkeypatch, tmp_path / "pages")
    runs.at(END - days(2))
    runs.sync("orders", "history", kind="manual", **{"from": "2026-11-06"})
    runs.sync("orders", "incremental")
    file = back_up()
    seen = database.value("SELECT watermark FROM sync_status WHERE mode = 'incremental'")
    runs.at(END)
    runs.sync("orders", "incremental")
    runs.sync("orders", "rescan")
    lost = database.value("SELECT COUNT(*) FROM orders")
    said = service.restore_file(str(file), into=None, force=True)
    assert name_of(database) in said
    assert database.value("SELECT COUNT(*) FROM orders") < lost
    assert database.value("SELECT watermark FROM sync_status WHERE mode = 'incremental'") == seen
    runs.sync("orders", "incremental")
    runs.sync("orders", "rescan")
    window = Window(datetime.fromisoformat("2026-11-06T00:00:00+08:00"), END - timedelta(minutes=1))
    assert differences(database, api, window) == []
    assert database.value("SELECT COUNT(*) FROM orders") == lost


@one_server
def test_the_commands_of_make(
    sync: Sync,
    database: Database,
    store: Path,
    scratch: Database,
    capsys: pytest.CaptureFixture[str],
    encrypted: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sync.run(LAST_DAYS)
    assert cli.main(["backup"]) == 0
    [row] = recorded(database)
    assert row["url"] in capsys.readouterr().out
    restore = ["restore", "--file", row["url"], "--into", name_of(scratch)]
    assert cli.main(restore) == 0
    assert scratch.snapshot() == database.snapshot()
    scratch.rows("DELETE FROM order_items LIMIT 3")
    assert cli.main(restore) == 1
    assert "FORCE=1" in capsys.readouterr().err
    assert scratch.snapshot() != database.snapshot()
    assert cli.main([*restore, "--force"]) == 0
    assert scratch.snapshot() == database.snapshot()


@one_server
def test_a_backup_can_be_restored_without_this_project(
    sync: Sync, database: Database, store: Path, scratch: Database, encrypted: str
) -> None:
    """age and a MySQL client are enough; here pyrage's own function and the driver stand for them."""
    sync.run(LAST_DAYS)
    file = back_up()
    sql = gzip.decompress(pyrage.decrypt(file.read_bytes(), [pyrage.x25519.Identity.from_str(encrypted)]))
    database.rows(f"CREATE DATABASE {name_of(scratch)}")
    connection = scratch.connect()
    for statement in sql.decode().splitlines():
        if not statement.startswith("--"):
            connection.query(statement)
    connection.close()
    assert scratch.snapshot() == database.snapshot()


# --- what cannot be restored ---------------------------------------------------------------------------


@pytest.fixture
def one_backup(sync: Sync, database: Database, store: Path) -> Path:
    sync.run(Window(END - days(1), END))
    return back_up()


def refused(file: Path, database: Database, match: str, **options: Any) -> str:
    """Nothing is restored, for a reason, and the database is as it was, even with FORCE."""
    before = database.snapshot()
    with pytest.raises(XiaoeConfigError, match=match) as caught:
        service.restore_file(str(file), into=None, **{"force": True, **options})
    assert database.snapshot() == before
    return str(caught.value)


@one_server
def test_a_file_that_is_not_whole_or_not_the_same_is_refused(one_backup: Path, database: Database) -> None:
    content, manifest = one_backup.read_bytes(), one_backup.with_name(one_backup.name + MANIFEST)
    one_backup.write_bytes(content[:-10])
    refused(one_backup, database, "truncated")
    one_backup.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    refused(one_backup, database, "SHA-256")
    one_backup.write_bytes(content)
    about = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**about, "migrations": [*about["migrations"], "0099-from-the-future"]}))
    refused(one_backup, database, "newer than this checkout.*0099-from-the-future")
    manifest.unlink()
    refused(one_backup, database, "no such manifest.*not a complete backup")
    one_backup.unlink()
    refused(one_backup, database, "no such")
    service.back_up_now()


@one_server
def test_a_wrong_key_is_refused(
    sync: Sync, database: Database, store: Path, encrypted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = back_up()
    monkeypatch.delenv("XIAOE_BACKUP_KEY_CONN_ID")
    refused(file, database, "is encrypted for age1.*XIAOE_BACKUP_KEY_CONN_ID")
    other = use_key(monkeypatch)
    said = refused(file, database, "is encrypted for age1.*the key of connection backup_key is that of age1")
    assert other not in said
    assert encrypted not in said


@one_server
def test_a_database_that_holds_something_is_not_overwritten(one_backup: Path, database: Database) -> None:
    refused(one_backup, database, "holds .* tables: give INTO", force=False)


@one_server
def test_a_restore_that_gives_other_rows_says_so(one_backup: Path, database: Database, scratch: Database) -> None:
    manifest = one_backup.with_name(one_backup.name + MANIFEST)
    about = json.loads(manifest.read_text())
    about["tables"]["orders"]["rows"] += 1
    about["tables"]["order_items"]["checksum"] = "0" * 16
    about["tables"]["gone"] = {"rows": 0, "checksum": "0" * 16}
    manifest.write_text(json.dumps(about))
    with pytest.raises(XiaoeConfigError, match=r"do not use this database") as caught:
        service.restore_file(str(one_backup), into=name_of(scratch), force=False)
    assert "table gone is missing" in str(caught.value)
    assert "table orders has" in str(caught.value)
    assert "table order_items holds other values" in str(caught.value)


# --- a dump that fails ---------------------------------------------------------------------------------


@one_server
def test_a_full_store_leaves_older_backups_and_is_noted(
    one_backup: Path, database: Database, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    name = BackupStore(one_backup.parent.parent, one_backup.parent.name).name(later, encrypted=False)
    (one_backup.parent / f"{name}.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(XiaoeConfigError, match="No space left"):
        back_up()
    first, second = recorded(database)
    assert (first["status"], second["status"]) == ("success", "failed")
    assert "No space left" in second["message"]
    assert sorted(path.name for path in one_backup.parent.iterdir()) == [one_backup.name, one_backup.name + MANIFEST]


@one_server
def test_a_killed_dump_is_no_backup_and_the_next_one_cleans_up(
    one_backup: Path, database: Database, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = one_backup.parent / "xiaoe-20200101T000000Z.sql.gz.part"
    killed.write_bytes(b"half")
    database.rows("INSERT INTO backups (url, started_at, encrypted, status) VALUES ('x', '2020-01-01', 0, 'running')")
    assert XiaoeBackupRetentionOperator(task_id="retention").execute(about()) == 0
    assert killed.exists(), "it may still be written"
    later = clock.now() + timedelta(days=3)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert XiaoeBackupRetentionOperator(task_id="retention").execute(about()) == 0
    assert not killed.exists()
    assert one_backup.exists()
    assert database.value("SELECT status FROM backups WHERE url = 'x'") == "failed"


# --- retention -----------------------------------------------------------------------------------------


@one_server
def test_old_backups_go_and_the_record_stays(
    sync: Sync, database: Database, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_BACKUP_KEEP_DAYS", "2")
    monkeypatch.setenv("XIAOE_BACKUP_KEEP_MONTHS", "2")
    files = []
    for moment in (END - days(40), END - days(2), END - days(1), END):
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        files.append(back_up())
    database.rows("DELETE FROM backups")  # as after a restore
    assert XiaoeBackupRetentionOperator(task_id="retention").execute(about()) == 1
    assert [file.exists() for file in files] == [True, False, True, True]
    assert [row["removed_at"] is None for row in recorded(database)] == [True, False, True, True]
    assert {row["status"] for row in recorded(database)} == {"success"}


# --- the drill -----------------------------------------------------------------------------------------


def drill(**params: Any) -> str:
    return XiaoeBackupDrillOperator(task_id="drill").execute(about(**params))


def test_a_drill_restores_compares_and_leaves_nothing(
    one_backup: Path, database: Database, scratch: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = database.snapshot()
    assert "are equal" in drill()
    [row] = recorded(database)
    assert (row["drill_status"], row["drilled_at"] is None) == ("success", False)
    assert database.rows("SHOW DATABASES LIKE %s", [name_of(scratch)]) == []
    with pytest.raises(AirflowSkipException):
        drill()
    assert "are equal" in drill(drill=True)
    assert database.snapshot() == before


@one_server
def test_a_drill_finds_a_backup_that_gives_other_rows(one_backup: Path, database: Database, scratch: Database) -> None:
    manifest = one_backup.with_name(one_backup.name + MANIFEST)
    about = json.loads(manifest.read_text())
    about["tables"]["orders"]["checksum"] = "0" * 16
    manifest.write_text(json.dumps(about))
    with pytest.raises(XiaoeConfigError, match=r"table orders holds other values.*Do not rely on it"):
        drill()
    [row] = recorded(database)
    assert row["drill_status"] == "failed"
    assert database.rows("SHOW DATABASES LIKE %s", [name_of(scratch)]) == []
    one_backup.write_bytes(b"rubbish")
    with pytest.raises(XiaoeConfigError, match="truncated"):
        drill()


@one_server
def test_a_drill_touches_no_database_of_somebody_else(
    one_backup: Path, database: Database, scratch: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.rows(f"CREATE DATABASE {name_of(scratch)}")
    scratch.rows("CREATE TABLE theirs (id INT PRIMARY KEY)")
    with pytest.raises(XiaoeConfigError, match="holds tables and was not made by a drill"):
        drill()
    assert scratch.rows("SHOW TABLES") != []
    scratch.rows(f"CREATE TABLE {MARK} (id INT)")  # as a drill leaves it that was killed
    assert "are equal" in drill()
    monkeypatch.setenv("XIAOE_BACKUP_DRILL_DATABASE", name_of(database).upper())
    before = database.snapshot()
    with pytest.raises(XiaoeConfigError, match="it is dropped"):
        drill(drill=True)
    assert database.snapshot() == before
    assert {row["drill_status"] for row in recorded(database)} == {"error"}


@pytest.fixture
def loader(migrated: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The connection's user may do all in the warehouse and nothing elsewhere."""
    name = f"xiaoe_t_{abs(hash(migrated)) % 10**8}"
    parts = urlsplit(migrated)
    database.rows(f"CREATE USER {name}@'%' IDENTIFIED BY 'Secret-of-the-loader-1'")
    database.rows(f"GRANT ALL ON `{name_of(database)}`.* TO {name}@'%'")
    url = f"mysql://{name}:Secret-of-the-loader-1@{parts.hostname}:{parts.port}{parts.path}"
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", url)
    yield name
    database.rows(f"DROP USER {name}@'%'")


def test_without_the_right_there_is_no_drill_and_the_grant_is_named(
    one_backup: Path, database: Database, scratch: Database, loader: str
) -> None:
    with pytest.raises(AirflowSkipException, match=f"GRANT ALL ON `{name_of(scratch)}`.* TO '{loader}'@'%'"):
        drill()
    [row] = recorded(database)
    assert row["drill_status"] == "impossible"
    with pytest.raises(XiaoeConfigError, match="GRANT ALL"):
        service.restore_file(str(one_backup), into=name_of(scratch), force=False)
    database.rows(f"GRANT ALL ON `{name_of(scratch)}`.* TO {loader}@'%'")
    assert "are equal" in drill()


@one_server
def test_the_user_for_backups_has_all_that_backup_and_drill_need(
    sync: Sync, database: Database, store: Path, scratch: Database, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection of its own, with what docs/security.md lists."""
    monkeypatch.setenv("AIRFLOW_CONN_BACKUP_USER", os.environ["AIRFLOW_CONN_XIAOE_MYSQL"])
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", database.url)
    monkeypatch.setenv("XIAOE_BACKUP_MYSQL_CONN_ID", "backup_user")
    ours, theirs = name_of(database), name_of(scratch)
    database.rows(f"REVOKE ALL ON `{ours}`.* FROM {loader}@'%'")
    database.rows(f"GRANT SELECT, SHOW VIEW ON `{ours}`.* TO {loader}@'%'")
    database.rows(f"GRANT INSERT, UPDATE ON `{ours}`.backups TO {loader}@'%'")
    database.rows(
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW,"
        f" CREATE TEMPORARY TABLES ON `{theirs}`.* TO {loader}@'%'"
    )
    sync.run(Window(END - days(1), END))
    database.rows("CREATE VIEW bi_view AS SELECT order_id FROM orders")
    try:
        back_up()
        assert "are equal" in drill()
        assert XiaoeBackupRetentionOperator(task_id="retention").execute(about()) == 0
    finally:
        database.rows("DROP VIEW bi_view")
    [row] = recorded(database)
    assert (row["status"], row["drill_status"]) == ("success", "success")


def test_all_tables_are_dumped(sync: Sync, database: Database, store: Path) -> None:
    """So that a table of a later release cannot be left out."""
    file = back_up()
    listed = json.loads(file.with_name(file.name + MANIFEST).read_text())["tables"]
    held = {next(iter(row.values())) for row in database.rows("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")}
    assert set(listed) == held > set(TABLES)
    [row] = recorded(database)
    assert (row["table_count"], row["row_count"]) == (len(listed), sum(one["rows"] for one in listed.values()))
    assert row["bytes"] == file.stat().st_size
    assert (
        subprocess.run(["sha256sum", file], capture_output=True, check=True).stdout.decode().startswith(row["sha256"])
    )

"""The journal of changes: recovery to a moment, and what is said where it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import pyrage
import pytest
from MySQLdb import OperationalError

from servers.airflow import wait_until
from support.fixtures import servers
from support.servers.own_database import Server
from support.worlds.journal import Life, contents
from support.worlds.shop import Database
from xiaoe import clock
from xiaoe.backup import binlog, catalog, service, tables
from xiaoe.backup.operators import XiaoeBackupRetentionOperator
from xiaoe.backup.shipping import Shipper
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql import grants
from xiaoe.mysql import session as sessions
from xiaoe.mysql.migrate import migrate
from xiaoe.mysql.session import Session, names
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql
INTO = "xiaoe_moment"
_KINDS = "SELECT DISTINCT data_type AS DATA_TYPE FROM information_schema.columns WHERE table_schema = DATABASE()"


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a binary log."""
    server = Server(tmp_path_factory.mktemp("log"), request.param, has_log=True)
    yield server.script("start").partition("?")[0]
    server.script("stop")


@pytest.fixture
def warehouse(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Warehouse:
    """An empty one; backups are encrypted."""
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", server)
    monkeypatch.setenv("XIAOE_BACKUP_STORE", f"file://{tmp_path}/backups")
    secret = str(pyrage.x25519.Identity.generate())
    monkeypatch.setenv("AIRFLOW_CONN_BACKUP_KEY", json.dumps({"conn_type": "generic", "password": secret}))
    monkeypatch.setenv("XIAOE_BACKUP_KEY_CONN_ID", "backup_key")
    for name in ("xiaoe", INTO):
        Database(server).rows(f"DROP DATABASE IF EXISTS {name}")
        Database(server.replace("/xiaoe", "/")).rows(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    migrate()
    return Warehouse()


class Moments:
    """Sets the server's clock for each session, and so the time of each commit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
        monkeypatch.setattr(clock, "now", lambda: self.now)
        monkeypatch.setattr(clock, "machine_now", lambda: self.now.astimezone(timezone.utc))
        begin = Session.__init__

        def dated(session: Session, connection: object, where: str) -> None:
            begin(session, connection, where)
            session.execute("SET timestamp = %s", (self.now.timestamp(),))
            session.rollback()

        monkeypatch.setattr(sessions.Session, "__init__", dated)

    def pass_by(self) -> str:
        """A second later; the moment before, as `TO=` takes it."""
        before = f"{self.now:%Y-%m-%d %H:%M:%S}"
        self.now += timedelta(seconds=1)
        return before


def test_every_moment_that_was_shipped_comes_back_as_it_was(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments, life = Moments(monkeypatch), Life(tmp_path / "pages", 1)
    shipper = Shipper(warehouse)
    known = {}
    for number in range(24):
        life.goes_on()
        held = contents(warehouse)
        known[moments.pass_by()] = held
        if number % 4 == 3:
            shipper.ship()
    for moment in list(known)[::5]:
        said = service.restore_to(moment, into=INTO, force=True)
        assert "counts and checksums are equal" in said
        assert contents(Warehouse(database=INTO)) == known[moment], moment
    service.restore_to("latest", into=INTO, force=True)
    assert contents(Warehouse(database=INTO)) == known[list(known)[-1]]
    first = next(iter(known.values()))
    changed = {name for name in tables.IRREPLACEABLE if first.get(name) != held[name]}
    assert changed >= {"benefit_reviews", "benefit_decision_log", "order_state_log", "targets", "sync_windows"}


def test_a_change_of_the_schema_is_in_the_journal(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = Moments(monkeypatch)
    shipper = Shipper(warehouse)
    with warehouse.session() as session:
        session.execute("ALTER TABLE targets ADD COLUMN note VARCHAR(9) NULL AFTER month")
        session.execute("CREATE OR REPLACE VIEW a_view AS SELECT note FROM targets")
        session.execute("CREATE TABLE more (id BIGINT UNSIGNED PRIMARY KEY, b TEXT, n INT AS (LENGTH(b)))")
        session.execute("INSERT INTO more (id, b) VALUES (18446744073709551615, '中'), (1, NULL)")
        session.execute("UPDATE more SET id = 2 WHERE id = 1")
        session.commit()
    held = contents(warehouse)
    moments.pass_by()
    assert shipper.ship()
    service.restore_to("latest", into=INTO, force=True)
    assert contents(Warehouse(database=INTO)) == held
    with Warehouse(database=INTO).session() as session:
        assert session.query("SELECT * FROM a_view") == []
        assert session.query("SELECT id, b, n FROM more ORDER BY id")[0] == (2, None, None)


def test_a_journal_that_was_interrupted_goes_on_where_it_was(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments, life = Moments(monkeypatch), Life(tmp_path / "pages", 2)
    Shipper(warehouse).ship()
    for _ in range(3):
        life.answer()
        moments.pass_by()
        assert Shipper(warehouse).ship()
    assert not Shipper(warehouse).ship()
    assert len(list((tmp_path / "backups" / "xiaoe" / "journal").iterdir())) == 3
    held = contents(warehouse)
    service.restore_to("latest", into=INTO, force=True)
    assert contents(Warehouse(database=INTO)) == held


def test_a_lost_segment_is_named_and_nothing_is_touched(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments, life = Moments(monkeypatch), Life(tmp_path / "pages", 3)
    shipper = Shipper(warehouse)
    for _ in range(3):
        life.goes_on()
        moments.pass_by()
        shipper.ship()
    segments = sorted((tmp_path / "backups" / "xiaoe" / "journal").iterdir())
    segments[1].unlink()
    with pytest.raises(XiaoeConfigError, match="gap before it"):
        service.restore_to("latest", into=INTO, force=True)
    with Warehouse(database=INTO).session(any_schema=True) as session:
        assert names(session) == ([], [])


def test_a_restored_warehouse_begins_a_new_chain_with_a_backup(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments, life = Moments(monkeypatch), Life(tmp_path / "pages", 4)
    shipper = Shipper(warehouse)
    life.goes_on()
    moments.pass_by()
    shipper.ship()
    service.restore_to("latest", into=None, force=True)
    moments.pass_by()
    shipper.ship()
    [row] = Database(os.environ["AIRFLOW_CONN_XIAOE_MYSQL"]).rows("SELECT chain FROM journal_status")
    newest = service.store_of(warehouse).backups()[-1][1]
    assert newest.journal
    assert newest.journal[0] == row["chain"]
    life.goes_on()
    held = contents(warehouse)
    moments.pass_by()
    shipper.ship()
    service.restore_to("latest", into=INTO, force=True)
    assert contents(Warehouse(database=INTO)) == held


def test_a_moment_before_the_first_backup_is_refused(warehouse: Warehouse) -> None:
    Shipper(warehouse).ship()
    with pytest.raises(XiaoeConfigError, match="no backup before it has a journal"):
        service.restore_to("2026-01-01", into=INTO, force=True)


def test_old_segments_go_with_the_daily_backups(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments, life = Moments(monkeypatch), Life(tmp_path / "pages", 5)
    shipper = Shipper(warehouse)
    life.goes_on()
    shipper.ship()
    folder = tmp_path / "backups" / "xiaoe" / "journal"
    assert len(list(folder.iterdir())) == 1
    moments.now += timedelta(days=13)
    XiaoeBackupRetentionOperator(task_id="retention").execute({"params": {}})
    assert len(list(folder.iterdir())) == 1
    moments.now += timedelta(days=2)
    XiaoeBackupRetentionOperator(task_id="retention").execute({"params": {}})
    assert list(folder.iterdir()) == []


def test_what_a_server_or_an_account_lacks_is_named(warehouse: Warehouse, server: str) -> None:
    with warehouse.session() as session:
        assert binlog.lacking(session) == []
    database = Database(server)
    with pytest.raises(OperationalError, match=r"1227|1193"):  # the account has no SUPER
        database.rows("SET GLOBAL binlog_row_image = MINIMAL")


def test_the_account_that_grants_makes_ships_and_says_that_it_lives(
    warehouse: Warehouse, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL_ADMIN", server)
    monkeypatch.setenv("XIAOE_BACKUP_PASSWORD", "only-for-this-test")
    monkeypatch.setenv("XIAOE_JOURNAL_SECONDS", "1")
    monkeypatch.setenv("XIAOE_BACKUP_MYSQL_CONN_ID", "own")
    parts = urlsplit(server)
    own = parts._replace(netloc=f"xiaoe_backup:only-for-this-test@{parts.hostname}:{parts.port}").geturl()
    monkeypatch.setenv("AIRFLOW_CONN_OWN", own)
    grants.apply("%", require_tls=False, may_show=False, users=["xiaoe_backup"])
    with pytest.raises(XiaoeConfigError, match="GRANT REPLICATION SLAVE, REPLICATION CLIENT"):
        Shipper(service.source())
    grants.apply("%", require_tls=False, may_show=False, journal=True, users=["xiaoe_backup"])
    Life(tmp_path / "pages", 5).answer()
    command = [sys.executable, "-m", "xiaoe.cli", "journal", "--alive", tmp_path / "shipped"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as journal:
        wait_until((tmp_path / "shipped").exists, 120, "nothing was shipped")
        Life(tmp_path / "pages", 6).answer()
        held = contents(warehouse)
        journal.terminate()
    assert journal.returncode == 0
    service.restore_to("latest", into=INTO, force=True)
    assert contents(Warehouse(database=INTO)) == held


@pytest.mark.parametrize("migrated", servers(), indirect=True)
def test_without_a_binary_log_the_message_says_what_to_set(database: Database) -> None:
    with pytest.raises(XiaoeConfigError, match=r"log_bin=OFF: set log_bin=ON in the server's configuration"):
        Shipper(Warehouse())
    assert database.rows("SELECT * FROM journal_status") == []


@pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
def test_every_table_is_on_one_side(database: Database) -> None:
    """Whoever adds a table says whether the API can give its rows again."""
    found = {next(iter(row.values())) for row in database.rows("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")}
    kinds = {row["DATA_TYPE"] for row in database.rows(_KINDS)}
    assert not kinds & {"binary", "varbinary", "blob", "json", "bit"}, "the journal reads texts and numbers only"
    sides = (tables.IRREPLACEABLE, tables.GIVEN_AGAIN, tables.RECOMPUTED, tables.STRUCTURE_ONLY, tables.MIGRATIONS)
    assert sorted(name for side in sides for name in side) == sorted(found | {"yoyo_lock"})


@pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
def test_a_journal_that_stands_still_fails_the_hourly_task(database: Database) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
    database.rows("INSERT INTO journal_status VALUES (1, 'c', 'b.000001', 4, 'b.000001', 4, '2026-11-20 03:51:00')")
    with Warehouse().session() as session:
        catalog.check_journal(session, now)
        with pytest.raises(XiaoeConfigError, match="last shipped at 2026-11-20 11:51:00"):
            catalog.check_journal(session, now + timedelta(minutes=2))

"""The schema: from nothing, again, by several at once, after a kill at any point; and what it says when it cannot."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import MySQLdb
import pytest
from MySQLdb.cursors import BaseCursor

from emulator.process import Emulator
from support.faults.chaos import by_level
from support.faults.processes import KillSwitch, killed_everywhere, together
from support.oracles.benefits import begin_long_ago
from support.worlds.shop import APP_ID, EVERYTHING, TABLES, Database, Sync
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.benefits.decide import Decider, apply_policy
from xiaoe.benefits.policy import Policy
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.mysql.migrate import SCHEMA_DIR, migrate
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql

ALL = sorted(file.stem for file in SCHEMA_DIR.glob("*.sql"))


@dataclass
class Place:
    """A database that is not there yet, and `xiaoe_mysql` pointing at it."""

    url: str
    patch: pytest.MonkeyPatch

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    def point(self, **parts: str) -> None:
        """Let the connection have another user, password or database."""
        now = urlsplit(self.url)
        chosen = {"user": now.username or "", "password": now.password or "", "name": self.name, **parts}
        self.patch.setenv(
            "AIRFLOW_CONN_XIAOE_MYSQL",
            "mysql://{user}:{password}@{host}:{port}/{name}".format(**chosen, host=now.hostname, port=now.port),
        )

    def drop(self) -> None:
        self.server().rows(f"DROP DATABASE IF EXISTS `{self.name}`")

    def server(self) -> Database:
        return Database(self.url.rpartition("/")[0] + "/information_schema")

    def schema(self) -> dict[str, str]:
        """The statement that makes each table, without what depends on its rows."""
        database = Database(self.url)
        names = [next(iter(row.values())) for row in database.rows("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")]
        names = [name for name in names if not name.startswith("yoyo_tmp_")]  # an empty one that a killed yoyo left
        made = {name: database.rows(f"SHOW CREATE TABLE `{name}`")[0]["Create Table"] for name in names}
        return {name: re.sub(r" AUTO_INCREMENT=\d+", "", text) for name, text in made.items()}


@pytest.fixture
def place(migrated: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    place = Place(f"{migrated}_new", monkeypatch)
    place.drop()
    place.point()
    yield place
    place.drop()


def test_from_nothing_and_again(place: Place) -> None:
    assert migrate() == ALL
    first = place.schema()
    assert set(TABLES) <= first.keys()
    assert all("utf8mb4" in first[name] and "InnoDB" in first[name] for name in TABLES)
    assert migrate() == []
    assert place.schema() == first


def test_three_at_once(place: Place) -> None:
    together(migrate, migrate, migrate)
    applied = Database(place.url).rows("SELECT migration_id FROM _yoyo_migration ORDER BY 1")
    assert [row["migration_id"] for row in applied] == ALL
    assert migrate() == []


def test_killed_anywhere(place: Place) -> None:
    """Before every fortieth statement that changes something, in `make chaos` before each; others on MariaDB.

    The next one brings it to the end, whatever was left.
    """
    step = by_level(40, 4, 1)
    migrate()
    expected = place.schema()
    place.drop()
    points = 0
    first = step // 2 if "mariadb" in place.name else 0
    for point in killed_everywhere(migrate, KillSwitch.at_each_change, count(first, step)):
        migrate()
        assert place.schema() == expected, point
        assert Database(place.url).value("SELECT COUNT(*) FROM yoyo_lock") == 0
        place.drop()
        points += 1
    assert points >= 6


def test_the_lock_of_a_dead_process_and_tables_made_by_hand(place: Place) -> None:
    migrate()
    expected = place.schema()
    database = Database(place.url)
    for table in TABLES:
        if table not in ("orders", "sync_status"):
            database.rows(f"DROP TABLE {table}")
    database.rows("DELETE FROM _yoyo_migration")
    database.rows("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2026-01-01', 4000000)")
    assert migrate() == ALL
    assert place.schema() == expected
    assert migrate() == []


def test_migrating_keeps_rows(place: Place, sync: Sync) -> None:
    place.point()
    migrate()
    sync.merge(*StagedRun([(at(0), [raw_order(1)])]).write(sync.store))
    migrate()
    assert Database(place.url).value("SELECT COUNT(*) FROM orders") == 1


def test_wrong_password(place: Place) -> None:
    place.point(password="not-the-password")
    with pytest.raises(XiaoeConfigError, match=r"correct the connection's login and password.*Access denied") as raised:
        migrate()
    assert "xiaoe_mysql" in str(raised.value)
    assert "not-the-password" not in str(raised.value)


def test_nobody_listens(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", "mysql://someone:hidden-word@127.0.0.1:1/xiaoe")
    with pytest.raises(
        XiaoeRetriableError, match=r"start the server, or correct host and port.*127\.0\.0\.1:1: "
    ) as raised:
        migrate()
    assert "hidden-word" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "no%20name", "a`b"])
def test_a_connection_without_a_database(place: Place, name: str) -> None:
    place.point(name=name)
    with pytest.raises(XiaoeConfigError, match=r"schema=.*give the name of a database"):
        migrate()


@pytest.fixture
def limited(place: Place) -> Iterator[tuple[str, str]]:
    """A user without any right, and its password; made and dropped for the test."""
    server = place.server()
    host = server.value("SELECT CURRENT_USER()").rpartition("@")[2]
    user, password = f"x_{os.getpid()}_{secrets.token_hex(3)}", secrets.token_hex(12)
    server.rows(f"CREATE USER '{user}'@'{host}' IDENTIFIED BY '{password}'")
    yield user, password
    place.drop()  # MySQL keeps a user whose views are there
    server.rows(f"DROP USER '{user}'@'{host}'")


def test_no_database_and_no_right_to_make_one(place: Place, limited: tuple[str, str]) -> None:
    user, password = limited
    place.point(user=user, password=password)
    with pytest.raises(XiaoeConfigError, match=f"CREATE DATABASE `{place.name}`") as raised:
        migrate()
    assert f"no database {place.name}" in str(raised.value)
    assert password not in str(raised.value)


def test_a_sync_without_a_database_says_what_to_do(place: Place, sync: Sync, api: Emulator) -> None:
    place.point()
    with pytest.raises(XiaoeConfigError, match="make migrate"):
        sync.stage(EVERYTHING)


@pytest.mark.parametrize(
    "damage", ["DROP TABLE order_items", "DROP TABLE sync_windows", "ALTER TABLE orders DROP COLUMN raw_hash"]
)
def test_a_merge_into_an_old_schema_says_what_to_do(place: Place, sync: Sync, tmp_path: Path, damage: str) -> None:
    place.point()
    migrate()
    Database(place.url).rows(damage)
    with pytest.raises(XiaoeConfigError, match=r"schema is missing or old .*run `make migrate`"):
        sync.merge(*StagedRun([(at(0), [raw_order(1)])]).write(tmp_path))
    assert Database(place.url).value("SELECT COUNT(*) FROM orders") == 0


def test_a_sync_before_the_first_migration_says_what_to_do(place: Place, sync: Sync, api: Emulator) -> None:
    place.server().rows(f"CREATE DATABASE `{place.name}`")
    place.point()
    with pytest.raises(XiaoeConfigError, match="run `make migrate`"):
        sync.stage(EVERYTHING)
    with (
        Warehouse().session(any_schema=True) as session,
        pytest.raises(XiaoeConfigError, match="run `make migrate`"),
    ):
        session.insert_many("INSERT INTO rejected_rows (shop_id) VALUES (%s)", [("a",)])


# --- the first error is the one that is shown -----------------------------------------------------------

KINDS = {
    "SET @": "0009-bi",
    "PREPARE": "0009-bi",
    "EXECUTE": "0009-bi",
    "CREATE TABLE IF NOT EXISTS orders": "0001-orders",
    "CREATE OR REPLACE": "0009-bi",
    "ALTER TABLE": "0010-proof",
    "INSERT INTO mart_queue": "0009-bi",
    "UPDATE orders": "0020-times",
}
"""How a statement of a migration begins → the first migration with such a one."""


def at_first(beginning: str, strike: Callable[[BaseCursor], None], patch: pytest.MonkeyPatch) -> None:
    """Let something happen instead of the first statement that begins so."""
    original = BaseCursor._query

    def query(cursor: BaseCursor, statement: bytes) -> object:
        text = re.sub(rb"^(\s*--[^\n]*\n)+", b"", statement).lstrip()
        if text.startswith(beginning.encode()):
            strike(cursor)
        return original(cursor, statement)

    patch.setattr(BaseCursor, "_query", query)


@pytest.mark.parametrize("beginning", KINDS)
def test_a_refused_statement_is_told_with_its_migration(
    place: Place, beginning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(cursor: BaseCursor) -> None:
        raise MySQLdb.OperationalError(3750, "the first error")

    with monkeypatch.context() as patch:
        at_first(beginning, refuse, patch)
        with pytest.raises(XiaoeConfigError, match=r"MySQL says 3750: the first error.*`make migrate` again") as raised:
            migrate()
    assert str(raised.value).startswith(f"migration {KINDS[beginning]} stopped: ")
    applied = {row["migration_id"] for row in Database(place.url).rows("SELECT migration_id FROM _yoyo_migration")}
    assert applied == {name for name in ALL if name < KINDS[beginning]}
    assert migrate() == ALL[len(applied) :]


@pytest.mark.parametrize("beginning", ["CREATE TABLE IF NOT EXISTS orders", "CREATE OR REPLACE", "UPDATE orders"])
def test_a_connection_that_ends_in_a_migration_is_told_and_may_work_later(
    place: Place, beginning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(cursor: BaseCursor) -> None:
        place.server().rows(f"KILL {cursor._get_db().thread_id()}")

    with monkeypatch.context() as patch:
        at_first(beginning, end, patch)
        with pytest.raises(XiaoeRetriableError, match=f"^migration {KINDS[beginning]} stopped: start the server"):
            migrate()
    migrate()
    assert migrate() == []
    assert set(TABLES) <= place.schema().keys()


def again(place: Place, name: str) -> tuple[dict[str, str], MySQLdb.Connection]:
    """A migrated database that has to apply a migration again, and a reader's connection."""
    migrate()
    schema = place.schema()
    Database(place.url).rows(f"DELETE FROM _yoyo_migration WHERE migration_id = '{name}'")
    at = urlsplit(place.url)
    return schema, MySQLdb.connect(
        host=at.hostname or "", port=at.port or 3306, user=at.username or "", password=at.password or "",
        database=place.name,
    )  # fmt: skip


def test_a_long_query_holds_up_the_migration_and_nobody_else(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of a table waits for who has read it, and all who come to it wait behind (metadata lock)."""
    schema, dashboard = again(place, "0040-audience")
    dashboard.cursor().execute("SELECT COUNT(*) FROM mart_queue")  # a transaction that does not end
    read: list[int] = []

    def others(seconds: float) -> None:
        if read:
            dashboard.rollback()
        read.append(Database(place.url).value("SELECT COUNT(*) FROM mart_queue"))

    monkeypatch.setattr("xiaoe.mysql.migrate._TABLE_SECONDS", 1)
    monkeypatch.setattr("xiaoe.mysql.migrate._pause", others)
    assert migrate() == ["0040-audience"]
    assert len(read) == 2
    dashboard.close()
    assert place.schema() == schema
    assert migrate() == []


def test_a_query_that_never_ends_is_told_and_the_next_migration_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema, dashboard = again(place, "0040-audience")
    dashboard.cursor().execute("SELECT COUNT(*) FROM mart_queue")
    with monkeypatch.context() as patch:
        patch.setattr("xiaoe.mysql.migrate._TABLE_SECONDS", 1)
        patch.setattr("xiaoe.mysql.migrate._TRIES", 2)
        patch.setattr("xiaoe.mysql.migrate._pause", lambda seconds: None)
        with pytest.raises(XiaoeRetriableError, match=r"migration 0040-audience stopped: .*1205.*SHOW PROCESSLIST"):
            migrate()
    applied = Database(place.url).rows("SELECT migration_id FROM _yoyo_migration")
    assert {row["migration_id"] for row in applied} == set(ALL) - {"0040-audience"}
    dashboard.close()
    assert migrate() == ["0040-audience"]
    assert place.schema() == schema


def test_a_database_that_was_made_with_another_charset_holds_every_text(place: Place, sync: Sync) -> None:
    """By hand, on a server whose default is latin1: tables bring their own."""
    place.server().rows(f"CREATE DATABASE `{place.name}` CHARACTER SET latin1")
    place.point()
    migrate()
    title = "课程「一」 😀 ¥ É"
    counts = sync.merge(*StagedRun([(at(0), [raw_order(1, title=title)])]).write(sync.store))
    assert counts["inserted"] == 1
    database = Database(place.url)
    assert database.rows("SELECT title, order_state_text FROM orders") == [
        {"title": title, "order_state_text": "支付成功"}
    ]
    assert database.rows("SELECT COUNT(*) AS found FROM orders WHERE title LIKE '%一」 😀%'") == [{"found": 1}]


RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "CREATE VIEW")


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("CREATE", "the migration stopped before its first step"),
        ("INSERT", "the migration stopped before its first step"),
        ("CREATE VIEW", "migration 0009-bi stopped"),
    ],
)
def test_a_right_that_is_missing_is_the_error_that_is_shown(
    place: Place, limited: tuple[str, str], missing: str, named: str
) -> None:
    user, password = limited
    server = place.server()
    server.rows(f"CREATE DATABASE `{place.name}` CHARACTER SET utf8mb4")
    host = server.value("SELECT CURRENT_USER()").rpartition("@")[2]
    rights = ", ".join(right for right in RIGHTS if right != missing)
    server.rows(f"GRANT {rights} ON `{place.name}`.* TO '{user}'@'{host}'")
    place.point(user=user, password=password)
    with pytest.raises(XiaoeConfigError, match=f"^{named}: the user lacks a right: .*command denied") as raised:
        migrate()
    assert "savepoint" not in str(raised.value).lower()
    applied = Database(place.url).rows("SHOW TABLES LIKE '\\_yoyo\\_migration'")
    assert bool(applied) is (missing != "CREATE")
    server.rows(f"GRANT {missing} ON `{place.name}`.* TO '{user}'@'{host}'")
    migrate()
    assert migrate() == []


# --- rows of earlier versions ---------------------------------------------------------------------------


def test_a_shop_with_decisions_keeps_every_one_of_them_when_benefits_get_a_first_day(place: Place, sync: Sync) -> None:
    place.point()
    migrate()
    sync.merge(*StagedRun([(at(0), [raw_order(number) for number in range(4)])]).write(sync.store))
    database = Database(place.url)
    begin_long_ago()
    policy = Policy(14, "created_time", "review", [])
    with Warehouse().session() as session:
        number = apply_policy(session, policy, by="test", shop_ids=[APP_ID])
        session.commit()
    Decider(Warehouse(), APP_ID, policy, number, now=at(1)).decide()
    before = database.rows("SELECT order_id, decision, reason FROM benefit_decisions ORDER BY order_id")
    for table in ("benefit_starts", "benefit_postponements", "export_log"):
        database.rows(f"DROP TABLE {table}")
    database.rows("DELETE FROM _yoyo_migration WHERE migration_id = '0027-golive'")
    assert migrate() == ["0027-golive"]
    [start] = database.rows(
        "SELECT shop_id, since, (SELECT DATE(MIN(created_time)) FROM orders) AS first FROM benefit_starts"
    )
    assert (start["shop_id"], start["since"]) == (APP_ID, start["first"])
    database.rows("INSERT INTO benefit_queue SELECT shop_id, order_id FROM orders")
    Decider(Warehouse(), APP_ID, policy, number, now=at(2)).decide()
    assert database.rows("SELECT order_id, decision, reason FROM benefit_decisions ORDER BY order_id") == before
    assert database.value("SELECT COUNT(*) FROM benefit_decision_log") == len(before) == 4


def test_times_that_are_no_facts_leave_the_rows_that_hold_them(place: Place, sync: Sync) -> None:
    place.point()
    migrate()
    sync.merge(
        *StagedRun([(at(0), [raw_order(number, pay_time="2026-11-02 10:00:00") for number in range(4)])]).write(
            sync.store
        )
    )
    database = Database(place.url)
    for number, wrong in enumerate(("1970-01-01 08:00:00", "9999-12-31 23:59:59", "2009-12-31 00:00:00")):
        database.rows(f"UPDATE orders SET pay_time = %s WHERE order_id = 'o_{number:05d}'", [wrong])
    database.rows("DELETE FROM benefit_queue")
    database.rows("DELETE FROM mart_queue")
    database.rows("DELETE FROM _yoyo_migration WHERE migration_id = '0020-times'")
    assert migrate() == ["0020-times"]
    stored = database.rows(
        "SELECT pay_time IS NULL AS is_empty, row_hash = 0 AS is_due, created_time FROM orders ORDER BY order_id"
    )
    assert [(row["is_empty"], row["is_due"]) for row in stored] == [(1, 1), (1, 1), (1, 1), (0, 0)]
    assert None not in [row["created_time"] for row in stored]
    assert [row["order_id"] for row in database.rows("SELECT order_id FROM benefit_queue ORDER BY 1")] == [
        "o_00000", "o_00001", "o_00002",
    ]  # fmt: skip
    queued = database.rows("SELECT DISTINCT CAST(day AS CHAR) AS day FROM mart_queue ORDER BY 1")
    assert [row["day"] for row in queued] == ["1970-01-01", "2009-12-31", "9999-12-31"]

"""The rules that the warehouse takes from its engine, on MySQL, MariaDB and OceanBase's engine (seekdb).

Where the last one breaks a rule, the test is expected to fail, strictly: it tells when a release holds it. The table in
docs/deployment.md, "A distributed warehouse", is this file.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import MySQLdb
import pytest

from support.faults.processes import Child
from support.fixtures import SERVERS
from support.servers.own_database import Server
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.migrate import migrate
from xiaoe.mysql.session import TRY_AGAIN
from xiaoe.mysql.variables import PINNED

pytestmark = pytest.mark.mysql

DSNS = SERVERS | {"seekdb": "XIAOE_TEST_SEEKDB_DSN"}
HERE = [name for name, variable in DSNS.items() if os.environ.get(variable)] or list(SERVERS)
DATABASE = f"xiaoe_test_rules_{os.getpid()}"
_SETTINGS = f"SET SESSION sql_mode = '{PINNED['sql_mode']}', SESSION time_zone = '+00:00'"
_MINUTE = "SET SESSION ob_query_timeout = 60000000, SESSION ob_trx_lock_timeout = 60000000"
"""OceanBase's own limit is ten seconds a statement, for a lock that is waited for, too."""


class Engine:
    """Connections to one server, and a database on it.

    Args:
        name: `mysql`, `mariadb` or `seekdb`.
        dsn: Its address; with `unix_socket` as a parameter, that socket.
    """

    def __init__(self, name: str, dsn: str) -> None:
        self.name = name
        self._parts = urlsplit(dsn)

    def connect(self, database: str = DATABASE) -> Any:
        """A connection with a transaction open, strict, that may send files."""
        socket = parse_qs(self._parts.query).get("unix_socket")
        connection = MySQLdb.connect(
            user=self._parts.username or "",
            passwd=self._parts.password or "",
            db=database,
            charset="utf8mb4",
            local_infile=2,
            **({"unix_socket": socket[0]} if socket else {"host": self._parts.hostname, "port": self._parts.port}),
        )
        connection.query(_SETTINGS)
        if self.name == "seekdb":
            connection.query(_MINUTE)
        connection.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.autocommit(False)
        return connection


def run(connection: Any, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall())


def value(connection: Any, sql: str, *values: Any) -> Any:
    [(one,)] = run(connection, sql, *values)
    return one


def table(connection: Any, columns: str = "id INT NOT NULL PRIMARY KEY, v INT NULL") -> None:
    """An empty table `t`."""
    run(connection, "DROP TABLE IF EXISTS t")
    run(connection, f"CREATE TABLE t ({columns}) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin")


def load(connection: Any, rows: bytes) -> str:
    """LOAD DATA LOCAL into `t`; what the server says of it."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(rows)
        file.flush()
        run(connection, "LOAD DATA LOCAL INFILE %s INTO TABLE t CHARACTER SET utf8mb4", file.name)
        return str(connection.info())


def refusal(work: Callable[[], object]) -> int | None:
    """The code of the error that the server answers with; None if it does the work."""
    try:
        work()
    except MySQLdb.Error as error:
        return int(error.args[0])
    return None


def broken_on_seekdb(what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Each server, seekdb with the expectation that this rule is broken."""
    broken = pytest.mark.xfail(reason=what, strict=True, raises=(AssertionError, MySQLdb.Error))
    marks = [pytest.mark.seekdb, broken]
    return pytest.mark.parametrize(
        "engine", [pytest.param(name, marks=marks if name == "seekdb" else []) for name in HERE], indirect=True
    )


held = pytest.mark.parametrize(
    "engine",
    [pytest.param(name, marks=pytest.mark.seekdb if name == "seekdb" else []) for name in HERE],
    indirect=True,
)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    dsn = os.environ.get(DSNS[request.param])
    if not dsn:
        pytest.fail(f"{DSNS[request.param]} is not set: run `make test`, it starts the databases", pytrace=False)
    engine = Engine(request.param, dsn)
    with closing(engine.connect("information_schema")) as server:
        run(server, f"DROP DATABASE IF EXISTS {DATABASE}")
        run(server, f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        yield engine
        run(server, f"DROP DATABASE {DATABASE}")


@pytest.fixture
def one(engine: Engine) -> Iterator[Any]:
    with closing(engine.connect()) as connection:
        yield connection


@pytest.fixture
def other(engine: Engine) -> Iterator[Any]:
    with closing(engine.connect()) as connection:
        yield connection


@pytest.fixture
def lock() -> str:
    """A name that no test had before: seekdb keeps locks for ever."""
    return f"rules-{os.getpid()}-{os.urandom(4).hex()}"


# --- locks -----------------------------------------------------------------------------------------------


@held
def test_a_lock_excludes_others_and_a_session_may_hold_several(one: Any, other: Any, lock: str) -> None:
    assert [value(one, "SELECT GET_LOCK(%s, 0)", lock + end) for end in "ab"] == [1, 1]
    assert [value(other, "SELECT GET_LOCK(%s, 0)", lock + end) for end in "ab"] == [0, 0]
    assert value(one, "SELECT RELEASE_LOCK(%s)", lock + "a") == 1
    assert [value(other, "SELECT GET_LOCK(%s, 0)", lock + end) for end in "ab"] == [1, 0]
    assert value(other, "SELECT RELEASE_LOCK(%s)", lock + "a") == 1
    assert value(one, "SELECT RELEASE_LOCK(%s)", lock + "b") == 1


@held
def test_a_lock_outlasts_the_end_of_a_transaction(one: Any, other: Any, lock: str) -> None:
    table(one)
    assert value(one, "SELECT GET_LOCK(%s, 0)", lock) == 1
    for end in (one.rollback, one.commit):
        run(one, "INSERT INTO t VALUES (1, 1)")
        end()
        assert value(other, "SELECT GET_LOCK(%s, 0)", lock) == 0
    assert value(one, "SELECT RELEASE_LOCK(%s)", lock) == 1


@broken_on_seekdb("it stays: it was held ten minutes later, and after a restart of the engine")
@pytest.mark.parametrize("end", ["close", "kill", "SIGKILL"])
def test_a_lock_ends_with_the_connection_that_holds_it(engine: Engine, other: Any, lock: str, end: str) -> None:
    if end == "SIGKILL":

        def die() -> None:
            run(engine.connect(), "SELECT GET_LOCK(%s, 0)", lock)
            os.kill(os.getpid(), signal.SIGKILL)

        assert Child(die).wait() == -signal.SIGKILL
    else:
        holder = engine.connect()
        assert value(holder, "SELECT GET_LOCK(%s, 0)", lock) == 1
        if end == "kill":
            run(other, f"KILL {value(holder, 'SELECT CONNECTION_ID()')}")
        else:
            holder.close()
    assert value(other, "SELECT GET_LOCK(%s, 5)", lock) == 1


# --- transactions ----------------------------------------------------------------------------------------


@held
def test_a_transaction_reads_one_snapshot(one: Any, other: Any) -> None:
    table(one)
    run(one, "INSERT INTO t VALUES (1, 1)")
    one.commit()
    assert value(one, "SELECT v FROM t") == 1
    run(other, "UPDATE t SET v = 2")
    other.commit()
    assert value(one, "SELECT v FROM t") == 1
    one.commit()
    assert value(one, "SELECT v FROM t") == 2


@held
def test_a_deadlock_ends_one_of_two_transactions(one: Any, other: Any) -> None:
    table(one)
    run(one, "INSERT INTO t VALUES (1, 1), (2, 2)")
    one.commit()
    run(one, "UPDATE t SET v = 10 WHERE id = 1")
    run(other, "UPDATE t SET v = 20 WHERE id = 2")
    codes: list[int] = []

    def update(connection: Any, number: int) -> None:
        if code := refusal(lambda: run(connection, "UPDATE t SET v = v + 1 WHERE id = %s", number)):
            codes.append(code)
            connection.rollback()

    thread = threading.Thread(target=update, args=(one, 2))
    thread.start()
    update(other, 1)
    thread.join()
    [code] = codes
    assert code in TRY_AGAIN
    one.commit()
    other.commit()
    assert run(one, "SELECT v FROM t ORDER BY id") in ([(11,), (2,)], [(10,), (3,)], [(1,), (21,)], [(2,), (20,)])


@broken_on_seekdb("6235, a code that is not tried again")
def test_a_row_that_changed_since_the_snapshot_is_updated_or_the_transaction_tried_again(one: Any, other: Any) -> None:
    table(one)
    run(one, "INSERT INTO t VALUES (1, 1)")
    one.commit()
    assert value(one, "SELECT v FROM t") == 1
    run(other, "UPDATE t SET v = 2")
    other.commit()
    code = refusal(lambda: run(one, "UPDATE t SET v = v + 10"))
    assert code is None or code in TRY_AGAIN
    if code:
        one.rollback()
    assert value(one, "SELECT v FROM t") == (2 if code else 12)


@held
def test_a_killed_connection_leaves_nothing_of_its_transaction(one: Any, other: Any) -> None:
    table(one)
    run(one, "INSERT INTO t VALUES (1, 1)")
    run(other, f"KILL {value(one, 'SELECT CONNECTION_ID()')}")
    run(other, "INSERT INTO t VALUES (1, 2)")  # waits until the server has rolled back
    other.commit()
    assert run(other, "SELECT id, v FROM t") == [(1, 2)]
    with pytest.raises(MySQLdb.Error):
        run(one, "SELECT 1")


@held
def test_what_was_committed_outlives_the_engine_and_nothing_else_does(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SIGKILL of a private server, in the middle of a transaction."""
    server = Server(tmp_path_factory.mktemp("s"), engine.name)
    mine = Engine(engine.name, server.script("start"))
    try:
        with closing(mine.connect("xiaoe")) as connection:
            table(connection, "id INT NOT NULL PRIMARY KEY, v VARCHAR(2000) NULL")
            for number in range(50):
                run(connection, "INSERT INTO t VALUES (%s, REPEAT('x', 2000)), (%s, 'y')", number, -1 - number)
                connection.commit()
            run(connection, "INSERT INTO t VALUES (1000, 'open')")
            server.kill()
            with suppress(MySQLdb.Error):
                connection.rollback()
        server.script("start")
        with closing(mine.connect("xiaoe")) as connection:
            assert [number for (number,) in run(connection, "SELECT id FROM t ORDER BY id")] == [*range(-50, 50)]
    finally:
        server.script("stop")


# --- writing ---------------------------------------------------------------------------------------------


@broken_on_seekdb("it commits by itself")
def test_a_load_is_part_of_its_transaction(one: Any, other: Any) -> None:
    table(one)
    assert load(one, b"1\t1\n2\t2\n").startswith("Records: 2 ")
    assert run(other, "SELECT * FROM t") == []
    one.rollback()
    assert run(one, "SELECT * FROM t") == []


@broken_on_seekdb("cut to 2147483647 without a warning")
def test_a_load_tells_of_a_value_that_does_not_fit(one: Any) -> None:
    table(one)
    said: list[str] = []
    code = refusal(lambda: said.append(load(one, b"99999999999\t1\n")))
    assert code == 1264 or "Warnings: 1" in said[0]


@broken_on_seekdb("skipped without a warning")
def test_a_load_tells_of_a_key_that_exists(one: Any) -> None:
    table(one)
    run(one, "INSERT INTO t VALUES (1, 1)")
    assert "Warnings: 1" in load(one, b"1\t5\n")
    assert run(one, "SELECT * FROM t") == [(1, 1)]


@broken_on_seekdb("it becomes NULL")
def test_a_load_keeps_an_empty_text(one: Any) -> None:
    table(one, "id INT NOT NULL PRIMARY KEY, v VARCHAR(9) NULL")
    load(one, b"1\t\n2\t\\N\n")
    assert run(one, "SELECT id, v FROM t ORDER BY id") == [(1, ""), (2, None)]


@held
def test_the_server_counts_what_an_upsert_of_many_rows_inserted_and_changed(one: Any) -> None:
    assert upserted(one, "(1, 9), (2, 9), (3, 3)") == (5, "Duplicates: 2")
    assert run(one, "SELECT id, v FROM t ORDER BY id") == [(1, 9), (2, 9), (3, 3)]


@broken_on_seekdb("of a single row, no duplicates are told")
def test_the_server_counts_what_an_upsert_of_one_row_changed(one: Any) -> None:
    assert upserted(one, "(1, 9)") == (2, "Duplicates: 1")
    assert run(one, "SELECT id, v FROM t ORDER BY id") == [(1, 9), (2, 2)]


def upserted(connection: Any, rows: str) -> tuple[int, str]:
    """Rows affected, and the duplicates as the server tells them, of an upsert into (1, 1), (2, 2)."""
    table(connection)
    run(connection, "DROP TABLE IF EXISTS s")
    run(connection, "CREATE TABLE s (id INT NOT NULL PRIMARY KEY, v INT NULL)")
    run(connection, "INSERT INTO t VALUES (1, 1), (2, 2)")
    run(connection, f"INSERT INTO s VALUES {rows}")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO t (id, v) SELECT s.id, s.v FROM s ORDER BY s.id"
            " ON DUPLICATE KEY UPDATE v = IF(s.v >= t.v, s.v, t.v)"
        )
        told = str(connection.info()).split("  ")
        return cursor.rowcount, next((part for part in told if part.startswith("Duplicates")), "")


@broken_on_seekdb("1235")
def test_there_are_temporary_tables(one: Any) -> None:
    run(one, "CREATE TEMPORARY TABLE own (id INT NOT NULL PRIMARY KEY)")
    run(one, "INSERT INTO own VALUES (1)")
    assert run(one, "SELECT id FROM own") == [(1,)]


@pytest.mark.seekdb
@pytest.mark.skipif("seekdb" not in HERE, reason="XIAOE_TEST_SEEKDB_DSN is not set")
@pytest.mark.parametrize("engine", ["seekdb"], indirect=True)
def test_the_engine_that_breaks_rules_is_refused_by_name(
    engine: Engine, one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = urlsplit(os.environ["XIAOE_TEST_SEEKDB_DSN"])._replace(path=f"/{DATABASE}").geturl()
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", dsn)
    with pytest.raises(XiaoeConfigError, match="host is OceanBase"):
        migrate()
    assert run(one, "SHOW TABLES") == []


# --- schema and reading ----------------------------------------------------------------------------------


@broken_on_seekdb("4179")
def test_a_key_is_dropped_and_added_again_in_one_statement(one: Any) -> None:
    table(one, "id INT NOT NULL PRIMARY KEY, v INT NULL, KEY k (v)")
    run(one, "ALTER TABLE t DROP KEY k, ADD KEY k (v, id)")
    keys = "SELECT column_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name = 'k'"
    assert run(one, f"{keys} ORDER BY seq_in_index") == [("v",), ("id",)]


@broken_on_seekdb("4028")
def test_a_table_is_created_from_a_query_with_a_key_only(one: Any) -> None:
    table(one)
    run(one, "CREATE TABLE s (PRIMARY KEY (id)) SELECT id, v FROM t LIMIT 0")
    assert run(one, "SELECT id, v FROM s") == []


@held
def test_keys_ignore_blanks_at_the_end_and_nothing_else(one: Any) -> None:
    table(one, "k VARCHAR(20) NOT NULL PRIMARY KEY")
    run(one, "INSERT INTO t VALUES ('a'), ('A'), ('á'), ('a\t')")
    with pytest.raises(MySQLdb.IntegrityError):
        run(one, "INSERT INTO t VALUES ('a ')")
    assert run(one, "SELECT k FROM t ORDER BY k") == [("A",), ("a\t",), ("a",), ("á",)]


@held
@pytest.mark.parametrize("bad", ["'2026-02-30'", "'0000-00-00'", "'soon'"])
def test_a_date_that_is_none_is_refused(one: Any, bad: str) -> None:
    table(one, "id INT NOT NULL PRIMARY KEY, d DATE NULL")
    with pytest.raises(MySQLdb.Error):
        run(one, f"INSERT INTO t VALUES (1, {bad})")
    assert run(one, "SELECT * FROM t") == []


@held
def test_queries_of_marts_and_merges_are_understood(one: Any) -> None:
    table(one, "id INT NOT NULL PRIMARY KEY, d TEXT NULL, n INT AS (id + 1) STORED, CHECK (id > 0)")
    run(one, """INSERT INTO t (id, d) VALUES (1, '[{"a": 5}, {"a": 7}]')""")
    assert run(
        one,
        "SELECT STRAIGHT_JOIN t.n, l.line, l.a, SUM(l.a) OVER () FROM t FORCE INDEX (PRIMARY) CROSS JOIN"
        " JSON_TABLE(t.d, '$[*]' COLUMNS (line FOR ORDINALITY, a INT PATH '$.a')) AS l ORDER BY l.line",
    ) == [(2, 1, 5, 12), (2, 2, 7, 12)]
    assert run(
        one, "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT SUM(i) FROM n"
    ) == [(6,)]
    with pytest.raises(MySQLdb.Error):
        run(one, "INSERT INTO t (id) VALUES (0)")
    assert value(one, "SELECT COUNT(*) FROM t") == 1

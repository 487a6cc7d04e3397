"""What people and machines do wrong: one clear message that names the fix, no secret in it, and data as it was.

What the API may answer stands in tests/integration/test_api_faults.py and tests/unit/test_hook.py, a schema that is
missing in test_migrate.py, a window by hand in tests/unit/test_windows.py, what the page store lost in test_sync.py.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
import MySQLdb
import pytest

from emulator.process import Emulator
from support.faults.processes import Child
from support.fixtures import servers, shop_connection
from support.servers.certificates import Authority
from support.servers.false_mysql import error, file_request, lying_server, tapped_way, tls_in_front
from support.servers.wire import http, serving, shop_answer
from support.worlds.shop import APP_ID, END, Database, Sync, days
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe import clock, settings
from xiaoe.exceptions import XiaoeConfigError, XiaoeError, XiaoeRetriableError
from xiaoe.merge import status
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql
ONE_SERVER = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)

SPAN = Window(END - days(1), END)
PASSWORD = "secret-of-the-warehouse"


@pytest.fixture
def kept(sync: Sync, database: Database) -> Iterator[Database]:
    """A warehouse with something in it; whatever goes wrong in the test, that is still there afterwards."""
    sync.merge(*StagedRun([(at(0), [raw_order(1)])], run_id="before").write(sync.store))
    before = database.snapshot()
    yield database
    assert database.snapshot() == before


def point(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", url)


def moved(
    url: str, *, port: int | None = None, user: str | None = None, name: str | None = None, more: str = ""
) -> str:
    """A connection with some parts replaced; with a user of its own, its password is `PASSWORD`."""
    parts = urlsplit(url)
    who = f"{user}:{PASSWORD}" if user else f"{parts.username}:{parts.password or ''}"
    return f"mysql://{who}@{parts.hostname}:{port or parts.port}/{name or parts.path.lstrip('/')}{more}"


def merge(store: Path) -> None:
    """A run that wants to write an order, with a connection of its own."""
    Sync(store).merge(*StagedRun([(at(10), [raw_order(2)])], run_id="now").write(store))


def message_of(work: Callable[[], object], kind: type[XiaoeError]) -> str:
    with pytest.raises(kind) as raised:
        work()
    assert PASSWORD not in str(raised.value)
    return str(raised.value)


# --- MySQL does not let us in --------------------------------------------------------------------------


def test_a_wrong_password(kept: Database, sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    point(monkeypatch, moved(kept.url, user="nobody"))
    said = message_of(lambda: merge(sync.store), XiaoeConfigError)
    assert said.startswith("correct the connection's login and password; ")
    assert "connection xiaoe_mysql, nobody@" in said


def test_a_database_that_is_not_there(kept: Database, sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    point(monkeypatch, moved(kept.url, name="xiaoe_test_never_made"))
    assert "run `make migrate`" in message_of(lambda: merge(sync.store), XiaoeConfigError)


@ONE_SERVER
def test_nobody_listens_or_there_is_no_such_host(kept: Database, sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    for host, fix in (
        ("127.0.0.1:1", "start the server, or correct host and port"),
        ("no.such.invalid", "no such host"),
    ):
        point(monkeypatch, f"mysql://someone:{PASSWORD}@{host}/xiaoe")
        assert fix in message_of(lambda: merge(sync.store), XiaoeRetriableError)


@ONE_SERVER
def test_a_server_that_never_answers_is_given_up(kept: Database, sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xiaoe.mysql.connection._CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point(monkeypatch, f"mysql://someone:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/xiaoe")
        assert "start the server" in message_of(lambda: merge(sync.store), XiaoeRetriableError)


@ONE_SERVER
@pytest.mark.parametrize(
    ("code", "text", "kind", "fix"),
    [
        (1040, "Too many connections", XiaoeRetriableError, "raise max_connections"),
        (1130, "Host '10.0.0.9' is not allowed to connect", XiaoeConfigError, "make grants HOST="),
        (1698, "Access denied for user 'root'@'localhost'", XiaoeConfigError, "login and password"),
        (1862, "Your password has expired", XiaoeConfigError, "give it a new one"),
        (3118, "Access denied. Account is locked.", XiaoeConfigError, "unlock it"),
        (3159, "Connections using insecure transport are prohibited", XiaoeConfigError, "ssl_mode"),
        (1053, "Server shutdown in progress", XiaoeRetriableError, "start the server"),
        (1129, "Host '10.0.0.9' is blocked because of many connection errors", XiaoeConfigError, "FLUSH HOSTS"),
        (1135, "Can't create a new thread (errno 11)", XiaoeRetriableError, "memory, threads"),
        (1251, "Client does not support authentication protocol", XiaoeConfigError, "another authentication plugin"),
        (1524, "Plugin 'mysql_native_password' is not loaded", XiaoeConfigError, "another authentication plugin"),
    ],
)
def test_a_server_that_refuses_at_the_door(
    kept: Database, sync: Sync, monkeypatch: pytest.MonkeyPatch, code: int, text: str, kind: Any, fix: str
) -> None:
    with lying_server(greeting=error(code, text)) as server:
        point(monkeypatch, server.url(PASSWORD))
        said = message_of(lambda: merge(sync.store), kind)
    assert fix in said
    assert f"MySQL says {code}: {text}" in said


@ONE_SERVER
@pytest.mark.parametrize(
    ("code", "text", "kind", "fix"),
    [
        (1142, "INSERT command denied to user", XiaoeConfigError, "make grants"),
        (1021, "Disk full (/tmp/#sql); waiting for someone to free some space", XiaoeRetriableError, "free some space"),
        (1114, "The table 'orders' is full", XiaoeRetriableError, "free some space"),
        (1030, "Got error 28 - 'No space left on device' from storage engine", XiaoeRetriableError, "free some space"),
        (
            3,
            "Error writing file '/tmp/MLfd=1' (OS errno 28 - No space left on device)",
            XiaoeRetriableError,
            "free some",
        ),
        (1290, "The MySQL server is running with the --super-read-only option", XiaoeRetriableError, "the primary"),
        (1290, "The MariaDB server is running with the --read-only option", XiaoeRetriableError, "the primary"),
        (1836, "Running in read-only mode", XiaoeRetriableError, "the primary"),
        (1927, "Connection was killed", XiaoeRetriableError, "trying again later"),
        (1317, "Query execution was interrupted", XiaoeRetriableError, "somebody killed it"),
        (3024, "maximum statement execution time exceeded", XiaoeRetriableError, "longer than the server allows"),
        (1969, "Query execution was interrupted (max_statement_time exceeded)", XiaoeRetriableError, "longer than"),
        (
            1197,
            "Multi-statement transaction required more than 'max_binlog_cache_size'",
            XiaoeRetriableError,
            "room for",
        ),
        (1206, "The total number of locks exceeds the lock table size", XiaoeRetriableError, "lacks memory"),
        (1047, "WSREP has not yet prepared node for application use", XiaoeRetriableError, "trying again later"),
        (1159, "Got timeout reading communication packets", XiaoeRetriableError, "trying again later"),
    ],
)
def test_a_server_that_refuses_a_statement(
    kept: Database, monkeypatch: pytest.MonkeyPatch, code: int, text: str, kind: Any, fix: str
) -> None:
    with lying_server(lambda said: error(code, text) if said.startswith(b"INSERT") else None) as server:
        point(monkeypatch, server.url(PASSWORD))
        with Warehouse().session(any_schema=True) as session:
            said = message_of(lambda: session.execute("INSERT INTO orders VALUES (1)"), kind)
    assert fix in said
    assert f"MySQL says {code}" in said


def test_a_read_only_session_and_a_full_table_of_a_real_server(kept: Database) -> None:
    with Warehouse().session() as session:
        session.execute("SET SESSION max_heap_table_size = 16384")
        session.execute("CREATE TEMPORARY TABLE small (a CHAR(255)) ENGINE = MEMORY")
        rows = [("x",)] * 2000
        said = message_of(lambda: session.insert_many("INSERT INTO small VALUES (%s)", rows), XiaoeRetriableError)
        assert "free some space" in said
        session.rollback()
        session.execute("SET SESSION TRANSACTION READ ONLY")
        said = message_of(lambda: session.execute("DELETE FROM orders"), XiaoeRetriableError)
        assert "Name the primary in host" in said


def test_a_connection_that_is_killed_in_the_middle(kept: Database) -> None:
    with Warehouse().session() as session:
        session.execute("DELETE FROM order_items")
        [(number,)] = session.query("SELECT CONNECTION_ID()")
        kept.rows(f"KILL {number}")
        assert "start the server" in message_of(lambda: session.query("SELECT 1"), XiaoeRetriableError)


# --- MySQL's connection fields -------------------------------------------------------------------------


@ONE_SERVER
@pytest.mark.parametrize(
    ("more", "fix"),
    [
        ("?ssl_mode=on", "ssl_mode='on': give one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY"),
        ("?ssl=yes", 'ssl is no JSON object: give one like {"ca": '),
        ("?ssl=%7B%22ca%22%3A+%22%2Fnowhere%2Fca.pem%22%7D", "ssl.ca='/nowhere/ca.pem': there is no such file"),
        ("?client=mysql-connector-python", "client='mysql-connector-python': only mysqlclient is supported"),
    ],
)
def test_a_field_that_cannot_be_used(
    kept: Database, sync: Sync, monkeypatch: pytest.MonkeyPatch, more: str, fix: str
) -> None:
    point(monkeypatch, kept.url + more)
    assert f"connection xiaoe_mysql: {fix}" in message_of(lambda: merge(sync.store), XiaoeConfigError)


# --- code and schema, clocks ---------------------------------------------------------------------------


@contextmanager
def migrations(database: Database, statement: str) -> Iterator[None]:
    """The list of migrations as another version of the code left it."""
    held = database.rows("SELECT * FROM _yoyo_migration")
    database.rows(statement)
    try:
        yield
    finally:
        database.rows("DELETE FROM _yoyo_migration")
        for row in held:
            places = ", ".join(["%s"] * len(row))
            database.rows(f"INSERT INTO _yoyo_migration ({', '.join(row)}) VALUES ({places})", tuple(row.values()))


@pytest.mark.parametrize(
    ("statement", "fix"),
    [
        (
            "INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('x', '9999-the-future')",
            r"newer than this code \(9999-the-future not known here\): update this installation",
        ),
        (
            "DELETE FROM _yoyo_migration WHERE migration_id = '0004-benefits'",
            r"missing or old \(0004-benefits not applied\): run `make migrate`",
        ),
    ],
)
def test_a_schema_of_another_version(kept: Database, sync: Sync, api: Emulator, statement: str, fix: str) -> None:
    with migrations(kept, statement):
        with pytest.raises(XiaoeConfigError, match=fix):
            sync.stage(SPAN)
        sync.warehouse = Warehouse()
        with pytest.raises(XiaoeConfigError, match=fix), sync.warehouse.session():
            pass


HOURS = pytest.mark.parametrize(("hours", "direction"), [(3, "ahead of"), (-3, "behind")])


@HOURS
def test_a_clock_that_is_hours_off_mysql_s(
    kept: Database, monkeypatch: pytest.MonkeyPatch, hours: int, direction: str
) -> None:
    wrong = timedelta(hours=hours)
    monkeypatch.setattr(clock, "machine_now", lambda: datetime.now(timezone.utc) + wrong)
    with pytest.raises(XiaoeConfigError, match=rf"10(800|799) s {direction} MySQL's .*NTP"), Warehouse().session():
        pass


@ONE_SERVER
@HOURS
def test_a_clock_that_is_hours_off_the_api_s(
    kept: Database, sync: Sync, monkeypatch: pytest.MonkeyPatch, hours: int, direction: str
) -> None:
    told = datetime.now(timezone.utc) - timedelta(hours=hours)
    with serving() as wire:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(wire.url))
        wire.answer = shop_answer(
            http("200 OK", b'{"code":0,"data":{"total":0,"list":[]}}', f"Date: {told:%a, %d %b %Y %H:%M:%S} GMT")
        )
        with pytest.raises(XiaoeConfigError, match=rf"\d+ s {direction} the API's .*XIAOE_MAX_CLOCK_SKEW_SECONDS"):
            sync.stage(SPAN)
    assert not list(sync.store.rglob("manifest.json"))[1:], "only the run of before has one"


@pytest.mark.parametrize("header", ["", "yesterday", "Fri, 99 Nov 2026 04:00:00 GMT", "-1"])
def test_a_date_that_says_nothing_is_no_error(header: str) -> None:
    assert clock.read_date(header) is None


def test_the_seconds_that_a_slow_answer_takes_are_no_wrong_clock() -> None:
    sent = datetime(2026, 11, 20, tzinfo=timezone.utc)
    for theirs in (sent, sent + timedelta(minutes=9), sent + timedelta(minutes=10), sent + timedelta(minutes=14)):
        clock.check_clock(
            theirs, sent, sent + timedelta(minutes=10), whose="the API's", limit=settings.max_clock_skew()
        )
    with pytest.raises(XiaoeConfigError, match="is 301 s behind"):
        clock.check_clock(
            sent + timedelta(seconds=901),
            sent,
            sent + timedelta(minutes=10),
            whose="the API's",
            limit=settings.max_clock_skew(),
        )


# --- disks ---------------------------------------------------------------------------------------------


@ONE_SERVER
def test_a_full_disk_below_the_page_store(kept: Database, sync: Sync, api: Emulator) -> None:
    """The kernel refuses any file beyond some hundred bytes, as a full disk does; the next try goes on from there."""

    def with_a_full_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        with pytest.raises(XiaoeRetriableError, match=r"page-00001.json.gz could not be written .*free some space"):
            sync.stage(SPAN, run_id="full")

    Child(with_a_full_disk).join()
    assert [path for path in sync.store.rglob("*full*/**/*") if path.is_file()] == []
    _, manifest = sync.stage(SPAN, run_id="full")
    assert manifest.slices[0].staged > 0


@ONE_SERVER
@pytest.mark.parametrize(
    ("number", "kind", "fix"),
    [
        (errno.ENOSPC, XiaoeRetriableError, "free some space there"),
        (errno.EDQUOT, XiaoeRetriableError, "free some space there"),
        (errno.EROFS, XiaoeConfigError, "the workers' user has to be able to read and write there"),
        (errno.EACCES, XiaoeConfigError, "the workers' user has to be able to read and write there"),
    ],
)
def test_what_a_disk_says(
    kept: Database, sync: Sync, monkeypatch: pytest.MonkeyPatch, number: int, kind: Any, fix: str
) -> None:
    """Root may write anywhere and no test may mount, so the kernel's answer is made up here."""

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    said = message_of(lambda: sync.stage(SPAN), kind)
    assert re.search(rf"could not be (written|used) \({os.strerror(number)}\)", said)
    assert fix in said
    assert [path for path in sync.store.rglob("*") if path.name.endswith(".part")] == []


@ONE_SERVER
def test_a_file_where_the_page_store_s_folder_belongs(kept: Database, sync: Sync, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    sync.store = tmp_path / "a-file"
    assert "XIAOE_PAGE_STORE" in message_of(lambda: sync.stage(SPAN), XiaoeConfigError)


# --- TLS, and files that a server asks for -------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def session_works() -> str:
    """Whether the connection is encrypted, as the server sees it."""
    with Warehouse().session() as session:
        [(_, cipher)] = session.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        return str(cipher)


def test_a_connection_that_asks_for_tls_and_does_not_get_it_fails(
    kept: Database, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MariaDB's client goes on in the clear where the server, or somebody on the way, says that there is no TLS."""
    parts = urlsplit(kept.url)
    with tapped_way(str(parts.hostname), parts.port or 3306) as port:
        point(monkeypatch, moved(kept.url, port=port))
        assert session_works() == ""
        for more in ("?ssl_mode=REQUIRED", authority.query(), authority.query("REQUIRED")):
            point(monkeypatch, moved(kept.url, port=port, more=more))
            assert "asks for TLS, and the server gives none" in message_of(session_works, XiaoeConfigError)
        for more in (authority.query("VERIFY_CA"), authority.query("VERIFY_IDENTITY")):
            point(monkeypatch, moved(kept.url, port=port, more=more))
            assert "correct ssl_mode and ssl" in message_of(session_works, XiaoeConfigError)


def test_a_certificate_is_looked_at_where_that_is_asked_for(
    kept: Database, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(kept.url)
    for name, fits in (("127.0.0.1", True), ("10.9.8.7", False)):
        with tapped_way(str(parts.hostname), parts.port or 3306, authority.server(name)) as port:
            for mode in ("VERIFY_CA", "VERIFY_IDENTITY"):
                point(monkeypatch, moved(kept.url, port=port, more=authority.query(mode)))
                if fits:
                    session_works()
                else:
                    assert "TLS/SSL error" in message_of(session_works, XiaoeConfigError)
            point(monkeypatch, moved(kept.url, port=port, more="?ssl_mode=VERIFY_CA"))
            assert "correct ssl_mode and ssl" in message_of(session_works, XiaoeConfigError)


def test_a_real_server_with_tls_is_spoken_to_over_tls(kept: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    has_tls = kept.rows("SHOW VARIABLES LIKE 'ssl_cert'")[0]["Value"] != ""
    point(monkeypatch, f"{kept.url}?ssl_mode=REQUIRED")
    if has_tls:
        assert session_works().startswith(("TLS_", "ECDHE"))
    else:
        assert "the server gives none" in message_of(session_works, XiaoeConfigError)


@ONE_SERVER
def test_the_api_s_certificate_is_looked_at(
    kept: Database, sync: Sync, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as wire, tls_in_front(int(wire.url.rpartition(":")[2]), authority.server("127.0.0.1")) as port:
        wire.answer = shop_answer(http("200 OK", b'{"code":0,"data":{"total":0,"list":[]}}'))
        url = f"https://127.0.0.1:{port}"
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(url))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())  # of the environment: the connection's own wins
        assert "SSLError (its certificate: extra.verify" in message_of(lambda: sync.stage(SPAN), XiaoeRetriableError)
        assert wire.seen == [], "nothing was sent, not even the token call"
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(url, verify=str(authority.ca)))
        assert sync.stage(SPAN)[1].slices[0].staged == 0


@ONE_SERVER
def test_a_server_gets_no_file_but_in_answer_to_a_load(
    kept: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What remains: in answer to a load it may ask for another file than the one we loaded."""
    (tmp_path / "private").write_text("a private key")
    wants = file_request(str(tmp_path / "private"))
    for more, stolen in (("", [b"", b"a private key"]), ("?local_infile=false", [b"", b""])):
        with lying_server(lambda said: wants if said.startswith((b"SELECT 1", b"LOAD")) else None) as server:
            point(monkeypatch, server.url(PASSWORD) + more)
            with Warehouse().session(any_schema=True) as session:
                with pytest.raises(MySQLdb.Error, match="infile forbidden"):
                    session.query("SELECT 1")
                session._probe("orders")
        assert server.files == stolen


# --- names that would lead elsewhere -------------------------------------------------------------------


@ONE_SERVER
@pytest.mark.parametrize("app_id", ["../../x", "a/b", "a' OR 1=1 -- ", "{{ 7*7 }}", "..", "a\x00b", "应用"])
def test_a_shop_id_that_is_none_reaches_neither_disk_nor_database(
    kept: Database, sync: Sync, api: Emulator, monkeypatch: pytest.MonkeyPatch, app_id: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(api.url, app_id=app_id))
    before = sorted(sync.store.parent.rglob("*"))
    assert "is not a shop id" in message_of(lambda: sync.stage(SPAN), XiaoeConfigError)
    assert sorted(sync.store.parent.rglob("*")) == before


@ONE_SERVER
def test_a_failure_that_cannot_be_noted_does_not_hide_the_failure(
    kept: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    point(monkeypatch, moved(kept.url, user="nobody"))
    with (
        pytest.raises(XiaoeError, match="what really happened"),
        status.failure_noted(Warehouse(), APP_ID, "orders", "history"),
    ):
        raise XiaoeError("what really happened")

"""Applies the numbered migrations in include/sql/schema with yoyo (docs/decisions/0003).

Yoyo's own lock is a row that survives a killed process, so it is cleared under our GET_LOCK. Yoyo runs on a connection
made from `xiaoe_mysql`, by a subclass of its MySQL backend that shows the first error: MySQL commits DDL at once, which
drops yoyo's savepoints, so that its own rollback fails and would hide why.

A statement that changes a table waits for every transaction that has read it, and whoever comes to the table meanwhile
waits behind it: one long query of a dashboard would stop all others. So a migration waits for seconds only, lets the
others pass, and begins again; each is repeatable.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import tenacity
from MySQLdb import Error
from yoyo import read_migrations
from yoyo.backends.core.mysql import MySQLdbBackend
from yoyo.connections import parse_uri

from xiaoe.connections import get_connection
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.mysql import endpoint
from xiaoe.mysql.errors import ADVICE, NoDatabaseError, is_schema_error, meaning_of
from xiaoe.mysql.schema import SCHEMA_DIR
from xiaoe.mysql.session import TRY_AGAIN, Session
from xiaoe.mysql.variables import OTHERS_WORK
from xiaoe.mysql.warehouse import Warehouse

log = logging.getLogger(__name__)

_ACCESS_DENIED = (1044, 1045, 1227)
_TABLE_SECONDS = 5
"""How long a statement waits for a table, and others behind it."""
_PAUSE_SECONDS = 10
_TRIES = 120
"""Of each migration: half an hour."""
_pause = time.sleep


def migrate(warehouse: Warehouse | None = None) -> list[str]:
    """Bring the schema up to date; safe to run twice, and by two at once.

    Returns:
        The migrations that were applied now.

    Raises:
        XiaoeConfigError: The database cannot be created or reached with this user, the server refuses a statement, or
            its address does not fit (`mysql.endpoint`).
        XiaoeRetriableError: The server went away, or is full.
    """
    warehouse = warehouse or Warehouse()
    database = create_database(warehouse)
    with warehouse.session(any_schema=True) as session:
        endpoint.check(session, warehouse.conn_id)
    with (
        warehouse.session(any_schema=True) as session,
        session.lock("migrate", timeout=300),
        _first_error("the migration stopped before its first step", warehouse.conn_id),
        _backend(warehouse, database) as backend,
    ):
        session.execute(OTHERS_WORK)
        _drop_incomplete_tables(session)
        backend.init_database()
        backend.break_lock()  # a killed process leaves it; our lock protects the migration
        pending = backend.to_apply(read_migrations(str(SCHEMA_DIR)))
        with backend.lock():
            backend.apply_migrations(pending)
    return [migration.id for migration in pending]


def _drop_incomplete_tables(session: Session) -> None:
    """Drop yoyo's own tables if it was killed while creating them: it would fail on them for ever.

    Their version is written last, and before any migration is applied.
    """
    tables = {name for (name,) in session.query("SHOW TABLES")}
    if "_yoyo_version" not in tables or not session.query("SELECT version FROM _yoyo_version"):
        for name in ("_yoyo_migration", "_yoyo_log", "_yoyo_version"):
            session.execute(f"DROP TABLE IF EXISTS {name}")


def _backend(warehouse: Warehouse, database: str) -> MySQLdbBackend:
    """Yoyo on the Airflow connection, the one place for credentials and certificates."""

    class Backend(MySQLdbBackend):  # a class, because yoyo copies its backend by class and URI
        create_lock_table_sql = MySQLdbBackend.create_lock_table_sql.replace("TABLE ", "TABLE IF NOT EXISTS ", 1)

        def connect(self, dburi: Any) -> Any:
            connection: Any = warehouse.connect()
            connection.query(f"SET SESSION lock_wait_timeout = {_TABLE_SECONDS}")
            return connection

        def create_lock_table(self) -> None:  # yoyo's own ignores that it may not
            self.execute(self.format_sql(self.create_lock_table_sql))

        def apply_one(self, migration: Any, force: bool = False, mark: bool = True) -> None:
            with _first_error(f"migration {migration.id} stopped", warehouse.conn_id):
                _let_others_pass(migration.id)(super().apply_one, migration, force, mark)

        @contextmanager
        def lock(self, timeout: float = 10) -> Iterator[None]:
            yield  # GET_LOCK is held

        def rollback(self) -> None:
            with suppress(Error):  # without its connection, the server has rolled back
                super().rollback()
            self._in_transaction = False

        def savepoint_rollback(self, id: str) -> None:
            with suppress(Error):  # DDL has committed; the outer transaction rolls the rest back
                super().savepoint_rollback(id)

    return Backend(parse_uri(f"mysql+mysqldb:///{database}"), "_yoyo_migration")


def _let_others_pass(migration_id: str) -> tenacity.Retrying:
    """Repeats a migration that did not get a table in time, after a pause."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, Error) and error.args[:1] == (1205,)),
        wait=tenacity.wait_fixed(_PAUSE_SECONDS),
        stop=tenacity.stop_after_attempt(_TRIES),
        sleep=lambda seconds: _pause(seconds),
        before_sleep=lambda _: log.warning("migration %s: a long query holds the table; waiting for it", migration_id),
        reraise=True,
    )


@contextmanager
def _first_error(what: str, conn_id: str) -> Iterator[None]:
    """An error of the server as one that says at which step it came.

    Raises:
        XiaoeConfigError: Somebody has to change something.
        XiaoeRetriableError: It may succeed later.
    """
    try:
        yield
    except Error as error:
        code, text = (*error.args, "", "")[:2]
        meaning = meaning_of(error, f"connection {conn_id}")
        may_be_later = isinstance(meaning, XiaoeRetriableError) or code in TRY_AGAIN
        kind = XiaoeRetriableError if may_be_later else XiaoeConfigError
        said = meaning if meaning and not is_schema_error(error) else f"MySQL says {code}: {text}"
        if code in TRY_AGAIN:
            said = f"{said}: {ADVICE[code].fix.en}"
        raise kind(f"{what}: {said}. Remove the cause, then run `make migrate` again: it goes on from there") from error


def create_database(warehouse: Warehouse) -> str:
    """Create the connection's database if it does not exist, and return its name."""
    name = database_name(warehouse.conn_id)
    try:
        warehouse.connect().close()
    except NoDatabaseError:
        _create(warehouse, name)
    return name


def database_name(conn_id: str) -> str:
    """The database of a connection.

    Raises:
        XiaoeConfigError: Its field schema is empty or no name of a database.
    """
    name = get_connection(conn_id).schema or ""
    if not re.fullmatch(r"[A-Za-z0-9_$-]{1,64}", name):
        raise XiaoeConfigError(f"connection {conn_id}: schema={name!r}: give the name of a database, e.g. xiaoe")
    return name


def _create(warehouse: Warehouse, name: str) -> None:
    server: Any = warehouse.connect("information_schema")
    try:
        server.query(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4")
    except Error as error:
        if error.args[0] not in _ACCESS_DENIED:
            raise
        raise XiaoeConfigError(
            f"connection {warehouse.conn_id}: there is no database {name} that this user may use, and it may not create"
            f" it: as an administrator run CREATE DATABASE `{name}` CHARACTER SET utf8mb4, then `make grants`"
        ) from None
    finally:
        server.close()

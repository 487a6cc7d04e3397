"""Applies the numbered migrations in include/sql/schema with yoyo (docs/decisions/0003).

Yoyo's own lock is a row that survives a killed process, so it is cleared under our GET_LOCK. Yoyo runs on a connection
made from `xiaoe_mysql`, by a small subclass of its MySQL backend.
"""

from __future__ import annotations

import re
from typing import Any

from MySQLdb import Error
from yoyo import read_migrations
from yoyo.backends.core.mysql import MySQLdbBackend
from yoyo.connections import parse_uri

from xiaoe.connections import get_connection
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.connection import OTHERS_WORK
from xiaoe.mysql.errors import NoDatabaseError
from xiaoe.mysql.schema import SCHEMA_DIR
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

_ACCESS_DENIED = (1044, 1045, 1227)


def migrate(warehouse: Warehouse | None = None) -> list[str]:
    """Bring the schema up to date; safe to run twice, and by two at once.

    Returns:
        The migrations that were applied now.

    Raises:
        XiaoeConfigError: The database cannot be created or reached with this user.
    """
    warehouse = warehouse or Warehouse()
    database = create_database(warehouse)
    with (
        warehouse.session(any_schema=True) as session,
        session.lock("migrate", timeout=300),
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
        def connect(self, dburi: Any) -> Any:
            return warehouse.connect()

    return Backend(parse_uri(f"mysql+mysqldb:///{database}"), "_yoyo_migration")


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

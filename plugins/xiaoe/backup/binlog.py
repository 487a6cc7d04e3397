"""Reads committed changes of one database from the server's binary log, as a replica does.

Works on MySQL and MariaDB with two global rights and without SUPER; `lacking` names what the server or the account has
not. A pass reads up to the present end of the log and ends.
"""

from __future__ import annotations

import logging
import random
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from MySQLdb import Error
from pymysql.err import OperationalError
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.event import QueryEvent, XidEvent
from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent

from xiaoe.backup.tables import STRUCTURE_ONLY
from xiaoe.connections import get_connection
from xiaoe.exceptions import XiaoeConfigError, XiaoeError, XiaoeRetriableError
from xiaoe.mysql.connection import tls_files
from xiaoe.mysql.session import Session

logging.getLogger("pymysqlreplication").setLevel(logging.ERROR)  # each pass would warn of columns without names
_WANTED = {
    "log_bin": ("ON",),
    "binlog_format": ("ROW",),
    "binlog_row_image": ("FULL",),
    "binlog_row_value_options": ("",),  # MySQL: no partial JSON
    "binlog_transaction_compression": ("OFF",),  # MySQL
    "log_bin_compress": ("OFF",),  # MariaDB
}
"""Variable → the values that fit; a server without the variable fits."""
_STATUS = ("SHOW BINARY LOG STATUS", "SHOW BINLOG STATUS", "SHOW MASTER STATUS")
"""MySQL from 8.2 on, MariaDB, older ones."""
_SCHEMA_CHANGE = re.compile(
    r"\s*(?:/\*.*?\*/\s*)*(?:ALTER|TRUNCATE|RENAME|(?:CREATE|DROP)(?!\s+(?:TEMPORARY|DATABASE|SCHEMA|USER|ROLE)\b))\s",
    re.IGNORECASE | re.DOTALL,
)
_GONE = 1236
"""The server no longer has the log that was asked for."""


class Position(NamedTuple):
    """A place in the binary log, behind a transaction."""

    file: str
    offset: int


class LogLost(XiaoeConfigError):
    """The server no longer has the log behind a position."""


@dataclass(frozen=True)
class Change:
    """Rows that a statement wrote or removed, or a change of the schema, or the end of a transaction.

    Args:
        kind: `write`, `update` (each row as it was, then as it is), `delete`, `schema` or `commit`.
        table: The table; empty for the last two.
        rows: Values in the order of the columns; of `schema` the statement.
        at: Unix time in seconds; of a commit when it was committed.
        position: Behind the event.
    """

    kind: str
    table: str
    rows: list[list[Any]]
    at: int
    position: Position


def lacking(session: Session) -> list[str]:
    """What server and account lack for the journal, each with the fix; empty if they have it all."""
    found = []
    for name, values in _WANTED.items():
        held = session.query("SHOW GLOBAL VARIABLES LIKE %s", (name,))
        if held and str(held[0][1]).upper() not in values:
            found.append(f"{name}={held[0][1]}: set {name}={values[0] or chr(39) * 2} in the server's configuration")
    if current(session) is None and not any(one.startswith("log_bin=") for one in found):
        [(user,)] = session.query("SELECT CURRENT_USER()")
        found.append(f"rights: GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {_quoted(user)}")
    return found


def current(session: Session) -> Position | None:
    """The present end of the log; None if there is none, or the account may not see it."""
    for statement in _STATUS:
        try:
            rows = session.query(statement)
        except (Error, XiaoeError):  # another server's words, or no right
            continue
        return Position(str(rows[0][0]), int(rows[0][1])) if rows else None
    return None


def changes(conn_id: str, database: str, since: Position) -> Iterator[Change]:
    """Changes that were committed behind a position, up to the present end of the log.

    Args:
        conn_id: Airflow connection of the server.
        database: Its database.
        since: A position behind a transaction.

    Raises:
        LogLost: The server no longer has that log.
        XiaoeRetriableError: The server cannot be reached.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names of columns are not in the log: values are taken by their order
        try:
            stream = BinLogStreamReader(
                connection_settings=_settings(conn_id),
                server_id=random.randrange(2**30, 2**32),  # noqa: S311 - no secret
                log_file=since.file,
                log_pos=since.offset,
                resume_stream=True,
                blocking=False,
                only_events=[WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent, QueryEvent, XidEvent],
                only_schemas=[database],
            )
            try:
                for event in stream:
                    if change := _change(event, database, Position(stream.log_file, stream.log_pos)):
                        yield change
            finally:
                stream.close()
        except OperationalError as error:
            if error.args[0] == _GONE:
                raise LogLost(f"connection {conn_id}: the server no longer has {since.file}: {error.args[1]}") from None
            raise XiaoeRetriableError(f"connection {conn_id}: the binary log cannot be read: {error}") from error


def _change(event: Any, database: str, position: Position) -> Change | None:
    if isinstance(event, XidEvent):
        return Change("commit", "", [], event.timestamp, position)
    if isinstance(event, QueryEvent):
        if event.schema.decode() != database or not _SCHEMA_CHANGE.match(event.query):
            return None
        return Change("schema", "", [[event.query]], event.timestamp, position)
    if event.table in STRUCTURE_ONLY:
        return None
    if isinstance(event, UpdateRowsEvent):
        pairs = [(row["before_values"], row["after_values"]) for row in event.rows]
        rows = [list(one.values()) for pair in pairs for one in pair]
        return Change("update", event.table, rows, event.timestamp, position)
    kind = "write" if isinstance(event, WriteRowsEvent) else "delete"
    return Change(kind, event.table, [list(row["values"].values()) for row in event.rows], event.timestamp, position)


def _settings(conn_id: str) -> dict[str, Any]:
    conn = get_connection(conn_id)
    files = {f"ssl_{name}": path for name, path in tls_files(conn).items()}
    mode = conn.extra_dejson.get("ssl_mode")
    verified = {"ssl_verify_cert": True} if mode in ("VERIFY_CA", "VERIFY_IDENTITY") else {}
    identity = {"ssl_verify_identity": True} if mode == "VERIFY_IDENTITY" else {}
    return {
        "host": conn.host,
        "port": conn.port or 3306,
        "user": conn.login,
        "passwd": conn.password or "",
        "charset": "utf8mb4",
        **files,
        **verified,
        **identity,
    }


def _quoted(user: str) -> str:
    name, _, host = user.rpartition("@")
    return f"'{name}'@'{host}'"

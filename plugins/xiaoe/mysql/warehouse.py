"""The MySQL or MariaDB warehouse: opens sessions on an Airflow connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xiaoe import settings
from xiaoe.connections import get_connection
from xiaoe.mysql import schema
from xiaoe.mysql.connection import open_connection
from xiaoe.mysql.session import Session


class Warehouse:
    """Opens sessions on the Airflow connection `xiaoe_mysql`.

    Args:
        conn_id: A connection other than `xiaoe_mysql`.
        database: A database on its server other than the connection's.
    """

    def __init__(self, conn_id: str | None = None, *, database: str | None = None) -> None:
        self.conn_id = conn_id or settings.mysql_conn_id()
        self._database = database
        self._checked = False

    @property
    def database_name(self) -> str:
        """The database that sessions are opened on."""
        return self._database or get_connection(self.conn_id).schema or ""

    @contextmanager
    def session(self, *, any_schema: bool = False) -> Iterator[Session]:
        """One connection: UTF-8, UTC, strict, REPEATABLE READ; closed on any exit, which releases its locks.

        The first one checks that schema and clocks fit (`mysql.schema`).

        Args:
            any_schema: Skip that check.
        """
        session = Session(*open_connection(self.conn_id, self._database))
        try:
            if not (self._checked or any_schema):
                schema.check(session)
                self._checked = True
            yield session
        finally:
            session.close()

    def connect(self, schema: str | None = None) -> Any:
        """A plain DB-API connection with this project's session settings.

        Args:
            schema: A database other than the connection's.

        Raises:
            XiaoeConfigError: A field of the connection is wrong, or it requires TLS and the server offers none.
            XiaoeRetriableError: The server cannot be reached.
        """
        return open_connection(self.conn_id, schema or self._database)[0]

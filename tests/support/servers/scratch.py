"""Databases that a test makes on one of its servers, and drops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import MySQLdb


@contextmanager
def scratch(dsn: str, name: str, character_set: str = "") -> Iterator[str]:
    """The DSN of a database of that name on the server of `dsn`; without a character set, it is left to be created."""
    parts = urlsplit(dsn)
    with closing(
        MySQLdb.connect(
            host=parts.hostname or "", port=parts.port or 3306, user=parts.username or "", passwd=parts.password or ""
        )
    ) as server:
        server.query(f"DROP DATABASE IF EXISTS {name}")
        if character_set:
            server.query(f"CREATE DATABASE {name} CHARACTER SET {character_set}")
        try:
            yield f"mysql://{parts.username}:{parts.password or ''}@{parts.hostname}:{parts.port or 3306}/{name}"
        finally:
            server.query(f"DROP DATABASE IF EXISTS {name}")


@contextmanager
def metadata(dsn: str, name: str) -> Iterator[str]:
    """What Airflow takes as the address of its own database.

    SQLite refuses a writer that has read before (`airflow backfill create` does) whenever anybody wrote meanwhile;
    and over mysqlclient Airflow 3.3.2 cannot write a deadline ("Data too long for column 'type'"), over PyMySQL it can.
    """
    with scratch(dsn, name, "utf8mb4") as url:
        yield url.replace("mysql://", "mysql+pymysql://", 1) + "?charset=utf8mb4"

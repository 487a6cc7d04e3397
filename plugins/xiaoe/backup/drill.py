"""The restore drill: the newest backup is restored into a scratch database, compared, and dropped again.

The scratch database carries a mark; one that has tables and no mark is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from MySQLdb import Error

from xiaoe.backup import restore
from xiaoe.backup.key import Key
from xiaoe.exceptions import XiaoeConfigError, XiaoeError
from xiaoe.mysql.session import names, quoted
from xiaoe.mysql.warehouse import Warehouse

MARK = "_xiaoe_drill"
"""A table that marks a database made by a drill: it may be dropped."""


def drill(path: Any, scratch: Warehouse, key: Key | None) -> list[str]:
    """Restore a backup into the scratch database and compare it with what was dumped.

    Args:
        path: The backup.
        scratch: The scratch database; created, and dropped at the end.
        key: Decrypts the backup, if it is encrypted.

    Returns:
        The differences; empty if equal.

    Raises:
        NoRight: The user lacks a right.
        XiaoeConfigError: The backup is damaged, or the scratch database was not made by a drill.
    """
    manifest = restore.manifest_of(path)
    with restore.opened(path, manifest, key) as file, _scratch(scratch):
        restore.load(scratch, file)
        with scratch.session(any_schema=True) as session:
            return restore.differences(session, manifest)


@contextmanager
def _scratch(scratch: Warehouse) -> Iterator[None]:
    """An empty database that is dropped on any exit; one left by a killed drill is replaced.

    Raises:
        NoRight: The user lacks a right.
        XiaoeConfigError: The database holds tables and was not made by a drill.
    """
    name = scratch.database_name
    with closing(scratch.connect("information_schema")) as server:
        restore.run(server, f"CREATE DATABASE IF NOT EXISTS {quoted(name)}", name)
        with scratch.session(any_schema=True) as session:
            found, views = names(session)
        if (found or views) and MARK not in found:
            raise XiaoeConfigError(
                f"XIAOE_BACKUP_DRILL_DATABASE={name!r}: the database holds tables and was not made by a drill, which"
                " would drop it: name one that does not exist yet. Nothing was changed"
            )
        for statement in (
            f"DROP DATABASE {quoted(name)}",
            f"CREATE DATABASE {quoted(name)} CHARACTER SET utf8mb4",
            f"CREATE TABLE {quoted(name)}.{quoted(MARK)} (id INT NOT NULL PRIMARY KEY)",
        ):
            restore.run(server, statement, name)
    try:
        yield
    except BaseException:
        with suppress(Error, XiaoeError):  # the first error is the one to show; the next drill drops what is left
            _drop(scratch, name)
        raise
    _drop(scratch, name)


def _drop(scratch: Warehouse, name: str) -> None:
    with closing(scratch.connect()) as connection:
        connection.query(f"DROP DATABASE {quoted(name)}")

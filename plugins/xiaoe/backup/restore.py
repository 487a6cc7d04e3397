"""Restoring a backup: the file is checked before, the rows are compared afterwards.

A restore with FORCE=1 replaces the content of the database itself, since users seldom may create a second one. All
checks of the file come before the first statement.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, BinaryIO

from MySQLdb import Error

from xiaoe.backup import tables
from xiaoe.backup.dump import END
from xiaoe.backup.key import Key
from xiaoe.backup.store import MANIFEST, BackupManifest, read_manifest, sha256_of
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.schema import known_migrations
from xiaoe.mysql.session import Session, names, quoted
from xiaoe.mysql.variables import OTHERS_WORK
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.storage.files import is_local, local_name

_COMMIT_EVERY = 32
_NO_RIGHT = (1044, 1142, 1227, 1370)


class NoRight(XiaoeConfigError):
    """The user lacks the right to create, fill or drop a database; the message names the GRANT."""


class Damaged(XiaoeConfigError):
    """The backup does not restore what was dumped."""


def restore(path: Any, warehouse: Warehouse, key: Key | None, *, force: bool = False) -> BackupManifest:
    """Restore a backup into a database that is empty, or is emptied first.

    The file is checked before the database is touched, and the rows are compared afterwards.

    Args:
        path: The backup's file, with its manifest beside it.
        warehouse: The target; its database is created if missing.
        key: Decrypts the backup, if it is encrypted.
        force: Drop what the database holds.

    Raises:
        XiaoeConfigError: Incomplete backup, another key, a database that is not empty, or a missing right.
    """
    manifest = manifest_of(path)
    check_schema(manifest, path)
    with opened(path, manifest, key) as file:
        create_database(warehouse)
        with warehouse.session(any_schema=True) as session, session.lock("migrate", timeout=10):
            session.execute(OTHERS_WORK)
            _make_empty(session, force=force)
            load(warehouse, file)
            session.rollback()
            if different := differences(session, manifest):
                raise XiaoeConfigError(f"{path}: after the restore {'; '.join(different)}: do not use this database")
    return manifest


def manifest_of(path: Any) -> BackupManifest:
    """The manifest beside a backup."""
    return read_manifest(path.with_name(f"{path.name}{MANIFEST}"))


def check_schema(manifest: BackupManifest, path: Any) -> None:
    """Refuse a backup of a newer schema.

    Raises:
        XiaoeConfigError: This checkout does not know one of its migrations.
    """
    if unknown := sorted(set(manifest.migrations) - known_migrations()):
        raise XiaoeConfigError(
            f"{path}: the backup's schema is newer than this checkout, which does not know {', '.join(unknown)}:"
            " update the checkout first. Nothing was changed"
        )


@contextmanager
def opened(path: Any, manifest: BackupManifest, key: Key | None) -> Iterator[BinaryIO]:
    """The backup's compressed SQL, checked and decrypted, as a local file.

    Raises:
        XiaoeConfigError: It is missing, truncated or altered, or needs another key.
    """
    with _local_copy(path) as source:
        size, sha256 = sha256_of(source)
        if size != manifest.bytes:
            raise _damaged(
                path, f"it has {size} bytes, its manifest says {manifest.bytes}: it was truncated or altered"
            )
        if sha256 != manifest.sha256:
            raise _damaged(path, f"its SHA-256 is {sha256[:12]}…, its manifest says {manifest.sha256[:12]}…")
        source.seek(0)
        if manifest.recipient is None:
            yield source
            return
        if key is None:
            raise XiaoeConfigError(
                f"{path} is encrypted for {manifest.recipient}: name the connection with its key in"
                " XIAOE_BACKUP_KEY_CONN_ID. Nothing was changed"
            )
        if key.recipient != manifest.recipient:
            raise XiaoeConfigError(
                f"{path} is encrypted for {manifest.recipient}, the key of connection {key.conn_id} is that of"
                f" {key.recipient}: set the key of that time there. Nothing was changed"
            )
        with tempfile.TemporaryFile() as plain:  # without a name: gone even after SIGKILL
            key.decrypt(source, plain)
            plain.seek(0)
            yield plain


def load(warehouse: Warehouse, file: BinaryIO) -> None:
    """Run the statements of a dump.

    Raises:
        NoRight: The user lacks a right.
        XiaoeConfigError: The server refuses a statement for another reason, or the dump is truncated.
    """
    line = b""
    with closing(warehouse.connect()) as connection, gzip.open(file) as lines:
        for number, line in enumerate(lines, 1):
            if line.startswith(b"--"):
                continue
            try:
                run(connection, line.rstrip(b";\n"))
            except Error as error:
                raise XiaoeConfigError(
                    f"the restore stopped at line {number}: {error.args[-1]}. The database is incomplete:"
                    " remove the cause, then restore again with FORCE=1"
                ) from None
            if number % _COMMIT_EVERY == 0:
                connection.commit()
        connection.commit()
    if line.strip() != END:
        raise Damaged("the dump has no end: it was truncated. Use another backup")


def differences(session: Session, manifest: BackupManifest) -> list[str]:
    """How the session's database differs from what was dumped; empty if equal."""
    present = set(names(session)[0])
    found = []
    for name, expected in manifest.tables.items():
        if name not in present:
            found.append(f"table {name} is missing")
            continue
        content = tables.content(session, name)
        [(counted,)] = session.query(f"SELECT COUNT(*) FROM {quoted(name)}")
        if counted != content.rows:
            found.append(f"table {name} gives {content.rows} rows and counts {counted}")
        elif content.rows != expected.rows:
            found.append(f"table {name} has {content.rows} rows, the dump had {expected.rows}")
        elif content != expected:
            found.append(f"table {name} holds other values than the dump, in the same number of rows")
    return found


def create_database(warehouse: Warehouse) -> None:
    """Create the warehouse's database if it does not exist."""
    name = warehouse.database_name
    with closing(warehouse.connect("information_schema")) as server:
        run(server, f"CREATE DATABASE IF NOT EXISTS {quoted(name)} CHARACTER SET utf8mb4", name)


def run(connection: Any, statement: str | bytes, database: str | None = None) -> None:
    """Run one statement.

    Args:
        connection: The driver's connection.
        statement: The SQL.
        database: The database concerned, for the message; by default the connection's.

    Raises:
        NoRight: The user lacks a right.
    """
    try:
        connection.query(statement)
    except Error as error:
        if error.args[0] not in _NO_RIGHT:
            raise
        raise NoRight(f"{_grant_needed(connection, database)} (MySQL says {error.args[0]}: {error.args[1]})") from None


def drop_everything(session: Session) -> None:
    """Drop all tables and views of the session's database."""
    found, views = names(session)
    session.execute("SET SESSION foreign_key_checks = 0")
    for kind, all_of in (("VIEW", views), ("TABLE", found)):
        for name in all_of:
            session.execute(f"DROP {kind} {quoted(name)}")


def _grant_needed(connection: Any, database: str | None = None) -> str:
    """The GRANT that an administrator has to run for this user."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER(), DATABASE()")
        [(user, current)] = cursor.fetchall()
    name, _, host = user.rpartition("@")
    return (
        f"the user {user} may not create, fill and drop tables in {database or current}: as an administrator run"
        f" GRANT ALL ON {quoted(database or current)}.* TO '{name}'@'{host}'"
    )


def _make_empty(session: Session, *, force: bool) -> None:
    found, views = names(session)
    if not found and not views:
        return
    if not force:
        [(database,)] = session.query("SELECT DATABASE()")
        raise XiaoeConfigError(
            f"the database {database} holds {len(found)} tables: give INTO=another_name, or FORCE=1 to drop them all."
            " Pause the DAGs first. Nothing was changed"
        )
    drop_everything(session)


@contextmanager
def _local_copy(path: Any) -> Iterator[BinaryIO]:
    """The file itself, or a copy of one in a bucket; the copy has no name: it is gone even after SIGKILL."""
    try:
        source = open(local_name(path), "rb") if is_local(path) else path.open("rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        raise XiaoeConfigError(f"{path}: there is no such file: give the path or URL of a backup") from None
    with source:
        if is_local(path):
            yield source
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(source, copy)
            copy.seek(0)
            yield copy


def _damaged(path: Any, what: str) -> Damaged:
    return Damaged(f"{path}: {what}. Use another backup. Nothing was changed")

"""Backup, drill and restore with the configured settings and connections, for tasks and the command line."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.sdk import ObjectStoragePath
from airflow.sdk.exceptions import AirflowException
from MySQLdb import Error

from xiaoe import clock, settings
from xiaoe.backup import catalog, restore
from xiaoe.backup.binlog import Position
from xiaoe.backup.drill import drill
from xiaoe.backup.dump import dump_warehouse
from xiaoe.backup.journal import Journal
from xiaoe.backup.key import Key
from xiaoe.backup.replay import Replayer
from xiaoe.backup.restore import Damaged, NoRight
from xiaoe.backup.store import BackupManifest, BackupStore
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.schema import known_migrations
from xiaoe.mysql.warehouse import Warehouse


def source() -> Warehouse:
    """The warehouse, with the backup user's connection."""
    return Warehouse(settings.backup_mysql_conn_id())


def store_of(warehouse: Warehouse) -> BackupStore:
    """The store of a warehouse's backups."""
    return BackupStore(ObjectStoragePath(settings.backup_store()), warehouse.database_name)


def configured_key() -> Key | None:
    """The configured key; None: backups are not encrypted."""
    return Key(conn_id) if (conn_id := settings.backup_key_conn_id()) else None


def back_up_now() -> tuple[str, BackupManifest]:
    """Dump the warehouse and record it in `backups`; return the backup's URL and manifest."""
    warehouse, started_at, secret = source(), clock.now(), configured_key()
    store = store_of(warehouse)
    url = str(store.folder / store.name(started_at, encrypted=secret is not None))
    with warehouse.session() as session:
        catalog.begin(session, url, started_at, encrypted=secret is not None)
    try:
        manifest = dump_warehouse(warehouse, store, secret, started_at=started_at)
    except Exception as error:
        with suppress(Error, AirflowException), warehouse.session() as session:
            catalog.fail(session, url, str(error))
        raise
    with warehouse.session() as session:
        catalog.finish(session, url, manifest)
    return url, manifest


def drill_newest(now: datetime) -> str:
    """Restore the newest backup into the scratch database, compare, and record the outcome.

    Returns:
        The backup's path, and what was compared.

    Raises:
        NoRight: The user lacks a right; the message names the GRANT.
        XiaoeConfigError: There is no backup, it cannot be restored, or it differs from what was dumped.
    """
    warehouse = source()
    backups = store_of(warehouse).backups()
    if not backups:
        raise XiaoeConfigError(
            f"XIAOE_BACKUP_STORE={settings.backup_store()!r}: there is no backup to restore: check why `dump` failed"
        )
    path, manifest = backups[-1]

    def record(status: str, message: str) -> None:
        with warehouse.session() as session:
            catalog.drilled(session, str(path), status, message, now)

    try:
        scratch = Warehouse(warehouse.conn_id, database=settings.drill_database(warehouse.database_name))
        if different := drill(path, scratch, configured_key()):
            raise Damaged(
                f"{path}: restored, it differs from what was dumped: {'; '.join(different)}. Do not rely on it:"
                " check whether the next backup restores (trigger with `drill`), and the server's disk"
            )
    except Exception as error:
        status = "failed" if isinstance(error, Damaged) else "impossible" if isinstance(error, NoRight) else "error"
        with suppress(Error, AirflowException):
            record(status, str(error))
        raise
    message = f"{len(manifest.tables)} tables with {manifest.rows} rows were restored and are equal"
    record("success", message)
    return f"{path}: {message}"


def restore_file(file: str, *, into: str | None, force: bool) -> str:
    """Restore a backup; return the lines to print.

    Args:
        file: Path or URL.
        into: A database on the connection's server, instead of the connection's own.
        force: Drop what the database holds.

    Raises:
        XiaoeConfigError: See `restore.restore`.
    """
    path: Any = ObjectStoragePath(file) if "://" in file else Path(file).absolute()
    return _restored(path, Warehouse(database=into), force=force)


def restore_to(moment: str, *, into: str | None, force: bool) -> str:
    """Restore the newest backup before a moment, then the journal up to it; return the lines to print.

    Args:
        moment: Beijing time, e.g. `2026-11-20 12:34:56`, or `latest`: as much as was shipped.
        into: A database on the connection's server, instead of the connection's own.
        force: Drop what the database holds.

    Raises:
        XiaoeConfigError: No backup with a journal is older, a segment is missing or damaged; see `restore.restore`.
    """
    until = clock.now() if moment == "latest" else clock.parse_time("TO", moment)
    secret, warehouse = configured_key(), Warehouse(database=into)
    store = store_of(Warehouse())
    fitting = [
        (path, begin) for path, manifest in store.backups() if (begin := manifest.journal) and manifest.made_at <= until
    ]
    if not fitting:
        raise XiaoeConfigError(
            f"TO={moment!r}: no backup before it has a journal: see `make journal` and docs/backup.md, or restore a"
            " whole backup with FILE="
        )
    path, (chain, file, offset) = fitting[-1]
    journal = Journal(store, secret)
    segments = list(journal.following(chain, Position(file, offset)))
    said = _restored(path, warehouse, force=force)
    with warehouse.session(any_schema=True) as session:
        replayer = Replayer(session)
        for segment in segments:
            replayer.apply(journal.changes(segment, until))
        replayer.flush()
    reached = min(until, segments[-1].shipped_at) if segments else None
    upto = f"until {clock.beijing_text(reached)} (Beijing)" if reached else "none"
    counts = ", ".join(f"{table} {number}" for table, number in sorted(replayer.counts.items()))
    return f"{said}\nchanges of the journal, {upto}: {counts or 'none'}"


def _restored(path: Any, warehouse: Warehouse, *, force: bool) -> str:
    manifest = restore.restore(path, warehouse, configured_key(), force=force)
    lines = [f"{name}: {content.rows} rows" for name, content in manifest.tables.items() if content.rows]
    lines.append(
        f"{path} of {manifest.started_at} was restored into {warehouse.database_name}: counts and checksums are equal"
    )
    if known_migrations() - set(manifest.migrations):
        lines.append("its schema is older than this checkout: run `make migrate`")
    return "\n".join(lines)

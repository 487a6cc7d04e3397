"""Storage sizes: database, pages, MySQL's binary logs, free disk.

A task samples them every hour into `storage_samples`, so the page shows growth without walking folders itself. The disk
is checked even if MySQL cannot be reached.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from MySQLdb import Error

from xiaoe.clock import utc_text
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session
from xiaoe.storage.files import is_local, local_name

_NO_BINLOG = 1381
_UNKNOWN_VARIABLE = 1193


class Sample(NamedTuple):
    """One figure; if `bytes` is None, `note` gives the reason: `no_right`, `off` or `bucket`."""

    metric: str
    bytes: int | None
    note: str | None = None


class TableSize(NamedTuple):
    """Size of a table in rows and bytes, as estimated by the server."""

    name: str
    rows: int
    data_bytes: int
    index_bytes: int


def sample_store(root: Any) -> list[Sample]:
    """The size of the page store and of its disk; a bucket has no disk.

    Args:
        root: The page store's `ObjectStoragePath`; it need not exist yet.
    """
    if not is_local(root):
        found = root.fs.find(root.path, detail=True).values()
        size = sum(int(about.get("size") or 0) for about in found)
        return [Sample("page_store", size), Sample("free_disk", None, "bucket"), Sample("disk", None, "bucket")]
    folder = Path(local_name(root))
    disk = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists()))
    return [Sample("page_store", _folder_size(folder)), Sample("free_disk", disk.free), Sample("disk", disk.total)]


def sample_database(session: Session) -> list[Sample]:
    """The total size of the warehouse's tables, and of the server's binary logs."""
    return [Sample("database", sum(one.data_bytes + one.index_bytes for one in tables(session))), _binlog(session)]


def tables(session: Session) -> list[TableSize]:
    """The warehouse's tables, largest first."""
    _disable_statistics_cache(session)
    rows = session.query(
        "SELECT table_name, COALESCE(table_rows, 0), COALESCE(data_length, 0), COALESCE(index_length, 0)"
        " FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
    )
    found = [TableSize(str(name), *map(int, figures)) for name, *figures in rows]
    return sorted(found, key=lambda one: one.data_bytes + one.index_bytes, reverse=True)


def write_samples(session: Session, samples: list[Sample], now: datetime) -> None:
    """Write the samples of one time; the maintenance DAG removes old ones."""
    session.insert_many(
        "INSERT INTO storage_samples (sampled_at, metric, bytes, note) VALUES (%s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE bytes = VALUES(bytes), note = VALUES(note)",
        [(utc_text(now), *one) for one in samples],
    )


def check_free_disk(samples: list[Sample], *, least: int, store: str) -> None:
    """Fail if the disk is nearly full.

    Args:
        samples: The measured sizes.
        least: Bytes that must be free.
        store: URL of the page store, for the message.

    Raises:
        XiaoeConfigError: Fewer are free.
    """
    free = next((one.bytes for one in samples if one.metric == "free_disk"), None)
    if free is not None and free < least:
        raise XiaoeConfigError(
            f"free disk: {free / 1e9:.1f} GB on the disk of {store} (XIAOE_PAGE_STORE), {least / 1e9:g} GB required"
            " (XIAOE_MIN_FREE_DISK_GB): free some space (old pages and logs, see docs/monitoring.md) or enlarge the"
            " disk; when it is full, syncs stop and MySQL may too"
        )


def _disable_statistics_cache(session: Session) -> None:
    """By default MySQL shows sizes up to a day old; MariaDB lacks the setting."""
    try:
        session.execute("SET SESSION information_schema_stats_expiry = 0")
    except Error as error:
        if error.args[0] != _UNKNOWN_VARIABLE:
            raise


def _binlog(session: Session) -> Sample:
    try:
        logs = session.query("SHOW BINARY LOGS")
    except XiaoeConfigError:  # the loading user need not have the right to see them
        return Sample("binlog", None, "no_right")
    except Error as error:
        if error.args[0] != _NO_BINLOG:
            raise
        return Sample("binlog", None, "off")
    return Sample("binlog", sum(int(row[1]) for row in logs))


def _folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; files removed meanwhile are not counted."""
    total, waiting = 0, [os.fspath(folder)]
    while waiting:
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    with suppress(FileNotFoundError):
                        total += entry.stat(follow_symlinks=False).st_size
    return total

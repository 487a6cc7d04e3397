"""The backup store: one folder per database, with a file and a manifest for each backup.

    <root>/<database>/xiaoe-20261120T040000000Z.sql.gz[.age]
    <root>/<database>/xiaoe-20261120T040000000Z.sql.gz[.age].json

The manifest is written last: a file without one is not a backup. On a disk, the file gets its name once it is complete.
gzip, because everybody can open it and the server, not the compression, sets the pace.
`root` may be a `pathlib.Path` or anything with its interface (`ObjectStoragePath`).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from xiaoe.backup.key import Key
from xiaoe.backup.retention import Backup
from xiaoe.backup.tables import Content
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.storage.files import DiskAdvice, explained, whole_file, write_whole

MANIFEST = ".json"
_LEVEL = 4
_READ = 1 << 20
_ABANDONED = timedelta(days=2)
"""A file without a manifest that is older than this was left by an interrupted run."""


_NOTHING_MADE = "No backup was made; older ones are unchanged"
_ADVICE = DiskAdvice(
    full=(
        XiaoeConfigError,
        "XIAOE_BACKUP_STORE={place!r}: {reason}: free some space there, lower XIAOE_BACKUP_KEEP_DAYS, or name another"
        f" place. {_NOTHING_MADE}",
    ),
    forbidden=(
        XiaoeConfigError,
        "XIAOE_BACKUP_STORE={place!r}: {reason}: let the user that Airflow runs as write there, or name another place."
        f" {_NOTHING_MADE}",
    ),
    other=(XiaoeRetriableError, "XIAOE_BACKUP_STORE={place!r}: {reason}; trying again later"),
)


@dataclass(frozen=True)
class BackupManifest:
    """The manifest of a backup.

    Args:
        database: Name of the database.
        server: Version of the server.
        started_at: When the snapshot was taken, UTC, ISO 8601.
        finished_at: When the file was complete, UTC, ISO 8601.
        file: Name of the file.
        bytes: Its size.
        sha256: Checksum of the file as stored.
        recipient: Public half of the key it was encrypted for; None: not encrypted.
        migrations: Names of the migrations in its schema.
        tables: Table → rows and checksum.
        journal: Chain, log file and offset from which the journal continues it; None: there was no journal.
    """

    database: str
    server: str
    started_at: str
    finished_at: str
    file: str
    bytes: int
    sha256: str
    recipient: str | None
    migrations: list[str]
    tables: dict[str, Content]
    journal: tuple[str, str, int] | None = None

    @property
    def made_at(self) -> datetime:
        """When the snapshot was taken."""
        return datetime.fromisoformat(self.started_at)

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables.values())


class BackupStore:
    """The backups of one database.

    Args:
        root: Folder or bucket of all backups.
        database: Name of the database.
    """

    def __init__(self, root: Any, database: str) -> None:
        self.root = root
        self.folder = root / database

    def name(self, started_at: datetime, *, encrypted: bool) -> str:
        """File name of a backup."""
        moment = f"{started_at.astimezone(timezone.utc):%Y%m%dT%H%M%S%f}"[
            :-3
        ]  # to the millisecond: two backups may begin in one second
        return f"xiaoe-{moment}Z.sql.gz{'.age' if encrypted else ''}"

    def write(self, name: str, lines: Iterable[bytes], key: Key | None) -> tuple[int, str]:
        """Compress, encrypt and write lines as they come; return size and SHA-256 of the file.

        Raises:
            XiaoeConfigError: The store is full or not writable.
            XiaoeRetriableError: It could not be written for another reason.
        """
        path = self.folder / name
        with explained(str(self.root), _ADVICE), whole_file(path) as file:
            target = _Hashed(file)
            chunks = _compressed(lines)
            if key:
                key.encrypt(chunks, target)
            else:
                for chunk in chunks:
                    target.write(chunk)
        return target.size, target.sha256.hexdigest()

    def finish(self, manifest: BackupManifest) -> None:
        """Write the manifest, which makes the file a backup."""
        with explained(str(self.root), _ADVICE):
            write_whole(self.folder / f"{manifest.file}{MANIFEST}", json.dumps(asdict(manifest), indent=1).encode())

    def backups(self) -> list[tuple[Any, BackupManifest]]:
        """Paths and manifests of all complete backups, oldest first."""
        if not self.folder.exists():
            return []
        found = [path for path in self.folder.iterdir() if path.name.endswith(MANIFEST)]
        read = [(self.folder / path.name.removesuffix(MANIFEST), read_manifest(path)) for path in found]
        return sorted((one for one in read if one[0].exists()), key=lambda one: one[1].made_at)

    def remove(self, backup: Backup) -> None:
        """Remove a backup, manifest first: if interrupted, what is left is not a backup."""
        name = backup.url.rpartition("/")[2]
        with explained(str(self.root), _ADVICE):
            for path in (self.folder / f"{name}{MANIFEST}", self.folder / name):
                with suppress(FileNotFoundError):
                    path.unlink()

    def abandoned(self, now: datetime) -> list[Any]:
        """Files left by interrupted runs."""
        if not self.folder.exists():
            return []
        paths = {path.name: path for path in self.folder.iterdir() if path.name.startswith("xiaoe-")}
        lonely = [
            path for name, path in paths.items() if not name.endswith(MANIFEST) and f"{name}{MANIFEST}" not in paths
        ]
        return [path for path in lonely if path.stat().st_mtime < (now - _ABANDONED).timestamp()]


def read_manifest(path: Any) -> BackupManifest:
    """Read a manifest.

    Raises:
        XiaoeConfigError: The file is missing or not a manifest.
    """
    try:
        content = json.loads(path.read_bytes())
        tables = {name: Content(**table) for name, table in content["tables"].items()}
        begin = content.get("journal")
        return BackupManifest(**{**content, "tables": tables, "journal": tuple(begin) if begin else None})
    except FileNotFoundError:
        raise XiaoeConfigError(
            f"{path}: there is no such manifest, so the file beside it is not a complete backup: use another"
            " one (a backup is two files, the dump and its .json: copy both)"
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise XiaoeConfigError(
            f"{path}: not the manifest of a backup that this version can read ({type(error).__name__}): update the"
            " checkout, or use another backup"
        ) from None


class _Hashed:
    """A file that counts and hashes what is written."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.sha256.update(data)
        self.size += len(data)


def _compressed(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines as gzip, in chunks."""
    compress = zlib.compressobj(_LEVEL, wbits=31)
    for line in lines:
        if chunk := compress.compress(line):
            yield chunk
    yield compress.flush()


def sha256_of(file: Any) -> tuple[int, str]:
    """Size and SHA-256 of an open file."""
    hashed, size = hashlib.sha256(), 0
    while chunk := file.read(_READ):
        hashed.update(chunk)
        size += len(chunk)
    return size, hashed.hexdigest()

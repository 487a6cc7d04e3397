"""One consistent dump of the warehouse, streamed into the store (docs/decisions/0018).

START TRANSACTION WITH CONSISTENT SNAPSHOT; the server writes each row as literals (QUOTE), and the password never
leaves the process. Left out are triggers, routines, events and users; of api_tokens and backups only the structure is
dumped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from xiaoe.backup import binlog, tables
from xiaoe.backup.key import Key
from xiaoe.backup.store import BackupManifest, BackupStore
from xiaoe.backup.tables import Content, ContentTally
from xiaoe.clock import utc_now
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session, names, quoted
from xiaoe.mysql.warehouse import Warehouse

END = b"-- end of the backup"
_STATEMENT = 256 * 1024
"""Bytes of one INSERT, far below any server's max_allowed_packet."""
_SETTINGS = (
    "SET NAMES utf8mb4;",
    "SET SESSION time_zone = '+00:00', foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO,STRICT_TRANS_TABLES';",
)


class Incomplete(XiaoeConfigError):
    """The server gave fewer or more rows than it counts."""


class Dumper:
    """Dumps the database of a session.

    Args:
        session: A session of the warehouse, used for nothing else.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.contents: dict[str, Content] = {}
        """Table → what was written of it; complete once `lines` is exhausted."""

    def lines(self, about: str) -> Iterator[bytes]:
        """All lines of the dump, each a statement or a comment, from one snapshot.

        Args:
            about: Text of the first line, a comment.

        Raises:
            Incomplete: A table was not dumped whole: the server counts its rows in the same snapshot.
        """
        self._session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        found, views = names(self._session)
        for text in (f"-- {about}", *_SETTINGS):
            yield _line(text)
        for name in found:
            yield _line(f"{tables.create_table(self._session, name)};")
            yield from self._rows(name)
        pairs = [tables.create_view(self._session, name) for name in views]
        for statement in (*(stand_in for stand_in, _ in pairs), *(final for _, final in pairs)):
            yield _line(f"{statement};")
        yield END + b"\n"
        self._session.rollback()

    def _rows(self, name: str) -> Iterator[bytes]:
        tally = ContentTally()
        if name not in tables.STRUCTURE_ONLY:
            into = ", ".join(quoted(column.name) for column in tables.columns(self._session, name))
            head = f"INSERT INTO {quoted(name)} ({into}) VALUES ".encode()
            pending: list[bytes] = []
            size = 0
            for rows in tables.literal_rows(self._session, name):
                tally.add(rows)
                for row in rows:
                    pending.append(row)
                    size += len(row)
                    if size >= _STATEMENT:
                        yield head + b",".join(pending) + b";\n"
                        pending, size = [], 0
            if pending:
                yield head + b",".join(pending) + b";\n"
            [(counted,)] = self._session.query(f"SELECT COUNT(*) FROM {quoted(name)}")
            if counted != tally.content.rows:
                raise Incomplete(
                    f"table {name}: {tally.content.rows} rows were dumped, the server counts {counted} in the same"
                    " snapshot: something cuts what this user may read. Nothing was kept; compare the server's limits"
                    " and the user's (docs/backup.md)"
                )
        self.contents[name] = tally.content


def dump_warehouse(
    warehouse: Warehouse, store: BackupStore, key: Key | None, *, started_at: datetime
) -> BackupManifest:
    """Dump the warehouse into the store.

    Args:
        warehouse: The database to dump.
        store: Where to write.
        key: Encrypts the dump; None: not encrypted.
        started_at: When the backup began.

    Raises:
        XiaoeConfigError: The schema or a right is missing, or the store cannot be written.
    """
    name = store.name(started_at, encrypted=key is not None)
    with warehouse.session() as session, session.lock("migrate"):  # no migration runs meanwhile
        applied = migrations(session)
        if not applied:
            raise XiaoeConfigError("the warehouse's schema is missing: run `make migrate`")
        [(database, server)] = session.query("SELECT DATABASE(), VERSION()")
        begin = journal_begin(session)
        dumper = Dumper(session)
        size, sha256 = store.write(name, dumper.lines(f"{database} of {server}, {started_at.isoformat()}"), key)
    manifest = BackupManifest(
        database=database,
        server=server,
        started_at=started_at.isoformat(),
        finished_at=utc_now().isoformat(),
        file=name,
        bytes=size,
        sha256=sha256,
        recipient=key.recipient if key else None,
        migrations=applied,
        tables=dumper.contents,
        journal=begin,
    )
    store.finish(manifest)
    return manifest


def journal_begin(session: Session) -> tuple[str, str, int] | None:
    """The chain of the journal and the present end of the server's log, from where it continues this backup."""
    chains = session.query("SELECT chain FROM journal_status") if "journal_status" in names(session)[0] else []
    place = binlog.current(session) if chains else None
    session.rollback()
    return (chains[0][0], place.file, place.offset) if place else None


def migrations(session: Session) -> list[str]:
    """Names of the migrations applied to the session's database."""
    if "_yoyo_migration" not in names(session)[0]:
        return []
    return sorted(name for (name,) in session.query("SELECT migration_id FROM _yoyo_migration"))


def _line(text: Any) -> bytes:
    return f"{text}\n".encode()

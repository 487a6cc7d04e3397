"""The journal in the backup store: segments of changes that follow one another without a gap (docs/decisions/0032).

    <root>/<database>/journal/20261120T040000000Z-<chain>-<file>-<offset>.jsonl.gz[.age]

A segment's name says when it was shipped, its chain and where it ends. Its first line says where it begins; the others
are changes, each transaction ended by its commit. A chain begins with a backup and ends with its server.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple

import msgspec

from xiaoe.backup.binlog import Change, Position
from xiaoe.backup.key import Key
from xiaoe.backup.store import BackupStore
from xiaoe.exceptions import XiaoeConfigError

_FOLDER = "journal"
_MOMENT = "%Y%m%dT%H%M%S%f"


class JournalSegment(NamedTuple):
    """A segment of the store.

    Args:
        path: Its file.
        shipped_at: UTC.
        chain: Its chain.
        end: Where it ends.
    """

    path: Any
    shipped_at: datetime
    chain: str
    end: Position


class Journal:
    """The segments of one database.

    Args:
        store: The backups beside which they lie.
        key: Encrypts new ones, and decrypts; None: not encrypted.
    """

    def __init__(self, store: BackupStore, key: Key | None) -> None:
        self._store = store
        self._key = key
        self._folder = store.folder / _FOLDER

    def ship(
        self, chain: str, begin: Position, changes: Iterable[Change], now: datetime
    ) -> tuple[Position | None, bool]:
        """Write a segment, if anything changed; return the position behind the last commit, and whether it did.

        Args:
            chain: Its chain.
            begin: Where the segment before it ends.
            changes: Whole transactions.
            now: With an offset.

        Raises:
            XiaoeConfigError: The store is full or not writable.
            XiaoeRetriableError: The store or the server cannot be reached; nothing was shipped.
        """
        end: Position | None = None
        has_rows = False
        with tempfile.TemporaryFile() as spool:  # a transaction may be larger than the memory
            for change in changes:
                if change.kind in ("commit", "schema"):
                    end = change.position
                has_rows = has_rows or change.kind != "commit"
                spool.write(_encoded(change) + b"\n")
            if has_rows and end:
                spool.seek(0)
                moment = f"{now.astimezone(timezone.utc):{_MOMENT}}"[:-3]
                name = f"{moment}Z-{chain}-{end.file}-{end.offset}.jsonl.gz{'.age' if self._key else ''}"
                head = msgspec.json.encode([begin.file, begin.offset]) + b"\n"
                self._store.write(f"{_FOLDER}/{name}", _chained(head, spool), self._key)
        return end, has_rows

    def segments(self) -> list[JournalSegment]:
        """All segments, oldest first."""
        if not self._folder.exists():
            return []
        return sorted(filter(None, map(_segment, self._folder.iterdir())), key=lambda one: one.shipped_at)

    def following(self, chain: str, begin: Position) -> Iterator[JournalSegment]:
        """The segments of a chain behind a position, in order.

        Raises:
            XiaoeConfigError: One is missing.
        """
        place = begin
        for segment in (one for one in self.segments() if one.chain == chain):
            if order(segment.end) <= order(begin):
                continue
            if order(self._begin(segment)) > order(place):
                raise XiaoeConfigError(
                    f"{segment.path}: the journal has a gap before it: a segment was removed. Restore TO a moment"
                    " before it, or from a later backup"
                )
            place = segment.end
            yield segment

    def changes(self, segment: JournalSegment, until: datetime) -> Iterator[tuple[str, str, list[Any]]]:
        """The changes of a segment that were committed until a moment: kind, table, rows.

        Raises:
            XiaoeConfigError: The segment was altered, or encrypted for another key.
        """
        limit = until.timestamp()
        with self._opened(segment) as file:
            kept = 0
            for number, line in enumerate(_lines(segment, file)):
                if number and (kind := msgspec.json.decode(line))[0] in ("commit", "schema"):
                    if kind[1] > limit:
                        break
                    kept = number
            file.seek(0)
            for number, line in enumerate(_lines(segment, file)):
                if number > kept:
                    break
                kind_, _, table, rows = msgspec.json.decode(line) if number else ("commit", 0, "", [])
                if kind_ != "commit":
                    yield kind_, table, rows

    def remove(self, before: datetime) -> int:
        """Remove segments shipped before a moment; return how many."""
        old = [one for one in self.segments() if one.shipped_at < before]
        for one in old:
            with suppress(FileNotFoundError):
                one.path.unlink()
        return len(old)

    def _begin(self, segment: JournalSegment) -> Position:
        with self._opened(segment) as file:
            return Position(*msgspec.json.decode(next(_lines(segment, file))))

    def _opened(self, segment: JournalSegment) -> BinaryIO:
        """The segment's compressed lines, decrypted, as a file without a name."""
        plain = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        with segment.path.open("rb") as source:
            if segment.path.name.endswith(".age"):
                if self._key is None:
                    raise XiaoeConfigError(
                        f"{segment.path} is encrypted: name the connection with its key in XIAOE_BACKUP_KEY_CONN_ID"
                    )
                self._key.decrypt(source, plain)
            else:
                plain.write(source.read())
        plain.seek(0)
        return plain


def _segment(path: Any) -> JournalSegment | None:
    """From a file's name; None if it is no segment."""
    parts = path.name.partition(".jsonl.gz")[0].split("-")
    if len(parts) < 4:
        return None
    try:
        moment = datetime.strptime(parts[0].rstrip("Z"), _MOMENT).replace(tzinfo=timezone.utc)
        return JournalSegment(path, moment, parts[1], Position("-".join(parts[2:-1]), int(parts[-1])))
    except ValueError:
        return None


def _lines(segment: JournalSegment, file: BinaryIO) -> Iterator[bytes]:
    try:
        with gzip.open(file) as lines:
            yield from lines
    except (EOFError, OSError) as error:
        raise XiaoeConfigError(f"{segment.path}: not a whole segment ({error}): it was truncated or altered") from None


def order(position: Position) -> tuple[int, int]:
    """What positions sort by. Logs are numbered: `binlog.000123`."""
    return int(position.file.rpartition(".")[2]), position.offset


def _encoded(change: Change) -> bytes:
    rows = [[_plain(value) for value in row] for row in change.rows]
    return msgspec.json.encode([change.kind, change.at, change.table, rows])


def _plain(value: Any) -> Any:
    """A value as JSON has it; bytes as `{"x": hex}`."""
    if isinstance(value, bytes):
        return {"x": value.hex()}
    if isinstance(value, (Decimal, datetime, date)):
        return str(value)
    return value


def _chained(head: bytes, file: BinaryIO) -> Iterator[bytes]:
    yield head
    yield from file

"""Applies a journal to a restored backup, as plain statements: no right beyond those of the restore.

A journal is read from before the backup's snapshot on, so each change is applied so that doing it twice is the same:
rows are replaced or removed by primary key, and only the last state of a row within a batch is written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from xiaoe.backup.tables import DEFINER
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session, quoted

_BATCH = 20_000
"""Rows in memory before they are written."""
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_DONE = re.compile(r"Duplicate (?:column|key name)|already exists|check that column/key exists")


@dataclass(frozen=True)
class _Table:
    """A table: its stored columns with their places in a row, the key's places, the bits of unsigned columns."""

    columns: list[tuple[int, str]]
    key: list[int]
    unsigned: dict[int, int]
    width: int


class Replayer:
    """Applies changes over a session.

    Args:
        session: Of the restored database; used for nothing else.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tables: dict[str, _Table] = {}
        self._pending: dict[str, dict[tuple[Any, ...], list[Any] | None]] = {}
        self._waiting = 0
        self.counts: Counter[str] = Counter()
        """Table → changed rows."""
        session.execute("SET SESSION foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO,STRICT_TRANS_TABLES'")

    def apply(self, changes: Iterable[tuple[str, str, list[Any]]]) -> None:
        """Apply changes in their order.

        Args:
            changes: Kind, table and rows, as `Journal.changes` yields them.

        Raises:
            XiaoeConfigError: A row does not fit its table: the journal belongs to another schema.
        """
        for kind, table, rows in changes:
            if kind == "schema":
                self.flush()
                self._change_schema(rows[0][0])
                continue
            self.counts[table] += len(rows) // (2 if kind == "update" else 1)
            about = self._about(table)
            for was, row in _steps(kind, rows):
                for values, is_kept in ((was, False), (row, True)):
                    if values is not None:
                        self._note(table, about, _decoded(values, about, table), is_kept=is_kept)
            if self._waiting >= _BATCH:
                self.flush()

    def flush(self) -> None:
        """Write what is pending, and commit."""
        for table, rows in self._pending.items():
            about = self._about(table)
            for is_kept, group in groupby(rows.items(), key=lambda item: item[1] is not None):
                write = self._write if is_kept else self._delete
                write(table, about, list(group))
        self._session.commit()
        self._pending, self._waiting = {}, 0

    def _note(self, table: str, about: _Table, values: list[Any], *, is_kept: bool) -> None:
        rows = self._pending.setdefault(table, {})
        key = tuple(values[place] for place in about.key)
        self._waiting += key not in rows
        rows.pop(key, None)  # the latest state stands last
        rows[key] = values if is_kept else None

    def _write(self, table: str, about: _Table, items: Sequence[tuple[Any, Any]]) -> None:
        names = ", ".join(quoted(name) for _, name in about.columns)
        marks = ", ".join(["%s"] * len(about.columns))
        self._session.insert_many(
            f"REPLACE INTO {quoted(table)} ({names}) VALUES ({marks})",
            [[row[place] for place, _ in about.columns] for _, row in items],
        )

    def _delete(self, table: str, about: _Table, items: Sequence[tuple[Any, Any]]) -> None:
        names = dict(about.columns)
        columns = ", ".join(quoted(names[place]) for place in about.key)
        for start in range(0, len(items), 500):
            keys = [key for key, _ in items[start : start + 500]]
            marks = ", ".join(["(" + ", ".join(["%s"] * len(about.key)) + ")"] * len(keys))
            values = [value for key in keys for value in key]
            self._session.execute(f"DELETE FROM {quoted(table)} WHERE ({columns}) IN ({marks})", values)

    def _change_schema(self, statement: str) -> None:
        try:
            self._session.execute(DEFINER.sub("", statement, count=1).replace("%", "%%"))
        except Exception as error:
            if not _DONE.search(str(error)):  # the backup has it already
                raise
        self._tables.clear()

    def _about(self, table: str) -> _Table:
        if table not in self._tables:
            self._tables[table] = _describe(self._session, table)
        return self._tables[table]


def _describe(session: Session, table: str) -> _Table:
    rows = session.query(
        "SELECT column_name, data_type, column_type, COALESCE(generation_expression, '') <> '', column_key = 'PRI'"
        " FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s"
        " ORDER BY ordinal_position",
        (table,),
    )
    places = list(enumerate(rows))
    return _Table(
        columns=[(place, name) for place, (name, _, _, is_generated, _) in places if not is_generated],
        key=[place for place, (*_, is_key) in places if is_key],
        unsigned={
            place: _BITS[str(kind).lower()]
            for place, (_, kind, full, _, _) in places
            if "unsigned" in str(full) and str(kind).lower() in _BITS
        },
        width=len(rows),
    )


def _steps(kind: str, rows: list[list[Any]]) -> Iterator[tuple[list[Any] | None, list[Any] | None]]:
    """Each row as it was, if it has to go, and as it is."""
    if kind == "update":
        yield from zip(rows[::2], rows[1::2], strict=True)
    else:
        yield from ((None, row) if kind == "write" else (row, None) for row in rows)


def _decoded(values: list[Any], about: _Table, table: str) -> list[Any]:
    """Values of a row as the driver takes them; the log has unsigned numbers with a sign where it lacks metadata."""
    if len(values) != about.width or not about.key:
        raise XiaoeConfigError(
            f"table {table}: the journal has rows of {len(values)} columns, the table has {about.width}: it belongs to"
            " another schema. Restore TO a moment before"
        )
    found: list[Any] = [bytes.fromhex(value["x"]) if isinstance(value, dict) else value for value in values]
    for place, bits in about.unsigned.items():
        if isinstance(found[place], int) and found[place] < 0:
            found[place] += 1 << bits
    return found

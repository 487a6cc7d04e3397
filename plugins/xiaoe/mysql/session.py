"""A session with MySQL or MariaDB: transactions, server-side locks, bulk loading, retries.

LOAD DATA does not fail on bad data but truncates it with a warning, so any warning and any missing row is an error. An
empty file shows whether the server accepts LOCAL; if not, rows go by multi-row statements.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from typing import Any, TypeVar

import tenacity
from MySQLdb import Error
from MySQLdb.cursors import SSCursor

from xiaoe.exceptions import XiaoeError, XiaoeRetriableError
from xiaoe.mysql.errors import explained
from xiaoe.mysql.load_data import OnDuplicate, TableLoad, tsv_column
from xiaoe.storage import files

T = TypeVar("T")

TRY_AGAIN = {
    1213: "deadlock",
    1205: "lock wait time-out",
    1020: "record changed since last read",
    3101: "rolled back by group replication",  # another member of the group was first
    1467: "no auto-increment value",  # MariaDB's code for the first two while it waits for the table's counter
}
_MAX_LOCK_NAME = 64
_FALLBACK_BATCH = 1000


class Session:
    """One database connection and its transaction."""

    def __init__(self, connection: Any, where: str) -> None:
        self._connection = connection
        self._where = where
        self._loads_files: bool | None = None

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return all of its rows."""
        with self._cursor(sql, parameters) as cursor:
            return list(cursor.fetchall())

    def rows(self, sql: str, parameters: Sequence[Any] = (), *, size: int = 10_000) -> Iterator[tuple[Any, ...]]:
        """Run one statement and yield its rows, with at most `size` in memory."""
        with (
            explained(self._where),
            _closing(self._connection.cursor(SSCursor)) as cursor,
        ):  # it may fail during the fetch, too
            cursor.execute(sql, parameters or None)
            while rows := cursor.fetchmany(size):
                yield from rows

    def stream(self, sql: str, parameters: Sequence[Any] = (), *, size: int = 10_000) -> Iterator[list[Any]]:
        """Run one statement and yield its first column in lists of `size`."""
        rows = self.rows(sql, parameters, size=size)
        while batch := [row[0] for row in islice(rows, size)]:
            yield batch

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement and return the number of affected rows."""
        with self._cursor(sql, parameters) as cursor:
            return int(cursor.rowcount)

    def upsert(self, sql: str) -> tuple[int, int]:
        """Run one `INSERT .. SELECT .. ON DUPLICATE KEY UPDATE` → rows inserted, rows changed.

        The server counts an inserted row once and a changed row twice, and reports in the OK packet how many
        duplicates changed (docs/decisions/0006).
        """
        affected = self.execute(sql)
        changed = _count(self._connection.info(), "Duplicates")
        return affected - 2 * changed, changed

    def insert_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows in multi-row statements."""
        with explained(self._where), _closing(self._connection.cursor()) as cursor:
            for start in range(0, len(rows), _FALLBACK_BATCH):
                cursor.executemany(sql, rows[start : start + _FALLBACK_BATCH])

    @cached_property
    def largest_text(self) -> int:
        """Bytes of a text that fits a statement even if each is escaped, with room for what stands beside it."""
        [(packet,)] = self.query("SELECT @@max_allowed_packet")
        return int(packet) // 4

    def loads_files(self, table: str) -> bool:
        """Whether server and client accept LOAD DATA LOCAL; tried once, with an empty file for this table."""
        if self._loads_files is None:
            self._loads_files = self._probe(table)
        return self._loads_files

    def bulk_load(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
        *,
        on_duplicate: OnDuplicate = "replace",
    ) -> None:
        """Put typed rows into a table, by LOAD DATA LOCAL if the server accepts it, else by multi-row statements.

        Args:
            table: Usually a staging table.
            columns: Of the rows.
            rows: A tuple per row.
            on_duplicate: What happens to the second of two rows with the same key.

        Raises:
            RuntimeError: See `load`.
        """
        if self.loads_files(table):
            texts = list(map(tsv_column, zip(*rows, strict=True)))
            self.load(TableLoad.of(table, columns, texts, on_duplicate, as_file=True))
        else:
            self.load(TableLoad(table, columns, rows, len(rows), on_duplicate))

    def load(self, load: TableLoad) -> None:
        """Put prepared rows into their table; as TSV only where `loads_files`.

        LOAD DATA does not fail on bad data but warns, so any warning and any missing row is an error here.

        Raises:
            RuntimeError: The server warned or took another number of rows.
        """
        if isinstance(load.rows, bytes):
            self._load_file(load, load.rows)
            return
        table, columns = load.table, load.columns
        values = ", ".join(["%s"] * len(columns))
        verb = "REPLACE" if load.on_duplicate == "replace" else "INSERT"
        kept = f" ON DUPLICATE KEY UPDATE {columns[0]} = {table}.{columns[0]}" if load.on_duplicate == "ignore" else ""
        self.insert_many(f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({values}){kept}", load.rows)

    @contextmanager
    def lock(self, *names: str, timeout: int = 900) -> Iterator[None]:
        """Hold a server-side lock (`GET_LOCK`); the server drops it when this connection ends.

        Args:
            names: What is locked, e.g. `("merge", shop_id, "orders")`; the database's name is added.
            timeout: Seconds to wait for another holder.

        Raises:
            XiaoeRetriableError: Another session held it for that long.
        """
        [(database,)] = self.query("SELECT DATABASE()")
        name = ".".join(("xiaoe", database, *names))
        if len(name) > _MAX_LOCK_NAME:
            name = f"xiaoe.{blake2b(name.encode(), digest_size=16).hexdigest()}"
        [(got,)] = self.query("SELECT GET_LOCK(%s, %s)", (name, timeout))
        if got != 1:
            raise XiaoeRetriableError(f"another task has held the lock {name} for {timeout} s; trying again later")
        try:
            yield
        finally:
            self._release(name)

    def commit(self) -> None:
        """End the transaction and keep its changes."""
        with explained(self._where):
            self._connection.commit()

    def rollback(self) -> None:
        """End the transaction and discard its changes.

        Never hides the error that led here: a connection that cannot even do this is closed, and the server rolls back.
        """
        try:
            self._connection.rollback()
        except Error:
            self.close()

    def close(self) -> None:
        """Close the connection and discard what was not committed; may be called twice."""
        with suppress(Error):
            self._connection.close()

    def _release(self, name: str) -> None:
        try:
            self._connection.rollback()
            self.query("SELECT RELEASE_LOCK(%s)", (name,))
        except (Error, XiaoeError):
            self.close()

    @contextmanager
    def _cursor(self, sql: str, parameters: Sequence[Any]) -> Iterator[Any]:
        with explained(self._where), _closing(self._connection.cursor()) as cursor:
            cursor.execute(sql, parameters or None)
            yield cursor

    def _probe(self, table: str) -> bool:
        """Whether an empty file can be loaded."""
        try:
            self._load_file(TableLoad(table, (), b"", 0, "replace"), b"")
        except Error:
            return False
        return True

    def _load_file(self, load: TableLoad, content: bytes) -> None:
        into = f"{'REPLACE ' if load.on_duplicate == 'replace' else ''}INTO TABLE {load.table} CHARACTER SET utf8mb4"
        into += f" ({', '.join(load.columns)})" if load.columns else ""
        with tempfile.TemporaryFile() as file:  # nameless: gone even after SIGKILL
            with files.explained(tempfile.gettempdir()):
                file.write(content)
                file.flush()
            file.seek(0)
            self.execute(f"LOAD DATA LOCAL INFILE %s {into}", (f"/dev/fd/{file.fileno()}",))
            info = self._connection.info() or ""
        expected = _count(info, "Skipped") if load.on_duplicate == "ignore" else 0  # one warning per skipped row
        if _count(info, "Warnings") != expected or _count(info, "Records") != load.count:
            warnings = self.query("SHOW WARNINGS LIMIT 5")
            raise RuntimeError(f"LOAD DATA into {load.table}: {load.count} rows sent, server says {info!r}: {warnings}")


def retry_conflicts(work: Callable[[], T]) -> T:
    """Run a whole transaction again after a deadlock, a lock time-out or a snapshot conflict (1020)."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, Error) and bool(error.args) and error.args[0] in TRY_AGAIN
        ),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
        stop=tenacity.stop_after_attempt(8),
        reraise=True,
    )
    return retrying(work)


@contextmanager
def _closing(cursor: Any) -> Iterator[Any]:
    """A cursor, closed at the end; after an error quietly, so that this error is the one that is shown."""
    try:
        yield cursor
    except BaseException:
        with suppress(Error):
            cursor.close()
        raise
    cursor.close()


def _count(info: str | None, name: str) -> int:
    """Read a figure of the OK packet, `Records: 3  Duplicates: 1  Warnings: 0`; 0 if it is missing."""
    _, _, rest = (info or "").partition(f"{name}: ")
    digits = rest.split(" ", 1)[0].strip()
    return int(digits) if digits.isdigit() else 0


def quoted(name: str) -> str:
    """A quoted SQL identifier."""
    return f"`{name.replace('`', '``')}`"


def names(session: Session) -> tuple[list[str], list[str]]:
    """Tables and views of the session's database, by name."""
    rows = session.query("SHOW FULL TABLES")
    tables, views = ([name for name, kind in rows if kind == wanted] for wanted in ("BASE TABLE", "VIEW"))
    return sorted(tables), sorted(views)

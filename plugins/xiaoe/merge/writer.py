"""The SQL of a merge, on one session: look rows up, write chunks. Used by one thread at a time.

The server reports how many rows were inserted and how many changed; both have to equal what was to be written, or the
run fails (docs/decisions/0006). Where a resource says so (`loads_new_rows`), new rows go by LOAD DATA straight into
their tables: no staging, no ON DUPLICATE KEY UPDATE, no join with the previous version, which halves the server's work
of a first load. That is safe because of the merge lock; if another program inserts the row meanwhile, LOAD DATA warns
about the duplicate, and a warning fails the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any

from MySQLdb import IntegrityError

from xiaoe import clock
from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.merge import field_problems, outbox, rejected
from xiaoe.merge.changes import Chunk, Known
from xiaoe.merge.expected import Expected
from xiaoe.merge.incoming import RawChunk
from xiaoe.merge.members import KnownMembers, Members, members_of
from xiaoe.mysql.load_data import TableLoad, tsv_column
from xiaoe.mysql.session import Session
from xiaoe.resources.base import BOOKKEEPING, Copy, Resource
from xiaoe.rows.decode import PROBLEM_COLUMNS, Row
from xiaoe.storage.manifest import Manifest

_CONTROL = re.compile(r"[\x00-\x1f]")


@dataclass(frozen=True)
class PreparedChunk:
    """A chunk, ready to be sent: the client's share of the work is done.

    Args:
        chunk: The chunk.
        new: Rows that go into their tables directly.
        staged: Rows that the merge statements take from staging, if any.
        members: Members that the rows name, for each of `Resource.members`.
    """

    chunk: Chunk
    new: list[TableLoad]
    staged: list[TableLoad]
    members: list[Members]


class Writer:
    """Writes the chunks of one run; made before the transaction begins, because it creates the staging table.

    Args:
        session: The merge's session.
        resource: The resource.
        statements: The merge statements.
        manifest: The run's manifest.
        notes_arrivals: Whether the moment at which new rows arrive says how fresh the warehouse is.
    """

    def __init__(
        self,
        session: Session,
        resource: Resource,
        statements: list[str],
        manifest: Manifest,
        *,
        notes_arrivals: bool,
    ) -> None:
        self._session = session
        self._resource = resource
        self._statements = statements
        self._manifest = manifest
        self._columns = resource.columns
        self._key = self._columns.index(resource.key)
        self._staging = f"stg_{resource.table}"
        self._members = KnownMembers(session, manifest)
        self._notes_arrivals = notes_arrivals
        self._near = True
        self._days: set[tuple[str, str]] = set()
        self._loads_files = self._create_staging()

    def _create_staging(self) -> bool:
        """Create the staging table, with the target's types and key; TEMPORARY, because other DDL would commit."""
        self._session.execute(f"DROP TEMPORARY TABLE IF EXISTS {self._staging}")
        self._session.execute(
            f"CREATE TEMPORARY TABLE {self._staging} (PRIMARY KEY (shop_id, {self._resource.key}))"
            f" SELECT {', '.join(self._columns)} FROM {self._resource.table} LIMIT 0"
        )
        loads_files = self._session.loads_files(self._staging)
        self._session.commit()
        return loads_files

    def look_up(self, incoming: RawChunk, expected: Expected) -> Known:
        """The warehouse's version of these rows, and perhaps of others.

        Keys of orders begin with the time, so the rows of a chunk are mostly neighbours, and one range of the primary
        key is several times faster to read than single keys. If a range holds more than twice the chunk, keys are
        looked up one by one from then on: slower, never wrong.
        """
        keys = sorted(incoming.newest)
        if not keys:
            return {}
        rows: list[tuple[Any, ...]] = []
        # utf8mb4_bin pads with spaces: "a\t" sorts before "a", so a range could miss it.
        if self._near and not _CONTROL.search("".join(keys)):
            limit = 2 * len(keys)
            rows = self._select(expected, f"BETWEEN %s AND %s LIMIT {limit}", keys[0], keys[-1])
            self._near = len(rows) < limit
        else:
            self._near = False
        if not self._near:
            rows = self._select(expected, f"IN ({', '.join(['%s'] * len(keys))})", *keys)
        return {row[0].rstrip(" "): (*row[1:], row[0]) for row in rows}

    def prepare(self, chunk: Chunk) -> PreparedChunk:
        """Encode a chunk; sends nothing to the server, so another thread may be writing."""
        resource, by_key = self._resource, itemgetter(self._key)
        new = sorted(chunk.new.values(), key=by_key) if resource.loads_new_rows else []
        staged = sorted(chunk.changed.values() if resource.loads_new_rows else chunk.rows, key=by_key)
        itself = {column: column for column in self._columns[1:]}
        copies = [Copy(resource.table, itself), *resource.copies, *outbox.copies(resource)]
        for kind, columns in resource.feeds.mart_days.items():
            indexes = [self._columns.index(column) for column in columns]
            self._days.update((kind, row[index][:10]) for row in new for index in indexes if row[index])
        rows = chunk.rows
        members = [
            members_of(rows, [self._columns.index(column) for column in member.columns.values()])
            for member in self._resource.members
        ]
        return PreparedChunk(
            chunk,
            [*self._loads(new, copies), *self._arrivals(new)],
            self._loads(staged, [Copy(self._staging, itself, on_duplicate="replace")]),
            members,
        )

    def write(self, prepared: PreparedChunk) -> None:
        """Write a chunk.

        Raises:
            XiaoeReconciliationError: The server's counts differ from what was to be written.
        """
        chunk = prepared.chunk
        rejected.resolve_rejects(self._session, self._resource, self._manifest, chunk.typed)
        rejected.write_rejected(self._session, self._resource, self._manifest, chunk.rejected)
        field_problems.resolve(self._session, self._manifest, chunk.reread)
        field_problems.write(self._session, self._manifest, chunk.problems)
        for load in prepared.new:
            self._insert(load)
        staged = len(chunk.changed) if prepared.new else len(chunk.rows)
        counts = [self._merge(load, has_problems=bool(chunk.problems)) for load in prepared.staged]
        for member, members in zip(self._resource.members, prepared.members, strict=True):
            self._members.insert_unknown(member, members)
        if sum(map(sum, counts)) != staged:  # a member that a merge of orders inserted meanwhile counts as changed
            raise XiaoeReconciliationError(
                f"{staged} rows of {self._resource.name} were to be written, the server reports (inserted, changed)"
                f" {counts}: {_INTRUDER.format(self._resource.table)}"
            )
        if chunk.rehashed:
            self._rehash([chunk.rehashed[key] for key in sorted(chunk.rehashed)])

    def finish(self) -> None:
        """After the last chunk: queue the days of new rows for the marts."""
        for kind in sorted({kind for kind, _ in self._days}):
            days = [date.fromisoformat(day) for queued, day in self._days if queued == kind]
            outbox.queue_days(self._session, self._manifest.shop_id, kind, days)

    def _select(self, expected: Expected, condition: str, *keys: str) -> list[tuple[Any, ...]]:
        # Rows that this run wrote, perhaps for an earlier slice, were not in the warehouse when it began. The index is
        # forced: of a table that has just grown MySQL has no good statistics and would walk another one.
        return self._session.query(
            f"SELECT {self._resource.key}, raw_hash, row_hash, CAST(observed_at AS CHAR), absent_since IS NOT NULL,"
            f" {expected.condition} AND batch_id <> %s, {PROBLEM_COLUMNS} IS NOT NULL"
            f" FROM {self._resource.table} FORCE INDEX (PRIMARY)"
            f" WHERE shop_id = %s AND {self._resource.key} {condition}",
            (*expected.parameters, self._manifest.batch_id, self._manifest.shop_id, *keys),
        )

    def _loads(self, rows: Sequence[Row], copies: Iterable[Copy]) -> list[TableLoad]:
        if not rows:
            return []
        columns: dict[str, Sequence[Any]] = dict(zip(self._columns, zip(*rows, strict=True), strict=True))
        if self._loads_files:
            columns = {name: tsv_column(values) for name, values in columns.items()}
        loads = []
        for copy in copies:
            sources = ("shop_id", *copy.columns.values())
            taken = [columns.get(str(source)) or [str(source)] * len(rows) for source in sources]
            into = (copy.table, ("shop_id", *copy.columns))
            loads.append(TableLoad.of(*into, taken, copy.on_duplicate, as_file=self._loads_files))
        return loads

    def _arrivals(self, new: Sequence[Row]) -> list[TableLoad]:
        copy = outbox.arrivals(self._resource, clock.now()) if self._notes_arrivals else None
        if copy is None:
            return []
        began = self._columns.index(str(copy.columns["began_at"]))
        return self._loads([row for row in new if row[began]], [copy])

    def _insert(self, load: TableLoad) -> None:
        """Load rows that the look-up did not find; under the merge lock nobody else inserts them."""
        try:
            self._session.load(load)
        except (RuntimeError, IntegrityError) as error:
            if "Duplicate entry" not in str(error):
                raise
            raise XiaoeReconciliationError(f"{error}: {_INTRUDER.format(load.table)}") from error

    def _merge(self, load: TableLoad, *, has_problems: bool) -> tuple[int, int]:
        self._session.load(load)
        if has_problems:
            field_problems.keep_last_good(self._session, self._resource, self._staging)
        counts = 0, 0
        for statement in self._statements:
            if re.match(rf"INSERT INTO {self._resource.table}\b", statement, re.IGNORECASE):
                counts = self._session.upsert(statement)
            else:
                self._session.execute(statement)
        self._session.execute(f"DELETE FROM {self._staging}")
        return counts

    def _rehash(self, rows: list[Row]) -> None:
        """Set the raw hash of rows whose `row_hash` is still the same; nothing else of them changes.

        A row that a later chunk contained again may have another content by now.
        """
        key = self._resource.key
        self._session.bulk_load(self._staging, ("shop_id", key, *BOOKKEEPING), rows)
        self._session.execute(
            f"UPDATE {self._staging} AS s STRAIGHT_JOIN {self._resource.table} AS t"
            f" ON t.shop_id = s.shop_id AND t.{key} = s.{key} SET t.raw_hash = s.raw_hash"
            " WHERE t.row_hash = s.row_hash"
        )
        self._session.execute(f"DELETE FROM {self._staging}")


_INTRUDER = "is another program writing to {}? Nothing was kept; clear this task to try again"

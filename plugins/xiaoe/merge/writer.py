"""What a merge asks the server and tells it, on one session; for one thread at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any

from MySQLdb import IntegrityError

from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.merge import field_problems, outbox, rejected
from xiaoe.merge.changes import Chunk, Incoming, Stored
from xiaoe.merge.expected import Expected
from xiaoe.merge.members import KnownMembers, Named, named_by
from xiaoe.mysql.load_data import Lines, OnDuplicate, tsv_column
from xiaoe.mysql.session import Session
from xiaoe.resources.base import BOOKKEEPING, Copy, Resource
from xiaoe.rows.decode import PROBLEM_COLUMNS, Row
from xiaoe.storage.pages import Manifest

_CONTROL = re.compile(r"[\x00-\x1f]")


@dataclass(frozen=True)
class Load:
    """Rows for one table, ready to be sent."""

    table: str
    columns: Sequence[str]
    rows: Sequence[Row] | Lines
    on_duplicate: OnDuplicate = "fail"


@dataclass(frozen=True)
class Parcel:
    """A chunk, ready to be sent: what takes the client's time is done.

    Args:
        chunk: What it is made of.
        new: Rows that go into their tables directly.
        staged: Rows that the merge statements take from staging, if any.
        named: Members that the rows name.
    """

    chunk: Chunk
    new: list[Load]
    staged: list[Load]
    named: list[Named]


class Writer:
    """Writes the chunks of one run.

    Args:
        session: In the merge's transaction.
        resource: Whose rows.
        statements: The merge statements.
        manifest: Of the run.
    """

    def __init__(self, session: Session, resource: Resource, statements: list[str], manifest: Manifest) -> None:
        self._session = session
        self._resource = resource
        self._statements = statements
        self._manifest = manifest
        self._columns = resource.columns
        self._key = self._columns.index(resource.key)
        self._staging = f"stg_{resource.table}"
        self._members = KnownMembers(session, manifest)
        self._near = True
        self._days: set[tuple[str, str]] = set()

    def create_staging(self) -> None:
        """A TEMPORARY table with the target's own types, in key order; before the transaction begins."""
        self._session.execute(f"DROP TEMPORARY TABLE IF EXISTS {self._staging}")
        self._session.execute(
            f"CREATE TEMPORARY TABLE {self._staging} (PRIMARY KEY (shop_id, {self._resource.key}))"
            f" SELECT {', '.join(self._columns)} FROM {self._resource.table} LIMIT 0"
        )
        self._loads_files = self._session.loads_files(self._staging)
        self._session.commit()

    def stored(self, incoming: Incoming, expected: Expected) -> Stored:
        """What the warehouse holds of these rows, and perhaps of others; and which of them are `held`.

        Rows of one chunk mostly lie side by side: keys tell when they were made. Then one range is several times
        faster to read than as many single keys. Where that is not so, the first chunk shows it.
        """
        keys = sorted(incoming.newest)
        if not keys:
            return {}
        rows: list[tuple[Any, ...]] = []
        # utf8mb4_bin pads with spaces: what ends in a control character comes before what it begins with.
        if self._near and not _CONTROL.search("".join(keys)):
            limit = 2 * len(keys)
            rows = self._look_up(expected, f"BETWEEN %s AND %s LIMIT {limit}", keys[0], keys[-1])
            self._near = len(rows) < limit
        else:
            self._near = False
        if not self._near:
            rows = self._look_up(expected, f"IN ({', '.join(['%s'] * len(keys))})", *keys)
        return {row[0].rstrip(" "): row[1:] for row in rows}

    def pack(self, chunk: Chunk) -> Parcel:
        """Make a chunk ready; asks the server nothing, so another thread may be writing."""
        resource, by_key = self._resource, itemgetter(self._key)
        new = sorted(chunk.new.values(), key=by_key) if resource.loads_new_rows else []
        staged = sorted(chunk.changed.values() if resource.loads_new_rows else chunk.rows, key=by_key)
        itself = {column: column for column in self._columns[1:]}
        copies = [Copy(resource.table, itself), *resource.copies, *outbox.copies(resource)]
        for kind, columns in resource.feeds.mart_days.items():
            places = [self._columns.index(column) for column in columns]
            self._days.update((kind, row[place][:10]) for row in new for place in places if row[place])
        rows = chunk.rows
        named = [
            named_by(member, [self._columns.index(column) for column in member.columns.values()], rows)
            for member in self._resource.members
        ]
        return Parcel(
            chunk,
            self._loads(new, copies),
            self._loads(staged, [Copy(self._staging, itself, on_duplicate="replace")]),
            named,
        )

    def write(self, parcel: Parcel) -> None:
        """Write a chunk.

        Raises:
            XiaoeReconciliationError: The server counts otherwise.
        """
        chunk = parcel.chunk
        rejected.resolve_rejects(self._session, self._resource, self._manifest, chunk.typed)
        rejected.write_rejected(self._session, self._resource, self._manifest, chunk.rejected)
        field_problems.resolve(self._session, self._manifest, chunk.reread)
        field_problems.write(self._session, self._manifest, chunk.problems)
        for load in parcel.new:
            self._insert(load)
        staged = len(chunk.changed) if parcel.new else len(chunk.rows)
        counts = [self._merge(load, has_problems=bool(chunk.problems)) for load in parcel.staged]
        for named in parcel.named:
            self._members.insert_unknown(named)
        if sum(map(sum, counts)) != staged:  # a member that a merge of orders inserted meanwhile counts as changed
            raise XiaoeReconciliationError(
                f"{staged} rows of {self._resource.name} were to be written, the server says (inserted, changed)"
                f" {counts}: {_INTRUDER.format(self._resource.table)}"
            )
        if chunk.rehashed:
            self._rehash([chunk.rehashed[key] for key in sorted(chunk.rehashed)])

    def finish(self) -> None:
        """Queue the days of new rows for the marts; after the last chunk."""
        for kind in sorted({kind for kind, _ in self._days}):
            days = [date.fromisoformat(day) for one, day in self._days if one == kind]
            outbox.queue_days(self._session, self._manifest.shop_id, kind, days)

    def _look_up(self, expected: Expected, condition: str, *keys: str) -> list[tuple[Any, ...]]:
        # What this run wrote, perhaps for the slice before, was not held when it began. The index is named, because
        # MySQL misjudges a table that has just grown.
        return self._session.query(
            f"SELECT {self._resource.key}, raw_hash, row_hash, CAST(observed_at AS CHAR), absent_since IS NOT NULL,"
            f" {expected.condition} AND batch_id <> %s, {PROBLEM_COLUMNS} IS NOT NULL"
            f" FROM {self._resource.table} FORCE INDEX (PRIMARY)"
            f" WHERE shop_id = %s AND {self._resource.key} {condition}",
            (*expected.parameters, self._manifest.batch_id, self._manifest.shop_id, *keys),
        )

    def _loads(self, rows: Sequence[Row], copies: Iterable[Copy]) -> list[Load]:
        if not rows:
            return []
        columns: dict[str, Sequence[Any]] = dict(zip(self._columns, zip(*rows, strict=True), strict=True))
        if self._loads_files:
            columns = {name: tsv_column(values) for name, values in columns.items()}
        loads = []
        for copy in copies:
            sources = ("shop_id", *copy.columns.values())
            taken = [columns.get(str(source)) or [str(source)] * len(rows) for source in sources]
            content = Lines.of(taken) if self._loads_files else list(zip(*taken, strict=True))
            loads.append(Load(copy.table, ("shop_id", *copy.columns), content, copy.on_duplicate))
        return loads

    def _insert(self, load: Load) -> None:
        """Load rows that were not there when they were looked for; under the lock, nobody else adds any."""
        try:
            self._session.bulk_load(load.table, load.columns, load.rows, on_duplicate=load.on_duplicate)
        except (RuntimeError, IntegrityError) as error:
            if "Duplicate entry" not in str(error):
                raise
            raise XiaoeReconciliationError(f"{error}: {_INTRUDER.format(load.table)}") from error

    def _merge(self, load: Load, *, has_problems: bool) -> tuple[int, int]:
        self._session.bulk_load(load.table, load.columns, load.rows)
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
        """Set the raw hash of rows that still are what those bytes say; nothing else of them changes.

        A row that came once more, in a later chunk, may be another one by now: `row_hash` tells.
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

"""Page store → warehouse: everything a manifest names, in one transaction (docs/decisions/0006)."""

from __future__ import annotations

import re
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from msgspec import Raw

from xiaoe import ledger, paging, reconcile, sync_status
from xiaoe.envelope import open_envelope, read_listing
from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.ledger import Rejected
from xiaoe.members import insert_unknown
from xiaoe.pages import Manifest, RunFolder, SliceManifest
from xiaoe.resources import Resource, Scope
from xiaoe.rows.decode import Row, RowError, row_hash
from xiaoe.run_log import write_run
from xiaoe.warehouse import Session, Warehouse, retry_conflicts, split_statements

CHUNK_ROWS = 5000
"""Rows held and loaded at a time; larger chunks were not faster (docs/performance.md)."""
COUNTED = ("staged", "inserted", "updated", "unchanged", "rejected")
BOOKKEEPING = ("row_hash", "raw_hash", "observed_at", "batch_id")


@dataclass(frozen=True)
class Stored:
    """What the warehouse knows of a row, enough to tell whether a page brings anything new."""

    raw_hash: int
    row_hash: int
    observed_at: str
    absent: bool


@dataclass
class Chunk:
    """What became of the rows of one chunk of pages."""

    rows: list[Row] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class Merger:
    """Merges what one run staged.

    Args:
        warehouse: Where to.
        resource: Whose rows.
        sql: The merge statements, rendered from include/sql/merge/.
    """

    def __init__(self, warehouse: Warehouse, resource: Resource, sql: str) -> None:
        self._warehouse = warehouse
        self._resource = resource
        self._statements = split_statements(sql)

    def merge(
        self, folder: RunFolder, manifest: Manifest, *, accept_missing: bool = False, dry_run: bool = False
    ) -> Counter[str]:
        """Merge every slice, write the ledger and the status, move the watermark: all or nothing.

        Args:
            folder: Holds the pages.
            manifest: Names them.
            accept_missing: Rows that the API no longer lists are marked absent instead of failing the run.
            dry_run: Take it all back in the end.

        Returns:
            Rows `staged`, `inserted`, `updated`, `unchanged`, `rejected`, `absent`.

        Raises:
            XiaoeReconciliationError: The warehouse and the API disagree; nothing was changed, but for rows of a
                look-up that were found.
        """

        def once() -> Counter[str]:
            with (
                self._warehouse.session() as session,
                session.lock("merge", manifest.shop_id, self._resource.name),
            ):
                attempt = _Transaction(session, self._resource, self._statements, folder, manifest, accept_missing)
                totals = attempt.run()
                session.rollback() if dry_run else session.commit()
                return totals

        return retry_conflicts(once)


class _Transaction:
    """One attempt to merge a manifest, under the lock; what it did not commit is gone with the session."""

    def __init__(
        self,
        session: Session,
        resource: Resource,
        statements: list[str],
        folder: RunFolder,
        manifest: Manifest,
        accept_missing: bool,
    ) -> None:
        self._session = session
        self._resource = resource
        self._statements = statements
        self._folder = folder
        self._manifest = manifest
        self._accept_missing = accept_missing
        self._staging = f"stg_{resource.table}"
        self._columns = ("shop_id", *resource.reader.columns, *BOOKKEEPING)
        self._key = self._columns.index(resource.key)
        self._time = resource.reader.columns.index(resource.time) if resource.time else None

    def run(self) -> Counter[str]:
        """Merge all slices; what commits is the caller."""
        started = time.monotonic()
        totals = Counter(dict.fromkeys(COUNTED, 0))
        self._create_staging()
        self._seen_later = ledger.windows_seen_after(self._session, self._manifest)
        self._unresolved = ledger.unresolved_rejects(self._session, self._manifest)
        held = self._held()
        merged = [self._merge_slice(part) for part in self._manifest.slices]
        for counts, _ in merged:
            totals.update(counts)
        totals["absent"] = self._mark_absent([keys for _, keys in merged], held)
        sync_status.write_success(self._session, self._manifest, _summary(totals))
        write_run(self._session, self._manifest, totals, merge_seconds=time.monotonic() - started)
        return totals

    def _create_staging(self) -> None:
        """A TEMPORARY table with the target's own types, in key order; before the transaction begins."""
        self._session.execute(f"DROP TEMPORARY TABLE IF EXISTS {self._staging}")
        self._session.execute(
            f"CREATE TEMPORARY TABLE {self._staging} (PRIMARY KEY (shop_id, {self._resource.key}))"
            f" SELECT {', '.join(self._columns)} FROM {self._resource.table} LIMIT 0"
        )
        self._session.commit()

    def _merge_slice(self, part: SliceManifest) -> tuple[Counter[str], paging.Keys]:
        counts: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        keys, written, refused = array("Q"), array("Q"), array("Q")
        for rows in _chunks(self._resource, self._folder, part):
            keys.extend(paging.key_hash(self._resource.reader.key(raw) or bytes(raw)) for raw, _ in rows)
            chunk = self._pick(rows)
            counts.update(self._write(chunk))
            unknown.update(self._resource.reader.unknown_codes([row[1:] for row in chunk.rows]))
            written.extend(paging.key_hash(row[self._key]) for row in chunk.rows)
            refused.extend(paging.key_hash(one.key or one.raw) for one in chunk.rejected)
        distinct = paging.distinct(keys)
        reconcile.check_pages(self._resource, part, distinct)
        counts["staged"] = len(distinct)
        # A row that came twice, in two chunks, may have been written or rejected twice: it counts once.
        counts["updated"] -= len(written) - len(paging.distinct(written))
        counts["rejected"] = len(np.setdiff1d(paging.distinct(refused), paging.distinct(written)))
        counts["unchanged"] = len(distinct) - counts["inserted"] - counts["updated"] - counts["rejected"]
        if not self._manifest.is_lookup:
            ledger.write_window(self._session, self._manifest, part, counts, unknown)
        return counts, distinct

    def _held(self) -> int:
        """Rows that a whole list had the last time; of other resources nobody asks."""
        is_whole = self._resource.scope is Scope.WHOLE
        return ledger.held_rows(self._session, self._resource, self._manifest.shop_id) if is_whole else 0

    def _mark_absent(self, keys: list[paging.Keys], held: int) -> int:
        """Compare what came with what the warehouse holds; return how many rows were marked absent."""
        if self._manifest.is_lookup:
            return reconcile.mark_not_listed(self._session, self._resource, self._manifest, accept=self._accept_missing)
        if self._resource.scope is Scope.WHOLE and self._seen_later:
            return 0  # this merge is late: who is there, a later refresh has told
        parts = [([part], one) for part, one in zip(self._manifest.slices, keys, strict=True)]
        if self._resource.scope is Scope.CHANGED:  # a row may have moved from one slice to a later one
            parts = [(self._manifest.slices, paging.merged(keys))]
        return sum(
            reconcile.mark_missing(
                self._session, self._resource, self._manifest, slices, one, held=held, accept=self._accept_missing
            )
            for slices, one in parts
        )

    def _pick(self, rows: list[tuple[Raw, str]]) -> Chunk:
        """Keep what is new or changed and not older than what the warehouse has seen; type only that."""
        reader = self._resource.reader
        chunk = Chunk()
        newest: dict[str, tuple[Raw, str]] = {}
        for raw, observed_at in rows:
            key = reader.key(raw)
            if key is None:
                chunk.rejected.append(self._rejected(None, raw, observed_at))
            elif key not in newest or newest[key][1] <= observed_at:
                newest[key] = (raw, observed_at)
        stored = self._stored(list(newest))
        for key in sorted(newest):
            raw, observed_at = newest[key]
            raw_hash = reader.raw_hash(raw)
            old = stored.get(key)
            if old and self._is_known(old, observed_at, old.raw_hash == raw_hash):
                continue
            try:
                row = reader.row(raw)
            except RowError:
                chunk.rejected.append(self._rejected(key, raw, observed_at))
                continue
            hashed = row_hash(row)
            if old and (
                self._is_known(old, observed_at, old.row_hash == hashed) or self._was_seen_later(row, observed_at)
            ):
                continue
            chunk.rows.append((self._manifest.shop_id, *row, hashed, raw_hash, observed_at, self._manifest.batch_id))
        typed = {key for key, (_, seen) in newest.items() if self._unresolved.get(key, "9") <= seen}
        ledger.resolve_rejects(self._session, self._manifest, typed - {one.key for one in chunk.rejected})
        return chunk

    def _is_known(self, old: Stored, observed_at: str, same: bool) -> bool:
        """Whether the warehouse holds all that this observation tells, or newer.

        No ledger window tells later that a row that was looked up was seen: it is written even if it did not
        change, so that its own `observed_at` does.
        """
        if self._manifest.is_lookup:
            return old.observed_at > observed_at or (old.observed_at == observed_at and same)
        return old.observed_at > observed_at or (same and not old.absent)

    def _was_seen_later(self, row: Row, observed_at: str) -> bool:
        """Whether a merged window saw the row, unchanged, after this page did."""
        moment = ledger.beijing_text(self._manifest.window.begin) if self._time is None else row[self._time]
        later = ledger.last_seen(self._seen_later, moment)
        return later is not None and ledger.utc_text(later) > observed_at

    def _stored(self, keys: list[str]) -> dict[str, Stored]:
        if not keys:
            return {}
        places = ", ".join(["%s"] * len(keys))
        rows = self._session.query(
            f"SELECT {self._resource.key}, raw_hash, row_hash,"
            f" DATE_FORMAT(observed_at, '%%Y-%%m-%%d %%H:%%i:%%S.%%f'), absent_since IS NOT NULL"
            f" FROM {self._resource.table} WHERE shop_id = %s AND {self._resource.key} IN ({places})",
            (self._manifest.shop_id, *keys),
        )
        return {key: Stored(raw, typed, seen[:-3], bool(absent)) for key, raw, typed, seen, absent in rows}

    def _rejected(self, key: str | None, raw: Raw, observed_at: str) -> Rejected:
        try:
            self._resource.reader.row(raw)
            reason = "it has no key"
        except RowError as error:
            reason = str(error)
        reader = self._resource.reader
        return Rejected(key, reason, reader.raw_hash(raw), bytes(raw), observed_at, kept=reader.kept(raw))

    def _write(self, chunk: Chunk) -> Counter[str]:
        """Load the chunk into staging, run the merge statements, keep the rejected rows."""
        counts: Counter[str] = Counter()
        ledger.write_rejected(self._session, self._manifest, chunk.rejected)
        if not chunk.rows:
            return counts
        self._session.bulk_load(self._staging, self._columns, chunk.rows)
        for statement in self._statements:
            if re.match(rf"INSERT INTO {self._resource.table}\b", statement, re.IGNORECASE):
                counts["inserted"], counts["updated"] = self._session.upsert(statement)
            else:
                self._session.execute(statement)
        for member in self._resource.members:
            insert_unknown(self._session, member, self._staging, self._manifest)
        self._session.execute(f"DELETE FROM {self._staging}")
        if counts["inserted"] + counts["updated"] != len(chunk.rows):
            raise XiaoeReconciliationError(
                f"{len(chunk.rows)} rows of {self._resource.name} were to be written, the server says"
                f" {counts['inserted']} inserted and {counts['updated']} changed: is another program writing to"
                f" {self._resource.table}? Nothing was kept; clear this task to try again"
            )
        return counts


def _chunks(resource: Resource, folder: RunFolder, part: SliceManifest) -> Iterator[list[tuple[Raw, str]]]:
    """The raw rows of a slice with the time they were seen, page after page, some thousand at a time."""
    rows: list[tuple[Raw, str]] = []
    for name in part.pages:
        page = folder.read_page(name)
        if page is None:
            raise XiaoeReconciliationError(
                f"page {name} is gone from {folder.path}: clear the stage task, it reads the window again"
            )
        listing = read_listing(open_envelope(page.body).data, total_field=resource.total_key)
        rows.extend((raw, ledger.utc_text(page.observed_at)) for raw in listing.rows)
        if len(rows) >= CHUNK_ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _summary(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {counts[name]}" for name in COUNTED)

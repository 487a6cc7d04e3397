"""Page store → warehouse: everything a manifest names, in one transaction (docs/decisions/0006)."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import sqlparse
from msgspec import Raw

from xiaoe import ledger, paging
from xiaoe.envelope import open_envelope, read_listing
from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.ledger import SeenWindow
from xiaoe.pages import Manifest, RunFolder, SliceManifest
from xiaoe.resources import Resource
from xiaoe.rows.decode import Row, RowError, row_hash
from xiaoe.warehouse import Session, Warehouse, retry_conflicts

CHUNK_ROWS = 5000
"""Rows held and loaded at a time; larger chunks were not faster (docs/performance.md)."""
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
    rejected: list[tuple[str | None, str, int, bytes, str]] = field(default_factory=list)


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
        self._statements = [text for text in sqlparse.split(sqlparse.format(sql, strip_comments=True)) if text]
        self._staging = f"stg_{resource.table}"
        self._columns = ("shop_id", *resource.reader.columns, *BOOKKEEPING)
        self._key = self._columns.index(resource.key)
        self._time = resource.reader.columns.index(resource.time)

    def merge(self, folder: RunFolder, manifest: Manifest, *, accept_missing: bool = False) -> Counter[str]:
        """Merge every slice, write the ledger and the status, move the watermark: all or nothing.

        Args:
            folder: Holds the pages.
            manifest: Names them.
            accept_missing: Rows that the API no longer lists are marked absent instead of failing the run.

        Returns:
            Rows `staged`, `inserted`, `updated`, `unchanged`, `rejected`, `absent`.

        Raises:
            XiaoeReconciliationError: The warehouse and the API disagree; nothing was changed.
        """
        return retry_conflicts(lambda: self._merge_once(folder, manifest, accept_missing))

    def _merge_once(self, folder: RunFolder, manifest: Manifest, accept_missing: bool) -> Counter[str]:
        totals: Counter[str] = Counter()
        with (
            self._warehouse.session() as session,
            session.lock("merge", manifest.shop_id, self._resource.name),
        ):
            self._create_staging(session)
            seen_later = ledger.windows_seen_after(session, manifest)
            unresolved = ledger.unresolved_rejects(session, manifest)
            for part in manifest.slices:
                counts = self._merge_slice(session, folder, manifest, part, seen_later, unresolved, accept_missing)
                totals.update(counts)
            ledger.write_success(session, manifest, _summary(totals))
            session.commit()
        return totals

    def _create_staging(self, session: Session) -> None:
        """A TEMPORARY table with the target's own types, in key order; before the transaction begins."""
        session.execute(f"DROP TEMPORARY TABLE IF EXISTS {self._staging}")
        session.execute(
            f"CREATE TEMPORARY TABLE {self._staging} (PRIMARY KEY (shop_id, {self._resource.key}))"
            f" SELECT {', '.join(self._columns)} FROM {self._resource.table} LIMIT 0"
        )
        session.commit()

    def _merge_slice(
        self,
        session: Session,
        folder: RunFolder,
        manifest: Manifest,
        part: SliceManifest,
        seen_later: list[SeenWindow],
        unresolved: dict[str, str],
        accept_missing: bool,
    ) -> Counter[str]:
        counts: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        keys, written, refused = array("Q"), array("Q"), array("Q")
        for rows in _chunks(self._resource, folder, part):
            newest: dict[str, tuple[Raw, str]] = {}
            chunk = Chunk()
            for raw, observed_at in rows:
                key = self._resource.reader.key(raw)
                keys.append(paging.key_hash(key or bytes(raw)))
                if key is None:
                    self._reject(chunk, None, raw, observed_at)
                elif key not in newest or newest[key][1] <= observed_at:
                    newest[key] = (raw, observed_at)
            self._sort(session, manifest, newest, seen_later, chunk)
            counts.update(self._write(session, manifest, chunk))
            unknown.update(self._resource.reader.unknown_codes([row[1:] for row in chunk.rows]))
            written.extend(paging.key_hash(row[self._key]) for row in chunk.rows)
            refused.extend(paging.key_hash(key or raw) for key, _, _, raw, _ in chunk.rejected)
            typed = {key: seen for key, (_, seen) in newest.items() if unresolved.get(key, "9") <= seen}
            ledger.resolve_rejects(session, manifest, typed.keys() - {one[0] for one in chunk.rejected})
        distinct = paging.distinct(keys)
        counts["staged"] = len(distinct)
        # A row that came twice, in two chunks, may have been written or rejected twice: it counts once.
        counts["updated"] -= len(written) - len(paging.distinct(written))
        counts["rejected"] = len(np.setdiff1d(paging.distinct(refused), paging.distinct(written)))
        counts["unchanged"] = len(distinct) - counts["inserted"] - counts["updated"] - counts["rejected"]
        counts["absent"] = self._reconcile(session, manifest, part, distinct, accept_missing)
        ledger.write_window(session, manifest, part, counts, unknown)
        return counts

    def _sort(
        self,
        session: Session,
        manifest: Manifest,
        newest: dict[str, tuple[Raw, str]],
        seen_later: list[SeenWindow],
        chunk: Chunk,
    ) -> None:
        """Keep what is new or changed and not older than what the warehouse has seen; type only that."""
        reader = self._resource.reader
        stored = self._stored(session, manifest.shop_id, list(newest))
        for key in sorted(newest):
            raw, observed_at = newest[key]
            raw_hash = reader.raw_hash(raw)
            old = stored.get(key)
            if old and (old.observed_at > observed_at or (old.raw_hash == raw_hash and not old.absent)):
                continue
            try:
                row = reader.row(raw)
            except RowError:
                self._reject(chunk, key, raw, observed_at)
                continue
            hashed = row_hash(row)
            if old and old.row_hash == hashed and not old.absent:
                continue
            later = ledger.last_seen(seen_later, row[self._time])
            if old and later and ledger.utc_text(later) > observed_at:
                continue
            chunk.rows.append((manifest.shop_id, *row, hashed, raw_hash, observed_at, manifest.batch_id))

    def _stored(self, session: Session, shop_id: str, keys: list[str]) -> dict[str, Stored]:
        if not keys:
            return {}
        places = ", ".join(["%s"] * len(keys))
        rows = session.query(
            f"SELECT {self._resource.key}, raw_hash, row_hash,"
            f" DATE_FORMAT(observed_at, '%%Y-%%m-%%d %%H:%%i:%%S.%%f'), absent_since IS NOT NULL"
            f" FROM {self._resource.table} WHERE shop_id = %s AND {self._resource.key} IN ({places})",
            (shop_id, *keys),
        )
        return {key: Stored(raw, typed, seen[:-3], bool(absent)) for key, raw, typed, seen, absent in rows}

    def _reject(self, chunk: Chunk, key: str | None, raw: Raw, observed_at: str) -> None:
        try:
            self._resource.reader.row(raw)
            reason = "it has no key"
        except RowError as error:
            reason = str(error)
        chunk.rejected.append((key, reason, self._resource.reader.raw_hash(raw), bytes(raw), observed_at))

    def _write(self, session: Session, manifest: Manifest, chunk: Chunk) -> Counter[str]:
        """Load the chunk into staging, run the merge statements, keep the rejected rows."""
        counts: Counter[str] = Counter()
        if chunk.rows:
            session.bulk_load(self._staging, self._columns, chunk.rows)
            for statement in self._statements:
                if re.match(rf"INSERT INTO {self._resource.table}\b", statement, re.IGNORECASE):
                    counts["inserted"], counts["updated"] = session.upsert(statement)
                else:
                    session.execute(statement)
            session.execute(f"DELETE FROM {self._staging}")
            if counts["inserted"] + counts["updated"] != len(chunk.rows):
                raise XiaoeReconciliationError(
                    f"{len(chunk.rows)} rows of {self._resource.name} were to be written, the server says"
                    f" {counts['inserted']} inserted and {counts['updated']} changed: is another program writing to"
                    f" {self._resource.table}? Nothing was kept; clear this task to try again"
                )
        if chunk.rejected:
            session.insert_many(
                "INSERT INTO rejected_rows (shop_id, resource, raw_hash, row_key, reason, raw_json, batch_id,"
                " first_seen_at, last_seen_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " ON DUPLICATE KEY UPDATE seen_count = seen_count + (VALUES(last_seen_at) > last_seen_at),"
                " resolved_at = IF(VALUES(last_seen_at) > last_seen_at, NULL, resolved_at),"
                " last_seen_at = GREATEST(last_seen_at, VALUES(last_seen_at))",
                [
                    (
                        manifest.shop_id,
                        self._resource.name,
                        hashed,
                        key,
                        reason[:1000],
                        raw.decode("utf-8", "replace"),
                        manifest.batch_id,
                        observed_at,
                        observed_at,
                    )
                    for key, reason, hashed, raw, observed_at in chunk.rejected
                ],
            )
        return counts

    def _reconcile(
        self,
        session: Session,
        manifest: Manifest,
        part: SliceManifest,
        keys: paging.Keys,
        accept_missing: bool,
    ) -> int:
        """Compare the slice with its manifest and with the warehouse.

        Returns:
            How many rows were marked absent.
        """
        window = part.window
        if len(keys) != part.staged:
            raise XiaoeReconciliationError(
                f"{self._resource.name} {window}: the pages hold {len(keys)} rows, the manifest says {part.staged}:"
                " the page store was changed; clear the stage task, it reads the window again"
            )
        seen = datetime.fromisoformat(part.observed_at)
        missing = ledger.missing_rows(session, self._resource, manifest.shop_id, window, seen, keys)
        if missing and not accept_missing:
            raise XiaoeReconciliationError(
                f"{self._resource.name} {window}: the API lists {part.staged} rows, the warehouse holds"
                f" {len(missing)} more that it no longer lists: {', '.join(missing[:10])}. Nothing was changed."
                " If they really were deleted in the shop, trigger the DAG for this window with accept_missing:"
                " they are marked with absent_since. Otherwise clear the stage task to ask the API again"
            )
        ledger.mark_absent(session, self._resource, manifest.shop_id, missing)
        return len(missing)


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
    return ", ".join(f"{name} {counts[name]}" for name in ("staged", "inserted", "updated", "unchanged", "rejected"))

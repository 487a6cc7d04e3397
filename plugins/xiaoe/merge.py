"""Page store → warehouse: everything a manifest names, in one transaction (docs/decisions/0006)."""

from __future__ import annotations

import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from xiaoe import chunk, ledger, paging, reconcile, sync_status
from xiaoe.chunk import Chunk, Incoming, Judge, Stored
from xiaoe.pages import Manifest, RunFolder, SliceManifest
from xiaoe.resources import Resource, Scope
from xiaoe.run_log import write_run
from xiaoe.warehouse import Session, Warehouse, retry_conflicts, split_statements
from xiaoe.writing import Writer

T = TypeVar("T")

CHUNK_ROWS = 2500
"""Rows held and loaded at a time; larger chunks were not faster (docs/performance.md)."""
COUNTED = ("staged", "inserted", "updated", "unchanged", "rejected")


@dataclass
class _Slice:
    """What becomes of a slice's rows; keys are hashes."""

    part: SliceManifest
    keys: array[int] = field(default_factory=lambda: array("Q"))
    written: array[int] = field(default_factory=lambda: array("Q"))
    refused: array[int] = field(default_factory=lambda: array("Q"))
    counts: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def close(self) -> paging.Keys:
        """Add the counts up and return the distinct keys."""
        distinct, written = paging.distinct(self.keys), paging.distinct(self.written)
        counts = self.counts
        counts["staged"] = len(distinct)
        # A row that came twice, in two chunks, may have been written or rejected twice: it counts once.
        counts["updated"] -= len(self.written) - len(written)
        counts["rejected"] = len(np.setdiff1d(paging.distinct(self.refused), written))
        counts["unchanged"] = len(distinct) - counts["inserted"] - counts["updated"] - counts["rejected"]
        return distinct


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
        self._folder = folder
        self._manifest = manifest
        self._accept_missing = accept_missing
        self._statements = statements

    def run(self) -> Counter[str]:
        """Merge all slices; what commits is the caller."""
        started = time.monotonic()
        totals = Counter(dict.fromkeys(COUNTED, 0))
        self._writer = Writer(self._session, self._resource, self._statements, self._manifest)
        self._writer.create_staging()
        self._seen_later = ledger.windows_seen_after(self._session, self._manifest)
        unresolved = ledger.unresolved_rejects(self._session, self._manifest)
        self._judge = Judge(self._resource, self._manifest, self._seen_later, unresolved)
        held = self._held()
        slices = [_Slice(part) for part in self._manifest.slices]
        self._merge_rows(slices)
        keys = [self._close(one) for one in slices]
        for one in slices:
            totals.update(one.counts)
        totals["absent"] = self._mark_absent(keys, held)
        sync_status.write_success(self._session, self._manifest, _summary(totals))
        write_run(self._session, self._manifest, totals, merge_seconds=time.monotonic() - started)
        return totals

    def _merge_rows(self, slices: list[_Slice]) -> None:
        """Write every chunk of every slice.

        All SQL runs on a thread of its own, in this order: look up 1, look up 2, write 1, look up 3, write 2, ...
        While the server writes a chunk, this thread types the next one. So a chunk is looked up before the one
        in front of it is written, and has to be told what that one brings. Chunks of which little is to be written
        are held until it is worth the statements.
        """
        before: Stored = {}
        held, writing = Chunk(), None
        with ThreadPoolExecutor(1, thread_name_prefix="xiaoe-merge") as thread:
            for one, incoming, looked_up in _one_ahead(self._looked_up(slices, thread)):
                picked = self._judge.pick(incoming, looked_up.result() | before)
                self._note(one, incoming, picked)
                held.add(picked)
                before |= self._judge.stored(picked)
                if held.is_due(CHUNK_ROWS // 2):
                    parcel = self._writer.pack(held)
                    if writing is not None:
                        writing.result()
                    writing = thread.submit(self._writer.write, parcel)
                    before, held = self._judge.stored(held), Chunk()
            if writing is not None:
                writing.result()
        self._writer.write(self._writer.pack(held))
        self._writer.finish()

    def _looked_up(
        self, slices: list[_Slice], thread: ThreadPoolExecutor
    ) -> Iterator[tuple[_Slice, Incoming, Future[Stored]]]:
        for one in slices:
            for incoming in chunk.read(self._resource, self._folder, one.part, CHUNK_ROWS):
                yield one, incoming, thread.submit(self._writer.stored, incoming)

    def _note(self, one: _Slice, incoming: Incoming, picked: Chunk) -> None:
        one.keys.extend(incoming.hashes)
        one.written.extend(self._judge.key_hashes(picked))
        one.refused.extend(paging.key_hash(row.key or row.raw) for row in picked.rejected)
        one.unknown.update(self._judge.unknown_codes(picked))
        one.counts.update(inserted=len(picked.new), updated=len(picked.changed))

    def _close(self, one: _Slice) -> paging.Keys:
        keys = one.close()
        reconcile.check_pages(self._resource, one.part, keys)
        if not self._manifest.is_lookup:
            ledger.write_window(self._session, self._manifest, one.part, one.counts, one.unknown)
        return keys

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


def _one_ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield each item when the one behind it is there."""
    held: deque[T] = deque()
    for item in items:
        held.append(item)
        if len(held) > 1:
            yield held.popleft()
    yield from held


def _summary(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {counts[name]}" for name in COUNTED)

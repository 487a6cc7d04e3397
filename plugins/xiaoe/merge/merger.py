"""Page store → warehouse: everything a manifest names, in one transaction (docs/decisions/0006)."""

from __future__ import annotations

import gc
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from xiaoe.merge import changes, ledger, reconcile, rejected, status
from xiaoe.merge.changes import ChangeDetector, Chunk, Known, RawChunk
from xiaoe.merge.expected import Expected, count_expected, count_listed
from xiaoe.merge.run_log import write_run
from xiaoe.merge.writer import Writer
from xiaoe.mysql.session import Session, retry_conflicts
from xiaoe.mysql.templates import split_statements
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.base import Resource, Scope
from xiaoe.rows.keys import Keys, among, distinct, key_hash, merged
from xiaoe.storage.pages import Manifest, RunFolder, SliceManifest

T = TypeVar("T")

CHUNK_ROWS = 2500
"""Rows held and loaded at a time; larger chunks were not faster (docs/decisions/0026)."""
_WORTH_WRITING = 100
"""Rows; fewer wait for others, and so do up to `CHUNK_ROWS` while the server is still writing those before them."""
_LOOKED_UP_AHEAD = 2
"""Chunks that are looked up while one is judged, so that a write holds nobody up."""
COUNTED = ("staged", "inserted", "updated", "unchanged", "rejected")


@dataclass
class _Slice:
    """What becomes of a slice's rows; keys are hashes, an array for each chunk.

    Args:
        part: The slice.
        expected: The rows that it, or all slices together, have to bring.
        keys: Of all rows that came.
        written: Of those that are new or changed.
        refused: Of those that cannot be typed.
        unexpected: Of those that are not `held`, or not any more.
        is_plain: Whether each key came as the warehouse keeps it.
        brought: How many held rows came and were not written; None where keys tell too little.
        counts: For the ledger.
        unknown: Codes without a text → rows.
        distinct: `keys`, sorted and without twins, once all rows came.
    """

    part: SliceManifest
    expected: Expected
    keys: list[array[int]] = field(default_factory=list)
    written: list[array[int]] = field(default_factory=list)
    refused: list[array[int]] = field(default_factory=list)
    unexpected: list[array[int]] = field(default_factory=list)
    is_plain: bool = True
    brought: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    distinct: Keys | None = None

    def close(self) -> Keys:
        """The distinct keys, once all rows came; the first call adds the counts up and lets go of the rest."""
        if self.distinct is None:
            counts, written = self.counts, distinct(self.written)
            # A row that came twice, in two chunks, may have been written or rejected twice: it counts once.
            counts["updated"] -= sum(map(len, self.written)) - len(written)
            counts["rejected"] = int((~among(distinct(self.refused), written)).sum())
            del written  # each is let go before the next is made
            self.written, self.refused = [], []
            unexpected = len(distinct(self.unexpected))
            self.unexpected = []
            self.distinct = distinct(self.keys)
            self.keys = []
            counts["staged"] = len(self.distinct)
            counts["unchanged"] = counts["staged"] - counts["inserted"] - counts["updated"] - counts["rejected"]
            if self.is_plain:
                self.brought = counts["staged"] - unexpected
        return self.distinct


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
                _old_objects_left_alone(),
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
        unresolved = rejected.unresolved_rejects(self._session, self._manifest)
        self._judge = ChangeDetector(self._resource, self._manifest, self._seen_later, unresolved)
        before = self._before()
        parts = reconcile.parts_of(self._resource, self._manifest)
        # Before anything is written: of index pages that this transaction has changed InnoDB looks up every row.
        counts = [count_expected(self._session, self._resource, part.expected) if part.has_all else 0 for part in parts]
        slices = [[_Slice(one, part.expected) for one in part.slices] for part in parts]
        self._merge_rows([*chain(*slices)])
        for one in chain(*slices):
            self._close(one)
            totals.update(one.counts)
        totals["absent"] = self._mark_absent(parts, slices, counts, before)
        status.write_success(self._session, self._manifest, _summary(totals))
        write_run(self._session, self._manifest, totals, merge_seconds=time.monotonic() - started)
        return totals

    def _merge_rows(self, slices: list[_Slice]) -> None:
        """Write every chunk of every slice.

        All SQL runs on a thread of its own, in this order: look up 1, 2, 3, write 1, look up 4, write 2, ...
        While the server writes a chunk, this thread types the next one. So a chunk is looked up before those in
        front of it are written, and has to be told what they bring. Chunks of which little is to be written are
        held until it is worth the statements.
        """
        on_the_way: deque[Known] = deque(maxlen=_LOOKED_UP_AHEAD)
        waiting: Known = {}
        held, writing, before = Chunk(), None, slices[0]
        with ThreadPoolExecutor(1, thread_name_prefix="xiaoe-merge") as thread:
            for one, incoming, looked_up in _ahead(self._looked_up(slices, thread), _LOOKED_UP_AHEAD):
                if one is not before:
                    before.close()
                    before = one
                stored = looked_up.result()
                for brought in (*on_the_way, waiting):
                    stored |= brought
                picked = self._judge.classify(incoming, stored)
                self._note(one, incoming, picked)
                held.add(picked)
                waiting |= self._judge.after_write(picked)
                if held.is_due(_WORTH_WRITING if writing is None or writing.done() else CHUNK_ROWS):
                    prepared = self._writer.prepare(held)
                    if writing is not None:
                        writing.result()
                    writing = thread.submit(self._writer.write, prepared)
                    on_the_way.append(waiting)
                    waiting, held = {}, Chunk()
            if writing is not None:
                writing.result()
        self._writer.write(self._writer.prepare(held))
        self._writer.finish()

    def _looked_up(
        self, slices: list[_Slice], thread: ThreadPoolExecutor
    ) -> Iterator[tuple[_Slice, RawChunk, Future[Known]]]:
        for one in slices:
            for incoming in changes.read(self._resource, self._folder, one.part, CHUNK_ROWS):
                yield one, incoming, thread.submit(self._writer.look_up, incoming, one.expected)

    def _note(self, one: _Slice, incoming: RawChunk, picked: Chunk) -> None:
        came, writes, unexpected = incoming.hashes, len(picked.new) + len(picked.changed), len(picked.unexpected)
        # All of them, as in a first load: then there is one array and not three.
        is_one = incoming.is_plain and writes == unexpected == len(came)
        one.keys.append(came)
        one.written.append(came if is_one else self._judge.key_hashes(picked))
        one.refused.append(array("q", (key_hash(row.key or row.raw) for row in picked.rejected)))
        lost = (bytes(raw) for raw, _ in incoming.keyless)
        one.unexpected.append(came if is_one else array("q", map(key_hash, (*picked.unexpected, *lost))))
        one.is_plain = one.is_plain and incoming.is_plain
        one.unknown.update(self._judge.unknown_codes(picked))
        one.counts.update(inserted=len(picked.new), updated=len(picked.changed))

    def _close(self, one: _Slice) -> None:
        reconcile.check_pages(self._resource, one.part, one.close())
        if not self._manifest.is_lookup:
            ledger.write_window(self._session, self._resource, self._manifest, one.part, one.counts, one.unknown)

    def _before(self) -> int:
        """Rows that a whole list had the last time; of other resources nobody asks."""
        is_whole = self._resource.scope is Scope.WHOLE
        return count_listed(self._session, self._resource, self._manifest.shop_id) if is_whole else 0

    def _mark_absent(
        self, parts: list[reconcile.Part], slices: list[list[_Slice]], counts: list[int], before: int
    ) -> int:
        """Compare what came with what the warehouse holds; return how many rows were marked absent.

        Where as many held rows came as there were, none is missing, and they need not be compared one by one.
        """
        if self._manifest.is_lookup:
            return reconcile.mark_not_listed(self._session, self._resource, self._manifest, accept=self._accept_missing)
        if self._resource.scope is Scope.WHOLE and self._seen_later:
            return 0  # this merge is late: who is there, a later refresh has told
        absent = 0
        for part, of_part, count in zip(parts, slices, counts, strict=True):
            if part.has_all and _brought(of_part) != count:
                keys = merged([one.close() for one in of_part])
                absent += reconcile.mark_missing(
                    self._session,
                    self._resource,
                    self._manifest,
                    part,
                    keys,
                    before=before,
                    accept=self._accept_missing,
                )
        return absent


def _brought(slices: list[_Slice]) -> int | None:
    """How many held rows some slices brought; None where that was not counted, because a key came oddly or twice."""
    counts = [one.brought for one in slices if one.brought is not None]
    keys = [one.close() for one in slices]
    is_counted = len(counts) == len(slices) and sum(map(len, keys)) == len(merged(keys))
    return sum(counts) if is_counted else None


@contextmanager
def _old_objects_left_alone() -> Iterator[None]:
    """Keep the garbage collector from going over all that Airflow has imported, each time that many rows came."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _ahead(items: Iterable[T], count: int) -> Iterator[T]:
    """Yield each item when `count` behind it are there."""
    held: deque[T] = deque()
    for item in items:
        held.append(item)
        if len(held) > count:
            yield held.popleft()
    yield from held


def _summary(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {counts[name]}" for name in COUNTED)

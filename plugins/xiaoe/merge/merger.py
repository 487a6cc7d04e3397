"""Page store → warehouse: everything a manifest names, in one transaction (docs/decisions/0006).

Rows, state log, rejected rows, ledger and watermark commit together, so a retry after SIGKILL needs no repair. Deadlock
(1213), lock time-out (1205) and "record has changed" (1020) repeat the whole transaction. The isolation stays
REPEATABLE READ: MariaDB 11.8 raises 1020 under READ COMMITTED.

Known limit: a window's `observed_at` is its earliest page's, so of two overlapping windows that were read at the same
moment the older observation, by seconds, may stay until the next rescan.
"""

from __future__ import annotations

import gc
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from xiaoe.exceptions import XiaoeIncompleteError, XiaoeMappingError
from xiaoe.hints import answers
from xiaoe.merge import ledger, parent_lists, reconcile, rejected, status, unconfirmed
from xiaoe.merge.api_fields import FieldSurvey
from xiaoe.merge.broken_mapping import Tally
from xiaoe.merge.changes import ChangeDetector, Chunk, Known
from xiaoe.merge.expected import count_listed
from xiaoe.merge.incoming import RawChunk, read
from xiaoe.merge.reconcile import Comparison, SliceResult
from xiaoe.merge.run_log import write_run
from xiaoe.merge.writer import Writer
from xiaoe.mysql.session import Session, retry_conflicts
from xiaoe.mysql.templates import split_statements
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.base import Resource, Scope
from xiaoe.rows.keys import key_hash
from xiaoe.storage.manifest import Manifest, ParentsRead
from xiaoe.storage.pages import RunFolder

T = TypeVar("T")

CHUNK_ROWS = 2500
"""Rows in memory and loaded at a time; larger chunks were not faster (docs/decisions/0026)."""
_MIN_WRITE = 100
"""Rows worth a write; fewer are collected, up to `CHUNK_ROWS` while the server is still writing earlier ones."""
_LOOKED_UP_AHEAD = 2
"""Chunks that are looked up ahead of the one being classified, so that a write does not stop the look-ups."""
_LOADS = ("history", unconfirmed.MODE)
"""Modes that bring what happened long ago: when its rows arrive says nothing of how fresh the warehouse is."""
_MOST_NAMED = 3
"""Parents that an error names."""
COUNTED = ("staged", "inserted", "updated", "unchanged", "rejected")


class Merger:
    """Merges what one run staged.

    Args:
        warehouse: The target.
        resource: The resource.
        sql: The merge statements, rendered from include/sql/merge/.
    """

    def __init__(self, warehouse: Warehouse, resource: Resource, sql: str) -> None:
        self._warehouse = warehouse
        self._resource = resource
        self._statements = split_statements(sql)

    def merge(
        self,
        folder: RunFolder,
        manifest: Manifest,
        *,
        accept_missing: bool = False,
        dry_run: bool = False,
        again: bool = False,
    ) -> Counter[str]:
        """Merge every slice, write the ledger and the status, move the watermark: all or nothing.

        Args:
            folder: Has the pages.
            manifest: Names them.
            accept_missing: Rows that the API no longer lists are marked absent instead of failing the run.
            dry_run: Roll back at the end.
            again: These pages were merged before: what arrives now did so then.

        Returns:
            Rows `staged`, `inserted`, `updated`, `unchanged`, `rejected`, `absent`.

        Raises:
            XiaoeReconciliationError: The warehouse and the API disagree; nothing was changed, except for rows of a
                look-up that were found.
            XiaoeMappingError: Too many rows cannot be read, or a field that always came is in none of them. Those with
                a key were written; the window does not count as read, the watermark stays, and no row is marked absent.
            XiaoeIncompleteError: The lists of some parents could not be read; those of the others were merged.
        """

        def once() -> Counter[str]:
            with (
                _imports_frozen(),
                self._warehouse.session() as session,
                session.lock("merge", manifest.shop_id, self._resource.name),
            ):
                attempt = _Transaction(
                    session, self._resource, self._statements, folder, manifest, accept_missing, again
                )
                totals = attempt.run()
                session.rollback() if dry_run else session.commit()
                if attempt.complaint:
                    raise XiaoeMappingError(attempt.complaint)
                if manifest.parents and manifest.parents.refused:
                    raise XiaoeIncompleteError(_refused(self._resource, manifest.parents.refused))
                return totals

        return retry_conflicts(once)


class _Transaction:
    """One attempt to merge a manifest, under the lock; without a commit, everything is undone with the session."""

    def __init__(
        self,
        session: Session,
        resource: Resource,
        statements: list[str],
        folder: RunFolder,
        manifest: Manifest,
        accept_missing: bool,
        again: bool,
    ) -> None:
        self._started = time.monotonic()
        self._session = session
        self._resource = resource
        self._folder = folder
        self._manifest = manifest
        self._accept_missing = accept_missing
        notes_arrivals = not again and manifest.mode not in _LOADS
        self._writer = Writer(session, resource, statements, manifest, notes_arrivals=notes_arrivals)
        self._parents_later = parent_lists.seen_after(session, manifest) if resource.parents else {}
        self._windows_later = [] if resource.parents else ledger.windows_seen_after(session, manifest)
        unresolved = rejected.unresolved_rejects(session, manifest)
        self._detector = ChangeDetector(resource, manifest, self._last_seen, unresolved)
        self._tally = Tally()
        self._fields = FieldSurvey()
        self.complaint: str | None = None
        """What cannot be read of too many rows, once they are merged."""

    def run(self) -> Counter[str]:
        """Merge all slices; the caller commits."""
        totals = Counter(dict.fromkeys(COUNTED, 0))
        count_before = self._count_whole_list()
        hinted = answers.waiting(self._session, self._manifest)
        comparisons = reconcile.comparisons(self._session, self._resource, self._manifest)
        results = [result for comparison in comparisons for result in comparison.results]
        self._merge_rows(results)
        for result in results:
            reconcile.check_pages(self._resource, result.slice_, result.close())
            totals.update(result.counts)
        if self._manifest.mode != unconfirmed.MODE:  # a file is mended cell by cell, and its report names each
            gone = self._fields.write(self._session, self._resource, self._manifest.shop_id)
            self.complaint = self._tally.complaint(self._manifest, totals["staged"], gone)
        if self.complaint:
            return totals
        self._write_windows(results)
        answers.answer(self._session, self._manifest, hinted)
        absent = self._mark_absent(comparisons, count_before)
        totals["absent"] = absent.total()
        if self._resource.parents:
            parent_lists.write_readings(self._session, self._manifest, results, absent)
            parent_lists.write_coverage(self._session, self._manifest)
        also = ("recent",) if self._resource.recent and self._manifest.mode == "whole" else ()
        status.write_success(self._session, self._manifest, _summary(totals, self._manifest.parents), *also)
        write_run(self._session, self._manifest, totals, merge_seconds=time.monotonic() - self._started)
        return totals

    def _merge_rows(self, results: list[SliceResult]) -> None:
        """Write every chunk of every slice.

        All SQL runs on a second thread, in this order: look up 1, 2, 3, write 1, look up 4, write 2, ... While the
        server writes a chunk, this thread types the next one. So a chunk is looked up before the chunks before it are
        written, and is given their rows (`in_flight`, `pending_known`). Chunks with few changes are collected until
        they are worth the statements.
        """
        in_flight: deque[Known] = deque(maxlen=_LOOKED_UP_AHEAD)
        pending, pending_known = Chunk(), Known()
        writing, previous = None, results[0]
        with ThreadPoolExecutor(1, thread_name_prefix="xiaoe-merge") as thread:
            for result, incoming, looked_up in _ahead(self._looked_up(results, thread), _LOOKED_UP_AHEAD):
                if result is not previous:
                    previous.close()
                    previous = result
                known = looked_up.result()
                for unwritten in (*in_flight, pending_known):
                    known |= unwritten
                chunk = self._detector.classify(incoming, known)
                self._record(result, incoming, chunk)
                pending.add(chunk)
                pending_known |= self._detector.after_write(chunk)
                if pending.is_due(_MIN_WRITE if writing is None or writing.done() else CHUNK_ROWS):
                    prepared = self._writer.prepare(pending)
                    if writing is not None:
                        writing.result()
                    writing = thread.submit(self._writer.write, prepared)
                    in_flight.append(pending_known)
                    pending, pending_known = Chunk(), Known()
            if writing is not None:
                writing.result()
        self._writer.write(self._writer.prepare(pending))
        self._writer.finish()

    def _looked_up(
        self, results: list[SliceResult], thread: ThreadPoolExecutor
    ) -> Iterator[tuple[SliceResult, RawChunk, Future[Known]]]:
        for result in results:
            for incoming in read(self._resource, self._folder, result.slice_, CHUNK_ROWS):
                yield result, incoming, thread.submit(self._writer.look_up, incoming, result.expected)

    def _record(self, result: SliceResult, incoming: RawChunk, chunk: Chunk) -> None:
        self._tally.add(chunk)
        self._fields.add(incoming.samples)
        received, writes, unexpected = incoming.hashes, len(chunk.new) + len(chunk.changed), len(chunk.unexpected)
        # If all rows are written, as in a first load, one array serves for three.
        all_written = incoming.is_plain and writes == unexpected == len(received)
        result.keys.append(received)
        result.written.append(received if all_written else self._detector.key_hashes(chunk))
        result.refused.append(array("q", (key_hash(row.key or row.raw) for row in chunk.rejected)))
        keyless = (bytes(raw) for raw, _ in incoming.keyless)
        result.unexpected.append(received if all_written else array("q", map(key_hash, (*chunk.unexpected, *keyless))))
        result.is_plain = result.is_plain and incoming.is_plain
        result.unknown_codes.update(self._detector.unknown_codes(chunk))
        result.counts.update(inserted=len(chunk.new), updated=len(chunk.changed))

    def _write_windows(self, results: list[SliceResult]) -> None:
        """A line per slice; of parents, whose readings are noted beside it, one for all of them."""
        if self._manifest.is_lookup:
            return
        for result in [reconcile.together(results)] if self._resource.parents else results:
            ledger.write_window(
                self._session, self._resource, self._manifest, result.slice_, result.counts, result.unknown_codes
            )

    def _last_seen(self, place: str | None) -> datetime | None:
        """When the row's window or parent was last observed, by something that is merged and newer than this run."""
        if self._resource.parents:
            return self._parents_later.get(place or "")
        return ledger.last_seen(self._windows_later, place)

    def _count_whole_list(self) -> int:
        """Rows that a whole list had the last time; 0 for other resources, where it is not used."""
        is_whole = self._resource.scope is Scope.WHOLE
        return count_listed(self._session, self._resource, self._manifest.shop_id) if is_whole else 0

    def _mark_absent(self, comparisons: list[Comparison], count_before: int) -> Counter[str]:
        """Compare the pages with the warehouse; return how many rows were marked absent, by parent where there are."""
        session, resource, manifest, accept = self._session, self._resource, self._manifest, self._accept_missing
        if manifest.is_lookup:
            return Counter({"": reconcile.mark_not_listed(session, resource, manifest, accept=accept)})
        if resource.scope is Scope.WHOLE and self._windows_later:
            return Counter()  # this merge is out of order: a newer list has already decided who is absent
        open_ = [one for one in comparisons if one.parent not in self._parents_later and one.may_miss_rows()]
        if resource.parents:
            count_before = sum(one.expected_count or 0 for one in comparisons)
        if resource.scope in (Scope.WHOLE, Scope.PER_PARENT):
            return reconcile.mark_left(session, resource, manifest, open_, count_before=count_before, accept=accept)
        return Counter(
            {"": sum(reconcile.mark_missing(session, resource, manifest, one, accept=accept) for one in open_)}
        )


@contextmanager
def _imports_frozen() -> Iterator[None]:
    """Keep the garbage collector from walking over all that Airflow has imported, every some thousand rows."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _ahead(items: Iterable[T], count: int) -> Iterator[T]:
    """Yield each item once `count` further ones were taken."""
    taken: deque[T] = deque()
    for item in items:
        taken.append(item)
        if len(taken) > count:
            yield taken.popleft()
    yield from taken


def _summary(counts: Counter[str], parents: ParentsRead | None) -> str:
    said = ", ".join(f"{name} {counts[name]}" for name in COUNTED)
    return said if parents is None else f"{said}; lists {parents.wanted - parents.postponed} of {parents.wanted}"


def _refused(resource: Resource, refused: dict[str, str]) -> str:
    """What a run says of parents whose lists could not be read."""
    named = "; ".join(f"{parent}: {error}" for parent, error in list(refused.items())[:_MOST_NAMED])
    return (
        f"{resource.name}: the lists of {len(refused)} parents could not be read, the others were merged: {named}."
        " The next run asks for them again"
        f" 有 {len(refused)} 个列表没有读到，其余已入库；下次运行会再读"
    )

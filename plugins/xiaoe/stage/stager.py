"""API → page store: reads one window completely, then writes its manifest.

Pages are written by threads beside the fetching, because `fsync` takes as long as a call. An interrupted try may leave
a gap; the next one continues at the gap and fetches again what follows it. After five passes that do not add up the
slice starts over. Where the warehouse has rows of the window that were not listed, the slice is read once more before
the merge judges. Clearing a stage task that succeeded means "ask again": a folder with a manifest is emptied first.
"""

from __future__ import annotations

import logging
import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import utc_now
from xiaoe.exceptions import XiaoeBusyError, XiaoeError, XiaoeIncompleteError
from xiaoe.resources.base import Cursor, Resource, Scope
from xiaoe.rows.envelope import Listing, rows_of
from xiaoe.rows.keys import Keys, distinct, key_hash, merged
from xiaoe.stage import paging
from xiaoe.stage.paging import Page, Pass, Progress, Verdict
from xiaoe.storage.pages import Manifest, RawPage, RunFolder, SliceManifest
from xiaoe.windows import Plan, Window, slices

log = logging.getLogger(__name__)

_MAX_SLICES = 2
"""Slices read at the same time: the next one starts while one ends, or calls would wait at every boundary."""

NOT_NOW = (1001, 2054)
"""Codes of a busy API: the request was right (docs/xiaoe-api.md section 7)."""

_MAX_UNWRITTEN = 16
"""Pages that were fetched and are not yet on disk."""

MissingRows = Callable[[Window, datetime, Keys], list[str]]
"""Keys of rows that the warehouse has for a window, observed before a moment, and that are not among those given."""


@dataclass(frozen=True)
class _Pools:
    """Threads of one run: what fetches pages, and what writes them."""

    fetchers: ThreadPoolExecutor
    writers: ThreadPoolExecutor


@dataclass(frozen=True)
class _Reading:
    """One pass over a slice, with its files."""

    names: list[str]
    observed_at: datetime
    outcome: Pass


class Stager:
    """Reads the windows of one run.

    Args:
        hook: The shop's connection.
        resource: What to read.
        folder: Where the run's pages go.
        missing_rows: Asks the warehouse. Where it has rows that the API does not list, they are read once more; if
            they stay missing, the merge decides what that means.
    """

    def __init__(self, hook: XiaoeHook, resource: Resource, folder: RunFolder, missing_rows: MissingRows) -> None:
        self._hook = hook
        self._resource = resource
        self._folder = folder
        self._missing_rows = missing_rows
        self._by_cursor = isinstance(resource.paging, Cursor)
        self._warehouse_lock = threading.Lock()

    def stage(self, plan: Plan, *, mode: str, run_id: str) -> Manifest:
        """Read the plan's window, slice by slice, and write the manifest.

        Continues an earlier try of the same run: finished passes are used, and the whole pages of an interrupted one.
        A folder that already has a manifest is of a run that somebody cleared: it is emptied, then read again.

        Raises:
            XiaoeIncompleteError: A slice does not add up after `paging.MAX_PASSES` passes.
            XiaoeError: The API cannot be read.
        """
        started = utc_now()
        if self._folder.manifest_path.exists():
            self._folder.clear()
        windows = [plan.window] if self._resource.scope is Scope.WHOLE else slices(plan.window)
        try:
            staged = self._read_slices(windows)
        except XiaoeError as error:
            if not self._goes_back_to_documented_pages(error):
                raise
            self._folder.clear()
            staged = self._read_slices(windows)
        if self._resource.scope is Scope.CHANGED and self._misses_known_rows(plan.window, staged):
            staged = self._read_slices(windows, again=True)
        manifest = Manifest(
            shop_id=self._hook.shop.app_id,
            resource=self._resource.name,
            mode=mode,
            run_id=run_id,
            moves_watermark=plan.moves_watermark,
            slices=[slice_ for slice_, _ in staged],
            calls=dict(self._hook.counts),
            started_at=started,
            staged_at=utc_now(),
        )
        self._folder.write_manifest(manifest)
        return manifest

    def _goes_back_to_documented_pages(self, error: XiaoeError) -> bool:
        """Whether larger pages, which a check of the shop promised, may be to blame; they are not asked for again."""
        larger = self._hook.page_sizes.pop(self._resource.name, 0)
        refused = isinstance(error, XiaoeBusyError) and error.code not in NOT_NOW
        if not larger or not (refused or isinstance(error, XiaoeIncompleteError)):
            return False
        log.warning(
            "%s: pages of %s rows, which the last make check-shop found, do not work: %s. Reading again with the"
            " documented size; run make check-shop anew",
            self._resource.name, larger, error,
        )  # fmt: skip
        return True

    def _read_slices(self, windows: list[Window], *, again: bool = False) -> list[tuple[SliceManifest, Keys]]:
        """Read these windows; one that cannot be read stops the others as well."""
        concurrency = self._hook.shop.concurrency
        staged = []
        with (
            ThreadPoolExecutor(concurrency, thread_name_prefix="xiaoe-write") as writers,
            ThreadPoolExecutor(concurrency, thread_name_prefix="xiaoe-page") as fetchers,
            ThreadPoolExecutor(min(_MAX_SLICES, concurrency), thread_name_prefix="xiaoe-slice") as readers,
        ):
            pools = _Pools(fetchers, writers)
            futures = [
                readers.submit(self._read_slice, pools, number, window, again=again)
                for number, window in enumerate(windows)
            ]
            try:
                for number, future in enumerate(futures):
                    slice_, keys = future.result()
                    log.info(
                        "slice %s of %s, %s: %s rows",
                        number + 1,
                        len(windows),
                        windows[number],
                        slice_.staged,
                        extra={"progress": (self._resource.name, number + 1, len(windows))},  # read by `make sync`
                    )
                    staged.append((slice_, keys))
            except BaseException:
                for pool in (readers, fetchers):
                    pool.shutdown(wait=False, cancel_futures=True)
                raise
        return staged

    def _read_slice(
        self, pools: _Pools, number: int, window: Window, *, again: bool = False
    ) -> tuple[SliceManifest, Keys]:
        """Read a slice in passes until it is complete; once more if rows are missing that the warehouse has."""
        readings = self._earlier_readings(number)
        if again or not readings:
            readings.append(self._read_pass(pools, number, len(readings) + 1, window))
        looked_again = self._resource.scope is Scope.CHANGED  # its rows may have moved on to a later slice
        while True:
            verdict = self._judge(readings)
            if verdict is Verdict.FAIL:
                raise XiaoeIncompleteError(_explain(self._resource, window, readings))
            if verdict is not Verdict.AGAIN:
                used = readings[-1:] if verdict is Verdict.LAST else readings
                staged = _slice_manifest(window, used, passes=len(readings))
                if looked_again or not self._misses_known_rows(window, [staged]):
                    return staged
                looked_again = True
            log.warning("%s: pass %s: %s", window, len(readings), _explain(self._resource, window, readings))
            self._hook.sleep(min(2.0 ** (len(readings) - 1), 10.0))
            newest_first = self._resource.scope is Scope.CHANGED
            earlier = readings if newest_first else []
            readings.append(self._read_pass(pools, number, len(readings) + 1, window, earlier))

    def _judge(self, readings: list[_Reading]) -> Verdict:
        passes = [reading.outcome for reading in readings]
        return paging.judge(passes, newest_first=self._by_cursor, needs_total=self._resource.tells_total)

    def _earlier_readings(self, number: int) -> list[_Reading]:
        """Passes that an earlier try finished; discarded if they are `MAX_PASSES`, or if one lost its pages."""
        finished = self._folder.finished_passes(number)
        if finished < paging.MAX_PASSES:
            passes = [self._stored(number, pass_number) for pass_number in range(1, finished + 1)]
            if all(passes):
                return [self._collect(pages) for pages in passes]
        self._folder.clear_slice(number)
        return []

    def _read_pass(
        self, pools: _Pools, number: int, pass_number: int, window: Window, earlier: Sequence[_Reading] = ()
    ) -> _Reading:
        """Read a slice to its end, or until its first page completes the earlier passes."""
        pages = self._stored(number, pass_number)
        if pages:
            log.info("%s: resuming after page %s", window, len(pages))
        writing: deque[Future[None]] = deque()
        for page in self._fetch_pages(pools.fetchers, self._resource.filters(window), [page for _, page in pages]):
            name = self._folder.page_name(number, pass_number, page.index)
            raw = RawPage(page.index, page.observed_at, page.body)
            writing.append(pools.writers.submit(self._folder.write_page, name, raw))
            pages.append((name, replace(page, body=b"")))  # a window of any size has to fit into memory
            while len(writing) > _MAX_UNWRITTEN or (writing and writing[0].done()):
                writing.popleft().result()
            if earlier and paging.completed_by([reading.outcome for reading in earlier], page):
                break
        for future in writing:
            future.result()
        self._folder.finish_pass(number, pass_number)
        return self._collect(pages)

    def _fetch_pages(self, fetchers: ThreadPoolExecutor, filters: dict[str, Any], stored: list[Page]) -> Iterator[Page]:
        if self._by_cursor:
            return paging.follow_cursor(lambda index, cursor: self._fetch(filters, index, cursor), stored=stored)
        return paging.read_pages(
            lambda index: fetchers.submit(self._fetch, filters, index),
            ahead=2 * self._hook.shop.concurrency - 1,
            stored=stored,
            page_size=self._hook.page_size(self._resource),
            needs_total=self._resource.tells_total,
        )

    def _fetch(self, filters: dict[str, Any], index: int, cursor: Any = None) -> Page:
        fields = {**filters, **self._resource.paging.fields(index, cursor)}
        answer = self._hook.list_page(self._resource, fields, index=index)
        return replace(self._page(answer, answer.listing), body=answer.body)

    def _stored(self, number: int, pass_number: int) -> list[tuple[str, Page]]:
        """Names and pages that an earlier try left of a pass."""
        total_key = self._resource.total_key
        return [
            (name, self._page(raw, rows_of(raw.body, total_field=total_key)))
            for name, raw in self._folder.stored_pages(number, pass_number)
        ]

    def _page(self, raw: RawPage, listing: Listing) -> Page:
        reader = self._resource.reader
        names = reader.keys(listing.rows)
        keys = array("q", (key_hash(name or bytes(row)) for name, row in zip(names, listing.rows, strict=True)))
        keyless = array("q", (key for key, name in zip(keys, names, strict=True) if name is None))
        cursor = self._resource.paging.cursor(listing.rows)
        return Page(raw.index, listing.total, keys, raw.observed_at, cursor, keyless=keyless)

    def _collect(self, pages: list[tuple[str, Page]]) -> _Reading:
        progress = Progress.through(
            (page for _, page in pages), by_cursor=self._by_cursor, needs_total=self._resource.tells_total
        )
        outcome = Pass(
            totals=tuple(page.total for _, page in pages if page.total is not None),
            keys=distinct(page.keys for _, page in pages),
            repeats=progress.repeated,
            without_total=sum(page.total is None and bool(page.keys) for _, page in pages),
            is_cut=progress.is_cut,
            keyless=distinct(page.keyless for _, page in pages),
        )
        return _Reading([name for name, _ in pages], min(page.observed_at for _, page in pages), outcome)

    def _misses_known_rows(self, window: Window, staged: list[tuple[SliceManifest, Keys]]) -> bool:
        """Whether the warehouse has rows of the window that none of these slices contains."""
        if not self._resource.covers_present(window, utc_now()):
            return False
        observed_at = min(slice_.observed_at for slice_, _ in staged)
        with self._warehouse_lock:  # a connection serves one thread at a time
            missing = self._missing_rows(window, observed_at, merged([keys for _, keys in staged]))
        if missing:
            log.warning("%s: the API did not list %s rows that the warehouse holds", window, len(missing))
        return bool(missing)


def _slice_manifest(window: Window, used: list[_Reading], *, passes: int) -> tuple[SliceManifest, Keys]:
    keys = paging.union([reading.outcome for reading in used])
    totals = used[-1].outcome.totals
    return SliceManifest(
        begin=window.begin,
        end=window.end,
        api_total=len(keys) if len(keys) in totals else max(totals, default=len(keys)),
        staged=len(keys),
        passes=passes,
        pages=[name for reading in used for name in reading.names],
        observed_at=min(reading.observed_at for reading in used),
    ), keys


def _explain(resource: Resource, window: Window, readings: list[_Reading]) -> str:
    last = readings[-1].outcome
    if last.repeats is not None:
        return (
            f"{resource.name} {window}: page {last.repeats} is the same as one before it:"
            f" does {resource.endpoint} still page by {resource.paging.key!r}?"
        )
    if last.last_total is None:
        return f"{resource.name} {window}: the API sent no {resource.total_key}, so nothing proves the list complete"
    return (
        f"{resource.name} {window}: the API says {last.last_total} rows (totals seen: {sorted(set(last.totals))}),"
        f" the last pass has {len(last.keys)} distinct rows,"
        f" all {len(readings)} passes have {len(paging.union([reading.outcome for reading in readings]))}."
        " If this persists, report it to 小鹅通 with these numbers; the watermark has not moved"
    )

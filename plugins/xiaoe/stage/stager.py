"""API → page store: one window, all of its pages, and a manifest once it is certain that they are all."""

from __future__ import annotations

import logging
import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import utc_now
from xiaoe.exceptions import XiaoeIncompleteError
from xiaoe.resources.base import Cursor, Resource, Scope
from xiaoe.rows.envelope import rows_of
from xiaoe.rows.keys import Keys, distinct, key_hash, merged
from xiaoe.stage import paging
from xiaoe.stage.paging import Page, Pass, Progress, Verdict
from xiaoe.storage.pages import Manifest, RunFolder, SliceManifest, StoredPage
from xiaoe.windows import Plan, Window, slices

log = logging.getLogger(__name__)

_SLICES_AT_ONCE = 2
"""The next one begins while one ends: calls would wait for each other at every boundary."""

_MOST_UNWRITTEN = 16
"""Pages that were fetched and are not yet on disk, at most."""

MissingRows = Callable[[Window, datetime, Keys], list[str]]
"""Keys that the warehouse holds for a window, had seen by a moment, and that are not among those given."""


@dataclass
class _Reading:
    """One pass over a slice, with the files it left."""

    number: int
    names: list[str]
    observed_at: datetime
    outcome: Pass


class Stager:
    """Reads the windows of one run.

    Args:
        hook: The shop's connection.
        resource: What to read.
        folder: Where the run's pages go.
        missing_rows: Asks the warehouse; where it knows rows that the API does not list, they are read
            once more. If they stay missing, the merge decides what that means.
    """

    def __init__(self, hook: XiaoeHook, resource: Resource, folder: RunFolder, missing_rows: MissingRows) -> None:
        self._hook = hook
        self._resource = resource
        self._folder = folder
        self._missing_rows = missing_rows
        self._by_cursor = isinstance(resource.paging, Cursor)
        self._one_asks = threading.Lock()

    def stage(self, plan: Plan, *, mode: str, run_id: str) -> Manifest:
        """Read the plan's window, slice by slice, and write the manifest.

        What an earlier try of the same run left is used: whole passes, and the whole pages of a broken
        one. A folder that already has its manifest belongs to a run that somebody cleared: it is read anew.

        Raises:
            XiaoeIncompleteError: A slice does not add up, however often it is read.
            XiaoeError: The API cannot be read.
        """
        started = utc_now()
        if self._folder.manifest_path.exists():
            self._folder.clear()
        parts = [plan.window] if self._resource.scope is Scope.WHOLE else slices(plan.window)
        done = self._read_slices(parts)
        if self._resource.scope is Scope.CHANGED and self._misses_known_rows(plan.window, done):
            done = self._read_slices(parts, again=True)
        manifest = Manifest(
            shop_id=self._hook.shop.app_id,
            resource=self._resource.name,
            mode=mode,
            run_id=run_id,
            moves_watermark=plan.moves_watermark,
            slices=[part for part, _ in done],
            calls=dict(self._hook.counts),
            started_at=started.isoformat(),
            staged_at=utc_now().isoformat(),
        )
        self._folder.write_manifest(manifest)
        return manifest

    def _read_slices(self, parts: list[Window], *, again: bool = False) -> list[tuple[SliceManifest, Keys]]:
        """Read these windows; what cannot be read ends the others as well."""
        at_once = self._hook.shop.concurrency
        done = []
        with (
            ThreadPoolExecutor(at_once, thread_name_prefix="xiaoe-write") as self._writers,
            ThreadPoolExecutor(at_once, thread_name_prefix="xiaoe-page") as self._fetchers,
            ThreadPoolExecutor(min(_SLICES_AT_ONCE, at_once), thread_name_prefix="xiaoe-slice") as readers,
        ):
            reading = [readers.submit(self._read_slice, *part, again=again) for part in enumerate(parts)]
            try:
                for number, one in enumerate(reading):
                    part, keys = one.result()
                    log.info("slice %s of %s, %s: %s rows", number + 1, len(parts), parts[number], part.staged)
                    done.append((part, keys))
            except BaseException:
                for pool in (readers, self._fetchers):
                    pool.shutdown(wait=False, cancel_futures=True)
                raise
        return done

    def _read_slice(self, number: int, window: Window, *, again: bool = False) -> tuple[SliceManifest, Keys]:
        """Read a slice in passes until it adds up; once more if rows are missing that the warehouse knows."""
        readings = self._earlier_readings(number)
        if again or not readings:
            readings.append(self._read_pass(number, len(readings) + 1, window))
        looked_again = self._resource.scope is Scope.CHANGED  # there a row may have moved on to a later slice
        while True:
            verdict = self._judge(readings)
            if verdict is Verdict.FAIL:
                raise XiaoeIncompleteError(_explain(self._resource, window, readings))
            if verdict is not Verdict.AGAIN:
                used = readings[-1:] if verdict is Verdict.LAST else readings
                found = _slice_manifest(window, used, passes=len(readings))
                if looked_again or not self._misses_known_rows(window, [found]):
                    return found
                looked_again = True
            log.warning("%s: pass %s: %s", window, len(readings), _explain(self._resource, window, readings))
            self._hook.sleep(min(2.0 ** (len(readings) - 1), 10.0))
            newest_first = self._resource.scope is Scope.CHANGED
            readings.append(self._read_pass(number, len(readings) + 1, window, readings if newest_first else []))

    def _judge(self, readings: list[_Reading]) -> Verdict:
        outcomes = [one.outcome for one in readings]
        return paging.judge(outcomes, newest_first=self._by_cursor, needs_total=self._resource.tells_total)

    def _earlier_readings(self, number: int) -> list[_Reading]:
        """Passes that an earlier try finished; forgotten when they used up every chance, or when one lost its pages."""
        finished = self._folder.finished_passes(number)
        if finished < paging.MOST_PASSES:
            passes = [self._stored(number, one) for one in range(1, finished + 1)]
            if all(passes):
                return [self._collect(number, one, pages) for one, pages in enumerate(passes, 1)]
        self._folder.clear_slice(number)
        return []

    def _read_pass(self, number: int, pass_number: int, window: Window, earlier: Sequence[_Reading] = ()) -> _Reading:
        """Read a slice to its end, or until its first page completes what earlier passes brought.

        Pages are written beside the fetching: flushing one takes as long as a call.
        """
        pages = self._stored(number, pass_number)
        if pages:
            log.info("%s: resuming behind page %s", window, len(pages))
        writing: deque[Future[None]] = deque()
        for page in self._fetch_pages(self._resource.filters(window), [page for _, page in pages]):
            name = self._folder.page_name(number, pass_number, page.index)
            writing.append(self._writers.submit(self._folder.write_page, name, page.payload))
            pages.append((name, _light(page)))
            while len(writing) > _MOST_UNWRITTEN or (writing and writing[0].done()):
                writing.popleft().result()
            if earlier and paging.tops_up([one.outcome for one in earlier], page):
                break
        for one in writing:
            one.result()
        self._folder.finish_pass(number, pass_number)
        return self._collect(number, pass_number, pages)

    def _fetch_pages(self, filters: dict[str, Any], stored: list[Page]) -> Iterator[Page]:
        if self._by_cursor:
            return paging.follow_cursor(lambda index, cursor: self._fetch(filters, index, cursor), stored=stored)
        return paging.read_pages(
            lambda index: self._fetchers.submit(self._fetch, filters, index),
            ahead=2 * self._hook.shop.concurrency - 1,
            stored=stored,
            page_size=self._hook.page_size(self._resource),
            needs_total=self._resource.tells_total,
        )

    def _fetch(self, filters: dict[str, Any], index: int, cursor: Any = None) -> Page:
        answer = self._hook.list_page(self._resource, {**filters, **self._resource.paging.fields(index, cursor)})
        return self._page(StoredPage(index, answer.observed_at, answer.body))

    def _stored(self, number: int, pass_number: int) -> list[tuple[str, Page]]:
        return [(name, _light(self._page(page))) for name, page in self._folder.stored_pages(number, pass_number)]

    def _page(self, page: StoredPage) -> Page:
        listing = rows_of(page.body, total_field=self._resource.total_key)
        reader = self._resource.reader
        keys = array("q", (key_hash(reader.key(raw) or bytes(raw)) for raw in listing.rows))
        return Page(page.index, listing.total, keys, page, self._resource.paging.cursor(listing.rows))

    def _collect(self, number: int, pass_number: int, pages: list[tuple[str, Page]]) -> _Reading:
        progress = Progress.through(
            (page for _, page in pages), by_cursor=self._by_cursor, needs_total=self._resource.tells_total
        )
        totals = tuple(page.total for _, page in pages if page.total is not None)
        untold = sum(page.total is None and bool(page.keys) for _, page in pages)
        keys = distinct(page.keys for _, page in pages)
        outcome = Pass(totals, keys, progress.repeated, untold, progress.is_cut)
        return _Reading(pass_number, [name for name, _ in pages], min(page.payload for _, page in pages), outcome)

    def _misses_known_rows(self, window: Window, done: list[tuple[SliceManifest, Keys]]) -> bool:
        """Whether the warehouse holds rows of the window that none of these slices brought."""
        if not self._resource.covers_present(window, utc_now()):
            return False
        seen = min(datetime.fromisoformat(part.observed_at) for part, _ in done)
        with self._one_asks:  # a connection serves one thread at a time
            missing = self._missing_rows(window, seen, merged([keys for _, keys in done]))
        if missing:
            log.warning("%s: the API did not list %s rows that the warehouse holds", window, len(missing))
        return bool(missing)


def _light(page: Page) -> Page:
    """The page without its body: a window of any size has to fit into memory."""
    return Page(page.index, page.total, page.keys, page.payload.observed_at, page.cursor)


def _slice_manifest(window: Window, used: list[_Reading], *, passes: int) -> tuple[SliceManifest, Keys]:
    keys = paging.union([one.outcome for one in used])
    totals = used[-1].outcome.totals
    return SliceManifest(
        begin=window.begin.isoformat(),
        end=window.end.isoformat(),
        api_total=len(keys) if len(keys) in totals else max(totals, default=len(keys)),
        staged=len(keys),
        passes=passes,
        pages=[name for one in used for name in one.names],
        observed_at=min(one.observed_at for one in used).isoformat(),
    ), keys


def _explain(resource: Resource, window: Window, readings: list[_Reading]) -> str:
    last = readings[-1].outcome
    if last.repeats is not None:
        return (
            f"{resource.name} {window}: page {last.repeats} is the same as one before it:"
            f" does {resource.endpoint} still page by {resource.paging.key!r}?"
        )
    if last.last_total is None:
        return f"{resource.name} {window}: the API told no {resource.total_key}, so nothing proves the list complete"
    return (
        f"{resource.name} {window}: the API says {last.last_total} rows (totals told: {sorted(set(last.totals))}),"
        f" {len(last.keys)} distinct rows came in the last pass,"
        f" {len(paging.union([one.outcome for one in readings]))} in {len(readings)} passes together."
        " If it stays like this, report it to 小鹅通 with these numbers; the watermark has not moved"
    )

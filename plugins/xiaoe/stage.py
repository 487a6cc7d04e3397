"""API → page store: one window, all of its pages, and a manifest once it is certain that they are all."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from xiaoe import paging
from xiaoe.envelope import open_envelope, read_listing
from xiaoe.exceptions import XiaoeIncompleteError
from xiaoe.hook import XiaoeHook
from xiaoe.pages import Manifest, RunFolder, SliceManifest, StoredPage
from xiaoe.paging import Keys, Page, Pass, Verdict
from xiaoe.resources import Resource
from xiaoe.windows import Plan, Window, slices

log = logging.getLogger(__name__)

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
        missing_rows: Asks the warehouse; rows it knows and the API does not list make the slice be read
            once more. If they stay missing, the merge says so and fails.
    """

    def __init__(self, hook: XiaoeHook, resource: Resource, folder: RunFolder, missing_rows: MissingRows) -> None:
        self._hook = hook
        self._resource = resource
        self._folder = folder
        self._missing_rows = missing_rows

    def stage(self, plan: Plan, *, mode: str, run_id: str) -> Manifest:
        """Read the plan's window, slice by slice, and write the manifest.

        What an earlier try of the same run left is used: whole passes, and the whole pages of a broken
        one. A folder that already has its manifest belongs to a run that somebody cleared: it is read anew.

        Raises:
            XiaoeIncompleteError: A slice does not add up, however often it is read.
            XiaoeError: The API cannot be read.
        """
        if self._folder.manifest_path.exists():
            self._folder.clear()
        parts = slices(plan.window)
        done = []
        for number, window in enumerate(parts):
            done.append(self._read_slice(number, window))
            log.info("slice %s of %s, %s: %s rows", number + 1, len(parts), window, done[-1].staged)
        manifest = Manifest(
            shop_id=self._hook.shop.app_id,
            resource=self._resource.name,
            mode=mode,
            run_id=run_id,
            moves_watermark=plan.moves_watermark,
            slices=done,
            calls=dict(self._hook.counts),
        )
        self._folder.write_manifest(manifest)
        return manifest

    def _read_slice(self, number: int, window: Window) -> SliceManifest:
        readings = self._earlier_readings(number) or [self._read_pass(number, 1, window)]
        looked_again = False
        while True:
            verdict = paging.judge([one.outcome for one in readings])
            if verdict is Verdict.FAIL:
                raise XiaoeIncompleteError(_explain(self._resource, window, readings))
            if verdict is not Verdict.AGAIN:
                used = readings[-1:] if verdict is Verdict.LAST else readings
                found = _slice_manifest(window, used, passes=len(readings))
                if looked_again or not self._misses_known_rows(window, used):
                    return found
                looked_again = True
            log.warning("%s: pass %s: %s", window, len(readings), _explain(self._resource, window, readings))
            self._hook.sleep(min(2.0 ** (len(readings) - 1), 10.0))
            readings.append(self._read_pass(number, len(readings) + 1, window))

    def _earlier_readings(self, number: int) -> list[_Reading]:
        """Passes that an earlier try finished; forgotten when they used up every chance."""
        finished = self._folder.finished_passes(number)
        if finished >= paging.MOST_PASSES:
            self._folder.clear_slice(number)
            return []
        return [self._collect(number, one, self._stored(number, one)) for one in range(1, finished + 1)]

    def _read_pass(self, number: int, pass_number: int, window: Window) -> _Reading:
        stored = self._stored(number, pass_number)
        if stored:
            log.info("%s: resuming behind page %s", window, len(stored))
        filters = self._resource.filters(window)
        pages = list(stored)
        fetched = paging.read_pages(
            lambda index: self._fetch(filters, index),
            concurrency=self._hook.shop.concurrency,
            stored=[page for _, page in stored],
        )
        for page in fetched:
            name = self._folder.page_name(number, pass_number, page.index)
            self._folder.write_page(name, page.payload)
            pages.append((name, _light(page)))
        self._folder.finish_pass(number, pass_number)
        return self._collect(number, pass_number, pages)

    def _fetch(self, filters: dict[str, object], index: int) -> Page:
        answer = self._hook.list_page(self._resource, filters, index)
        return self._page(StoredPage(index, answer.observed_at, answer.body))

    def _stored(self, number: int, pass_number: int) -> list[tuple[str, Page]]:
        return [(name, _light(self._page(page))) for name, page in self._folder.stored_pages(number, pass_number)]

    def _page(self, page: StoredPage) -> Page:
        listing = read_listing(open_envelope(page.body).data, total_field=self._resource.total_key)
        reader = self._resource.reader
        keys = array("Q", (paging.key_hash(reader.key(raw) or bytes(raw)) for raw in listing.rows))
        return Page(page.index, listing.total, keys, page)

    @staticmethod
    def _collect(number: int, pass_number: int, pages: list[tuple[str, Page]]) -> _Reading:
        keys = array("Q")
        repeated = None
        first = previous = array("Q")
        for _, page in pages:
            keys.extend(page.keys)
            if paging.repeats(page.keys, first, previous):
                repeated = page.index
            first, previous = first or page.keys, page.keys
        totals = tuple(page.total for _, page in pages if page.total is not None)
        outcome = Pass(totals, paging.distinct(keys), repeated)
        return _Reading(pass_number, [name for name, _ in pages], min(page.payload for _, page in pages), outcome)

    def _misses_known_rows(self, window: Window, used: list[_Reading]) -> bool:
        seen = min(one.observed_at for one in used)
        missing = self._missing_rows(window, seen, paging.union([one.outcome for one in used]))
        if missing:
            log.warning("%s: the API did not list %s rows that the warehouse holds", window, len(missing))
        return bool(missing)


def _light(page: Page) -> Page:
    """The page without its body: a window of any size has to fit into memory."""
    return Page(page.index, page.total, page.keys, page.payload.observed_at)


def _slice_manifest(window: Window, used: list[_Reading], *, passes: int) -> SliceManifest:
    keys = paging.union([one.outcome for one in used])
    return SliceManifest(
        begin=window.begin.isoformat(),
        end=window.end.isoformat(),
        api_total=used[-1].outcome.last_total or 0,
        staged=len(keys),
        passes=passes,
        pages=[name for one in used for name in one.names],
        observed_at=min(one.observed_at for one in used).isoformat(),
    )


def _explain(resource: Resource, window: Window, readings: list[_Reading]) -> str:
    last = readings[-1].outcome
    if last.repeats is not None:
        return (
            f"{resource.name} {window}: page {last.repeats} is the same as one before it:"
            f" does {resource.endpoint} still page by {resource.page_key!r}?"
        )
    if last.last_total is None:
        return f"{resource.name} {window}: the API told no {resource.total_key}, so nothing proves the list complete"
    return (
        f"{resource.name} {window}: the API says {last.last_total} rows (totals told: {sorted(set(last.totals))}),"
        f" {len(last.keys)} distinct rows came in the last pass,"
        f" {len(paging.union([one.outcome for one in readings]))} in {len(readings)} passes together."
        " If it stays like this, report it to 小鹅通 with these numbers; the watermark has not moved"
    )

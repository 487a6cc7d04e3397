"""API → page store: reads one window completely, then writes its manifest.

A window whose total may be a cap of the API (`stage.judging`) is read in halves, and these in halves again, until each
has a smaller total. Halves of a window by creation or last change are separate slices. Those of a whole list stay
one slice: who left the list shows only in all of them together. What the filter of the halves cannot find, rows without
that time, is looked for in the list itself, read as far as the API serves it (`_read_undated`).

Where each parent has a list, each of them is a slice. One whose list cannot be read does not stop the others: the
manifest names it, and the merge fails once it has merged them. Parents beyond the budget of calls wait for the next
run.

After five passes that do not add up a slice starts over. Where the warehouse has rows of the window that were not
listed, the slice is read once more before the merge judges. Clearing a stage task that succeeded means "ask again": a
folder with a manifest is emptied first.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from xiaoe import settings
from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import utc_now
from xiaoe.exceptions import XiaoeBusyError, XiaoeError, XiaoeIncompleteError
from xiaoe.resources.base import Cursor, Resource, Scope
from xiaoe.rows.caps import is_counted, may_be_cap
from xiaoe.rows.children import Parent
from xiaoe.rows.keys import Keys, merged
from xiaoe.stage import judging, messages
from xiaoe.stage.judging import Verdict
from xiaoe.stage.paging import Page
from xiaoe.stage.parents import NOT_NOW, ParentLists
from xiaoe.stage.reading import Check, Part, PassReader, Pools, Stop, StoredPass, never
from xiaoe.stage.staged import Staged, of_passes, put_together
from xiaoe.storage.manifest import Manifest, SliceManifest
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import FOREVER, Plan, Window, halves, slices

log = logging.getLogger(__name__)

_SAID = 100
"""Of so many lists of parents, the log names one."""
_MAX_SLICES = 2
"""Slices read at the same time: the next one starts while one ends, or calls would wait at every boundary."""

MissingRows = Callable[[Window, datetime, Keys, "str | None"], list[str]]
"""Keys of rows that the warehouse has for a window and a parent, if any, observed before a moment, and that are not
among those given."""


class Stager:
    """Reads the windows of one run.

    Args:
        hook: The shop's connection.
        resource: What to read.
        folder: Where the run's pages go.
        missing_rows: Asks the warehouse. Where it has rows that the API does not list, they are read once more; if
            they stay missing, the merge decides what that means.
        check: See `PassReader`.
    """

    def __init__(
        self,
        hook: XiaoeHook,
        resource: Resource,
        folder: RunFolder,
        missing_rows: MissingRows,
        check: Check = lambda _: None,
    ) -> None:
        self._hook = hook
        self._resource = resource
        self._folder = folder
        self._missing_rows = missing_rows
        self._cap = settings.list_cap()
        self._reader = PassReader(hook, resource, folder, self._cap, check)
        self._warehouse_lock = threading.Lock()
        self._lists = ParentLists(0, None, lambda: 0)

    def stage(self, plan: Plan, *, mode: str, run_id: str, parents: Sequence[Parent] = (), note: str = "") -> Manifest:
        """Read the plan's window, slice by slice, and write the manifest.

        Args:
            plan: The window.
            mode: How it was chosen.
            run_id: Airflow's run.
            parents: Whose lists to read, most urgent first; where each parent has one.
            note: Of the manifest.

        Continues an earlier try of the same run: finished passes are used, the whole pages of an interrupted one, and
        what was halved stays so. A folder that already has a manifest is of a run that somebody cleared: it is emptied,
        then read again.

        Raises:
            XiaoeIncompleteError: A slice does not add up after `judging.MAX_PASSES` passes, or exceeds the API's cap
                and cannot be halved.
            XiaoeError: The API cannot be read.
        """
        started = utc_now()
        if self._folder.manifest_path.exists():
            self._folder.clear()
        parts = self._slices(plan.window, parents)
        try:
            staged = self.read(parts)
        except XiaoeError as error:
            if not self._goes_back_to_documented_pages(error):
                raise
            self._folder.clear()
            parts = self._slices(plan.window, parents)
            staged = self.read(parts)
        if self._resource.scope is Scope.CHANGED and self._misses_known_rows(plan.window, staged):
            staged = self.read(parts, again=True)
        manifest = Manifest(
            shop_id=self._hook.shop.app_id,
            resource=self._resource.name,
            mode=mode,
            run_id=run_id,
            moves_watermark=plan.moves_watermark,
            slices=[slice_ for slice_, _ in staged] or [_nothing(plan.window)],
            parents=self._lists.told(parts, staged) if self._resource.parents else None,
            calls=dict(self._hook.counts),
            note=note,
            started_at=started,
            staged_at=utc_now(),
        )
        self._folder.write_manifest(manifest)
        return manifest

    def _slices(self, window: Window, parents: Sequence[Parent]) -> list[Part]:
        """What to read; of parents, those of the run's first try."""
        if self._resource.scope is Scope.PER_PARENT:
            kept = self._folder.keep_parents(list(parents))
            budget = self._resource.parents.budget if self._resource.parents else None
            self._lists = ParentLists(len(kept), budget and budget(), lambda: self._hook.counts["calls"])
            return [Part(number, window, parent=parent) for number, parent in enumerate(kept)]
        windows = [window] if self._resource.scope is Scope.WHOLE else slices(window)
        return [Part(number, one) for number, one in enumerate(windows)]

    def _goes_back_to_documented_pages(self, error: XiaoeError) -> bool:
        """Whether larger pages, which a check of the shop promised, may be to blame; they are not asked for again."""
        larger = self._hook.page_sizes.pop(self._resource.name, 0)
        refused = isinstance(error, XiaoeBusyError) and error.code not in NOT_NOW
        if not larger or not (refused or isinstance(error, XiaoeIncompleteError)):
            return False
        log.warning(
            "%s: pages of %s rows, which the last make check-shop found, do not work: %s. Reading again with the"
            " documented size; run make check-shop again",
            self._resource.name, larger, error,
        )  # fmt: skip
        return True

    def read(self, slices_: list[Part], *, again: bool = False) -> list[Staged]:
        """Read these slices; one that cannot be read stops the others as well, unless it is a parent's."""
        concurrency = self._hook.shop.concurrency
        staged: list[Staged] = []
        with (
            ThreadPoolExecutor(concurrency, thread_name_prefix="xiaoe-write") as writers,
            ThreadPoolExecutor(concurrency, thread_name_prefix="xiaoe-page") as fetchers,
            ThreadPoolExecutor(self._most_slices(), thread_name_prefix="xiaoe-slice") as readers,
        ):
            pools = Pools(fetchers, writers)
            read = self._read_slice if self._resource.parents is None else self._read_parent
            futures = [readers.submit(read, pools, part, again=again) for part in slices_]
            try:
                for number, (part, future) in enumerate(zip(slices_, futures, strict=True), start=1):
                    parts = future.result()
                    log.log(
                        logging.INFO if part.parent is None or number % _SAID == 0 else logging.DEBUG,
                        "slice %s of %s, %s: %s rows%s",
                        number,
                        len(slices_),
                        part.parent_id or part.window,
                        sum(one.slice_.staged for one in parts),
                        f", in {len(parts)} parts" if len(parts) > 1 else "",
                        extra={"progress": (self._resource.name, number, len(slices_))},  # read by `make sync`
                    )
                    staged += parts
            except BaseException:
                for pool in (readers, fetchers):
                    pool.shutdown(wait=False, cancel_futures=True)
                raise
        return staged

    def _most_slices(self) -> int:
        """Slices read at the same time; of parents, whose lists are short, as many as calls may be."""
        concurrency = self._hook.shop.concurrency
        return concurrency if self._resource.parents else min(_MAX_SLICES, concurrency)

    def _read_parent(self, pools: Pools, part: Part, *, again: bool) -> list[Staged]:
        """Read one parent's list, if it can be read and the run has calls left."""
        is_begun = self._folder.finished_passes(part.number) > 0
        return self._lists.read(part, lambda: self._read_slice(pools, part, again=again), is_begun=is_begun)

    def _read_slice(self, pools: Pools, part: Part, *, again: bool) -> list[Staged]:
        """Read a slice, in parts where the API's cap demands it; those of a whole list are put together again."""
        parts = self._read_part(pools, part, part.window, again=again)
        if self._resource.scope is not Scope.WHOLE or len(parts) == 1:
            return parts
        undated = self._read_undated(pools, part, parts, again=again)
        whole = put_together(self._resource, part.window, parts, undated, self._cap)
        if not again and self._misses_known_rows(part.window, [whole]):
            return self._read_slice(pools, part, again=True)
        return [whole]

    def _read_part(self, pools: Pools, part: Part, whole: Window, *, again: bool) -> list[Staged]:
        """Read a part in passes until it is complete, or in halves; once more if known rows are missing."""
        halved = self._halves(part)
        if halved and self._folder.is_halved(part.number, part=part.path):
            return self._read_halves(pools, halved, whole, again=again)
        filters, stop = self._filters(part, whole), self._tells_cap if halved else never
        readings = self._reader.earlier(part)
        if again or not readings:
            readings.append(self._reader.read(pools, part, len(readings) + 1, filters, stop))
        # Rows by last change may have moved on to a later slice, and who is missing from a whole list all parts tell.
        looked_again = self._resource.scope is Scope.CHANGED or (
            self._resource.scope is Scope.WHOLE and bool(part.path)
        )
        while True:
            if halved and judging.shows_cap(readings[-1].outcome, self._cap):
                log.info("%s: %s; reading it in halves", part.window, messages.cap_shown(readings[-1]))
                self._folder.mark_halved(part.number, part=part.path)
                return self._read_halves(pools, halved, whole, again=again)
            verdict = self._judge(readings)
            if verdict is Verdict.FAIL or readings[-1].refusal:
                raise XiaoeIncompleteError(
                    messages.incomplete(self._resource, part, readings, self._cap)
                ) from readings[-1].refusal
            if verdict is not Verdict.AGAIN:
                used = readings if verdict is Verdict.ALL else readings[-1:]
                staged = of_passes(part, used, len(readings), "end" if verdict is Verdict.END else "total")
                if looked_again or not self._misses_known_rows(part.window, [staged], part.parent_id):
                    log.log(
                        logging.INFO if part.parent is None else logging.DEBUG,
                        "%s: %s rows, complete: %s",
                        part.parent_id or part.window,
                        staged.slice_.staged,
                        verdict.value,
                    )
                    return [staged]
                looked_again = True
            log.warning(
                "%s: pass %s: %s",
                part.window,
                len(readings),
                messages.incomplete(self._resource, part, readings, self._cap),
            )
            self._hook.sleep(min(2.0 ** (len(readings) - 1), 10.0))
            readings.append(self._reader.read(pools, part, len(readings) + 1, filters, self._completes(readings, stop)))

    def _read_halves(self, pools: Pools, halved: tuple[Part, Part], whole: Window, *, again: bool) -> list[Staged]:
        return [staged for half in halved for staged in self._read_part(pools, half, whole, again=again)]

    def _read_undated(self, pools: Pools, part: Part, parts: list[Staged], *, again: bool) -> list[StoredPass]:
        """Read the list itself for rows that its parts cannot have: those without the time that the parts go by.

        Nobody has documented where such rows stand, so all of it is read, as far as the API serves it; only until a
        total that is no cap shows that the parts have every row.
        """
        rows = len(merged([staged.keys for staged in parts]))
        totals: list[int] = []

        def is_proved(page: Page) -> bool:
            totals.extend([] if page.total is None else [page.total])
            return is_counted(rows, totals, self._cap)

        filters = self._resource.filters(part.window)
        passes = [1, 2] if again else [1]
        return [self._reader.read(pools, part, number, filters, is_proved, is_extra=True) for number in passes]

    def _halves(self, part: Part) -> tuple[Part, Part] | None:
        """The halves of a part; None if its filter cannot distinguish anything finer, or it has no filter."""
        cut = halves(part.window, self._resource.parts.step) if self._resource.parts else None
        if cut is None:
            return None
        return Part(part.number, cut[0], f"{part.path}0"), Part(part.number, cut[1], f"{part.path}1")

    def _filters(self, part: Part, whole: Window) -> dict[str, Any]:
        """What to ask for; the last part of a whole list has no end, as the list has none."""
        if part.parent is not None:
            return part.parent.fields
        if not part.path or self._resource.parts is None:
            return self._resource.filters(part.window)
        is_open = self._resource.scope is Scope.WHOLE and part.window.end == whole.end
        return self._resource.parts.filters(Window(part.window.begin, FOREVER) if is_open else part.window)

    def _tells_cap(self, page: Page) -> bool:
        return may_be_cap(page.total, self._cap)

    def _completes(self, readings: list[StoredPass], stop: Stop) -> Stop:
        """When to stop a further pass: where the latest change comes first, its first page may complete the others."""
        if self._resource.scope is not Scope.CHANGED:
            return stop
        passes = [reading.outcome for reading in readings]
        return lambda page: stop(page) or judging.completed_by(passes, page, self._cap)

    def _judge(self, readings: list[StoredPass]) -> Verdict:
        return judging.judge(
            [reading.outcome for reading in readings],
            newest_first=isinstance(self._resource.paging, Cursor),
            needs_total=self._resource.tells_total,
            cap=self._cap,
        )

    def _misses_known_rows(self, window: Window, staged: Sequence[Staged], parent: str | None = None) -> bool:
        """Whether the warehouse has rows of the window, or of the parent, that none of these slices contains."""
        if not self._resource.covers_present(window, utc_now()):
            return False
        observed_at = min(slice_.observed_at for slice_, _ in staged)
        with self._warehouse_lock:  # a connection serves one thread at a time
            missing = self._missing_rows(window, observed_at, merged([keys for _, keys in staged]), parent)
        if missing:
            log.warning("%s: the API did not list %s rows that the warehouse holds", window, len(missing))
        return bool(missing)


def _nothing(window: Window) -> SliceManifest:
    """The slice of a run in which no parent was due."""
    return SliceManifest(
        begin=window.begin, end=window.end, api_total=0, staged=0, passes=1, pages=[], observed_at=utc_now()
    )

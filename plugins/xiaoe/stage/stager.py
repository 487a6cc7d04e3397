"""API → page store: reads one window completely, then writes its manifest.

The window is cut into slices, and each is read until it is complete (`stage.slice_reader`).

Where each parent has a list, each of them is a slice. One whose list cannot be read does not stop the others: the
manifest names it, and the merge fails once it has merged them. Parents beyond the budget of calls wait for the next
run.

Clearing a stage task that succeeded means "ask again": a folder with a manifest is emptied first.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import utc_now
from xiaoe.exceptions import XiaoeBusyError, XiaoeError, XiaoeIncompleteError
from xiaoe.resources.base import Resource, Scope
from xiaoe.rows.children import Parent
from xiaoe.stage.parents import NOT_NOW, ParentLists
from xiaoe.stage.reading import Check, Part, Pools
from xiaoe.stage.slice_reader import MissingRows, SliceReader
from xiaoe.stage.staged import Staged
from xiaoe.storage.manifest import Manifest, SliceManifest
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import Plan, Window, slices

log = logging.getLogger(__name__)

_SAID = 100
"""Of so many lists of parents, the log names one."""
_MAX_SLICES = 2
"""Slices read at the same time: the next one starts while one ends, or calls would wait at every boundary."""


class Stager:
    """Reads the windows of one run.

    Args:
        hook: The shop's connection.
        resource: What to read.
        folder: Where the run's pages go.
        missing_rows: See `SliceReader`.
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
        self._reader = SliceReader(hook, resource, folder, missing_rows, check)
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
        if self._resource.scope is Scope.CHANGED and self._reader.misses_known_rows(plan.window, staged):
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
            read = self._reader.read if self._resource.parents is None else self._read_parent
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
        return self._lists.read(part, lambda: self._reader.read(pools, part, again=again), is_begun=is_begun)


def _nothing(window: Window) -> SliceManifest:
    """The slice of a run in which no parent was due."""
    return SliceManifest(
        begin=window.begin, end=window.end, api_total=0, staged=0, passes=1, pages=[], observed_at=utc_now()
    )

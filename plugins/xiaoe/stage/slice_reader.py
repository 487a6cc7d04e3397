"""One slice → page store, in passes until it is complete, or in halves.

A slice whose total may be a cap of the API (`stage.judging`) is read in halves, and these in halves again, until each
has a smaller total. Halves of a window by creation or last change are separate slices. Those of a whole list stay
one slice: who left the list shows only in all of them together. What the filter of the halves cannot find, rows without
that time, is looked for in the list itself, read as far as the API serves it (`_read_undated`).

After five passes that do not add up a slice starts over. Where the warehouse has rows of the window that were not
listed, the slice is read once more before the merge judges.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from xiaoe import settings
from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import utc_now
from xiaoe.exceptions import XiaoeIncompleteError
from xiaoe.resources.base import Cursor, Resource, Scope
from xiaoe.rows.caps import is_counted, may_be_cap
from xiaoe.rows.keys import Keys, merged
from xiaoe.stage import judging, messages
from xiaoe.stage.judging import Verdict
from xiaoe.stage.paging import Page
from xiaoe.stage.reading import Check, Part, PassReader, Pools, Stop, StoredPass, never
from xiaoe.stage.staged import Staged, of_passes, put_together
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import FOREVER, Window, halves

log = logging.getLogger(__name__)

MissingRows = Callable[[Window, datetime, Keys, "str | None"], list[str]]
"""Keys of rows that the warehouse has for a window and a parent, if any, observed before a moment, and that are not
among those given."""


class SliceReader:
    """Reads the slices of one run; used by several threads.

    Args:
        hook: The shop's connection.
        resource: What to read.
        folder: Where the run's pages go.
        missing_rows: Asks the warehouse. Where it has rows that the API does not list, they are read once more; if
            they stay missing, the merge decides what that means.
        check: See `PassReader`.
    """

    def __init__(
        self, hook: XiaoeHook, resource: Resource, folder: RunFolder, missing_rows: MissingRows, check: Check
    ) -> None:
        self._hook = hook
        self._resource = resource
        self._folder = folder
        self._missing_rows = missing_rows
        self._cap = settings.list_cap()
        self._passes = PassReader(hook, resource, folder, self._cap, check)
        self._warehouse_lock = threading.Lock()

    def read(self, pools: Pools, part: Part, *, again: bool) -> list[Staged]:
        """Read a slice, in parts where the API's cap demands it; those of a whole list are put together again.

        Args:
            pools: The run's threads.
            part: The slice.
            again: Whether to read it once more, after the passes that an earlier try finished.

        Raises:
            XiaoeIncompleteError: It does not add up after `judging.MAX_PASSES` passes, or exceeds the API's cap and
                cannot be halved.
            XiaoeError: The API cannot be read.
        """
        parts = self._read_part(pools, part, part.window, again=again)
        if self._resource.scope is not Scope.WHOLE or len(parts) == 1:
            return parts
        undated = self._read_undated(pools, part, parts, again=again)
        whole = put_together(self._resource, part.window, parts, undated, self._cap)
        if not again and self.misses_known_rows(part.window, [whole]):
            return self.read(pools, part, again=True)
        return [whole]

    def misses_known_rows(self, window: Window, staged: Sequence[Staged], parent: str | None = None) -> bool:
        """Whether the warehouse has rows of the window, or of the parent, that none of these slices contains."""
        if not self._resource.covers_present(window, utc_now()):
            return False
        observed_at = min(slice_.observed_at for slice_, _ in staged)
        with self._warehouse_lock:  # a connection serves one thread at a time
            missing = self._missing_rows(window, observed_at, merged([keys for _, keys in staged]), parent)
        if missing:
            log.warning("%s: the API did not list %s rows that the warehouse holds", window, len(missing))
        return bool(missing)

    def _read_part(self, pools: Pools, part: Part, whole: Window, *, again: bool) -> list[Staged]:
        """Read a part in passes until it is complete, or in halves; once more if known rows are missing."""
        halved = self._halves(part)
        if halved and self._folder.is_halved(part.number, part=part.path):
            return self._read_halves(pools, halved, whole, again=again)
        filters, stop = self._filters(part, whole), self._tells_cap if halved else never
        readings = self._passes.earlier(part)
        if again or not readings:
            readings.append(self._passes.read(pools, part, len(readings) + 1, filters, stop))
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
                if looked_again or not self.misses_known_rows(part.window, [staged], part.parent_id):
                    log.log(
                        logging.INFO if part.parent is None else logging.DEBUG,
                        "%s: %s rows, complete: %s",
                        part.parent_id or part.window,
                        staged.slice_.staged,
                        verdict.value,
                    )
                    return [staged]
                looked_again = True
            is_usual = len(readings) == 1 and not (self._resource.tells_total or readings[0].outcome.totals)
            log.log(
                logging.DEBUG if is_usual else logging.WARNING,
                "%s: pass %s: %s",
                part.parent_id or part.window,
                len(readings),
                messages.incomplete(self._resource, part, readings, self._cap),
            )
            self._hook.sleep(min(2.0 ** (len(readings) - 1), 10.0))
            readings.append(self._passes.read(pools, part, len(readings) + 1, filters, self._completes(readings, stop)))

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
        return [self._passes.read(pools, part, number, filters, is_proved, is_extra=True) for number in passes]

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

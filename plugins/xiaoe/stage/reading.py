"""Reads one slice once, from the API into the page store. Whether that is all of it, the stager decides.

Pages are written by threads beside the fetching, because `fsync` takes as long as a call. An interrupted try may leave
a gap; the next one continues at the gap and fetches again what follows it.
"""

from __future__ import annotations

import logging
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from xiaoe.api.hook import XiaoeHook
from xiaoe.exceptions import XiaoeBusyError, XiaoeNetworkError, XiaoeRetriableError
from xiaoe.resources.base import Cursor, Resource
from xiaoe.rows.caps import is_deep
from xiaoe.rows.children import Parent
from xiaoe.rows.envelope import Listing
from xiaoe.rows.keys import distinct, key_hash
from xiaoe.stage import paging
from xiaoe.stage.judging import MAX_PASSES, Pass
from xiaoe.stage.paging import Page, Progress
from xiaoe.storage.pages import RawPage, RunFolder
from xiaoe.windows import Window

log = logging.getLogger(__name__)

_MAX_UNWRITTEN = 16
"""Pages that were fetched and are not yet on disk."""
_BUSY = (1001, 2054)
"""Codes that say nothing about the page asked for (docs/xiaoe-api.md section 7)."""

Stop = Callable[[Page], bool]
"""Told every page of a pass, also those of an earlier try: whether to read no further."""
Check = Callable[[Sequence[msgspec.Raw]], None]


@dataclass(frozen=True)
class Pools:
    """Threads of one run: what fetches pages, and what writes them."""

    fetchers: ThreadPoolExecutor
    writers: ThreadPoolExecutor


@dataclass(frozen=True)
class Part:
    """A slice, or what came of halving one.

    Args:
        number: The slice, from 0.
        window: What it holds.
        path: Which half of which half, e.g. `01`; empty: the slice itself.
        parent: Whose list it is.
    """

    number: int
    window: Window
    path: str = ""
    parent: Parent | None = None

    @property
    def parent_id(self) -> str | None:
        """The parent's id."""
        return None if self.parent is None else self.parent.id


@dataclass(frozen=True)
class StoredPass:
    """One pass over a part, with its files.

    Args:
        names: Of its pages.
        observed_at: UTC, the earliest page's.
        outcome: What came of it.
        refusal: The API's answer where it refused a deep page.
    """

    names: list[str]
    observed_at: datetime
    outcome: Pass
    refusal: XiaoeRetriableError | None = None


def never(page: Page) -> bool:
    """Read to the end."""
    return False


class PassReader:
    """Reads parts of one resource, pass by pass.

    Args:
        hook: The shop's connection.
        resource: What to read.
        folder: Where the run's pages go.
        cap: `settings.list_cap`.
        check: Is given the rows of each page, and may raise.
    """

    def __init__(
        self,
        hook: XiaoeHook,
        resource: Resource,
        folder: RunFolder,
        cap: int,
        check: Check = lambda _: None,
    ) -> None:
        self._hook = hook
        self._resource = resource
        self._folder = folder
        self._cap = cap
        self._check = check
        self._by_cursor = isinstance(resource.paging, Cursor)

    def earlier(self, part: Part) -> list[StoredPass]:
        """Passes that an earlier try finished; discarded if they are `MAX_PASSES`, or if one lost its pages."""
        finished = self._folder.finished_passes(part.number, part=part.path)
        if finished < MAX_PASSES:
            passes = [self._stored(part, pass_number) for pass_number in range(1, finished + 1)]
            if all(passes):
                return [self._collect(pages) for pages in passes]
        self._folder.clear_slice(part.number, part=part.path)
        return []

    def read(
        self,
        pools: Pools,
        part: Part,
        pass_number: int,
        filters: dict[str, Any],
        stop: Stop = never,
        *,
        is_extra: bool = False,
    ) -> StoredPass:
        """Read a part to its end, until `stop`, or until the API refuses a page that may lie behind a cap.

        Args:
            pools: The run's threads.
            part: What the pages are stored under.
            pass_number: From 1.
            filters: What to ask for.
            stop: See there.
            is_extra: Nothing fails for want of these rows: no answer at all to a deep page is a refusal, too.

        Raises:
            XiaoeError: The API cannot be read.
        """
        pages: list[tuple[str, Page]] = []
        for name, page in self._stored(part, pass_number):
            pages.append((name, page))
            if stop(page):
                return self._collect(pages)
        if pages:
            log.info("%s: resuming after page %s", part.window, len(pages))
        writing: deque[Future[None]] = deque()
        refusal: XiaoeRetriableError | None = None
        try:
            for page in self._fetch_pages(pools.fetchers, part, filters, [page for _, page in pages]):
                name = self._folder.page_name(part.number, pass_number, page.index, part=part.path)
                raw = RawPage(page.index, page.observed_at, page.body)
                writing.append(pools.writers.submit(self._folder.write_page, name, raw))
                pages.append((name, replace(page, body=b"")))  # a window of any size has to fit into memory
                while len(writing) > _MAX_UNWRITTEN or (writing and writing[0].done()):
                    writing.popleft().result()
                if stop(page):
                    break
        except (XiaoeBusyError, XiaoeNetworkError) as error:
            may_refuse = is_extra or (isinstance(error, XiaoeBusyError) and error.code not in (None, *_BUSY))
            if not may_refuse or not self._is_deep(pages):
                raise
            refusal = error
        for future in writing:
            future.result()
        if refusal is None:
            self._folder.finish_pass(part.number, pass_number, part=part.path)
        return self._collect(pages, refusal)

    def _is_deep(self, pages: list[tuple[str, Page]]) -> bool:
        return is_deep(sum(len(page.keys) for _, page in pages), self._cap)

    def _fetch_pages(
        self, fetchers: ThreadPoolExecutor, part: Part, filters: dict[str, Any], stored: list[Page]
    ) -> Iterator[Page]:
        if self._by_cursor:
            return paging.follow_cursor(
                lambda index, cursor: self._fetch(part, filters, index, cursor), stored=stored, cap=self._cap
            )
        return paging.read_pages(
            lambda index: fetchers.submit(self._fetch, part, filters, index),
            ahead=2 * self._hook.shop.concurrency - 1,
            stored=stored,
            page_size=self._hook.page_size(self._resource),
            needs_total=self._resource.tells_total,
            cap=self._cap,
        )

    def _fetch(self, part: Part, filters: dict[str, Any], index: int, cursor: Any = None) -> Page:
        fields = {**filters, **self._resource.paging.fields(index, cursor)}
        answer = self._hook.list_page(self._resource, fields, index=index)
        return replace(self._page(answer, self._resource.of_parent(answer.listing, part.parent_id)), body=answer.body)

    def _stored(self, part: Part, pass_number: int) -> list[tuple[str, Page]]:
        """Names and pages that an earlier try left of a pass."""
        return [
            (name, self._page(raw, self._resource.listing(raw.body, part.parent_id)))
            for name, raw in self._folder.stored_pages(part.number, pass_number, part=part.path)
        ]

    def _page(self, raw: RawPage, listing: Listing) -> Page:
        self._check(listing.rows)
        reader = self._resource.reader
        names = reader.keys(listing.rows)
        keys = array("q", (key_hash(name or bytes(row)) for name, row in zip(names, listing.rows, strict=True)))
        keyless = array("q", (key for key, name in zip(keys, names, strict=True) if name is None))
        cursor = self._resource.paging.cursor(listing.rows)
        return Page(raw.index, listing.total, keys, raw.observed_at, cursor, keyless=keyless)

    def _collect(self, pages: list[tuple[str, Page]], refusal: XiaoeRetriableError | None = None) -> StoredPass:
        progress = Progress.through(
            (page for _, page in pages),
            by_cursor=self._by_cursor,
            needs_total=self._resource.tells_total,
            cap=self._cap,
        )
        outcome = Pass(
            totals=tuple(page.total for _, page in pages if page.total is not None),
            keys=distinct(page.keys for _, page in pages),
            repeats=progress.repeated,
            without_total=sum(page.total is None and bool(page.keys) for _, page in pages),
            is_cut=progress.is_cut,
            is_refused=refusal is not None,
            keyless=distinct(page.keyless for _, page in pages),
        )
        return StoredPass([name for name, _ in pages], min(page.observed_at for _, page in pages), outcome, refusal)

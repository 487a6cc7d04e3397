"""The raw rows of a slice, from the page store, some thousand at a time and each key once."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice, repeat

from msgspec import Raw

from xiaoe import clock
from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.merge import api_fields
from xiaoe.resources.base import Resource
from xiaoe.rows.keys import key_hash
from xiaoe.storage.manifest import SliceManifest
from xiaoe.storage.pages import RawPage, RunFolder

_PAGES_AHEAD = 4


@dataclass
class RawChunk:
    """The raw rows of some pages.

    Args:
        newest: Key, as in `Known` → its latest row, and when that was observed.
        keyless: Rows without a key, likewise.
        hashes: Key hashes of all rows, for the count.
        is_plain: Whether every key was received as in `Known`.
        samples: A few rows of each page that have a key, for `api_fields`.
        twins: (key, row, observed) of rows that a later one with the same key and other bytes follows on their page.
        exact: Once a key was not plain: key, as in `Known` → as the first row received it.
        padded: (key, row, observed) of rows whose key differs from that only by blanks at its end.
    """

    newest: dict[str, tuple[Raw, str]] = field(default_factory=dict)
    keyless: list[tuple[Raw, str]] = field(default_factory=list)
    hashes: array[int] = field(default_factory=lambda: array("q"))
    is_plain: bool = True
    samples: list[Raw] = field(default_factory=list)
    twins: list[tuple[str, Raw, str]] = field(default_factory=list)
    exact: dict[str, str] = field(default_factory=dict)
    padded: list[tuple[str, Raw, str]] = field(default_factory=list)

    def add(self, resource: Resource, rows: Sequence[Raw], observed_at: str) -> None:
        """Add the rows of a page."""
        keys = resource.reader.keys(rows)
        if None in keys:
            keyless = [raw for raw, key in zip(rows, keys, strict=True) if key is None]
            self.keyless += [(raw, observed_at) for raw in keyless]
            self.hashes.extend(map(key_hash, map(bytes, keyless)))
            rows = [raw for raw, key in zip(rows, keys, strict=True) if key is not None]
        self.samples += api_fields.sample(rows)
        received = [key for key in keys if key is not None]
        self.hashes.extend(map(key_hash, received))
        names = [key.rstrip(" ") for key in received]
        self.is_plain = self.is_plain and names == received
        if not self.is_plain:
            names, rows = self._apart(received, rows, observed_at)
        page = dict(zip(names, zip(rows, repeat(observed_at)), strict=False))
        if len(page) < len(names):
            self.twins += [
                (name, raw, observed_at)
                for name, raw in zip(names, rows, strict=True)
                if bytes(raw) != bytes(page[name][0])
            ]
        for name in page.keys() & self.newest.keys():
            if self.newest[name][1] > observed_at:
                del page[name]
        self.newest |= page

    def _apart(self, received: list[str], rows: Sequence[Raw], observed_at: str) -> tuple[list[str], list[Raw]]:
        """Rows without those whose key is another one to the API, and the same to the database as an earlier row's."""
        if not self.exact:
            self.exact = {name: name for name in self.newest}
        kept: list[tuple[str, Raw]] = []
        for key, raw in zip(received, rows, strict=True):
            name = key.rstrip(" ")
            if self.exact.setdefault(name, key) == key:
                kept.append((name, raw))
            else:
                self.padded.append((key, raw, observed_at))
        return [name for name, _ in kept], [raw for _, raw in kept]


def read(resource: Resource, folder: RunFolder, slice_: SliceManifest, size: int) -> Iterator[RawChunk]:
    """The rows of a slice in page order, in chunks of `size` to `size` plus one page.

    Raises:
        XiaoeReconciliationError: A page is missing.
    """
    incoming = RawChunk()
    for name, page in _pages(folder, slice_.pages):
        if page is None:
            raise XiaoeReconciliationError(
                f"page {name} is gone from {folder.path}: clear the stage task, it reads the window again"
            )
        listing = resource.listing(page.body, slice_.parent)
        incoming.add(resource, listing.rows, clock.utc_text(page.observed_at))
        if len(incoming.hashes) >= size:
            yield incoming
            incoming = RawChunk()
    if incoming.hashes:
        yield incoming


def _pages(folder: RunFolder, names: Sequence[str]) -> Iterator[tuple[str, RawPage | None]]:
    """The pages in order. A bucket's are read ahead; on a disk, threads cost more than they save."""
    if folder.is_local:
        yield from ((name, folder.read_page(name)) for name in names)
        return
    remaining = iter(names)
    with ThreadPoolExecutor(2, thread_name_prefix="xiaoe-page") as pool:
        ahead = deque(pool.submit(folder.read_page, name) for name in islice(remaining, _PAGES_AHEAD))
        for name in names:
            page = ahead.popleft().result()
            ahead.extend(pool.submit(folder.read_page, later) for later in islice(remaining, 1))
            yield name, page

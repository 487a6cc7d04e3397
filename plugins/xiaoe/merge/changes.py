"""Some thousand rows at a time, on their way from the page store into the warehouse: read, judged, typed.

Knows no database: what it holds of the rows is handed in, what is to be written is handed back.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice, repeat

from msgspec import Raw

from xiaoe import clock
from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.merge import ledger
from xiaoe.merge.field_problems import FieldProblem
from xiaoe.merge.rejected import Rejected
from xiaoe.resources.base import Resource
from xiaoe.rows.decode import Row, RowError, row_hash
from xiaoe.rows.envelope import rows_of
from xiaoe.rows.keys import key_hash
from xiaoe.rows.problems import Problem
from xiaoe.storage.pages import Manifest, RunFolder, SliceManifest, StoredPage

_PAGES_AHEAD = 4
_TWIN = "its key came twice on one page, with different content: the other row was taken; ask 小鹅通 what they mean"

Known = tuple[int, int, str, int, int, int]
"""What the warehouse knows of a row: raw hash, row hash, `observed_at` (UTC, as text), whether it is absent, whether it
is one of those that the list has to bring (`expected.Expected`), and whether some field of it could not be read."""

Stored = dict[str, Known]
"""Key → what the warehouse knows of the row.

The key is without the spaces at its end, which MySQL takes for nothing when it compares.
"""


@dataclass
class Incoming:
    """The raw rows of some pages.

    Args:
        newest: Key, as in `Stored`, → the latest of its rows and when that was seen.
        keyless: Rows without a key, likewise.
        hashes: Of the keys of all rows, for the count.
        is_plain: Whether every key came as in `Stored`.
        twins: Key → rows that another one of the same page came after, with other bytes, and when that was seen.
    """

    newest: dict[str, tuple[Raw, str]] = field(default_factory=dict)
    keyless: list[tuple[Raw, str]] = field(default_factory=list)
    hashes: array[int] = field(default_factory=lambda: array("q"))
    is_plain: bool = True
    twins: list[tuple[str, Raw, str]] = field(default_factory=list)

    def add(self, resource: Resource, rows: Sequence[Raw], observed_at: str) -> None:
        """Take in a page."""
        keys = resource.reader.keys(rows)
        if None in keys:
            lost = [raw for raw, key in zip(rows, keys, strict=True) if key is None]
            self.keyless += [(raw, observed_at) for raw in lost]
            self.hashes.extend(map(key_hash, map(bytes, lost)))
            rows = [raw for raw, key in zip(rows, keys, strict=True) if key is not None]
        came = [key for key in keys if key is not None]
        self.hashes.extend(map(key_hash, came))
        names = [key.rstrip(" ") for key in came]
        self.is_plain = self.is_plain and names == came
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


@dataclass
class Chunk:
    """What became of the rows of some pages.

    Args:
        new: Key → typed row that the warehouse does not hold.
        changed: Key → typed row that it holds otherwise.
        rehashed: Key → shop, key and `BOOKKEEPING` of a row that it holds as it is, with another raw hash.
        rejected: What came and is no row.
        typed: Keys of rows that are, once more, after they were none.
        problems: Fields that could not be read, of rows that are written, or held as they came.
        reread: Keys of rows with such fields in the warehouse, which were read again.
        unheld: Keys that were not among the rows that the list has to bring (`ledger.Expected`).
    """

    new: dict[str, Row] = field(default_factory=dict)
    changed: dict[str, Row] = field(default_factory=dict)
    rehashed: dict[str, Row] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    typed: set[str] = field(default_factory=set)
    problems: list[FieldProblem] = field(default_factory=list)
    reread: set[str] = field(default_factory=set)
    unheld: set[str] = field(default_factory=set)

    @property
    def rows(self) -> list[Row]:
        """All that are to be written."""
        return [*self.new.values(), *self.changed.values()]

    def add(self, other: Chunk) -> None:
        """Take in what was seen later."""
        self.new |= other.new
        for key, row in other.changed.items():
            (self.new if key in self.new else self.changed)[key] = row
        self.rehashed |= other.rehashed
        self.rejected += other.rejected
        self.typed |= other.typed
        self.problems = [one for one in self.problems if one.key not in other.reread] + other.problems
        self.reread |= other.reread

    def is_due(self, size: int) -> bool:
        """Whether to write it now. Statements cost something, too; but what was rejected has to stay in its order."""
        waiting = len(self.new) + len(self.changed) + len(self.rehashed) + len(self.reread)
        return waiting >= size or bool(self.rejected or self.typed)


def read(resource: Resource, folder: RunFolder, part: SliceManifest, size: int) -> Iterator[Incoming]:
    """The rows of a slice, page after page, `size` and at most a page more at a time.

    Raises:
        XiaoeReconciliationError: A page is gone.
    """
    incoming = Incoming()
    for name, page in _pages(folder, part.pages):
        if page is None:
            raise XiaoeReconciliationError(
                f"page {name} is gone from {folder.path}: clear the stage task, it reads the window again"
            )
        listing = rows_of(page.body, total_field=resource.total_key)
        incoming.add(resource, listing.rows, clock.utc_text(page.observed_at))
        if len(incoming.hashes) >= size:
            yield incoming
            incoming = Incoming()
    if incoming.hashes:
        yield incoming


def _pages(folder: RunFolder, names: Sequence[str]) -> Iterator[tuple[str, StoredPage | None]]:
    """The pages in order; those of a bucket, which answers late, are read ahead."""
    if folder.is_local:
        yield from ((name, folder.read_page(name)) for name in names)
        return
    to_come = iter(names)
    with ThreadPoolExecutor(2, thread_name_prefix="xiaoe-page") as pool:
        ahead = deque(pool.submit(folder.read_page, name) for name in islice(to_come, _PAGES_AHEAD))
        for name in names:
            page = ahead.popleft().result()
            ahead.extend(pool.submit(folder.read_page, one) for one in islice(to_come, 1))
            yield name, page


class Judge:
    """Keeps what is new or changed and not older than what the warehouse has seen; types only that.

    Args:
        resource: Whose rows.
        manifest: Of the run.
        seen_later: Merged windows that saw rows of this one later than its pages did.
        unresolved: Keys of rows that could not be typed → when they were last seen like that.
    """

    def __init__(
        self, resource: Resource, manifest: Manifest, seen_later: list[ledger.SeenWindow], unresolved: dict[str, str]
    ) -> None:
        self._reader = resource.reader
        self._manifest = manifest
        self._batch_id = manifest.batch_id
        self._seen_later = seen_later
        self._unresolved = unresolved
        self._time = resource.reader.columns.index(resource.time) if resource.time else None
        self._key = resource.columns.index(resource.key)

    def pick(self, incoming: Incoming, stored: Stored) -> Chunk:
        """Judge some rows, knowing what the warehouse holds of them."""
        chunk = Chunk(rejected=[self._rejected(None, *one) for one in incoming.keyless])
        known, hash_of, newest, get = self._is_known, self._reader.raw_hash, incoming.newest, stored.get
        to_type = []
        for key in sorted(newest):
            raw, observed_at = newest[key]
            raw_hash, old = hash_of(raw), get(key)
            if not old or not old[4]:
                chunk.unheld.add(key)
            # What could not be read is tried again each time that it comes, even as the same bytes.
            if not (old and known(old, observed_at, old[0] == raw_hash and not old[5])):
                to_type.append((key, raw, observed_at, raw_hash, old))
        shop_id, batch_id = self._manifest.shop_id, self._batch_id
        typed = self._typed([raw for _, raw, *_ in to_type])
        for (key, raw, observed_at, raw_hash, old), one in zip(to_type, typed, strict=True):
            if isinstance(one, RowError):
                chunk.rejected.append(self._rejected(key, raw, observed_at))
                continue
            row, problems = one
            hashed = row_hash(row)
            bookkeeping = (hashed, raw_hash, observed_at, batch_id)
            if old and self._was_seen_later(row, observed_at):
                continue
            chunk.problems += [FieldProblem(key, problem, observed_at) for problem in problems]
            if old and old[5]:
                chunk.reread.add(key)
            if old and known(old, observed_at, old[1] == hashed):
                if old[0] == raw_hash:
                    continue
                chunk.rehashed[key] = (shop_id, key, *bookkeeping)
                continue
            (chunk.changed if old else chunk.new)[key] = (shop_id, *row, *bookkeeping)
        chunk.rejected += self._twins(incoming)
        if self._unresolved:
            rejected = {one.key for one in chunk.rejected}
            chunk.typed = {
                key
                for key, (_, seen) in incoming.newest.items()
                if self._unresolved.get(key, "9") <= seen and key not in rejected
            }
        return chunk

    def _twins(self, incoming: Incoming) -> list[Rejected]:
        """Rows that say something else than the one with their key that came last on the same page.

        Nothing tells which of them is right: the last one is taken, and somebody is told.
        """
        found = []
        for key, raw, observed_at in incoming.twins:
            last, seen = incoming.newest[key]
            if seen == observed_at and self._typed([raw]) != self._typed([last]):
                kept = self._reader.kept(raw)
                found.append(Rejected(key, _TWIN, self._reader.raw_hash(raw), bytes(raw), observed_at, kept=kept))
        return found

    def stored(self, chunk: Chunk) -> Stored:
        """What the warehouse will know of the chunk's rows once they are written; none counts as held any more."""
        return {
            row[self._key].rstrip(" "): (row[-3], row[-4], row[-2], 0, 0, row[-5] is not None) for row in chunk.rows
        }

    def key_hashes(self, chunk: Chunk) -> array[int]:
        """Of the chunk's rows."""
        return array("q", (key_hash(row[self._key].rstrip(" ")) for row in chunk.rows))

    def unknown_codes(self, chunk: Chunk) -> Counter[str]:
        """Codes without a text → rows."""
        return Counter(self._reader.unknown_codes(row[1:] for row in chunk.rows))

    def _typed(self, raws: list[Raw]) -> list[tuple[Row, list[Problem]] | RowError]:
        """Rows and what could not be read of them, or why they are none; the latter are found by halves."""
        try:
            rows, problems = self._reader.read(raws)
            return [(row, problems.get(place, [])) for place, row in enumerate(rows)]
        except RowError as error:
            half = len(raws) // 2
            return [*self._typed(raws[:half]), *self._typed(raws[half:])] if half else [error]

    def _is_known(self, old: Known, observed_at: str, same: bool) -> bool:
        """Whether the warehouse holds all that this observation tells, or newer.

        No ledger window tells later that a row that was looked up was seen: it is written even if it did not
        change, so that its own `observed_at` does.
        """
        _, _, seen, is_absent, *_ = old
        if self._manifest.is_lookup:
            return seen > observed_at or (seen == observed_at and same)
        return seen > observed_at or (same and not is_absent)

    def _was_seen_later(self, row: Row, observed_at: str) -> bool:
        """Whether a merged window saw the row, unchanged, after this page did."""
        moment = clock.beijing_text(self._manifest.window.begin) if self._time is None else row[self._time]
        later = ledger.last_seen(self._seen_later, moment)
        return later is not None and clock.utc_text(later) > observed_at

    def _rejected(self, key: str | None, raw: Raw, observed_at: str) -> Rejected:
        try:
            self._reader.row(raw)
            reason = "it has no key"
        except RowError as error:
            reason = str(error)
        return Rejected(key, reason, self._reader.raw_hash(raw), bytes(raw), observed_at, kept=self._reader.kept(raw))

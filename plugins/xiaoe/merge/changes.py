"""Change detection: raw rows in, rows to write out, some thousand at a time. No database access.

An equal `raw_hash` (the bytes as they came) skips typing, an equal `row_hash` (the typed row) skips writing: a rescan
in which 1% changed types and writes 1%. Where only `raw_hash` differs, it alone is refreshed. Hashes are XXH3, 64
bits, seeded with the typing rules.

An unchanged row is not written, so its `observed_at` stays. Without more, an order that goes 1 → 8 → 1 could be set
back to 8 by a page that was fetched in between and merged late. So the ledger is asked which windows over the row's
time were observed after the page (`SeenWindow`); rows of those are left alone. An order looked up by id has no window
in the ledger: it is always written, because its own `observed_at` is the only trace of the reading.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Raw

from xiaoe import clock
from xiaoe.merge.field_problems import FieldProblem
from xiaoe.merge.incoming import RawChunk
from xiaoe.merge.rejected import Rejected
from xiaoe.resources.base import Resource
from xiaoe.rows.decode import Row, RowError, row_hash
from xiaoe.rows.keys import key_hash
from xiaoe.rows.problems import Problem
from xiaoe.storage.manifest import Manifest

_TWIN = "duplicate key with different content on one page: the last row was kept; ask 小鹅通 which one is right"

_SAME_BUT_BLANKS = (
    "the key differs from {!r} only by blanks at its end, and the database takes both for one: the row with that key"
    " was kept; ask 小鹅通 which one is right"
)

KnownRow = tuple[int, int, str, int, int, int, str]
"""A row in the warehouse: raw hash, row hash, `observed_at` (UTC, as text), whether it is absent, whether the list has
to contain it (`expected.Expected`), whether a field of it could not be read, and its key with all blanks."""

Known = dict[str, KnownRow]
"""Key → the row in the warehouse.

Keys are without trailing spaces, which MySQL ignores in comparisons.
"""


SeenLater = Callable[["str | None"], "datetime | None"]


@dataclass
class Chunk:
    """The rows of some pages, classified.

    Args:
        new: Key → typed row that is not in the warehouse.
        changed: Key → typed row that differs from the warehouse's.
        rehashed: Key → shop, key and `BOOKKEEPING` of an equal row whose raw hash differs.
        rejected: Rows without a key, what is no row, and rows whose key the database takes for another's.
        typed: Keys of rows that are rejected in the warehouse and could be typed now.
        problems: Fields that could not be read, also of rows that did not change.
        reread: Keys of rows that have such fields in the warehouse and were typed again.
        unexpected: Keys of rows that the list need not contain (`expected.Expected`).
    """

    new: dict[str, Row] = field(default_factory=dict)
    changed: dict[str, Row] = field(default_factory=dict)
    rehashed: dict[str, Row] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    typed: set[str] = field(default_factory=set)
    problems: list[FieldProblem] = field(default_factory=list)
    reread: set[str] = field(default_factory=set)
    unexpected: set[str] = field(default_factory=set)

    @property
    def rows(self) -> list[Row]:
        """All rows to write."""
        return [*self.new.values(), *self.changed.values()]

    def add(self, other: Chunk) -> None:
        """Add a later chunk."""
        self.new |= other.new
        for key, row in other.changed.items():
            (self.new if key in self.new else self.changed)[key] = row
        self.rehashed |= other.rehashed
        self.rejected += other.rejected
        self.typed |= other.typed
        self.problems = [one for one in self.problems if one.key not in other.reread] + other.problems
        self.reread |= other.reread

    def is_due(self, size: int) -> bool:
        """Whether to write now: from `size` rows on, because statements cost time; rejected rows in their order."""
        waiting = len(self.new) + len(self.changed) + len(self.rehashed) + len(self.reread)
        return waiting >= size or bool(self.rejected or self.typed)


class ChangeDetector:
    """Finds the rows that are new or changed and not older than the warehouse's; types only those.

    Args:
        resource: The resource.
        manifest: The run's manifest.
        seen_later: The time of a row, or its parent → when it was last observed by something merged after this run's
            pages; None: by nothing.
        unresolved: Keys of rejected rows → when they were last observed.
    """

    def __init__(
        self, resource: Resource, manifest: Manifest, seen_later: SeenLater, unresolved: dict[str, str]
    ) -> None:
        self._reader = resource.reader
        self._manifest = manifest
        self._batch_id = manifest.batch_id
        self._seen_later = seen_later
        self._unresolved = unresolved
        place = resource.parents.column if resource.parents else resource.time
        self._place = None if place is None else resource.reader.columns.index(place)
        self._key = resource.columns.index(resource.key)

    def classify(self, incoming: RawChunk, known: Known) -> Chunk:
        """Classify some rows, given the warehouse's."""
        chunk = Chunk(rejected=[self._rejected(None, *keyless) for keyless in incoming.keyless])
        is_known, hash_of, newest, get = self._is_known, self._reader.raw_hash, incoming.newest, known.get
        to_type = []
        is_plain = not self._manifest.is_lookup and not incoming.exact
        for key in sorted(newest):
            raw, observed_at = newest[key]
            raw_hash, old = hash_of(raw), get(key)
            # Nearly every row of a rescan ends here: the same bytes, listed as expected, every field read.
            if is_plain and old and old[0] == raw_hash and old[3:] == (0, 1, 0, key):
                continue
            is_other = old is not None and old[6] != incoming.exact.get(key, key)
            if not old or not old[4] or is_other:
                chunk.unexpected.add(key)
            if old and is_other:
                chunk.rejected.append(self._other(incoming.exact.get(key, key), old[6], raw, observed_at))
                continue
            # A row with a problem is typed again each time it is read, even from the same bytes.
            if not (old and is_known(old, observed_at, old[0] == raw_hash and not old[5])):
                to_type.append((key, raw, observed_at, raw_hash, old))
        shop_id, batch_id = self._manifest.shop_id, self._batch_id
        typed = self._typed([raw for _, raw, *_ in to_type])
        for (key, raw, observed_at, raw_hash, old), outcome in zip(to_type, typed, strict=True):
            if isinstance(outcome, RowError):
                chunk.rejected.append(self._rejected(key, raw, observed_at))
                continue
            row, problems = outcome
            hashed = row_hash(row)
            bookkeeping = (hashed, raw_hash, observed_at, batch_id)
            if old and self._was_seen_later(row, observed_at):
                continue
            chunk.problems += [FieldProblem(key, problem, observed_at) for problem in problems]
            if old and old[5]:
                chunk.reread.add(key)
            if old and is_known(old, observed_at, old[1] == hashed):
                if old[0] == raw_hash:
                    continue
                chunk.rehashed[key] = (shop_id, key, *bookkeeping)
                continue
            (chunk.changed if old else chunk.new)[key] = (shop_id, *row, *bookkeeping)
        chunk.rejected += self._twins(incoming)
        chunk.rejected += [
            self._other(key, incoming.exact[key.rstrip(" ")], raw, seen) for key, raw, seen in incoming.padded
        ]
        if self._unresolved:
            rejected = {row.key for row in chunk.rejected}
            chunk.typed = {
                key
                for key, seen in ((incoming.exact.get(name, name), seen) for name, (_, seen) in incoming.newest.items())
                if self._unresolved.get(key, "9") <= seen and key not in rejected
            }
        return chunk

    def _twins(self, incoming: RawChunk) -> list[Rejected]:
        """Rows that differ, once typed, from the last row with the same key on their page.

        Nothing shows which of them is right: the last one is kept, the others are reported.
        """
        differing = []
        for key, raw, observed_at in incoming.twins:
            last, seen = incoming.newest[key]
            if seen == observed_at and self._typed([raw]) != self._typed([last]):
                kept = self._reader.kept(raw)
                differing.append(Rejected(key, _TWIN, self._reader.raw_hash(raw), bytes(raw), observed_at, kept=kept))
        return differing

    def after_write(self, chunk: Chunk) -> Known:
        """What `Known` will be of the chunk's rows once they are written; none of them counts as expected."""
        return {
            row[self._key].rstrip(" "): (row[-3], row[-4], row[-2], 0, 0, row[-5] is not None, row[self._key])
            for row in chunk.rows
        }

    def key_hashes(self, chunk: Chunk) -> array[int]:
        """Key hashes of the chunk's rows."""
        return array("q", (key_hash(row[self._key]) for row in chunk.rows))

    def unknown_codes(self, chunk: Chunk) -> Counter[str]:
        """Codes without a text → how many rows."""
        return Counter(self._reader.unknown_codes(row[1:] for row in chunk.rows))

    def _typed(self, raws: list[Raw]) -> list[tuple[Row, list[Problem]] | RowError]:
        """Each row typed, with the problems of its fields, or its error; bad rows are found by halving."""
        try:
            rows, problems = self._reader.read(raws)
            return [(row, problems.get(index, [])) for index, row in enumerate(rows)]
        except RowError as error:
            half = len(raws) // 2
            return [*self._typed(raws[:half]), *self._typed(raws[half:])] if half else [error]

    def _is_known(self, old: KnownRow, observed_at: str, same: bool) -> bool:
        """Whether the warehouse's row is as good as this observation, or newer.

        A row that was looked up has no window in the ledger: it is written even if it did not change, so that its
        `observed_at` moves.
        """
        _, _, seen, is_absent, *_ = old
        if self._manifest.is_lookup:
            return seen > observed_at or (seen == observed_at and same)
        return seen > observed_at or (same and not is_absent)

    def _was_seen_later(self, row: Row, observed_at: str) -> bool:
        """Whether a merged window observed the row, unchanged, after this page."""
        begin = clock.beijing_text(self._manifest.window.begin)
        later = self._seen_later(begin if self._place is None else row[self._place])
        return later is not None and clock.utc_text(later) > observed_at

    def _other(self, key: str, kept: str, raw: Raw, observed_at: str) -> Rejected:
        """A row whose key is `kept` to the database, and is not."""
        reason, digest = _SAME_BUT_BLANKS.format(kept), self._reader.raw_hash(raw)
        return Rejected(key, reason, digest, bytes(raw), observed_at, kept=self._reader.kept(raw))

    def _rejected(self, key: str | None, raw: Raw, observed_at: str) -> Rejected:
        try:
            self._reader.row(raw)
            reason = "it has no key"
        except RowError as error:
            reason = str(error)
        return Rejected(key, reason, self._reader.raw_hash(raw), bytes(raw), observed_at, kept=self._reader.kept(raw))

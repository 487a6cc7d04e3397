"""Inferred members: users and products that an order names before their own list brings them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from xiaoe.mysql.session import Session
from xiaoe.resources.base import Member
from xiaoe.rows.decode import Row
from xiaoe.rows.keys import Keys, among, key_hash, merged
from xiaoe.storage.pages import Manifest

NEVER_OBSERVED = "1970-01-01 00:00:00"
"""`observed_at` of an inferred row: older than any observation, so that the first one wins."""
_MOST_RECENT = 20_000
_MOST_REMEMBERED = 1_000_000
"""Members of a table; eight bytes each. To look one up costs the server nearly half of what inserting it does."""


class ReferencedMembers(NamedTuple):
    """Members that some rows name: key → the other columns."""

    member: Member
    columns: dict[str, tuple[Any, ...]]


def named_by(member: Member, places: Sequence[int], rows: Sequence[Row]) -> ReferencedMembers:
    """What rows name.

    Args:
        member: Which table and columns.
        places: Where these stand in a row, key first.
        rows: Of those that name.
    """
    named: dict[str, tuple[Any, ...]] = {}
    for key, *others in set(zip(*([row[place] for row in rows] for place in places), strict=True)):
        if not key or key.isspace():
            continue
        values = tuple(others)
        held = named.setdefault(key, values)
        if held != values:
            named[key] = tuple(_larger(*pair) for pair in zip(held, values, strict=True))
    return ReferencedMembers(member, named)


class Remembered:
    """Keys that were seen, by their hashes, as in the proof that no row is missing (`paging.key_hash`)."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._older: Keys = np.empty(0, np.int64)

    def add(self, keys: Iterable[str]) -> None:
        """Remember these; where there would be too many, forget the older ones."""
        self._recent.update(map(key_hash, keys))
        if len(self._recent) > _MOST_RECENT:
            recent = np.sort(np.fromiter(self._recent, np.int64))
            is_full = len(self._older) + len(recent) > _MOST_REMEMBERED
            self._older = recent if is_full else merged([self._older, recent])
            self._recent.clear()

    def unknown(self, keys: Iterable[str]) -> list[str]:
        """Those of some keys that are not remembered, sorted."""
        asked = sorted(key for key in keys if key_hash(key) not in self._recent)
        there = among(np.fromiter(map(key_hash, asked), np.int64), self._older)
        return [key for key, is_there in zip(asked, there, strict=True) if not is_there]


class KnownMembers:
    """Inserts members that their table does not have; does not look twice for the same ones.

    Args:
        session: In the merge's transaction.
        manifest: Of the run.
    """

    def __init__(self, session: Session, manifest: Manifest) -> None:
        self._session = session
        self._manifest = manifest
        self._known: dict[str, Remembered] = {}

    def insert_unknown(self, named: ReferencedMembers) -> None:
        """Insert what is named and not there.

        Which ones are unknown is found by a plain SELECT, which locks nothing: a merge of the other table may be
        running. Whoever comes second finds the row there.
        """
        member = named.member
        known = self._known.setdefault(member.table, Remembered())
        if asked := known.unknown(named.columns):
            self._insert(member, {key: named.columns[key] for key in asked})
            known.add(asked)

    def _insert(self, member: Member, named: dict[str, tuple[Any, ...]]) -> None:
        key, *others = member.columns
        places = ", ".join(["%s"] * len(named))
        found = self._session.query(
            f"SELECT {key} FROM {member.table} WHERE shop_id = %s AND {key} IN ({places})",
            (self._manifest.shop_id, *named),
        )
        there = {name for (name,) in found}
        unknown = [
            (self._manifest.shop_id, name, *values, self._manifest.batch_id, 1, 0, 0, NEVER_OBSERVED)
            for name, values in named.items()
            if name not in there
        ]
        if unknown:
            columns = ("shop_id", key, *others, "batch_id", "is_inferred", "row_hash", "raw_hash", "observed_at")
            self._session.bulk_load(member.table, columns, unknown, on_duplicate="ignore")


def _larger(one: Any, other: Any) -> Any:
    """As SQL's MAX: NULL only where both are."""
    return max((value for value in (one, other) if value is not None), default=None)

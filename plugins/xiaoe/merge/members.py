"""Inferred members: users and products that an order names before their own list contains them.

Unknown members are found by a SELECT that locks nothing, and inserted in key order; one that exists by then is ignored.
Taking the other table's merge lock instead would make a merge of orders wait for a list of all users. If two merges
insert the same row, the second waits for the first commit and finds it there.

An inferred row has `observed_at` 1970-01-01 and both hashes 0, so the first observation of its own list always wins.
Keys are remembered as 8-byte hashes: looking a user up costs nearly half of inserting one. Two of a million share a
hash once in some twenty million loads; such a user is inserted by its own list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from xiaoe.mysql.session import Session
from xiaoe.resources.base import Member
from xiaoe.rows.decode import Row
from xiaoe.rows.keys import Keys, among, key_hash, merged
from xiaoe.storage.manifest import Manifest

NEVER_OBSERVED = "1970-01-01 00:00:00"
"""`observed_at` of an inferred row: older than any observation."""
_MAX_RECENT = 20_000
_MAX_SEEN = 1_000_000
"""Remembered members of a table."""

Members = dict[str, tuple[Any, ...]]
"""Key → the other columns of `Member.columns`."""


def members_of(rows: Sequence[Row], columns: Sequence[int]) -> Members:
    """The members that some rows name; of different values for one key, the larger.

    Args:
        rows: Typed rows.
        columns: Indexes of the member's columns in a row, key first.
    """
    members: Members = {}
    for key, *others in set(zip(*([row[column] for row in rows] for column in columns), strict=True)):
        if not key or key.isspace():
            continue
        values = tuple(others)
        first = members.setdefault(key, values)
        if first != values:
            members[key] = tuple(_larger(*pair) for pair in zip(first, values, strict=True))
    return members


class SeenKeys:
    """Keys that were seen, as hashes (`rows.keys.key_hash`)."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._older: Keys = np.empty(0, np.int64)

    def add(self, keys: Iterable[str]) -> None:
        """Remember these; if they become too many, forget the older ones."""
        self._recent.update(map(key_hash, keys))
        if len(self._recent) > _MAX_RECENT:
            recent = np.sort(np.fromiter(self._recent, np.int64))
            is_full = len(self._older) + len(recent) > _MAX_SEEN
            self._older = recent if is_full else merged([self._older, recent])
            self._recent.clear()

    def unknown(self, keys: Iterable[str]) -> list[str]:
        """The keys among these that are not remembered, sorted."""
        keys = sorted(key for key in keys if key_hash(key) not in self._recent)
        is_older = among(np.fromiter(map(key_hash, keys), np.int64), self._older)
        return [key for key, is_known in zip(keys, is_older, strict=True) if not is_known]


class KnownMembers:
    """Inserts members that their table does not have; looks each one up once.

    Args:
        session: In the merge's transaction.
        manifest: The run's manifest.
    """

    def __init__(self, session: Session, manifest: Manifest) -> None:
        self._session = session
        self._manifest = manifest
        self._known: dict[str, SeenKeys] = {}

    def insert_unknown(self, member: Member, members: Members) -> None:
        """Insert the members that are not in their table."""
        known = self._known.setdefault(member.table, SeenKeys())
        if unknown := known.unknown(members):
            self._insert(member, {key: members[key] for key in unknown})
            known.add(unknown)

    def _insert(self, member: Member, members: Members) -> None:
        key, *others = member.columns
        rows = self._session.query(
            f"SELECT {key} FROM {member.table} WHERE shop_id = %s AND {key} IN %s",
            (self._manifest.shop_id, tuple(members)),
        )
        existing = {name for (name,) in rows}
        unknown = [
            (self._manifest.shop_id, name, *values, self._manifest.batch_id, 1, 0, 0, NEVER_OBSERVED)
            for name, values in members.items()
            if name not in existing
        ]
        if unknown:
            columns = ("shop_id", key, *others, "batch_id", "is_inferred", "row_hash", "raw_hash", "observed_at")
            self._session.bulk_load(member.table, columns, unknown, on_duplicate="ignore")


def _larger(one: Any, other: Any) -> Any:
    """As SQL's MAX: NULL only where both are."""
    return max((value for value in (one, other) if value is not None), default=None)

"""Inferred members: users and products that an order names before their own list brings them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from xiaoe.destinations import Member
from xiaoe.pages import Manifest
from xiaoe.rows.decode import Row
from xiaoe.warehouse import Session

NEVER_OBSERVED = "1970-01-01 00:00:00"
"""`observed_at` of an inferred row: older than any observation, so that the first one wins."""
_MOST_REMEMBERED = 20_000


class Named(NamedTuple):
    """Members that some rows name: key → the other columns."""

    member: Member
    columns: dict[str, tuple[Any, ...]]


def named_by(member: Member, places: Sequence[int], rows: Sequence[Row]) -> Named:
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
    return Named(member, named)


class KnownMembers:
    """Inserts members that their table does not have; does not look twice for the same ones.

    Args:
        session: In the merge's transaction.
        manifest: Of the run.
    """

    def __init__(self, session: Session, manifest: Manifest) -> None:
        self._session = session
        self._manifest = manifest
        self._known: dict[str, set[str]] = {}

    def insert_unknown(self, named: Named) -> None:
        """Insert what is named and not there.

        Which ones are unknown is found by a plain SELECT, which locks nothing: a merge of the other table may be
        running. Whoever comes second finds the row there.
        """
        member = named.member
        known = self._known.setdefault(member.table, set())
        if asked := sorted(named.columns.keys() - known):
            self._insert(member, {key: named.columns[key] for key in asked})
            if len(known) > _MOST_REMEMBERED:
                known.clear()
            known.update(asked)

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
            self._session.bulk_load(member.table, columns, unknown, twins="keep")


def _larger(one: Any, other: Any) -> Any:
    """As SQL's MAX: NULL only where both are."""
    return max((value for value in (one, other) if value is not None), default=None)

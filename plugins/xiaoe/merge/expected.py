"""The rows of the warehouse that a list has to bring: which are missing, and which are marked absent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from xiaoe.clock import beijing_text, utc_text
from xiaoe.merge import outbox
from xiaoe.mysql.session import Session
from xiaoe.resources.base import Resource
from xiaoe.rows.keys import Keys, among, key_hash
from xiaoe.windows import Window


@dataclass(frozen=True)
class Expected:
    """The rows of the warehouse that a list has to bring, read at a certain moment.

    A row that was first seen later is none: the pages could not hold it. Nor is one that is only inferred: the list
    may never have had it.

    Args:
        condition: In SQL, of a row.
        parameters: Its values.
    """

    condition: str
    parameters: tuple[str, ...]

    @classmethod
    def of(cls, resource: Resource, shop_id: str, window: Window, seen_before: datetime) -> Expected:
        """The rows of a window, by the resource's time column where it has one, seen before a moment."""
        conditions = [*_listed(resource), "observed_at < %s"]
        parameters = [shop_id, utc_text(seen_before)]
        if resource.time is not None:
            conditions += [f"{resource.time} >= %s", f"{resource.time} < %s"]
            parameters += [beijing_text(window.begin), beijing_text(window.end)]
        return cls(" AND ".join(conditions), tuple(parameters))


def missing_rows(session: Session, resource: Resource, expected: Expected, keys: Keys) -> list[str]:
    """Expected rows that are not among some keys, which are sorted hashes of what was read."""
    missing: list[str] = []
    for batch in session.stream(f"SELECT {resource.key} {_from_expected(resource, expected)}", expected.parameters):
        hashes = np.fromiter(map(key_hash, batch), dtype=np.int64, count=len(batch))
        missing.extend(batch[place] for place in np.flatnonzero(~among(hashes, keys)))
    return missing


def count_expected(session: Session, resource: Resource, expected: Expected) -> int:
    """How many rows are held."""
    [(count,)] = session.query(f"SELECT COUNT(*) {_from_expected(resource, expected)}", expected.parameters)
    return int(count)


def _from_expected(resource: Resource, expected: Expected) -> str:
    """By an index that has all that is asked for; MySQL misjudges a table that has just grown, and reads the shop."""
    index = f" FORCE INDEX ({resource.time_index})" if resource.time_index else ""
    return f"FROM {resource.table}{index} WHERE {expected.condition}"


def count_listed(session: Session, resource: Resource, shop_id: str) -> int:
    """How many rows the source had when it was last asked."""
    condition = " AND ".join(_listed(resource))
    [(count,)] = session.query(f"SELECT COUNT(*) FROM {resource.table} WHERE {condition}", (shop_id,))
    return int(count)


def _listed(resource: Resource) -> list[str]:
    """Conditions on the rows of a shop that its list had the last time."""
    conditions = ["shop_id = %s", "absent_since IS NULL"]
    return [*conditions, "is_inferred = 0"] if resource.has_inferred else conditions


def mark_absent(session: Session, resource: Resource, shop_id: str, keys: list[str]) -> None:
    """Note that the source no longer has these rows; they are kept."""
    for start in range(0, len(keys), 1000):
        session.execute(
            f"UPDATE {resource.table} SET absent_since = UTC_TIMESTAMP(3)"
            f" WHERE shop_id = %s AND {resource.key} IN %s AND absent_since IS NULL",
            (shop_id, keys[start : start + 1000]),
        )
    outbox.queue_rows(session, resource, shop_id, keys)

"""The rows of the warehouse that a list has to contain: which are missing, and which are marked absent.

That nothing is missing is proved by a count over one index that has every column it needs (`Resource.time_index`),
taken before anything is written: InnoDB trusts no entry of an index page that the transaction itself has changed, and
looks each row up in the table (117 ms for 25,000 rows instead of 26 to 29). If the count differs, or a key was
malformed or duplicated, keys are compared one by one and the missing ones named.
"""

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
    """The rows of the warehouse that a list read at a certain moment has to contain.

    Rows first seen later are excluded: these pages could not contain them. So are inferred rows, which the list may
    never have had.

    Args:
        condition: SQL condition on a row.
        parameters: Its values.
    """

    condition: str
    parameters: tuple[str, ...]

    @classmethod
    def of(
        cls,
        resource: Resource,
        shop_id: str,
        window: Window,
        seen_before: datetime,
        *,
        with_undated: bool = True,
        parent: str | None = None,
    ) -> Expected:
        """Rows observed before a moment; of a window, if the resource has a time column.

        Args:
            resource: The resource.
            shop_id: The shop.
            window: Of the list.
            seen_before: When the list was read, UTC.
            with_undated: False for a whole list that was read in parts which cannot have rows without their time.
            parent: Whose list it is, where each parent has one.
        """
        conditions = [*_listed(resource), "observed_at < %s"]
        if resource.parts is not None and not with_undated:
            conditions.append(f"{resource.parts.column} IS NOT NULL")
        parameters = [shop_id, utc_text(seen_before)]
        if resource.time is not None:
            conditions += [f"{resource.time} >= %s", f"{resource.time} < %s"]
            parameters += [beijing_text(window.begin), beijing_text(window.end)]
        if resource.parents is not None:
            conditions.append(f"{resource.parents.column} = %s")
            parameters.append(parent or "")
        return cls(" AND ".join(conditions), tuple(parameters))


def missing_rows(session: Session, resource: Resource, expected: Expected, keys: Keys) -> list[str]:
    """Keys of expected rows that are not among `keys`, the sorted hashes of the rows that were read."""
    missing: list[str] = []
    for batch in session.stream(f"SELECT {resource.key} {_from_expected(resource, expected)}", expected.parameters):
        hashes = np.fromiter(map(key_hash, batch), dtype=np.int64, count=len(batch))
        missing.extend(batch[index] for index in np.flatnonzero(~among(hashes, keys)))
    return missing


def count_expected(session: Session, resource: Resource, expected: Expected) -> int:
    """How many rows are expected."""
    [(count,)] = session.query(f"SELECT COUNT(*) {_from_expected(resource, expected)}", expected.parameters)
    return int(count)


def _from_expected(resource: Resource, expected: Expected) -> str:
    """With the covering index forced: of a table that has just grown MySQL has no good statistics."""
    index = f" FORCE INDEX ({resource.time_index})" if resource.time_index else ""
    return f"FROM {resource.table}{index} WHERE {expected.condition}"


def count_listed(session: Session, resource: Resource, shop_id: str) -> int:
    """How many rows the source had when it was last read."""
    condition = " AND ".join(_listed(resource))
    [(count,)] = session.query(f"SELECT COUNT(*) FROM {resource.table} WHERE {condition}", (shop_id,))
    return int(count)


def _listed(resource: Resource) -> list[str]:
    """Conditions on the rows of a shop that its list contained the last time."""
    conditions = ["shop_id = %s", "absent_since IS NULL"]
    return [*conditions, "is_inferred = 0"] if resource.has_inferred else conditions


def mark_absent(session: Session, resource: Resource, shop_id: str, keys: list[str]) -> None:
    """Mark rows that the source no longer has; they are kept."""
    for start in range(0, len(keys), 1000):
        session.execute(
            f"UPDATE {resource.table} SET absent_since = UTC_TIMESTAMP(3)"
            f" WHERE shop_id = %s AND {resource.key} IN %s AND absent_since IS NULL",
            (shop_id, keys[start : start + 1000]),
        )
    outbox.queue_rows(session, resource, shop_id, keys)

"""Fields that could not be read: their rows are stored all the same (docs/decisions/0027).

A row marks the columns in `problem_columns`; `field_problems` says for each what came and why it could not be read.
On update such a column keeps its last good value. What was read once is a better guess than nothing, and it is no
more than a guess: whoever decides or adds up looks at the mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xiaoe.mysql.session import Session
from xiaoe.resources.base import Resource
from xiaoe.rows.decode import PROBLEM_COLUMNS
from xiaoe.rows.problems import Problem
from xiaoe.storage.manifest import Manifest


@dataclass(frozen=True)
class FieldProblem:
    """A field of a row that could not be read.

    Args:
        key: Of the row.
        problem: What came, and why it could not be read.
        observed_at: UTC, as text.
    """

    key: str
    problem: Problem
    observed_at: str


def write(session: Session, manifest: Manifest, found: Sequence[FieldProblem]) -> None:
    """Keep problems; one that is there already is counted, and open again."""
    session.insert_many(
        "INSERT INTO field_problems (shop_id, resource, row_key, field, column_name, value, shape, reason,"
        " first_seen_at, last_seen_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE"
        " seen_count = seen_count + (VALUES(last_seen_at) > last_seen_at),"
        " value = VALUES(value), shape = VALUES(shape), reason = VALUES(reason), resolved_at = NULL,"
        " last_seen_at = GREATEST(last_seen_at, VALUES(last_seen_at))",
        [
            (
                manifest.shop_id,
                manifest.resource,
                one.key,
                one.problem.field,
                one.problem.column,
                one.problem.value,
                one.problem.shape,
                one.problem.reason,
                one.observed_at,
                one.observed_at,
            )
            for one in found
        ],
    )


def resolve(session: Session, manifest: Manifest, keys: Iterable[str]) -> None:
    """Note that these rows were read again; those of their fields that still cannot be are written after it."""
    names = sorted(keys)
    for start in range(0, len(names), 1000):
        session.execute(
            "UPDATE field_problems SET resolved_at = UTC_TIMESTAMP(3)"
            " WHERE shop_id = %s AND resource = %s AND row_key IN %s AND resolved_at IS NULL",
            (manifest.shop_id, manifest.resource, tuple(names[start : start + 1000])),
        )


def keep_last_good(session: Session, resource: Resource, staging: str) -> None:
    """Give staged rows the values that the warehouse holds, in the columns that could not be read.

    Before the merge statements: what stays as it was is no change of state, and queues no day of the marts.
    """
    columns = [  # each once: of a column that is set twice, MariaDB reads the old value the second time
        (column, name)
        for column in resource.reader.mapping
        for name in (column, f"{column}_text")
        if column != resource.key and name in resource.reader.columns
    ]
    sets = ", ".join(
        f"s.{name} = IF(FIND_IN_SET('{column}', s.{PROBLEM_COLUMNS}), t.{name}, s.{name})" for column, name in columns
    )
    session.execute(
        f"UPDATE {staging} AS s STRAIGHT_JOIN {resource.table} AS t"
        f" ON t.shop_id = s.shop_id AND t.{resource.key} = s.{resource.key} SET {sets}"
        f" WHERE s.{PROBLEM_COLUMNS} IS NOT NULL"
    )

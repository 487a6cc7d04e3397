"""Differences between the rows of a warehouse and the emulator's truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal


def unlike(held: Iterable[Mapping[str, object]], truth: Iterable[Mapping[str, object]], key: str) -> list[str]:
    """Every difference (exact to the cent, code and second) in the columns of the truth; [] means equal.

    Args:
        held: Rows of one shop as the database driver returns them.
        truth: Rows from the `truth` endpoints.
        key: The column that identifies a row in both.
    """
    expected = {row[key]: row for row in truth}
    rows = {row[key]: row for row in held}
    found = [f"{name} is missing" for name in expected.keys() - rows.keys()]
    found += [f"{name} should not be there" for name in rows.keys() - expected.keys()]
    for name in expected.keys() & rows.keys():
        for column, right in expected[name].items():
            value = rows[name][column]
            if not _same(value, right):
                found.append(f"{name}.{column}: expected {right!r}, found {value!r}")
    return found


def _same(value: object, right: object) -> bool:
    if value is None or right is None:
        return value is right
    if isinstance(value, Decimal):
        return value == Decimal(str(right))
    if isinstance(value, int):
        return value == right
    return str(value) == str(right)  # the warehouse stores as text what the API sends as number or text

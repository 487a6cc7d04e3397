"""Runs rows through the resource's own reader; the one place of this room that knows `RowReader`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from xiaoe.resources.base import Resource
from xiaoe.rows.children import ADDED
from xiaoe.rows.decode import RowError

NO_OBJECT = "(row)"
"""Stands for a field where a row is no JSON object."""
PROBLEMS = "problem_columns"
"""Column of a row that is stored although some of its columns could not be read: their names."""
_EXACT = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True)
class Reading:
    """What the reader makes of the rows of one list.

    Args:
        rows: Decoded, in the order they came; what is no object is left out.
        typed: Rows that the table would get: column → value.
        refused: Rows that it would not get.
        blamed: Field → refused rows where it cannot be read.
        fields: Field → rows of the table where it cannot be read.
        unknown_codes: `column=code` → rows.
    """

    rows: list[dict[str, Any]]
    typed: list[dict[str, Any]]
    refused: int
    blamed: dict[str, int]
    fields: dict[str, int]
    unknown_codes: dict[str, int]


def decoded(raw: bytes | msgspec.Raw) -> Any:
    """A row as Python has it, numbers with a point exact; None where it cannot be read at all."""
    try:
        return _EXACT.decode(raw)
    except (ValueError, RecursionError, ArithmeticError):
        return None


def kinds_of(resource: Resource) -> dict[str, str]:
    """Field of the API → name of the function that reads it (`code`, `yuan`, `fen`, `time`, …)."""
    return {
        field: getattr(read, "__name__", "value")
        for field, read in resource.reader.mapping.values()
        if field not in ADDED
    }


def read(resource: Resource, raws: Sequence[msgspec.Raw]) -> Reading:
    """Type every row; of one that cannot be typed, find the fields that are to blame."""
    found, blamed, fields, refused = [], Counter[str](), Counter[str](), 0
    for raw in raws:
        try:
            found.append(resource.reader.row(raw))
        except RowError:
            refused += 1
            blamed.update(_to_blame(resource, raw))
    typed = [dict(zip(resource.reader.columns, row, strict=True)) for row in found]
    for row in typed:
        fields.update(resource.reader.mapping[column][0] for column in (row.get(PROBLEMS) or "").split(",") if column)
    return Reading(
        rows=[_sent(resource.reader.flat(row)) for row in map(decoded, raws) if isinstance(row, dict)],
        typed=typed,
        refused=refused,
        blamed=dict(blamed),
        fields=dict(fields),
        unknown_codes=resource.reader.unknown_codes(found),
    )


def _sent(row: dict[str, Any]) -> dict[str, Any]:
    """The fields that came over the wire."""
    return {name: value for name, value in row.items() if name not in ADDED}


def _to_blame(resource: Resource, raw: msgspec.Raw) -> list[str]:
    """Fields without which the row could be typed: each is read alone, beside a key."""
    key, _ = resource.reader.mapping[resource.key]
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return [NO_OBJECT]
    wrong = [] if resource.reader.key(raw) else [key]
    for field in kinds_of(resource).keys() & fields.keys() - {key}:
        alone = msgspec.json.encode({key: "k", field: fields[field]})
        try:
            resource.reader.row(alone)
        except RowError:
            wrong.append(field)
    return sorted(wrong) or [NO_OBJECT]

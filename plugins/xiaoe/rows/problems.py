"""A field that could not be read, and what may be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

NOT_JSON = "not JSON"
"""The one key of the object that stands for a value that is no JSON: `{"not JSON": "NaN"}` (see `rows.envelope`)."""
_LONGEST_SHAPE = 40


@dataclass(frozen=True)
class Problem:
    """A field that could not be read; its row is stored all the same.

    Args:
        column: The column that stays empty, or keeps what it held.
        field: As the API calls it.
        value: What came, as it may be kept under `XIAOE_PERSONAL_DATA`; the first 200 characters.
        shape: What it looks like, without what it says, see `shape_of`.
        reason: Why it could not be read.
    """

    column: str
    field: str
    value: str | None
    shape: str
    reason: str


class PartlyReadError(ValueError):
    """A value of several parts, of which some cannot be read; the message names them.

    Args:
        message: Which part, and why.
        kept: The value with None in their places: it is stored beside the problem.
    """

    def __init__(self, message: str, kept: Any) -> None:
        super().__init__(message)
        self.kept = kept


def shape_of(value: Any) -> str:
    """What a value looks like, without what it says: `2026-05` → `text 9999-99`, `"张三"` → `text 字字`."""
    if isinstance(value, bool):
        return "truth value"
    if isinstance(value, (int, Decimal)):
        return f"number {_sketch(str(value))}"
    if isinstance(value, str):
        return f"text {_sketch(value)}" if value else "empty text"
    if isinstance(value, list):
        return "list"
    return f"{NOT_JSON} {_sketch(str(value[NOT_JSON]))}" if is_no_json(value) else "object"


def is_no_json(value: Any) -> bool:
    """Whether a value stands for one that is no JSON."""
    return isinstance(value, dict) and value.keys() == {NOT_JSON}


def _sketch(text: str) -> str:
    return "".join(map(_letter, text[:_LONGEST_SHAPE])) + ("…" if len(text) > _LONGEST_SHAPE else "")


def _letter(one: str) -> str:
    if one.isdigit():
        return "9"
    if one.isalpha():
        return "a" if one.isascii() else "字"
    return one if one.isprintable() else "?"

"""The form of a value: its JSON type and a pattern, never the value itself. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from xiaoe.rows import values
from xiaoe.rows.codes import CODES_DIR, texts
from xiaoe.shop_check.findings import FieldReport

MOST_FORMS = 8
"""Forms of a field that are told; the rarest are left out."""
LONGEST_PATTERN = 32
FREE = frozenset({"text", "identifier"})
"""Kinds whose pattern says nothing but who somebody is."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_LONG_NUMBER = 9
"""Digits from which on their number distinguishes a time in seconds, one in milliseconds, and an id."""


@cache
def published_words() -> frozenset[str]:
    """The Chinese text of every code in include/codes."""
    return frozenset(word for path in CODES_DIR.glob("*.json") for word in texts(path.stem).values())


def is_empty(value: Any) -> bool:
    """Whether a value is one of the ways to write "none" (docs/xiaoe-api.md section 9)."""
    if isinstance(value, str):
        text = value.strip()
        return text in values.EMPTY or text.startswith(values.NULL_TIMES)
    return value is None or value == [] or value == {}


def form(value: Any, kind: str | None) -> str:
    """Type and pattern of a value.

    Args:
        value: From JSON, numbers with a point as Decimal.
        kind: How the field is read; None for a field that is not stored.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        digits = len(str(abs(value)))
        return f"integer of {digits} digits" if digits >= _LONG_NUMBER else "integer"
    if isinstance(value, Decimal):
        return f"number with {max(0, -int(value.as_tuple().exponent))} decimals"
    if isinstance(value, list):
        return f"list of {form(value[0], None)}" if value else "empty list"
    if isinstance(value, dict):
        return f"object {{{', '.join(sorted({name_of(name) for name in value}))}}}"
    return _text_form(str(value), kind)


def _text_form(text: str, kind: str | None) -> str:
    if is_empty(text) and not any(map(str.isalpha, text)):
        return f'text "{text.strip()[:LONGEST_PATTERN]}"'
    if text in published_words():
        return f'text "{text}"'
    return "text" if kind in FREE else f"text {pattern(text)}"


def pattern(text: str) -> str:
    """Digits as 9, letters as a, other scripts as 字, signs as they are; cut after 32 characters."""
    return "".join(map(_class_of, text[:LONGEST_PATTERN])) + ("…" if len(text) > LONGEST_PATTERN else "")


def _class_of(character: str) -> str:
    if character.isdecimal():
        return "9"
    if character.isascii():
        return "a" if character.isalpha() else character
    return "字" if unicodedata.category(character).startswith("L") else "□"


def name_of(name: str) -> str:
    """The name of a field; one that may be data, such as an id used as a key, is not told."""
    return name if _NAME.fullmatch(name) and sum(map(str.isdigit, name)) < 6 else "…"


def field_reports(
    rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str], refused: Mapping[str, int]
) -> list[FieldReport]:
    """How every field of a list came: those that are stored in their order, then the others by name.

    Args:
        rows: Of one list, decoded.
        kinds: Field that is stored → how it is read.
        refused: Field → rows where it cannot be read.
    """
    others = sorted({name for row in rows for name in row} - kinds.keys())
    return [
        _field_report(field, kinds.get(field), [row[field] for row in rows if field in row], len(rows), refused)
        for field in (*kinds, *others)
    ]


def _field_report(
    field: str, kind: str | None, found: Sequence[Any], rows: int, refused: Mapping[str, int]
) -> FieldReport:
    return FieldReport(
        field=name_of(field),
        kind=kind,
        rows=rows,
        missing=rows - len(found),
        empty=sum(map(is_empty, found)),
        forms=dict(_counted(form(value, kind) for value in found)),
        refused=refused.get(field, 0),
    )


def _counted(forms: Iterable[str]) -> list[tuple[str, int]]:
    return Counter(forms).most_common(MOST_FORMS)

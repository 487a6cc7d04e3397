"""Rows as LOAD DATA reads them: TSV with its default escapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

OnDuplicate = Literal["replace", "ignore", "fail"]
"""What becomes of a row whose key is there already: it replaces the other, it is ignored, or it is an error."""
NULL = r"\N"
_special = re.compile(r"[\\\t\n\r\0]").search
_ESCAPES = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"), ("\0", r"\0"))
"""The backslash first: the others contain it."""


@dataclass(frozen=True)
class Lines:
    """Rows as LOAD DATA reads them."""

    content: bytes
    count: int

    @classmethod
    def of(cls, columns: Sequence[Sequence[str]]) -> Lines:
        """From columns as `tsv_column` makes them."""
        return cls(tsv(columns).encode(), len(columns[0]) if columns else 0)


def tsv_column(values: Sequence[Any]) -> list[str]:
    r"""One column of strings, whole numbers and None for LOAD DATA with its default escapes; None is `\N`.

    By column, because most hold few values, and most need no escape.
    """
    distinct = set(values)
    texts = {value: NULL if value is None else str(value) for value in distinct}
    words = [value for value in distinct if type(value) is str]
    if _special("".join(words)):
        texts |= {value: _escape(value) for value in words if _special(value)}
    return [texts[value] for value in values]


def _escape(value: str) -> str:
    for plain, escaped in _ESCAPES:
        value = value.replace(plain, escaped)
    return value


def tsv(columns: Iterable[Sequence[str]]) -> str:
    """Columns side by side, a line for each row."""
    return "".join([line + "\n" for line in map("\t".join, zip(*columns, strict=True))])

"""Rows for LOAD DATA: TSV with its default escapes.

The client library sends a file only in response to a LOAD DATA of ours and refuses at any other time
(`mysql.connection`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

OnDuplicate = Literal["replace", "ignore", "fail"]
"""What happens to a row whose key exists: it replaces the other row, is ignored, or fails the load."""
NULL = r"\N"
_special = re.compile(r"[\\\t\n\r\0]").search
_ESCAPES = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"), ("\0", r"\0"))
"""The backslash first, because the other escapes contain it."""


@dataclass(frozen=True)
class TableLoad:
    """Rows for one table, ready to be sent.

    Args:
        table: The table.
        columns: Of the rows.
        rows: TSV where the server lets files be loaded, else a tuple per row.
        count: How many rows.
        on_duplicate: What happens to a row whose key exists.
    """

    table: str
    columns: Sequence[str]
    rows: bytes | Sequence[tuple[Any, ...]]
    count: int
    on_duplicate: OnDuplicate = "fail"

    @classmethod
    def of(
        cls,
        table: str,
        columns: Sequence[str],
        values: Sequence[Sequence[Any]],
        on_duplicate: OnDuplicate,
        *,
        as_file: bool,
    ) -> TableLoad:
        """From a sequence of values per column; with `as_file` they are texts as `tsv_column` makes them."""
        count = len(values[0]) if values else 0
        rows = tsv(values).encode() if as_file else list(zip(*values, strict=True))
        return cls(table, columns, rows, count, on_duplicate)


def tsv_column(values: Sequence[Any]) -> list[str]:
    r"""One column of strings, whole numbers and None for LOAD DATA with its default escapes; None is `\N`.

    By column, because most have few distinct values, and most need no escape.
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
    """TSV from columns: a line per row."""
    return "".join([line + "\n" for line in map("\t".join, zip(*columns, strict=True))])

"""CSV and xlsx files that a spreadsheet shows as they are.

Text stays text. A spreadsheet runs a cell that begins like a formula, and turns what looks like a number or a
date into one (a phone loses its zero, a long id its last digits), so:

- xlsx: every text cell is an inline string with format `@`; one that begins like a formula also has `quotePrefix`,
  which a spreadsheet shows as nothing. Times are real times, so that filters and sorting know days and months.
- CSV has no types: a value that begins like a formula gets an apostrophe in front, one that looks like a number,
  a date or a truth value gets a tab, which keeps it text and does not show. UTF-8 with BOM; lines end with CR LF.
- Both: control characters become visible signs (␀), CR a line break; what is longer than a cell can hold ends with `…`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

MOST_ROWS = 1_048_576
"""Of a sheet, with its header."""
LONGEST_CELL = 32_767
FORMATS = {"text": "@", "money": "¥#,##0.00", "time": "yyyy-mm-dd hh:mm:ss", "day": "yyyy-mm-dd", "number": "General"}
"""Kind of a column → how a sheet shows what is no text."""
_FORMULA = tuple("=+-@＝＋－＠\t\r")
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_NUMBER_SIGNS = re.compile(r"[\d\s.,:/\-+%$¥€£()eE．，：／－％￥年月日时分秒]+")
_WITH_A_MONTH = re.compile(
    rf"(?:\d+[-/ .,]*(?:{_MONTHS})[a-z]*|(?:{_MONTHS})[a-z]*[-/ .,]*\d+)(?:[-/ .,:]+\d+)*", re.IGNORECASE
)
_LONGEST_DATE = 40
_NOT_SHOWN = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"} | {
    0x7F: "␡",
    **dict.fromkeys((0xFFFE, 0xFFFF, *range(0xD800, 0xE000)), "\ufffd"),
}
_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


class SheetColumn(NamedTuple):
    """A column of a sheet.

    Args:
        name: Its heading.
        kind: A name of `FORMATS`.
        width: In characters.
    """

    name: str
    kind: str = "text"
    width: int = 20


class SheetTable(NamedTuple):
    """Columns and rows of plain values: text, number, date, datetime or None."""

    columns: Sequence[SheetColumn]
    rows: Iterable[Sequence[Any]]


# --- CSV -----------------------------------------------------------------------------------------------


def write_csv(table: SheetTable, path: Path) -> None:
    """Write a table as CSV for a spreadsheet."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([csv_text(column.name) for column in table.columns])
        writer.writerows([_csv_value(value) for value in row] for row in table.rows)


def csv_text(text: str) -> str:
    """A text that a spreadsheet neither runs nor turns into a number or a date."""
    text = shown(text)
    if begins_like_a_formula(text):
        return f"'{text}"
    return f"\t{text}" if looks_like_a_value(text) else text


def _csv_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, float):
        return f"{value:.2f}"
    return csv_text(value) if isinstance(value, str) else str(value)


# --- xlsx ----------------------------------------------------------------------------------------------


def write_xlsx(tables: Mapping[str, SheetTable], path: Path, *, most_rows: int = MOST_ROWS) -> None:
    """Write tables as sheets, row by row; one that has more rows than a sheet takes goes on in the next.

    Args:
        tables: Name of a sheet → its rows.
        path: Where.
        most_rows: Of one sheet, with the header.
    """
    book = Workbook(write_only=True)
    for name, table in tables.items():
        for number, rows in enumerate(_parts(iter(table.rows), most_rows - 1), 1):
            _write_sheet(book, name if number == 1 else f"{name}{number}", table.columns, rows)
    book.save(path)


def _parts(rows: Iterator[Any], size: int) -> Iterator[Iterator[Any]]:
    """The rows in parts of `size`, each to be read to its end before the next; at least one."""
    yield islice(rows, size)
    for first in rows:
        yield islice(chain([first], rows), size)


def _write_sheet(book: Workbook, title: str, columns: Sequence[SheetColumn], rows: Iterable[Sequence[Any]]) -> None:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for number, column in enumerate(columns, 1):
        sheet.column_dimensions[get_column_letter(number)].width = column.width
    head = [WriteOnlyCell(sheet) for _ in columns]
    for cell, column in zip(head, columns, strict=True):
        _set_text(cell, shown(column.name))
        cell.font = Font(bold=True)
    sheet.append(head)
    count = 0
    fill = _filler(sheet, columns)
    for count, row in enumerate(rows, 1):  # noqa: B007 - the number of rows is asked for below
        sheet.append(fill(row))
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(len(columns), 1))}{count + 1}"


def _filler(sheet: Any, columns: Sequence[SheetColumn]) -> Callable[[Sequence[Any]], list[WriteOnlyCell | None]]:
    """What makes the cells of a row; they are used again for the next."""
    plain, quoted, others = ([WriteOnlyCell(sheet) for _ in columns] for _ in range(3))
    for place, column in enumerate(columns):
        plain[place].number_format = quoted[place].number_format = "@"
        quoted[place].quotePrefix = True
        others[place].number_format = FORMATS[column.kind]

    def fill(row: Sequence[Any]) -> list[WriteOnlyCell | None]:
        cells: list[WriteOnlyCell | None] = []
        for place, value in enumerate(row):
            cell = None
            if isinstance(value, date) and value.year < 1900:  # a sheet knows no earlier day
                value = str(value)
            if isinstance(value, str):
                text = shown(value)
                cell = (quoted if begins_like_a_formula(text) else plain)[place]
                _set_text(cell, text)
            elif value is not None:
                cell = others[place]
                cell.value = value
            cells.append(cell)
        return cells

    return fill


def _set_text(cell: Any, text: str) -> None:
    """A text is a text, also if it begins with `=` or reads `#N/A`; `_x0041_` does not become `A`."""
    cell.value = _ESCAPE.sub("_x005F_", text)[:LONGEST_CELL]
    cell.data_type = "s"


# --- both ----------------------------------------------------------------------------------------------


def begins_like_a_formula(text: str) -> bool:
    """Whether a spreadsheet might run it, blanks in front or not."""
    return text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)


def looks_like_a_value(text: str) -> bool:
    """Whether a spreadsheet that reads a CSV might make a number, a date, a time or a truth value of it."""
    if _NUMBER_SIGNS.fullmatch(text):
        return any(sign.isdigit() for sign in text)
    text = text.strip()
    return text.lower() in ("true", "false") or (len(text) <= _LONGEST_DATE and bool(_WITH_A_MONTH.fullmatch(text)))


def shown(text: str) -> str:
    """A text as a cell can hold it: nothing that cannot be seen, nothing that does not fit."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_NOT_SHOWN)
    return text if len(text) < LONGEST_CELL else f"{text[: LONGEST_CELL - 2]}…"

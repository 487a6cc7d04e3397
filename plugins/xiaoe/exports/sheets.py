"""CSV and xlsx files that a spreadsheet shows unchanged.

Text stays text. A spreadsheet evaluates a cell that begins like a formula, and converts text that looks like a number
or a date (a phone loses its leading zero, a long id its last digits), so:

- xlsx: every text cell is an inline string with format `@`; one that begins like a formula also has `quotePrefix`,
  which is not displayed. Times are real times, so that filters and sorting know days and months.
- CSV has no types: a value that begins like a formula is prefixed with an apostrophe; one that looks like a number,
  a date, a time (`9 PM`, `下午3:30`), a boolean or an error with a tab, which keeps it text and is not displayed. UTF-8
  with BOM; lines end with CR LF.
- Both: control characters become visible signs (␀), CR a line break; text too long for a cell is cut and ends in `…`.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

MAX_ROWS = 1_048_576
"""Rows of a sheet, header included."""
MAX_CELL = 32_767
"""Units of UTF-16; Excel calls a file damaged that has more."""
FORMATS = {
    "text": "@", "money": "¥#,##0.00", "time": "yyyy-mm-dd hh:mm:ss", "day": "yyyy-mm-dd", "count": "#,##0",
    "number": "General",
}  # fmt: skip
"""Kind of a column → number format of its values that are not text."""
ERRORS = (
    "#N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
    "#CONNECT!", "#UNKNOWN!", "#GETTING_DATA", "#PYTHON!", "#BUSY!", "#EXTERNAL!",
)  # fmt: skip
"""What a spreadsheet shows instead of a value; in a CSV it reads them as errors again."""
_FORMULA = tuple("=+-@＝＋－＠\t\r")
_NUMBER_SIGNS = re.compile(r"[\d\s.,:/\-+%$¥€£()eE．，：／－％￥年月日时分秒]+")
_WORDS = "|".join(
    (
        "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?",
        "nov(?:ember)?|dec(?:ember)?|mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?",
        r"sat(?:urday)?|sun(?:day)?|(?<=\d)\s*[ap]\.?m\b\.?|(?<=\d)\s+[ap]\b|(?<=\d)[tz](?![a-z])",
        "上午|下午|凌晨|早上|中午|晚上|(?:星期|周)[一二三四五六日天]|[点號号〇○零一二三四五六七八九十]",
    )
)
_WITH_WORDS = re.compile(rf"(?:{_WORDS}|[\d\s.,:/\-+()．，：／－年月日时分秒])+", re.IGNORECASE)
"""Parts of dates and times in English and Chinese."""
_CHINESE_DIGITS = re.compile("[一二三四五六七八九十][年月日号点时]")
_MAX_DATE = 60
_FILTER_BUTTON = 3
"""Half-width characters that the button of a filter covers."""
_NOT_SHOWN = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"} | {
    0x7F: "␡",
    **dict.fromkeys((0xFFFE, 0xFFFF, *range(0xD800, 0xE000)), "\ufffd"),
}
_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


class SheetColumn(NamedTuple):
    """A column of a sheet.

    Args:
        name: Its heading.
        kind: A key of `FORMATS`.
        width: Width in half-width characters; a longer heading widens it.
        choices: In xlsx, values to choose from, without commas; what is typed instead is refused.
    """

    name: str
    kind: str = "text"
    width: int = 20
    choices: tuple[str, ...] = ()

    @property
    def shown_width(self) -> int:
        """The width that shows values and the whole heading beside its filter button."""
        heading = sum(2 if unicodedata.east_asian_width(sign) in "WFA" else 1 for sign in self.name)
        return max(self.width, heading + _FILTER_BUTTON)


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
    """Text that a spreadsheet neither evaluates nor converts to a number or a date."""
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


def write_xlsx(tables: Mapping[str, SheetTable], path: Path, *, max_rows: int = MAX_ROWS) -> None:
    """Write tables as sheets, row by row; a table with too many rows continues on another sheet.

    Args:
        tables: Sheet name → table.
        path: File to write.
        max_rows: Rows per sheet, header included.
    """
    book = Workbook(write_only=True)
    for name, table in tables.items():
        for number, rows in enumerate(_chunks(iter(table.rows), max_rows - 1), 1):
            _write_sheet(book, name if number == 1 else f"{name}{number}", table.columns, rows)
    book.save(path)


def _chunks(rows: Iterator[Any], size: int) -> Iterator[Iterator[Any]]:
    """The rows in chunks of `size`, at least one chunk; each must be consumed before the next."""
    yield islice(rows, size)
    for first in rows:
        yield islice(chain([first], rows), size)


def _write_sheet(book: Workbook, title: str, columns: Sequence[SheetColumn], rows: Iterable[Sequence[Any]]) -> None:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for number, column in enumerate(columns, 1):
        sheet.column_dimensions[get_column_letter(number)].width = column.shown_width
    head = [WriteOnlyCell(sheet) for _ in columns]
    for cell, column in zip(head, columns, strict=True):
        _set_text(cell, shown(column.name))
        cell.font = Font(bold=True)
    sheet.append(head)
    count = 0
    fill = _filler(sheet, columns)
    for count, row in enumerate(rows, 1):  # noqa: B007 - `count` is used below
        sheet.append(fill(row))
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(len(columns), 1))}{count + 1}"
    for number, column in enumerate(columns, 1):
        if column.choices and count:
            letter = get_column_letter(number)
            sheet.data_validations.append(_offer(column, f"{letter}2:{letter}{count + 1}"))


def _offer(column: SheetColumn, cells: str) -> DataValidation:
    """A list to choose from in some cells."""
    return DataValidation(
        "list",
        formula1=f'"{",".join(column.choices)}"',
        allow_blank=True,
        showErrorMessage=True,
        errorTitle=column.name,
        error=f"请选择：{'、'.join(column.choices)}",
        sqref=cells,
    )


def _filler(sheet: Any, columns: Sequence[SheetColumn]) -> Callable[[Sequence[Any]], list[WriteOnlyCell | None]]:
    """A function that makes the cells of a row; it reuses them for the next row."""
    plain, quoted, others = ([WriteOnlyCell(sheet) for _ in columns] for _ in range(3))
    for place, column in enumerate(columns):
        plain[place].number_format = quoted[place].number_format = "@"
        quoted[place].quotePrefix = True
        others[place].number_format = FORMATS[column.kind]

    def fill(row: Sequence[Any]) -> list[WriteOnlyCell | None]:
        cells: list[WriteOnlyCell | None] = []
        for place, value in enumerate(row):
            cell = None
            if isinstance(value, date) and value.year < 1900:  # spreadsheets have no earlier dates
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
    """Set a text literally, even if it begins with `=`, reads `#N/A`, or contains an escape like `_x0041_`."""
    cell.value = _cut(_ESCAPE.sub("_x005F_", text), MAX_CELL)
    cell.data_type = "s"


# --- both ----------------------------------------------------------------------------------------------


def begins_like_a_formula(text: str) -> bool:
    """Whether a spreadsheet might evaluate the text; leading blanks are ignored."""
    return text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)


def looks_like_a_value(text: str) -> bool:
    """Whether a spreadsheet might read the text in a CSV as a number, a date, a time, a boolean or an error."""
    if _NUMBER_SIGNS.fullmatch(text):
        return any(sign.isdigit() for sign in text)
    text = text.strip()
    if text.lower() in ("true", "false") or text.upper() in ERRORS:
        return True
    if len(text) > _MAX_DATE or not _WITH_WORDS.fullmatch(text):
        return False
    return any(sign.isdigit() for sign in text) or bool(_CHINESE_DIGITS.search(text))


def shown(text: str) -> str:
    """A text that fits a cell: control characters made visible, too long a text cut."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_NOT_SHOWN)
    kept = _cut(text, MAX_CELL - 1)
    return text if kept == text else f"{_cut(text, MAX_CELL - 2)}…"


def _cut(text: str, most: int) -> str:
    """The beginning of a text that has at most `most` units of UTF-16, which a spreadsheet counts: an emoji is two."""
    if len(text) <= most // 2:
        return text
    return text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")

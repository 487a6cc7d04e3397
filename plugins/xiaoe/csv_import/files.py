"""Lines of a CSV file or of a workbook, one at a time, as lists of strings."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

from openpyxl import load_workbook

from xiaoe.exceptions import XiaoeConfigError
from xiaoe.exports.sheets import ERRORS

ENCODINGS = ("utf-8-sig", "gb18030")
"""Encodings to try, in this order; the second is the one of a Chinese Excel."""
EXACT = 10**15
"""A spreadsheet stores whole numbers up to here exactly."""
NOT_COMPUTED = "#NOT_COMPUTED!"
"""Stands in a cell whose formula has no result."""
_BOM = "\ufeff"
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""A first line that tells Excel, and nobody else, what stands between the cells."""
_NO_CSV = (b"\xd0\xcf\x11\xe0", b"<")
"""How an .xls begins, and a web page that platforms send under that name."""
_CARRIAGE_RETURN = re.compile("_x000[dD]_")
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_LONGEST_TAG = 32
_COMPUTED_ON_LOAD = re.compile(rb"""fullCalcOnLoad=["'](?:1|true)["']""")


class Line(NamedTuple):
    """One line of a file.

    Args:
        number: Line number of its first line in the file, from 1.
        cells: The cells as strings.
    """

    number: int
    cells: list[str]


def encoding_of(path: Path) -> str:
    """The encoding of a file: `utf-16` by its byte order mark, else one of `ENCODINGS`; "" for a workbook.

    Raises:
        XiaoeConfigError: No encoding fits, or the file cannot be read.
    """
    if path.suffix.lower() == ".xlsx":
        return ""
    try:
        with path.open("rb") as binary:
            head = binary.read(64)
        if head.lstrip().startswith(_NO_CSV):
            raise XiaoeConfigError(
                f"FILE={path} is an .xls or a web page: open it in Excel or WPS and save it as .xlsx"
            )
        is_utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
        for name in ("utf-16",) if is_utf16 else ENCODINGS:
            try:
                with path.open(encoding=name) as file:
                    while file.read(1 << 20):
                        pass
            except UnicodeError:
                continue
            return name
    except OSError as error:
        raise XiaoeConfigError(f"FILE={path}: {error.strerror}: give the path of a CSV file") from None
    raise XiaoeConfigError(f"FILE={path} is neither UTF-8 nor GB18030: save it as CSV UTF-8, or as .xlsx")


def read_lines(path: Path, encoding: str) -> Iterator[Line]:
    """The non-empty lines of a file, header first.

    Args:
        path: A .csv, or an .xlsx, of which all sheets are read.
        encoding: As returned by `encoding_of`.

    Raises:
        XiaoeConfigError: It cannot be parsed; names the line.
    """
    for line in _csv_lines(path, encoding) if encoding else _sheet_lines(path):
        if any(cell.strip() for cell in line.cells):
            yield line


def _csv_lines(path: Path, encoding: str) -> Iterator[Line]:
    with path.open(encoding=encoding, newline="") as file:
        first = file.readline()
        told = _SEPARATOR.fullmatch(first)
        delimiter = told[1] if told else max(",\t;", key=first.count)
        skipped = 1 if told else 0
        if not skipped:
            file.seek(0)
        raw: list[str] = []
        reader = csv.reader(_noted(file, raw), delimiter=delimiter)
        number = skipped + 1
        while True:
            raw.clear()
            try:
                cells = next(reader, None)
                if len(raw) > 1:  # a quote that is not closed makes one cell of all that follows
                    next(csv.reader(raw, delimiter=delimiter, strict=True))
            except csv.Error as error:
                raise XiaoeConfigError(f"FILE={path}, line {number}: {error}: is a quote not closed?") from None
            if cells is None:
                return
            yield Line(number, cells)
            number = skipped + reader.line_num + 1


def _noted(file: Iterable[str], raw: list[str]) -> Iterator[str]:
    """The lines, each also appended to `raw`; without the marks of files that were put together."""
    for line in file:
        raw.append(line.removeprefix(_BOM))
        yield raw[-1]


def _sheet_lines(path: Path) -> Iterator[Line]:
    try:
        has_formulas, are_computed = _about_formulas(path)
        with ExitStack() as opened:
            book = opened.enter_context(closing(load_workbook(path, read_only=True, data_only=True)))
            formulas = opened.enter_context(closing(load_workbook(path, read_only=True))) if has_formulas else None
            for sheet in book.worksheets:
                width = 0
                for number, (row, formula_row) in enumerate(_rows(sheet, formulas), 1):
                    cells = [
                        NOT_COMPUTED
                        if formula.data_type == "f" and not (are_computed and _has_a_result(cell))
                        else _text(cell)
                        for cell, formula in zip(row, formula_row, strict=True)
                    ]
                    width = width or len(cells)
                    while len(cells) > width and not cells[-1]:
                        cells.pop()
                    yield Line(number, cells + [""] * (width - len(cells)))
    except Exception as error:  # files of other programs make openpyxl raise nearly anything
        raise XiaoeConfigError(
            f"FILE={path} cannot be read as .xlsx: {error}: open it in Excel or WPS and save it again, or as CSV UTF-8"
        ) from None


def _rows(sheet: Any, formulas: Any) -> Iterator[tuple[Any, Any]]:
    """Each row's cells with their values, and with their formulas: the same cells where the book has none."""
    sheet.reset_dimensions()  # some programs write wrong dimensions
    if formulas is None:
        yield from ((row, row) for row in sheet.iter_rows())
        return
    twin = formulas[sheet.title]
    twin.reset_dimensions()
    yield from zip(sheet.iter_rows(), twin.iter_rows(), strict=True)


def _text(cell: Any) -> str:
    """A workbook's cell as a CSV file would show it."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value + timedelta(milliseconds=500):%Y-%m-%d %H:%M:%S}"  # a fraction of a day, rounded to the second
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return str(int(value))
    if cell.data_type != "e" and value in ERRORS:
        return f"\t{value}"  # somebody's text
    return _CARRIAGE_RETURN.sub("\r", str(value))  # openpyxl leaves this escape as it is


def _has_a_result(cell: Any) -> bool:
    return cell.value is not None or cell.data_type == "str"  # an empty text is a result


def _about_formulas(path: Path) -> tuple[bool, bool]:
    """Whether a workbook has formulas, and whether a spreadsheet has computed them.

    A formula that a program wrote has no result, or with XlsxWriter 0; such programs ask for the computation when the
    file is opened (`fullCalcOnLoad`), which a spreadsheet takes out when it saves.
    """
    with ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        has_formulas = any(_holds_a_formula(archive, name) for name in sheets)
        return has_formulas, not _COMPUTED_ON_LOAD.search(archive.read("xl/workbook.xml"))


def _holds_a_formula(archive: ZipFile, name: str) -> bool:
    last = b""
    with archive.open(name) as sheet:
        while part := sheet.read(1 << 20):
            if _FORMULA.search(last + part):
                return True
            last = part[-_LONGEST_TAG:]
    return False

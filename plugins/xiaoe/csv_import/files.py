"""Lines of a CSV file or of a workbook, one at a time, as lists of strings."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from xiaoe.exceptions import XiaoeConfigError

ENCODINGS = ("utf-8-sig", "gb18030")
"""Encodings to try, in this order; the second is the one of a Chinese Excel."""
_EXACT = 1e15
"""A spreadsheet stores whole numbers up to here exactly."""


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
            is_utf16 = binary.read(2) in (b"\xff\xfe", b"\xfe\xff")
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
        file.seek(0)
        reader = csv.reader(file, delimiter=max(",\t;", key=first.count))
        number = 1
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise XiaoeConfigError(f"FILE={path}, line {number}: {error}: is a quote not closed?") from None
            if cells is None:
                return
            yield Line(number, cells)
            number = reader.line_num + 1


def _sheet_lines(path: Path) -> Iterator[Line]:
    try:
        with closing(load_workbook(path, read_only=True, data_only=True)) as book:
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # some programs write wrong dimensions
                width = 0
                for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
                    cells = [_text(value) for value in row]
                    width = width or len(cells)
                    while len(cells) > width and not cells[-1]:
                        cells.pop()
                    yield Line(number, cells + [""] * (width - len(cells)))
    except (InvalidFileException, BadZipFile, KeyError, OSError) as error:
        raise XiaoeConfigError(
            f"FILE={path} cannot be read as .xlsx: {error}: save it again, or as CSV UTF-8"
        ) from None


def _text(value: Any) -> str:
    """A workbook's cell as a CSV file would show it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value + timedelta(milliseconds=500):%Y-%m-%d %H:%M:%S}"  # a fraction of a day, rounded to the second
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return str(value)

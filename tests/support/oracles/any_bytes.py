"""What has to hold of any bytes at all; for hypothesis, and for the coverage-guided fuzzer (`fuzzer.py`)."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from xiaoe.exceptions import XiaoeNetworkError
from xiaoe.mysql.load_data import NULL, tsv, tsv_column
from xiaoe.resources.base import Resource
from xiaoe.resources.registry import RESOURCES
from xiaoe.rows import keys, values
from xiaoe.rows.decode import Row, RowError, row_hash
from xiaoe.rows.envelope import open_envelope, read_listing
from xiaoe.stage import judging
from xiaoe.stage.judging import Pass, Verdict
from xiaoe.stage.paging import Page, Progress
from xiaoe.windows import EVER

_MEANINGS = {"t": "\t", "n": "\n", "r": "\r", "0": "\0", "\\": "\\"}
_MOST_PAGES = 400
_TEXTS = (values.text, values.identifier)
_PLAIN = re.compile(r"\s*(-?\d+(\.\d+)?|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\s*", re.ASCII)


def check_answer(body: bytes) -> tuple[int, int]:
    """An answer is rows, or a network error; each row, in each resource, is typed or refused.

    Returns:
        Rows typed, rows refused.
    """
    typed = refused = 0
    for resource in RESOURCES.values():
        try:
            listing = read_listing(open_envelope(body).data, total_field=resource.total_key)
            rows = resource.of_parent(listing, "p_1").rows
        except XiaoeNetworkError:
            continue
        resource.paging.cursor(rows)
        for raw in rows:
            if check_row(resource, bytes(raw)):
                typed += 1
            else:
                refused += 1
    return typed, refused


def check_row(resource: Resource, raw: bytes) -> bool:
    """A row becomes values that say what it said, or is refused with a reason; return whether it was typed."""
    reader = resource.reader
    key = reader.key(raw)
    assert 0 <= reader.raw_hash(raw) < 2**64
    assert isinstance(reader.kept(raw), bytes)
    try:
        row = reader.row(raw)
    except RowError:
        return False
    assert key == row[reader.columns.index(resource.key)]
    assert len(row) == len(reader.columns)
    assert all(value is None or type(value) in (str, int) for value in row)
    assert 0 <= row_hash(row) < 2**64
    line = tsv([tsv_column([value]) for value in row]).removesuffix("\n")
    assert _read_back(line) == [None if value is None else str(value) for value in row]
    reader.unknown_codes([row])
    _nothing_changed(resource, raw, row)
    return True


def _read_back(line: str) -> list[str | None]:
    """A line as LOAD DATA reads it."""
    found: list[str | None] = []
    for part in line.split("\t"):
        letters = iter(part)
        read = "".join(_MEANINGS[next(letters)] if letter == "\\" else letter for letter in letters if part != NULL)
        found.append(None if part == NULL else read)
    return found


def _nothing_changed(resource: Resource, raw: bytes, row: Row) -> None:
    """Compare with what Python's own JSON reader finds; amounts and codes to the last digit."""
    try:
        fields = json.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        return  # it is laxer in places and stricter in others; a difference is none of ours
    columns = dict(zip(resource.reader.columns, row, strict=True))
    for column, (field, read) in resource.reader._mapping.items():
        said, kept = fields.get(field), columns[column]
        if said is None or kept is None:
            assert kept is None or said is not None, column
            assert said is None or read not in (values.text, values.identifier), column
        elif type(said) is bool or (isinstance(said, str) and not _PLAIN.fullmatch(said) and read not in _TEXTS):
            continue  # one of the generous forms: `worlds.forms` has the table of them
        elif read in (values.text, values.identifier):
            assert not isinstance(said, str) or kept == said, column
        elif read is values.yuan and isinstance(said, Decimal):  # somebody's double
            assert abs(said - Decimal(kept)) <= Decimal("0.000002"), column
        elif read in (values.code, values.count, values.yuan, values.number):
            assert Decimal(str(said).strip()) == Decimal(kept), column
        elif read is values.fen:
            assert Decimal(str(said).strip()) == Decimal(kept) * 100, column
        elif read in (values.time, values.planned) and isinstance(said, str) and "-" in said:
            assert said.strip() == kept, column


def check_paging(readings: Sequence[Sequence[tuple[int | None, Sequence[int]]]], *, page_size: int) -> Verdict | None:
    """Whatever a list does: reading it ends, and it is called complete only with as many rows as it last told.

    Args:
        readings: Per reading the pages: the total told, and the rows; behind the last page they begin again.
        page_size: Rows of a full page.

    Returns:
        The last verdict; None without readings.
    """
    passes: list[Pass] = []
    verdict = None
    for told in readings[: judging.MAX_PASSES]:
        pages = _pages(told)
        progress = Progress(page_size=page_size)
        taken: list[Page] = []
        while not progress.ended:
            taken.append(pages[len(taken) % len(pages)])
            assert progress.pages_left >= 1
            progress.take(taken[-1])
            assert len(taken) < _MOST_PAGES
        totals = tuple(page.total for page in taken if page.total is not None)
        without_total = sum(page.total is None and bool(page.keys) for page in taken)
        passes.append(Pass(totals, keys.distinct(page.keys for page in taken), progress.repeated, without_total))
        verdict = judging.judge(passes)
        if verdict in (Verdict.LAST, Verdict.ALL):
            used = passes[-1:] if verdict is Verdict.LAST else passes
            held = len(judging.union(used))
            assert held == (passes[-1].last_total or 0), (verdict, passes)
        if verdict is not Verdict.AGAIN:
            break
    return verdict


def _pages(told: Sequence[tuple[int | None, Sequence[int]]]) -> list[Page]:
    return [Page(number, total, array("q", rows), EVER) for number, (total, rows) in enumerate(told or [(None, ())], 1)]


def answer_of(row: Any) -> bytes:
    """An answer with this one row, whatever the interface calls its total."""
    held = row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return b'{"code":0,"msg":"","data":{"total":1,"row_count":1,"list":[' + held + b"]}}"

"""Mapping of a file's columns to columns of `orders`, by include/old_csv.yaml and the file's header.

A word that could mean two codes is in the table for none. An amount without a unit in its heading is yuan; a refund
above its payment is refused as fen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import msgspec

from xiaoe.csv_import import cells
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.resources import orders
from xiaoe.resources.privacy import forms_of
from xiaoe.rows import values
from xiaoe.rows.codes import texts
from xiaoe.rows.decode import Mapping, RowError, RowReader, Typed
from xiaoe.settings import INCLUDE_DIR

WORDS_FILE = INCLUDE_DIR / "old_csv.yaml"
REQUIRED = ("order_id", "user_id", "created_time", "price", "order_state")
"""Columns without which an imported order would be useless."""
MONEY = ("price", "coupon_price", "discount_price", "refund_money")
_TIMES = ("pay_time", "refund_time", "settle_time")
_NUMBERS_AS_TEXT = ("receiver_phone", "goods_no")
_UNIT = re.compile(r"(.*?)(?:\((元|分|北京时间)\))?")
_TORN = b'{"cells":'
"""Start of the JSON of a line whose number of cells differs from the header's."""


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of include/old_csv.yaml.

    Args:
        headings: Column → headings it is found under.
        words: Column → word → code.
    """

    headings: dict[str, list[str]]
    words: dict[str, dict[str, int]]


@cache
def known_words() -> Words:
    """Read the file of headings and words.

    Raises:
        XiaoeConfigError: It is not YAML of that form, or names an unknown column.
    """
    try:
        found = msgspec.yaml.decode(WORDS_FILE.read_bytes(), type=Words)
    except (msgspec.MsgspecError, ValueError) as error:
        raise XiaoeConfigError(
            f"{WORDS_FILE}: {error}. Give headings: column: [heading, …], words: column: word: code"
        ) from None
    known = {"shop_id", *orders.MAPPING}
    if unknown := sorted((found.headings.keys() | found.words.keys()) - known):
        raise XiaoeConfigError(f"{WORDS_FILE}: {unknown[0]!r} is not a column: give one of {', '.join(sorted(known))}")
    return found


class LineReader(RowReader):
    """Types a line of a file like `ORDERS.reader` types an order of the API: same columns, equal hashes for equal rows.

    All amounts are yuan. A refund larger than the payment is assumed to be in fen, and rejected.
    """

    def read(self, raws: Sequence[bytes | msgspec.Raw]) -> Typed:
        """Type many lines; see `RowReader.read`. Somebody can mend a file: a cell that cannot be read is an error.

        Raises:
            RowError: A cell of one of them cannot be read; nothing is returned then.
        """
        if any(map(_is_torn, raws)):
            raise RowError("格数与表头不同；文本里是否有没加引号的逗号或换行？")
        typed = super().read(raws)
        for problem, *_ in typed.problems.values():
            said = "" if problem.column in self._forms.columns else f"={(problem.value or '')[:80]!r}"
            raise RowError(f"{problem.field}{said}: {problem.reason}")
        paid, returned = (self.columns.index(column) for column in ("price", "refund_money"))
        for row in typed.rows:
            if row[paid] and row[returned] and Decimal(row[returned]) > Decimal(row[paid]):
                raise RowError(
                    f"refund_money={row[returned]!r}: 大于实付金额；该列若以分为单位，请把表头写成 退款金额（分）"
                )
        return typed

    def rules(self) -> list[Any]:
        """See `RowReader.rules`; with the words for codes."""
        return [*super().rules(), sorted((column, sorted(of.items())) for column, of in known_words().words.items())]

    def kept(self, raw: bytes | msgspec.Raw) -> bytes:
        """A line that cannot be typed, as it may be stored: cells without a heading only if no policy hides any."""
        if self._hidden and _is_torn(raw):
            return b'"its cells cannot be assigned to columns, and XIAOE_PERSONAL_DATA forbids storing it unmasked"'
        return super().kept(raw)


def _is_torn(raw: bytes | msgspec.Raw) -> bool:
    return bool(memoryview(raw)[: len(_TORN)] == _TORN)


@cache
def line_reader() -> LineReader:
    """The reader of lines; created on first use, because it reads files."""
    mapping: Mapping = {column: (column, _reads(column, read)) for column, (_, read) in orders.MAPPING.items()}
    return LineReader(mapping, orders.CODE_TEXTS, key="order_id", forms=forms_of("orders", orders.PERSONAL))


def _reads(column: str, read: cells.Read) -> cells.Read:
    if column in orders.CODE_TEXTS:
        words = {cells.plain(text): code for code, text in texts(column).items()}
        words |= {cells.plain(word): code for word, code in known_words().words.get(column, {}).items()}
        fix = f"应为代码，或 {'、'.join(texts(column).values())}；其他说法请写进 include/old_csv.yaml"
        several = cells.code_list if read is values.code_list else cells.code
        return cells.with_fix(several(words), fix)
    replaced: dict[cells.Read, cells.Read]
    replaced = {values.identifier: cells.identifier, values.yuan: cells.money, values.fen: cells.money}
    if column == "created_time":
        read = cells.creation_time
    elif column in _NUMBERS_AS_TEXT:
        read = cells.number_text
    else:
        read = cells.time if column in _TIMES else replaced.get(read, read)
    return cells.with_fix(read, cells.FIXES[read]) if read in cells.FIXES else read


@dataclass(frozen=True)
class Header:
    """The parsed header of a file.

    Args:
        headings: The headings as written.
        places: Column → indexes of its cells, in order of preference.
        fen: Indexes of amounts in fen.
        unknown: Headings that match no column.
    """

    headings: Sequence[str]
    places: dict[str, list[int]]
    fen: frozenset[int]
    unknown: list[str]

    def value(self, column: str, line: Sequence[str]) -> str | None:
        """A line's value of a column: the first of its cells that is not empty."""
        for place in self.places.get(column, ()):
            if place < len(line) and (text := cells.bare(line[place])) is not None:
                return _from_fen(text) if place in self.fen else text
        return None

    def unusable(self, line: Sequence[str]) -> tuple[int, str] | None:
        """The first cell of a known column that holds no value but an error or a formula: its index, and the fix."""
        for place in sorted(place for places in self.places.values() for place in places):
            if place < len(line) and (fix := cells.UNUSABLE.get(line[place].strip(" ").upper())):
                return place, fix
        return None

    def raw(self, line: Sequence[str]) -> bytes:
        """A line as JSON, for `LineReader`; as a list of cells if their number differs from the header's."""
        if len(line) == len(self.headings):
            return msgspec.json.encode({column: self.value(column, line) for column in self.places})
        return msgspec.json.encode({"cells": line, "order_id": self.value("order_id", line)})

    def explain(self, error: RowError) -> str:
        """An error that names the heading instead of the column."""
        text = str(error).replace("='None'", "")
        column = re.split("[=: ]", text, maxsplit=1)[0]
        places = self.places.get(column)
        return f"{self.headings[places[0]]}{text[len(column) :]}" if places else text


def read_header(file: str, headings: Sequence[str]) -> Header:
    """Find the columns of a header.

    Raises:
        XiaoeConfigError: A required column is missing; names it, its accepted headings, and those found.
    """
    wanted = {cells.plain(name): column for column, names in known_words().headings.items() for name in names}
    ranks = {cells.plain(name): rank for names in known_words().headings.values() for rank, name in enumerate(names)}
    found: dict[str, list[tuple[int, int]]] = {}
    fen, unknown = set(), []
    for place, heading in enumerate(headings):
        name, unit = _split_heading(heading)
        column = wanted.get(name)
        if column is None or (unit in ("元", "分") and column not in MONEY):
            unknown.extend([heading] if heading.strip() else [])
            continue
        found.setdefault(column, []).append((ranks[name], place))
        fen.update([place] if unit == "分" else [])
    if missing := [column for column in REQUIRED if column not in found]:
        accepted = "; ".join(f"{column}: {'、'.join(known_words().headings[column])}" for column in missing)
        raise XiaoeConfigError(
            f"FILE={file}: required columns are missing; accepted headings: {accepted}. The file's headings are"
            f" {'、'.join(headings)}. Rename them in the file, or add them to include/old_csv.yaml"
        )
    places = {column: [place for _, place in sorted(where)] for column, where in found.items()}
    return Header(headings, places, frozenset(fen), unknown)


def _split_heading(heading: str) -> tuple[str, str | None]:
    """A heading in normal form, and the unit or time zone in its brackets."""
    match: Any = _UNIT.fullmatch(cells.plain(cells.bare(heading) or ""))
    return match[1], match[2]


def _from_fen(text: str) -> str:
    """An amount in fen as yuan; anything but a number stays as it is, to be refused later."""
    try:
        return f"{Decimal(cells.plain(text)).scaleb(-2):f}"
    except (InvalidOperation, ValueError):
        return text

"""The files that staff get: the decisions of a day as CSV and xlsx that a spreadsheet shows as they are.

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
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from xiaoe.benefits.watch import NAMES
from xiaoe.ledger import utc_text
from xiaoe.warehouse import Session
from xiaoe.windows import BEIJING

TEXT_WIDTHS = {
    "店铺ID": 22, "订单ID": 34, "判定": 10, "原因": 26, "原判定": 10, "用户ID": 30, "昵称": 18, "手机号": 16,
    "商品": 36,
}  # fmt: skip
TIME_WIDTH, MONEY_WIDTH = 20, 14
HEADERS = (
    "店铺ID", "订单ID", "判定", "原因", "原判定", "截止时间", "判定时间(北京时间)", "用户ID", "昵称", "手机号", "商品",
    "实付金额(元)", "退款金额(元)", "下单时间", "支付时间", "退款时间",
)  # fmt: skip
MONEY = ("实付金额(元)", "退款金额(元)")
TIMES = ("截止时间", "判定时间(北京时间)", "下单时间", "支付时间", "退款时间")
FEW_VALUES = ("店铺ID", "判定", "原因", "原判定", "商品")
"""Columns whose values repeat; kept once each."""

MOST_ROWS = 1_048_576
"""Of a sheet, with its header."""
LONGEST_CELL = 32_767
_CHUNK = 5_000
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
_ROWS = """
    SELECT
        l.shop_id, l.order_id, l.new_decision, l.reason, l.old_decision, d.deadline_at,
        l.decided_at + INTERVAL 8 HOUR, o.user_id, u.nickname, COALESCE(NULLIF(u.phone, ''), u.collect_phone), o.title,
        o.price, o.refund_money, o.created_time, o.pay_time, o.refund_time, d.reason
    FROM benefit_decision_log AS l
    LEFT JOIN benefit_decisions AS d ON l.shop_id = d.shop_id AND l.order_id = d.order_id
    LEFT JOIN orders AS o ON l.shop_id = o.shop_id AND l.order_id = o.order_id
    LEFT JOIN users AS u ON o.shop_id = u.shop_id AND o.user_id = u.user_id
    WHERE l.id IN %s ORDER BY l.id
"""


# --- what a day brought --------------------------------------------------------------------------------


def decisions_of_day(session: Session, shop_id: str, day: date) -> pd.DataFrame:
    """Orders whose decision became grant or revoke on a day of Beijing and was that at the day's end.

    Returns:
        The columns `HEADERS`, a row per order: revokes first, then in order of time.
    """
    begin, end = day_utc(day)
    last = session.stream(
        "SELECT MAX(id) FROM benefit_decision_log WHERE shop_id = %s AND decided_at >= %s AND decided_at < %s"
        " GROUP BY order_id",
        (shop_id, begin, end),
    )
    frame = _rows_of_log(session, [number for part in last for number in part], reason=3)
    frame = frame[frame["判定"].isin([NAMES["grant"], NAMES["revoke"]])]
    return frame.sort_values("判定", key=lambda names: names != NAMES["revoke"], kind="stable", ignore_index=True)


def orders_in_review(session: Session, shop_id: str) -> pd.DataFrame:
    """Orders that wait for a person now, those with the earliest deadline first; the columns `HEADERS`."""
    last = session.stream(
        "SELECT MAX(l.id) FROM benefit_decisions AS d"
        " INNER JOIN benefit_decision_log AS l ON d.shop_id = l.shop_id AND d.order_id = l.order_id"
        " WHERE d.shop_id = %s AND d.decision = 'review' GROUP BY d.order_id",
        (shop_id,),
    )
    frame = _rows_of_log(session, [number for part in last for number in part], reason=16)
    return frame.sort_values("截止时间", kind="stable", ignore_index=True)


def day_utc(day: date) -> tuple[str, str]:
    """First moment of a day of Beijing, and of the next, as a bookkeeping column holds them."""
    begin = datetime.combine(day, time(), BEIJING)
    return utc_text(begin), utc_text(begin + timedelta(days=1))


def _rows_of_log(session: Session, ids: list[int], *, reason: int) -> pd.DataFrame:
    """The facts behind entries of the log; the reason is that of the entry (3) or today's (16)."""
    ids.sort()
    frames = [_frame([], reason)]
    frames += [
        _frame(session.query(_ROWS, (tuple(ids[start : start + _CHUNK]),)), reason)
        for start in range(0, len(ids), _CHUNK)
    ]
    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    return frame.astype(dict.fromkeys(FEW_VALUES, "category"))


def _frame(rows: list[tuple[Any, ...]], reason: int) -> pd.DataFrame:
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * (len(HEADERS) + 1)
    columns[3] = columns[reason]
    columns[2], columns[4] = ([NAMES.get(name, name) for name in columns[place]] for place in (2, 4))
    kinds = {**dict.fromkeys(MONEY, "float64"), **dict.fromkeys(TIMES, "datetime64[s]")}
    return pd.DataFrame(
        {name: pd.Series(values, dtype=kinds.get(name, "str")) for name, values in zip(HEADERS, columns, strict=False)}
    )


# --- CSV -----------------------------------------------------------------------------------------------


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as CSV for a spreadsheet."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([csv_text(name) for name in frame.columns])
        writer.writerows([_csv_value(value) for value in row] for row in _values(frame))


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
    return csv_text(value) if isinstance(value, str) else f"{value:.2f}"


# --- xlsx ----------------------------------------------------------------------------------------------


def write_xlsx(frames: Mapping[str, pd.DataFrame], path: Path, *, most_rows: int = MOST_ROWS) -> None:
    """Write frames as sheets, row by row; one that has more rows than a sheet takes goes on in the next.

    Args:
        frames: Name of a sheet → its rows.
        path: Where.
        most_rows: Of one sheet, with the header.
    """
    book = Workbook(write_only=True)
    for name, frame in frames.items():
        size = most_rows - 1
        for number, start in enumerate(range(0, max(len(frame), 1), size), 1):
            _write_sheet(book, name if number == 1 else f"{name}{number}", frame.iloc[start : start + size])
    book.save(path)


def _write_sheet(book: Workbook, title: str, frame: pd.DataFrame) -> None:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(len(frame.columns), 1))}{len(frame) + 1}"
    for number, name in enumerate(frame.columns, 1):
        width = TEXT_WIDTHS.get(name, TIME_WIDTH if name in TIMES else MONEY_WIDTH)
        sheet.column_dimensions[get_column_letter(number)].width = width
    head = [WriteOnlyCell(sheet) for _ in frame.columns]
    for cell, name in zip(head, frame.columns, strict=True):
        _set_text(cell, shown(name))
        cell.font = Font(bold=True)
    sheet.append(head)
    plain, quoted, numbers = ([WriteOnlyCell(sheet) for _ in frame.columns] for _ in range(3))
    for place, name in enumerate(frame.columns):
        plain[place].number_format = quoted[place].number_format = "@"
        quoted[place].quotePrefix = True
        numbers[place].number_format = "yyyy-mm-dd hh:mm:ss" if name in TIMES else "¥#,##0.00"
    for row in _values(frame):
        cells: list[WriteOnlyCell | None] = []
        for place, value in enumerate(row):
            cell = None
            if isinstance(value, datetime) and value.year < 1900:  # a sheet knows no earlier day
                value = str(value)
            if isinstance(value, str):
                text = shown(value)
                cell = (quoted if begins_like_a_formula(text) else plain)[place]
                _set_text(cell, text)
            elif value is not None:
                cell = numbers[place]
                cell.value = value
            cells.append(cell)
        sheet.append(cells)


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


def _values(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """The rows in plain Python: text, float, datetime or None; converted some thousand at a time."""
    for start in range(0, len(frame), _CHUNK):
        part = frame.iloc[start : start + _CHUNK].astype(object)
        yield from part.where(part.notna(), None).itertuples(index=False, name=None)

"""`make import-reviews`: takes back the answers that staff filled in on the sheet 人工复核 of a daily report.

What is wrong in the file itself (another word, an unknown order, two answers for one order) refuses the whole file, by
cell. What has moved on since the file was written (decided, answered, changed) is skipped, by row. So nothing is ever
written in part, and the same file may be imported twice.
"""

from __future__ import annotations

import getpass
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from xiaoe import clock
from xiaoe.benefits.answers import MAX_NAME, ReviewAnswer, write_answers
from xiaoe.benefits.decide import merges_locked
from xiaoe.benefits.export import ANSWER, CHECK
from xiaoe.benefits.names import LATER, NAMES, OPTIONS
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session, retry_conflicts
from xiaoe.mysql.warehouse import Warehouse

SHEET = NAMES["review"]
COLUMNS = (ANSWER, "店铺ID", "订单ID", CHECK)
WORDS: dict[str, str | None] = {**OPTIONS, LATER: None, "发放": "grant", "不发放": "revoke"}
"""What may be filled in → decision, None: put off. 取消 alone is refused: it may mean two things."""
_CHECK_CODE = re.compile("[0-9a-f]{32}")
_MAX_NAMED = 20
"""Cells or rows that a report names."""
_CHUNK = 1000


class FilledRow(NamedTuple):
    """A row of the sheet with an answer.

    Args:
        places: Column name → cell, e.g. `A5`; on a further sheet with its name, `人工复核2!A5`.
        word: The answer as filled in.
        shop_id: The shop.
        order_id: The order.
        basis: Of the order when the file was written.
    """

    places: dict[str, str]
    word: str
    shop_id: str
    order_id: str
    basis: str

    @property
    def key(self) -> tuple[str, str]:
        """Shop and order."""
        return self.shop_id, self.order_id


class SheetFindings(NamedTuple):
    """What becomes of the rows of a file.

    Args:
        accepted: Rows whose answer is to be stored.
        skipped: Lines in Chinese about rows that have moved on.
        refused: Lines in Chinese about cells that are wrong; any of them refuses the file.
    """

    accepted: list[FilledRow]
    skipped: list[str]
    refused: list[str]


def import_reviews(file: str, *, apply: bool, by: str | None = None) -> tuple[bool, str]:
    """Check the answers of a file against the decisions of this moment, and store them if asked to.

    Args:
        file: Path of a daily report's xlsx.
        apply: Store them, recorded with who and when; the next run of xiaoe_benefits decides by them.
        by: Who answers; by default the user of this machine.

    Returns:
        Whether the file was accepted, and a report in Chinese.

    Raises:
        XiaoeConfigError: The file cannot be read, or lacks the sheet or a column.
    """
    path = Path(file).expanduser()
    rows = list(read_rows(path))
    filled = [row for row in rows if row.word]
    person = f"{(by or getpass.getuser()).strip()}（表格）"[:MAX_NAME]
    now = clock.now()

    def work() -> SheetFindings:
        with Warehouse().session() as session, ExitStack() as stack:
            if apply:  # nothing may be decided between the check and the answers
                for shop_id in sorted({row.shop_id for row in filled}):
                    stack.enter_context(merges_locked(session, shop_id))
            found = check(session, filled)
            if apply and not found.refused:
                _store(session, found.accepted, person, now)
                session.commit()
        return found

    found = retry_conflicts(work)
    return not found.refused, "\n".join(_report(file, len(rows), len(filled), found, person, apply=apply))


def _store(session: Session, rows: Sequence[FilledRow], person: str, now: datetime) -> None:
    for shop_id in sorted({row.shop_id for row in rows}):
        answers = [
            (row.order_id, row.basis, ReviewAnswer(WORDS[row.word], person, now))
            for row in rows
            if row.shop_id == shop_id
        ]
        write_answers(session, shop_id, answers)


# --- the file ------------------------------------------------------------------------------------------


def read_rows(path: Path) -> Iterator[FilledRow]:
    """The rows of the sheet 人工复核 and its continuations; `word` is empty where nothing was filled in.

    A formula is read as its text, and so refused: its result may be missing, or out of date.

    Raises:
        XiaoeConfigError: See `import_reviews`.
    """
    try:
        with closing(load_workbook(path, read_only=True)) as book:
            sheets = [one for one in book.worksheets if re.fullmatch(rf"{SHEET}\d*", one.title)]
            if not sheets:
                raise XiaoeConfigError(f"FILE={path} 没有“{SHEET}”表：请用每日福利判定日报的 xlsx")
            for sheet in sheets:
                yield from _rows_of(path, sheet)
    except (InvalidFileException, BadZipFile, KeyError, OSError) as error:
        why = getattr(error, "strerror", None) or error
        raise XiaoeConfigError(f"FILE={path} 读不出来（{why}）：请给出福利判定日报的 .xlsx 文件") from None


def _rows_of(path: Path, sheet: Any) -> Iterator[FilledRow]:
    lines = sheet.iter_rows(values_only=True)
    head = [_plain(value) for value in next(lines, ())]
    if missing := [name for name in COLUMNS if _plain(name) not in head]:
        raise XiaoeConfigError(
            f"FILE={path}，“{sheet.title}”表缺少列：{'、'.join(missing)}：请用日报原来的表填写，不要删改列名"
        )
    places = [head.index(_plain(name)) for name in COLUMNS]
    prefix = "" if sheet.title == SHEET else f"{sheet.title}!"
    for number, line in enumerate(lines, 2):
        word, *key = (line[place] if place < len(line) else None for place in places)
        shop_id, order_id, basis = ("" if value is None else str(value).strip() for value in key)
        cells = {
            name: f"{prefix}{get_column_letter(place + 1)}{number}" for name, place in zip(COLUMNS, places, strict=True)
        }
        if _plain(word) or order_id:
            yield FilledRow(cells, _plain(word), shop_id, order_id, basis)


def _plain(value: Any) -> str:
    """A heading or a word in half-width letters, without blanks around it."""
    return "" if value is None else unicodedata.normalize("NFKC", str(value)).strip()


# --- its rows against the warehouse --------------------------------------------------------------------


def check(session: Session, rows: Sequence[FilledRow]) -> SheetFindings:
    """Sort the rows into those to store, those that have moved on, and those that are wrong."""
    found = SheetFindings([], [], [])
    decisions, answers = _states(session, rows)
    words = defaultdict(set)
    for row in rows:
        words[row.key].add(WORDS.get(row.word, row.word))
    seen = set()
    for row in rows:
        held, state = decisions.get(row.key), (*row.key, row.basis)
        if wrong := _wrong(row, is_known=held is not None, is_contradicted=len(words[row.key]) > 1):
            found.refused.append(wrong)
        elif row.key in seen:  # the same answer twice
            continue
        elif moved_on := _moved_on(row, held, answers.get(state)):
            found.skipped.append(f"{row.places['订单ID']} 订单 {row.order_id}：{moved_on}")
        else:
            found.accepted.append(row)
        seen.add(row.key)
    return found


def _wrong(row: FilledRow, *, is_known: bool, is_contradicted: bool) -> str | None:
    """The cell that is wrong, its value and the fix."""
    if row.word not in WORDS:
        return f"{row.places[ANSWER]}（{ANSWER}）={row.word}：请填 {'、'.join((*OPTIONS, LATER))}"
    if not is_known:
        return f"{row.places['订单ID']}（订单ID）={row.order_id}：店铺 {row.shop_id} 没有这个订单"
    if not _CHECK_CODE.fullmatch(row.basis):
        return f"{row.places[CHECK]}（核对码）={row.basis}：已被改动，请从原文件复制"
    if is_contradicted:
        return f"{row.places[ANSWER]}（{ANSWER}）={row.word}：订单 {row.order_id} 有两种答复，请只留一种"
    return None


def _moved_on(row: FilledRow, held: tuple[str, str] | None, answered_by: str | None) -> str | None:
    """Why an order needs no answer, or another one; `held` is its decision and basis now."""
    decision, basis = held or ("", "")
    if decision != "review":
        return f"已判定为“{NAMES[decision]}”"
    if basis != row.basis:
        return "导出后订单有变化，请按新的日报答复"
    return f"{answered_by} 已答复，等待下一次判定" if answered_by else None


def _states(
    session: Session, rows: Sequence[FilledRow]
) -> tuple[dict[tuple[str, str], tuple[str, str]], dict[tuple[str, str, str], str]]:
    """(shop, order) → decision and basis; (shop, order, basis) → who answered."""
    decisions, answers = {}, {}
    for shop_id in sorted({row.shop_id for row in rows}):
        orders = sorted({row.order_id for row in rows if row.shop_id == shop_id})
        for start in range(0, len(orders), _CHUNK):
            part = (shop_id, tuple(orders[start : start + _CHUNK]))
            for order_id, decision, basis in session.query(
                "SELECT order_id, decision, basis FROM benefit_decisions WHERE shop_id = %s AND order_id IN %s", part
            ):
                decisions[shop_id, order_id] = (decision, basis)
            for order_id, basis, by in session.query(
                "SELECT order_id, basis, answered_by FROM benefit_reviews WHERE shop_id = %s AND order_id IN %s", part
            ):
                answers[shop_id, order_id, basis] = by
    return decisions, answers


# --- the report ----------------------------------------------------------------------------------------


def _report(file: str, rows: int, filled: int, found: SheetFindings, person: str, *, apply: bool) -> Iterator[str]:
    yield f"{file}：“{SHEET}”{rows:,} 行，填了答复 {filled:,} 行"
    if found.refused:
        yield f"有 {len(found.refused):,} 处要改正，未写入任何答复："
        yield from _first(found.refused)
        return
    counts = Counter(WORDS[row.word] for row in found.accepted)
    names = {decision: word for word, decision in (*OPTIONS.items(), (LATER, None))}
    yield "，".join(f"{name} {counts[decision]:,} 单" for decision, name in names.items())
    if found.skipped:
        yield f"跳过 {len(found.skipped):,} 行："
        yield from _first(found.skipped)
    if apply:
        yield f"已写入，答复人：{person}；下一次 xiaoe_benefits（每小时）起生效，现在生效：make sync TYPE=benefits"
    else:
        yield f"未写入。写入：make import-reviews FILE={file} APPLY=1"


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_MAX_NAMED]
    if len(lines) > _MAX_NAMED:
        yield f"… 共 {len(lines):,} 行"

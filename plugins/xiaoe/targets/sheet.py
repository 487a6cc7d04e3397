"""A workbook of targets: reads its rows, naming each wrong cell, and writes one to be filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from openpyxl.utils import get_column_letter

from xiaoe.csv_import import cells
from xiaoe.csv_import.files import Line, encoding_of, read_lines
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.exports.sheets import SheetColumn, SheetTable, write_xlsx
from xiaoe.targets.metrics import METRICS

HEADINGS = {
    "month": ("月份", "月", "month"),
    "shop": ("店铺", "店铺名称", "店铺ID", "shop", "shop_id"),
    "metric": ("指标", "metric"),
    "value": ("目标值", "目标", "value", "target"),
}
"""Column → headings that it is found under; the first is the template's."""
_WORDS = {cells.plain(word): code for code, one in METRICS.items() for word in (code, one.text)}
_MONTH = re.compile(r"(\d{4})[-/.年](\d{1,2})月?(?:[-/.]0?1(?: 00:00(?::00)?)?)?", re.ASCII)
"""A month, or its first day, which is what a spreadsheet makes of one."""
_LARGEST = Decimal(10) ** 10
_MAX_NAMED = 20


class TargetKey(NamedTuple):
    """What a target is of; `month` is the first day, `metric` a key of `METRICS`."""

    shop_id: str
    month: date
    metric: str


class Filled(NamedTuple):
    """What a workbook says.

    Args:
        values: Target → its value; 0: it no longer applies.
        empty: Number of rows without a value, which say nothing.
    """

    values: dict[TargetKey, Decimal]
    empty: int


class _BadCell(ValueError):
    """A value that cannot be read; `column` is a key of `HEADINGS`."""

    def __init__(self, column: str, fix: str) -> None:
        super().__init__(fix)
        self.column = column


def read_targets(path: Path, shops: Mapping[str, str]) -> Filled:
    """Read a workbook or a CSV file.

    Args:
        path: Its path.
        shops: Shop id → name.

    Raises:
        XiaoeConfigError: It cannot be read, lacks a column, or has cells that are wrong: names each, with the fix.
    """
    lines = read_lines(path, encoding_of(path))
    head = next(lines, None)
    if head is None:
        raise XiaoeConfigError(f"FILE={path} 是空的：先运行 make import-targets 得到模板，填好后再导入")
    places = _places(path, head.cells)
    values: dict[TargetKey, Decimal] = {}
    came_from: dict[TargetKey, str] = {}
    bad: list[str] = []
    empty = 0
    for line in lines:
        if line.cells == head.cells:
            continue
        try:
            found = _read_line(line, places, shops)
            if found is None:
                empty += 1
                continue
            key, value = found
            cell = _cell(line, places["value"])
            if key in values:
                raise _BadCell("value", f"同一店铺、月份、指标在 {came_from[key]} 已有目标；只留一行")
            values[key], came_from[key] = value, cell
        except _BadCell as error:
            place = places[error.column]
            bad.append(f"{_cell(line, place)}（{head.cells[place]}）={_shown(line, place)}：{error}")
    if bad:
        more = [f"…… 另有 {len(bad) - _MAX_NAMED} 处"] if len(bad) > _MAX_NAMED else []
        raise XiaoeConfigError("\n".join([f"FILE={path}：未写入任何目标。请改正：", *bad[:_MAX_NAMED], *more]))
    return Filled(values, empty)


def _places(path: Path, headings: Sequence[str]) -> dict[str, int]:
    """Column → index of its cell."""
    wanted = {cells.plain(name): column for column, names in HEADINGS.items() for name in names}
    found: dict[str, int] = {}
    for place, heading in enumerate(headings):
        column = wanted.get(cells.plain(heading))
        if column in found:
            raise XiaoeConfigError(f"FILE={path}：表头 {heading} 与 {headings[found[column]]} 指同一列；删去一列")
        if column:
            found[column] = place
    if missing := [names[0] for column, names in HEADINGS.items() if column not in found]:
        raise XiaoeConfigError(
            f"FILE={path}：缺少列 {'、'.join(missing)}；表头应为 {'、'.join(names[0] for names in HEADINGS.values())}，"
            f"文件里是 {'、'.join(headings)}"
        )
    return found


def _read_line(line: Line, places: Mapping[str, int], shops: Mapping[str, str]) -> tuple[TargetKey, Decimal] | None:
    """A row; None if it has no value."""
    texts: dict[str, str] = {}
    for column, place in places.items():
        text = line.cells[place] if place < len(line.cells) else ""
        if fix := cells.UNUSABLE.get(text.strip(" ").upper()):
            raise _BadCell(column, fix)
        texts[column] = (cells.bare(text) or "").strip()
    if not texts["value"]:
        return None
    metric = _metric(texts["metric"])
    key = TargetKey(_shop(texts["shop"], shops), _month(texts["month"]), metric)
    return key, _value(texts["value"], metric)


def _shop(text: str, shops: Mapping[str, str]) -> str:
    if text in shops:
        return text
    for shop_id, name in shops.items():
        if text == name:
            return shop_id
    known = "、".join(name if shop_id in name else f"{name}（{shop_id}）" for shop_id, name in sorted(shops.items()))
    raise _BadCell("shop", f"没有这个店铺；应为店铺名称或店铺ID：{known or '还没有店铺，先运行一次 xiaoe_marts'}")


def _month(text: str) -> date:
    match = _MONTH.fullmatch(text)
    try:
        if match and int(match[1]) >= 2000:
            return date(int(match[1]), int(match[2]), 1)
    except ValueError:
        pass
    raise _BadCell("month", "应为月份，如 2026-12")


def _metric(text: str) -> str:
    if code := _WORDS.get(cells.plain(text)):
        return code
    raise _BadCell("metric", f"应为 {'、'.join(one.text for one in METRICS.values())} 之一")


def _value(text: str, metric: str) -> Decimal:
    is_money = METRICS[metric].is_money
    fix = "应为金额（元），如 500000" if is_money else "应为整数，如 1200"
    try:
        value = Decimal(cells.money(text) or "x")
    except (ValueError, ArithmeticError):
        raise _BadCell("value", f"{fix}；不要写 万 等单位") from None
    if value < 0 or value >= _LARGEST:
        raise _BadCell("value", f"{fix}；不能小于 0，也不能到 100 亿")
    if not is_money and value != value.to_integral_value():
        raise _BadCell("value", fix)
    return value


def _cell(line: Line, place: int) -> str:
    return f"{get_column_letter(place + 1)}{line.number}"


def _shown(line: Line, place: int) -> str:
    return (line.cells[place].strip() if place < len(line.cells) else "")[:80] or "空"


def write_template(
    path: Path, shops: Mapping[str, str], months: Iterable[date], held: Mapping[TargetKey, Decimal]
) -> None:
    """Write a workbook with a row for each month, shop and metric, and the targets that there are.

    Args:
        path: Where.
        shops: Shop id → name.
        months: First days.
        held: Target → its value.
    """
    rows: list[list[Any]] = [
        [f"{month:%Y-%m}", shops[shop_id], one.text, held.get(TargetKey(shop_id, month, metric))]
        for month in months
        for shop_id in sorted(shops)
        for metric, one in METRICS.items()
    ]
    kinds = {"month": ("text", 12), "shop": ("text", 28), "metric": ("text", 16), "value": ("number", 18)}
    columns = [SheetColumn(HEADINGS[column][0], *kind) for column, kind in kinds.items()]
    write_xlsx({"目标": SheetTable(columns, rows)}, path)

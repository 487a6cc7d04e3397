"""The files: what a spreadsheet shows is what the warehouse holds, and it runs nothing."""

from __future__ import annotations

import csv
import resource
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.faults.processes import Child
from xiaoe.benefits.export import HEADERS, MONEY, TIMES, table
from xiaoe.exports import sheets
from xiaoe.exports.sheets import csv_text, shown

FORMULAS = [
    "=cmd|' /C calc'!A0", "=1+1", "+8613800138000", "-2+3", "@SUM(A1)", " =1", "\n=1", "\t=1", "\r=1", "＝1+1", "＠A",
    "-",
]  # fmt: skip
VALUES = [
    "013800138000", "20261120123456789012", "1.50", "1,000", "3-4", "1/2", "2026-11-20", "12:30", "1E5", "50%", "(3)",
    "9 PM", "9:00pm", "9:30 a", "下午3:30", "3:30 下午", "上午九点", "5-MAR-26 9:00 PM", "Wednesday, March 14, 2012",
    "2026年3月5日星期四", "三月五日", "2026-03-05T21:00:00Z", "#N/A", "#DIV/0!",
    "¥5", "Mar-1", "1 Mar", "MARCH1", "JAN-2020", "TRUE", "false", "2026年11月20日", "１２３", " 7 ",
]  # fmt: skip
PLAIN = [
    "o_1",
    "课程",
    "3 天精通",
    "Marco",
    "May",
    "v1.2.3-beta",
    "🙂",
    "a=b",
    "5A",
    "第三课",
    "周一直播课",
    "3月训练营",
    "Sunday 特惠",
    "9 apples",
    "#话题",
    "名:值",
    "True story",
    "x" * 200,
    "'quoted'",
]


def frame(**columns: Any) -> pd.DataFrame:
    """Rows with these columns; what is not said is empty."""
    count = len(next(iter(columns.values())))
    kinds = dict.fromkeys(MONEY, "float64") | dict.fromkeys(TIMES, "datetime64[s]")
    named = {name: columns.get(name.partition("（")[0], [None] * count) for name in HEADERS}
    return pd.DataFrame({name: pd.Series(values, dtype=kinds.get(name, "str")) for name, values in named.items()})


def write_csv(rows: pd.DataFrame, path: Path) -> None:
    sheets.write_csv(table(rows), path)


def write_xlsx(frames: dict[str, pd.DataFrame], path: Path, **options: int) -> None:
    sheets.write_xlsx({name: table(rows) for name, rows in frames.items()}, path, **options)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def cells(path: Path, sheet: str = "判定") -> list[tuple[Any, ...]]:
    """The cells of a sheet, without its header; no formula anywhere in the file."""
    book = openpyxl.load_workbook(path)
    assert not [cell.coordinate for one in book for row in one.iter_rows() for cell in row if cell.data_type == "f"]
    return list(book[sheet].iter_rows(min_row=2))


# --- CSV -----------------------------------------------------------------------------------------------


def test_a_csv_that_a_spreadsheet_opens_right(tmp_path: Path) -> None:
    path = tmp_path / "福利.csv"
    write_csv(
        frame(
            订单ID=["o_1", None], 手机号=["013800138000", "13800138000"], 商品=['A "B", C\r\nD', "🙂"],
            实付金额=[99.9, None], 退款金额=[0, 1234567.05], 支付时间=[datetime(2026, 11, 20, 9), None],
        ),
        path,
    )  # fmt: skip
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf\xe5\xba\x97\xe9\x93\xba")
    assert content.count(b"\r\n") == 3
    first, second = read_csv(path)
    assert list(first) == list(HEADERS)
    assert (first["订单ID"], first["手机号"], first["商品"]) == ("o_1", "\t013800138000", 'A "B", C\nD')
    assert (first["实付金额（元）"], first["退款金额（元）"], first["支付时间"]) == (
        "99.90",
        "0.00",
        "2026-11-20 09:00:00",
    )
    assert (second["订单ID"], second["实付金额（元）"], second["退款金额（元）"]) == ("", "", "1234567.05")
    assert (second["商品"], second["支付时间"]) == ("🙂", "")


@pytest.mark.parametrize("text", FORMULAS)
def test_what_begins_like_a_formula_is_quoted(text: str, tmp_path: Path) -> None:
    assert csv_text(text) == f"'{shown(text)}"
    write_csv(frame(昵称=[text]), tmp_path / "a.csv")
    assert read_csv(tmp_path / "a.csv")[0]["昵称"] == f"'{shown(text)}"
    write_xlsx({"判定": frame(昵称=[text])}, tmp_path / "a.xlsx")
    cell = cells(tmp_path / "a.xlsx")[0][HEADERS.index("昵称")]
    assert (cell.value, cell.data_type, cell.quotePrefix) == (shown(text), "s", True)


@pytest.mark.parametrize("text", VALUES)
def test_what_looks_like_a_number_or_a_date_stays_text(text: str, tmp_path: Path) -> None:
    assert csv_text(text) == f"\t{text}"
    write_xlsx({"判定": frame(手机号=[text])}, tmp_path / "a.xlsx")
    cell = cells(tmp_path / "a.xlsx")[0][HEADERS.index("手机号")]
    assert (cell.value, cell.data_type, cell.number_format) == (text, "s", "@")
    assert not cell.quotePrefix


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_is_left_alone(text: str, tmp_path: Path) -> None:
    assert csv_text(text) == text
    write_xlsx({"判定": frame(商品=[text])}, tmp_path / "a.xlsx")
    cell = cells(tmp_path / "a.xlsx")[0][HEADERS.index("商品")]
    assert (cell.value, cell.data_type) == (text, "s")


@given(st.text())
def test_no_text_gets_out_of_hand(text: str) -> None:
    written = csv_text(text)
    assert not written.lstrip(" \t\n").startswith(("=", "+", "-", "@"))
    assert written.removeprefix("'").removeprefix("\t") == shown(text).removeprefix("'").removeprefix("\t")
    written.encode()


@pytest.mark.parametrize("text", ["9" * 100_000, "9" * 30_000 + "x", "jan" * 10_000, "1 " * 16_000 + "jan!"])
def test_a_hostile_text_takes_no_time(text: str) -> None:
    assert len(csv_text(text)) <= sheets.MAX_CELL


# --- xlsx ----------------------------------------------------------------------------------------------


def test_an_xlsx_with_types_header_filter_and_widths(tmp_path: Path) -> None:
    path = tmp_path / "福利.xlsx"
    row = frame(
        订单ID=["o_1"], 实付金额=[99.9], 退款金额=[None], 判定时间=[datetime(2026, 11, 20, 9, 0, 5)], 截止时间=[None],
        下单时间=[datetime(1, 1, 1)],
    )  # fmt: skip
    write_xlsx({"判定": row, "人工复核": row[:0]}, path)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["判定", "人工复核"]
    for sheet, last in ((book["判定"], 2), (book["人工复核"], 1)):
        assert [cell.value for cell in sheet[1]] == list(HEADERS)
        assert all(cell.font.bold for cell in sheet[1])
        assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", f"A1:P{last}")
        assert all(10 <= sheet.column_dimensions[letter].width <= 40 for letter in "ABCDEFGHIJKLMNOP")
    values = dict(zip(HEADERS, cells(path)[0], strict=True))
    money, when, made = (values[name] for name in ("实付金额（元）", "判定时间", "下单时间"))
    assert (money.value, money.data_type, money.number_format) == (99.9, "n", "¥#,##0.00")
    assert (when.value, when.number_format) == (datetime(2026, 11, 20, 9, 0, 5), "yyyy-mm-dd hh:mm:ss")
    assert (made.value, made.data_type) == ("0001-01-01 00:00:00", "s"), "a sheet knows no day before 1900"
    assert values["退款金额（元）"].value is values["截止时间"].value is None
    assert cells(path, "人工复核") == []


def test_what_a_cell_cannot_hold_is_shown(tmp_path: Path) -> None:
    odd = ["a\x00b\x1bc", "a\r\nb\rc\td", "x" * 40_000, "_x0041_", "\ufffe"]
    write_xlsx({"判定": frame(商品=odd)}, tmp_path / "a.xlsx")
    found = [row[HEADERS.index("商品")].value for row in cells(tmp_path / "a.xlsx")]
    assert found[:2] == ["a␀b␛c", "a\nb\nc\td"]
    assert len(found[2]) < 32_767
    assert found[2].endswith("x…")
    assert found[3] == "_x005F_x0041_", "Excel reads this as _x0041_, and that as A"
    assert found[4] == "\ufffd"


@pytest.mark.parametrize("text", ["x" * 32_766 + "😀", "😀" * 20_000, "a" + "😀" * 16_383, "x" * 32_766])
def test_a_cell_is_as_long_as_excel_counts(text: str, tmp_path: Path) -> None:
    """In units of UTF-16: beyond 32,767 of them Excel calls the file damaged."""
    sheets.write_xlsx({"t": sheets.SheetTable([sheets.SheetColumn("名称")], [[text]])}, tmp_path / "long.xlsx")
    cell = str(openpyxl.load_workbook(tmp_path / "long.xlsx")["t"]["A2"].value)
    assert len(cell.encode("utf-16-le")) // 2 <= 32_767
    assert cell.removesuffix("…") == text[: len(cell.removesuffix("…"))]
    assert cell.endswith("…") is (text != "x" * 32_766)


def test_more_rows_than_a_sheet_takes_go_on_in_the_next(tmp_path: Path) -> None:
    names = [f"o_{number}" for number in range(7)]
    write_xlsx({"判定": frame(订单ID=names), "人工复核": frame(订单ID=[])}, tmp_path / "a.xlsx", max_rows=4)
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["判定", "判定2", "判定3", "人工复核"]
    sheets = [[row[1].value for row in book[name].iter_rows(min_row=2)] for name in book.sheetnames]
    assert sheets == [names[:3], names[3:6], names[6:], []]
    assert book["判定3"]["A1"].value == "店铺ID"


@pytest.mark.slow
def test_a_hundred_thousand_rows_need_little_memory(tmp_path: Path) -> None:
    """The first day after the history was loaded."""
    rows = frame(订单ID=[f"{number:020d}" for number in range(100_000)])[
        ["订单ID", "手机号", "实付金额（元）", "支付时间"]
    ]

    def write() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        write_csv(rows, tmp_path / "a.csv")
        write_xlsx({"判定": rows}, tmp_path / "a.xlsx")
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert used < 60 * 1024, f"{used} kB"

    Child(write).join()
    assert sum(1 for _ in (tmp_path / "a.csv").open(encoding="utf-8-sig")) == 100_001
    book = openpyxl.load_workbook(tmp_path / "a.xlsx", read_only=True)
    numbers = [name for (name,) in book["判定"].iter_rows(min_row=2, max_col=1, values_only=True)]
    assert numbers == rows["订单ID"].tolist()

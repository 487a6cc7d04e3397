"""Files as spreadsheets, platforms and scripts of the field write them, given to `make import-csv`.

Afterwards the database holds what the file says, or nothing, and the reason names the file.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from support.fixtures import servers, shop_connection
from support.worlds.shop import Database
from xiaoe.csv_import.command import import_csv
from xiaoe.exceptions import XiaoeConfigError

pytestmark = [pytest.mark.mysql, pytest.mark.parametrize("migrated", servers()[:1], indirect=True)]
HEAD = ["订单号", "用户ID", "下单时间", "实付金额", "订单状态", "商品名称"]


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection("http://127.0.0.1:9"))


def row(number: int, title: str = "课程") -> list[str]:
    return [f"o_{number}", f"u_{number}", "2024-03-01 10:00:00", "99.00", "支付成功", title]


def text_of(rows: Sequence[Sequence[str]], **options: Any) -> str:
    file = io.StringIO()
    csv.writer(file, **options).writerows(rows)
    return file.getvalue()


def imported(database: Database, file: Path, content: bytes | str) -> dict[str, str]:
    """Order → title of all that is stored once a file was imported."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    import_csv(str(file), None, apply=True)
    return {one["order_id"]: one["title"] for one in database.rows("SELECT order_id, title FROM orders ORDER BY 1")}


def refused(database: Database, file: Path, content: bytes | str, said: str) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = database.snapshot()
    with pytest.raises(XiaoeConfigError, match=said) as raised:
        import_csv(str(file), None, apply=True)
    assert str(file) in str(raised.value)
    assert database.snapshot() == before


# --- CSV -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ['"课程', '课程,"二'])
def test_a_quote_that_is_not_closed_does_not_swallow_the_orders_behind_it(
    database: Database, tmp_path: Path, title: str
) -> None:
    """As the last cell it makes one line of all that follow, with the right number of cells."""
    lines = [",".join(HEAD), ",".join(row(1)), ",".join([*row(2)[:-1], title]), *(",".join(row(n)) for n in (3, 4))]
    refused(database, tmp_path / "old.csv", "\r\n".join(lines), "line 3: .*quote not closed")


@pytest.mark.parametrize("title", ['课程 "一"', '5" 屏幕', "'课程'", '课程 "一', 'a""b'])
def test_a_quote_inside_a_cell_is_part_of_its_text(database: Database, tmp_path: Path, title: str) -> None:
    lines = [",".join(HEAD), ",".join([*row(1)[:-1], title]), ",".join(row(2))]
    assert imported(database, tmp_path / "old.csv", "\n".join(lines)) == {"o_1": title, "o_2": "课程"}


@pytest.mark.parametrize("mark", ["sep={}\r\n", "SEP={}\n", '"sep={}"\r\n', "\ufeffsep={}\n"])
@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_first_line_that_tells_excel_the_separator_is_no_header(
    database: Database, tmp_path: Path, mark: str, sign: str
) -> None:
    content = mark.format(sign) + text_of([HEAD, row(1), row(2, "a;b")], delimiter=sign)
    assert imported(database, tmp_path / "old.csv", content) == {"o_1": "课程", "o_2": "a;b"}


def test_files_that_were_put_together_have_their_marks_in_the_middle(database: Database, tmp_path: Path) -> None:
    with_head, without = text_of([HEAD, row(1), row(2)]), text_of([row(3), row(4)])
    content = f"\ufeff{with_head}\ufeff{text_of([HEAD, row(5)])}\ufeff{without}"
    found = imported(database, tmp_path / "old.csv", content)
    assert found == dict.fromkeys(["o_1", "o_2", "o_3", "o_4", "o_5"], "课程")
    assert database.value("SELECT COUNT(*) FROM rejected_rows") == 0


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
def test_every_end_of_a_line_is_one(database: Database, tmp_path: Path, ending: str) -> None:
    found = imported(database, tmp_path / "old.csv", text_of([HEAD, row(1), row(2)], lineterminator=ending))
    assert list(found) == ["o_1", "o_2"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        b"<html><table><tr><td>\xe8\xae\xa2\xe5\x8d\x95</td></tr></table>",
    ],
    ids=["xls", "html"],
)
def test_an_old_workbook_or_a_web_page_named_like_one_is_refused(
    database: Database, tmp_path: Path, content: bytes
) -> None:
    refused(database, tmp_path / "old.xls", content, r"\.xlsx")


def test_quotes_that_open_and_close_over_two_orders_are_told(database: Database, tmp_path: Path) -> None:
    lines = [",".join(HEAD), *(",".join([*row(number)[:-1], '"课程']) for number in (1, 2)), ",".join(row(3))]
    refused(database, tmp_path / "old.csv", "\n".join(lines), "line 2: .*quote not closed")


# --- workbooks -----------------------------------------------------------------------------------------


def workbook(file: Path, rows: Sequence[Sequence[str]]) -> Path:
    book = openpyxl.Workbook()
    for one in rows:
        book.active.append(list(one))
    book.save(file)
    return file


def changed(file: Path, change: Callable[[str, bytes], bytes]) -> bytes:
    """The workbook with its parts changed: name and content → content."""
    target = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            copy.writestr(name, change(name, source.read(name)))
    return target.getvalue()


def test_a_line_break_of_excel_is_one(database: Database, tmp_path: Path) -> None:
    """In the file a carriage return is written `_x000D_`, which openpyxl leaves as it is."""
    file = workbook(tmp_path / "old.xlsx", [HEAD, row(1, "上_x000D_\n下"), row(2, "_x4E00_ x000D_")])
    found = imported(database, file, file.read_bytes())
    assert found == {"o_1": "上\r\n下", "o_2": "_x4E00_ x000D_"}


STRICT = {
    b"http://schemas.openxmlformats.org/spreadsheetml/2006/main": b"http://purl.oclc.org/ooxml/spreadsheetml/main",
    b"http://schemas.openxmlformats.org/officeDocument/2006/relationships": (
        b"http://purl.oclc.org/ooxml/officeDocument/relationships"
    ),
}


def strict(name: str, content: bytes) -> bytes:
    for usual, other in STRICT.items():
        content = content.replace(usual, other)
    return content


DAMAGED: dict[str, Callable[[str, bytes], bytes]] = {
    "an attribute that nobody knows": lambda name, part: (
        part.replace(b"<fill>", b"<fill><patternFill><extLst/></patternFill></fill><fill>")
        if "styles" in name
        else part
    ),
    "a sheet that breaks off": lambda name, part: part[: len(part) // 2] if "sheet1" in name else part,
    "strings that are not there": lambda name, part: (
        re.sub(rb't="inlineStr"><is><t>.*?</t></is>', b't="s"><v>7</v>', part) if "sheet1" in name else part
    ),
    "a strict workbook": strict,
    "a number that is none": lambda name, part: (
        re.sub(rb't="inlineStr"><is><t>(.*?)</t></is>', rb't="n"><v>\1</v>', part) if "sheet1" in name else part
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_workbook_that_cannot_be_read_is_refused_by_name(database: Database, tmp_path: Path, damage: str) -> None:
    file = workbook(tmp_path / "old.xlsx", [HEAD, row(1), row(2)])
    refused(database, file, changed(file, DAMAGED[damage]), "save it|columns|is empty")

"""`make import-csv`: orders of an old script's file come in once, under whatever the API says, before and after."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import openpyxl
import pandas as pd
import pytest
from msgspec import structs
from openpyxl.cell import WriteOnlyCell

from support.fixtures import servers, shop_connection
from support.oracles.benefits import LONG_AGO
from support.worlds.marts import refresh
from support.worlds.shop import APP_ID, START, Database, Sync, days, differences, merge_sql
from support.worlds.staged import DAY_ONE, StagedRun, at, raw_order
from xiaoe.benefits.decide import Decider, apply_policy
from xiaoe.benefits.policy import read_policy
from xiaoe.cli import main
from xiaoe.clock import BEIJING
from xiaoe.csv_import import command
from xiaoe.csv_import.command import import_csv
from xiaoe.exceptions import XiaoeConfigError, XiaoeReconciliationError
from xiaoe.exports.files import export_of, export_table
from xiaoe.merge import merger
from xiaoe.merge.merger import Merger
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.orders import ORDERS
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql
on_one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
"""What rests on the file and on no server's SQL."""

LINE = {
    "订单号": "o_1", "用户ID": "u_1", "商品ID": "v_1", "商品名称": "课程 一", "商品类型": "视频", "数量": "1",
    "实付金额": "99.00", "订单状态": "支付成功", "下单时间": "2024-03-01 10:00:00", "支付时间": "2024-03-01 10:01:00",
    "退款金额": "", "退款时间": "",
}  # fmt: skip
Line = dict[str, str]
TWO_WEEKS = Window(START, START + days(14))


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop that nobody has to ask anything; tests with `sync` have the emulated one."""
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection("http://127.0.0.1:9"))


def line(number: int = 1, **cells: str) -> Line:
    return LINE | {"订单号": f"o_{number}", "用户ID": f"u_{number}"} | cells


def listed(number: int, **cells: str) -> Line:
    """A line about the order that `raw_order` makes of a number."""
    created = f"{DAY_ONE + timedelta(days=number % 7, seconds=number):%Y-%m-%d %H:%M:%S}"
    return line(number, **{"订单号": f"o_{number:05d}", "下单时间": created, "支付时间": created, **cells})


def write(folder: Path, lines: Iterable[Mapping[str, str]], *, encoding: str = "utf-8", name: str = "old.csv") -> str:
    path = folder / name
    found = list(lines)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(found[0]), delimiter="\t" if encoding == "utf-16" else ",")
        writer.writeheader()
        writer.writerows(found)
    return str(path)


def orders(database: Database) -> dict[str, dict[str, Any]]:
    return {row["order_id"]: row for row in database.rows("SELECT * FROM orders ORDER BY order_id")}


def rejected(database: Database) -> list[tuple[str | None, str, bool]]:
    rows = database.rows("SELECT * FROM rejected_rows ORDER BY row_key, reason")
    return [(row["row_key"], row["reason"], row["resolved_at"] is not None) for row in rows]


def from_api(store: Path, run: StagedRun, **options: Any) -> dict[str, int]:
    return dict(Merger(Warehouse(), ORDERS, merge_sql("orders")).merge(*run.write(store), **options))


# --- what comes in -------------------------------------------------------------------------------------


def test_shown_first_and_written_when_somebody_says_so(database: Database, tmp_path: Path) -> None:
    file = write(tmp_path, [line(1, 备注="好评"), line(2, 备注="")])
    before = database.snapshot()
    told = import_csv(file, None, apply=False)
    assert "新增 2 单" in told
    assert "不认识、不导入的列：备注" in told
    assert f"未写入。写入：make import-csv FILE={file} APPLY=1" in told
    assert database.snapshot() == before

    told = import_csv(file, APP_ID, apply=True)
    assert ("新增 2 单" in told, "未写入" in told) == (True, False)
    row = orders(database)["o_1"]
    assert {name: str(row[name]) for name in ("user_id", "title", "price", "order_state", "order_state_text")} == {
        "user_id": "u_1", "title": "课程 一", "price": "99.00", "order_state": "1", "order_state_text": "支付成功",
    }  # fmt: skip
    assert (row["created_time"], row["refund_money"]) == (datetime(2024, 3, 1, 10), None)
    assert row["observed_at"] < datetime(1971, 1, 1)
    assert database.wrong_lines() == []
    assert [(user["user_id"], user["is_inferred"]) for user in database.rows("SELECT * FROM users")] == [
        ("u_1", 1), ("u_2", 1),
    ]  # fmt: skip
    assert database.value("SELECT is_inferred FROM products WHERE resource_id = 'v_1'") == 1
    assert database.rows("SELECT * FROM sync_windows") == []
    days = database.rows("SELECT DISTINCT kind, day FROM mart_queue ORDER BY kind")
    assert [(row["kind"], f"{row['day']}") for row in days] == [("buyers", "2024-03-01"), ("sales", "2024-03-01")]


@on_one_server
def test_every_encoding_and_a_workbook_give_the_same_rows(database: Database, tmp_path: Path) -> None:
    lines = [line(1, 商品名称="课程，「一」€"), line(2, 商品名称='a\nb,"c" 😀', 订单状态="已退款", 退款金额="9.90")]
    contents = []
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        told = import_csv(write(tmp_path, lines, encoding=encoding), None, apply=True)
        assert f"：{'utf-8-sig' if encoding == 'utf-8' else encoding}，2 行" in told
        contents.append(database.content())
        database.empty("api_tokens")
    import_csv(workbook(tmp_path, lines), None, apply=True)
    contents.append(database.content())
    for content in contents:
        for row in content["orders"]:
            del row["raw_hash"]  # 99 is 99.00
    assert contents == contents[:1] * 5
    assert [row["title"] for row in contents[0]["orders"]] == ["课程，「一」€", 'a\nb,"c" 😀']


def workbook(folder: Path, lines: list[Line]) -> str:
    """The lines as a spreadsheet holds them: numbers, times."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("订单")
    sheet.append(list(lines[0]))
    for one in lines:
        cells = []
        for name, text in one.items():
            value: Any = text or None
            if text and "时间" in name:
                value = datetime.fromisoformat(text)
            elif text and name in ("数量", "实付金额", "退款金额"):
                value = float(text)
            cells.append(WriteOnlyCell(sheet, value))
        sheet.append(cells)
    book.save(folder / "old.xlsx")
    return str(folder / "old.xlsx")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "give the path of a CSV file"),
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        ("单号,用户ID,下单时间,实付金额,订单状态\n".encode(), "order_id: 订单ID、订单号、订单编号"),
        ("订单号,用户ID,下单时间,实付金额,订单状态\n".encode(), "has no order of the shop apptest1"),
        ("订单号,用户ID,下单时间,实付金额,订单状态\n".encode() + b"\xff\xff\xff", "neither UTF-8 nor GB18030"),
        (
            f'订单号,用户ID,下单时间,实付金额,订单状态\no_1,"{"x" * 200_000}'.encode(),
            r"line 2: field larger.*quote not closed",
        ),
    ],
)
@on_one_server
def test_a_file_that_cannot_be_read_changes_nothing(
    content: bytes | None, said: str, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "old.csv"
    if content is not None:
        file.write_bytes(content)
    before = database.snapshot()
    with pytest.raises(XiaoeConfigError, match=said):
        import_csv(str(file), None, apply=True)
    assert database.snapshot() == before


@on_one_server
def test_something_else_named_xlsx_is_refused(database: Database, tmp_path: Path) -> None:
    (tmp_path / "old.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(XiaoeConfigError, match=r"cannot be read as \.xlsx"):
        import_csv(str(tmp_path / "old.xlsx"), None, apply=True)
    assert orders(database) == {}


@on_one_server
def test_a_file_of_pandas_gives_the_orders_that_it_was_made_of(database: Database, tmp_path: Path) -> None:
    frame = pd.DataFrame([line(1), line(2)]).assign(
        用户ID=[1001.0, 1002.0],
        收货人电话=[13800138000.0, np.nan],
        实付金额=[33.1 * 3, 0.1 + 0.2],
        支付时间=pd.to_datetime(["2024-03-01 10:01:00", None]),
        商品名称=["课程", None],
        数量=pd.array([1, None], dtype="Int64"),
        订单状态=[1.0, 4.0],
    )
    frame.to_csv(tmp_path / "old.csv", index=False, na_rep="<NA>")
    frame.to_excel(tmp_path / "old.xlsx", index=False)
    written = (tmp_path / "old.csv").read_text("utf-8")
    assert all(text in written for text in ("1001.0,", "13800138000.0", "99.30000000000001", "<NA>"))
    for name in ("old.csv", "old.xlsx"):
        import_csv(str(tmp_path / name), None, apply=True)
        first, second = orders(database).values()
        assert (first["user_id"], first["receiver_phone"]) == ("1001", "13800138000")
        assert (f"{first['price']}", f"{second['price']}") == ("99.30", "0.30")
        assert (second["receiver_phone"], second["pay_time"], second["quantity"], second["title"]) == (None,) * 4
        assert (first["order_state"], second["order_state"]) == (1, 4)
        assert rejected(database) == []
        database.empty("api_tokens")


def unusable_workbook(path: Path, refund: Any) -> str:
    """A workbook with a formula or an error in F7, as a program writes it that computes nothing."""
    book = openpyxl.Workbook()
    book.active.append(["订单号", "用户ID", "下单时间", "实付金额", "订单状态", "退款金额"])
    for number in range(2, 9):
        book.active.append([f"o_{number}", "u_1", "2024-03-01 10:00:00", "99.00", "支付成功", "1.00"])
    book.active["F7"] = refund
    book.save(path)
    return str(path)


def edited(file: str, *changes: tuple[str, str]) -> str:
    """A copy of a workbook with changes of its XML: pattern and replacement."""
    copy = Path(file).with_name("edited.xlsx")
    with ZipFile(file) as old, ZipFile(copy, "w") as new:
        for name in old.namelist():
            content = old.read(name).decode()
            for pattern, replacement in changes:
                content = re.sub(pattern, replacement, content)
            new.writestr(name, content)
    return str(copy)


F7 = r'(<c r="F7"[^>]*>)<f>(.*?)</f><v ?/?>(?:</v>)?'


@on_one_server
@pytest.mark.parametrize("program", ["openpyxl", "XlsxWriter"])
def test_a_formula_that_nobody_computed_is_refused_by_its_cell(
    database: Database, tmp_path: Path, program: str
) -> None:
    """Read as empty, or as the 0 that XlsxWriter writes, it would be no refund."""
    file = unusable_workbook(tmp_path / "old.xlsx", "=D7-1")
    if program == "XlsxWriter":
        file = edited(file, (F7, r"\1<f>\2</f><v>0</v>"))
    for apply in (False, True):
        with pytest.raises(XiaoeConfigError, match=r"F7（退款金额）=.*公式还没有计算过.*未写入任何订单"):
            import_csv(file, None, apply=apply)
    assert orders(database) == {}


@on_one_server
def test_formulas_that_a_spreadsheet_computed_are_their_results(database: Database, tmp_path: Path) -> None:
    """Also an empty text; as Excel and LibreOffice save them."""
    file = edited(
        unusable_workbook(tmp_path / "old.xlsx", "=D7-1"),
        (' fullCalcOnLoad="1"', ""),
        (F7, r"\1<f>\2</f><v>98</v>"),
        (r'<c r="F6".*?</c>', '<c r="F6" t="str"><f>IF(1,&quot;&quot;,1)</f><v></v></c>'),
    )
    import_csv(file, None, apply=True)
    found = {name: row["refund_money"] for name, row in orders(database).items()}
    assert (f"{found['o_7']}", found["o_6"], f"{found['o_5']}") == ("98.00", None, "1.00")


@on_one_server
@pytest.mark.parametrize("error", ["#N/A", "#VALUE!", "#REF!", "#DIV/0!"])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_error_of_a_spreadsheet_is_refused_by_its_cell(
    database: Database, tmp_path: Path, error: str, kind: str
) -> None:
    if kind == "csv":
        lines = [line(number) for number in range(2, 9)]
        lines[5] |= {"用户ID": error}
        file, cell = write(tmp_path, lines), "B7（用户ID）"
    else:
        file, cell = unusable_workbook(tmp_path / "old.xlsx", error), "F7（退款金额）"
    with pytest.raises(XiaoeConfigError, match=f"{cell}={error}：表格软件算出的是错误值"):
        import_csv(file, None, apply=True)
    assert orders(database) == {}


@on_one_server
def test_an_error_in_a_column_that_is_not_imported_is_nothing(database: Database, tmp_path: Path) -> None:
    import_csv(write(tmp_path, [line(1, 备注="#N/A")]), None, apply=True)
    assert list(orders(database)) == ["o_1"]


def test_bad_lines_are_named_and_kept_and_the_rest_goes_on(database: Database, tmp_path: Path) -> None:
    bad = [
        line(2, 实付金额="九十九"), line(3, 下单时间=""), line(4, 订单状态="已关闭"), line(5, 下单时间="2024-03-01"),
        line(6, 退款金额="9900"), line(7, 订单号=""), line(8, 支付时间="昨天"),
    ]  # fmt: skip
    file = write(tmp_path, [line(1), *bad, line(9)])
    with Path(file).open("a", encoding="utf-8") as more:
        more.write("o_10,u_10,v_1,课程，有,逗号\n")
    told = import_csv(file, None, apply=True)
    assert "新增 2 单" in told
    assert "无法解析 8 行，8 单写入 rejected_rows" in told
    assert "第 3 行 实付金额='九十九': not a number；应为金额（元），如 99.00\n" in told
    assert "第 4 行 下单时间: 不能为空；应为北京时间" in told
    assert "第 5 行 订单状态='已关闭': not a number；应为代码，或 未支付、支付成功" in told
    assert told.count("\n第 ") == 5
    assert sorted(orders(database)) == ["o_1", "o_9"]
    found = rejected(database)
    assert [key for key, _, _ in found] == [None, "o_10", "o_2", "o_3", "o_4", "o_5", "o_6", "o_8"]
    reasons = {key: reason for key, reason, _ in found}
    assert reasons["o_10"] == "格数与表头不同；文本里是否有没加引号的逗号或换行？"
    assert reasons["o_5"] == "created_time='2024-03-01': 缺少时刻；应为北京时间，如 2025-01-31 08:30:00"
    assert not any(resolved for *_, resolved in found)

    # Corrected, they come in, and are settled.
    import_csv(write(tmp_path, [line(number) for number in range(1, 11)]), None, apply=True)
    assert len(orders(database)) == 10
    assert [key for key, _, resolved in rejected(database) if not resolved] == [None]


def test_a_file_of_bad_lines_only(database: Database, tmp_path: Path) -> None:
    told = import_csv(write(tmp_path, [line(1, 实付金额="?")]), None, apply=True)
    assert "无法解析 1 行，1 单写入 rejected_rows" in told
    assert (orders(database), [key for key, _, _ in rejected(database)]) == ({}, ["o_1"])


def test_a_second_run_changes_nothing(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_PAGE_ROWS", 40)
    monkeypatch.setattr(merger, "CHUNK_ROWS", 100)
    many = [line(number) for number in range(300)]
    file = write(tmp_path, [line(299, 订单状态="退款中"), *many, line(2, 实付金额="?")])
    told = import_csv(file, None, apply=True)
    assert "新增 299 单" in told
    assert "略去 2 行" in told
    first = database.snapshot()
    assert len(first["orders"]) == 299
    assert first["order_state_log"] == []
    told = import_csv(file, None, apply=True)
    assert "新增 0 单，更新 0 单" in told
    assert "不变 299 单" in told
    assert database.snapshot() == first


def test_of_two_files_the_newer_wins_in_either_order(database: Database, tmp_path: Path) -> None:
    old = write(tmp_path, [line(1), line(2)], name="march.csv")
    refunded = {"订单状态": "已退款", "退款金额": "99", "退款时间": "2024-03-05 00:00:00"}
    new = write(tmp_path, [line(1, **refunded), line(3)], name="april.csv")
    contents = []
    for files in ((old, new), (new, old), (old, new, old)):
        database.empty("api_tokens")
        for file in files:
            import_csv(file, None, apply=True)
        contents.append(database.content())
    assert contents == contents[:1] * 3
    assert {key: row["order_state"] for key, row in orders(database).items()} == {"o_1": 3, "o_2": 1, "o_3": 1}
    assert orders(database)["o_1"]["observed_at"] < datetime(1971, 1, 1)


# --- the API wins --------------------------------------------------------------------------------------


def test_an_order_of_the_api_is_never_set_back(database: Database, tmp_path: Path) -> None:
    from_api(tmp_path, StagedRun([(at(0), [raw_order(1), raw_order(2, order_state=10)])]))
    before = database.snapshot("run_id", "mode", "resource")
    lines = [listed(1, 实付金额="1", 订单状态="待付款"), listed(2), listed(2, 实付金额="?")]
    told = import_csv(write(tmp_path, lines), None, apply=True)
    assert "不变 2 单" in told
    assert "无法解析 1 行，0 单写入 rejected_rows" in told
    after = database.snapshot("run_id", "mode", "resource")
    assert {table for table in after if after[table] != before[table]} == {"sync_status"}
    assert rejected(database) == []


def test_the_api_corrects_what_a_file_said(database: Database, tmp_path: Path) -> None:
    import_csv(write(tmp_path, [listed(1, 实付金额="1"), listed(2, 订单状态="待付款")]), None, apply=True)
    counts = from_api(tmp_path, StagedRun([(at(0), [raw_order(1), raw_order(2)])]))
    assert (counts["inserted"], counts["updated"], counts["absent"]) == (0, 2, 0)
    found = orders(database)
    assert [(str(row["price"]), row["order_state"]) for row in found.values()] == [("99.00", 1), ("99.00", 1)]
    assert {row["observed_at"].replace(tzinfo=timezone.utc) for row in found.values()} == {at(0)}
    log = database.rows("SELECT order_id, field, old_value, new_value FROM order_state_log WHERE field = 'order_state'")
    assert [tuple(row.values()) for row in log] == [("o_00002", "order_state", "0", "1")]


def test_imported_then_synced_is_the_shop(sync: Sync, api: Any, database: Database, tmp_path: Path) -> None:
    sync.run(TWO_WEEKS)
    path = exported(tmp_path, "csv")
    database.empty("api_tokens")
    import_csv(path, None, apply=True)
    sync.run(TWO_WEEKS)
    assert differences(database, api, TWO_WEEKS) == []


def exported(folder: Path, kind: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XIAOE_EXPORT_DIR", f"file://{folder}")
        return export_table(export_of("orders", None, None, with_codes=True), kind).address.removeprefix("file://")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@on_one_server
def test_our_own_export_comes_back_as_it_went(
    kind: str, sync: Sync, api: Any, database: Database, tmp_path: Path
) -> None:
    sync.run(TWO_WEEKS)
    before, held = database.content(), database.snapshot()
    file = exported(tmp_path, kind)
    told = import_csv(file, None, apply=True)
    assert f"不变 {len(before['orders'])} 单" in told
    changed = {table for table, rows in database.snapshot().items() if rows != held[table]}
    assert changed == {"sync_status"}

    database.empty("api_tokens")
    told = import_csv(file, None, apply=True)
    assert f"新增 {len(before['orders'])} 单" in told
    assert "无法解析 " not in told
    unknown = re.search("不导入的列：(.*)", told)
    assert unknown is not None
    assert unknown[1] == "是否导入订单、接口不再返回该订单的时间、无法解析的列"
    assert alike(database.content()) == alike(before)
    assert database.wrong_lines() == []


def alike(content: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A file has no hashes, and does not tell an empty text from none, nor how a line ended."""
    left_out = ("row_hash", "raw_hash", "absent_since")
    return [
        {
            name: re.sub(r"\r\n?", "\n", value) or None if isinstance(value, str) else value
            for name, value in row.items()
            if name not in left_out
        }
        for row in content["orders"]
    ]


# --- what the API does not know ------------------------------------------------------------------------


def test_a_window_that_does_not_list_an_imported_order_marks_it_and_goes_on(database: Database, tmp_path: Path) -> None:
    import_csv(write(tmp_path, [listed(1), listed(2), line(9)]), None, apply=True)
    counts = from_api(tmp_path, StagedRun([(at(0), [raw_order(1)])]))
    assert (counts["updated"], counts["absent"]) == (1, 1)
    absent = {key for key, row in orders(database).items() if row["absent_since"]}
    assert absent == {"o_00002"}, "o_9 is of 2024: nobody has read that yet"
    queued = database.rows("SELECT DISTINCT day FROM mart_queue WHERE kind = 'sales' AND day > '2026-01-01'")
    assert DAY_ONE.date() + timedelta(days=2) in {row["day"] for row in queued}

    # What the API has shown, and does not any more, is still somebody's business; nothing was changed.
    before = database.snapshot()
    import_csv(write(tmp_path, [listed(3)]), None, apply=False)
    with pytest.raises(XiaoeReconciliationError, match=r"holds 1 more that it no longer lists: o_00001\."):
        from_api(tmp_path, StagedRun([(at(1), [raw_order(4)])], run_id="later"))
    assert database.snapshot() == before


def test_an_order_of_a_window_that_was_read_comes_in_as_absent(database: Database, tmp_path: Path) -> None:
    from_api(tmp_path, StagedRun([(at(0), [raw_order(1)])]))
    told = import_csv(write(tmp_path, [listed(1), listed(2), line(9)]), None, apply=True)
    assert "新增 2 单" in told
    assert "其中 1 单所在时段已从接口读过，而接口没有列出" in told
    assert {key for key, row in orders(database).items() if row["absent_since"]} == {"o_00002"}
    assert database.value("SELECT COUNT(*) FROM sync_windows") == 1

    # The API lists it after all: it is there.
    from_api(tmp_path, StagedRun([(at(1), [raw_order(1), raw_order(2)])], run_id="later"))
    assert orders(database)["o_00002"]["absent_since"] is None


def test_imported_before_or_after_the_window_is_the_same(database: Database, tmp_path: Path) -> None:
    file = write(tmp_path, [listed(1, 实付金额="1"), listed(2), line(9)])
    window = StagedRun([(at(0), [raw_order(1)])])
    contents = []
    for steps in (("file", "api"), ("api", "file"), ("file", "api", "file")):
        database.empty("api_tokens")
        for step in steps:
            import_csv(file, None, apply=True) if step == "file" else from_api(tmp_path, window)
        rows = database.content()["orders"]
        contents.append([row | {"absent_since": row["absent_since"] is not None} for row in rows])
    assert contents == contents[:1] * 3
    assert [row["order_id"] for row in contents[0]] == ["o_00001", "o_00002", "o_9"]


def test_an_imported_order_that_is_asked_for_by_its_id_and_not_listed(database: Database, tmp_path: Path) -> None:
    """As the look-up of old orders does that after-sales name."""
    import_csv(write(tmp_path, [listed(1), listed(2)]), None, apply=True)
    folder, manifest = StagedRun([(at(0), [raw_order(1)])], run_id="one", mode="late").write(tmp_path)
    merger = Merger(Warehouse(), ORDERS, merge_sql("orders"))
    asked = structs.replace(manifest, is_lookup=True)
    assert merger.merge(folder, structs.replace(asked, not_listed=["o_00002"]))["absent"] == 1
    with pytest.raises(XiaoeReconciliationError, match=r"does not list 1 rows .* one by one: o_00001"):
        merger.merge(folder, structs.replace(asked, not_listed=["o_00001", "o_00002"]))
    assert {key for key, row in orders(database).items() if row["absent_since"]} == {"o_00002"}


# --- what rests on orders ------------------------------------------------------------------------------


def test_no_benefit_rests_on_a_file(database: Database, tmp_path: Path) -> None:
    paid = listed(1)
    refunded = listed(2, 订单状态="已退款", 退款金额="99", 退款时间="2026-11-05 00:00:00")
    file = write(tmp_path, [paid, refunded, listed(3)])
    import_csv(file, None, apply=True)
    waiting = ("not_applicable", "仅见于旧文件，接口尚未确认")
    assert decide() == dict.fromkeys(("o_00001", "o_00002", "o_00003"), waiting)

    # The API confirms two of them after their deadline, and has never heard of the third.
    later = at(20 * 86_400)
    from_api(tmp_path, StagedRun([(later, [raw_order(1), raw_order(2, order_state=10, refund_money=9900,
                                                                  refund_time="2026-11-05 00:00:00")])]))  # fmt: skip
    assert decide() == {
        "o_00001": ("grant", "截止后观测，期内无退款"),
        "o_00002": ("revoke", "截止前已全额退款"),
        "o_00003": waiting,
    }


def decide() -> dict[str, tuple[str, str]]:
    warehouse, policy = Warehouse(), structs.replace(read_policy(), since=LONG_AGO)
    with warehouse.session() as session:
        number = apply_policy(session, policy, by="test", shop_ids=[APP_ID])
        session.commit()
        Decider(warehouse, APP_ID, policy, number, now=datetime(2026, 12, 20, tzinfo=BEIJING)).decide()
        session.rollback()
        rows = session.query("SELECT order_id, decision, reason FROM benefit_decisions ORDER BY 1")
    return {order_id: (decision, reason) for order_id, decision, reason in rows}


def test_dashboards_count_what_was_imported_and_say_that_it_is_not_covered(database: Database, tmp_path: Path) -> None:
    import_csv(write(tmp_path, [line(1), line(2), listed(3)]), None, apply=True)
    refresh(APP_ID, datetime(2026, 11, 20))
    sold = "SELECT SUM(orders_paid) FROM bi_sales_daily WHERE day = %s"
    assert (database.value(sold, ("2024-03-01",)), database.value(sold, ("2026-11-04",))) == (2, 1)
    assert database.rows("SELECT * FROM bi_sync_coverage WHERE is_covered = 1") == []
    from_api(tmp_path, StagedRun([(at(0), [raw_order(1, pay_time="2026-11-02 00:00:01")])]))
    refresh(APP_ID, datetime(2026, 11, 20))
    assert (database.value(sold, ("2024-03-01",)), database.value(sold, ("2026-11-04",))) == (2, None)
    covered = database.rows("SELECT day FROM bi_sync_coverage WHERE is_covered = 1 ORDER BY day")
    assert covered[0]["day"] == DAY_ONE.date()


# --- shops, and the command ----------------------------------------------------------------------------


@on_one_server
def test_each_shop_takes_its_own_lines(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_CONN_IDS", "xiaoe_default,xiaoe_second")
    second = shop_connection("http://127.0.0.1:9").replace(APP_ID, "appother")
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_SECOND", second)
    file = write(tmp_path, [{"店铺ID": shop, **line(1)} for shop in (APP_ID, "appother")] + [{"店铺ID": "", **line(2)}])
    for wrong in (None, "apptset1"):
        with pytest.raises(XiaoeConfigError, match=f"SHOP='{wrong or ''}': give the app_id of .*: {APP_ID}, appother"):
            import_csv(file, wrong, apply=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XIAOE_CONN_IDS", "xiaoe_third")
        with pytest.raises(XiaoeConfigError, match=r"XIAOE_CONN_IDS=xiaoe_third: .* set the shops' connections"):
            import_csv(file, None, apply=True)
    assert orders(database) == {}
    told = import_csv(file, "appother", apply=True)
    assert "其他店铺的 1 行未读" in told
    assert [(row["shop_id"], row["order_id"]) for row in database.content()["orders"]] == [
        ("appother", "o_1"), ("appother", "o_2"),
    ]  # fmt: skip


@on_one_server
def test_the_command(database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-csv", "--file", write(tmp_path, [line(1)])]) == 0
    assert "未写入" in capsys.readouterr().out
    assert main(["import-csv", "--file", str(tmp_path / "none.csv"), "--apply"]) == 1
    assert "error: FILE=" in capsys.readouterr().err
    assert orders(database) == {}

"""Cells and headings of old files: what is understood, what is refused, and what is never guessed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xiaoe.clock import parse_time
from xiaoe.csv_import import cells, columns
from xiaoe.csv_import.columns import REQUIRED, known_words, line_reader, read_header
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.merge import unconfirmed
from xiaoe.resources import orders
from xiaoe.rows.decode import RowError

HEADINGS = ["订单号", "用户ID", "下单时间", "实付金额", "订单状态"]
LINE = ["o_1", "u_1", "2024-03-01 10:00:00", "99.00", "支付成功"]


def typed(more: dict[str, str] | None = None, **fields: str) -> dict[str, Any]:
    """One line, as it is typed; `fields` replace cells, `more` adds some."""
    line = dict(zip(HEADINGS, LINE, strict=True)) | fields | (more or {})
    header = read_header("a.csv", list(line))
    return dict(zip(line_reader().columns, line_reader().row(header.raw(list(line.values()))), strict=True))


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("课程", "课程"), ("\t0012", "0012"), ("'=1+1", "=1+1"), ("'n Sync", "'n Sync"), ('="0012"', "0012"),
        ('="a""b"', 'a"b'), ("", None), ("  ", None), ("None", None), ("nan", None), ("--", None), (" 课程", " 课程"),
        ("NaT", None), ("<NA>", None), ("null", None), ("nullable", "nullable"),
    ],
)  # fmt: skip
def test_what_keeps_a_cell_a_text_is_taken_off(cell: str, found: str | None) -> None:
    assert cells.bare(cell) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("99", "99.00"), ("¥99.00", "99.00"), ("￥1,299.50", "1299.50"), ("99.9元", "99.90"), ("-5", "-5.00"),
        ("９９．００", "99.00"), ("", None), (None, None), ("0", "0.00"), ("1,234,567.89", "1234567.89"),
        ("99.30000000000001", "99.30"), ("0.30000000000000004", "0.30"), ("-19.989999999999998", "-19.99"),
    ],
)  # fmt: skip
def test_money_is_yuan(text: str | None, found: str | None) -> None:
    assert cells.money(text) == found


@pytest.mark.parametrize("text", ["99,5", "1,23", "12.345", "99块", "1e400", "NaN", "99.12345678901234"])
def test_money_is_never_guessed(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a|decimals|too large"):
        cells.money(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2024-03-01 10:00:00", "2024-03-01 10:00:00"), ("2024/3/1 9:05", "2024-03-01 09:05:00"),
        ("2024年3月1日 9:05:07", "2024-03-01 09:05:07"), ("2024-03-01T10:00:00", "2024-03-01 10:00:00"),
        ("2024.3.1 0:00", "2024-03-01 00:00:00"), ("2024-03-01 10:00:00.000", "2024-03-01 10:00:00"),
        ("0000-00-00 00:00:00", None), ("0000-00-00", None), ("-0001-11-30 00:00:00", None), ("--", None), (None, None),
        ("2024-03-01 10:00:00+08:00", "2024-03-01 10:00:00"),
    ],
)  # fmt: skip
def test_times_as_scripts_and_spreadsheets_write_them(text: str | None, found: str | None) -> None:
    assert cells.time(text) == found


@pytest.mark.parametrize(
    "text", ["2024-03-01", "2024-02-30 10:00:00", "03/01/2024 10:00", "1709258400", "2024-03-01T10:00:00Z", "45352.4"]
)
def test_a_time_that_could_mean_two_things_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"缺少时刻|not YYYY-MM-DD HH:MM:SS|no such date"):
        cells.time(text)


@pytest.mark.parametrize("text", ["4.20000E+27", "1e17", "1.23457E+17"])
def test_an_id_that_a_spreadsheet_shortened_is_refused(text: str) -> None:
    with pytest.raises(RowError, match=r"^transaction_id=.*删去这一列"):
        typed({"支付流水号": text})
    assert typed({"支付流水号": "4200001234202403011234567890"})["transaction_id"] == "4200001234202403011234567890"


@pytest.mark.parametrize("heading", ["订单号", "用户ID", "商品ID", "支付流水号", "收货人电话", "商品编码"])
def test_a_number_that_pandas_wrote_as_a_float_is_whole_again(heading: str) -> None:
    """A column with a gap is one of floats."""
    [column] = read_header("a.csv", [*HEADINGS, heading] if heading not in HEADINGS else HEADINGS).places.keys() & {
        name for name, headings in known_words().headings.items() if heading in headings
    }
    assert typed({heading: "13800138000.0"})[column] == "13800138000"
    assert typed({heading: "0013800138000.0"})[column] == "0013800138000.0", "no float begins like that"
    with pytest.raises(RowError, match="表格软件已把它截断为数字"):
        typed({heading: "1234567890123456.0"})
    with pytest.raises(RowError, match="表格软件已把它截断为数字"):
        typed({heading: "1.38001E+10"})


def test_other_texts_keep_their_points() -> None:
    assert typed({"商品名称": "2.0"})["title"] == "2.0"


@pytest.mark.parametrize(
    ("column", "word", "code"),
    [
        ("订单状态", "已退款", 3), ("订单状态", " 待付款 ", 0), ("订单状态", "10", 10), ("订单状态", "77", 77),
        ("商品类型", "课程（训练营pro）", 50), ("商品类型", "ai互动课", 45), ("发货状态", "待发货", 1),
        ("订单状态", "过期自动取消", 6), ("订单状态", "用户手动取消", 7), ("订单状态", "主动全部退款中", 8),
        ("订单状态", "主动全部退款失败", 9), ("订单状态", "主动全部退款成功", 10), ("订单状态", "发起过部分退款", 11),
        ("发货状态", "发起过部分发货", 4), ("发货状态", "禁止发货", 0), ("商品类型", "无资源(如团购)", 0),
        ("商品类型", "活动票", 9), ("商品类型", "付费活动票", 11), ("商品类型", "实体商品", 21),
        ("商品类型", "内容市场营销活动", 22), ("商品类型", "面授课", 29), ("商品类型", "班课", 31),
        ("商品类型", "班课(重复?)", 35), ("商品类型", "班课（重复？）", 35), ("客户端类型", "管理台导入", 30),
        ("售后状态", "待打款", 5), ("销售状态", "部分退款", 1),
    ],
)  # fmt: skip
def test_words_become_codes(column: str, word: str, code: int) -> None:
    row = typed({column: word})
    name = {
        "订单状态": "order_state", "商品类型": "resource_type", "发货状态": "ship_state", "客户端类型": "client_type",
        "售后状态": "after_sales_state", "销售状态": "sales_state",
    }[column]  # fmt: skip
    assert row[name] == code
    assert row[f"{name}_text"] == orders.CODE_TEXTS[name].get(code)


@pytest.mark.parametrize(
    ("cell", "codes", "text"),
    [
        ("2,8", "2,8", "普通,优惠券"), ("[2, '8']", "2,8", "普通,优惠券"), ("普通、优惠券", "2,8", "普通,优惠券"),
        ("管理台导入", "70", "管理台导入"), ("98", "98", None), ("", None, None), ("[]", "", None),
    ],
)  # fmt: skip
def test_an_order_may_have_several_types(cell: str, codes: str | None, text: str | None) -> None:
    row = typed({"订单类型": cell})
    assert (row["order_type"], row["order_type_text"]) == (codes, text)


@pytest.mark.parametrize(
    ("heading", "column", "cell", "value"),
    [
        ("收货人详细地址", "receiver_detail", "京海路 1 号", "京海路 1 号"), ("支付方式码", "pay_way", "1", 1),
        ("客户端类型码", "client_type", "30", 30), ("收款途径码", "collection_way", "2", 2),
        ("售后状态码", "after_sales_state", "4", 4), ("拼团状态码", "team_buy_state", "0", 0),
        ("分销状态码", "sales_state", "-1", -1), ("系统信息", "system_info", "h5", "h5"),
    ],
)  # fmt: skip
def test_headings_of_scripts_of_this_kind(heading: str, column: str, cell: str, value: Any) -> None:
    assert typed({heading: cell})[column] == value


def test_a_word_that_could_mean_two_codes_is_refused_with_what_is_known() -> None:
    with pytest.raises(RowError, match="order_state='已关闭': not a number；应为代码，或 未支付、"):
        typed(订单状态="已关闭")


def test_a_code_comes_before_its_text_and_an_empty_cell_before_nothing() -> None:
    assert typed({"订单状态": "支付成功", "订单状态代码": "10"})["order_state"] == 10
    assert typed({"订单状态": "支付成功", "订单状态代码": ""})["order_state"] == 1


def test_units_behind_a_heading() -> None:
    assert typed({"退款金额（元）": "98.5"})["refund_money"] == "98.50"
    assert typed({"退款金额(分)": "9850", "优惠券抵扣金额（分）": "1"})["refund_money"] == "98.50"
    assert typed({"优惠券抵扣金额（分）": "1"})["coupon_price"] == "0.01"
    with pytest.raises(RowError, match="more than two decimals"):
        typed({"退款金额（分）": "98.5"})
    assert read_header("a.csv", [*HEADINGS, "下单时间（UTC）", "数量（元）"]).unknown == [
        "下单时间（UTC）",
        "数量（元）",
    ]
    assert (
        read_header("a.csv", ["订单号", "用户ID", "下单时间（北京时间）", "实付金额（元）", " 订单 状态 "]).unknown
        == []
    )


def test_a_refund_in_fen_under_a_heading_without_a_unit_is_found_out() -> None:
    with pytest.raises(RowError, match=r"refund_money='9900\.00': 大于实付金额.*退款金额（分）"):
        typed({"退款金额": "9900"})
    assert typed({"退款金额": "99"})["refund_money"] == "99.00"


def test_missing_columns_are_named_with_what_they_may_be_called() -> None:
    with pytest.raises(XiaoeConfigError) as refused:
        read_header("a.csv", ["单号", "用户ID", "下单时间", "商品金额"])
    assert "order_id: 订单ID、订单号、订单编号; price: 实付金额、" in str(refused.value)
    assert "The file's headings are 单号、用户ID、下单时间、商品金额" in str(refused.value)
    assert "created_time" not in str(refused.value)


def test_a_line_with_another_number_of_cells_is_refused_and_keeps_them() -> None:
    header = read_header("a.csv", HEADINGS)
    raw = header.raw([*LINE, "多"])
    with pytest.raises(RowError, match="格数与表头不同"):
        line_reader().row(raw)
    assert msgspec.json.decode(line_reader().kept(raw))["cells"] == [*LINE, "多"]
    assert line_reader().key(raw) == "o_1"


def test_cells_without_a_name_are_not_kept_where_personal_data_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_PERSONAL_DATA", "orders.receiver_phone=masked")
    reader = line_reader.__wrapped__()
    header = read_header("a.csv", [*HEADINGS, "收货人电话"])
    assert b"13800138000" not in reader.kept(header.raw(["13800138000"]))
    phone = reader.columns.index("receiver_phone")
    assert reader.row(header.raw([*LINE, "13800138000"]))[phone] == "138****8000"


def test_an_equal_order_has_the_hash_of_the_apis() -> None:
    from xiaoe.resources.orders import ORDERS
    from xiaoe.rows.decode import row_hash

    line = typed({"退款金额": "98.50", "数量": "2"})
    raw = {
        "order_id": "o_1",
        "user_id": "u_1",
        "created_time": LINE[2],
        "price": 99,
        "order_state": "1",
        "refund_money": 9850,
        "count": 2,
    }
    assert row_hash(tuple(line.values())) == row_hash(ORDERS.reader.row(msgspec.json.encode(raw)))


def test_the_words_of_the_repository() -> None:
    words = known_words()
    assert words.headings.keys() == {"shop_id", *orders.MAPPING}
    assert set(REQUIRED) < words.headings.keys()
    names = Counter(cells.plain(name) for several in words.headings.values() for name in several)
    assert [name for name, times in names.items() if times > 1] == []
    for column, codes in words.words.items():
        assert set(codes.values()) <= orders.CODE_TEXTS[column].keys()


@pytest.mark.parametrize("text", ["headings: {order_nr: [单号]}\nwords: {}", "headings: [1]", "a: ["])
def test_a_file_of_words_that_is_wrong_is_named(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "old_csv.yaml"
    file.write_text(text, "utf-8")
    monkeypatch.setattr(columns, "WORDS_FILE", file)
    with pytest.raises(XiaoeConfigError, match=r"old_csv.yaml: "):
        known_words.__wrapped__()


def test_a_file_is_older_than_any_look_at_the_api_and_older_than_a_newer_file() -> None:
    moments = ["1999-01-01", "2024-03-01 10:00:00", "2024-03-01 10:00:01", "2026-11-22", "9999-12-31"]
    seen = [unconfirmed.observed_at(parse_time("", moment)) for moment in moments]
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen)
    assert f"{seen[0]:%F}" == "1970-01-02"
    assert f"{seen[-1]:%F}" < unconfirmed.BEFORE
    assert all(moment.microsecond % 1000 == 0 for moment in seen)

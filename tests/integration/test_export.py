"""`make export`: the tables as people get them who live in Excel."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import openpyxl
import pytest

from support.worlds.marts import merge, merge_users, refresh, sales
from support.worlds.shop import Database
from xiaoe.cli import main
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.exports.files import export_of, export_table
from xiaoe.exports.sheets import SheetColumn
from xiaoe.exports.tables import SOURCES, Export, count_rows, read_table
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.rows.codes import texts

pytestmark = pytest.mark.mysql

SEEN = datetime(2026, 7, 31)
ORDERS = """
shop | order | buyer | product | type | created        | paid           | price  | state | refunded       | back
appA | a01   | ua    | p1      | 视频 | 03-01 10:00:00 | 03-01 10:01:00 | 100.00 | 1     | -              | -
appA | =1+1  | ua    | p1      | 视频 | 03-02 00:00:00 | -              | 9.90   | 0     | -              | -
appA | a03   | ub    | p2      | 图文 | 03-03 00:00:00 | 03-03 00:00:00 | 50.00  | 10    | 03-05 12:00:00 | 50.00
"""


@pytest.fixture
def session(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("XIAOE_EXPORT_DIR", f"file://{tmp_path}")
    with Warehouse().session() as session:
        merge(session, sales(ORDERS), SEEN)
        yield session


def exported(name: str, begin: str | None = None, end: str | None = None, kind: str = "csv", **options: Any) -> str:
    """The path of the file."""
    return export_table(export_of(name, begin, end, **options), kind).address.removeprefix("file://")


def csv_rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_orders_of_some_days_as_csv(session: Session) -> None:
    path = exported("orders", "2026-03-02", "2026-03-03")
    assert path.endswith("/订单-20260302.csv")
    assert Path(path).read_bytes().startswith("\ufeff店铺ID,订单ID".encode())
    [row] = csv_rows(path)
    assert (row["订单ID"], row["商品类型"], row["实付金额（元）"], row["下单时间"], row["支付时间"]) == (
        "'=1+1", "视频", "9.90", "2026-03-02 00:00:00", "",
    )  # fmt: skip
    assert not [name for name in row if "哈希" in name or "批次" in name]


@pytest.mark.parametrize(
    ("begin", "end", "span"),
    [
        (None, None, "全部"),
        ("2026-11-01", "2026-12-01", "20261101至20261130"),
        ("2026-11-01", "2026-11-02", "20261101"),
        ("2026-11-01", None, "自20261101"),
        (None, "2026-12-01", "至20261130"),
        ("2026-11-01 08:00:00", "2026-11-01 12:00:00", "20261101T080000至20261101T115959"),
        ("2026-11-01", "2026-11-01 00:00:01", "20261101至20261101T000000"),
        ("2026-11-01 00:00:01", "2026-12-01", "20261101T000001至20261130"),
    ],
)
def test_the_name_of_a_file_tells_the_last_day_in_it(
    session: Session, begin: str | None, end: str | None, span: str
) -> None:
    assert Path(exported("orders", begin, end)).name == f"订单-{span}.csv"
    assert Path(exported("orders", begin, end, with_personal=False)).name == f"订单-{span}-不含个人信息.csv"


def test_orders_as_xlsx(session: Session) -> None:
    path = exported("orders", kind="xlsx")
    book = openpyxl.load_workbook(path)
    head, *rows = book["订单"].iter_rows()
    cells = [dict(zip([cell.value for cell in head], row, strict=True)) for row in rows]
    assert [row["订单ID"].value for row in cells] == ["=1+1", "a01", "a03"]
    assert [(cell.data_type, cell.quotePrefix) for cell in (cells[0]["订单ID"], cells[1]["订单ID"])] == [
        ("s", True), ("s", False),
    ]  # fmt: skip
    refunded = cells[2]["退款金额（元）"]
    assert (refunded.value, refunded.number_format) == (50, "¥#,##0.00")
    assert cells[2]["退款时间"].value == datetime(2026, 3, 5, 12)


def test_daily_sales_and_money_of_an_unknown_unit(session: Session) -> None:
    merge_users(session, "appA", {"ua": "微信"}, SEEN)
    session.execute("UPDATE users SET pay_sum = 12.3456, registered_at = '2026-01-01'")
    session.commit()
    refresh("appA", datetime(2026, 8, 1))
    rows = csv_rows(exported("daily_sales", "2026-03-03"))
    assert [(row["日期"], row["渠道（买家来源）"], row["实收金额（元）"]) for row in rows] == [
        ("2026-03-03", "未知", "50.00"), ("2026-03-05", "未知", "0.00"),
    ]  # fmt: skip
    [user] = csv_rows(exported("users"))
    assert (user["来源渠道"], user["累计消费"]) == ("微信", "12.3456")


@pytest.mark.parametrize("with_codes", [False, True])
@pytest.mark.parametrize("name", SOURCES)
def test_every_table_has_headings_that_differ_in_chinese_and_in_beijing_time(
    session: Session, name: str, with_codes: bool
) -> None:
    path = exported(name, with_codes=with_codes)
    with Path(path).open(encoding="utf-8-sig") as file:
        [head, *_] = csv.reader(file)
    assert len(head) == len(set(head)) > 5
    assert not [one for one in head if (one.isascii() and one != "SPU ID") or "UTC" in one]
    has_codes = name in (
        "orders", "order_items", "refunds", "products", "live_streams", "learning_progress", "promoter_customers",
        "order_promoters",
    )  # fmt: skip
    assert any("代码" in one for one in head) == (with_codes and has_codes)


def test_lines_of_orders_have_the_day_and_the_type_in_words(session: Session) -> None:
    rows = csv_rows(exported("order_items", "2026-03-01", "2026-03-02"))
    assert [(row["订单ID"], row["行号"], row["商品ID"], row["商品类型"], row["该行实付金额（元）"], row["下单时间"])
            for row in rows] == [("a01", "1", "p1", "视频", "100.00", "2026-03-01 10:00:00")]  # fmt: skip
    assert len(csv_rows(exported("order_items"))) == 3


def test_changes_of_orders_are_in_words_and_in_beijing_time(session: Session) -> None:
    session.insert_many(
        "INSERT INTO order_state_log (shop_id, order_id, field, old_value, new_value, observed_at, batch_id)"
        " VALUES ('appA', 'a03', %s, %s, %s, '2026-03-05 16:00:00', 'b')",
        [("order_state", "1", "10"), ("ship_state", None, "77"), ("refund_money", "0.00", "50.00"),
         ("refund_time", None, "2026-03-05 12:00:00"), ("order_state", "99", None)],
    )  # fmt: skip
    session.commit()
    state = "订单状态"
    found = [list(row.values())[2:] for row in csv_rows(exported("order_state_log", "2026-03-06", "2026-03-07"))]
    paid, refunded = (texts("order_state")[code] for code in (1, 10))
    assert found == [
        [state, paid, refunded, "2026-03-06 00:00:00"],
        ["发货状态", "", "\t77", "2026-03-06 00:00:00"],
        ["退款金额（元）", "\t0.00", "\t50.00", "2026-03-06 00:00:00"],
        ["退款时间", "", "\t2026-03-05 12:00:00", "2026-03-06 00:00:00"],
        [state, "\t99", "", "2026-03-06 00:00:00"],
    ]
    assert csv_rows(exported("order_state_log", "2026-03-05", "2026-03-06")) == []
    assert csv_rows(exported("order_state_log", with_codes=True))[0]["变化前的值"] == "\t1"


def test_products_have_names_beside_their_ids(session: Session) -> None:
    session.execute(
        "INSERT INTO products (shop_id, resource_id, name, row_hash, raw_hash, observed_at, batch_id)"
        " VALUES ('appA', 'p1', '三天精通', 1, 1, '2026-07-31', 'b')"
    )
    session.commit()
    refresh("appA", datetime(2026, 8, 1))
    named = {row["商品ID"]: row["商品名称"] for row in csv_rows(exported("daily_products"))}
    assert named == {"p1": "三天精通", "p2": "p2"}, "one that is not known is called by its id"


def test_a_decision_names_the_product_and_the_amount_and_its_time_is_beijing_s(session: Session) -> None:
    session.execute(
        "INSERT INTO benefit_decisions"
        " (shop_id, order_id, decision, decision_text, reason, basis, policy_id, decided_at)"
        " VALUES ('appA', 'a01', 'grant', '发放', 'r', 'b', 1, '2026-03-31 16:00:00.000')"
    )
    session.execute("UPDATE orders SET title = '三天精通' WHERE order_id = 'a01'")
    session.commit()
    [row] = csv_rows(exported("benefit_decisions"))
    assert (row["判定"], row["商品名称"], row["实付金额（元）"], row["得出该判定的时间"]) == (
        "发放", "三天精通", "100.00", "2026-04-01 00:00:00",
    )  # fmt: skip


def test_without_personal_data_no_column_says_who_somebody_is(session: Session) -> None:
    merge_users(session, "appA", {"ua": "微信"}, SEEN)
    session.execute("UPDATE users SET nickname = '张三', phone = '13800138000', collect_phone = '13800138001'")
    session.execute(
        "UPDATE orders SET receiver_name = '张三', receiver_phone = '13800138000', receiver_detail = '北京'"
    )
    session.commit()
    for name in SOURCES:
        text = Path(exported(name, with_personal=False)).read_text("utf-8-sig")
        assert not re.search("张三|1380013800|北京", text), name
    with_names = csv_rows(exported("users"))[0]
    assert (with_names["昵称"], with_names["绑定手机号"]) == ("张三", "\t13800138000")
    without = csv_rows(exported("users", with_personal=False))[0]
    assert without.keys() < with_names.keys()


def test_codes_are_left_out_unless_asked_for(session: Session) -> None:
    plain, coded = (csv_rows(exported("orders", with_codes=wanted))[0] for wanted in (False, True))
    assert plain.keys() < coded.keys()
    assert {name for name in coded if "代码" in name} == coded.keys() - plain.keys() - {"无法解析的列"}
    assert (plain["订单状态"], coded["订单状态代码"]) == (coded["订单状态"], "0")


def test_headings_are_whole_and_counts_have_separators(session: Session) -> None:
    session.execute("UPDATE orders SET quantity = 1234567")
    session.commit()
    sheet = openpyxl.load_workbook(exported("orders", kind="xlsx"))["订单"]
    for cell in sheet[1]:
        wide = sum(2 if ord(sign) > 0x2000 else 1 for sign in cell.value)
        assert sheet.column_dimensions[cell.column_letter].width >= wide + 3, cell.value
    places = {cell.value: number for number, cell in enumerate(sheet[1])}
    quantity = sheet[2][places["购买数量"]]
    assert (quantity.value, quantity.number_format) == (1234567, "#,##0")
    absent = SheetColumn("接口不再返回该订单的时间", "time", 20)
    assert absent.shown_width == 27


def test_each_export_is_recorded(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "wangfang")
    monkeypatch.setattr("xiaoe.clock.now", lambda: datetime(2026, 8, 1, 8, tzinfo=BEIJING))
    exported("orders", "2026-03-02", None, "xlsx", with_personal=False)
    exported("daily_sales")
    first, second = session.query(
        "SELECT exported_at, exported_by, place, content, begin_at, end_at, has_personal, kind, row_count"
        " FROM export_log ORDER BY id"
    )
    at = datetime(2026, 8, 1)
    assert first == (at, "wangfang", "command", "orders", datetime(2026, 3, 2), None, 0, "xlsx", 2)
    assert second == (at, "wangfang", "command", "daily_sales", None, None, 1, "csv", 0)


def test_rows_are_counted_as_they_are_exported(session: Session) -> None:
    for name in SOURCES:
        export = Export(name, datetime(2026, 3, 2), datetime(2026, 3, 4))
        assert count_rows(session, export) == len(list(read_table(session, export).rows))


@pytest.mark.parametrize(
    ("arguments", "chinese", "english"),
    [
        (
            ("order", None, None),
            "TABLE='order'：请给出 orders, order_items",
            "TABLE='order': give one of orders, order",
        ),
        (("orders", "03-01", None), "FROM='03-01'：请写北京日期", "FROM='03-01': give a date like"),
        (("orders", "2026-03-02", "2026-03-02"), "FROM 必须早于 TO", "FROM must be before TO"),
    ],
)
def test_what_is_wrong_is_named_in_the_language_asked_for(
    arguments: tuple[str, str, str], chinese: str, english: str
) -> None:
    for language, said in (("zh", chinese), ("en", english)):
        with pytest.raises(XiaoeConfigError, match=said):
            export_of(*arguments, language=language)


def test_the_command_speaks_chinese_or_english_and_nothing_of_python(
    session: Session, capfd: pytest.CaptureFixture[str]
) -> None:
    with mock.patch.dict(os.environ):  # the command sets an Airflow home
        assert main(["export", "--table", "orders", "--format", "csv"]) == 0
        out, err = capfd.readouterr()
        assert re.fullmatch(r"已导出 3 行：file:///.*/订单-全部.csv\n", out)
        assert main(["export", "--table", "orders", "--lang", "en", "--no-personal", "--codes"]) == 0
        assert re.fullmatch(r"wrote 3 rows: file:///.*/订单-全部-不含个人信息.xlsx\n", capfd.readouterr().out)
        assert main(["export", "--table", "order"]) == main(["export", "--table", "order", "--lang", "en"]) == 1
        assert capfd.readouterr().err.splitlines() == [
            f"错误：TABLE='order'：请给出 {', '.join(SOURCES)} 中的一个",
            f"error: TABLE='order': give one of {', '.join(SOURCES)}",
        ]
        assert err == ""


def test_an_exact_amount_stays_exact(session: Session) -> None:
    session.execute("UPDATE orders SET price = %s WHERE order_id = 'a01'", (Decimal("9999999999.99"),))
    session.commit()
    assert csv_rows(exported("orders", "2026-03-01", "2026-03-02"))[0]["实付金额（元）"] == "9999999999.99"

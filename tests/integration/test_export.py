"""`make export`: the tables as people get them who live in Excel."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from support.worlds.marts import merge, merge_users, refresh, sales
from support.worlds.shop import Database
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.exports.tables import SOURCES, export_table
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

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


def csv_rows(path: str) -> list[dict[str, str]]:
    with Path(path.removeprefix("file://")).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_orders_of_some_days_as_csv(session: Session) -> None:
    path = export_table("orders", "2026-03-02", "2026-03-03", "csv")
    assert path.endswith("/订单-自20260302-至20260303.csv")
    assert Path(path.removeprefix("file://")).read_bytes().startswith("\ufeff店铺ID,订单ID".encode())
    [row] = csv_rows(path)
    assert (row["订单ID"], row["商品类型"], row["实付金额（元）"], row["下单时间"], row["支付时间"]) == (
        "'=1+1", "视频", "9.90", "2026-03-02 00:00:00", "",
    )  # fmt: skip
    assert not [name for name in row if "哈希" in name or "批次" in name]


def test_every_span_has_a_file_of_its_own(session: Session) -> None:
    spans = [
        (None, None), ("2026-03-02", None), (None, "2026-03-02"),
        ("2026-03-02 08:00:00", "2026-03-02 12:00:00"), ("2026-03-02 12:00:00", "2026-03-02 18:00:00"),
    ]  # fmt: skip
    assert len({export_table("orders", *span, "csv") for span in spans}) == len(spans)


def test_orders_as_xlsx(session: Session) -> None:
    path = export_table("orders", None, None, "xlsx")
    book = openpyxl.load_workbook(path.removeprefix("file://"))
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
    rows = csv_rows(export_table("daily_sales", "2026-03-03", None, "csv"))
    assert [(row["日期"], row["渠道（买家来源）"], row["实收金额（元）"]) for row in rows] == [
        ("2026-03-03", "未知", "50.00"), ("2026-03-05", "未知", "0.00"),
    ]  # fmt: skip
    [user] = csv_rows(export_table("users", None, None, "csv"))
    assert (user["来源渠道"], user["累计消费"]) == ("微信", "12.3456")


def test_every_table_has_headings_that_differ(session: Session) -> None:
    for name in SOURCES:
        path = export_table(name, None, None, "csv")
        with Path(path.removeprefix("file://")).open(encoding="utf-8-sig") as file:
            [head, *_] = csv.reader(file)
        assert len(head) == len(set(head)) > 5
        assert not [one for one in head if one.isascii() and one != "SPU ID"], name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("order", None, None), "TABLE='order': give one of orders, refunds"),
        (("orders", "03-01", None), "FROM"),
        (("orders", "2026-03-02", "2026-03-02"), "FROM must be before TO"),
    ],
)
def test_what_is_wrong_is_named(session: Session, arguments: tuple[str, str, str], said: str) -> None:
    with pytest.raises(XiaoeConfigError, match=said):
        export_table(*arguments, "csv")


def test_an_exact_amount_stays_exact(session: Session) -> None:
    session.execute("UPDATE orders SET price = %s WHERE order_id = 'a01'", (Decimal("9999999999.99"),))
    session.commit()
    assert csv_rows(export_table("orders", "2026-03-01", "2026-03-02", "csv"))[0]["实付金额（元）"] == "9999999999.99"

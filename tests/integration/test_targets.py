"""`make import-targets`: what staff write into the workbook is stored whole or not at all, and compared by the view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from support.fixtures import servers
from support.worlds.marts import Sale, merge, refresh
from support.worlds.shop import Database
from xiaoe import clock
from xiaoe.api import shop_names
from xiaoe.cli import main
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.targets import command
from xiaoe.targets.command import import_targets, make_template
from xiaoe.targets.metrics import METRICS

pytestmark = pytest.mark.mysql
on_one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
"""What rests on the file and on no server's SQL."""

A, B, C = "appA", "appB", "appC"
NOW = datetime(2026, 6, 11, 9, tzinfo=BEIJING)
HEAD = ["月份", "店铺", "指标", "目标值"]
GOOD = ["2026-06", "琴行", "实收", 1000]


@pytest.fixture(autouse=True)
def session(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Session]:
    """Three shops, two of which have the same name."""
    monkeypatch.setattr(command, "now", lambda: NOW)
    monkeypatch.setenv("XIAOE_EXPORT_DIR", f"file://{tmp_path}/exports")
    with Warehouse().session() as session:
        for shop_id, name in ((A, "琴行"), (B, "书店"), (C, "书店")):
            shop_names.remember(session, shop_id, name, f"xiaoe_{shop_id}")
        session.commit()
        yield session


def workbook(folder: Path, rows: Sequence[Sequence[Any]], head: Sequence[str] = HEAD) -> str:
    book = openpyxl.Workbook()
    for row in (head, *rows):
        book.active.append(list(row))
    path = folder / "targets.xlsx"
    book.save(path)
    return str(path)


def held(database: Database) -> list[tuple[Any, ...]]:
    rows = database.rows("SELECT shop_id, month, metric, value FROM targets ORDER BY shop_id, month, metric")
    return [(row["shop_id"], f"{row['month']:%Y-%m-%d}", row["metric"], float(row["value"])) for row in rows]


# --- what comes in -------------------------------------------------------------------------------------


def test_shown_first_and_written_when_somebody_says_so(database: Database, tmp_path: Path) -> None:
    rows = [
        GOOD,
        [datetime(2026, 6, 1), "书店（appB）", "支付订单数", "1,200"],
        ["2026年7月", "appC", "净收入", "¥99.50"],
        ["2026-07", "appC", "新客", None],
    ]
    file = workbook(tmp_path, rows)
    told = import_targets(file, apply=False)
    assert told.splitlines() == [
        f"{file}：3 个目标，2026 年 6 月至 2026 年 7 月",
        "新增 3 个，更新 0 个，不变 0 个，取消 0 个",
        "目标值为空的 1 行略去",
        f"未写入。写入：make import-targets FILE={file} APPLY=1",
    ]
    assert held(database) == []
    assert import_targets(file, apply=True).splitlines()[-1] == "已写入"
    assert held(database) == [
        (A, "2026-06-01", "paid_amount", 1000.0),
        (B, "2026-06-01", "orders_paid", 1200.0),
        (C, "2026-07-01", "net_amount", 99.5),
    ]


def test_imported_again_it_replaces_and_0_takes_away(database: Database, tmp_path: Path) -> None:
    other, new = ["2026-06", "琴行", "新客", 7], ["2026-06", B, "实收", 5]
    import_targets(workbook(tmp_path, [GOOD, other, new]), apply=True)
    rows = [["2026-06", "琴行", "实收", 2000], other, ["2026-06", B, "实收", 0], ["2026-08", A, "实收", 0]]
    told = import_targets(workbook(tmp_path, rows), apply=True)
    assert told.splitlines()[1] == "新增 0 个，更新 1 个，不变 2 个，取消 1 个"
    assert held(database) == [(A, "2026-06-01", "new_buyers", 7.0), (A, "2026-06-01", "paid_amount", 2000.0)]


@on_one_server
@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (0, "六月", "A3（月份）=六月：应为月份，如 2026-12"),
        (0, "2026-13", "A3（月份）=2026-13：应为月份，如 2026-12"),
        (0, datetime(2026, 6, 2), "A3（月份）=2026-06-02 00:00:00：应为月份，如 2026-12"),
        (0, None, "A3（月份）=空：应为月份，如 2026-12"),
        (1, "琴房", "B3（店铺）=琴房：没有这个店铺；应为店铺名称或店铺ID：琴行（appA）、书店（appB）、书店（appC）"),
        (1, "书店", "B3（店铺）=书店：没有这个店铺"),
        (2, "销售额", "C3（指标）=销售额：应为 实收、净收入、支付订单数、新客 之一"),
        (3, "50万", "D3（目标值）=50万：应为金额（元），如 500000；不要写 万 等单位"),
        (3, -1, "D3（目标值）=-1：应为金额（元），如 500000；不能小于 0"),
        (3, 10**10, "D3（目标值）=10000000000：应为金额（元），如 500000"),
        (3, "=1+1", "D3（目标值）=#NOT_COMPUTED!：公式还没有计算过"),
        (3, "#DIV/0!", "D3（目标值）"),
    ],
)
def test_a_wrong_cell_is_named_and_nothing_is_written(
    database: Database, tmp_path: Path, place: int, value: Any, complaint: str
) -> None:
    wrong: list[Any] = ["2026-07", "琴行", "净收入", 5]
    wrong[place] = value
    with pytest.raises(XiaoeConfigError) as raised:
        import_targets(workbook(tmp_path, [GOOD, wrong]), apply=True)
    assert "未写入任何目标" in str(raised.value)
    assert complaint in str(raised.value)
    assert held(database) == []


@on_one_server
def test_every_wrong_cell_is_named_at_once(database: Database, tmp_path: Path) -> None:
    rows = [["x", "琴行", "实收", 1], ["2026-06", "琴行", "支付订单数", 1.5], GOOD, GOOD]
    with pytest.raises(XiaoeConfigError) as raised:
        import_targets(workbook(tmp_path, rows), apply=True)
    assert str(raised.value).splitlines()[1:] == [
        "A2（月份）=x：应为月份，如 2026-12",
        "D3（目标值）=1.5：应为整数，如 1200",
        "D5（目标值）=1000：同一店铺、月份、指标在 D4 已有目标；只留一行",
    ]
    with pytest.raises(XiaoeConfigError, match="…… 另有 5 处"):
        import_targets(workbook(tmp_path, [["x", "琴行", "实收", 1]] * 25), apply=True)
    assert held(database) == []


@on_one_server
@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        (["月份", "店铺", "指标", "数值"], "缺少列 目标值；表头应为 月份、店铺、指标、目标值，文件里是 月份"),
        (["月份", "店铺", "目标", "目标值"], "表头 目标值 与 目标 指同一列"),
    ],
)
def test_a_wrong_heading_is_named(database: Database, tmp_path: Path, head: list[str], complaint: str) -> None:
    with pytest.raises(XiaoeConfigError, match=complaint):
        import_targets(workbook(tmp_path, [GOOD], head), apply=True)
    assert held(database) == []


@on_one_server
def test_what_is_no_workbook_is_named(database: Database, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "broken.xlsx").write_text("x")
    for name, complaint in (("empty.csv", "是空的"), ("broken.xlsx", "cannot be read as .xlsx"), ("no.csv", "No such")):
        with pytest.raises(XiaoeConfigError, match=complaint):
            import_targets(str(tmp_path / name), apply=True)
    assert held(database) == []


# --- the template --------------------------------------------------------------------------------------


@on_one_server
def test_the_template_has_every_shop_and_what_is_set_and_comes_back_as_it_is(
    database: Database, tmp_path: Path
) -> None:
    import_targets(workbook(tmp_path, [GOOD]), apply=True)
    place = make_template(None)
    assert place.endswith("/exports/目标-2026-06.xlsx")
    head, *rows = openpyxl.load_workbook(place.removeprefix("file://"))["目标"].iter_rows(values_only=True)
    assert list(head) == HEAD
    assert len(rows) == 2 * 3 * len(METRICS)
    assert {row[:2] for row in rows} == {
        (month, shop) for month in ("2026-06", "2026-07") for shop in ("琴行", "书店（appB）", "书店（appC）")
    }
    assert [row for row in rows if row[3] is not None] == [("2026-06", "琴行", "实收", 1000)]
    told = import_targets(place.removeprefix("file://"), apply=True)
    assert told.splitlines()[1] == "新增 0 个，更新 0 个，不变 1 个，取消 0 个"
    with pytest.raises(XiaoeConfigError, match=r"目标-2026-06\.xlsx 已存在"):
        make_template(None)


@on_one_server
def test_the_command_line_writes_the_template_or_imports(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.xlsx"
    assert main(["import-targets", "--template", str(file)]) == 0
    assert "mine.xlsx：填好目标值后 make import-targets FILE=…" in capsys.readouterr().out
    book = openpyxl.load_workbook(file)
    book["目标"]["D2"] = 30
    book.save(file)
    assert main(["import-targets", "--file", str(file)]) == 0
    assert held(database) == []
    assert main(["import-targets", "--file", str(file), "--apply"]) == 0
    assert len(held(database)) == 1
    book["目标"]["B2"] = "没有的店"
    book.save(file)
    assert main(["import-targets", "--file", str(file), "--apply"]) == 1
    assert "B2（店铺）=没有的店" in capsys.readouterr().err
    assert len(held(database)) == 1


# --- what has become of them ---------------------------------------------------------------------------


def test_how_far_targets_are_reached(database: Database, session: Session, tmp_path: Path) -> None:
    """A month that is over, this one, the next; the share of days is of Beijing's calendar today."""
    today = clock.now().date()
    this = today.replace(day=1)
    past, coming = (this - timedelta(days=40)).replace(day=1), (this + timedelta(days=31)).replace(day=1)
    before = past + timedelta(days=2)
    moment = datetime.combine(before, datetime.min.time())
    paid = Sale(A, "a1", "ua", "p1", "视频", 3, moment, moment, Decimal(100), 1, None, None)
    found = [
        paid,
        replace(paid, order_id="a2", price=Decimal(50)),
        replace(paid, order_id="a3", user_id="ub", price=Decimal(50), order_state=10, refund_money=Decimal(50),
                refund_time=moment),
    ]  # fmt: skip
    merge(session, found, datetime(2026, 1, 1))
    refresh(A, datetime.combine(today, datetime.min.time()))
    rows = [
        [f"{month:%Y-%m}", A, one.text, 400 if code == "paid_amount" else 2]
        for month in (past, this, coming)
        for code, one in METRICS.items()
    ]
    import_targets(workbook(tmp_path, rows), apply=True)
    view = database.rows("SELECT * FROM bi_targets ORDER BY month, metric")
    assert [row["metric_text"] for row in view[:4]] == ["净收入", "新客", "支付订单数", "实收"]
    assert {row["shop_name"] for row in view} == {"琴行"}
    figures = [(row["target"], row["actual"], row["attained"], row["gap"]) for row in view[:4]]
    assert figures == [
        (2, Decimal("150.00"), 75, 0), (2, 2, 1, 0), (2, 3, Decimal("1.5"), 0),
        (400, Decimal("200.00"), Decimal("0.5"), Decimal("200.00")),
    ]  # fmt: skip
    assert {(row["actual"], row["attained"], row["gap"] == row["target"]) for row in view[4:]} == {(0, 0, True)}
    shares = {row["month"]: (row["days_over"], float(row["time_share"])) for row in view}
    days = (coming - this).days
    assert shares == {
        past: (((past + timedelta(days=31)).replace(day=1) - past).days, 1.0),
        this: (today.day - 1, round((today.day - 1) / days, 4)),
        coming: (0, 0.0),
    }

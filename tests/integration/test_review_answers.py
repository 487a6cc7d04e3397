"""Answers filled in on the daily report's sheet 人工复核 and taken back: all of them, or none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from support.faults.processes import KillSwitch, killed_everywhere
from support.oracles import benefits
from support.oracles.benefits import (
    BY_HAND,
    DAY,
    HOUR,
    Answer,
    Order,
    Rule,
    Shop,
    basis,
    decide,
    decisions,
    disagreements,
    generated,
    log_of,
    utc,
)
from support.worlds.shop import APP_ID, Database
from xiaoe import clock
from xiaoe.benefits import answer_sheet, report
from xiaoe.benefits.answer_sheet import import_reviews
from xiaoe.cli import main
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql

MADE = datetime(2026, 11, 1, 10)
NOW = (MADE + 16 * DAY).replace(tzinfo=BEIJING)
RULE = Rule()
STORED = ("benefit_reviews", "benefit_postponements", "benefit_queue", "benefit_decisions", "benefit_decision_log")
"""At most one row of a shop and an order in each but the log, which begins with its number."""


@pytest.fixture
def session(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    with Warehouse().session() as session:
        yield session


@pytest.fixture
def shop(session: Session, database: Database) -> Shop:
    """Ten orders in review, o_0 to o_9, and one that is granted."""
    shop = Shop({f"o_{number}": order(f"o_{number}") for number in range(10)})
    shop.orders["o_granted"] = order("o_granted", order_state=1, refund_money=None, refund_time=None)
    shop.looks = [benefits.Look(MADE - DAY, MADE + DAY, utc(MADE + 15 * DAY))]
    shop.save(session)
    shop.save_looks(session)
    assert decide(NOW) == {"review": 10, "grant": 1}
    return shop


def order(name: str, **facts: Any) -> Order:
    partly = {"order_state": 11, "refund_money": Decimal(5), "refund_time": MADE + DAY}
    return Order(**{"order_id": name, "created_time": MADE, "observed_at": utc(MADE + HOUR), **partly, **facts})


def daily_report(session: Session, folder: Path) -> Path:
    """What staff get by mail."""
    session.rollback()
    said = report.export_day(session, APP_ID, NOW.date(), folder, NOW)
    return Path(said["files"][1].removeprefix("file://"))


Cells = dict[str, dict[str, Any]]


def fill(path: Path, answers: dict[str, str], change: Callable[[Cells], None] = lambda _: None) -> str:
    """Fill in the column 答复 for some orders; `change` may change any cell (order → column → cell)."""
    book = openpyxl.load_workbook(path)
    head, *rows = book["人工复核"].iter_rows()
    places = [cell.value for cell in head]
    cells: Cells = {row[places.index("订单ID")].value: dict(zip(places, row, strict=True)) for row in rows}
    for name, word in answers.items():
        cells[name]["答复"].value = word
    change(cells)
    book.save(path)
    return str(path)


def stored(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {table: database.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in STORED}


def test_a_thousand_answers_against_the_oracle(
    session: Session, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = generated(3000)
    shop.save(session)
    shop.save_looks(session)
    shop.save_rejected(session)
    now = datetime(2026, 10, 25, 12, tzinfo=BEIJING)
    decide(now)
    path = daily_report(session, tmp_path)
    in_review = [name for name, row in decisions(database).items() if row["decision"] == "review"]
    words = ("发放福利", "不发放福利", "稍后再定", "", " 发放 ", "不发放")
    filled = {name: words[number % len(words)] for number, name in enumerate(in_review)}
    fill(path, filled)
    before = stored(database)
    accepted, text = import_reviews(str(path), apply=False, by="王芳")
    assert accepted
    assert stored(database) == before
    assert "未写入。写入：make import-reviews" in text
    accepted, told = import_reviews(str(path), apply=True, by="王芳")
    assert accepted
    assert told.splitlines()[:-1] == text.splitlines()[:-1], "the dry run says what happens"
    for name, word in filled.items():
        if (decision := {"发": "grant", "不": "revoke"}.get(word.strip()[:1])) is not None:
            facts = basis(shop.orders[name], shop.after_sales.get(name, []))
            shop.answers[name].append(Answer(decision, facts))
    later = now + HOUR
    decide(later)
    verdicts = shop.verdicts(RULE, later)
    assert disagreements(database, verdicts) == []
    changed = [row for row in log_of(database) if row["old_decision"] == "review"]
    assert len(changed) == len(shop.answers) > 200
    assert {row["decided_by"] for row in changed} == {"王芳（表格）"}
    assert all(row["reason"].startswith(BY_HAND) for row in changed)
    put_off = database.rows("SELECT order_id, postponed_by FROM benefit_postponements ORDER BY order_id")
    assert [row["order_id"] for row in put_off] == sorted(name for name, word in filled.items() if word == "稍后再定")
    assert {row["postponed_by"] for row in put_off} == {"王芳（表格）"}
    before = stored(database)
    accepted, text = import_reviews(str(path), apply=True, by="李雷")
    assert accepted
    assert f"跳过 {len(changed):,} 行" in text
    after = stored(database)
    assert {table: after[table] for table in STORED if table != "benefit_postponements"} == {
        table: before[table] for table in STORED if table != "benefit_postponements"
    }


def test_who_and_when_is_kept(shop: Shop, session: Session, database: Database, tmp_path: Path) -> None:
    file = fill(daily_report(session, tmp_path), {"o_1": "发放福利", "o_2": "稍后再定"})
    assert import_reviews(file, apply=True, by="王芳")[0]
    [kept] = database.rows("SELECT * FROM benefit_reviews")
    at = NOW.replace(tzinfo=None) - 8 * HOUR
    assert (kept["order_id"], kept["answer"], kept["answered_by"], kept["answered_at"]) == (
        "o_1", "grant", "王芳（表格）", at,
    )  # fmt: skip
    [kept] = database.rows("SELECT * FROM benefit_postponements")
    assert (kept["order_id"], kept["postponed_by"], kept["postponed_at"]) == ("o_2", "王芳（表格）", at)
    assert [row["order_id"] for row in database.rows("SELECT * FROM benefit_queue")] == ["o_1"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda cells: cells["o_1"]["答复"].__setattr__("value", "取消"),
            "{A}（答复）=取消：请填 发放福利、不发放福利、稍后再定",
        ),
        (lambda cells: cells["o_1"]["答复"].__setattr__("value", "=1+1"), "{A}（答复）==1+1：请填"),
        (
            lambda cells: cells["o_1"]["订单ID"].__setattr__("value", "o_x"),
            "{B}（订单ID）=o_x：店铺 apptest1 没有这个订单",
        ),
        (lambda cells: cells["o_1"]["店铺ID"].__setattr__("value", "app_x"), "（订单ID）=o_1：店铺 app_x 没有这个订单"),
        (lambda cells: cells["o_1"]["核对码（请勿改动）"].__setattr__("value", "abc"), "（核对码）=abc：已被改动"),
        (lambda cells: cells["o_1"]["核对码（请勿改动）"].__setattr__("value", None), "（核对码）=：已被改动"),
        (lambda cells: cells["o_1"]["订单ID"].__setattr__("value", "o_2"), "订单 o_2 有两种答复，请只留一种"),
    ],
    ids=["word", "formula", "order", "shop", "check code", "no check code", "two answers"],
)
def test_one_wrong_cell_refuses_the_file_and_is_named(
    shop: Shop, session: Session, database: Database, tmp_path: Path, change: Callable[[Cells], None], said: str
) -> None:
    path = daily_report(session, tmp_path)
    place: dict[str, str] = {}

    def note_and_change(cells: Cells) -> None:
        place.update({"A": cells["o_1"]["答复"].coordinate, "B": cells["o_1"]["订单ID"].coordinate})
        change(cells)

    file = fill(path, {"o_1": "发放福利", "o_2": "不发放福利", "o_3": "发放福利"}, note_and_change)
    before = stored(database)
    for apply in (False, True):
        accepted, text = import_reviews(file, apply=apply)
        assert not accepted
        assert said.format(**place) in text
        assert "未写入任何答复" in text
        assert stored(database) == before


def test_what_has_moved_on_is_skipped_and_said(
    shop: Shop, session: Session, database: Database, tmp_path: Path
) -> None:
    """o_1 is decided by a rule, o_2 has another refund, o_3 was answered in Airflow, o_4 stands."""
    path = daily_report(session, tmp_path)
    file = fill(path, dict.fromkeys(("o_1", "o_2", "o_3", "o_4"), "发放福利"))
    shop.orders["o_1"] = replace(shop.orders["o_1"], refund_money=Decimal(99))
    shop.orders["o_2"] = replace(shop.orders["o_2"], refund_money=Decimal(6))
    shop.save(session, ["o_1", "o_2"])
    decide(NOW + HOUR)
    shop.answer(session, database, {"o_3": "revoke"})
    accepted, text = import_reviews(file, apply=True, by="王芳")
    assert accepted
    assert "发放福利 1 单，不发放福利 0 单，稍后再定 0 单" in text
    assert "跳过 3 行" in text
    assert "订单 o_1：已判定为“取消”" in text
    assert "订单 o_2：导出后订单有变化，请按新的日报答复" in text
    assert "订单 o_3：王芳 已答复，等待下一次判定" in text
    rows = database.rows("SELECT order_id, answer FROM benefit_reviews ORDER BY order_id")
    assert [(row["order_id"], row["answer"]) for row in rows] == [("o_3", "revoke"), ("o_4", "grant")]
    shop.answers["o_4"].append(Answer("grant", basis(shop.orders["o_4"], [])))
    decide(NOW + 2 * HOUR)
    assert disagreements(database, shop.verdicts(RULE, NOW + 2 * HOUR)) == []


def test_a_sheet_that_goes_on_on_another_is_read_to_its_end(
    shop: Shop, session: Session, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xiaoe.exports.sheets.write_xlsx.__kwdefaults__", {"max_rows": 5})
    path = daily_report(session, tmp_path)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["判定", "人工复核", "人工复核2", "人工复核3"]
    for sheet in book.worksheets[1:]:
        for row in sheet.iter_rows(min_row=2):
            row[0].value = "不发放福利"
    book["人工复核3"]["A2"].value = "不知道"
    book.save(path)
    accepted, text = import_reviews(str(path), apply=True)
    assert not accepted
    assert "人工复核3!A2（答复）=不知道" in text
    book["人工复核3"]["A2"].value = "稍后再定"
    book.save(path)
    assert import_reviews(str(path), apply=True)[0]
    assert database.value("SELECT COUNT(*) FROM benefit_reviews") == 9


def test_a_column_offers_the_three_words(shop: Shop, session: Session, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(daily_report(session, tmp_path))
    [offered] = book["人工复核"].data_validations.dataValidation
    assert (offered.formula1, str(offered.sqref)) == ('"发放福利,不发放福利,稍后再定"', "A2:A11")
    assert book["判定"].data_validations.dataValidation == []


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: path.write_text("答复,订单ID\n"), "读不出来.*\\.xlsx"),
        (lambda path: path.unlink(), "读不出来"),
        (lambda path: openpyxl.Workbook().save(path), "没有“人工复核”表"),
        (lambda path: _renamed(path), "“人工复核”表缺少列：答复"),
    ],
    ids=["no xlsx", "no file", "no sheet", "no column"],
)
def test_another_file_is_refused_by_name(
    shop: Shop, session: Session, database: Database, tmp_path: Path, write: Callable[[Path], Any], said: str
) -> None:
    path = daily_report(session, tmp_path)
    write(path)
    before = stored(database)
    with pytest.raises(XiaoeConfigError, match=f"FILE=.*{said}"):
        import_reviews(str(path), apply=True)
    assert stored(database) == before


def _renamed(path: Path) -> None:
    book = openpyxl.load_workbook(path)
    book["人工复核"]["A1"].value = "回复"
    book.save(path)


def test_an_import_that_is_killed_leaves_all_answers_or_none(
    shop: Shop, session: Session, database: Database, tmp_path: Path
) -> None:
    file = fill(
        daily_report(session, tmp_path), {f"o_{number}": "发放福利" for number in range(9)} | {"o_9": "稍后再定"}
    )
    states = set()
    for point in killed_everywhere(lambda: import_reviews(file, apply=True, by="王芳"), KillSwitch.at_each_statement):
        found = [
            database.value(f"SELECT COUNT(*) FROM {table}")
            for table in ("benefit_reviews", "benefit_queue", "benefit_postponements")
        ]
        assert found in ([0, 0, 0], [9, 9, 1]), point
        states.add(tuple(found))
        for table in ("benefit_reviews", "benefit_queue", "benefit_postponements"):
            database.rows(f"DELETE FROM {table}")
    assert states == {(0, 0, 0), (9, 9, 1)}


def test_the_command_ends_with_1_where_a_file_is_refused(
    shop: Shop, session: Session, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = daily_report(session, tmp_path)
    good = tmp_path / "good.xlsx"
    shutil.copy(path, good)
    fill(good, {"o_1": "发放福利"})
    assert main(["import-reviews", "--file", fill(path, {"o_1": "行"})]) == 1
    assert main(["import-reviews", "--file", str(good)]) == 0
    assert database.rows("SELECT * FROM benefit_reviews") == []
    assert main(["import-reviews", "--file", str(good), "--by", "王芳", "--apply"]) == 0
    assert "已写入，答复人：王芳（表格）" in capsys.readouterr().out
    assert database.value("SELECT answered_by FROM benefit_reviews") == "王芳（表格）"


def test_the_words_are_those_of_the_questions() -> None:
    assert "取消" not in answer_sheet.WORDS
    assert {"发放福利", "不发放福利", "稍后再定"} <= answer_sheet.WORDS.keys()

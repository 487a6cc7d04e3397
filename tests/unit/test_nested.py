"""Rows with groups, as order list 2.0 sends them: wherever a field lies, and whatever a group is written as."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xiaoe.resources.order_origins import ORDER_ORIGINS
from xiaoe.rows.decode import Typed

READER = ORDER_ORIGINS.reader
INFO = {"order_id": "o1", "order_state": 4, "actual_fee": "990"}
LINE = {"sku_id": "s1", "buy_num": 2}


def read(row: dict[str, Any]) -> Typed:
    return READER.read([json.dumps(row).encode()])


def typed(row: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(READER.columns, read(row).rows[0], strict=True))


@pytest.mark.parametrize(
    "row",
    [
        {"order_info": INFO, "good_list": [LINE]},
        {"order_info": INFO, "goods_info": {"goods_list": [LINE]}},
        {"order_info": INFO, "goods_info": {"good_list": {"0": LINE}}},
        {"order_info": INFO, "good_list": [LINE], "goods_info": []},
        {"order_info": INFO, "good_list": [LINE], "goods_info": {"goods_list": []}},
        {"order_info": INFO, "good_list": [], "goods_info": {"goods_list": [LINE]}},
        {"order_info": json.dumps(INFO), "goods_info": json.dumps({"goods_list": [LINE]})},
        {**INFO, "good_list": json.dumps([LINE]), "order_info": [], "goods_info": "none"},
        {**INFO, "good_list": LINE, "order_info": {"order_id": None}},
    ],
)
def test_a_row_is_the_same_wherever_its_fields_lie(row: dict[str, Any]) -> None:
    expected = typed({"order_info": INFO, "good_list": [LINE]})
    assert (expected["order_id"], expected["order_list_2_state_text"]) == ("o1", "已完成")
    assert expected["actual_fee"] == "9.90"
    assert json.loads(expected["lines_json"])[0]["buy_num"] == 2
    assert typed(row) == expected
    assert READER.key(json.dumps(row).encode()) == "o1"
    known = READER.flat(row)
    assert (known["order_id"], "sku_id" in str(known["good_list"])) == ("o1", True)


def test_a_field_of_a_line_that_cannot_be_read_costs_that_field_alone() -> None:
    lines = [LINE, {**LINE, "buy_num": "many", "unit_price": "9.90"}, {**LINE, "expire_end": "soon"}, 7]
    row = {"order_info": INFO, "good_list": lines}
    found = read(row)
    [problem] = found.problems[0]
    assert (problem.field, problem.column) == ("good_list", "lines_json")
    assert problem.reason.startswith("buy_num of line 2: ")
    assert "unit_price of line 2: fen are whole numbers" in problem.reason
    assert problem.reason.endswith("; and 2 more")
    kept = json.loads(typed(row)["lines_json"])
    assert [(line["sku_id"], line["buy_num"]) for line in kept] == [("s1", 2), ("s1", None), ("s1", 2), (None, None)]
    assert typed(row)["problem_columns"] == "lines_json"


def test_bytes_that_are_no_utf_8_in_a_group_cost_no_field() -> None:
    """As in any row, they become U+FFFD; also where the group is a text."""
    told = {**INFO, "share_user_id": "cut", "channel_bus_id": "room"}
    for info in (told, json.dumps(told)):
        raw = json.dumps({"order_info": info, "good_list": [LINE]}).encode().replace(b"room", b"ro\xe4m")
        found = READER.read([raw])
        held = dict(zip(READER.columns, found.rows[0], strict=True))
        assert (READER.key(raw), held["order_id"], held["actual_fee"], held["share_user_id"]) == (
            "o1", "o1", "9.90", "cut",
        )  # fmt: skip
        assert [(one.field, one.reason) for one in found.problems[0]] == [("channel_bus_id", "not UTF-8")]


@pytest.mark.parametrize(
    "text", ["[" * 100_000 + "]" * 100_000, '[{"buy_num": 1e99999999999999999999}]', '[{"sku_id": "s']
)
def test_a_text_of_lines_beyond_reason_is_a_problem_of_the_lines(text: str) -> None:
    found = read({"order_info": {**INFO, "order_state": 5}, "good_list": text, "goods_info": text})
    [problem] = found.problems[0]
    assert (problem.field, problem.reason) == ("good_list", "not an array of objects")
    assert found.rows[0][READER.columns.index("order_list_2_state")] == 5

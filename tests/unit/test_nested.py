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

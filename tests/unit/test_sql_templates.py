"""Our templates, as their statements are sent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import sqlparse

from xiaoe.benefits.policy import Policy
from xiaoe.mysql import templates
from xiaoe.mysql.templates import render, split_statements
from xiaoe.resources.orders import ORDERS
from xiaoe.settings import INCLUDE_DIR

SQL = INCLUDE_DIR / "sql"
TEMPLATES = sorted(str(path.relative_to(SQL)) for folder in ("merge", "marts") for path in (SQL / folder).glob("*.sql"))
NAMES: dict[str, Any] = {
    **{name: f"%({name})s" for name in ("shop", "first", "end", "today")},
    "policy": Policy(14, "created_time", "review", [3, 6]),
    "policy_id": 1,
    "task": SimpleNamespace(declaration=ORDERS),
    "decided_at": "2026-11-20 04:00:00.000",
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_split_as_a_parser_of_sql_splits_it(template: str) -> None:
    sql = render(template, **NAMES)
    parsed = [text for text in sqlparse.split(templates._COMMENT.sub("", sql)) if text]
    assert split_statements(sql) == parsed
    assert parsed


def test_no_template_is_left_out() -> None:
    assert {"merge/orders.sql", "marts/benefit_decisions.sql", "marts/bi_days.sql"} <= set(TEMPLATES)

"""With a policy, nothing about people lies plain in the warehouse; a change of the policy reaches every row."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from support.fixtures import servers
from support.worlds.shop import Database, merge_sql
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.merge.merger import Merger
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources import orders
from xiaoe.resources.orders import ORDERS
from xiaoe.rows.decode import RowReader
from xiaoe.rows.masking import Forms, hashed

pytestmark = [pytest.mark.mysql, pytest.mark.parametrize("migrated", servers()[:1], indirect=True)]

KEY = b"0123456789abcdef"
PEOPLE = {"receiver_name": "张三丰", "receiver_phone": "13812345678", "receiver_detail": "北京市朝阳区某某路1号"}
ROWS = [
    raw_order(1, **PEOPLE), raw_order(2, price="abc", **PEOPLE), raw_order(3), raw_order(4, order_id=None, **PEOPLE)
]  # fmt: skip
TOO_LONG = "张三丰" * 10_000
PLAIN, MASKED = Forms(), Forms(dict.fromkeys(PEOPLE, "masked"))
HASHED = Forms(dict.fromkeys(PEOPLE, "hash"), lambda: KEY)


class Shop:
    def __init__(self, database: Database, store: Path) -> None:
        self.database = database
        self._store = store
        self._seconds = itertools.count()

    def merge(self, forms: Forms) -> dict[str, int]:
        """See the same rows again, a second later, under this policy."""
        reader = RowReader(orders.MAPPING, orders.CODE_TEXTS, key="order_id", forms=forms)
        second = next(self._seconds)
        run = StagedRun([(at(second), ROWS)], run_id=f"run-{second}").write(self._store)
        return Merger(Warehouse(), replace(ORDERS, reader=reader), merge_sql("orders")).merge(*run)

    def stored(self) -> dict[str, str]:
        [row] = self.database.rows("SELECT * FROM orders WHERE order_id = 'o_00001'")
        return {column: row[column] for column in PEOPLE}

    def plain_texts(self) -> list[str]:
        """Tables in which one of the texts lies as it came."""
        return [
            table
            for table, rows in self.database.snapshot().items()
            if any(text in repr(rows) or json.dumps(text)[1:-1] in repr(rows) for text in PEOPLE.values())
        ]


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path)


def test_a_change_of_the_policy_rewrites_every_row_that_is_seen_again(shop: Shop) -> None:
    assert shop.merge(PLAIN)["inserted"] == 3
    assert shop.stored() == PEOPLE
    assert shop.plain_texts() == ["orders", "rejected_rows"]
    for forms in (MASKED, HASHED, PLAIN):
        counts = shop.merge(forms)
        assert (counts["updated"], counts["unchanged"]) == (2, 1), "the third order is about nobody"
        assert shop.merge(forms)["updated"] == 0
    assert shop.stored() == PEOPLE


def test_with_a_policy_nothing_lies_plain_in_any_table(shop: Shop) -> None:
    """`rejected_rows` included. The pages of the page store stay as they came."""
    shop.merge(MASKED)
    assert shop.stored() == {"receiver_name": "张**", "receiver_phone": "138****5678", "receiver_detail": "北**"}
    assert shop.plain_texts() == []
    shop.merge(HASHED)
    assert shop.stored() == {column: hashed(text, KEY) for column, text in PEOPLE.items()}
    assert shop.plain_texts() == []
    assert [row["value"] for row in shop.database.rows("SELECT value FROM field_problems")] == ["abc"]


def test_a_problem_in_what_is_hidden_says_its_shape_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [raw_order(1, receiver_phone={"a": "13812345678"}), raw_order(2, receiver_name=TOO_LONG)]
    monkeypatch.setitem(globals(), "ROWS", rows)
    shop.merge(MASKED)
    [problem] = shop.database.rows("SELECT row_key, field, value, shape, reason FROM field_problems")
    assert problem == {
        "row_key": "o_00002", "field": "receiver_name", "value": None, "shape": f"text {'字' * 40}…",
        "reason": "longer than 65535 bytes",
    }  # fmt: skip
    assert shop.plain_texts() == []

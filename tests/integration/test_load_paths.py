"""LOAD DATA LOCAL where server and client take it, multi-row INSERT where not: the same rows, and no silent damage."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import MySQLdb
import pytest

from emulator.process import Emulator
from support.worlds.shop import END, Database, Sync, days, differences, unbalanced
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.mysql import load_data
from xiaoe.mysql.load_data import NULL, TableLoad
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.base import BOOKKEEPING
from xiaoe.resources.orders import ORDERS
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

SPAN = Window(END - days(10), END - days(2))
NASTY = (
    "plain", "", " ", "  leading and trailing  ", "tab\there", "line\nbreak", "line\r\nbreak", "back\\slash",
    "\\N", "\\n", "\\", "\\\\N", NULL, "NULL", "null", "'", '"', "`", "quote''quote", "%s %d %% %(x)s", "a,b;c",
    "😀👨‍👩‍👧", "中文「引号」", "\x00", "a\x00b", "\x1a", "\x08\x7f", "\u2028", "\ufeff", "\U0010ffff", "é", "e\u0301",
    "0", "-0", "1e5", "0000-00-00 00:00:00", "x" * 60_000, "课" * 21_000, '{"a": ["b\\"c"]}', "<script>", "\t", "\n",
)  # fmt: skip


def test_the_file_is_used_where_it_may_be(database: Database) -> None:
    """Both servers here allow it: or the other tests would compare the fallback with itself."""
    with staging() as session:
        session.bulk_load("stg_orders", COLUMNS, [])
        assert session._loads_files is True


def no_file_from_this_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client may not: the server's answer is the one that a forbidden LOCAL gets on the server as well."""
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", os.environ["AIRFLOW_CONN_XIAOE_MYSQL"] + "?local_infile=false")


def no_file_says_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "_probe", lambda self, table: False)


REFUSALS = [no_file_from_this_client, no_file_says_the_probe]
Refusal = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("refuse", REFUSALS)
def test_without_files_the_tables_are_the_same(
    sync: Sync, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, refuse: Refusal
) -> None:
    """A first load and a rescan with changes, from the same pages."""
    api.set_clock((END - days(1)).isoformat())
    first = sync.stage(SPAN)
    api.set_clock((END + days(3)).isoformat())
    again = sync.stage(SPAN, mode="rescan")
    for run in (first, again):
        sync.merge(*run)
    assert differences(database, api, SPAN) == []
    by_file = database.snapshot()
    assert len(by_file["order_state_log"]) > 3

    database.empty()
    refuse(monkeypatch)
    files = count_files(monkeypatch)
    for run in (first, again):
        sync.merge(*run)
    assert files == []
    assert database.snapshot() == by_file
    assert unbalanced(database) == []


@pytest.mark.parametrize("refuse", [None, *REFUSALS])
def test_any_text_survives(
    sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch, refuse: Refusal | None
) -> None:
    if refuse:
        refuse(monkeypatch)
    rows = [
        raw_order(number, title=text, receiver_name=text, system_info=text, goods_no=None)
        for number, text in enumerate(NASTY)
    ]
    sync.merge(*StagedRun([(at(0), rows)]).write(sync.store))
    held = database.rows("SELECT o.title, receiver_name, system_info, goods_no, i.title AS line FROM orders o"
                         " JOIN order_items i USING (shop_id, order_id) ORDER BY order_id")  # fmt: skip
    for row, text in zip(held, NASTY, strict=True):
        assert row == {"title": text, "receiver_name": text, "system_info": text, "goods_no": None, "line": text}
    before = database.snapshot()
    counts = sync.merge(*StagedRun([(at(5), rows)], run_id="again").write(sync.store))
    assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (0, 0, len(NASTY))
    assert database.snapshot()["orders"] == before["orders"]


@pytest.mark.parametrize("refuse", [None, *REFUSALS])
def test_extreme_values_survive(
    sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch, refuse: Refusal | None
) -> None:
    if refuse:
        refuse(monkeypatch)
    extremes = {
        "price": "9999999999.99", "coupon_price": 1, "refund_money": "-999999999999", "count": -(2**31) + 1,
        "order_state": 2**31 - 1, "ship_state": -1, "order_id": "o" * 128, "user_id": "用" * 128,
        "pay_time": "2026-11-20 23:59:59", "refund_time": "2010-01-01 00:00:00", "settle_time": "2024-02-29 23:59:59",
    }  # fmt: skip
    sync.merge(*StagedRun([(at(0), [raw_order(1, **extremes)])]).write(sync.store))
    [row] = database.rows("SELECT * FROM orders")
    texts = {name: str(row[name]) for name in ("price", "coupon_price", "refund_money", "pay_time", "refund_time")}
    assert texts == {
        "price": "9999999999.99",
        "coupon_price": "0.01",
        "refund_money": "-9999999999.99",
        "pay_time": "2026-11-20 23:59:59",
        "refund_time": "2010-01-01 00:00:00",
    }
    assert (row["order_state"], row["ship_state"], row["quantity"]) == (2**31 - 1, -1, -(2**31) + 1)
    assert (row["order_id"], row["user_id"]) == ("o" * 128, "用" * 128)
    assert (row["order_state_text"], row["ship_state_text"]) == (None, None)


DAMAGE = {
    "quantity": "abc",
    "order_state": str(2**40),
    "price": "1.2.3",
    "created_time": "2026-13-01 00:00:00",
    "user_id": "u" * 129,
    "title": "t" * 70_000,
    "row_hash": None,
}


@pytest.mark.parametrize("column", DAMAGE)
def test_what_the_server_would_bend_is_an_error(database: Database, column: str) -> None:
    """A value that would be cut off, clamped or made NULL: by the server in strict mode, or by its warning."""
    with staging() as session, pytest.raises((MySQLdb.Error, RuntimeError)):
        session.bulk_load("stg_orders", COLUMNS, [row("o_1"), row("o_2", **{column: DAMAGE[column]})])
    assert not any(database.snapshot().values())


@pytest.mark.parametrize("column", DAMAGE)
def test_what_the_server_would_bend_is_an_error_without_files(
    database: Database, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_file_says_the_probe(monkeypatch)
    with staging() as session, pytest.raises(MySQLdb.Error):
        session.bulk_load("stg_orders", COLUMNS, [row("o_1"), row("o_2", **{column: DAMAGE[column]})])
    assert not any(database.snapshot().values())


@pytest.mark.parametrize(
    ("content", "rows"),
    [("a\to_1\tone too many\n", 1), ("a\to_1\n", 2), ("a\to_1\na\to_2\n", 1), ("a\to_1\n", 0), ("", 1)],
)
def test_a_warning_and_a_wrong_number_of_rows_are_errors(database: Database, content: str, rows: int) -> None:
    with staging() as session:
        session.execute("CREATE TEMPORARY TABLE pairs (shop_id VARCHAR(64), order_id VARCHAR(128) PRIMARY KEY)")
        with pytest.raises((RuntimeError, MySQLdb.Error), match=r"into pairs: . rows sent|Row 1 was truncated"):
            session.load(TableLoad("pairs", ("shop_id", "order_id"), content.encode(), rows, "replace"))


def test_warnings_are_errors_where_the_server_only_warns(database: Database) -> None:
    """As a server does that somebody took out of strict mode."""
    with staging() as session:
        session.execute("SET SESSION sql_mode = ''")
        with pytest.raises(RuntimeError, match=r"LOAD DATA into stg_orders: 2 rows sent, .*Warnings: 1.*price"):
            session.bulk_load("stg_orders", COLUMNS, [row("o_1"), row("o_2", price="1.2.3")])
    assert not any(database.snapshot().values())


def test_a_merge_whose_load_is_damaged_changes_nothing(
    sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync.merge(*StagedRun([(at(0), [raw_order(1)])], run_id="before").write(sync.store))
    before = database.snapshot()
    run = StagedRun([(at(1), [raw_order(1, order_state=8), raw_order(2)])], moves_watermark=True).write(sync.store)
    original = load_data.tsv
    monkeypatch.setattr(load_data, "tsv", lambda columns: original(columns).replace("99.00", "99.0O"))
    with pytest.raises((MySQLdb.Error, RuntimeError), match="price"):
        sync.merge(*run)
    assert database.snapshot() == before
    monkeypatch.undo()
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", database.url)
    sync.merge(*run)
    assert [row["order_state"] for row in database.rows("SELECT order_state FROM orders ORDER BY 1")] == [1, 8]


@pytest.mark.parametrize("refuse", [None, *REFUSALS])
def test_the_later_of_two_rows_with_the_same_key_wins(
    database: Database, monkeypatch: pytest.MonkeyPatch, refuse: Refusal | None
) -> None:
    if refuse:
        refuse(monkeypatch)
    with staging() as session:
        session.bulk_load("stg_orders", COLUMNS, [row("o_1", title="a"), row("o_2"), row("o_1", title="b")])
        found = session.query("SELECT order_id, title FROM stg_orders ORDER BY 1")
    assert found == [("o_1", "b"), ("o_2", None)]


def test_a_refused_probe_does_not_end_the_transaction(
    sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_file_from_this_client(monkeypatch)
    with staging() as session:
        session.execute(
            "INSERT INTO sync_status (shop_id, resource, mode, last_attempt_at, status)"
            " VALUES ('s', 'orders', 'history', UTC_TIMESTAMP(3), 'success')"
        )
        session.bulk_load("stg_orders", COLUMNS, [row("o_1")])
        assert session._loads_files is False
        assert session.query("SELECT COUNT(*) FROM sync_status") == [(1,)]
        assert database.value("SELECT COUNT(*) FROM sync_status") == 0
        session.rollback()
        assert session.query("SELECT COUNT(*) FROM sync_status") == [(0,)]


COLUMNS = ("shop_id", *ORDERS.reader.columns, *BOOKKEEPING)


def row(order_id: str, **columns: Any) -> tuple[Any, ...]:
    """A typed row as a merge loads it."""
    values = {
        "shop_id": "s", "order_id": order_id, "row_hash": 2**64 - 1, "raw_hash": 1,
        "observed_at": "2026-11-20 00:00:00.123", "batch_id": "0" * 16, **columns,
    }  # fmt: skip
    return tuple(values.get(name) for name in COLUMNS)


@contextmanager
def staging() -> Iterator[Session]:
    """A session with an empty staging table."""
    with Warehouse().session() as session:
        session.execute(
            f"CREATE TEMPORARY TABLE stg_orders (PRIMARY KEY (shop_id, order_id)) SELECT {', '.join(COLUMNS)}"
            " FROM orders LIMIT 0"
        )
        yield session


def count_files(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each loaded file had, from now on; the empty one of the probe is left out."""
    sizes: list[int] = []
    original = Session._load_file

    def load_file(self: Session, load: TableLoad, content: bytes) -> None:
        original(self, load, content)
        sizes.append(load.count)

    monkeypatch.setattr(Session, "_load_file", load_file)
    return sizes


def test_rejected_rows_hold_any_text_too(sync: Sync, database: Database) -> None:
    rows = [raw_order(number, order_id=[number], title=text) for number, text in enumerate(NASTY)]
    counts = sync.merge(*StagedRun([(at(0), rows)]).write(sync.store))
    assert counts["rejected"] == len(NASTY)
    held = [json.loads(row["raw_json"]) for row in database.rows("SELECT raw_json FROM rejected_rows")]
    assert [row["title"] for row in sorted(held, key=lambda row: row["order_id"])] == list(NASTY)


def test_field_problems_hold_any_value_too(sync: Sync, database: Database) -> None:
    rows = [raw_order(number, price=text + "x") for number, text in enumerate(NASTY)]
    sync.merge(*StagedRun([(at(0), rows)]).write(sync.store))
    held = database.rows("SELECT value FROM field_problems ORDER BY row_key")
    assert [row["value"] for row in held] == [(text + "x")[:200] for text in NASTY]

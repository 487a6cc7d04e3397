"""Rows that are not there yet go into their tables directly: to the same end as through staging, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from emulator.process import Emulator
from support.worlds.shop import APP_ID, END, Database, Sync, days, merge_sql, unbalanced
from support.worlds.staged import WEEK, StagedRun, at, raw_order, together
from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.merge import merger, writer
from xiaoe.merge.changes import Known
from xiaoe.merge.expected import Expected
from xiaoe.merge.incoming import RawChunk
from xiaoe.merge.merger import Merger
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.orders import ORDERS
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

SPAN = Window(END - days(10), END - days(2))


def run(sync: Sync, rows: list[bytes], second: float = 0) -> dict[str, int]:
    return sync.merge(*StagedRun([(at(second), rows)], run_id=f"run-{second}").write(sync.store))


def test_directly_and_through_staging_the_tables_are_the_same(
    sync: Sync, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In several chunks: a first load, and a rescan that brings new orders and changed ones together."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 100)
    api.set_clock((END - days(6)).isoformat())
    first = sync.stage(Window(SPAN.begin, END - days(7)))
    api.set_clock((END + days(3)).isoformat())
    again = sync.stage(SPAN, mode="rescan")
    for one in (first, again):
        sync.merge(*one)
    direct = database.snapshot()
    queued = days_queued(database)
    assert min(len(direct[table]) for table in ("orders", "order_items", "users", "products", "benefit_queue")) > 50
    assert len(direct["order_state_log"]) > 3

    database.empty()
    staging = Merger(Warehouse(), replace(ORDERS, loads_new_rows=False), merge_sql("orders"))
    for one in (first, again):
        staging.merge(*one)
    staged = database.snapshot()
    for table in direct.keys() - {"mart_queue"}:
        assert direct[table] == staged[table], table
    assert days_queued(database) == queued
    assert unbalanced(database) == []


def days_queued(database: Database) -> set[tuple[Any, ...]]:
    """A day is queued once for each chunk that touches it, or once for all: it is worked out once in either case."""
    return {tuple(row.values()) for row in database.rows("SELECT shop_id, kind, day, user_id FROM mart_queue")}


def test_an_after_sale_may_have_queued_the_order_before_it_came(sync: Sync, database: Database) -> None:
    change(database, "INSERT INTO benefit_queue (shop_id, order_id) VALUES (%s, 'o_00001')", APP_ID)
    assert run(sync, [raw_order(1), raw_order(2)])["inserted"] == 2
    assert len(database.rows("SELECT * FROM benefit_queue")) == 2


@pytest.mark.parametrize("loads_files", [True, False])
def test_a_row_that_somebody_else_inserted_meanwhile_fails_the_run(
    sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch, loads_files: bool
) -> None:
    """Nobody does who takes the lock; without this, the other's row would stay and the run's be lost without a word."""
    run(sync, [raw_order(3)])
    between(monkeypatch, lambda: copy_order(database, "o_00003", "o_00002"))
    monkeypatch.setattr(writer.Session, "_probe", lambda self, table: loads_files)
    with pytest.raises(XiaoeReconciliationError, match=r"another program writing to orders\?"):
        run(sync, [raw_order(1), raw_order(2, title="ours")], 1)
    titles = {row["order_id"]: row["title"] for row in database.rows("SELECT order_id, title FROM orders")}
    assert titles == {"o_00002": "课程 3", "o_00003": "课程 3"}
    assert database.value("SELECT COUNT(*) FROM sync_windows") == 1


@pytest.mark.parametrize("stranger", ["new and on the boundary", "changed and of the first slice"])
def test_a_row_that_comes_with_two_slices_does_not_make_up_for_one_that_is_gone(
    sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch, stranger: str
) -> None:
    """When the second slice asks for the new one, it stands in the table; of the changed one, the first slice told."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 1)
    monkeypatch.setattr(merger, "_MIN_WRITE", 1)
    later = Window(WEEK.end, WEEK.end + days(7))
    known = [raw_order(n, created_time=f"{later.begin + days(1):%Y-%m-%d %H:%M:%S}") for n in (51, 52, 53)]
    sync.merge(*StagedRun([(at(0), known)], run_id="first", window=later).write(sync.store))
    sync.merge(*StagedRun([(at(1), [raw_order(1)])], run_id="second").write(sync.store))
    before = database.snapshot()
    first = [raw_order(2, created_time=f"{later.begin:%Y-%m-%d %H:%M:%S}"), *map(raw_order, range(3, 9))]
    second = [first[0], *known[:2]]
    if stranger == "changed and of the first slice":
        first = [*map(raw_order, range(3, 9)), raw_order(1, title="ours")]
        second = [first[-1], *known[:2]]
    slices = [
        StagedRun([(at(100), [row]) for row in (raw_order(1), *first)], run_id="a"),
        StagedRun([(at(200), [row]) for row in second], run_id="b", window=later),
    ]
    with pytest.raises(XiaoeReconciliationError, match=r"no longer lists: o_00053\."):
        sync.merge(*together(sync.store, slices, "rescan"))
    assert database.snapshot() == before


def between(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> None:
    """Have something happen between the look-up of a chunk and its writing."""
    original = writer.Writer.look_up

    def look_up(self: writer.Writer, incoming: RawChunk, expected: Expected) -> Known:
        known = original(self, incoming, expected)
        work()
        return known

    monkeypatch.setattr(writer.Writer, "look_up", look_up)


def copy_order(database: Database, order_id: str, copy: str) -> None:
    names = ", ".join(name for name in database.stored_columns("orders") if name != "order_id")
    copying = f"INSERT INTO orders (order_id, {names}) SELECT %s, {names} FROM orders WHERE order_id = %s"
    change(database, copying, copy, order_id)


def change(database: Database, sql: str, *parameters: Any) -> None:
    """Another program at work."""
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        connection.commit()


def test_an_id_that_differs_in_spaces_at_the_end_from_another_is_told(sync: Sync, database: Database) -> None:
    """To MySQL both are one key: the row that has it stays, whatever becomes of the other."""
    counts = run(sync, [raw_order(1, order_id="o_1"), raw_order(2, order_id="o_1 "), raw_order(3)])
    assert (counts["staged"], counts["inserted"], counts["rejected"]) == (3, 2, 1)
    rows = [raw_order(1, order_id="o_1"), raw_order(2, order_id="o_1 ", order_state=8), raw_order(3)]
    counts = run(sync, rows, 1)
    assert (counts["inserted"], counts["updated"], counts["unchanged"], counts["rejected"]) == (0, 0, 2, 1)
    assert database.rows("SELECT user_id, order_state FROM orders WHERE order_id = 'o_1'") == [
        {"user_id": "u_1", "order_state": 1}
    ]
    told = database.rows("SELECT reason FROM rejected_rows WHERE resolved_at IS NULL")
    assert told
    assert all("o_1" in row["reason"] for row in told)


def test_ids_far_apart_are_looked_up_one_by_one(
    sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first and the last lie more rows than are read in one go; their changes are found all the same."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 1)  # a chunk for each page
    rows = [raw_order(number) for number in range(40)]
    assert run(sync, rows)["inserted"] == 40
    pages = [
        (at(1), [raw_order(0, order_state=8), raw_order(39, order_state=8)]),
        (at(2), [*rows[1:39], raw_order(41)]),
    ]
    counts = sync.merge(*StagedRun(pages, run_id="apart").write(sync.store))
    assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (1, 2, 38)


def test_ids_with_control_characters_are_found_again(sync: Sync, database: Database) -> None:
    """MySQL sorts `o\\t` before `o`, Python after it."""
    rows = [raw_order(number, order_id=name) for number, name in enumerate(["o", "o\t", "o\x01", "o\n1"])]
    assert run(sync, rows)["inserted"] == 4
    counts = run(sync, rows, 1)
    assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (0, 0, 4)

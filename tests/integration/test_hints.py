"""Hints that an order changed: the queue, the look-up by id, and what a merge does about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator, running
from support.faults.chaos import by_level, spread
from support.faults.processes import KillSwitch, killed_everywhere, things_in
from support.fixtures import Connect
from support.worlds.runs import TaskRunner
from support.worlds.shop import APP_ID, CLIENT_ID, SECRET, Database, Sync, days, truth_by_id, unlike
from xiaoe.api import hook
from xiaoe.api.hook import Answer, XiaoeHook
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeMappingError, XiaoeReconciliationError
from xiaoe.hints import queue
from xiaoe.hints.queue import Source
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.base import Resource
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

LIST = "xe.order.list.get/1.0.1"
OPENED = datetime(2026, 4, 1, tzinfo=BEIJING)
LOADED = datetime(2026, 6, 10, 8, tzinfo=BEIJING)
LATER = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
TOLD = datetime(2026, 11, 20, 4, 0, 0, 123000, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def shop() -> Iterator[Emulator]:
    with running(
        orders=1200, start=f"{OPENED:%Y-%m-%d}", now=f"{LATER:%Y-%m-%dT%H:%M:%S}", frozen=True, seed=5,
        shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"], no_limits=True,
    ) as emulator:  # fmt: skip
        yield emulator


@pytest.fixture
def runs(shop: Emulator, sync: Sync, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRunner:
    """The orders up to `LOADED` are in the warehouse, as they were then; it is `LATER`."""
    shop.set_clock(f"{LOADED:%Y-%m-%dT%H:%M:%S}")
    shop.set_faults()
    connect(shop)
    runs = TaskRunner(shop, monkeypatch, tmp_path / "runs")
    sync.run(Window(OPENED, LOADED))
    runs.at(LATER)
    return runs


@dataclass
class Queue:
    """The queue of hints, filled as a source fills it."""

    database: Database

    def add(self, *order_ids: str, source: Source = "push", changed: datetime | None = None, told: datetime) -> None:
        with Warehouse().session() as session:
            for order_id in order_ids:
                queue.add(session, APP_ID, order_id, source, changed, told)
            session.commit()

    def orders(self) -> list[str]:
        return [row["order_id"] for row in self.database.rows("SELECT order_id FROM change_hints ORDER BY id")]

    def outcomes(self) -> dict[str, str]:
        return {row["order_id"]: row["outcome"] for row in self.database.rows("SELECT * FROM hint_looks")}


@pytest.fixture
def hints(database: Database) -> Queue:
    return Queue(database)


def changed_orders(shop: Emulator) -> list[str]:
    """Orders that changed between `LOADED` and `LATER`, by their creation."""
    window = Window(OPENED, LOADED)
    shop.set_clock(f"{LOADED:%Y-%m-%dT%H:%M:%S}")
    before = truth_by_id(shop, window)
    shop.set_clock(f"{LATER:%Y-%m-%dT%H:%M:%S}")
    return [name for name, row in truth_by_id(shop, window).items() if row != before[name]]


def stale(database: Database, shop: Emulator, *order_ids: str) -> list[str]:
    truth = truth_by_id(shop, Window(OPENED, LATER))
    held = database.rows("SELECT * FROM orders WHERE order_id IN %s", (order_ids,))
    return unlike(held, [truth[name] for name in order_ids], "order_id")


def look(runs: TaskRunner) -> int:
    """A run of the DAG; how many orders it asked for."""
    about = runs.context()
    folder = runs.stage("orders", "hints", about)
    runs.merge("orders", "hints", folder, about)
    return len(staged(folder)[1].slices[0].pages)


def staged(folder: str) -> tuple[RunFolder, Manifest]:
    found = RunFolder(Path(folder.removeprefix("file://")))
    return found, found.read_manifest()


# --- the queue -----------------------------------------------------------------------------------------


def test_a_hint_waits_once_its_transaction_commits(database: Database) -> None:
    changed = datetime(2026, 11, 20, 11, 59, 58, tzinfo=BEIJING)
    warehouse = Warehouse()
    with warehouse.session() as session, warehouse.session() as other:
        queue.add(session, APP_ID, "o_1", "push", changed, TOLD)
        queue.add(session, APP_ID, "o_2", "push", None, TOLD)
        queue.add(session, "another shop", "o_1", "push", None, TOLD)
        assert queue.waiting(other, APP_ID, 10) == []
        other.rollback()
        session.commit()
        one, two = queue.waiting(other, APP_ID, 10)
        assert queue.waiting(other, APP_ID, 1) == [one]
    assert (one.order_id, one.source, one.changed_at, one.told_at) == ("o_1", "push", changed, TOLD)
    assert (two.order_id, two.changed_at) == ("o_2", None)
    assert one.id < two.id


def test_a_new_hint_does_not_wait_for_the_merge_that_takes_others(database: Database) -> None:
    """A push has to be answered within seconds, a merge may take longer."""
    warehouse = Warehouse()
    with warehouse.session() as merge, warehouse.session() as push:
        for number in range(3):
            queue.add(merge, APP_ID, f"o_{number}", "push", None, TOLD)
        merge.commit()
        push.execute("SET SESSION innodb_lock_wait_timeout = 1")
        ids = [hint.id for hint in queue.waiting(merge, APP_ID, 10)]
        queue.remove(merge, ids)
        queue.add(push, APP_ID, "o_1", "push", None, TOLD)
        push.commit()
        merge.commit()
        assert [hint.order_id for hint in queue.waiting(merge, APP_ID, 10)] == ["o_1"]


# --- from a hint to the row ----------------------------------------------------------------------------


def test_changes_of_old_orders_reach_the_warehouse_without_an_after_sale(
    runs: TaskRunner, shop: Emulator, database: Database, hints: Queue
) -> None:
    """One is settled on day 200, one refunded on day 120: no rescan reaches them, and no after-sale names them."""
    paid = database.rows(
        "SELECT order_id, created_time FROM orders WHERE order_state = 1 AND price > 0 AND created_time < '2026-04-20'"
        " AND order_id NOT IN %s ORDER BY order_id LIMIT 2",
        (changed_orders(shop),),
    )
    settled, refunded = paid
    shop.amend_order(settled["order_id"], settled_at=f"{settled['created_time'] + days(200):%Y-%m-%dT%H:%M:%S}")
    shop.amend_order(refunded["order_id"], refunded_at=f"{refunded['created_time'] + days(120):%Y-%m-%dT%H:%M:%S}")
    names = (settled["order_id"], refunded["order_id"])
    assert all(row["order_id"] not in names for row in shop.truth_refunds(APP_ID))
    runs.refunds()
    runs.sync("orders", "deep_rescan")
    assert len(stale(database, shop, *names)) >= 2
    hints.add(*names, told=LATER)
    runs.at(LATER + MINUTE)
    assert look(runs) == 2
    assert stale(database, shop, *names) == []
    assert hints.outcomes() == dict.fromkeys(names, "changed")
    assert hints.orders() == []
    log = database.rows("SELECT * FROM order_state_log WHERE order_id = %s AND field = 'order_state'", (names[1],))
    assert [row["new_value"] for row in log] == ["10"]
    queued = {row["order_id"] for row in database.rows("SELECT order_id FROM benefit_queue")}
    assert names[1] in queued


def test_many_hints_for_one_order_are_one_look(
    runs: TaskRunner, shop: Emulator, database: Database, hints: Queue
) -> None:
    name = changed_orders(shop)[0]
    hints.add(name, told=LATER - MINUTE)
    hints.add(name, source="list", changed=LATER - MINUTE, told=LATER)
    hints.add(name, told=LATER)
    assert look(runs) == 1
    [row] = database.rows("SELECT * FROM hint_looks")
    assert (row["hints"], row["source"], row["outcome"]) == (3, "push", "changed")
    assert stale(database, shop, name) == []


def test_a_hint_that_finds_nothing_new_is_counted(
    runs: TaskRunner, shop: Emulator, database: Database, hints: Queue
) -> None:
    changed = set(changed_orders(shop))
    same = next(name for name in truth_by_id(shop, Window(OPENED, LOADED)) if name not in changed)
    hints.add(same, "o_nobody", told=LATER)
    before = database.content()
    runs.sync("orders", "hints")
    assert hints.outcomes() == {same: "same", "o_nobody": "unlisted"}
    assert hints.orders() == []
    assert database.content() == before


def test_what_was_read_since_is_not_asked_for_again(
    runs: TaskRunner, shop: Emulator, database: Database, sync: Sync, hints: Queue
) -> None:
    name = changed_orders(shop)[0]
    hints.add(name, told=LATER - MINUTE)
    runs.sync("orders", "rescan", kind="manual", **{"from": f"{OPENED:%Y-%m-%d}", "to": f"{LOADED:%Y-%m-%d}"})
    assert look(runs) == 0
    assert hints.outcomes() == {name: "seen"}
    assert hints.orders() == []


def test_a_hint_that_comes_during_the_look_waits_for_the_next(
    runs: TaskRunner, shop: Emulator, database: Database, hints: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order changes behind the look's back; the shop tells of it before the merge."""
    name = changed_orders(shop)[0]
    hints.add(name, told=LATER)
    begun = runs.at(LATER + MINUTE)
    about = runs.context()
    folder = runs.stage("orders", "hints", about)
    runs.at(begun + MINUTE)
    shop.amend_order(name, settled_at=f"{begun + MINUTE / 2:%Y-%m-%dT%H:%M:%S}")
    hints.add(name, told=begun + MINUTE)
    runs.merge("orders", "hints", folder, about)
    assert hints.orders() == [name]
    assert stale(database, shop, name) != []
    runs.at(begun + 2 * MINUTE)
    runs.sync("orders", "hints")
    assert hints.orders() == []
    assert stale(database, shop, name) == []


def test_a_hint_with_a_smaller_number_that_commits_later_stays(
    runs: TaskRunner, shop: Emulator, database: Database, hints: Queue
) -> None:
    late, early = changed_orders(shop)[:2]
    with Warehouse().session() as slow:
        queue.add(slow, APP_ID, late, "push", None, LATER)
        hints.add(early, told=LATER)
        about = runs.context()
        folder = runs.stage("orders", "hints", about)
        slow.commit()
    runs.merge("orders", "hints", folder, about)
    assert hints.orders() == [late]
    runs.sync("orders", "hints")
    assert hints.outcomes() == {late: "changed", early: "changed"}
    assert stale(database, shop, late, early) == []


def test_an_order_that_the_api_no_longer_lists_is_reported_once(
    runs: TaskRunner, shop: Emulator, database: Database, hints: Queue
) -> None:
    gone, found = changed_orders(shop)[:2]
    shop.set_faults(next=[{"kind": "lost_rows", "interface": LIST, "order_id": gone, "page_index": 1, "times": None}])
    hints.add(gone, found, told=LATER)
    with pytest.raises(XiaoeReconciliationError, match=gone):
        runs.sync("orders", "hints")
    assert stale(database, shop, found) == []
    assert hints.outcomes() == {gone: "unlisted", found: "changed"}
    assert hints.orders() == []
    assert database.value("SELECT absent_since FROM orders WHERE order_id = %s", (gone,)) is None
    runs.sync("orders", "hints")


def test_orders_that_cannot_be_read_keep_their_hints(
    runs: TaskRunner, shop: Emulator, database: Database, hints: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_UNREADABLE_MIN_ROWS", "1")
    names = changed_orders(shop)[:3]
    hints.add(*names, told=LATER)

    class Spoilt(XiaoeHook):
        def list_page(self, resource: Resource, fields: dict[str, Any], *, index: int = 1) -> Answer:
            answer = super().list_page(resource, fields, index=index)
            body = answer.body.replace(b'"created_time":"2', b'"created_time":"x2')
            return type(answer)(**{**vars(answer), "body": body})

    monkeypatch.setattr(hook, "XiaoeHook", partial(Spoilt, sleep=lambda _: None))
    with pytest.raises(XiaoeMappingError, match="created_time"):
        runs.sync("orders", "hints")
    assert hints.orders() == names
    assert hints.outcomes() == {}


# --- killed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arm", [KillSwitch.at_each_statement, KillSwitch.in_each_statement], ids=["before", "in"])
def test_a_merge_killed_at_any_statement_loses_no_hint(
    runs: TaskRunner,
    shop: Emulator,
    database: Database,
    sync: Sync,
    hints: Queue,
    arm: Callable[[KillSwitch], None],
) -> None:
    """Either a hint waits, or its order is as the shop has it; a retry ends as undisturbed.

    At fifteen statements, in `make chaos` at each.
    """
    names = changed_orders(shop)[:3]
    hints.add(*names, names[0], told=LATER)
    folder, manifest = staged(runs.stage("orders", "hints"))
    truth = [truth_by_id(shop, Window(OPENED, LATER))[name] for name in names]
    before = held(database, names)
    deaths: Counter[str] = Counter()
    points = spread(things_in(lambda: sync.merge(folder, manifest), arm) + 2, by_level(15, None, None))
    restore(database, before, names)
    for _ in killed_everywhere(lambda: sync.merge(folder, manifest), arm, points):
        waiting = hints.orders()
        assert waiting in ([], [*names, names[0]])
        deaths["waiting" if waiting else "taken"] += 1
        assert (unlike(held(database, names)["orders"], truth, "order_id") == []) is not bool(waiting)
        assert len(hints.outcomes()) == (0 if waiting else 3)
        sync.merge(folder, manifest)
        assert hints.orders() == []
        assert hints.outcomes() == dict.fromkeys(names, "changed")
        assert database.value("SELECT SUM(hints) FROM hint_looks") == 4
        assert unlike(held(database, names)["orders"], truth, "order_id") == []
        restore(database, before, names)
    assert deaths["waiting"] > by_level(8, 15, 15)
    assert deaths["taken"] >= 1


TABLES = ("orders", "order_items", "change_hints", "hint_looks")


def held(database: Database, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    """What these tables hold of some orders."""
    return {table: database.rows(f"SELECT * FROM {table} WHERE order_id IN %s", (names,)) for table in TABLES}


def restore(database: Database, tables: dict[str, list[dict[str, Any]]], names: list[str]) -> None:
    """Put tables back as they were; what the merge queued and logged may stay."""
    for table in reversed(tables):
        database.rows(f"DELETE FROM {table} WHERE order_id IN %s", (names,))
    for table, rows in tables.items():
        columns = database.stored_columns(table)
        for row in rows:
            database.rows(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",
                [row[column] for column in columns],
            )


# --- who saw it first ----------------------------------------------------------------------------------


def test_each_change_counts_for_the_run_that_saw_it_first(
    runs: TaskRunner, shop: Emulator, database: Database, hints: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = logged_orders(shop)
    pushed, listed, late = logged[:2], logged[2], logged[3]
    hints.add(*pushed, told=LATER)
    hints.add(*pushed, source="list", told=LATER + MINUTE)
    hints.add(listed, source="list", told=LATER)
    runs.sync("orders", "hints")
    window = {"from": f"{OPENED:%Y-%m-%d}", "to": f"{LOADED:%Y-%m-%d %H:%M:%S}"}
    hints.add(late, told=LATER + MINUTE)
    runs.sync("orders", "rescan", kind="manual", **window)
    runs.at(LATER + 2 * MINUTE)
    runs.sync("orders", "hints")
    # The view reaches 60 days back from the present, and the shop's clock is another one.
    for table, column in (("order_state_log", "observed_at"), ("hint_looks", "told_at")):
        database.rows(f"UPDATE {table} SET {column} = {column} + INTERVAL DATEDIFF(UTC_TIMESTAMP(), %s) DAY", (LATER,))
    rows = database.rows("SELECT source, source_text, changes, rescans_only FROM bi_change_sources")
    found = {row["source"]: row for row in rows}
    assert (found["push"]["changes"], found["push"]["rescans_only"]) == (2, 0)
    assert (found["list"]["changes"], found["list"]["source_text"]) == (1, "变更列表")
    assert found["rescan"]["changes"] == len(logged) - 3
    assert found["rescan"]["rescans_only"] == len(logged) - 4, "a hint on one came a minute later"


WATCHED = ("order_state", "ship_state", "refund_money", "refund_time", "settle_time")
"""What the log of changes watches."""


def logged_orders(shop: Emulator) -> list[str]:
    """Orders that changed between `LOADED` and `LATER` in what the log watches."""
    window = Window(OPENED, LOADED)
    states = []
    for moment in (LOADED, LATER):
        shop.set_clock(f"{moment:%Y-%m-%dT%H:%M:%S}")
        rows = truth_by_id(shop, window)
        states.append({name: [row[column] for column in WATCHED] for name, row in rows.items()})
    return [name for name in states[1] if states[0][name] != states[1][name]]

"""Order list 2.0: what its rows become, and what the DAG's windows bring."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator, running
from support.fixtures import Connect
from support.worlds.runs import TaskRunner
from support.worlds.shop import APP_ID, CLIENT_ID, SECRET, Database, Sync, days, truth_by_id, unlike
from xiaoe.clock import BEIJING
from xiaoe.resources.order_origins import ORDER_ORIGINS
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

OPENED = datetime(2026, 9, 1, tzinfo=BEIJING)
NOW = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
MINUTES = timedelta(minutes=5)


@pytest.fixture(scope="module")
def shop() -> Iterator[Emulator]:
    with running(
        orders=1500, start=f"{OPENED:%Y-%m-%d}", now=f"{NOW:%Y-%m-%dT%H:%M:%S}", frozen=True, seed=11,
        shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"], no_limits=True,
    ) as emulator:  # fmt: skip
        yield emulator


@pytest.fixture
def runs(shop: Emulator, sync: Sync, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRunner:
    shop.set_clock(f"{NOW:%Y-%m-%dT%H:%M:%S}")
    shop.set_faults()
    connect(shop)
    return TaskRunner(shop, monkeypatch, tmp_path / "runs")


def changed(runs: TaskRunner, **window: Any) -> Counter[str]:
    """A run of the DAG."""
    return runs.sync("order_origins", "incremental", kind="manual" if window else "scheduled", **window)


def wrong(database: Database, shop: Emulator, since: datetime) -> list[str]:
    """How origins and lines of the orders that changed since differ from the truth; [] is equal."""
    truth = {str(row["order_id"]): row for row in shop.truth_order_origins(APP_ID)}
    names = [name for name, row in truth.items() if moment(row["update_time"]) >= since]
    lines = [row for row in shop.truth_order_lines(APP_ID) if row["order_id"] in set(names)]
    assert names
    held = "SELECT * FROM {} WHERE order_id IN %s"
    return [
        *unlike(database.rows(held.format("order_origins"), (names,)), [truth[name] for name in names], "order_id"),
        *unlike(database.rows(held.format("order_lines"), (names,)), lines, "order_id"),
    ]


def moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text)).replace(tzinfo=BEIJING)


def hinted(database: Database) -> set[str]:
    return {row["order_id"] for row in database.rows("SELECT order_id FROM change_hints WHERE source = 'list'")}


# --- one row -------------------------------------------------------------------------------------------

LINE = {"sku_id": "s_1", "goods_name": "课", "buy_num": "2", "total_price": 19800}
INFO = {"order_id": "o_1", "order_state": 4, "actual_fee": "19800", "update_time": "2026-11-20 11:00:00"}


@pytest.mark.parametrize(
    "row",
    [
        {"order_info": INFO, "good_list": [LINE]},
        {"order_info": INFO, "goods_info": {"goods_list": [LINE]}},
        {"order_info": INFO, "good_list": [LINE], "goods_info": [], "payment_info": []},
        {**INFO, "good_list": [LINE]},
    ],
    ids=["good_list", "goods_info", "empty groups are arrays", "without groups"],
)
def test_both_nestings_of_lines_are_read(row: dict[str, Any]) -> None:
    reader = ORDER_ORIGINS.reader
    raw = json.dumps(row, ensure_ascii=False).encode()
    typed = dict(zip(reader.columns, reader.row(raw), strict=True))
    assert reader.key(raw) == typed["order_id"] == "o_1"
    assert (typed["order_list_2_state"], typed["order_list_2_state_text"]) == (4, "已完成")
    assert typed["actual_fee"] == "198.00"
    [line] = json.loads(typed["lines_json"])
    assert (line["sku_id"], line["buy_num"], line["total_price"]) == ("s_1", 2, "198.00")
    assert typed["problem_columns"] is None


def test_a_row_that_cannot_be_typed_is_kept_without_the_buyer() -> None:
    raw = json.dumps({"order_info": {"order_state": 4}, "buyer_info": {"phone": "13800138000"}, "good_list": []})
    kept = json.loads(ORDER_ORIGINS.reader.kept(raw.encode()))
    assert kept == {"order_info": {"order_state": 4}, "good_list": []}


# --- the DAG -------------------------------------------------------------------------------------------


def test_a_run_brings_what_changed_and_a_hint_for_each(runs: TaskRunner, shop: Emulator, database: Database) -> None:
    changed(runs)
    assert wrong(database, shop, NOW - days(7)) == []
    assert hinted(database) == {row["order_id"] for row in database.rows("SELECT order_id FROM order_origins")}
    assert database.rows("SELECT * FROM orders") == []
    told = database.rows("SELECT h.* FROM change_hints AS h NATURAL JOIN order_origins AS o WHERE h.changed_at IS NULL")
    assert told == []


def test_the_same_again_gives_no_hint(runs: TaskRunner, shop: Emulator, database: Database) -> None:
    changed(runs)
    database.rows("DELETE FROM change_hints")
    runs.at(NOW + MINUTES)
    shop.set_clock(f"{NOW:%Y-%m-%dT%H:%M:%S}")  # nothing happens in the shop
    counts = changed(runs)
    assert counts["inserted"] == counts["updated"] == 0
    assert hinted(database) == set()


def test_days_of_silence_are_caught_up_in_one_run(runs: TaskRunner, shop: Emulator, database: Database) -> None:
    silent = runs.at(NOW - days(40))
    changed(runs)
    database.rows("DELETE FROM change_hints")
    before = {str(row["order_id"]): row for row in shop.truth_order_origins(APP_ID)}
    runs.at(NOW)
    changed(runs)
    assert wrong(database, shop, silent - days(7)) == []
    truth = {str(row["order_id"]): row for row in shop.truth_order_origins(APP_ID)}
    assert hinted(database) >= {name for name, row in truth.items() if row != before.get(name)}
    [row] = database.rows("SELECT watermark FROM sync_status WHERE resource = 'order_origins'")
    assert row["watermark"] == NOW.replace(tzinfo=None)


def test_no_call_asks_for_more_than_the_interface_allows(runs: TaskRunner, database: Database) -> None:
    """At most 31 days a window, 100 rows a page."""
    runs.at(NOW - days(60))
    changed(runs)
    runs.at(NOW)
    folder = RunFolder(Path(runs.stage("order_origins", "incremental").removeprefix("file://")))
    manifest = folder.read_manifest()
    assert manifest.window.end - manifest.window.begin > days(60)
    assert all(slice_.end - slice_.begin < days(31) for slice_ in manifest.slices)
    assert all(slice_.api_total == slice_.staged for slice_ in manifest.slices)


def test_an_order_that_changes_while_the_list_is_read_comes_with_the_next_run(
    runs: TaskRunner, shop: Emulator, database: Database
) -> None:
    changed(runs)
    name = database.value(
        "SELECT order_id FROM order_origins WHERE order_list_2_state = 4 ORDER BY update_time DESC LIMIT 1"
    )
    about = runs.context()
    runs.at(NOW + MINUTES)
    folder = runs.stage("order_origins", "incremental", about)
    shop.amend_order(name, settled_at=f"{NOW + MINUTES + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}")
    runs.merge("order_origins", "incremental", folder, about)
    runs.at(NOW + 2 * MINUTES)
    database.rows("DELETE FROM change_hints")
    changed(runs)
    assert name in hinted(database)
    assert wrong(database, shop, NOW) == []


def test_lines_that_an_order_no_longer_has_go(runs: TaskRunner, shop: Emulator, database: Database) -> None:
    changed(runs)
    [row] = database.rows("SELECT * FROM order_lines ORDER BY order_id LIMIT 1")
    columns = [name for name in row if name not in ("line_no",)]
    database.rows(
        f"INSERT INTO order_lines (line_no, {', '.join(columns)}) SELECT 2, {', '.join(columns)} FROM order_lines"
    )
    # Typed again, as after an update that changed the rules.
    database.rows("UPDATE order_origins SET raw_hash = 0, row_hash = 0")
    changed(runs, **{"from": f"{NOW - days(7):%Y-%m-%d %H:%M:%S}", "to": f"{NOW:%Y-%m-%d %H:%M:%S}"})
    assert database.value("SELECT MAX(line_no) FROM order_lines") == 1


def test_what_the_list_tells_of_reaches_orders_through_the_other_list_alone(
    runs: TaskRunner, shop: Emulator, sync: Sync, database: Database
) -> None:
    """A refund on day 70, which neither a rescan of 15 days nor an after-sale brings."""
    window = Window(OPENED, NOW)
    sync.run(window)
    changed(runs)
    database.rows("DELETE FROM change_hints")
    [paid] = database.rows(
        "SELECT order_id FROM orders WHERE order_state = 1 AND price > 0 AND created_time < '2026-09-12'"
        " AND order_id NOT IN (SELECT order_id FROM order_origins) ORDER BY order_id LIMIT 1"
    )
    name = paid["order_id"]
    shop.amend_order(name, refunded_at=f"{NOW + timedelta(minutes=2):%Y-%m-%dT%H:%M:%S}")
    runs.at(NOW + MINUTES)
    changed(runs)
    assert name in hinted(database)
    assert database.value("SELECT order_state FROM orders WHERE order_id = %s", (name,)) == 1
    runs.at(NOW + MINUTES + timedelta(seconds=30))
    runs.sync("orders", "hints")
    held = database.rows("SELECT * FROM orders WHERE order_id = %s", (name,))
    assert unlike(held, [truth_by_id(shop, Window(OPENED, NOW))[name]], "order_id") == []
    assert held[0]["order_state"] == 10
    looks = database.rows("SELECT source, outcome FROM hint_looks WHERE order_id = %s", (name,))
    assert looks == [{"source": "list", "outcome": "changed"}]
    assert hinted(database) == set()

"""Shops with more rows than a list tells: read in halves, merged as one, equal to the truth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator, running
from support.faults.processes import KillSwitch, killed_everywhere
from support.fixtures import Connect, servers
from support.worlds.conformance import Item, under_test
from support.worlds.runs import EVERYTHING_LISTED as WHOLE
from support.worlds.runs import Interrupted, TaskRunner, unhurried, write_list
from support.worlds.shop import (
    APP_ID,
    CLIENT_ID,
    END,
    NOW,
    SECRET,
    Database,
    Sync,
    days,
    differences,
    unbalanced,
    unlike,
)
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeIncompleteError
from xiaoe.resources.base import Resource
from xiaoe.resources.live_streams import LIVE_STREAMS
from xiaoe.resources.products import PRODUCTS
from xiaoe.resources.refunds import REFUNDS
from xiaoe.resources.users import USERS
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder
from xiaoe.sync.rebuild import rebuild
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql
on_one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
"""What rests on the API and on no server's SQL."""

MIDNIGHT = datetime(2026, 11, 20, tzinfo=BEIJING)
SIX_DAYS = Window(MIDNIGHT - days(6), MIDNIGHT)
"""One slice."""
MONTH = Window(END - days(31), END)
SHOP = {"now": NOW, "frozen": True, "seed": 7, "shop": [f"{APP_ID}:{CLIENT_ID}:{SECRET}"], "no_limits": True}
CAPPED = ["orders", "refunds", "users", "products"]


@pytest.fixture(scope="module")
def large() -> Iterator[Emulator]:
    """25,000 orders and some 12,500 users of six days, behind lists that end at 10,000."""
    shop = {**SHOP, "now": MIDNIGHT.replace(tzinfo=None).isoformat(), "start": f"{SIX_DAYS.begin:%Y-%m-%d}"}
    with running(orders=25_000, capped=CAPPED, **shop) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def small() -> Iterator[Emulator]:
    """800 orders and some 450 users of a month, behind lists that end at 100."""
    with running(orders=800, start="2026-10-20", capped=CAPPED, cap_rows=100, **SHOP) as emulator:
        yield emulator


@pytest.fixture
def capped(small: Emulator, sync: Sync, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The small shop with its clock set back and all users shown; its cap is known."""
    small.set_clock(NOW)
    small.set_faults()
    small.set_users(share=1, vanish_share=0, vanish_at=NOW)
    connect(small, page_size=20)
    monkeypatch.setenv("XIAOE_LIST_CAP", "100")
    return small


@pytest.fixture
def runs(capped: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRunner:
    """The tasks of the DAGs at the shop's time."""
    return TaskRunner(capped, monkeypatch, tmp_path / "runs")


def wrong_users(database: Database, api: Emulator) -> list[str]:
    held = database.rows("SELECT * FROM users WHERE absent_since IS NULL AND is_inferred = 0")
    return unlike(held, api.truth_users(APP_ID), "user_id")


def absent(database: Database) -> set[str]:
    return {row["user_id"] for row in database.rows("SELECT user_id FROM users WHERE absent_since IS NOT NULL")}


def calls(api: Emulator) -> int:
    return sum(int(number) for name, number in dict(api.stats()["calls"]).items() if name != "token")  # type: ignore[call-overload]


# --- at full size --------------------------------------------------------------------------------------


@on_one_server
def test_twelve_thousand_users_behind_a_list_that_ends_at_ten_thousand(
    sync: Sync, database: Database, large: Emulator, connect: Connect
) -> None:
    connect(large, page_size=50)
    folder, manifest = sync.stage(WHOLE, resource=USERS, mode="whole", moves=True)
    [whole] = manifest.slices
    counts = sync.merge(folder, manifest)
    assert counts["inserted"] == counts["staged"] == whole.staged > 12_000
    assert wrong_users(database, large) == []
    assert (whole.proof, whole.lists_undated) == ("parts", False)
    [line] = database.rows("SELECT * FROM sync_windows")
    assert (line["window_start"], line["window_end"]) == (WHOLE.begin.replace(tzinfo=None), END.replace(tzinfo=None))
    assert line["api_total"] == line["staged"] == counts["inserted"]
    assert sync.watermark("whole", "users") == END


@on_one_server
def test_twenty_five_thousand_orders_of_one_window_behind_a_list_that_ends_at_ten_thousand(
    sync: Sync, database: Database, large: Emulator, connect: Connect
) -> None:
    connect(large, page_size=200)
    assert sync.run(SIX_DAYS, moves=True)["inserted"] == 25_000
    assert differences(database, large, SIX_DAYS) == []
    lines = database.rows("SELECT * FROM sync_windows ORDER BY window_start")
    assert len(lines) == 4
    assert max(line["api_total"] for line in lines) < 9_500
    ends = [moment.replace(tzinfo=None) for moment in (SIX_DAYS.begin, SIX_DAYS.end)]
    assert [lines[0]["window_start"], lines[-1]["window_end"]] == ends
    assert [line["window_end"] for line in lines[:-1]] == [line["window_start"] for line in lines[1:]]
    assert unbalanced(database) == []
    assert sync.watermark("history") == MIDNIGHT


# --- in small, on every server -------------------------------------------------------------------------


def test_orders_and_after_sales_above_the_cap_equal_the_truth(sync: Sync, database: Database, capped: Emulator) -> None:
    sync.run(MONTH)
    assert differences(database, capped, MONTH) == []
    sync.run(MONTH, resource=unhurried(REFUNDS))
    held = database.rows("SELECT * FROM refunds")
    assert unlike(held, capped.truth_refunds(APP_ID), "aftersale_id") == []
    lines = database.rows("SELECT resource, COUNT(*) AS parts, MAX(api_total) AS most FROM sync_windows GROUP BY 1")
    assert {line["resource"] for line in lines} == {"orders", "refunds"}
    assert max(line["most"] for line in lines) < 95
    assert unbalanced(database) == []
    before = database.snapshot()
    assert sync.run(MONTH)["unchanged"] > 700
    after = database.snapshot()
    assert [table for table in after if after[table] != before[table]] == ["sync_windows"]


def test_who_leaves_a_list_read_in_parts_is_marked_and_nobody_else(
    sync: Sync, database: Database, capped: Emulator
) -> None:
    first = sync.stage(WHOLE, resource=USERS, mode="whole", moves=True)
    sync.merge(*first)
    assert wrong_users(database, capped) == []
    everyone = {str(row["user_id"]) for row in capped.truth_users(APP_ID)}
    assert len(everyone) > 300
    assert sync.run(WHOLE, resource=USERS, mode="whole")["absent"] == 0
    assert absent(database) == set()

    capped.set_users(vanish_share=0.2, vanish_at=NOW)
    gone = everyone - {str(row["user_id"]) for row in capped.truth_users(APP_ID)}
    folder, manifest = sync.stage(WHOLE, resource=USERS, mode="whole", moves=True)
    assert manifest.slices[0].passes == first[1].slices[0].passes + 1, "asked once more before anybody is marked"
    assert sync.merge(folder, manifest)["absent"] == len(gone) > 50
    assert absent(database) == gone
    assert wrong_users(database, capped) == []

    capped.set_users(vanish_share=0)
    counts = sync.run(WHOLE, resource=USERS, mode="whole", moves=True)
    assert (counts["updated"], counts["inserted"], counts["absent"]) == (len(gone), 0, 0)
    assert absent(database) == set()
    assert wrong_users(database, capped) == []
    assert unbalanced(database) == []


def test_a_user_without_a_time_is_marked_absent_only_by_a_list_that_could_have_him(
    sync: Sync,
    database: Database,
    capped: Emulator,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [b'{"user_id":"u_undated"}', b'{"user_id":"u_dated","user_created_at":"2026-10-25 10:00:00"}']
    sync.merge(*write_list(USERS, tmp_path, rows, END - days(1)))
    sync.run(WHOLE, resource=USERS, mode="whole")
    assert absent(database) == {"u_dated"}, "its day was read to the last row"
    with running(orders=800, start="2026-10-20", cap_rows=0, **SHOP) as uncapped:
        connect(uncapped)
        sync.run(WHOLE, resource=USERS, mode="whole")
    assert absent(database) == {"u_dated", "u_undated"}


def test_a_rebuild_from_the_pages_of_halves_brings_the_same_tables(
    runs: TaskRunner, sync: Sync, database: Database, tmp_path: Path
) -> None:
    runs.sync("users", "whole")
    runs.sync("orders", "deep_rescan")
    before = _merged_rows(database)
    assert len(before["sync_windows"]) > 10
    database.empty("api_tokens")
    totals, refused = rebuild(tmp_path / "runs", sync.warehouse)
    assert refused == []
    assert totals["windows"] == 2
    assert _merged_rows(database) == before


def _merged_rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    found = {table: database.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in ("users", "orders")}
    line = "resource, mode, window_start, window_end, observed_at, api_total, staged, passes"
    return {**found, "sync_windows": database.rows(f"SELECT {line} FROM sync_windows ORDER BY 1, 3")}


# --- tries ---------------------------------------------------------------------------------------------

SOME_DAYS = Window(END - days(6), END)


@on_one_server
def test_a_stage_killed_at_any_file_goes_on_with_its_halves(
    sync: Sync, database: Database, capped: Emulator, connect: Connect
) -> None:
    connect(capped, page_size=100)
    undisturbed = rows_of_orders(sync, database, sync.stage(SOME_DAYS, run_id="undisturbed"))
    points = 0

    def stage() -> tuple[RunFolder, Manifest]:
        return sync.stage(SOME_DAYS, run_id=f"run-{points}")

    for _ in killed_everywhere(stage, KillSwitch.at_each_file):
        folder = RunFolder.of(sync.store, shop_id=APP_ID, resource="orders", window=SOME_DAYS, run_id=f"run-{points}")
        finished, stored, asked = folder.manifest_path.exists(), pages_in(folder), calls(capped)
        assert rows_of_orders(sync, database, stage()) == undisturbed
        assert finished or calls(capped) - asked == pages_in(folder) - stored
        points += 1
    assert points > 6
    assert differences(database, capped, SOME_DAYS) == []


def rows_of_orders(sync: Sync, database: Database, staged: tuple[RunFolder, Manifest]) -> list[dict[str, Any]]:
    database.empty("api_tokens")
    sync.merge(*staged)
    return database.content()["orders"]


def pages_in(folder: RunFolder) -> int:
    return len(list(Path(folder.path).rglob("page-*.json.gz")))


@on_one_server
def test_users_interrupted_in_the_middle_of_halving_go_on(sync: Sync, database: Database, capped: Emulator) -> None:
    class Stopped(Exception):
        pass

    def stop(fetched: int) -> None:
        if fetched == 12:
            raise Stopped

    with pytest.raises(Stopped):
        sync.stage(WHOLE, resource=USERS, run_id="run", hook=Interrupted(stop))
    assert database.value("SELECT COUNT(*) FROM users") == 0
    asked = calls(capped)
    folder, manifest = sync.stage(WHOLE, resource=USERS, run_id="run")
    resumed = calls(capped) - asked
    sync.merge(folder, manifest)
    assert wrong_users(database, capped) == []
    asked = calls(capped)
    sync.stage(WHOLE, resource=USERS, run_id="another")
    assert calls(capped) - asked == resumed + 11


# --- what cannot be halved -----------------------------------------------------------------------------


def test_products_behind_a_list_that_ends_at_the_cap_fail_by_name_and_change_nothing(
    runs: TaskRunner, database: Database, connect: Connect
) -> None:
    before = database.snapshot()
    with pytest.raises(XiaoeIncompleteError, match=r"products .*perhaps as far as it counts.*no filter by time"):
        runs.sync("products", "whole")
    after = database.snapshot()
    assert [table for table in after if after[table] != before[table]] == ["sync_status"]
    [status] = database.rows("SELECT * FROM sync_status")
    assert (status["resource"], status["status"], status["watermark"]) == ("products", "failed", None)
    assert "XIAOE_LIST_CAP" in status["message"]


@pytest.mark.parametrize("resource", [PRODUCTS, LIVE_STREAMS], ids=lambda resource: resource.name)
def test_a_list_without_a_filter_whose_pages_go_on_behind_the_cap_rests_on_its_end(
    database: Database, resource: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows twice up to an empty page; a row that the second reading lacks asks for a third and a fourth."""
    monkeypatch.setenv("XIAOE_LIST_CAP", "100")
    with under_test(database, resource, "apptest1", 20) as shop:
        shop.server.items = [Item(number) for number in range(130)]
        shop.server.set(lambda to, response: {"total": 100})
        folder, manifest = shop.stage()
        [whole] = manifest.slices
        assert (whole.proof, whole.passes, whole.staged) == ("end", 2, 130)
        shop.sync.merge(folder, manifest)
        assert shop.wrong() == []
        assert unbalanced(database) == []

        hidden = {"rows": [], "total": 100}
        shop.server.set(lambda to, response: hidden if (response.reading, response.page) == (2, 6) else {"total": 100})
        assert shop.run()["absent"] == 0
        assert shop.wrong() == []
        assert shop.ledger()["passes"] == 4

        before = database.snapshot()
        del shop.server.items[100:]
        shop.server.set()
        with pytest.raises(XiaoeIncompleteError, match="perhaps as far as it counts"):
            shop.run()
        assert database.snapshot() == before, "an end after exactly as many rows as the cap may be the cap's"


@on_one_server
def test_a_second_with_more_orders_than_the_cap_is_red_by_name_and_the_watermark_stays(
    database: Database, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some seventy orders a second, and a call for one second may bring three."""
    monkeypatch.setenv("XIAOE_LIST_CAP", "100")
    shop = {**SHOP, "now": "2026-11-20T00:05:00"}
    with running(orders=20_000, start="2026-11-20", even=True, capped=["orders"], cap_rows=100, **shop) as dense:
        connect(dense, page_size=100)
        runs = TaskRunner(dense, monkeypatch, tmp_path / "runs")
        runs.now = datetime(2026, 11, 20, 0, 5, tzinfo=BEIJING)
        with pytest.raises(XiaoeIncompleteError) as raised:
            runs.sync("orders", "incremental")
    message = str(raised.value)
    assert "orders 2026-11-20 00:0" in message
    assert "the API says 100 rows" in message
    assert "nothing finer apart than a second" in message
    assert database.value("SELECT COUNT(*) FROM orders") == database.value("SELECT COUNT(*) FROM sync_windows") == 0
    [status] = database.rows("SELECT * FROM sync_status")
    assert (status["status"], status["watermark"], status["message"]) == ("failed", None, message)

"""Orders too old for the rescan: a refund that reaches `refunds` reaches them too, with the same hourly run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator, running
from support.fixtures import Connect, servers
from support.worlds.runs import HOUR, TaskRunner
from support.worlds.shop import (
    APP_ID,
    CLIENT_ID,
    NOW,
    SECRET,
    START,
    Database,
    Sync,
    days,
    truth_by_id,
    unbalanced,
    unlike,
)  # fmt: skip
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeBusyError, XiaoeConfigError, XiaoeReconciliationError
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.stage import lookup
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql
on_one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
"""What rests on the API and on no server's SQL."""

LIST = "xe.order.list.get/1.0.1"
RESCANNED = days(15)
SETTLED = days(3)
LOADED = datetime(2026, 10, 2, 20, tzinfo=BEIJING)


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Whether `order_id` is bound to the time filter is not documented: tests for `either` run with both."""
    with running(
        orders=3000, start="2026-09-01", now=NOW, frozen=True, seed=7, shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
        no_limits=True, order_id_window=getattr(request, "param", "applied"),
    ) as emulator:  # fmt: skip
        yield emulator


either = pytest.mark.parametrize("shop", ["applied", "ignored"], indirect=True)


@pytest.fixture
def runs(shop: Emulator, sync: Sync, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRunner:
    """The shop with its clock set back and no faults, and an empty warehouse."""
    shop.set_clock(NOW)
    shop.set_faults()
    connect(shop)
    return TaskRunner(shop, monkeypatch, tmp_path / "runs")


@pytest.fixture
def loaded(runs: TaskRunner, sync: Sync) -> datetime:
    """All orders and after-sales up to 2 October are in the warehouse; what becomes of them is not."""
    now = runs.at(LOADED)
    sync.run(Window(START, now))
    runs.refunds()
    return now


def moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text)).replace(tzinfo=BEIJING)


@lru_cache(maxsize=4)
def _truth(url: str, now: str) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    api = Emulator(url)
    return truth_by_id(api, Window(START, moment(now))), list(api.truth_refunds(APP_ID))


def all_orders(api: Emulator) -> dict[str, dict[str, Any]]:
    return _truth(api.url, str(api.clock()["now"]))[0]


def after_sales(api: Emulator) -> list[dict[str, Any]]:
    return _truth(api.url, str(api.clock()["now"]))[1]


def named(runs: TaskRunner, since: datetime) -> dict[str, datetime]:
    """Orders too old for the rescan that after-sales changed since a moment name → the latest change."""
    created = {key: moment(row["created_time"]) for key, row in all_orders(runs.api).items()}
    found: dict[str, datetime] = {}
    for row in after_sales(runs.api):
        changed = moment(row["updated_at"])
        if changed >= since and created[row["order_id"]] < runs.now - RESCANNED:
            found[row["order_id"]] = max(changed, found.get(row["order_id"], changed))
    return found


def stale(database: Database, api: Emulator, names: Collection[str]) -> list[str]:
    """How these orders differ from the truth."""
    truth = all_orders(api)
    held = database.rows("SELECT * FROM orders WHERE order_id IN %s", (list(names) or [""],))
    return unlike(held, [truth[name] for name in names], "order_id")


def order(database: Database, name: str) -> dict[str, Any]:
    [row] = database.rows("SELECT * FROM orders WHERE order_id = %s", (name,))
    return row


def status(database: Database, mode: str = "late") -> dict[str, Any]:
    [row] = database.rows("SELECT * FROM sync_status WHERE resource = 'orders' AND mode = %s", (mode,))
    return row


def list_calls(api: Emulator) -> int:
    return api.stats()["calls"].get(LIST, 0)


def hidden(name: str) -> dict[str, Any]:
    """The API does not list this order when it is asked for by its id."""
    return {"kind": "lost_rows", "interface": LIST, "order_id": name, "page_index": 1, "times": None}


def refunded_on_day_40(api: Emulator) -> tuple[str, datetime]:
    """The order whose refund came closest to 40 days after it, and when."""
    api.set_clock(NOW)
    refunded = [row for row in all_orders(api).values() if row["refund_time"]]
    row = min(refunded, key=lambda row: abs(moment(row["refund_time"]) - moment(row["created_time"]) - days(40)))
    age = moment(row["refund_time"]) - moment(row["created_time"])
    assert days(38) < age < days(42)
    return str(row["order_id"]), moment(row["refund_time"])


def shortly_before_day_40(runs: TaskRunner, sync: Sync) -> tuple[str, datetime]:
    """All orders of two hours before that refund are in the warehouse."""
    name, refunded = refunded_on_day_40(runs.api)
    sync.run(Window(START, runs.at(refunded - 2 * HOUR)))
    return name, refunded


# --- what the issue asks for ---------------------------------------------------------------------------


def test_an_after_sale_without_a_time_of_change_brings_its_order_once_a_change_of_it_is_seen(
    runs: TaskRunner, sync: Sync, database: Database
) -> None:
    name, refunded = shortly_before_day_40(runs, sync)
    runs.at(refunded + HOUR)
    runs.sync("refunds", "incremental")
    database.rows("UPDATE refunds SET updated_at = NULL WHERE order_id = %s", (name,))
    database.rows("DELETE FROM refunds WHERE order_id <> %s", (name,))
    assert order(database, name)["refund_time"] is None
    with Warehouse().session() as session:
        read = Window(refunded, refunded + 2 * HOUR)
        [one] = lookup.named_orders(session, APP_ID, read, created_before=refunded - RESCANNED)
        later = Window(refunded + days(1), refunded + days(2))
        assert lookup.named_orders(session, APP_ID, later, created_before=refunded - RESCANNED) == []
    assert one.order_id == name
    assert read.begin <= one.changed < read.end


@either
def test_a_refund_on_day_40_reaches_refunds_and_orders_with_the_next_hourly_run(
    runs: TaskRunner, sync: Sync, database: Database
) -> None:
    name, refunded = shortly_before_day_40(runs, sync)
    runs.refunds()
    before = order(database, name)
    assert before["refund_time"] is None
    logged = database.value("SELECT COALESCE(MAX(id), 0) FROM order_state_log")

    runs.at(refunded + HOUR)
    merged, looked_up = runs.refunds()
    assert merged["updated"] + merged["inserted"] >= 1
    assert looked_up["updated"] >= 1
    [refund] = database.rows("SELECT * FROM refunds WHERE order_id = %s AND state IN (13, 14)", (name,))
    after = order(database, name)
    assert after["refund_time"] == refunded.replace(tzinfo=None)
    assert after["refund_money"] == refund["refund_money"] > 0
    assert after["order_state"] in (3, 10, 11)
    assert stale(database, runs.api, {name}) == []
    log = database.rows("SELECT * FROM order_state_log WHERE order_id = %s AND id > %s", (name, logged))
    assert {row["field"]: row["new_value"] for row in log} == {
        "order_state": str(after["order_state"]),
        "refund_money": str(after["refund_money"]),
        "refund_time": str(after["refund_time"]),
    }
    assert database.wrong_lines() == []
    assert unbalanced(database) == []


@either
def test_hour_by_hour_every_old_order_that_an_after_sale_names_equals_the_truth(
    runs: TaskRunner, database: Database, loaded: datetime
) -> None:
    """Days of runs at odd distances; no rescan helps."""
    now, changed = loaded, 0
    for hours in (1, 20, 48, 2, 72):
        now = runs.at(now + hours * HOUR)
        before = database.value("SELECT COALESCE(MAX(id), 0) FROM order_state_log")
        _, looked_up = runs.refunds()
        lookup = named(runs, since=now - SETTLED - hours * HOUR)
        assert stale(database, runs.api, lookup) == []
        changed += database.value("SELECT COUNT(*) FROM order_state_log WHERE id > %s", (before,))
        assert looked_up["rejected"] == looked_up["absent"] == 0
    assert changed > 5
    held = database.rows("SELECT * FROM refunds")
    assert unlike(held, after_sales(runs.api), "aftersale_id") == []
    assert database.wrong_lines() == []
    assert database.rows("SELECT 1 FROM sync_windows WHERE mode = 'late'") == [], "a look-up covers no window"
    assert status(database)["watermark"] == now.replace(tzinfo=None)


@on_one_server
def test_the_same_with_5_percent_of_failing_calls(runs: TaskRunner, database: Database, loaded: datetime) -> None:
    now = loaded
    runs.api.set_faults(rate=0.05, kinds=["http_500", "http_429", "cut", "non_json", "code_1001", "code_2008"])
    for _ in range(3):
        now = runs.at(now + 12 * HOUR)
        runs.refunds()
        assert stale(database, runs.api, named(runs, since=now - SETTLED - 12 * HOUR)) == []
    assert unlike(database.rows("SELECT * FROM refunds"), after_sales(runs.api), "aftersale_id") == []


# --- which orders are asked for ------------------------------------------------------------------------


@on_one_server
def test_of_a_whole_history_only_orders_not_seen_since_are_asked_for(
    runs: TaskRunner, sync: Sync, database: Database
) -> None:
    """The history was read now, so all that may still change are the last three days' after-sales."""
    now = runs.at(datetime(2026, 10, 10, 20, tzinfo=BEIJING))
    sync.run(Window(START, now))
    about = runs.context()
    folder = runs.stage("refunds", "incremental", about)
    runs.merge("refunds", "incremental", folder, about)
    calls = list_calls(runs.api)
    runs.late(folder, about)
    lookup = named(runs, since=START - days(9))
    fresh = [name for name, changed in lookup.items() if changed + SETTLED > now]
    assert len(lookup) > 10
    assert list_calls(runs.api) - calls == len(fresh) > 3


@on_one_server
def test_a_later_look_at_the_window_saves_the_calls(runs: TaskRunner, sync: Sync, database: Database) -> None:
    """The refunds were behind for ten days; meanwhile somebody read the orders' windows again."""
    now = runs.at(datetime(2026, 10, 5, 20, tzinfo=BEIJING))
    sync.run(Window(START, now))
    runs.refunds()
    now = runs.at(now + days(10))
    sync.run(Window(START, now - days(25)), mode="deep_rescan")
    sync.run(Window(now - RESCANNED, now), mode="rescan")
    about = runs.context()
    folder = runs.stage("refunds", "incremental", about)
    runs.merge("refunds", "incremental", folder, about)
    calls = list_calls(runs.api)
    assert runs.late(folder, about)["staged"] > 0
    lookup = named(runs, since=runs.now - days(13))
    created = {key: moment(row["created_time"]) for key, row in all_orders(runs.api).items()}
    again = [name for name, changed in lookup.items() if created[name] < now - days(25) and changed + SETTLED <= now]
    assert len(again) > 1
    assert list_calls(runs.api) - calls == len(lookup) - len(again)
    assert stale(database, runs.api, lookup) == []


@on_one_server
def test_orders_of_the_last_days_are_left_to_the_rescan(runs: TaskRunner, sync: Sync, database: Database) -> None:
    now = runs.at(START + days(14))
    sync.run(Window(START, now))
    calls = list_calls(runs.api)
    merged, looked_up = runs.refunds()
    assert merged["staged"] > 10
    assert looked_up["staged"] == 0
    assert list_calls(runs.api) == calls


@on_one_server
@either
def test_an_order_that_nobody_knows_is_asked_for_while_its_after_sale_is_fresh(
    runs: TaskRunner, database: Database
) -> None:
    """No history yet. Without the order's time only the API's default window is certain."""
    now = runs.at(datetime(2026, 10, 10, 20, tzinfo=BEIJING))
    about = runs.context()
    folder = runs.stage("refunds", "incremental", about)
    runs.merge("refunds", "incremental", folder, about)
    calls = list_calls(runs.api)
    runs.late(folder, about)
    fresh = {row["order_id"] for row in after_sales(runs.api) if moment(row["updated_at"]) + SETTLED > now}
    assert list_calls(runs.api) - calls == len(fresh) > 3
    held = {row["order_id"] for row in database.rows("SELECT order_id FROM orders")}
    yesterday = {name for name, row in all_orders(runs.api).items() if moment(row["created_time"]) >= now - days(1)}
    assert held in (fresh, fresh & yesterday)  # of an API that ignores, and that applies the window
    assert stale(database, runs.api, held) == []
    assert status(database)["status"] == "success"


@on_one_server
def test_what_is_looked_up_names_its_users_and_products(runs: TaskRunner, database: Database, loaded: datetime) -> None:
    database.rows("DELETE FROM users")
    database.rows("DELETE FROM products")
    now = runs.at(loaded + days(1))
    runs.refunds()
    lookup = named(runs, since=now - SETTLED)
    held = database.rows("SELECT o.order_id FROM orders o JOIN users u USING (user_id) WHERE u.is_inferred = 1")
    assert lookup.keys() <= {row["order_id"] for row in held}
    assert database.value("SELECT COUNT(*) FROM users WHERE is_inferred = 0") == 0


# --- newer wins ----------------------------------------------------------------------------------------


@cache
def withdrawn_refund(url: str) -> tuple[str, datetime, datetime]:
    """An order that goes 1 → 8 → 1 when it is old: its refund is asked for, and withdrawn. In the shop at this URL."""
    api = Emulator(url)
    now = str(api.clock()["now"])
    api.set_clock(NOW)
    created = {name: moment(row["created_time"]) for name, row in all_orders(api).items()}
    for case in after_sales(api):
        name, asked, withdrawn = case["order_id"], moment(case["created_at"]), moment(case["updated_at"])
        if case["state"] not in (1, 7) or asked < max(created[name] + RESCANNED, LOADED + HOUR):
            continue
        if withdrawn - asked < 4 * HOUR:
            continue
        api.set_clock((asked + HOUR).isoformat())
        second = Window(created[name], created[name] + timedelta(seconds=1))
        state = truth_by_id(api, second)[name]["order_state"]
        api.set_clock(now)
        if state == 8:
            return name, asked, withdrawn
    raise LookupError("the shop has none")


@either
def test_an_order_that_goes_1_8_1_is_not_set_back_by_a_page_read_in_between_and_merged_late(
    runs: TaskRunner, sync: Sync, database: Database, loaded: datetime
) -> None:
    name, asked, withdrawn = withdrawn_refund(runs.api.url)
    assert order(database, name)["order_state"] == 1
    runs.at(asked + HOUR)
    created = moment(order(database, name)["created_time"])
    around = Window(created - days(1), created + days(1))
    in_between = sync.stage(around)
    assert truth_by_id(runs.api)[name]["order_state"] == 8

    runs.at(withdrawn + HOUR)
    runs.refunds()
    looked_up = order(database, name)
    assert looked_up["order_state"] == 1
    assert looked_up["observed_at"] > (withdrawn - timedelta(hours=8)).replace(tzinfo=None), "unchanged, yet written"
    assert sync.merge(*in_between)["staged"] > 0
    assert order(database, name) == looked_up
    assert database.rows("SELECT * FROM order_state_log WHERE order_id = %s", (name,)) == []
    assert stale(database, runs.api, {name}) == []


def test_a_look_up_read_in_between_and_merged_late_does_not_set_an_order_back(
    runs: TaskRunner, sync: Sync, database: Database, loaded: datetime
) -> None:
    """The other way round: a rescan saw the order last, unchanged, and wrote nothing."""
    name, asked, withdrawn = withdrawn_refund(runs.api.url)
    runs.at(asked + HOUR)
    about = runs.context()
    folder = runs.stage("refunds", "incremental", about)
    runs.merge("refunds", "incremental", folder, about)
    in_between = runs.stage("orders", "late", about, named_by=folder)

    runs.at(withdrawn + HOUR)
    created = moment(order(database, name)["created_time"])
    sync.run(Window(created - days(1), created + days(1)), mode="deep_rescan")
    before = order(database, name)
    assert runs.merge("orders", "late", in_between, about)["staged"] > 0
    assert order(database, name) == before
    assert before["order_state"] == 1
    assert stale(database, runs.api, {name}) == []


def test_a_merge_repeated_changes_nothing(runs: TaskRunner, database: Database, loaded: datetime) -> None:
    runs.at(loaded + days(2))
    about = runs.context()
    folder = runs.stage("refunds", "incremental", about)
    runs.merge("refunds", "incremental", folder, about)
    lookup = runs.stage("orders", "late", about, named_by=folder)
    counts = runs.merge("orders", "late", lookup, about)
    assert counts["inserted"] + counts["updated"] == counts["staged"] > 2
    before = database.snapshot()
    for _ in range(2):
        counts = runs.merge("orders", "late", lookup, about)
        assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (0, 0, counts["staged"])
        runs.merge("refunds", "incremental", folder, about)
        assert database.snapshot() == before


@on_one_server
def test_a_stage_task_that_is_cleared_asks_again(runs: TaskRunner, database: Database, loaded: datetime) -> None:
    runs.at(loaded + days(2))
    about = runs.context()
    folder = runs.stage("refunds", "incremental", about)
    runs.merge("refunds", "incremental", folder, about)
    first = runs.stage("orders", "late", about, named_by=folder)
    calls = list_calls(runs.api)
    assert runs.stage("orders", "late", about, named_by=folder) == first
    assert list_calls(runs.api) - calls >= 2
    runs.merge("orders", "late", first, about)
    assert stale(database, runs.api, named(runs, since=runs.now - SETTLED)) == []


# --- failures ------------------------------------------------------------------------------------------


@either
def test_an_order_that_the_api_does_not_list_fails_by_name_until_somebody_accepts_it(
    runs: TaskRunner, database: Database, loaded: datetime
) -> None:
    name, asked, _ = withdrawn_refund(runs.api.url)
    runs.at(asked + HOUR)
    runs.api.set_faults(next=[hidden(name)])
    before = order(database, name)
    with pytest.raises(XiaoeReconciliationError, match=name) as raised:
        runs.refunds()
    assert "does not list 1 rows that the warehouse holds" in str(raised.value)
    assert "accept_missing" in str(raised.value)
    assert order(database, name) == before
    found = named(runs, since=runs.now - SETTLED).keys() - {name}
    assert found
    assert stale(database, runs.api, found) == [], "each look-up stands for itself"
    assert (status(database)["status"], status(database)["message"]) == ("failed", str(raised.value))

    runs.at(asked + 2 * HOUR)
    _, looked_up = runs.refunds(kind="manual", accept_missing=True)
    assert looked_up["absent"] == 1
    since = order(database, name)["absent_since"]
    assert since is not None
    assert order(database, name)["order_state"] == 1, "kept as it was"
    assert status(database)["status"] == "success"
    others = named(runs, since=runs.now - SETTLED).keys() - {name}
    assert stale(database, runs.api, others) == []


@on_one_server
def test_an_order_that_was_accepted_as_gone_fails_no_later_run(
    runs: TaskRunner, sync: Sync, database: Database, loaded: datetime
) -> None:
    name, asked, _ = withdrawn_refund(runs.api.url)
    runs.at(asked + HOUR)
    runs.api.set_faults(next=[hidden(name)])
    runs.refunds(kind="manual", accept_missing=True)
    since = order(database, name)["absent_since"]
    for hours in (2, 3, 24):
        runs.at(asked + hours * HOUR)
        runs.refunds()
        assert order(database, name)["absent_since"] == since
    runs.api.set_faults()
    created = moment(order(database, name)["created_time"])
    sync.run(Window(created - days(1), created + days(1)), mode="deep_rescan")
    assert order(database, name)["absent_since"] is None, "it came back"
    assert stale(database, runs.api, {name}) == []


@on_one_server
def test_an_order_that_is_hidden_for_a_moment_is_asked_for_twice(
    runs: TaskRunner, database: Database, loaded: datetime
) -> None:
    name, asked, _ = withdrawn_refund(runs.api.url)
    runs.at(asked + HOUR)
    runs.api.set_faults(next=[{**hidden(name), "times": 1}])
    runs.refunds()
    assert order(database, name)["absent_since"] is None
    assert stale(database, runs.api, {name}) == []


@on_one_server
@pytest.mark.parametrize(
    ("kind", "error"), [("code_2017", XiaoeConfigError), ("code_1001", XiaoeBusyError)], ids=["stops", "busy"]
)
def test_a_failure_leaves_the_orders_alone_and_the_next_run_makes_good(
    runs: TaskRunner, database: Database, loaded: datetime, kind: str, error: type[Exception]
) -> None:
    name, asked, _ = withdrawn_refund(runs.api.url)
    before = database.content()
    runs.at(asked + HOUR)
    runs.api.set_faults(next=[{"kind": kind, "interface": LIST, "times": None}])
    with pytest.raises(error):
        runs.refunds()
    assert database.content() == before
    assert status(database)["status"] == "failed"
    assert database.value("SELECT status FROM sync_status WHERE resource = 'refunds'") == "success"
    assert unlike(database.rows("SELECT * FROM refunds"), after_sales(runs.api), "aftersale_id") == []
    runs.api.set_faults()
    runs.at(asked + 2 * HOUR)
    runs.refunds()
    assert order(database, name)["order_state"] == 8
    assert stale(database, runs.api, named(runs, since=runs.now - SETTLED)) == []
    assert status(database)["status"] == "success"


@on_one_server
def test_look_ups_that_failed_for_longer_than_the_overlap_are_made_good_later(
    runs: TaskRunner, database: Database, loaded: datetime
) -> None:
    """The after-sales go on meanwhile, and their watermark with them."""
    now = loaded
    runs.api.set_faults(next=[{"kind": "code_2017", "interface": LIST, "times": None}])
    for _ in range(6):
        now = runs.at(now + days(1))
        with pytest.raises(XiaoeConfigError):
            runs.refunds()
    runs.api.set_faults()
    runs.at(now + HOUR)
    runs.refunds()
    assert stale(database, runs.api, named(runs, since=loaded)) == []


@on_one_server
def test_after_weeks_without_a_run_one_run_makes_good(runs: TaskRunner, database: Database, loaded: datetime) -> None:
    """More orders at once than are asked for at the same time."""
    runs.at(loaded + days(25))
    _, looked_up = runs.refunds()
    assert looked_up["staged"] > 30
    known = truth_by_id(runs.api, Window(START, loaded)).keys()
    assert stale(database, runs.api, named(runs, since=loaded - SETTLED).keys() & known) == []
    assert unlike(database.rows("SELECT * FROM refunds"), after_sales(runs.api), "aftersale_id") == []
    assert database.wrong_lines() == []

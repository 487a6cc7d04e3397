"""Whole windows, from the emulated API into real databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator, running
from support.fixtures import Connect
from support.worlds.runs import TaskRunner
from support.worlds.shop import (
    APP_ID,
    CLIENT_ID,
    END,
    EVERYTHING,
    NOW,
    SECRET,
    START,
    Database,
    Sync,
    days,
    differences,
    truth_by_id,
    unbalanced,
)
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.hints import queue
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.orders import ORDERS
from xiaoe.windows import MAX_SLICE, Plan, Run, Window, plan_history, plan_incremental, plan_rescan, slices

pytestmark = pytest.mark.mysql

OVERLAP, LAG = timedelta(hours=1), timedelta(minutes=1)
LOGGED = ("order_state", "ship_state", "refund_money", "refund_time", "settle_time")


@pytest.fixture
def tasks(sync: Sync, api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TaskRunner:
    return TaskRunner(api, monkeypatch, tmp_path / "tasks")


def test_full_history_equals_the_truth(sync: Sync, database: Database, api: Emulator) -> None:
    counts = sync.run(EVERYTHING)
    assert counts["inserted"] == 3000
    assert differences(database, api) == []
    assert unbalanced(database) == []


def test_history_twice_types_and_writes_nothing_the_second_time(
    sync: Sync, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync.run(EVERYTHING)
    before = database.content()
    monkeypatch.setattr(ORDERS.reader, "row", lambda raw: pytest.fail("an unchanged row was typed"))
    counts = sync.run(EVERYTHING)
    assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (0, 0, counts["staged"])
    assert database.content() == before


def test_history_in_any_order_of_its_weeks(sync: Sync, database: Database, api: Emulator) -> None:
    weeks = [Window(START + days(7 * number), min(START + days(7 * number + 7), END)) for number in range(12)]
    for week in reversed(weeks):
        sync.follow(plan_history(Run("backfill", END, week.begin, week.end), start=START, lag=LAG), "history")
    assert differences(database, api) == []
    assert unbalanced(database) == []


def test_one_run_closes_a_gap_of_three_days(sync: Sync, database: Database, api: Emulator) -> None:
    first = clock(api, END - days(10))
    sync.follow(incremental(sync, first), "incremental")
    assert sync.watermark("incremental") == first - LAG
    later = clock(api, first + days(3))
    plan = incremental(sync, later)
    sync.follow(plan, "incremental")
    assert plan.window == Window(first - LAG - OVERLAP, later - LAG)
    assert differences(database, api, plan.window) == []
    held = database.value("SELECT COUNT(*) FROM orders")
    assert held == len(truth_by_id(api, Window(first - LAG - days(7), later - LAG)))
    assert sync.watermark("incremental") == later - LAG


def test_incremental_every_half_hour_misses_nothing(sync: Sync, database: Database, api: Emulator) -> None:
    begin = END - days(1)
    for number in range(8):
        now = clock(api, begin + timedelta(minutes=30 * number))
        sync.follow(incremental(sync, now), "incremental")
    assert database.value("SELECT COUNT(*) FROM orders") == len(
        truth_by_id(api, Window(begin - LAG - days(7), now - LAG))
    )
    assert differences(database, api, Window(now - LAG - OVERLAP, now - LAG)) == []
    assert unbalanced(database) == []


@pytest.mark.parametrize("with_hints", [False, True], ids=["hints off", "hints on"])
def test_rescans_find_every_change_and_log_exactly_those(
    sync: Sync, database: Database, api: Emulator, tasks: TaskRunner, with_hints: bool
) -> None:
    """The clock goes on by 40 days in steps of an hour to 15 days; each rescan reads the last 15 days again.

    With hints, every other change is told, one of them twice, and looked up before: the log is the same.
    """
    now = tasks.at(START + days(20))
    window = rescan(now).window
    sync.run(window)
    assert differences(database, api, window) == []
    for step in (days(1 / 24), days(0.5), days(1), days(2), days(5), days(7), days(10), days(15) - days(1 / 24)):
        before, known = truth_by_id(api, window), log_ids(database)
        now = tasks.at(now + step)
        plan = rescan(now)
        window = plan.window
        after = truth_by_id(api, window)
        counts = look_up(tasks, told_of(before, after), now) if with_hints else Counter()
        counts += sync.follow(plan, "rescan")
        assert differences(database, api, window) == []
        both = before.keys() & after.keys()
        assert counts["updated"] == sum(before[key] != after[key] for key in both), step
        assert counts["inserted"] == len(after.keys() - before.keys())
        assert log_since(database, known) == changes(before, after), step
        assert unbalanced(database) == []


def test_a_rescan_does_not_touch_the_watermark_of_the_incremental(
    sync: Sync, database: Database, api: Emulator
) -> None:
    sync.follow(incremental(sync, END), "incremental")
    sync.follow(rescan(END), "rescan")
    assert sync.watermark("incremental") == sync.watermark("rescan") == END - LAG
    assert sync.watermark("history") is None


def test_windows_of_people_and_of_backfills_leave_the_watermark_alone(
    sync: Sync, database: Database, api: Emulator
) -> None:
    sync.follow(incremental(sync, END - days(1)), "incremental")
    watermark = sync.watermark("incremental")
    typed = Run("manual", END, window_from="2026-11-18", window_to="2026-11-20 11:00")
    backfill = Run("backfill", END, END - days(2), END - days(1))
    for run in (typed, backfill):
        for mode, plan in (
            ("incremental", plan_incremental(run, watermark, overlap=OVERLAP, lag=LAG, first=START)),
            ("rescan", plan_rescan(run, lookback=days(15), lag=LAG)),
            ("history", plan_history(run, start=START, lag=LAG)),
        ):
            sync.follow(plan, mode)
    assert sync.watermark("incremental") == watermark
    assert sync.watermark("rescan") is None
    assert sync.watermark("history") is None
    assert database.value("SELECT COUNT(*) FROM sync_status WHERE status = 'success'") == 3


def test_the_watermark_waits_for_the_merge(sync: Sync, database: Database, api: Emulator) -> None:
    window = Window(END - days(2), END)
    folder, manifest = sync.stage(window, moves=True, mode="incremental")
    assert sync.watermark("incremental") is None
    gone = folder.path / manifest.slices[0].pages[-1]
    kept = gone.read_bytes()
    gone.unlink()
    with pytest.raises(XiaoeReconciliationError, match=r"page .* is gone"):
        sync.merge(folder, manifest)
    assert sync.watermark("incremental") is None
    assert not any(database.snapshot().values())
    gone.write_bytes(kept)
    sync.merge(folder, manifest)
    assert sync.watermark("incremental") == END
    assert differences(database, api, window) == []


def test_a_late_merge_does_not_move_the_watermark_back(sync: Sync, database: Database, api: Emulator) -> None:
    early = sync.stage(Window(END - days(3), END - days(1)), moves=True, mode="incremental")
    sync.run(Window(END - days(2), END), moves=True, mode="incremental")
    sync.merge(*early)
    assert sync.watermark("incremental") == END
    assert differences(database, api, Window(END - days(3), END)) == []


@pytest.fixture(scope="module", params=[["end_inclusive"], ["end_exclusive"], ["begin_exclusive", "end_exclusive"]])
def edge(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """The same shop; whether a window's own ends belong to it is not documented, so there is one of each kind."""
    with running(
        orders=3000, start="2026-09-01", now=NOW, frozen=True, seed=7, shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
        **dict.fromkeys(request.param, True),
    ) as emulator:  # fmt: skip
        yield emulator


def test_orders_on_the_edge_of_windows_are_there_once(
    sync: Sync, database: Database, edge: Emulator, connect: Connect
) -> None:
    """An order made in the very second where one window ends and the next begins, and where two slices meet."""
    connect(edge, page_size=50)
    edge_time = busiest_second(edge)
    before, behind = Window(edge_time - days(3), edge_time), Window(edge_time, edge_time + days(7))
    for window in (before, behind, Window(before.begin, behind.end)):
        sync.run(window)
        assert differences(database, edge, window) == []
    assert differences(database, edge, Window(before.begin, behind.end)) == []
    content = database.content()
    for window in (behind, before, Window(before.begin, behind.end), Window(before.begin + days(1), behind.end)):
        counts = sync.run(window)
        assert (counts["inserted"], counts["updated"]) == (0, 0)
    assert database.content() == content
    assert unbalanced(database) == []


def test_a_window_of_one_second_holds_the_orders_of_that_second(
    sync: Sync, database: Database, edge: Emulator, connect: Connect
) -> None:
    connect(edge)
    second = busiest_second(edge)
    window = Window(second, second + timedelta(seconds=1))
    sync.run(window)
    assert differences(database, edge, window) == []
    assert database.value("SELECT COUNT(*) FROM orders WHERE created_time = %s", [f"{second:%Y-%m-%d %H:%M:%S}"]) >= 2


def test_slices_that_begin_with_an_order(sync: Sync, database: Database, edge: Emulator, connect: Connect) -> None:
    connect(edge)
    second = busiest_second(edge)
    window = Window(second - 2 * MAX_SLICE, second + 2 * MAX_SLICE + days(4))
    sync.run(window)
    assert differences(database, edge, window) == []
    assert database.value("SELECT COUNT(*) FROM sync_windows") == len(slices(window)) == 5
    assert unbalanced(database) == []


def test_an_empty_window_is_a_success(sync: Sync, database: Database, api: Emulator) -> None:
    """Every shape of nothing that the API has (docs/xiaoe-api.md section 9.3)."""
    for number in range(10):
        window = Window(START - days(20 + number), START - days(19 + number))
        counts = sync.run(window, moves=True)
        assert not any(counts.values())
    assert database.value("SELECT COUNT(*) FROM sync_windows WHERE api_total = 0 AND staged = 0") == 10
    assert database.content() == {"orders": [], "order_items": []}
    assert sync.watermark("history") == START - days(19)


def clock(api: Emulator, moment: datetime) -> datetime:
    """Move shop time."""
    api.set_clock(moment.isoformat())
    return moment


def incremental(sync: Sync, now: datetime) -> Plan:
    """What the DAG's scheduled run of this moment would read."""
    run = Run("scheduled", now, now - timedelta(minutes=30), now)
    watermark = sync.watermark("incremental")
    return plan_incremental(run, watermark, overlap=OVERLAP, lag=LAG, first=now - LAG - days(7))


def told_of(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[str]:
    """Every other order that changed; the first of them once more."""
    names = sorted(name for name in before.keys() & after.keys() if after[name] != before[name])[::2]
    return names + names[:1]


def look_up(tasks: TaskRunner, names: list[str], now: datetime) -> Counter[str]:
    """The shop tells that these orders changed, and the DAG of hints runs."""
    with Warehouse().session() as session:
        queue.add_many(session, [(APP_ID, name) for name in names], "push", None, now)
        session.commit()
    counts = tasks.sync("orders", "hints")
    assert counts["updated"] == len({*names})
    return counts


def rescan(now: datetime) -> Plan:
    """The same for the hourly rescan."""
    return plan_rescan(Run("scheduled", now, now - timedelta(hours=1), now), lookback=days(15), lag=LAG)


def changes(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    """What the log has to say when the shop went from one state to the other."""
    return Counter(
        (key, field, text(before[key][field]), text(after[key][field]))
        for key in before.keys() & after.keys()
        for field in LOGGED
        if before[key][field] != after[key][field]
    )


def text(value: object) -> str | None:
    return None if value is None else str(value)


def log_ids(database: Database) -> int:
    return database.value("SELECT COALESCE(MAX(id), 0) FROM order_state_log")


def log_since(database: Database, last: int) -> Counter[tuple[Any, ...]]:
    rows = database.rows("SELECT order_id, field, old_value, new_value FROM order_state_log WHERE id > %s", (last,))
    return Counter(tuple(row.values()) for row in rows)


def busiest_second(api: Emulator) -> datetime:
    """A second in which several orders were made, with weeks of orders on both sides."""
    middle = Window(START + days(21), START + days(50))
    seconds = Counter(str(row["created_time"]) for row in truth_by_id(api, middle).values())
    [(second, orders)] = seconds.most_common(1)
    assert orders >= 2
    return datetime.fromisoformat(second).replace(tzinfo=BEIJING)

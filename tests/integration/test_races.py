"""Several tasks at once: merges take turns, converge, and no reader ever sees half of one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator
from support.faults.processes import Child, Event, children, together
from support.fixtures import Connect
from support.worlds.shop import APP_ID, END, Database, Sync, days, differences, truth_by_id, unbalanced
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.exceptions import XiaoeRetriableError
from xiaoe.merge import merger
from xiaoe.mysql import session
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

RESCAN = Window(END - days(9), END)
RECENT = Window(END - days(3), END)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge runs its statements several times, so that two merges have a chance to meet."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 60)


@pytest.fixture
def no_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadlock is not tried again but shows."""
    monkeypatch.setattr(session, "TRY_AGAIN", {})


def test_rescan_and_incremental_at_once_again_and_again(
    sync: Sync, database: Database, api: Emulator, connect: Connect, small_chunks: None, no_conflict: None
) -> None:
    connect(api, page_size=50)
    for turn in range(4):
        api.set_clock((END + timedelta(hours=7 * turn)).isoformat())
        together(
            lambda turn=turn: sync.run(RESCAN, mode="rescan", run_id=f"rescan-{turn}", moves=True),
            lambda turn=turn: sync.run(RECENT, mode="incremental", run_id=f"incremental-{turn}", moves=True),
        )
        assert differences(database, api, RESCAN) == []
    assert unbalanced(database) == []
    assert sync.watermark("rescan") == sync.watermark("incremental") == END
    assert database.value("SELECT COUNT(*) FROM sync_windows") == 4 * 3


def test_first_loads_at_once_insert_each_order_once(
    sync: Sync, database: Database, api: Emulator, small_chunks: None, no_conflict: None
) -> None:
    works: list[Callable[[], Any]] = [
        lambda begin=begin: sync.run(Window(END - days(begin), END), run_id=f"of {begin} days")
        for begin in (9, 7, 5, 2)
    ]
    together(*works)
    assert differences(database, api, RESCAN) == []
    assert database.value("SELECT SUM(inserted) FROM sync_windows") == len(truth_by_id(api, RESCAN))
    assert database.value("SELECT SUM(updated) FROM sync_windows") == 0
    assert database.value("SELECT COUNT(*) FROM order_state_log") == 0


@pytest.mark.parametrize("late", ["rescan", "incremental"])
def test_what_was_read_last_wins_whichever_is_merged_last(
    sync: Sync, database: Database, api: Emulator, late: str
) -> None:
    """Both read while the shop changes in between; then both merge, in either order, or at once."""
    sync.run(RESCAN)
    runs = {"rescan": RESCAN, "incremental": RECENT}
    order = [name for name in runs if name != late] + [late]
    for turn in range(2):
        staged = {}
        for name in reversed(order):  # what is merged late was read first
            api.advance(86_400)
            staged[name] = sync.stage(runs[name], mode=name, run_id=f"{name}-{turn}")
        for name in order:
            sync.merge(*staged[name])
        assert differences(database, api, runs[order[0]]) == []
    api.advance(86_400)
    staged = {name: sync.stage(window, mode=name, run_id=f"{name}-last") for name, window in runs.items()}
    together(*(lambda name=name: sync.merge(*staged[name]) for name in runs))
    assert differences(database, api, RESCAN) == []
    assert unbalanced(database) == []


def test_one_token_for_tasks_that_start_at_once(sync: Sync, database: Database, api: Emulator) -> None:
    database.empty()
    issued = api.stats()["tokens_issued"][APP_ID]
    together(*(lambda day=day: sync.stage(Window(END - days(day + 1), END - days(day))) for day in range(4)))
    assert api.stats()["tokens_issued"][APP_ID] == issued + 1
    assert database.value("SELECT issues FROM api_tokens") == 1


def test_a_second_merge_waits_for_the_first(sync: Sync, database: Database, tmp_path: Path) -> None:
    first, second = two_runs(tmp_path)
    with (
        sync.warehouse.session() as session,
        session.lock("merge", APP_ID, "orders"),
        children(lambda: sync.merge(*first)) as [child],
    ):
        wait_until(database, waiting=1)
        assert not any(database.snapshot().values())
        session._release(lock_name(database))
        child.join()
    assert database.value("SELECT COUNT(*) FROM orders") == 3
    assert sync.merge(*second)["unchanged"] == 2


def test_other_shops_and_resources_do_not_wait(sync: Sync, database: Database, tmp_path: Path) -> None:
    first, _ = two_runs(tmp_path)
    with (
        sync.warehouse.session() as session,
        session.lock("merge", "another-shop", "orders"),
        sync.warehouse.session() as other,
        other.lock("merge", APP_ID, "users"),
    ):
        sync.merge(*first)
    assert database.value("SELECT COUNT(*) FROM orders") == 3


def test_who_waits_too_long_gives_up_by_name(sync: Sync, database: Database) -> None:
    with (
        sync.warehouse.session() as session,
        session.lock("merge", APP_ID, "orders"),
        sync.warehouse.session() as other,
        pytest.raises(XiaoeRetriableError, match="another task has held"),
        other.lock("merge", APP_ID, "orders", timeout=0),
    ):
        pytest.fail("the lock was given twice")


def test_the_lock_of_a_killed_merge_is_free(sync: Sync, database: Database, tmp_path: Path) -> None:
    """Killed in the middle of its transaction, while another merge waits for its turn."""
    first, second = two_runs(tmp_path)
    started, never = Event(), Event()

    def stop_before_the_commit() -> None:
        session.Session.commit = hang_when_written  # type: ignore[method-assign]
        sync.merge(*first)

    def hang_when_written(session: session.Session) -> None:
        if session.query("SELECT COUNT(*) FROM orders")[0][0]:
            started.set()
            never.wait()
        session._connection.commit()

    holder = Child(stop_before_the_commit)
    started.wait()
    with children(lambda: sync.merge(*second)) as [other]:
        wait_until(database, waiting=1)
        assert database.value("SELECT COUNT(*) FROM orders") == 0
        holder.kill()
        assert holder.wait() < 0
        other.join()
    assert {row["order_id"] for row in database.rows("SELECT order_id FROM orders")} == {"o_00002", "o_00003"}
    sync.merge(*first)
    assert database.value("SELECT COUNT(*) FROM orders") == 3
    assert database.value("SELECT COUNT(*) FROM sync_windows") == 2


def test_a_reader_never_sees_half_a_window(sync: Sync, database: Database, api: Emulator, small_chunks: None) -> None:
    """It looks again and again, each time in one statement, while window after window is merged and rescanned."""
    windows = [Window(END - days(20 - 4 * number), END - days(16 - 4 * number)) for number in range(5)]
    with reading(database) as seen:
        for number, window in enumerate(windows):
            sync.run(window, run_id=f"window-{number}", moves=True, mode="incremental")
        for number in range(3):
            api.advance(86_400)
            sync.run(Window(windows[0].begin, END), run_id=f"rescan-{number}", mode="rescan")
    looks = {tuple(look.items()) for look in seen}
    assert len(looks) >= 3
    totals = [look["orders"] for look in seen]
    assert totals == sorted(totals)
    for look in seen:
        assert look["without_line"] == look["wrong_line"] == 0
        assert look["orders"] == look["in_the_ledger"]
        assert look["logged"] == 0 or look["rescans"] > 0
        assert look["log_of_rescans"] == look["rescans"]


LOOK = (
    "SELECT (SELECT COUNT(*) FROM orders) AS orders,"
    " (SELECT COALESCE(SUM(inserted), 0) FROM sync_windows) AS in_the_ledger,"
    " (SELECT COUNT(*) FROM orders o LEFT JOIN order_items i USING (shop_id, order_id) WHERE i.order_id IS NULL)"
    " AS without_line,"
    " (SELECT COUNT(*) FROM orders o JOIN order_items i USING (shop_id, order_id)"
    " WHERE NOT (o.price <=> i.amount AND o.title <=> i.title)) AS wrong_line,"
    " (SELECT COUNT(*) FROM order_state_log) AS logged,"
    " (SELECT COUNT(DISTINCT batch_id) FROM sync_windows WHERE mode = 'rescan' AND updated > 0) AS rescans,"
    " (SELECT COUNT(DISTINCT batch_id) FROM order_state_log) AS log_of_rescans"
)


@contextmanager
def reading(database: Database) -> Iterator[list[dict[str, Any]]]:
    """Look into the warehouse from another thread, as fast as it answers, and once more at the end."""
    seen: list[dict[str, Any]] = []
    enough = threading.Event()

    def look() -> None:
        connection = database.connect()
        try:
            with connection.cursor() as cursor:
                while True:
                    last = enough.is_set()
                    cursor.execute(LOOK)
                    seen.extend(cursor.fetchall())
                    if last:
                        return
        finally:
            connection.close()

    reader = threading.Thread(target=look)
    reader.start()
    try:
        yield seen
    finally:
        enough.set()
        reader.join()


def two_runs(store: Path) -> tuple[Any, Any]:
    """Two runs over the same window; the second one was read before order 1 came into being."""
    first = StagedRun([(at(10), [raw_order(1), raw_order(2), raw_order(3)])], run_id="first")
    second = StagedRun([(at(0), [raw_order(2), raw_order(3)])], run_id="second")
    return first.write(store), second.write(store)


def lock_name(database: Database) -> str:
    [row] = database.rows("SELECT DATABASE() AS name")
    return ".".join(("xiaoe", row["name"], "merge", APP_ID, "orders"))


WAITING = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock' AND db = DATABASE()"


def wait_until(database: Database, *, waiting: int) -> None:
    """Until so many connections wait for a lock of this project; fails when they never do."""
    for _ in range(20_000):
        if database.value(WAITING) >= waiting:
            return
    pytest.fail("nobody waits for the lock")

"""SIGKILL at any moment: a retry ends in the same rows, and in between a reader sees all of a window or nothing.

The child that dies is a fork; it dies before each file it would put into its place, and before each SQL
statement and commit, one after the other; the last death is behind the last of them. All of these points are
tried, on both servers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator
from support.faults.chaos import by_level, spread
from support.faults.processes import KillSwitch, killed_everywhere, things_in
from support.fixtures import Connect
from support.worlds.shop import APP_ID, END, Database, Sync, days, differences, truth_by_id
from xiaoe.merge import merger
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

SPAN = Window(END - days(13), END - days(11))
PAGES = 7
SEEN = "observed_at", "first_seen_at", "last_seen_at"
"""Columns that tell when a page was fetched: another one after a retry of the stage task."""

Staged = tuple[RunFolder, Manifest]


@pytest.fixture
def two_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Merges load what they bring in two chunks."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 50)


@pytest.fixture
def small_pages(connect: Connect, api: Emulator) -> None:
    """`SPAN` has seven pages."""
    rows = len(truth_by_id(api, SPAN))
    connect(api, page_size=-(-rows // PAGES))


def statements_of(work: Callable[[], object]) -> list[int]:
    """Statements to die at: fifteen of them, in `make chaos` all; the last is one that never comes."""
    return spread(things_in(work, KillSwitch.at_each_statement) + 2, by_level(15, None, None))


def test_a_merge_killed_at_any_statement(
    sync: Sync,
    database: Database,
    api: Emulator,
    small_pages: None,
    two_chunks: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The window was merged before and has changed since: rows are updated, inserted and logged."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before_change, after_change = staged_twice(sync, api)
    undisturbed = merged(sync, database, before_change, after_change)
    before = merged(sync, database, before_change)
    assert len(undisturbed["orders"]) > 60
    assert len(undisturbed["order_state_log"]) > 3
    assert undisturbed["orders"] != before["orders"]
    states = []
    points = statements_of(lambda: sync.merge(*after_change))
    assert merged(sync, database, before_change) == before
    for point in killed_everywhere(lambda: sync.merge(*after_change), KillSwitch.at_each_statement, points):
        states.append(database.snapshot())
        assert states[-1] in (before, undisturbed), point
        sync.merge(*after_change)
        assert database.snapshot() == undisturbed, point
        assert merged(sync, database, before_change) == before
    assert len(states) >= by_level(14, 30, 30)
    assert states[0] == before
    assert states[-1] == undisturbed
    assert [file.name for file in tmp_path.iterdir()] == ["pages"]  # no orders are left lying about
    assert differences_at(database, api, END - days(5)) == []  # the child that got through


def test_a_first_load_killed_at_any_statement(
    sync: Sync, database: Database, api: Emulator, small_pages: None, two_chunks: None
) -> None:
    staged = sync.stage(SPAN, moves=True)
    undisturbed = merged(sync, database, staged)
    nothing = merged(sync, database)
    points = statements_of(lambda: sync.merge(*staged))
    assert merged(sync, database) == nothing
    for point in killed_everywhere(lambda: sync.merge(*staged), KillSwitch.at_each_statement, points):
        assert database.snapshot() in (nothing, undisturbed), point
        sync.merge(*staged)
        assert database.snapshot() == undisturbed, point
        merged(sync, database)
    assert differences(database, api, SPAN) == []


@pytest.mark.parametrize("arm", [KillSwitch.at_each_file, KillSwitch.at_each_statement], ids=["files", "statements"])
def test_a_stage_killed_anywhere_goes_on_where_it_was(
    sync: Sync,
    database: Database,
    api: Emulator,
    small_pages: None,
    arm: Callable[[KillSwitch], None],
) -> None:
    """The retry asks only for the pages that are not there yet, and those behind them: two may be written at a time."""
    calls = page_calls(api)
    undisturbed = merged(sync, database, sync.stage(SPAN, run_id="undisturbed", moves=True), without=SEEN)
    assert page_calls(api) - calls == PAGES
    points = 0

    def stage() -> Staged:
        return sync.stage(SPAN, run_id=f"run-{points}", moves=True)

    folder = RunFolder.of(sync.store, shop_id=APP_ID, resource="orders", window=SPAN, run_id="run-0")
    for point in killed_everywhere(stage, arm):
        merged(sync, database)
        assert not any(database.snapshot().values())
        finished, whole = folder.manifest_path.exists(), len(list(folder.stored_pages(0, 1)))
        calls = page_calls(api)
        assert same_rows(merged(sync, database, stage(), without=SEEN), undisturbed), point
        assert page_calls(api) - calls == (PAGES if finished else PAGES - whole), point
        points += 1
        folder = RunFolder.of(sync.store, shop_id=APP_ID, resource="orders", window=SPAN, run_id=f"run-{points}")
    assert points >= (PAGES + 3 if arm is KillSwitch.at_each_file else 6)


def test_a_page_cut_off_by_a_power_failure_is_fetched_again(
    sync: Sync, database: Database, api: Emulator, small_pages: None
) -> None:
    folder, manifest = sync.stage(SPAN, run_id="cut")
    folder.manifest_path.unlink()
    (folder.path / "slice-00" / "pass-1" / "finished").unlink()
    for name, part in zip(manifest.slices[0].pages[3:], (b"", b"\x1f\x8b", None), strict=False):
        file = folder.path / name
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] if part is None else part)
    calls = page_calls(api)
    sync.run(SPAN, run_id="cut")
    assert page_calls(api) - calls == PAGES - 3
    assert differences(database, api, SPAN) == []


def staged_twice(sync: Sync, api: Emulator) -> tuple[Staged, Staged]:
    """The window as it was on its last day, and as it was a week later."""
    api.set_clock((SPAN.end - days(0.1)).isoformat())
    first = sync.stage(Window(SPAN.begin, SPAN.end - days(0.2)), run_id="first")
    api.set_clock((END - days(5)).isoformat())
    return first, sync.stage(SPAN, run_id="second", mode="rescan", moves=True)


def merged(sync: Sync, database: Database, *runs: Staged, without: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """An empty warehouse with these runs, as it looks then; it keeps the token."""
    database.empty("api_tokens")
    for run in runs:
        sync.merge(*run)
    return database.snapshot(*without)


def same_rows(found: dict[str, list[Any]], expected: dict[str, list[Any]]) -> bool:
    """Equal but for the names of the runs."""

    def nameless(tables: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {
            name: [[(k, v) for k, v in row if k not in ("batch_id", "run_id")] for row in rows]
            for name, rows in tables.items()
        }

    return nameless(found) == nameless(expected)


def differences_at(database: Database, api: Emulator, moment: Any) -> list[str]:
    api.set_clock(moment.isoformat())
    return differences(database, api, SPAN)


def page_calls(api: Emulator) -> int:
    """How many pages of orders were asked for so far."""
    return api.stats()["calls"].get("xe.order.list.get/1.0.1", 0)

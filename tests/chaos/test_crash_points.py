"""SIGKILL at every page, every statement, every line of the ledger, for every resource; the retry ends as undisturbed.

A point is a file of the page store, or a statement or commit: before the server sees it, or while it works on it.
tests/integration/test_kills.py looks at orders in more detail.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from emulator.process import Emulator
from support.faults.chaos import by_level, spread, tell
from support.faults.processes import Child, KillSwitch, killed_everywhere, things_in
from support.fixtures import servers
from support.servers.bucket import KEY_ID, bucket
from support.servers.bucket import SECRET as BUCKET_SECRET
from support.worlds.conformance import Item, ResourceUnderTest, under_test
from support.worlds.runs import TaskRunner
from support.worlds.shop import END, Database, Sync, days, differences
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.marts.refresh import Refresher
from xiaoe.merge import merger
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.base import Resource
from xiaoe.resources.registry import RESOURCES
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.chaos,
    pytest.mark.parametrize("migrated", servers()[: by_level(1, 1, 2)], indirect=True),
]
every_resource = pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)

Arm = Callable[[KillSwitch], None]
Rows = dict[str, list[Any]]
ROWS, PAGE = 14, 3
MOMENTS = ("observed_at", "first_seen_at", "last_seen_at", "absent_since", "batch_id", "run_id")
"""Columns that tell which run of the stage task it was, and when: others after a retry."""
ARMS: dict[str, Arm] = {
    "file": KillSwitch.at_each_file,
    "before a statement": KillSwitch.at_each_statement,
    "in a statement": KillSwitch.in_each_statement,
}


@pytest.fixture
def shop(database: Database, resource: Resource, monkeypatch: pytest.MonkeyPatch) -> Iterator[ResourceUnderTest]:
    """A list of five pages; merges load what they bring in chunks of five rows."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 5)
    with under_test(database, resource, "apptest1", PAGE) as shop:
        shop.server.items = [Item(number) for number in range(ROWS)]
        shop.run(run_id="first")
        yield shop


def changed() -> list[Item]:
    """The list a day later: every second row changed, two came, one cannot be typed, one has no key."""
    rows = [Item(number, version=number % 2) for number in range(ROWS + 2)]
    return [*rows, replace(Item(ROWS + 2), raw=b'{"no": "key"}')]


@every_resource
@pytest.mark.parametrize("arm", ["before a statement", "in a statement"])
def test_a_merge_killed_at_any_statement(shop: ResourceUnderTest, arm: str) -> None:
    shop.server.items = changed()
    first, again = kept(shop.database), shop.stage(run_id="again")
    points = sweep(shop.database, first, lambda: shop.sync.merge(*again), ARMS[arm], exactly=True)
    assert shop.wrong([item for item in changed() if item.raw is None]) == []
    tell("killed", task="merge", resource=shop.resource.name, where=arm, points=points)


@every_resource
@pytest.mark.parametrize("arm", ARMS)
def test_a_stage_killed_anywhere(shop: ResourceUnderTest, arm: str) -> None:
    """Its retry goes on behind the last page; nothing of it is in the tables before the merge."""
    shop.server.items = changed()
    first = kept(shop.database)
    runs = iter(range(10_000))
    name = [""]

    def stage() -> tuple[RunFolder, Manifest]:
        return shop.stage(run_id=name[0])

    def afresh() -> None:
        name[0] = f"run-{next(runs)}"
        shop.server.set()  # it counts what it is asked

    points = sweep(
        shop.database, first, stage, ARMS[arm], afresh=afresh, finish=lambda: shop.sync.merge(*stage()), exactly=False
    )
    tell("killed", task="stage", resource=shop.resource.name, where=arm, points=points)


def sweep(
    database: Database,
    first: Rows,
    work: Callable[[], object],
    arm: Arm,
    *,
    exactly: bool,
    afresh: Callable[[], object] = lambda: None,
    finish: Callable[[], object] | None = None,
) -> int:
    """Kill the work at its points, each time from the same tables; the retry has to end as it does undisturbed.

    Args:
        database: Holds `first` at the beginning of each round.
        first: All tables, with which each round begins.
        work: What is killed.
        arm: Where.
        exactly: Whether a retry gives every column the same value.
        afresh: Before each round.
        finish: The retry; None: the work again.

    Returns:
        At how many points it was killed.
    """
    finish = finish or work
    without = () if exactly else MOMENTS
    afresh()
    count = things_in(work, arm) + 1
    finish()
    undisturbed = database.snapshot(*without)
    put_back(database, first)
    before = database.snapshot(*without)
    assert undisturbed != before
    points, killed = spread(count, by_level(2, 8, None)), 0
    afresh()
    for point in killed_everywhere(work, arm, points):
        killed += 1
        assert database.snapshot(*without) in (before, undisturbed), point
        finish()
        assert database.snapshot(*without) == undisturbed, point
        put_back(database, first)
        afresh()
    finish()
    assert killed >= len(points) - 1
    return killed


def kept(database: Database) -> Rows:
    """All rows of all tables that a sync writes."""
    return {table: database.rows(f"SELECT * FROM {table}") for table in database.snapshot()}


def put_back(database: Database, rows: Rows) -> None:
    """Make the tables what they were."""
    database.empty("api_tokens")
    connection = database.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION foreign_key_checks = 0")
            for table, lines in rows.items():
                if lines:
                    columns = database.stored_columns(table)
                    places = ", ".join(["%s"] * len(columns))
                    cursor.executemany(
                        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",
                        [tuple(line[column] for column in columns) for line in lines],
                    )
    finally:
        connection.close()


def test_late_orders_killed_while_they_are_asked_for(
    database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Orders that after-sales name, one call each: staged and merged by two tasks, each killed anywhere."""
    runs = TaskRunner(api, monkeypatch, tmp_path / "pages")
    runs.at(END - days(3))
    runs.sync("orders", "history", kind="manual", **{"from": f"{END - days(22):%Y-%m-%d}"})
    runs.refunds()
    runs.at(END)
    about = runs.context()
    named_by = runs.stage("refunds", "incremental", about)
    runs.merge("refunds", "incremental", named_by, about)
    first = kept(database)
    arms: list[Arm] = by_level(
        [KillSwitch.at_each_file], *[[KillSwitch.at_each_file, KillSwitch.at_each_statement]] * 2
    )
    points = sum(sweep(database, first, lambda: runs.late(named_by, about), arm, exactly=False) for arm in arms)
    tell("killed", task="late orders", resource="orders", where="files and statements", points=points)


def test_marts_killed_at_any_statement(sync: Sync, database: Database) -> None:
    staged = StagedRun([(at(0), [raw_order(number, pay_time="2026-11-02 10:00:00") for number in range(9)])])
    sync.merge(*staged.write(sync.store))
    first = kept(database)
    refresher = Refresher(Warehouse(), "apptest1", now=END)
    count = things_in(refresher.refresh, KillSwitch.at_each_statement)
    undisturbed = database.snapshot()
    put_back(database, first)
    points = spread(count, by_level(3, 12, None))
    for point in killed_everywhere(refresher.refresh, KillSwitch.at_each_statement, points):
        refresher.refresh()
        assert database.snapshot() == undisturbed, point
        put_back(database, first)
    tell("killed", task="marts", resource="", where="before a statement", points=len(points))


def test_pages_in_a_bucket_do_not_need_the_dead_worker_s_disk(
    database: Database, api: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every try runs in a process of its own on a disk of its own; what a dead one wrote there is gone."""
    pytest.importorskip("obstore")
    connect(api, page_size=20, concurrency=1)
    span = merge_window()
    with bucket() as store:
        monkeypatch.setenv(
            "AIRFLOW_CONN_CHAOS_STORE",
            json.dumps(
                {
                    "conn_type": "aws",
                    "login": KEY_ID,
                    "password": BUCKET_SECRET,
                    "extra": {"endpoint_url": store.url},
                }
            ),
        )
        monkeypatch.setattr("support.worlds.shop._merger", merger_of_its_own)

        def on_a_new_disk(work: Callable[[], object]) -> Callable[[], object]:
            disk = Path(tempfile.mkdtemp(dir=tmp_path))

            def do() -> None:
                tempfile.tempdir = str(disk)
                work()

            return do

        def both(run_id: str) -> None:
            sync = Sync(ObjectStoragePath("s3://chaos_store@data/pages"))  # type: ignore[arg-type] # not before the fork
            sync.run(span, run_id=run_id, moves=True)

        count = things_in(on_a_new_disk(lambda: both("undisturbed")), KillSwitch.at_each_object)
        undisturbed = database.snapshot(*MOMENTS)
        assert count > 4
        points = spread(count, by_level(2, 6, None))
        for point in points:
            database.empty("api_tokens")
            work = on_a_new_disk(lambda point=point: both(f"run-{point}"))
            [_] = killed_everywhere(work, KillSwitch.at_each_object, [point])
            for disk in tmp_path.iterdir():
                shutil.rmtree(disk)
            assert not any(database.snapshot().values())
            calls = api.stats()["calls"]["xe.order.list.get/1.0.1"]
            Child(on_a_new_disk(lambda point=point: both(f"run-{point}"))).join()
            assert database.snapshot(*MOMENTS) == undisturbed, point
            asked = api.stats()["calls"]["xe.order.list.get/1.0.1"] - calls
            pages = count - 2  # the others are "finished" and the manifest
            assert asked == max(0, pages - point), point  # none again of those that were written
        assert differences(database, api, span) == []
        assert all(key.startswith("data/pages/") for key in store.objects)
        tell("killed", task="stage", resource="orders", where="object in a bucket", points=len(points))


def merge_window() -> Any:
    from xiaoe.windows import Window

    return Window(END - timedelta(days=3), END - timedelta(days=1))


def merger_of_its_own(resource: str) -> merger.Merger:
    from support.worlds.shop import merge_sql

    return merger.Merger(Warehouse(), RESOURCES[resource], merge_sql(resource))

"""Syncs of every kind in any order, late, repeated, killed, two at a time: the warehouse converges to the truth."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from emulator.compare import unlike
from emulator.process import Emulator
from support.faults.chaos import by_level, tell
from support.faults.processes import Child, KillSwitch, children, killed_everywhere
from support.fixtures import servers
from support.oracles import benefits
from support.worlds.runs import TaskRunner
from support.worlds.shop import APP_ID, END, START, WHOLE_LISTS, Database, days, differences, truth_by_id, unbalanced
from xiaoe.exceptions import XiaoeConfigError, XiaoeReconciliationError
from xiaoe.marts.refresh import Refresher
from xiaoe.merge import status
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.registry import RESOURCES
from xiaoe.windows import Window

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.chaos,
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

BEGIN = END - days(40)
"""When the shop is installed; the history is read from two weeks before."""
SINCE = BEGIN - days(14)
KINDS = (
    ("orders", "incremental"), ("orders", "rescan"), ("refunds", "incremental"),
    *((name, "whole") for name in WHOLE_LISTS),
)  # fmt: skip
STEPS = (timedelta(minutes=20), timedelta(hours=1), timedelta(hours=7), days(1), days(4))


class Syncs(RuleBasedStateMachine):
    """One installation of the shop, with every DAG's tasks run by hand."""

    staged = Bundle("staged")
    database: Database
    api: Emulator
    patch: pytest.MonkeyPatch
    steps = 0

    @initialize()
    def install(self) -> None:
        """An empty warehouse, the schema, the history."""
        self.database.empty("api_tokens")
        self.database.rows("UPDATE api_tokens SET issues = 0")  # the API's ten minutes are many installations long
        self.api.set_faults()
        self.store = tempfile.TemporaryDirectory(dir=memory())
        self.runs = TaskRunner(self.api, self.patch, Path(self.store.name))
        self.runs.at(BEGIN)
        self.all_staged: list[tuple[str, str, str, Any]] = []
        self.runs.sync("orders", "history", kind="manual", **{"from": f"{SINCE:%Y-%m-%d}"})
        self.runs.sync("orders", "incremental")

    @rule(step=st.sampled_from(STEPS))
    def time_goes_by(self, step: timedelta) -> None:
        if self.runs.now + step < END:
            self.runs.at(self.runs.now + step)

    @rule(target=staged, kind=st.sampled_from(KINDS))
    def stage(self, kind: tuple[str, str]) -> tuple[str, str, str, Any]:
        """Read now; who knows when it is merged."""
        about = self.runs.context()
        one = (*kind, self.runs.stage(*kind, about), about)
        self.all_staged.append(one)
        return one

    @rule(target=staged, begin=st.integers(1, 30), length=st.integers(1, 9))
    def stage_a_window_by_hand(self, begin: int, length: int) -> tuple[str, str, str, Any]:
        """Days of the past, as a person asks for them; they leave the watermark alone."""
        first = max(SINCE, self.runs.now - days(begin))
        until = min(first + days(length), self.runs.now)
        about = self.runs.context("manual", **{"from": first.isoformat(), "to": until.isoformat()})
        one = ("orders", "history", self.runs.stage("orders", "history", about), about)
        self.all_staged.append(one)
        return one

    @rule(one=staged)
    def merge(self, one: tuple[str, str, str, Any]) -> None:
        """In time or late, for the first time or again."""
        self.runs.merge(*one)

    @rule(one=staged, point=st.integers(0, 60))
    def merge_is_killed(self, one: tuple[str, str, str, Any], point: int) -> None:
        for _ in killed_everywhere(lambda: self.runs.merge(*one), KillSwitch.at_each_statement, [point]):
            pass

    @rule(kind=st.sampled_from(KINDS), point=st.integers(0, 12))
    def stage_is_killed_and_tried_again(self, kind: tuple[str, str], point: int) -> None:
        about = self.runs.context()
        for _ in killed_everywhere(lambda: self.runs.stage(*kind, about), KillSwitch.at_each_file, [point]):
            pass
        self.runs.merge(*kind, self.runs.stage(*kind, about), about)

    @rule()
    def refunds_and_the_orders_they_name(self) -> None:
        self.runs.refunds()

    @rule(rate=st.sampled_from([0, 0.1]))
    def api_gets_worse_or_better(self, rate: float) -> None:
        self.api.set_faults(rate=rate, kinds=["http_500", "cut", "code_1001", "code_2008", "null_data"])

    @rule()
    def another_program_takes_the_token(self) -> None:
        self.api.revoke_token(APP_ID)

    @invariant()
    def every_order_has_its_line(self) -> None:
        type(self).steps += 1
        assert self.database.wrong_lines() == []
        assert unbalanced(self.database) == []

    @invariant()
    def nothing_is_missing_before_the_watermark(self) -> None:
        """Every order that was made before it is there, in some version."""
        if not hasattr(self, "runs"):
            return
        with Warehouse().session() as session:
            until = status.read_watermark(session, APP_ID, "orders", "incremental")
        assert until is not None
        held = {row["order_id"] for row in self.database.rows("SELECT order_id FROM orders")}
        assert truth_by_id(self.api, Window(SINCE, until)).keys() <= held

    def teardown(self) -> None:
        """Everything runs once more, and all that was ever staged is merged; then again, and nothing changes."""
        if not hasattr(self, "runs"):
            return
        self.api.set_faults()
        self.runs.at(self.runs.now + timedelta(hours=1))
        for resource, mode in KINDS:
            self.runs.sync(resource, mode)
        self.runs.refunds()
        self.check_the_truth()
        for one in self.all_staged:
            self.runs.merge(*one)
        before = self.database.snapshot("resolved_at", "seen_count", "batch_id")
        for one in reversed(self.all_staged):
            self.runs.merge(*one)
        self.check_the_truth()
        after = self.database.snapshot("resolved_at", "seen_count", "batch_id")
        for table in ("order_items", "order_state_log", *(resource.table for resource in RESOURCES.values())):
            assert after[table] == before[table], table
        self.store.cleanup()

    def check_the_truth(self) -> None:
        now = self.runs.now - timedelta(minutes=2)
        assert differences(self.database, self.api, Window(now - days(14.9), now)) == []
        settled = f"{now:%Y-%m-%d %H:%M:%S}"
        held = self.database.rows("SELECT * FROM refunds WHERE updated_at < %s", [settled])
        truth = self.api.truth_refunds(APP_ID, unix(START), unix(now))
        assert unlike(held, [row for row in truth if str(row["updated_at"]) < settled], "aftersale_id") == []
        assert not self.database.rows("SELECT 1 FROM rejected_rows")


def unix(moment: datetime) -> int:
    return int(moment.timestamp())


def memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def test_any_interleaving_converges_to_the_truth(
    database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = type("Machine", (Syncs,), {"database": database, "api": api, "patch": monkeypatch})
    examples, steps = by_level((2, 8), (4, 12), (80, 25))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    tell("interleavings", machines=examples, steps=machine.steps)


def test_two_schedulers_on_the_same_windows(
    database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every DAG's tasks, twice at once, under run ids of their own; no task fails, also not by a deadlock."""
    runs = TaskRunner(api, monkeypatch, tmp_path / "pages")
    runs.at(BEGIN)
    runs.sync("orders", "history", kind="manual", **{"from": f"{BEGIN - days(9):%Y-%m-%d}"})
    turns = by_level(1, 3, 20)
    for turn in range(turns):
        runs.at(runs.now + timedelta(hours=30))
        works = [partial(work, runs, f"{scheduler}-{turn}") for scheduler in "ab" for work in works_of_all_dags()]
        with children(*works):
            pass
        assert database.wrong_lines() == []
        assert unbalanced(database) == []
    assert differences(database, api, Window(runs.now - days(8), runs.now - timedelta(minutes=2))) == []
    tell("two schedulers", turns=turns, tasks=turns * 2 * len(works_of_all_dags()))


def test_two_tries_of_one_task_at_once(
    database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A try that was thought dead goes on beside the next one, in the same folder: right, or an error by name."""
    runs = TaskRunner(api, monkeypatch, tmp_path / "pages")
    turns = by_level(2, 6, 60)
    named = 0
    for turn in range(turns):
        runs.at(BEGIN + timedelta(hours=9 * turn))
        about = runs.context(f"twice-{turn}")

        def task(about: Any = about) -> None:
            with suppress(XiaoeReconciliationError, XiaoeConfigError):  # pages of one and the manifest of the other
                runs.merge("orders", "rescan", runs.stage("orders", "rescan", about), about)
                return
            os._exit(3)

        tries = [Child(task) for _ in range(3)]
        codes = [one.wait() for one in tries]
        assert set(codes) <= {0, 3}
        named += codes.count(3)
        assert database.wrong_lines() == []
        runs.merge("orders", "rescan", runs.stage("orders", "rescan", about), about)
        assert differences(database, api, Window(runs.now - days(14.9), runs.now - timedelta(minutes=2))) == []
        assert unbalanced(database) == []
    tell("two tries of one task", turns=turns, failed_by_name=named)


def works_of_all_dags() -> list[Callable[[TaskRunner, str], object]]:
    def sync(resource: str, mode: str, runs: TaskRunner, name: str) -> None:
        about = runs.context(f"of-{name}")
        runs.merge(resource, mode, runs.stage(resource, mode, about), about)

    def decide(runs: TaskRunner, name: str) -> None:
        del name
        benefits.decide(runs.now)

    return [
        *(partial(sync, *kind) for kind in KINDS),
        decide,
        lambda runs, _: Refresher(Warehouse(), APP_ID, now=runs.now).refresh(),
    ]

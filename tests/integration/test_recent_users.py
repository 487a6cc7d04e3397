"""Users who registered or visited lately, read nightly between two readings of the whole list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator, running
from support.fixtures import Connect, servers
from support.worlds.runs import TaskRunner
from support.worlds.shop import APP_ID, CLIENT_ID, END, NOW, SECRET, Database, Sync, days, unlike
from xiaoe.exceptions import XiaoeNetworkError
from xiaoe.resources.base import Resource
from xiaoe.stage import recent
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql
on_one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)

PAGE = 50
SHOP = {
    "orders": 3000, "start": "2026-09-01", "now": NOW, "frozen": True, "seed": 7,
    "shop": [f"{APP_ID}:{CLIENT_ID}:{SECRET}"], "no_limits": True, "token_life": 30 * 86_400,
}  # fmt: skip
"""A token outlives the test: one that ends costs a call."""


@pytest.fixture(scope="module", params=["applied"])
def shop(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Some 1,700 users; what the filters by days do is the parameter."""
    with running(user_filters=request.param, **SHOP) as emulator:
        yield emulator


@pytest.fixture
def runs(shop: Emulator, sync: Sync, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRunner:
    shop.set_clock(NOW)
    shop.set_faults()
    shop.set_users(share=1, vanish_share=0, vanish_at=NOW)
    connect(shop)
    return TaskRunner(shop, monkeypatch, tmp_path / "runs")


def night(runs: TaskRunner, number: int, kind: str = "scheduled") -> tuple[Counter[str], int]:
    """The run of so many nights after the first; what came of it, and its calls of the list."""
    runs.at(END + days(number))
    before = calls(runs.api)
    counts = runs.sync("users", "recent", kind=kind)
    return counts, calls(runs.api) - before


def calls(api: Emulator) -> int:
    asked = api.stats()["calls"]
    return asked.get("xe.user.batch.get/2.0.0", 0)  # type: ignore[attr-defined, no-any-return]


def calls_of(*lists: int) -> int:
    """Calls that lists of so many rows take by cursor: their pages, and the empty one behind the last."""
    return sum(-(-rows // PAGE) + 1 for rows in lists)


def wrong(database: Database, api: Emulator) -> list[str]:
    held = database.rows("SELECT * FROM users WHERE absent_since IS NULL AND is_inferred = 0")
    return unlike(held, api.truth_users(APP_ID), "user_id")


def users_since(api: Emulator, column: str, first: datetime) -> int:
    return sum(str(row[column] or "") >= f"{first:%Y-%m-%d}" for row in api.truth_users(APP_ID))


def modes(database: Database) -> dict[str, str]:
    return {row["mode"]: row["message"] for row in database.rows("SELECT mode, message FROM sync_status")}


def test_a_week_of_nights_equals_the_truth_and_the_seventh_reads_the_whole_list(
    runs: TaskRunner, database: Database
) -> None:
    """Calls are those that the numbers of users make; nobody is marked as gone before the whole list says so."""
    everyone = len(list(runs.api.truth_users(APP_ID)))
    assert night(runs, 0)[1] == calls_of(everyone)
    assert wrong(database, runs.api) == []
    assert modes(database).keys() == {"whole", "recent"}
    for number in range(1, 7):
        counts, asked = night(runs, number)
        since = (END + days(number - 2)).replace(hour=0)
        lists = [users_since(runs.api, column, since) for column in ("registered_at", "last_visited_at")]
        assert asked == calls_of(*lists) < calls_of(everyone)
        assert (counts["absent"], counts["rejected"]) == (0, 0)
        assert wrong(database, runs.api) == []
    runs.api.set_users(vanish_share=0.2, vanish_at=NOW)
    held = database.value("SELECT COUNT(*) FROM users WHERE absent_since IS NULL")
    gone = held - len(list(runs.api.truth_users(APP_ID)))
    assert gone > 200
    assert night(runs, 6)[0]["absent"] == 0, "read again, without those who left"
    counts, asked = night(runs, 7)
    assert counts["absent"] == gone
    assert asked == 2 * calls_of(len(list(runs.api.truth_users(APP_ID)))), "twice: somebody is missing"
    assert wrong(database, runs.api) == []


@on_one_server
def test_a_night_that_was_missed_is_made_up_for(runs: TaskRunner, database: Database) -> None:
    night(runs, 0)
    night(runs, 4)
    assert wrong(database, runs.api) == []


@on_one_server
def test_by_hand_the_whole_list_is_read(runs: TaskRunner, database: Database) -> None:
    night(runs, 0)
    assert night(runs, 1, kind="manual")[1] == calls_of(len(list(runs.api.truth_users(APP_ID))))
    assert wrong(database, runs.api) == []


@on_one_server
def test_every_night_reads_the_whole_list_where_that_is_set(
    runs: TaskRunner, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_USERS_WHOLE_DAYS", "1")
    night(runs, 0)
    assert night(runs, 1)[1] == calls_of(len(list(runs.api.truth_users(APP_ID))))


@on_one_server
@pytest.mark.parametrize(
    ("shop", "said"),
    [
        ("ignored", "whole list: the shop ignores the filter by registered_at: from 2026-11-19 00:00:00 on was"),
        ("refused", "whole list: the shop refuses the filter by registered_at ("),
    ],
    indirect=["shop"],
)  # fmt: skip
def test_a_shop_without_these_filters_is_read_whole_and_sync_status_says_so(
    runs: TaskRunner, database: Database, said: str
) -> None:
    night(runs, 0)
    runs.api.set_users(vanish_share=0.2, vanish_at=NOW)
    counts, _ = night(runs, 1)
    assert counts["absent"] > 200, "this list was the whole one"
    assert wrong(database, runs.api) == []
    told = modes(database)
    assert told["recent"] == told["whole"]
    assert told["recent"].startswith(said)


@on_one_server
def test_a_reading_that_breaks_off_goes_on_where_it_stopped(
    runs: TaskRunner, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails at the second list; the next try asks for that one only."""
    night(runs, 0)
    runs.at(END + days(1))
    about = runs.context()
    with monkeypatch.context() as patched:
        patched.setattr(recent, "_listing", fails_at("last_visited_at"))
        with pytest.raises(XiaoeNetworkError):
            runs.stage("users", "recent", about)
    before = calls(runs.api)
    folder = runs.stage("users", "recent", about)
    since = (END - days(1)).replace(hour=0)
    assert calls(runs.api) - before == calls_of(users_since(runs.api, "last_visited_at", since))
    runs.merge("users", "recent", folder, about)
    assert wrong(database, runs.api) == []


def fails_at(column: str) -> Callable[..., Any]:
    right = recent._listing

    def listing(resource: Resource, named: str, window: Window) -> Any:
        if named == column:
            raise XiaoeNetworkError("the line is dead")
        return right(resource, named, window)

    return listing

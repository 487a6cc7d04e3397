"""Viewers, learning, promoters: from the emulated API into databases, equal to the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.compare import unlike
from emulator.process import Emulator, running
from support.fixtures import Connect, servers
from support.worlds.runs import TaskRunner
from support.worlds.shop import APP_ID, CLIENT_ID, END, NOW, SECRET, Database, Sync, unbalanced
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeIncompleteError
from xiaoe.resources.learning import LEARNING_DAYS, LEARNING_PROGRESS
from xiaoe.resources.live_viewers import HOURLY_FOR, LIVE_VIEWERS, REPLAY
from xiaoe.resources.promoters import ORDER_PROMOTERS, PROMOTER_CUSTOMERS, PROMOTERS
from xiaoe.resources.registry import RESOURCES

pytestmark = pytest.mark.mysql
on_one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
"""What rests on the API and on no server's SQL."""

DAY = timedelta(days=1)
EACH_LIST = ("live_viewers", "learning_days", "learning_progress", "promoter_customers", "order_promoters")
VIEWERS, DAYS = "xe.alive.user.list/1.0.0", "xe.learning_records.daily.get/1.0.0"
SALES = "xe.distributor.order.get/2.0.0"


@pytest.fixture(scope="module")
def shop() -> Iterator[Emulator]:
    """A month of orders, and of two free streams a day the month before them, without limits."""
    with running(
        orders=600, start="2026-10-20", now=NOW, frozen=True, seed=7, shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
        no_limits=True,
    ) as emulator:  # fmt: skip
        yield emulator


@pytest.fixture
def runs(shop: Emulator, sync: Sync, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRunner:
    """The tasks of the DAGs at the shop's time."""
    shop.set_clock(NOW)
    shop.set_faults()
    connect(shop)
    return TaskRunner(shop, monkeypatch, tmp_path / "runs")


def read(runs: TaskRunner, resource: str, mode: str = "incremental", **params: Any) -> Counter[str]:
    """Stage and merge one list now."""
    about = runs.context("manual" if params else "scheduled", **params)
    return runs.merge(resource, mode, runs.stage(resource, mode, about), about)


def asked(database: Database, resource: str) -> dict[str, datetime]:
    """Parent → when its list was last read, Beijing."""
    rows = database.rows("SELECT parent_id, observed_at FROM parent_readings WHERE resource = %s", [resource])
    return {row["parent_id"]: row["observed_at"] + timedelta(hours=8) for row in rows}


def held(database: Database, table: str, condition: str = "TRUE") -> list[dict[str, Any]]:
    return database.rows(f"SELECT * FROM {table} WHERE absent_since IS NULL AND {condition}")


def calls(shop: Emulator, interface: str) -> int:
    counted: Any = shop.stats()["calls"]
    return int(counted.get(interface, 0))


def unix(moment: datetime) -> int:
    return int(moment.timestamp())


def naive(moment: datetime) -> datetime:
    return moment.astimezone(BEIJING).replace(tzinfo=None)


# --- viewers of live streams ---------------------------------------------------------------------------


@pytest.mark.parametrize("fault_rate", [0, 0.05])
def test_viewers_of_streams_that_can_change_equal_the_truth(
    runs: TaskRunner, shop: Emulator, database: Database, fault_rate: float
) -> None:
    shop.set_faults(rate=fault_rate)
    read(runs, "live_streams", "whole")
    counts = read(runs, "live_viewers")
    begin = runs.now - REPLAY + 2 * DAY  # a stream may last until the next day
    right = list(shop.truth("live_viewers", APP_ID, unix(begin), unix(runs.now)))
    assert counts["inserted"] >= len(right) > 300
    names = {row["live_id"] for row in right}
    assert unlike([row for row in held(database, "live_viewers") if row["live_id"] in names], right, "row_key") == []
    assert unbalanced(database) == []
    [coverage] = database.rows("SELECT wanted, reached, postponed FROM parent_coverage")
    assert coverage == {"wanted": len(asked(database, "live_viewers")), "reached": coverage["wanted"], "postponed": 0}


def test_viewers_are_read_as_often_as_they_can_change_and_then_never_again(
    runs: TaskRunner, shop: Emulator, database: Database
) -> None:
    """Every hour for three days after the end, once a day for a month, then until a day changes nothing."""

    def due_at(moment: datetime) -> set[str]:
        runs.at(moment)
        read(runs, "live_streams", "whole")
        read(runs, "live_viewers")
        return {name for name, at in asked(database, "live_viewers").items() if at >= naive(moment)}

    ends = {
        row["live_id"]: datetime.fromisoformat(str(row["manual_stop_at"] or row["stop_at"] or row["start_at"]))
        for row in shop.truth_live_streams(APP_ID)
    }
    first = due_at(END)
    assert len(first) > 50
    assert all(naive(END) - ends[name] < REPLAY for name in first)
    hour_later = due_at(END + timedelta(hours=1))
    assert 4 <= len(hour_later) < 12
    assert all(naive(END) - ends[name] < HOURLY_FOR for name in hour_later)
    day_later = due_at(END + DAY)
    assert first - day_later == set(), "also what has just become older than a month: it may have changed since"
    month_later = END + REPLAY + 2 * DAY
    looked = first & due_at(month_later)
    kept = {row["live_id"] for row in shop.truth_live_streams(APP_ID) if row["recycle_bin_state"] == 0}
    was_open = {name for name in first if naive(END) + DAY - ends[name] < REPLAY}
    assert looked >= first & kept & was_open, "nobody has looked since their replay was closed"
    again = first & due_at(month_later + DAY)
    assert 0 < len(again) < len(first), "what had changed is looked at once more"
    assert first & due_at(month_later + 2 * DAY) == set()
    right = [row for row in shop.truth("live_viewers", APP_ID) if row["live_id"] in first & kept]
    assert (
        unlike([row for row in held(database, "live_viewers") if row["live_id"] in kept & first], right, "row_key")
        == []
    )


@on_one_server
def test_earlier_streams_are_read_when_somebody_asks_for_them(
    runs: TaskRunner, shop: Emulator, database: Database
) -> None:
    read(runs, "live_streams", "whole")
    begin, end = datetime(2026, 9, 20, tzinfo=BEIJING), datetime(2026, 10, 5, tzinfo=BEIJING)
    read(runs, "live_viewers", **{"from": "2026-09-20", "to": "2026-10-05"})
    right = list(shop.truth("live_viewers", APP_ID, unix(begin), unix(end)))
    assert len(right) > 100
    assert unlike(held(database, "live_viewers"), right, "row_key") == []
    assert sync_watermark(database, "live_viewers") is None


def sync_watermark(database: Database, resource: str) -> Any:
    return database.value("SELECT watermark FROM sync_status WHERE resource = %s", [resource])


@on_one_server
def test_one_stream_that_cannot_be_read_stops_no_other_and_comes_with_the_next_run(
    runs: TaskRunner, shop: Emulator, database: Database
) -> None:
    read(runs, "live_streams", "whole")
    refused = database.value(
        "SELECT live_id FROM live_streams WHERE start_at < %s ORDER BY start_at DESC LIMIT 1", [naive(runs.now)]
    )
    shop.set_faults(next=[{"kind": "code_1002", "interface": VIEWERS, "resource_id": refused, "times": 1000}])
    with pytest.raises(XiaoeIncompleteError, match=f"the lists of 1 parents could not be read.*{refused}"):
        read(runs, "live_viewers")
    assert refused not in asked(database, "live_viewers")
    assert len(asked(database, "live_viewers")) > 50
    right = shop.truth("live_viewers", APP_ID, unix(runs.now - REPLAY + 2 * DAY), unix(runs.now))
    others = [row for row in right if row["live_id"] != refused]
    names = {row["live_id"] for row in others}
    assert unlike([row for row in held(database, "live_viewers") if row["live_id"] in names], others, "row_key") == []
    assert held(database, "live_viewers", f"live_id = '{refused}'") == []
    shop.set_faults()
    read(runs, "live_viewers")
    assert refused in asked(database, "live_viewers")


# --- learning ------------------------------------------------------------------------------------------


def test_seconds_learned_by_day_equal_the_truth_and_are_asked_once(
    runs: TaskRunner, shop: Emulator, database: Database
) -> None:
    read(runs, "users", "whole")
    read(runs, "learning_days")
    end = datetime(2026, 11, 20, tzinfo=BEIJING)
    right = list(shop.truth("learning_days", APP_ID, unix(end - 7 * DAY), unix(end)))
    assert len(right) > 100
    assert unlike(held(database, "learning_days", "day >= '2026-11-14'"), [
        row for row in right if str(row["day"]) >= "2026-11-14"
    ], "row_key") == []  # fmt: skip
    before = calls(shop, DAYS)
    read(runs, "learning_days")
    assert calls(shop, DAYS) == before, "nothing is due"
    runs.at(END + DAY)
    read(runs, "learning_days")
    assert calls(shop, DAYS) == before, "nobody knows yet who was there"
    read(runs, "users", "whole")
    read(runs, "learning_days")
    right = list(shop.truth("learning_days", APP_ID, unix(end), unix(end + DAY)))
    assert unlike(held(database, "learning_days", "day = '2026-11-20'"), right, "row_key") == []


def test_progress_is_read_within_the_budget_and_what_was_left_comes_first(
    runs: TaskRunner, shop: Emulator, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(runs, "users", "whole")
    read(runs, "orders", "history", **{"from": "2026-10-20", "to": "2026-11-20 12:00:00"})
    monkeypatch.setenv("XIAOE_NIGHTLY_CALLS", "100")
    first = read_progress(runs, database)
    assert 0 < first["reached"] < first["wanted"]
    assert first["postponed"] == first["wanted"] - first["reached"]
    assert database.value("SELECT message FROM sync_status WHERE resource = 'learning_progress'").endswith(
        f"; lists {first['reached']} of {first['wanted']}"
    )
    seen = asked(database, "learning_progress")
    runs.at(END + timedelta(hours=1))
    monkeypatch.setenv("XIAOE_NIGHTLY_CALLS", "100000")
    second = read_progress(runs, database)
    assert second["postponed"] == 0
    assert second["wanted"] >= first["postponed"]
    now = asked(database, "learning_progress")
    assert seen.keys() < now.keys()
    right = list(shop.truth("learning_progress", APP_ID, unix(runs.now - 80 * DAY), unix(END)))
    assert len(right) > 100
    assert unlike(held(database, "learning_progress"), right, "row_key") == []


def read_progress(runs: TaskRunner, database: Database) -> dict[str, Any]:
    read(runs, "learning_progress")
    [coverage] = database.rows(
        "SELECT wanted, reached, postponed FROM parent_coverage WHERE resource = 'learning_progress'"
    )
    return coverage


# --- promoters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault_rate", [0, 0.05])
def test_promoters_and_their_customers_equal_the_truth(
    runs: TaskRunner, shop: Emulator, database: Database, fault_rate: float
) -> None:
    shop.set_faults(rate=fault_rate)
    read(runs, "promoters", "whole")
    read(runs, "promoter_customers")
    for table, key in (("promoters", "user_id"), ("promoter_customers", "row_key")):
        right = list(shop.truth(table, APP_ID))
        assert len(right) > 50
        assert unlike(held(database, table), right, key) == []
    assert unbalanced(database) == []


SOLD = "SELECT * FROM bi_promoters_daily ORDER BY shop_id, day, promoter"


@pytest.mark.parametrize("fault_rate", [0, 0.05])
def test_orders_tell_their_promoters_as_order_list_2_does(
    runs: TaskRunner, shop: Emulator, database: Database, monkeypatch: pytest.MonkeyPatch, fault_rate: float
) -> None:
    """Order by order or in that list: the views are the same; with the list on, no order is asked for."""
    read(runs, "promoters", "whole")
    read(runs, "orders", "history", **{"from": "2026-10-20", "to": "2026-11-20 12:00:00"})
    shop.set_faults(rate=fault_rate)
    read(runs, "order_promoters")
    right = list(shop.truth("order_promoters", APP_ID))
    assert len(right) > 5
    assert unlike(held(database, "order_promoters"), right, "row_key") == []
    assert unbalanced(database) == []
    each, sold = promoted(database), database.rows(SOLD)
    assert {row["order_id"] for row in right} == each.keys()
    assert len(sold) > 5

    monkeypatch.setenv("XIAOE_HINTS", "list")
    read(runs, "order_origins", **{"from": "2026-10-20", "to": "2026-11-20 12:00:00"})
    assert promoted(database).items() >= each.items()
    assert database.rows(SOLD) == sold, "told by both, and counted once"
    database.rows("DELETE FROM order_promoters")
    database.rows("DELETE FROM parent_readings WHERE resource = 'order_promoters'")
    assert promoted(database).items() >= each.items()
    assert database.rows(SOLD) == sold
    before = calls(shop, SALES)
    read(runs, "order_promoters")
    assert calls(shop, SALES) == before
    assert held(database, "order_promoters") == []


def promoted(database: Database) -> dict[str, str]:
    """Order → promoter."""
    rows = database.rows("SELECT order_id, promoter_id FROM promoted_orders")
    assert len({row["order_id"] for row in rows}) == len(rows)
    return {row["order_id"]: row["promoter_id"] for row in rows}


def test_an_order_is_asked_once_and_again_when_it_changed_and_what_was_left_comes_first(
    runs: TaskRunner, shop: Emulator, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(runs, "orders", "history", **{"from": "2026-10-20", "to": "2026-11-20 12:00:00"})
    monkeypatch.setenv("XIAOE_NIGHTLY_CALLS", "4")
    read(runs, "order_promoters")
    first = asked(database, "order_promoters")
    right = list(shop.truth("order_promoters", APP_ID))
    assert 0 < len(first) < len(right)
    changed = min(first)
    runs.at(END + timedelta(hours=1))
    database.rows("UPDATE orders SET observed_at = %s WHERE order_id = %s", [naive(END) - timedelta(hours=7), changed])
    monkeypatch.setenv("XIAOE_NIGHTLY_CALLS", "100000")
    read(runs, "order_promoters")
    second = asked(database, "order_promoters")
    later = {order for order, at in second.items() if at >= naive(END + timedelta(hours=1))}
    assert later == (second.keys() - first.keys()) | {changed}
    assert second[changed] == max(second.values()), "what was never read comes first"
    assert {row["order_id"] for row in right} == second.keys()
    assert unlike(held(database, "order_promoters"), right, "row_key") == []
    before = calls(shop, SALES)
    read(runs, "order_promoters")
    assert calls(shop, SALES) == before


# --- how many calls ------------------------------------------------------------------------------------


def pages(rows: int, size: int) -> int:
    """Calls for a list that tells its total; a page that is full may not be the last."""
    return rows // size + 1


def twice(rows: int, size: int) -> int:
    """Calls for a list without a total: the rows and an empty page, two times."""
    return 2 * (-(-rows // size) + 1)


def calls_a_night(
    *,
    viewers: list[int],
    visitors: list[int],
    records: list[int],
    promoters: int,
    customers: list[int],
    sales: list[int],
    budget: int,
) -> int:
    """What the declarations say that a night costs.

    Args:
        viewers: Of each stream that is due.
        visitors: Of each day that is due; about a third of them have learned.
        records: Of each buyer who is due.
        promoters: How many there are.
        customers: Of each promoter.
        sales: Of each order by a promoter.
        budget: `XIAOE_NIGHTLY_CALLS`; a list that was begun is read to its end.
    """
    days = [min(LEARNING_DAYS.largest_page, users - at) for users in visitors for at in range(0, users, 100)]
    return (
        sum(pages(rows, LIVE_VIEWERS.largest_page) for rows in viewers)
        + sum(twice(users, LEARNING_DAYS.largest_page) for users in days)
        + min(budget, sum(twice(rows, LEARNING_PROGRESS.largest_page) for rows in records))
        + pages(promoters, PROMOTERS.largest_page)
        + min(budget, sum(pages(rows, PROMOTER_CUSTOMERS.largest_page) for rows in customers))
        + min(budget, sum(pages(rows, ORDER_PROMOTERS.largest_page) for rows in sales))
    )


@on_one_server
def test_a_night_costs_what_the_declarations_say(
    runs: TaskRunner, shop: Emulator, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("users", "live_streams"):
        read(runs, name, "whole")
    read(runs, "orders", "history", **{"from": "2026-11-10", "to": "2026-11-20 12:00:00"})
    before: Any = shop.stats()["calls"]
    read(runs, "promoters", "whole")
    for name in EACH_LIST:
        read(runs, name)
    after: Any = shop.stats()["calls"]
    paths = [RESOURCES[name].endpoint.strip("/") for name in ("promoters", *EACH_LIST)]
    made = sum(after.get(path, 0) - before.get(path, 0) for path in paths)
    listed = {
        name: [row["listed"] for row in database.rows("SELECT listed FROM parent_readings WHERE resource = %s", [name])]
        for name in EACH_LIST
    }
    days = database.rows("SELECT parent_id FROM parent_readings WHERE resource = 'learning_days'")
    visitors = [
        database.value(
            "SELECT COUNT(*) FROM users WHERE (last_visited_at >= %s OR last_visited_at IS NULL)"
            " AND registered_at < %s + INTERVAL 1 DAY",
            [row["parent_id"], row["parent_id"]],
        )
        for row in days
    ]
    learned = database.rows("SELECT day, COUNT(*) AS n FROM learning_days GROUP BY day")
    assert len(learned) == len(days) == 7
    declared = calls_a_night(
        viewers=listed["live_viewers"],
        visitors=visitors,
        records=listed["learning_progress"],
        promoters=database.value("SELECT COUNT(*) FROM promoters"),
        customers=listed["promoter_customers"],
        sales=listed["order_promoters"],
        budget=20_000,
    )
    assert 400 < declared <= made, "as the emulator has counted"
    assert made - declared <= listed["live_viewers"].count(0), "an empty list may have to say so twice"


@pytest.mark.parametrize(
    ("users", "streams", "nightly", "hourly"),
    [(10_000, 3_000, 2_543, 48), (500_000, 3_000, 23_003, 48)],
)
def test_large_shops_stay_within_what_a_night_allows(users: int, streams: int, nightly: int, hourly: int) -> None:
    """Of 3,000 streams over three years some 80 ended within a month, and 12 within three days; 500 viewers each."""
    due = round(streams * REPLAY.days / (3 * 365))
    fresh = round(streams * HOURLY_FOR.days / (3 * 365))
    made = calls_a_night(
        viewers=[500] * due,
        visitors=[users // 10],
        records=[10] * (users // 20),
        promoters=users // 1000,
        customers=[50] * (users // 1000),
        sales=[],
        budget=20_000,
    )
    assert (made, sum(pages(500, LIVE_VIEWERS.largest_page) for _ in range(fresh))) == (nightly, hourly)
    seconds = made / min(one.calls_per_second for one in RESOURCES.values() if one.more)
    assert seconds < 8 * 3600, "even at the slowest of their limits"

"""Objectives on a clock that moves: what counts, what burns, and which alerts stand in the database."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator
from support.fixtures import servers
from support.worlds.runs import TaskRunner
from support.worlds.shop import APP_ID, END, Database, Sync, days
from xiaoe.benefits.operators import XiaoeBenefitsOperator
from xiaoe.clock import beijing_text, utc_text
from xiaoe.merge.freshness import FRESH_WITHIN
from xiaoe.monitor import web
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.objectives.operators import XiaoeObjectivesOperator
from xiaoe.quality.catalogue import FRESHNESS
from xiaoe.quality.figures import figure
from xiaoe.quality.scope import CheckScope
from xiaoe.sync import rebuild

pytestmark = [pytest.mark.mysql, pytest.mark.parametrize("migrated", servers()[:1], indirect=True)]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MERGED = MINUTE
"""After the end of its window each merge commits."""


class Shop:
    """A shop with an order a minute; the clock, and whether anything is read, are the test's.

    Args:
        database: Empty.
        runs: Moves the clock.
    """

    def __init__(self, database: Database, runs: TaskRunner) -> None:
        self.database, self.runs = database, runs
        self.now = runs.at(END - days(40))
        self.read_until = self.now
        self._number = 0
        for resource, mode in (("orders", "incremental"), ("refunds", "incremental"), ("benefits", "decide")):
            database.rows(
                "INSERT INTO sync_status (shop_id, resource, mode, last_success_at, last_attempt_at, status)"
                " VALUES (%s, %s, %s, %s, %s, 'success')",
                (APP_ID, resource, mode, utc_text(self.now), utc_text(self.now)),
            )

    def evaluate(self) -> dict[str, str]:
        operator = XiaoeObjectivesOperator(task_id="evaluate", xiaoe_conn_id="xiaoe_default")
        return operator.execute({"run_id": f"scheduled__{self.now.isoformat()}"})

    def passes(self, length: timedelta, *, is_read: bool = True) -> None:
        """Time passes; where it is read, all of it arrives at its end and was read until then."""
        self.now = self.runs.at(self.now + length)
        if is_read:
            self.read()

    def works(self, length: timedelta) -> None:
        """The sync reads every half hour."""
        for _ in range(length // (30 * MINUTE)):
            self.passes(30 * MINUTE)

    def read(self) -> None:
        """What happened since the last time is in MySQL, and the ledger says so."""
        moments = [self.read_until + n * MINUTE for n in range((self.now - self.read_until) // MINUTE)]
        self.arrive(moments, self.now + MERGED)
        for resource in ("orders", "refunds"):
            self.database.rows(
                "INSERT INTO sync_windows (shop_id, resource, mode, window_start, window_end, observed_at, api_total,"
                " staged, inserted, updated, unchanged, rejected, passes, batch_id, run_id, merged_at)"
                " VALUES (%s, %s, 'incremental', %s, %s, %s, 0, 0, 0, 0, 0, 0, 1, 'b', 'r', %s)",
                (
                    APP_ID, resource, beijing_text(self.read_until), beijing_text(self.now), utc_text(self.now),
                    utc_text(self.now),
                ),
            )  # fmt: skip
        self.read_until = self.now

    def arrive(self, moments: Sequence[datetime], reached: datetime, order_type: str | None = None) -> None:
        """Orders of these moments are in MySQL at a moment."""
        connection = self.database.connect()
        try:
            for moment in moments:
                self._number += 1
                name = f"o{self._number}"
                with connection.cursor() as cursor:
                    cursor.execute(
                        "INSERT INTO orders (shop_id, order_id, created_time, order_type, row_hash, raw_hash,"
                        " observed_at, batch_id) VALUES (%s, %s, %s, %s, 0, 0, %s, 'b')",
                        (APP_ID, name, beijing_text(moment), order_type, utc_text(reached)),
                    )
                    cursor.execute(
                        "INSERT INTO objective_events VALUES (%s, 'order_arrival', %s, %s, %s)",
                        (APP_ID, beijing_text(moment), name, utc_text(reached)),
                    )
        finally:
            connection.close()

    def status(self, objective: str = "order_arrival") -> dict[str, Any]:
        [row] = self.database.rows("SELECT * FROM objective_status WHERE objective = %s", (objective,))
        return row

    def alerts(self) -> list[tuple[str, str, bool]]:
        rows = self.database.rows("SELECT kind, shop, closed_at FROM alerts ORDER BY id")
        return [(row["kind"], row["shop"], row["closed_at"] is None) for row in rows]


@pytest.fixture
def runs(database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TaskRunner:
    monkeypatch.delenv("XIAOE_CONN_IDS", raising=False)
    return TaskRunner(api, monkeypatch, tmp_path / "pages")


@pytest.fixture
def shop(database: Database, runs: TaskRunner) -> Shop:
    return Shop(database, runs)


# --- burn rate -----------------------------------------------------------------------------------------


def test_an_outage_is_told_within_the_hour_and_is_over_with_the_next_orders_in_time(shop: Shop) -> None:
    shop.evaluate()
    shop.works(DAY)
    assert shop.evaluate()["order_arrival"] == "kept"
    shop.passes(40 * MINUTE, is_read=False)
    assert shop.evaluate()["order_arrival"] == "kept"
    assert shop.alerts() == []
    shop.passes(10 * MINUTE, is_read=False)
    assert shop.evaluate()["order_arrival"] == "burning"
    assert shop.alerts() == [("burning", "xiaoe_default", True)]
    assert 0 < shop.status()["expected_late"] == shop.status()["late"]
    shop.passes(2 * HOUR)  # all of it comes at last, late
    assert shop.evaluate()["order_arrival"] == "burning"
    assert shop.status()["expected_late"] == 0
    assert 100 < shop.status()["late"] < 140
    assert shop.alerts() == [("burning", "xiaoe_default", True)]
    shop.works(7 * HOUR)
    shop.evaluate()
    assert shop.alerts() == [("burning", "xiaoe_default", False)]


def test_an_outage_of_the_distant_past_has_spent_the_budget_until_it_leaves_the_period(shop: Shop) -> None:
    shop.evaluate()
    shop.works(DAY)
    shop.passes(5 * HOUR)
    shop.works(4 * DAY)
    assert shop.evaluate()["order_arrival"] == "spent"
    assert shop.alerts() == []
    shop.passes(31 * DAY)
    shop.works(DAY)
    late = shop.status()["late"]
    assert shop.evaluate()["order_arrival"] == "spent"  # 30 days in one merge: nearly all of them late
    assert shop.status()["late"] > late


def test_what_was_before_the_objective_and_what_was_sold_elsewhere_does_not_count(shop: Shop) -> None:
    shop.arrive([shop.now - n * HOUR for n in range(1, 400)], shop.now)
    shop.evaluate()
    shop.works(DAY)
    shop.arrive([shop.now - 20 * HOUR] * 50, shop.now, order_type="30")
    assert shop.evaluate()["order_arrival"] == "kept"
    assert (shop.status()["in_time"], shop.status()["late"]) == (24 * 60 - 40 + 1, 0)


def test_a_shop_that_never_succeeded_is_not_measured(shop: Shop, database: Database) -> None:
    database.rows("DELETE FROM sync_status")
    assert shop.evaluate() == {}
    assert database.rows("SELECT * FROM objective_status") == []


def test_a_shop_that_is_switched_off_says_so_and_has_no_alert(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.rows("INSERT INTO shops VALUES (%s, '测试店', 'xiaoe_default', NOW(3))", (APP_ID,))
    shop.evaluate()
    shop.works(DAY)
    shop.passes(HOUR, is_read=False)
    shop.evaluate()
    assert shop.alerts() == [("burning", "xiaoe_default", True)]
    assert "消耗过快" in objectives_on_the_page()
    monkeypatch.setenv("XIAOE_CONN_IDS", "xiaoe_second")
    other = os.environ["AIRFLOW_CONN_XIAOE_DEFAULT"].replace(APP_ID, "appother")
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_SECOND", other)
    XiaoeObjectivesOperator(task_id="evaluate", xiaoe_conn_id="xiaoe_second").execute({"run_id": "r"})
    assert shop.alerts() == [("burning", "xiaoe_default", False)]
    assert "店铺已停用" in objectives_on_the_page()


def objectives_on_the_page() -> str:
    status, html = web.render("zh", None)
    assert status == 200
    [part] = re.findall(r'id="objectives">(.*?)</section>', html, re.S)
    return part


def test_the_burn_rate_stands_for_the_check_of_freshness_while_it_is_measured(shop: Shop, database: Database) -> None:
    def stale() -> str:
        with Warehouse().session() as session:
            scope = CheckScope(APP_ID, shop.now, full=False)
            return figure(session, FRESHNESS, scope=scope, fresh_within=FRESH_WITHIN).detail

    shop.evaluate()
    shop.works(DAY)
    assert "orders incremental" in stale()  # nobody wrote sync_status since
    shop.evaluate()
    assert "orders incremental" not in stale()
    shop.passes(2 * HOUR, is_read=False)
    assert "orders incremental" in stale()


# --- what the tasks note -------------------------------------------------------------------------------


def test_a_merge_notes_when_an_order_arrived_and_the_first_load_does_not(
    sync: Sync, database: Database, runs: TaskRunner
) -> None:
    runs.at(END - HOUR)
    runs.sync("orders", "history", kind="manual", **{"from": f"{END - days(3):%Y-%m-%d}"})
    assert database.value("SELECT COUNT(*) FROM objective_events") == 0
    loaded = database.value("SELECT COUNT(*) FROM orders")
    runs.at(END)
    runs.sync("orders", "incremental")
    found = database.rows("SELECT * FROM objective_events")
    assert 0 < len(found) == database.value("SELECT COUNT(*) FROM orders") - loaded
    assert {row["reached_at"] for row in found} == {datetime.fromisoformat(utc_text(END))}
    held = database.rows("SELECT order_id, created_time FROM orders")
    assert {(row["order_id"], row["began_at"]) for row in found} <= {tuple(row.values()) for row in held}
    runs.sync("orders", "rescan")
    runs.at(END + HOUR)
    assert {row["order_id"]: row["reached_at"] for row in found}.items() <= {
        row["order_id"]: row["reached_at"] for row in database.rows("SELECT * FROM objective_events")
    }.items()


def test_pages_that_are_merged_again_say_nothing_of_when_their_orders_came(
    database: Database, runs: TaskRunner
) -> None:
    runs.at(END)
    runs.sync("orders", "incremental")
    assert database.value("SELECT COUNT(*) FROM objective_events") > 0
    database.empty("api_tokens")
    rebuild.rebuild_from_pages([], accept_missing=False)
    assert database.value("SELECT COUNT(*) FROM orders") > 0
    assert database.value("SELECT COUNT(*) FROM objective_events") == 0


def test_a_refund_is_decided_on_once_and_one_that_waits_is_late(database: Database, runs: TaskRunner) -> None:
    runs.at(END - days(2))
    runs.sync("orders", "history", kind="manual", **{"from": f"{END - days(60):%Y-%m-%d}"})
    decide = XiaoeBenefitsOperator(task_id="decide", xiaoe_conn_id="xiaoe_default")
    runs.refunds()
    decide.execute(runs.context())
    evaluate = XiaoeObjectivesOperator(task_id="evaluate", xiaoe_conn_id="xiaoe_default")
    runs.sync("orders", "incremental")
    evaluate.execute({"run_id": "r"})
    known = {row["order_id"] for row in refunds(database)}
    runs.at(END)
    runs.sync("orders", "rescan")
    runs.refunds()
    evaluate.execute({"run_id": "r"})
    waiting = database.value("SELECT CAST(late AS SIGNED) FROM objective_status WHERE objective = 'refund_decision'")
    assert waiting > 0
    runs.at(END + MINUTE)
    decide.execute(runs.context())
    late = {row["order_id"]: row["reached_at"] for row in refunds(database) if row["order_id"] not in known}
    assert set(late.values()) == {datetime.fromisoformat(utc_text(END + MINUTE))}
    assert len(late) >= waiting
    database.rows("INSERT IGNORE INTO benefit_queue SELECT shop_id, order_id FROM orders")
    runs.at(END + HOUR)
    decide.execute(runs.context())
    assert {row["order_id"]: row["reached_at"] for row in refunds(database) if row["order_id"] in late} == late


def refunds(database: Database) -> list[dict[str, Any]]:
    return database.rows("SELECT * FROM objective_events WHERE objective = 'refund_decision'")


def test_the_page_says_when_nothing_is_measured_any_more(shop: Shop) -> None:
    shop.evaluate()
    shop.works(DAY)
    shop.evaluate()
    assert "达标" in objectives_on_the_page()
    shop.passes(2 * HOUR, is_read=False)
    assert "已停止计算" in objectives_on_the_page()

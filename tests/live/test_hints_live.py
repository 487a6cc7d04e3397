"""From a hint to the order's row, its decision and the marts, in a live Airflow: the queue wakes the DAG.

`HINTS` in the environment is how many hints follow each other (default 2); how long each took is printed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from emulator.process import Emulator, running
from servers.airflow import Standalone, wait_until
from support.fixtures import servers, shop_connection
from support.worlds.shop import APP_ID, CLIENT_ID, SECRET, Database, Sync, truth_by_id, unlike
from xiaoe import clock
from xiaoe.clock import BEIJING
from xiaoe.hints import queue
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.windows import Window

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.airflow,
    pytest.mark.slow,
    # One server is enough here: what differs between them is in tests/integration.
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

TODAY = datetime.now(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)
OLDEST, LOADED = TODAY - timedelta(days=250), TODAY - timedelta(days=40)
DAGS = ("xiaoe_orders_hinted", "xiaoe_benefits", "xiaoe_marts")
PATIENCE = 300
ROUNDS = int(os.environ.get("HINTS", "2"))


@pytest.fixture(scope="module")
def shop() -> Iterator[Emulator]:
    with running(
        orders=2000,
        start=f"{OLDEST:%Y-%m-%d}",
        now=f"{LOADED:%Y-%m-%dT%H:%M:%S}",
        frozen=True,
        shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
    ) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def warehouse(migrated: str) -> Database:
    database = Database(migrated)
    database.empty()
    return database


@pytest.fixture(scope="module")
def changed(shop: Emulator, warehouse: Database, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Orders of a loaded warehouse that changed in the shop since."""
    window = Window(OLDEST, LOADED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", warehouse.url)
        patch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(shop.url))
        Sync(tmp_path_factory.mktemp("pages")).run(window)
    before = truth_by_id(shop, window)
    shop.set_clock(f"{TODAY:%Y-%m-%dT%H:%M:%S}")
    return [name for name, row in truth_by_id(shop, window).items() if row != before[name]]


@pytest.fixture(scope="module")
def airflow(
    shop: Emulator,
    warehouse: Database,
    changed: list[str],
    airflow_database: str | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Standalone]:
    airflow = Standalone(tmp_path_factory.mktemp("airflow"), database=airflow_database)
    airflow.start(
        {
            "AIRFLOW_CONN_XIAOE_DEFAULT": shop_connection(shop.url),
            "XIAOE_PAGE_STORE": f"file://{airflow.home}/pages",
            "XIAOE_HINTS": "push",
        }
    )
    try:
        airflow.wait_healthy()
        # A connection of Airflow's own: the triggerer has to ask the API server for it.
        airflow.api("POST", "connections", connection_id="xiaoe_mysql", conn_type="mysql", **_fields(warehouse.url))
        airflow.wait_for_dags(*DAGS)
        airflow.create_pools()
        for dag_id in DAGS:
            airflow.api("PATCH", f"dags/{dag_id}", is_paused=False)
        yield airflow
    finally:
        airflow.stop()


def test_a_hint_ends_in_the_row_the_decision_and_the_marts(
    airflow: Standalone, warehouse: Database, shop: Emulator, changed: list[str]
) -> None:
    assert len(changed) > ROUNDS
    seconds = []
    for name in changed[:ROUNDS]:
        begin = time.monotonic()
        hint(warehouse, name)
        wait_until(lambda name=name: is_through(warehouse, name), PATIENCE, f"{name} did not come through")
        seconds.append(time.monotonic() - begin)
        print(f"hint to marts: {seconds[-1]:.1f} s")
    truth = truth_by_id(shop, Window(OLDEST, LOADED))
    held = warehouse.rows("SELECT * FROM orders WHERE order_id IN %s", (changed[:ROUNDS],))
    assert unlike(held, [truth[name] for name in changed[:ROUNDS]], "order_id") == []
    assert {row["outcome"] for row in warehouse.rows("SELECT outcome FROM hint_looks")} == {"changed"}
    print(f"{len(seconds)} hints, p50 {sorted(seconds)[len(seconds) // 2]:.1f} s, slowest {max(seconds):.1f} s")


def test_hints_that_come_together_are_one_look(airflow: Standalone, warehouse: Database, changed: list[str]) -> None:
    name = changed[ROUNDS]
    for _ in range(3):
        hint(warehouse, name)
    wait_until(lambda: is_through(warehouse, name), PATIENCE, f"{name} did not come through")
    looks = warehouse.rows("SELECT hints, outcome FROM hint_looks WHERE order_id = %s", (name,))
    assert sum(row["hints"] for row in looks) == 3
    assert "changed" in {row["outcome"] for row in looks}


def hint(warehouse: Database, order_id: str) -> None:
    """The shop says that an order changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", warehouse.url)
        with Warehouse().session() as session:
            queue.add(session, APP_ID, order_id, "push", None, clock.utc_now())
            session.commit()


def is_through(warehouse: Database, order_id: str) -> bool:
    """Whether its hints were answered, and what hangs on it was decided and computed."""
    [row] = warehouse.rows(
        "SELECT (SELECT COUNT(*) FROM change_hints) AS hints, (SELECT COUNT(*) FROM benefit_queue) AS undecided,"
        " (SELECT COUNT(*) FROM mart_queue) AS days,"
        " (SELECT COUNT(*) FROM hint_looks WHERE order_id = %s) AS looks",
        (order_id,),
    )
    return bool(row["looks"]) and not (row["hints"] or row["undecided"] or row["days"])


def _fields(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "host": parts.hostname,
        "port": parts.port,
        "login": parts.username,
        "password": parts.password,
        "schema": parts.path.lstrip("/"),
        "extra": '{"charset": "utf8mb4"}',
    }

"""From a change in the shop to the order's row by the list alone, both clocks running, on the schedule of the DAG.

Takes `HINTS_BY_LIST` minutes, for which reason it runs only where that is set, as in `make chaos`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from emulator.process import Emulator, running
from servers.airflow import Standalone, wait_until
from support.fixtures import servers, shop_connection
from support.worlds.shop import APP_ID, CLIENT_ID, SECRET, Database, Sync, differences
from xiaoe.clock import BEIJING
from xiaoe.windows import Window

MINUTES = float(os.environ.get("HINTS_BY_LIST", "0"))
pytestmark = [
    pytest.mark.mysql,
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.skipif(not MINUTES, reason="takes as long as HINTS_BY_LIST says, in minutes"),
    # One server is enough here: what differs between them is in tests/integration.
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

NOW = datetime.now(BEIJING).replace(microsecond=0)
OLDEST = NOW.replace(hour=0, minute=0, second=0) - timedelta(days=4)
DAGS = ("xiaoe_orders_changed", "xiaoe_orders_hinted", "xiaoe_benefits", "xiaoe_marts")
PATIENCE = 300
LOOKED = (
    "SELECT order_id, TIMESTAMPDIFF(SECOND, changed_at - INTERVAL 8 HOUR, taken_at) AS seconds FROM hint_looks"
    " WHERE source = 'list' AND outcome IN ('new', 'changed') AND changed_at > %s ORDER BY seconds"
)


@pytest.fixture(scope="module")
def shop() -> Iterator[Emulator]:
    with running(
        orders_per_day=2000, even=True, start=f"{OLDEST:%Y-%m-%d}", shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"]
    ) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def warehouse(migrated: str, shop: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """All orders until now."""
    database = Database(migrated)
    database.empty()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", database.url)
        patch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(shop.url))
        Sync(tmp_path_factory.mktemp("pages")).run(Window(OLDEST, NOW))
    return database


@pytest.fixture(scope="module")
def airflow(
    shop: Emulator, warehouse: Database, airflow_database: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Standalone]:
    airflow = Standalone(tmp_path_factory.mktemp("airflow"), database=airflow_database)
    airflow.start(
        {
            "AIRFLOW_CONN_XIAOE_DEFAULT": shop_connection(shop.url),
            "AIRFLOW_CONN_XIAOE_MYSQL": warehouse.url,
            "XIAOE_PAGE_STORE": f"file://{airflow.home}/pages",
            "XIAOE_HINTS": "list",
        }
    )
    try:
        airflow.wait_healthy()
        airflow.wait_for_dags(*DAGS)
        airflow.create_pools()
        for dag_id in DAGS:
            airflow.api("PATCH", f"dags/{dag_id}", is_paused=False)
        yield airflow
    finally:
        airflow.stop()


def test_changes_reach_orders_by_the_list_alone(airflow: Standalone, warehouse: Database, shop: Emulator) -> None:
    wait_until(lambda: warehouse.rows("SELECT 1 FROM hint_looks LIMIT 1"), PATIENCE * 2, "no order was looked up")
    begin = datetime.now(BEIJING)
    end = time.monotonic() + MINUTES * 60
    wait_until(lambda: time.monotonic() > end, MINUTES * 60 + PATIENCE, "time does not pass")
    looks = warehouse.rows(LOOKED, (begin.replace(tzinfo=None),))
    assert looks, "nothing that changed meanwhile was looked up"
    seconds = [look["seconds"] for look in looks]
    print(
        f"{len(seconds)} changes of {MINUTES:.0f} minutes, seconds to the row: p50 {seconds[len(seconds) // 2]},"
        f" p95 {seconds[len(seconds) * 95 // 100]}, longest {seconds[-1]}"
    )
    shop.freeze()
    wait_until(lambda: differences(warehouse, shop) == [], PATIENCE * 2, "orders differ from the shop's")
    assert airflow.api("GET", "dags/~/dagRuns?state=failed")["total_entries"] == 0

"""A live Airflow: scheduler, API server, DAG processor, triggerer, workers, driven over its REST API.

All dates are relative to today, because a scheduler knows no other clock.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator, running
from servers.airflow import Standalone, wait_until
from support.fixtures import servers, shop_connection
from support.oracles.secrets_hunt import leaks
from support.worlds.shop import APP_ID, CLIENT_ID, SECRET, Database, differences
from xiaoe.clock import BEIJING
from xiaoe.windows import Window

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.airflow,
    pytest.mark.slow,
    # One server is enough here: what differs between them is in tests/integration.
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

TODAY = datetime.now(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)
HISTORY_START = TODAY - timedelta(days=10)
PATIENCE = 300


@pytest.fixture(scope="module")
def shop() -> Iterator[Emulator]:
    start = TODAY - timedelta(days=45)
    with running(
        orders=1500,
        start=f"{start:%Y-%m-%d}",
        now=f"{TODAY:%Y-%m-%dT%H:%M:%S}",
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
def airflow(
    shop: Emulator,
    warehouse: Database,
    airflow_database: str | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Standalone]:
    airflow = Standalone(tmp_path_factory.mktemp("airflow"), database=airflow_database)
    environment = {
        "AIRFLOW_CONN_XIAOE_MYSQL": warehouse.url,
        "AIRFLOW_CONN_XIAOE_DEFAULT": shop_connection(shop.url),
        "XIAOE_HISTORY_START": f"{HISTORY_START:%Y-%m-%d}",
        "XIAOE_PAGE_STORE": f"file://{airflow.home}/pages",
    }
    airflow.start(environment)
    try:
        airflow.wait_healthy()
        airflow.wait_for_dags("xiaoe_orders_history", "xiaoe_orders_incremental", "xiaoe_orders_rescan")
        airflow.create_pools()
        yield airflow
    finally:
        airflow.stop()


def finished(airflow: Standalone, dag_id: str, run_id: str) -> dict[str, Any]:
    """Wait for a run to end and return it."""
    path = f"dags/{dag_id}/dagRuns/{run_id.replace('+', '%2B')}"
    wait_until(
        lambda: airflow.api("GET", path)["state"] in ("success", "failed"), PATIENCE, f"{dag_id} {run_id} did not end"
    )
    run: dict[str, Any] = airflow.api("GET", path)
    return run


def test_a_dag_triggered_over_the_api_brings_its_window(
    airflow: Standalone, warehouse: Database, shop: Emulator
) -> None:
    window = Window(TODAY - timedelta(days=9), TODAY)
    airflow.api("PATCH", "dags/xiaoe_orders_rescan", is_paused=False)
    run = airflow.api(
        "POST",
        "dags/xiaoe_orders_rescan/dagRuns",
        dag_run_id="by-hand",
        logical_date=None,
        conf={"from": window.begin.isoformat(), "to": window.end.isoformat()},
    )
    assert finished(airflow, "xiaoe_orders_rescan", run["dag_run_id"])["state"] == "success"
    assert differences(warehouse, shop, window) == []
    rows = warehouse.rows("SELECT DISTINCT mode, run_id FROM sync_windows WHERE run_id = 'by-hand'")
    assert rows == [{"mode": "rescan", "run_id": "by-hand"}]


def test_the_rendered_merge_shows_in_the_ui(airflow: Standalone) -> None:
    merge = airflow.api("GET", "dags/xiaoe_orders_rescan/dagRuns/by-hand/taskInstances/shop.merge/0")
    assert "ON DUPLICATE KEY UPDATE" in merge["rendered_fields"]["sql"]
    assert "{%" not in merge["rendered_fields"]["sql"]


def test_a_backfill_from_the_command_line_brings_its_weeks(
    airflow: Standalone, warehouse: Database, shop: Emulator
) -> None:
    first, last = TODAY - timedelta(days=38), TODAY - timedelta(days=24)
    command = [Path(sys.executable).with_name("airflow"), "backfill", "create", "--dag-id", "xiaoe_orders_history"]
    done = subprocess.run(
        [*command, "--from-date", f"{first:%Y-%m-%dT00:00:00+08:00}", "--to-date", f"{last:%Y-%m-%dT00:00:00+08:00}"],
        env={**os.environ, **airflow.settings()},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    airflow.api("PATCH", "dags/xiaoe_orders_history", is_paused=False)
    runs = airflow.api("GET", "dags/xiaoe_orders_history/dagRuns?run_type=backfill")["dag_runs"]
    assert len(runs) == 3
    for run in runs:
        assert finished(airflow, "xiaoe_orders_history", run["dag_run_id"])["state"] == "success"
    [covered] = warehouse.rows(
        "SELECT MIN(window_start) AS begin, MAX(window_end) AS end FROM sync_windows WHERE run_id LIKE 'backfill%%'"
    )
    window = Window(covered["begin"].replace(tzinfo=BEIJING), covered["end"].replace(tzinfo=BEIJING))
    assert window == Window(first, last + timedelta(days=7))
    assert differences(warehouse, shop, window) == []
    assert warehouse.rows("SELECT watermark FROM sync_status WHERE mode = 'history' AND watermark IS NOT NULL") == []


def test_no_secret_is_anywhere_in_airflow_s_folder_or_database(
    airflow: Standalone, airflow_database: str | None
) -> None:
    files = [path for path in airflow.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert [path for path in files if b"access_token" in path.read_bytes() and path.suffix == ".log"] == []
    if airflow_database:
        assert Database(airflow_database).value("SELECT COUNT(*) FROM dag_run") > 0
        assert leaks([SECRET], [], [Database(airflow_database)]) == []

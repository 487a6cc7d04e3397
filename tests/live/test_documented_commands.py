"""The `airflow` commands of the documentation, word for word: what they start, and which window that run reads."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support.documents import DOCS, REPO, blocks
from xiaoe.clock import BEIJING
from xiaoe.sync.operators import run_of
from xiaoe.windows import Run, Window, plan_history, plan_rescan

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

DOCUMENTED = sorted(
    {
        line.strip()
        for page in DOCS.glob("operations*.md")
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if re.match(r"\s*airflow (dags trigger|backfill) ", line)
    }
    | {
        command
        for file in (REPO / "dags").glob("*.py")
        for command in re.findall(r"`(airflow (?:dags trigger|backfill) [^`]+)`", file.read_text("utf-8"))
    }
)
WINDOWS = {
    "xiaoe_orders_history": Window(datetime(2025, 3, 1, tzinfo=BEIJING), datetime(2025, 4, 1, tzinfo=BEIJING)),
    "xiaoe_orders_rescan": Window(datetime(2026, 11, 1, tzinfo=BEIJING), datetime(2026, 11, 16, tzinfo=BEIJING)),
}
"""DAG → the window that the pages speak of: days in Beijing."""
NOW = datetime(2026, 11, 30, 12, tzinfo=BEIJING)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an Airflow as installed, with default settings: its own zone is UTC."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPO / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    script = "from airflow.utils.db import initdb; initdb()"
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True)
    subprocess.run(["airflow", "dags", "reserialize"], env=environment, check=True, capture_output=True)
    return environment


def test_the_pages_tell_how_to_read_again() -> None:
    assert {re.search(r"xiaoe_\w+", command).group() for command in DOCUMENTED} == WINDOWS.keys()  # type: ignore[union-attr]


@pytest.mark.parametrize("command", DOCUMENTED)
def test_a_documented_command_reads_the_days_that_it_names(airflow: dict[str, str], command: str) -> None:
    done = subprocess.run(["bash", "-c", command], env=airflow, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    [dag_id] = re.findall(r"xiaoe_\w+", command)
    run = _last_run(airflow, dag_id)
    plans = {
        "xiaoe_orders_history": lambda: plan_history(run, start=NOW - timedelta(days=900), lag=timedelta(minutes=1)),
        "xiaoe_orders_rescan": lambda: plan_rescan(run, lookback=timedelta(days=15), lag=timedelta(minutes=1)),
    }
    assert plans[dag_id]().window == WINDOWS[dag_id]


def _last_run(environment: dict[str, str], dag_id: str) -> Run:
    """The DAG's latest run, as its tasks see it."""
    with sqlite3.connect(f"{environment['AIRFLOW_HOME']}/airflow.db") as connection:
        kind, conf, begin, end = connection.execute(
            "SELECT run_type, conf, data_interval_start, data_interval_end FROM dag_run WHERE dag_id = ?"
            " ORDER BY id DESC LIMIT 1",
            (dag_id,),
        ).fetchone()
    context: Any = {
        "dag_run": SimpleNamespace(run_type=kind, run_after=NOW),
        "params": json.loads(conf),
        "data_interval_start": begin and datetime.fromisoformat(f"{begin}+00:00"),
        "data_interval_end": end and datetime.fromisoformat(f"{end}+00:00"),
    }
    return run_of(context)

"""Fills the demo: unpauses every DAG, waits for the data, has the daily report mailed.

Then it creates the file /tmp/filled, for the health check of `docker compose up --wait`, and keeps running.
"""

from __future__ import annotations

import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from xiaoe import clock, settings
from xiaoe.api.shop import app_id_of
from xiaoe.login.manager import OPERATOR
from xiaoe.login.people import close_account, set_person
from xiaoe.mysql.warehouse import Warehouse

AIRFLOW = "http://api-server:8080"
MAILPIT = "http://mailpit:8025"
FILLER = "demo"
DAGS = Path(__file__).resolve().parents[2] / "dags"
LOADED = (
    ("orders", "history"), ("orders", "incremental"), ("orders", "rescan"), ("refunds", "incremental"),
    ("users", "whole"), ("products", "whole"), ("live_streams", "whole"), ("benefits", "decide"),
    ("marts", "refresh"),
)  # fmt: skip
"""Resources and modes that have succeeded in every shop once the demo is filled."""
PATIENCE = 45 * 60
"""Seconds; two idle cores take five minutes."""


class Airflow:
    """Its REST API, logged in as an operator whose password nobody else gets to know."""

    def __init__(self) -> None:
        password = secrets.token_urlsafe(32)
        set_person(FILLER, OPERATOR, password)
        answer = requests.post(f"{AIRFLOW}/auth/token", json={"username": FILLER, "password": password}, timeout=60)
        answer.raise_for_status()
        self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def __call__(self, method: str, path: str, **body: Any) -> Any:
        """Call it below /api/v2.

        Raises:
            requests.HTTPError: It refused.
        """
        answer = requests.request(
            method, f"{AIRFLOW}/api/v2/{path}", json=body or None, headers=self._headers, timeout=60
        )
        answer.raise_for_status()
        return answer.json()


def main() -> None:
    """Fill the demo."""
    # Process 1 of a container ignores signals without a handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    airflow = Airflow()
    wanted = len(list(DAGS.glob("*.py")))
    wait(lambda: airflow("GET", "dags?dag_id_pattern=xiaoe_&limit=1")["total_entries"] >= wanted, "DAGs to appear")
    begin_benefits_with_the_history()
    airflow("PATCH", "dags?dag_id_pattern=xiaoe_&limit=1000", is_paused=False)
    wait(loaded, "data")
    run = airflow("POST", "dags/xiaoe_benefits_report/dagRuns", logical_date=None)
    path = f"dags/xiaoe_benefits_report/dagRuns/{run['dag_run_id']}"
    wait(lambda: airflow("GET", path)["state"] == "success", "the report")
    wait(lambda: requests.get(f"{MAILPIT}/api/v1/messages", timeout=30).json()["total"] > 0, "a mail")
    close_account(FILLER)
    Path("/tmp/filled").touch()  # noqa: S108 - the container's own
    print("filled", flush=True)
    signal.pause()


def begin_benefits_with_the_history() -> None:
    """Let the demo show decisions of every kind: else benefits would begin today."""
    since = settings.history_start().astimezone(clock.BEIJING)
    with Warehouse().session() as session:
        session.insert_many(
            "INSERT IGNORE INTO benefit_starts (shop_id, since, recorded_at) VALUES (%s, %s, UTC_TIMESTAMP(3))",
            [(app_id_of(name), f"{since:%Y-%m-%d}") for name in settings.conn_ids()],
        )
        session.commit()


def loaded() -> bool:
    """Whether every shop has its whole history, and a first success of everything else."""
    shops = len(settings.conn_ids())
    interval = settings.history_interval()
    days = (clock.now() - settings.history_start()) // interval * interval.days * shops
    with Warehouse().session() as session:
        succeeded = Counter(session.query("SELECT resource, mode FROM sync_status WHERE last_success_at IS NOT NULL"))
        [(loaded_days,)] = session.query(
            "SELECT COALESCE(SUM(TIMESTAMPDIFF(DAY, window_start, window_end)), 0) FROM"
            " (SELECT DISTINCT shop_id, window_start, window_end FROM sync_windows WHERE mode = 'history') AS windows"
        )
    return loaded_days >= days and all(succeeded[step] == shops for step in LOADED)


def wait(condition: Callable[[], bool], what: str) -> None:
    """Poll until the condition holds.

    Raises:
        SystemExit: It did not hold in time.
    """
    print(f"waiting for {what}", flush=True)
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE} s for {what}: see Airflow's UI")
        time.sleep(3)


if __name__ == "__main__":
    main()

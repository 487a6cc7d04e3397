"""Alerts from a live Airflow: worker, DAG processor and triggerer tell a real mail server, once each.

One start of Airflow for all of it; the tests follow each other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from servers.airflow import Standalone, wait_until
from support.fixtures import servers
from support.servers.inbox import MailServer, body, mail_server
from support.servers.relay import Relay
from support.worlds.shop import Database

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.airflow,
    pytest.mark.slow,
    # One server is enough here: what differs between them is in tests/integration.
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

PATIENCE = 180
ERROR = "connection xiaoe_default: the secret {{ 7*7 }} is wrong"
DAY = (datetime.now() - timedelta(days=3)).date()
DAGS = """
from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import DAG, DeltaDataIntervalTimetable, Param, task

from xiaoe.tasks.defaults import dag_defaults
from xiaoe.exceptions import XiaoeConfigError

PARAMS = {"error": Param(None, type=["null", "string"]), "until": Param(None, type=["null", "string"])}

for name, seconds in {"failing": 3600, "late": 90, "hanging": 5}.items():
    with DAG(
        name,
        schedule=DeltaDataIntervalTimetable(timedelta(days=1)) if name == "failing" else None,
        start_date=pendulum.datetime(2026, 1, 1),
        catchup=False,
        max_active_runs=1,
        **dag_defaults("orders", params=PARAMS, overdue_after=timedelta(seconds=seconds)),
    ):

        @task(pool="default_pool")
        def work(params):
            while params["until"] and Path(params["until"]).parent.exists() and not Path(params["until"]).exists():
                time.sleep(0.2)
            if params["error"]:
                raise XiaoeConfigError(params["error"])

        work()
"""


@pytest.fixture(scope="module")
def inbox() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def warehouse(migrated: str) -> Database:
    database = Database(migrated)
    database.empty()
    return database


@pytest.fixture(scope="module")
def relay(warehouse: Database) -> Iterator[Relay]:
    relay = Relay(urlsplit(warehouse.url).port or 3306)
    relay.start()
    yield relay
    relay.stop()


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a file lets a run go on; without the folder, every run does: its worker outlives Airflow."""
    folder = tmp_path_factory.mktemp("flags")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def airflow(
    warehouse: Database,
    relay: Relay,
    inbox: MailServer,
    flags: Path,
    airflow_database: str | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Standalone]:
    airflow = Standalone(tmp_path_factory.mktemp("airflow"), database=airflow_database)
    dags = tmp_path_factory.mktemp("dags")
    (dags / "alerting.py").write_text(DAGS, "utf-8")
    environment = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW_CONN_XIAOE_MYSQL": warehouse.url.replace(f":{relay.target}/", f":{relay.port}/"),
        "AIRFLOW_CONN_SMTP_DEFAULT": inbox.connection(),
        "XIAOE_ALERT_MAIL_TO": "ops@example.com",
    }
    airflow.start(environment)
    try:
        airflow.wait_healthy()
        airflow.wait_for_dags("failing", "late", "hanging")
        airflow.create_pools()
        for name in ("failing", "late", "hanging"):
            airflow.api("PATCH", f"dags/{name}", is_paused=False)
        wait_until(  # the run of the last interval, which the scheduler makes
            lambda: [run["state"] for run in runs(airflow, "failing")] == ["success"], PATIENCE, "the first run"
        )
        yield airflow
    finally:
        airflow.stop()


def runs(airflow: Standalone, dag_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = airflow.api("GET", f"dags/{dag_id}/dagRuns?order_by=id")["dag_runs"]
    return found


def trigger(airflow: Standalone, dag_id: str, run_id: str, **conf: str | None) -> None:
    airflow.api("POST", f"dags/{dag_id}/dagRuns", dag_run_id=run_id, logical_date=None, conf=conf)


def finish(airflow: Standalone, dag_id: str, run_id: str) -> str:
    """Wait for a run to end; how it ended."""
    path = f"dags/{dag_id}/dagRuns/{quote(run_id)}"
    wait_until(
        lambda: airflow.api("GET", path)["state"] in ("success", "failed"), PATIENCE, f"{dag_id} {run_id} did not end"
    )
    return str(airflow.api("GET", path)["state"])


def logged(airflow: Standalone, run_id: str, said: str) -> None:
    """Wait until the log of a run's task holds a text: its callbacks come after its state."""
    folder = airflow.home / "logs"
    wait_until(
        lambda: any(
            said in path.read_text("utf-8") for path in folder.rglob("*.log") if f"run_id={run_id}" in str(path)
        ),
        PATIENCE,
        f"{run_id} did not log {said!r}",
    )


def subjects(inbox: MailServer) -> list[str]:
    """Without what comes behind the first colon."""
    return [str(mail["Subject"]).partition("：")[0] for mail in inbox.mails]


def mailed(inbox: MailServer, subject: str) -> None:
    wait_until(lambda: subject in subjects(inbox), PATIENCE, f"no mail {subject}: {subjects(inbox)}")


def test_a_backfill_that_fails_sends_no_mail(airflow: Standalone, inbox: MailServer, warehouse: Database) -> None:
    command = [Path(sys.executable).with_name("airflow"), "backfill", "create", "--dag-id", "failing"]
    done = subprocess.run(
        [*command, "--from-date", f"{DAY}", "--to-date", f"{DAY}", "--dag-run-conf", '{"error": "another error"}'],
        env={**os.environ, **airflow.settings()},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    [run] = [run for run in runs(airflow, "failing") if run["run_type"] == "backfill"]
    assert finish(airflow, "failing", run["dag_run_id"]) == "failed"
    logged(airflow, run["dag_run_id"], "a backfill does not alert")
    assert warehouse.rows("SELECT * FROM alerts") == []
    assert inbox.mails == []


def test_a_failed_task_sends_a_mail(airflow: Standalone, inbox: MailServer, warehouse: Database, flags: Path) -> None:
    trigger(airflow, "late", "late-1", until=str(flags / "late"))  # its deadline passes while the next tests run
    trigger(airflow, "failing", "fails-1", error=ERROR)
    mailed(inbox, "【失败】failing")
    [mail] = [mail for mail in inbox.mails if "失败" in mail["Subject"]]
    assert mail["Subject"] == "【失败】failing：设置或连接填错"
    said = body(mail)
    assert f"报错：{ERROR}" in said, "the message is data, no template"
    assert "任务日志" not in said, "this Airflow's address opens on this machine only"
    log_url = warehouse.value("SELECT log_url FROM alerts WHERE kind = 'failed'")
    assert log_url.endswith("/dags/failing/runs/fails-1/tasks/work?try_number=1"), "a wrong secret is not tried again"
    assert warehouse.value("SELECT seen_count FROM alerts WHERE kind = 'failed'") == 1


def test_the_next_failure_of_that_cause_sends_none(airflow: Standalone, inbox: MailServer, warehouse: Database) -> None:
    trigger(airflow, "failing", "fails-2", error=ERROR)
    count = "SELECT seen_count FROM alerts WHERE kind = 'failed'"
    wait_until(lambda: warehouse.value(count) == 2, PATIENCE, "the second failure was not noted")
    assert subjects(inbox).count("【失败】failing") == 1


def test_the_first_success_sends_one_that_it_is_over(
    airflow: Standalone, inbox: MailServer, warehouse: Database
) -> None:
    trigger(airflow, "failing", "succeeds")
    mailed(inbox, "【恢复】failing")
    assert warehouse.value("SELECT COUNT(*) FROM alerts WHERE kind = 'failed' AND closed_told_at IS NULL") == 0


def test_a_late_run_is_told_by_the_triggerer(airflow: Standalone, inbox: MailServer, warehouse: Database) -> None:
    mailed(inbox, "【超时】late")
    [mail] = [mail for mail in inbox.mails if "超时" in mail["Subject"]]
    assert "late-1" in body(mail)
    assert [run["state"] for run in runs(airflow, "late")] == ["running"]
    rows = warehouse.rows("SELECT kind, dag_id, run_id FROM alerts WHERE closed_at IS NULL")
    assert rows == [{"kind": "late", "dag_id": "late", "run_id": "late-1"}]


def test_lateness_is_over_with_the_first_run_in_time(
    airflow: Standalone, inbox: MailServer, warehouse: Database, flags: Path
) -> None:
    (flags / "late").touch()
    assert finish(airflow, "late", "late-1") == "success"
    assert "【恢复】late" not in subjects(inbox), "that run was late"
    trigger(airflow, "late", "late-2")
    mailed(inbox, "【恢复】late")
    assert warehouse.rows("SELECT * FROM alerts WHERE closed_at IS NULL") == []


def test_a_warehouse_that_is_down_is_told_once_over_an_airflow_variable(
    airflow: Standalone, inbox: MailServer, warehouse: Database, relay: Relay, flags: Path
) -> None:
    """Noticed by the triggerer, known to a worker, over when a task reaches it again."""
    relay.stop()
    trigger(airflow, "hanging", "hanging-1", until=str(flags / "hanging"))
    mailed(inbox, "【失败】数据库用不了")
    wait_until(
        lambda: '"is_told": true' in airflow.api("GET", "variables/xiaoe_warehouse_outage")["value"], PATIENCE, "noted"
    )
    trigger(airflow, "failing", "fails-3", error=ERROR)
    logged(airflow, "fails-3", "was already reported")
    relay.start()
    (flags / "hanging").touch()
    mailed(inbox, "【恢复】数据库可用了，历时 0 分钟")
    assert finish(airflow, "hanging", "hanging-1") == "success"
    assert warehouse.rows("SELECT * FROM alerts WHERE closed_at IS NULL") == []


def test_nobody_was_told_of_anything_else_and_never_of_a_password(
    airflow: Standalone, inbox: MailServer, warehouse: Database
) -> None:
    assert sorted(subjects(inbox)) == sorted([
        "【失败】failing",
        "【恢复】failing",
        "【超时】late",
        "【恢复】late",
        "【失败】数据库用不了",
        "【恢复】数据库可用了，历时 0 分钟",
    ])  # fmt: skip
    password = urlsplit(warehouse.url).password
    assert password
    assert not [mail for mail in inbox.mails if password in body(mail) or password in mail["Subject"]]
    logs = [path for path in (airflow.home / "logs").rglob("*.log") if password in path.read_text("utf-8")]
    assert logs == []

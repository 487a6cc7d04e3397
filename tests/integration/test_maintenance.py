"""What the maintenance removes, and above all what it leaves."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from emulator.process import Emulator
from support.fixtures import servers
from support.worlds.runs import TaskRunner
from support.worlds.shop import APP_ID, END, Database, Sync, days
from xiaoe import clock
from xiaoe.clock import utc_text
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.maintenance import airflow_db, old_files, old_pages, old_rows
from xiaoe.maintenance.operators import XiaoeMaintenanceOperator
from xiaoe.maintenance.step import Step
from xiaoe.merge.ledger import observations
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.orders import ORDERS
from xiaoe.tasks.maintenance import STEPS
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql
one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
LONG_AGO = END - days(500)


def maintain(step: str, *, dry_run: bool = False) -> int | None:
    run = SimpleNamespace(dag_id="xiaoe_maintenance", run_id="r")
    about: Any = {"params": {"dry_run": dry_run}, "dag_run": run}
    return XiaoeMaintenanceOperator(task_id=step, step=step).execute(about)


@pytest.fixture
def runs(database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TaskRunner:
    return TaskRunner(api, monkeypatch, tmp_path / "pages")


def folder_of(url: str) -> Path:
    return Path(urlsplit(url).path)


def logged(step: Callable[[Step], int]) -> int:
    """Run a step with a log that pytest sees."""
    return step(Step(clock.now(), False, logging.getLogger("maintenance")))


def aged(folder: Path) -> Path:
    """As if everything below had been written forty days ago."""
    moment = (datetime.now(timezone.utc) - days(40)).timestamp()
    for path in folder.rglob("*"):
        os.utime(path, (moment, moment))
    return folder


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files know no other clock than the machine's."""
    monkeypatch.setattr(clock, "now", lambda: datetime.now(timezone.utc))


# --- pages ---------------------------------------------------------------------------------------------


@one_server
def test_pages_of_merged_runs_go_when_they_are_old(runs: TaskRunner, today: None, tmp_path: Path) -> None:
    old, young = (runs.stage("orders", "incremental"), runs.stage("products", "whole"))
    for folder, resource, mode in ((old, "orders", "incremental"), (young, "products", "whole")):
        runs.merge(resource, mode, folder)
    aged(folder_of(old))
    assert maintain("pages", dry_run=True) == 1
    assert folder_of(old).exists()
    assert maintain("pages") == 1
    assert not folder_of(old).exists()
    assert list((tmp_path / "pages" / APP_ID / "orders").iterdir()) == [], "no empty folders stay"
    assert folder_of(young).exists()


@one_server
def test_pages_that_were_never_merged_stay_until_something_later_covers_them(
    runs: TaskRunner, database: Database, today: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = runs.now
    monkeypatch.setattr(clock, "now", lambda: now)
    unmerged, odd, broken, list_of_products = (
        folder_of(runs.stage("orders", "incremental")),
        folder_of(runs.stage("orders", "incremental")),
        folder_of(runs.stage("orders", "incremental")),
        folder_of(runs.stage("products", "whole")),
    )
    (broken / "manifest.json").unlink()
    (odd / "manifest.json").write_text("{")
    for folder in (unmerged, odd, broken, list_of_products):
        aged(folder)
    monkeypatch.setattr(clock, "now", lambda: datetime.now(timezone.utc))
    assert logged(old_pages.remove_old_pages) == 0
    assert unmerged.exists()
    assert odd.exists()
    assert broken.exists()
    assert str(unmerged) in caplog.text
    monkeypatch.setattr(clock, "now", lambda: now)
    runs.sync("orders", "rescan", kind="manual", **{"from": f"{now - days(1):%Y-%m-%d}"})
    monkeypatch.setattr(clock, "now", lambda: datetime.now(timezone.utc))
    assert maintain("pages") == 0, "the incremental run reads seven days, the rescan one"
    monkeypatch.setattr(clock, "now", lambda: now)
    runs.sync("orders", "rescan")
    runs.sync("products", "whole")
    monkeypatch.setattr(clock, "now", lambda: datetime.now(timezone.utc))
    assert maintain("pages") == 4


@one_server
def test_pages_of_looked_up_orders_go_when_a_later_look_up_succeeded(
    runs: TaskRunner, database: Database, today: None, tmp_path: Path
) -> None:
    for name in ("late-failed", "late-merged"):
        folder = tmp_path / "pages" / APP_ID / "orders" / "20000101T000000_20261001T000000" / f"{name}.0000"
        folder.mkdir(parents=True)
        (folder / "page-00001.json.gz").write_bytes(b"")
        aged(folder)
    (tmp_path / "pages" / "notes").mkdir()
    assert maintain("pages") == 0
    database.rows(
        "INSERT INTO sync_status (shop_id, resource, mode, last_success_at, last_attempt_at, status)"
        " VALUES (%s, 'orders', 'late', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), 'success')",
        [APP_ID],
    )
    assert maintain("pages") == 2
    assert list((tmp_path / "pages" / APP_ID / "orders").iterdir()) == []
    assert (tmp_path / "pages" / "notes").exists()


# --- the ledger ----------------------------------------------------------------------------------------


def test_the_ledger_says_the_same_with_fewer_lines(
    sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        sync.run(Window(END - days(3), END - days(1)), mode="rescan")
    sync.run(Window(END - days(2), END), mode="rescan")
    database.rows("UPDATE sync_windows SET merged_at = %s", [utc_text(LONG_AGO)])
    monkeypatch.setattr(clock, "now", lambda: END)
    before, looks = sorted_lines(database), seen(database)
    assert maintain("ledger", dry_run=True) == 2
    assert sorted_lines(database) == before
    assert maintain("ledger") == 2
    assert [line for line in before if line not in sorted_lines(database)] == before[:2]
    assert seen(database) == looks
    assert maintain("ledger") == 0


def test_young_lines_stay_though_later_ones_cover_them(sync: Sync, database: Database) -> None:
    for _ in range(2):
        sync.run(Window(END - days(1), END), mode="rescan")
    assert maintain("ledger") == 0
    assert database.value("SELECT COUNT(*) FROM sync_windows") == 2


def sorted_lines(database: Database) -> list[int]:
    return [row["id"] for row in database.rows("SELECT id FROM sync_windows ORDER BY id")]


def seen(database: Database) -> Any:
    from xiaoe.coverage import segments

    with Warehouse().session() as session:
        return segments(observations(session, ORDERS, APP_ID, END - days(30), END))


# --- rows ----------------------------------------------------------------------------------------------


def test_old_rows_go_and_open_ones_stay(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: END)
    old, new = utc_text(LONG_AGO), utc_text(END - days(1))
    for number, resolved in enumerate((old, new, None)):
        database.rows(
            "INSERT INTO rejected_rows (shop_id, resource, raw_hash, reason, raw_json, batch_id, first_seen_at,"
            " last_seen_at, resolved_at) VALUES ('s', 'orders', %s, '', '', '', %s, %s, %s)",
            [number, old, old, resolved],
        )
        database.rows("INSERT INTO storage_samples (sampled_at, metric) VALUES (%s, %s)", [resolved or END, number])
        database.rows(
            "INSERT INTO backups (url, started_at, encrypted, status, removed_at) VALUES (%s, %s, 0, 'success', %s)",
            [number, old, resolved],
        )
    assert maintain("rejected_rows", dry_run=True) == 1
    assert maintain("results", dry_run=True) == 2
    assert maintain("rejected_rows") == 1
    assert maintain("results") == 2
    assert [row["raw_hash"] for row in database.rows("SELECT raw_hash FROM rejected_rows ORDER BY 1")] == [1, 2]
    assert database.value("SELECT COUNT(*) FROM storage_samples") == 2
    assert [row["url"] for row in database.rows("SELECT url FROM backups ORDER BY 1")] == ["1", "2"]


def test_statistics_are_refreshed(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        tables = logged(old_rows.refresh_statistics)
    assert tables == database.value(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
    )
    assert caplog.text.count("'status', 'OK'") == tables


# --- files ---------------------------------------------------------------------------------------------


@one_server
def test_old_exports_go(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_EXPORT_DIR", f"file://{tmp_path}/exports")
    assert maintain("exports") == 0
    today = clock.now().date()
    for day in (today - days(91), today - days(90), today):
        folder = tmp_path / "exports" / APP_ID / f"{day}"
        folder.mkdir(parents=True)
        (folder / "福利.csv").write_bytes(b"x")
    (tmp_path / "exports" / APP_ID / "by hand").mkdir()
    for name, age in (("订单-全部.csv", 91), ("用户-全部.xlsx", 89), ("notes.txt", 400)):
        (tmp_path / "exports" / name).write_bytes(b"x")
        moment = (clock.now() - days(age)).timestamp()
        os.utime(tmp_path / "exports" / name, (moment, moment))
    assert maintain("exports", dry_run=True) == 2
    assert maintain("exports") == 2
    assert {path.name for path in (tmp_path / "exports").iterdir()} == {APP_ID, "用户-全部.xlsx", "notes.txt"}
    left = sorted(path.name for path in (tmp_path / "exports" / APP_ID).iterdir())
    assert left == sorted([f"{today - days(90)}", f"{today}", "by hand"])


@one_server
def test_old_logs_go(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_files.conf, "get", lambda *_: str(tmp_path))
    for name in ("dag_id=a/run_id=1/attempt=1.log", "dag_id=a/run_id=2/attempt=1.log.trigger.7.log", "keep.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    aged(tmp_path)
    young = tmp_path / "dag_id=a/run_id=3/attempt=1.log"
    young.parent.mkdir()
    young.write_text("x")
    assert maintain("logs", dry_run=True) == 2
    assert maintain("logs") == 2
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == [
        "dag_id=a/run_id=3/attempt=1.log",
        "keep.txt",
    ]
    assert not (tmp_path / "dag_id=a/run_id=1").exists()


# --- Airflow's own database ----------------------------------------------------------------------------


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """As in a task: Airflow has put another address into the environment than its database's, which is returned."""
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "airflow-db-not-allowed:///")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "nowhere"))
    return f"sqlite:///{tmp_path}/airflow.db"


def clean(run_id: str = "r") -> None:
    step = Step(datetime.now(timezone.utc), False, logging.getLogger("maintenance"))
    airflow_db.clean_airflow_database(step, "xiaoe_maintenance", run_id)


@pytest.mark.slow
def test_where_airflows_database_is_not_to_be_found_the_setting_is_named(hidden: str) -> None:
    with pytest.raises(AirflowSkipException, match="XIAOE_AIRFLOW_DB"):
        clean()


@pytest.fixture
def airflow_file(hidden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Airflow's database with the calling run, an old event and a new one."""
    file = tmp_path / "airflow.db"
    subprocess.run(
        [sys.executable, "-c", "from airflow.utils.db import initdb; initdb()"],
        env={**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": hidden},
        check=True,
        capture_output=True,
    )
    with sqlite3.connect(file) as connection:
        connection.execute("INSERT INTO log (dttm, event) VALUES ('2020-01-01', 'old'), ('2099-01-01', 'new')")
        put(connection, "dag_run", dag_id="xiaoe_maintenance", run_id="r", run_type="manual", state="running")
    monkeypatch.setenv("XIAOE_AIRFLOW_DB", hidden)
    return file


OLD = "2020-01-01"


def put(connection: sqlite3.Connection, table: str, **values: Any) -> None:
    """A row; columns that must not be empty and have no default are zero."""
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    rest = {name: 0 for _, name, _, not_null, default, is_key in columns if not_null and default is None and not is_key}
    values = rest | values
    connection.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", list(values.values())
    )


def rows_of(file: Path, sql: str) -> list[Any]:
    with sqlite3.connect(file) as connection:
        return [row[0] for row in connection.execute(sql)]


@pytest.mark.airflow
@pytest.mark.slow
def test_airflows_own_database_is_cleaned_if_it_knows_the_run(airflow_file: Path) -> None:
    clean()
    assert rows_of(airflow_file, "SELECT event FROM log WHERE event IN ('old', 'new')") == ["new"]


@pytest.mark.airflow
@pytest.mark.slow
def test_a_removed_dag_with_a_task_that_never_started_holds_up_no_other(
    airflow_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`airflow db clean` stops at the first such DAG, for ever."""
    with sqlite3.connect(airflow_file) as connection:
        for dag_id, start in (("retired", None), ("gone", "2020-01-01")):
            put(connection, "dag", dag_id=dag_id, is_stale=1, last_parsed_time=OLD, bundle_name="dags-folder")
            put(connection, "dag_version", id=dag_id, dag_id=dag_id, version_number=1, created_at=OLD)
            put(
                connection, "dag_run", dag_id=dag_id, run_id="old", run_type="scheduled", state="failed", start_date=OLD
            )
            put(
                connection, "task_instance", id=f"ti-{dag_id}", task_id="stage", dag_id=dag_id, run_id="old",
                map_index=-1, dag_version_id=dag_id, start_date=start,
            )  # fmt: skip
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            clean()
    assert rows_of(airflow_file, "SELECT dag_id FROM dag") == ["retired"]
    assert rows_of(airflow_file, "SELECT dag_id FROM task_instance") == ["retired"]
    assert rows_of(airflow_file, "SELECT event FROM log WHERE event IN ('old', 'new')") == ["new"]
    assert rows_of(airflow_file, "SELECT name FROM sqlite_master WHERE name LIKE '_airflow_deleted%'") == []
    assert "DAG retired was removed, but its records stay: its task stage of run old" in caplog.text
    assert "DAG gone" not in caplog.text


@pytest.mark.airflow
@pytest.mark.slow
def test_a_table_that_cannot_be_cleaned_is_named_and_the_others_are(
    airflow_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite3.connect(airflow_file) as connection:
        connection.execute("INSERT INTO import_error (timestamp, filename) VALUES ('2020-01-01', 'a.py')")
        connection.execute(
            "CREATE TRIGGER refuse BEFORE DELETE ON import_error BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    with caplog.at_level(logging.INFO), pytest.raises(XiaoeConfigError, match="ended with 4"):
        clean()
    assert re.search(r"Table import_error was not cleaned: .*\['import_error'\]", caplog.text)
    assert rows_of(airflow_file, "SELECT filename FROM import_error") == ["a.py"]
    assert rows_of(airflow_file, "SELECT event FROM log WHERE event IN ('old', 'new')") == ["new"]


def test_every_step_has_a_task() -> None:
    from xiaoe.maintenance.operators import _steps

    about: Any = {"dag_run": SimpleNamespace(dag_id="d", run_id="r")}
    assert set(_steps(about)) == set(STEPS)

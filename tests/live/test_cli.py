"""`make migrate` and `make sync` as a person or a script runs them: a process, an exit code, rows in the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from emulator.process import Emulator
from servers.airflow import wait_until
from support.fixtures import servers, shop_connection
from support.worlds.shop import END, SECRET, START, Database, differences
from xiaoe.windows import Window

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]


@pytest.fixture
def cli(database: Database, api: Emulator, tmp_path: Path) -> dict[str, str]:
    """The environment that a caller has: two connections and nothing of the tests' own Airflow."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "XIAOE"))}
    return kept | {
        "AIRFLOW_CONN_XIAOE_MYSQL": database.url,
        "AIRFLOW_CONN_XIAOE_DEFAULT": shop_connection(api.url),
        "XIAOE_PAGE_STORE": f"file://{tmp_path}/pages",
        "TMPDIR": str(tmp_path),
    }


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xiaoe.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/", check=False)


def test_a_window_by_hand_ends_with_exit_code_0_and_its_rows(
    cli: dict[str, str], database: Database, api: Emulator, tmp_path: Path
) -> None:
    window = Window(START, START + timedelta(days=20))
    done = run(cli, "sync", "--type", "history", "--from", f"{window.begin:%Y-%m-%d}", "--to", f"{window.end:%Y-%m-%d}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("xiaoe_orders_history: success\n")
    assert differences(database, api, window) == []
    assert database.rows("SELECT 1 FROM orders WHERE created_time >= %s", (f"{window.end:%Y-%m-%d}",)) == []
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]


def test_two_runs_at_once_do_not_disturb_each_other(cli: dict[str, str], database: Database, api: Emulator) -> None:
    window = Window(END - timedelta(days=12), END)
    span = ["--from", f"{window.begin:%Y-%m-%d %H:%M:%S}", "--to", f"{window.end:%Y-%m-%d %H:%M:%S}"]
    commands = [
        [sys.executable, "-m", "xiaoe.cli", "sync", "--type", kind, *span] for kind in ("rescan", "incremental")
    ]
    both = [subprocess.Popen(command, env=cli, stdout=subprocess.DEVNULL, cwd="/") for command in commands]
    assert [process.wait() for process in both] == [0, 0]
    assert differences(database, api, window) == []
    assert database.value("SELECT COUNT(DISTINCT mode) FROM sync_windows") == 2


def test_a_wrong_secret_ends_with_exit_code_1_and_says_which_field(
    cli: dict[str, str], database: Database, api: Emulator
) -> None:
    cli["AIRFLOW_CONN_XIAOE_DEFAULT"] = shop_connection(api.url).replace(SECRET, "not-the-secret-at-all")
    done = run(cli, "sync", "--type", "incremental")
    assert done.returncode == 1
    assert "compare the connection's Secret (password)" in done.stdout + done.stderr
    assert "not-the-secret-at-all" not in done.stdout + done.stderr
    [status] = database.rows("SELECT * FROM sync_status")
    assert (status["status"], status["watermark"]) == ("failed", None)
    assert "Secret (password)" in status["message"]
    assert database.value("SELECT COUNT(*) FROM orders") == 0


def test_what_was_typed_wrong_is_named(cli: dict[str, str], database: Database) -> None:
    done = run(cli, "sync", "--type", "history", "--from", "yesterday")
    assert done.returncode == 1
    assert "from='yesterday': give a date like 2025-01-01" in done.stdout + done.stderr
    assert run(cli, "sync", "--type", "everything").returncode == 2
    assert database.value("SELECT COUNT(*) FROM sync_windows") == 0


def test_migrate_says_that_there_is_nothing_to_do(cli: dict[str, str]) -> None:
    done = run(cli, "migrate")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "the schema is up to date")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_once_and_the_next_run_continues(
    cli: dict[str, str], database: Database, api: Emulator, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """In the middle of a call; no failure is noted, no folder is left, nothing is half written."""
    window = Window(END - timedelta(days=12), END)
    span = ["--from", f"{window.begin:%Y-%m-%d %H:%M:%S}", "--to", f"{window.end:%Y-%m-%d %H:%M:%S}"]
    command = [sys.executable, "-m", "xiaoe.cli", "sync", "--type", "rescan", *span]
    api.set_faults(rate=1.0, kinds=["stall"], stall_seconds=60)
    stalled = api.stats()["faults"].get("stall", 0)
    process = subprocess.Popen(command, env=cli, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")
    wait_until(lambda: api.stats()["faults"].get("stall", 0) > stalled, 120, "it never called the API")
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    api.set_faults(rate=0)
    assert (process.returncode, output) == (code, "")
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir() if path.name != "pages"] == []
    assert database.rows("SELECT * FROM sync_status WHERE status = 'failed'") == []
    assert database.value("SELECT COUNT(*) FROM orders") == 0
    assert run(cli, *command[3:]).returncode == 0
    assert differences(database, api, window) == []

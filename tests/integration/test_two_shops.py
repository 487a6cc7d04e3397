"""Two shops in one warehouse: keys, tokens, limits and watermarks apart; one shop's failure is its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from emulator.options import Credentials
from emulator.process import Emulator, airflow_connection, running
from support.faults.processes import together
from support.fixtures import servers
from support.worlds.runs import HOUR, TaskRunner
from support.worlds.shop import APP_ID, CLIENT_ID, NOW, SECRET, WHOLE_LISTS, Database, Sync, days, unlike
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.merge import status
from xiaoe.resources.registry import RESOURCES
from xiaoe.resources.users import USERS

pytestmark = pytest.mark.mysql

FIRST = Credentials(APP_ID, CLIENT_ID, SECRET)
SECOND = Credentials("apptest2", "xoptest2", "secret-of-the-second-shop")
CONNECTIONS = {FIRST.app_id: "xiaoe_default", SECOND.app_id: "xiaoe_second"}
END = datetime.fromisoformat(NOW).replace(tzinfo=BEIJING)
TABLES = {
    resource.table: resource.key
    for name, resource in RESOURCES.items()
    if name != "order_origins" and resource.more is None
}
"""Filled without hints and further lists; `tests/integration/test_conformance.py` has two shops for each."""


@pytest.fixture(scope="module")
def both() -> Iterator[Emulator]:
    """Two shops of 400 orders in three weeks behind one address."""
    with running(
        orders=400, start="2026-11-01", now=NOW, frozen=True, seed=7, shop=[":".join(FIRST), ":".join(SECOND)],
        token_quota=1_000_000,
    ) as emulator:  # fmt: skip
        yield emulator


@pytest.fixture
def runs(both: Emulator, sync: Sync, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRunner:
    """The tasks of the DAGs, and a connection for each shop."""
    both.set_clock(NOW)
    both.set_faults()
    database.empty()
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", connection(both, FIRST))
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_SECOND", connection(both, SECOND))
    runs = TaskRunner(both, monkeypatch, tmp_path / "runs")
    monkeypatch.setenv("XIAOE_HISTORY_START", "2026-11-01")
    return runs


def connection(api: Emulator, shop: Credentials) -> str:
    return airflow_connection(api.url, shop, calls_per_second=200)


def load(runs: TaskRunner, shop_id: str, resource: str, mode: str, *, kind: str = "scheduled", **params: Any) -> None:
    about = runs.context(kind, **params)
    runs.merge(resource, mode, runs.stage(resource, mode, about, conn=CONNECTIONS[shop_id]), about)


def load_all(runs: TaskRunner, shop_id: str) -> None:
    load(runs, shop_id, "orders", "history", kind="manual")
    load(runs, shop_id, "refunds", "incremental")
    for resource in WHOLE_LISTS:
        load(runs, shop_id, resource, "whole")


def wrong(database: Database, api: Emulator, shop_id: str, *tables: str) -> list[str]:
    """How the rows of a shop differ from its truth."""
    found = []
    for table in tables or TABLES:
        real = " AND is_inferred = 0" if table in ("users", "products") else ""
        held = database.rows(f"SELECT * FROM {table} WHERE shop_id = %s{real}", (shop_id,))
        truth = list(getattr(api, f"truth_{table}")(shop_id))
        if table == "orders":
            truth = [row for row in truth if str(row["created_time"]) < "2026-11-20 11:59:00"]  # less the lag
            held = [row for row in held if str(row["created_time"]) < "2026-11-20 11:59:00"]
        found += unlike(held, truth, TABLES[table])
    return found


def statuses(database: Database) -> set[tuple[Any, ...]]:
    rows = database.rows("SELECT shop_id, resource, mode, status FROM sync_status")
    return {tuple(row.values()) for row in rows}


def test_two_shops_lie_side_by_side(runs: TaskRunner, database: Database) -> None:
    for shop_id in CONNECTIONS:
        load_all(runs, shop_id)
    for shop_id in CONNECTIONS:
        assert wrong(database, runs.api, shop_id) == []
    for table in TABLES:
        shops = {row["shop_id"] for row in database.rows(f"SELECT DISTINCT shop_id FROM {table}")}
        assert shops == set(CONNECTIONS), table
    shared = database.value(
        "SELECT COUNT(*) FROM order_items i JOIN orders o USING (order_id) WHERE i.shop_id <> o.shop_id"
    )
    assert shared == 0
    assert {row["shop_id"]: row["issues"] for row in database.rows("SELECT shop_id, issues FROM api_tokens")} == {
        FIRST.app_id: 1,
        SECOND.app_id: 1,
    }


def test_two_shops_merged_at_the_same_time(runs: TaskRunner, database: Database) -> None:
    together(*(lambda shop_id=shop_id: load_all(runs, shop_id) for shop_id in CONNECTIONS))
    for shop_id in CONNECTIONS:
        assert wrong(database, runs.api, shop_id) == []


def test_watermarks_and_ledgers_are_apart(runs: TaskRunner, sync: Sync, database: Database) -> None:
    runs.at(END - days(2))
    load(runs, FIRST.app_id, "orders", "incremental")
    runs.at(END - HOUR)
    load(runs, SECOND.app_id, "orders", "incremental")
    runs.at(END)
    load(runs, FIRST.app_id, "orders", "incremental")
    with sync.warehouse.session() as session:
        marks = [status.read_watermark(session, shop_id, "orders", "incremental") for shop_id in CONNECTIONS]
    assert marks[0]
    assert marks[1]
    assert marks[0] - marks[1] == HOUR
    windows = database.rows("SELECT shop_id, COUNT(*) AS number FROM sync_windows GROUP BY shop_id")
    assert {row["shop_id"] for row in windows} == set(CONNECTIONS)


def test_a_shop_with_a_wrong_secret_does_not_stop_the_other(
    runs: TaskRunner, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_SECOND", connection(runs.api, SECOND._replace(secret="wrong")))
    with pytest.raises(XiaoeConfigError, match="xiaoe_second"):
        load(runs, SECOND.app_id, "orders", "history", kind="manual")
    load_all(runs, FIRST.app_id)
    assert wrong(database, runs.api, FIRST.app_id) == []
    for table in TABLES:
        assert database.value(f"SELECT COUNT(*) FROM {table} WHERE shop_id = %s", (SECOND.app_id,)) == 0
    assert (SECOND.app_id, "orders", "history", "failed") in statuses(database)
    assert {row[3] for row in statuses(database) if row[0] == FIRST.app_id} == {"success"}
    assert database.rows("SELECT shop_id FROM api_tokens WHERE token IS NOT NULL AND token > ''") == [
        {"shop_id": FIRST.app_id}
    ]


def test_faults_and_an_ended_token_of_one_shop_leave_the_other_alone(runs: TaskRunner, database: Database) -> None:
    for shop_id in CONNECTIONS:
        load(runs, shop_id, "users", "whole")
    issued = runs.api.stats()["tokens_issued"]
    runs.api.revoke_token(FIRST.app_id)
    runs.api.set_faults(next=[{"kind": "code_2017", "times": None, "shop_id": SECOND.app_id}])
    load(runs, FIRST.app_id, "users", "whole")
    with pytest.raises(XiaoeConfigError):
        load(runs, SECOND.app_id, "users", "whole")
    now_issued = runs.api.stats()["tokens_issued"]
    assert now_issued[FIRST.app_id] == issued[FIRST.app_id] + 1
    assert now_issued[SECOND.app_id] == issued[SECOND.app_id]
    for shop_id in CONNECTIONS:
        assert wrong(database, runs.api, shop_id, "users") == []


def test_users_that_vanish_from_one_shop_are_marked_there_only(runs: TaskRunner, database: Database) -> None:
    for shop_id in CONNECTIONS:
        load(runs, shop_id, "users", "whole")
    try:
        runs.api.set_users(shop_id=SECOND.app_id, vanish_share=0.2, vanish_at=NOW)
        for shop_id in CONNECTIONS:
            load(runs, shop_id, "users", "whole")
        gone = database.rows("SELECT DISTINCT shop_id FROM users WHERE absent_since IS NOT NULL")
        assert gone == [{"shop_id": SECOND.app_id}]
    finally:
        runs.api.set_users(vanish_share=0, vanish_at=NOW)


def test_the_same_ids_in_both_shops_stay_apart(sync: Sync, database: Database) -> None:
    """Every id that a shop makes may exist in the other."""
    for shop_id, title, second in ((FIRST.app_id, "first", 0), (SECOND.app_id, "second", 10)):
        folder, manifest = StagedRun([(at(second), [raw_order(1, title=title), raw_order(2)])]).write(
            sync.store / shop_id
        )
        counts = sync.merge(folder, structs.replace(manifest, shop_id=shop_id))
        assert (counts["inserted"], counts["updated"]) == (2, 0)
    rows = database.rows("SELECT shop_id, title FROM orders WHERE order_id = 'o_00001' ORDER BY shop_id")
    assert [tuple(row.values()) for row in rows] == [(FIRST.app_id, "first"), (SECOND.app_id, "second")]
    for table in ("order_items", "users", "products"):
        assert database.value(f"SELECT COUNT(*) FROM {table}") == 4
    folder, manifest = StagedRun(
        [(at(20), [raw_order(1, order_state=8, title="second"), raw_order(2)])], "later"
    ).write(sync.store / "later")
    sync.merge(folder, structs.replace(manifest, shop_id=SECOND.app_id))
    states = database.rows("SELECT shop_id, order_state FROM orders WHERE order_id = 'o_00001' ORDER BY shop_id")
    assert [row["order_state"] for row in states] == [1, 8]
    assert database.rows("SELECT DISTINCT shop_id FROM order_state_log") == [{"shop_id": SECOND.app_id}]


def test_each_shop_has_a_rate_limit_of_its_own(runs: TaskRunner) -> None:
    hooks = [XiaoeHook(name) for name in CONNECTIONS.values()]
    try:
        limiters = {id(hook._limiter(USERS)) for hook in hooks}
        assert len(limiters) == 2
        assert {hook.shop.app_id for hook in hooks} == set(CONNECTIONS)
    finally:
        for hook in hooks:
            hook.close()


# --- through the DAG -----------------------------------------------------------------------------------


@pytest.mark.airflow
@pytest.mark.slow
@pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
def test_one_wrong_secret_fails_the_run_of_the_dag_and_the_other_shop_is_complete(
    runs: TaskRunner, database: Database, tmp_path: Path
) -> None:
    """`make sync TYPE=refunds`, as a person runs it: tasks mapped over the shops, old orders looked up as well."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "XIAOE"))}
    environment = kept | {
        "AIRFLOW_CONN_XIAOE_MYSQL": database.url,
        "AIRFLOW_CONN_XIAOE_DEFAULT": connection(runs.api, SECOND._replace(secret="not-the-secret-at-all")),
        "AIRFLOW_CONN_XIAOE_SECOND": connection(runs.api, FIRST),
        "XIAOE_CONN_IDS": "xiaoe_default,xiaoe_second",
        "XIAOE_HISTORY_START": "2026-11-01",
        "XIAOE_PAGE_STORE": f"file://{tmp_path}/pages",
        "TMPDIR": str(tmp_path),
    }
    window = ["--from", "2026-11-01", "--to", f"{END:%Y-%m-%d %H:%M:%S}"]
    command = [sys.executable, "-m", "xiaoe.cli", "sync", "--type", "refunds", *window]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 1
    assert "not-the-secret-at-all" not in done.stdout + done.stderr
    assert wrong(database, runs.api, FIRST.app_id, "refunds") == []
    assert database.rows("SELECT DISTINCT shop_id FROM refunds") == [{"shop_id": FIRST.app_id}]
    assert statuses(database) == {
        (FIRST.app_id, "refunds", "incremental", "success"),
        (FIRST.app_id, "orders", "late", "success"),
        (SECOND.app_id, "refunds", "incremental", "failed"),
    }
    message = database.value("SELECT message FROM sync_status WHERE status = 'failed'")
    assert "xiaoe_default" in message
    assert "Secret (password)" in message

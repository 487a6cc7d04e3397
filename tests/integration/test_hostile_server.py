"""A server whose owner limits every session: each variable of `mysql.variables` at a value that would lose or stop.

The whole way of the data, from the migrations to the restore drill, gives on it what it gives on one without limits.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import MySQLdb
import pytest

from support.fixtures import SERVERS
from support.servers.scratch import scratch
from support.worlds import bi_shop
from support.worlds.shop import APP_ID, Database, Sync
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe import clock
from xiaoe.backup import service
from xiaoe.backup.dump import Incomplete
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.exports.files import export_of, export_table
from xiaoe.monitor.queries import read_page_data
from xiaoe.mysql import variables
from xiaoe.mysql.migrate import migrate
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.orders import ORDERS
from xiaoe.rows import values

pytestmark = pytest.mark.mysql
REPO = Path(__file__).parents[2]
Values = dict[str, "int | float | str | None"]
HOSTILE: Values = {
    "sql_mode": "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,NO_UNSIGNED_SUBTRACTION",
    "old_mode": "NO_DUP_KEY_WARNINGS_WITH_IGNORE,ZERO_DATE_TIME_CAST",
    "time_zone": "-11:00",
    "div_precision_increment": 0,
    "group_concat_max_len": 4,
    "default_week_format": 6,
    "lc_time_names": "de_DE",
    "lc_messages": "de_DE",
    "sql_auto_is_null": 1,
    "sql_notes": 0,
    "sql_if_exists": 1,
    "sql_quote_show_create": 0,
    "default_regex_flags": "EXTENDED",
    "standard_compliant_cte": 0,
    "max_sort_length": 8,
    "cte_max_recursion_depth": 2,
    "max_recursive_iterations": 2,
    "foreign_key_checks": 0,
    "unique_checks": 0,
    "check_constraint_checks": 0,
    "default_storage_engine": "MyISAM",
    "default_tmp_storage_engine": "MyISAM",
    "alter_algorithm": "INSTANT",
    "explicit_defaults_for_timestamp": 0,
    "sql_select_limit": 1,
    "max_join_size": 1,
    "sql_big_selects": 0,
    "sql_safe_updates": 1,
    "max_execution_time": 1,
    "max_statement_time": 0.01,
    "max_session_mem_used": 8192 * 64,
    "tmp_disk_table_size": 1024,
    "sort_buffer_size": 32768,
    "autocommit": 1,
    "completion_type": "RELEASE",
    "transaction_isolation": "READ-UNCOMMITTED",
    "tx_isolation": "READ-UNCOMMITTED",
    "transaction_read_only": 1,
    "tx_read_only": 1,
    "innodb_lock_wait_timeout": 1,
    "lock_wait_timeout": 1,
    "wait_timeout": 1,
    "idle_transaction_timeout": 1,
    "idle_readonly_transaction_timeout": 1,
    "idle_write_transaction_timeout": 1,
    "net_read_timeout": 1,
    "net_write_timeout": 1,
}
"""As `PINNED`."""
BEYOND_A_SESSION: Values = {
    "sql_require_primary_key": 1,
    "sql_generate_invisible_primary_key": 1,
    "max_error_count": 0,
    "max_allowed_packet": variables._LEAST_PACKET,
    "character_set_server": "latin1",
    "collation_server": "latin1_german1_ci",
    "default_collation_for_utf8mb4": "utf8mb4_general_ci",
    "tmp_table_size": 1024,
    "max_heap_table_size": 16384,
    "innodb_snapshot_isolation": 1,
    "innodb_strict_mode": 0,
    "log_bin_trust_function_creators": 0,
}
"""What no session of ours sets, and is survived."""


@dataclass
class Owner:
    """Who may set everything on a server.

    Args:
        dsn: Of the application's user.
        socket: Of the server.
    """

    dsn: str
    socket: Path

    def run(self, sql: str) -> tuple[tuple[object, ...], ...]:
        """Run one statement as root."""
        with closing(
            MySQLdb.connect(unix_socket=str(self.socket), user="root", passwd=urlsplit(self.dsn).password or "")
        ) as server:
            server.query(sql)
            result = server.store_result()
            return result.fetch_row(0) if result else ()

    @contextmanager
    def limiting(self, values: Values) -> Iterator[None]:
        """Set what this server knows of these for every session that begins meanwhile."""
        known = [name for name, _ in self.run("SHOW GLOBAL VARIABLES") if name in values]
        before: Values = {str(name): self.run(f"SELECT @@GLOBAL.{name}")[0][0] for name in known}  # type: ignore[misc]
        try:
            self._set({name: value for name, value in values.items() if name in before})
            yield
        finally:
            self._set({name: before[name] for name in values if name in before})

    def _set(self, values: Values) -> None:
        for name, value in values.items():
            shown = "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)
            self.run(f"SET GLOBAL {name} = {shown}")


@pytest.fixture(scope="module", params=list(SERVERS))
def owner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """A private server of this module."""
    trees = Path(os.environ.get("XIAOE_TREES") or os.environ.get("XIAOE_LOCAL") or REPO / ".local")
    if not (trees / request.param / "tree").is_dir():
        pytest.skip(f"scripts/servers/database fetch {request.param} was not run")
    local = tmp_path_factory.mktemp("hostile")
    environment = os.environ | {"XIAOE_LOCAL": str(local), "XIAOE_TREES": str(trees)}

    def call(command: str) -> str:
        script = str(REPO / "scripts" / "servers" / "database")
        done = subprocess.run([script, command, request.param], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        dsn = call("start").splitlines()[-1].partition("?")[0]
        yield Owner(dsn, local / request.param / "data" / "server.sock")
    finally:
        call("stop")


@pytest.fixture
def place(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database that is not there yet, and `xiaoe_mysql` pointing at it."""
    with scratch(owner.dsn, "xiaoe_test_place") as url:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", url)
        yield Database(url)


MOMENTS = ("observed_at", "applied_at", "answered_at", "looked_at", "seen_at")
"""Columns that tell when the test ran."""


class Unlimited(Database):
    """A look into the warehouse whatever the owner has set."""

    def connect(self) -> MySQLdb.Connection:
        connection = super().connect()
        variables.pin(connection, "the test")
        connection.autocommit(True)
        return connection


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XIAOE_BACKUP_STORE", f"file://{tmp_path}/backups")
    monkeypatch.setenv("XIAOE_EXPORT_DIR", f"file://{tmp_path}")
    monkeypatch.setenv("XIAOE_BACKUP_DRILL_DATABASE", "xiaoe_test_drill")
    return tmp_path


def whole_way(place: Database, store: Path) -> dict[str, object]:
    """Migrations, all resources twice, decisions, marts, an export, a backup and its drill; what came of them."""
    migrate()
    bi_shop.fill(Unlimited(place.url), store / "pages")
    exported = Path(export_table(export_of("orders", None, None), "csv").address.removeprefix("file://")).read_bytes()
    with Warehouse().session() as session:
        page = read_page_data(session, APP_ID, clock.now())
    _, manifest = service.back_up_now()
    drilled = service.drill_newest(clock.now()).partition(": ")[2]
    rows = {name: content.rows for name, content in manifest.tables.items()}
    return {"export": exported, "sizes": [*map(len, page[:3])], "backup": rows, "drill": drilled}


def unlike(found: dict[str, list[Any]], expected: dict[str, list[Any]]) -> dict[str, set[str]]:
    """Table → the columns that differ, of as many rows; all of them where the rows are not as many."""
    differing: dict[str, set[str]] = {}
    for table, rows in expected.items():
        if len(found[table]) != len(rows):
            differing[table] = {f"{len(found[table])} rows, not {len(rows)}"}
            continue
        pairs = zip(found[table], rows, strict=True)
        if columns := {name for one, other in pairs for name, _ in set(one) ^ set(other)}:
            differing[table] = columns
    return differing


def test_every_variable_is_met_at_a_hostile_value() -> None:
    assert list(HOSTILE) == list(variables.PINNED)
    assert not [name for name, value in HOSTILE.items() if value == variables.PINNED[name]]


def test_the_whole_way_on_a_server_that_limits_everything(owner: Owner, place: Database, store: Path) -> None:
    friendly = whole_way(place, store / "friendly")
    expected = place.snapshot(*MOMENTS)
    assert len(expected["orders"]) >= bi_shop.ORDERS_MADE
    place.rows("DROP DATABASE xiaoe_test_place")
    with owner.limiting(HOSTILE | BEYOND_A_SESSION):
        hostile = whole_way(place, store / "hostile")
    assert unlike(place.snapshot(*MOMENTS), expected) == {}
    assert hostile == friendly
    counted = {name: place.value(f"SELECT COUNT(*) FROM {name}") for name in ("orders", "users", "bi_sales_daily")}
    assert {name: hostile["backup"][name] for name in counted} == counted


SEEN_TO_BY_THE_OWNER = {"mysql": "sql_require_primary_key", "mariadb": "binlog_annotate_row_events"}
"""Variables that our user may not change."""


def test_what_cannot_be_set_is_told_by_name(owner: Owner, place: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate()
    before = place.snapshot()
    [name] = [name for kind, name in SEEN_TO_BY_THE_OWNER.items() if f"/{kind}/" in str(owner.socket)]
    monkeypatch.setitem(variables.PINNED, name, 0)
    with (
        owner.limiting({name: 1, "max_allowed_packet": 65536, "sql_select_limit": 7}),
        pytest.raises(XiaoeConfigError) as raised,
        Warehouse().session(),
    ):
        pytest.fail("such a session must not begin")
    said = str(raised.value)
    assert f"{name}=" in said
    assert "has to be 0" in said
    assert "max_allowed_packet=65536 has to be 1048576 at least" in said
    assert "sql_select_limit" not in said
    assert place.snapshot() == before


def test_a_dump_that_the_server_cuts_is_no_backup(
    owner: Owner, place: Database, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever cuts it: the rows are counted in another way than they are dumped."""
    migrate()
    Sync(store).merge(*StagedRun([(at(0), [raw_order(number) for number in range(200)])]).write(store / "pages"))
    monkeypatch.setitem(variables.PINNED, "sql_select_limit", 150)  # more than there are migrations
    with pytest.raises(Incomplete, match="table benefit_queue: 150 rows were dumped, the server counts 200 in"):
        service.back_up_now()
    assert [row["status"] for row in place.rows("SELECT * FROM backups")] == ["failed"]
    assert place.value("SELECT COUNT(*) FROM orders") == 200
    assert not list((store / "backups").rglob("*.json"))


@pytest.mark.parametrize("by_files", [1, 0])
def test_a_row_too_large_for_a_packet_is_cut_by_name_and_the_rest_goes_on(
    owner: Owner, place: Database, store: Path, by_files: int
) -> None:
    """At the smallest packet that is accepted; each quote is escaped on its way, so that the text is twice as long."""
    migrate()
    title, long = '"' * 1_800_000, '"' * 60_000
    texts = [field for field, read in ORDERS.reader.mapping.values() if read is values.text]
    rows = [
        raw_order(1),
        raw_order(2, title=title),
        raw_order(3, order_id=None, title=title),
        raw_order(4, **dict.fromkeys(texts, long)),
        raw_order(5, order_id="o_00004 ", title=title),
        raw_order(6),
    ]
    with owner.limiting({"max_allowed_packet": variables._LEAST_PACKET, "local_infile": by_files}):
        counts = Sync(store).merge(*StagedRun([(at(0), rows)]).write(store / "pages"))
        _, manifest = service.back_up_now()
        drilled = service.drill_newest(clock.now())
    assert (counts["inserted"], counts["rejected"]) == (4, 2)
    stored = {row["order_id"]: row for row in place.rows("SELECT order_id, title, problem_columns FROM orders")}
    assert [*stored] == ["o_00001", "o_00002", "o_00004", "o_00006"]
    assert (stored["o_00002"]["title"], stored["o_00002"]["problem_columns"]) == (None, "title")
    assert stored["o_00004"] == {"order_id": "o_00004", "title": long, "problem_columns": None}
    most = variables._LEAST_PACKET // 4
    for row in place.rows("SELECT row_key, reason, LENGTH(raw_json) AS size, raw_json FROM rejected_rows"):
        [whole] = [raw for raw in rows if json.loads(raw)["order_id"] == row["row_key"]]
        assert row["size"] == most
        assert whole.startswith(row["raw_json"].encode())
        assert row["reason"].endswith(
            f"; the first {most} of {len(whole)} bytes are kept: more do not fit max_allowed_packet"
        )
    assert manifest.tables["orders"].rows == 4
    assert manifest.tables["rejected_rows"].rows == 2
    assert drilled.endswith("were restored and are equal")

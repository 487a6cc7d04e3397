"""A bad line between task and MySQL, or task and API: the task fails by name or gets through, and a retry heals.

Every fault strikes at a chosen piece of the conversation. What a line that went silent leaves on the server is gone
in time, with its locks.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emulator.process import Emulator
from servers.airflow import wait_until
from support.faults.chaos import by_level, more_than_a_sample, spread, tell
from support.faults.processes import Child
from support.faults.wire_faults import KINDS, Trouble
from support.fixtures import servers, shop_connection
from support.worlds.shop import END, Database, Sync, days, differences
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.api.hook import XiaoeHook
from xiaoe.exceptions import XiaoeNetworkError, XiaoeRetriableError
from xiaoe.merge import merger
from xiaoe.mysql import connection, variables
from xiaoe.mysql.connection import open_connection
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.windows import Window

pytestmark = [pytest.mark.mysql, pytest.mark.chaos]

one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
SPAN = Window(END - days(1), END)
SAMPLE = 3


@pytest.fixture
def line(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trouble]:
    """Between tasks and MySQL; the test's own look at the database goes past it."""
    trouble = Trouble(urlsplit(database.url).port or 3306)
    trouble.start()
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", database.url.replace(f":{trouble.target}/", f":{trouble.port}/"))
    yield trouble
    trouble.stop()


@pytest.fixture
def two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """A week as it was, and as it is now: orders that changed, that came, that cannot be typed; in three chunks."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 40)
    before = [raw_order(number) for number in range(60)]
    now = [raw_order(number, order_state=8 if number % 3 else 1) for number in range(110)]
    now[7] = raw_order(7, price="abc")
    runs = (
        StagedRun([(at(0), before)], run_id="before"),
        StagedRun([(at(10 + page), now[page * 40 : page * 40 + 40]) for page in range(3)], run_id="now"),
    )
    return tuple(run.write(tmp_path / "pages") for run in runs)  # type: ignore[return-value]


@one_server
@pytest.mark.parametrize("kind", KINDS)
def test_a_merge_over_a_bad_line_to_mysql(
    sync: Sync, database: Database, line: Trouble, two_runs: tuple[Any, Any], kind: str
) -> None:
    first, second = two_runs
    sync.merge(*first)
    before = database.snapshot()
    line.set()
    sync.merge(*second)
    undisturbed, pieces = database.snapshot(), line.pieces
    assert undisturbed != before
    assert pieces > 60
    failed = 0
    points = spread(pieces, by_level(SAMPLE, 25, None) if kind != "slow" else by_level(1, 2, 5))
    for point in points:
        line.set()
        database.empty()
        sync.merge(*first)
        line.set(kind, point)
        said = ""
        try:
            sync.merge(*second)
        except XiaoeRetriableError as error:
            said = str(error)
        failed += bool(said)
        assert not said or "127.0.0.1" in said
        assert database.snapshot() in (before, undisturbed), point
        line.set()
        sync.merge(*second)
        assert database.snapshot() == undisturbed, point
    assert failed > 0 or kind == "slow" or len(points) <= SAMPLE  # so few may all lie behind the end of a quick run
    tell("MySQL line", fault=kind, points=len(points), failed_by_name=failed)


@one_server
@pytest.mark.parametrize("kind", KINDS)
def test_reading_over_a_bad_line_to_the_api(
    sync: Sync, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """One fault is survived within the task; a line that flaps fails it by name, and the retry goes on behind it."""
    line = Trouble(urlsplit(api.url).port or 80)
    line.start()
    url = f"http://127.0.0.1:{line.port}"
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(url, page_size=8, concurrency=2, timeout=5))
    try:
        line.set()
        sync.run(SPAN)
        points = spread(line.pieces, by_level(3, 15, None) if kind != "slow" else by_level(1, 2, 5))
        failed = 0
        for point in points:
            line.set()
            database.empty()
            line.set(kind, point)
            said = ""
            try:
                sync.stage(SPAN, run_id=f"at {point}", moves=True)
            except XiaoeNetworkError as error:
                said = str(error)
            failed += bool(said)
            assert not said or (kind == "flap" and "no answer from" in said)
            assert not any(database.snapshot().values())
            line.set()
            sync.run(SPAN, run_id=f"at {point}", moves=True)
            assert differences(database, api, SPAN) == [], point
        assert sync.watermark("history") == SPAN.end
        assert failed > 0 or kind != "flap"
        tell("API line", fault=kind, points=len(points), failed_by_name=failed)
    finally:
        line.stop()


def test_a_line_to_mysql_that_goes_silent_ends_on_both_sides(
    sync: Sync, database: Database, line: Trouble, two_runs: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody says good-bye: a machine without power, a firewall that forgot. No signal ends the client's wait."""
    first, second = two_runs
    sync.merge(*first)
    before = database.snapshot()
    line.set()
    sync.merge(*second)
    undisturbed, pieces = database.snapshot(), line.pieces
    monkeypatch.setattr(connection, "_ANSWER_SECONDS", 1)
    points, failed = spread(pieces, by_level(2, 8, 40), seed=3), 0
    for point in points:
        line.set()
        database.empty()
        sync.merge(*first)
        with monkeypatch.context() as patch:
            for name in ("wait_timeout", "net_read_timeout", "net_write_timeout"):
                patch.setitem(variables.PINNED, name, 2)
            line.set("stall", point)
            try:
                sync.merge(*second)
            except XiaoeRetriableError:
                failed += 1
                assert database.snapshot() in (before, undisturbed), point
            else:  # it lost only the answer to its good-bye
                assert database.snapshot() == undisturbed, point
        line.set()
        monkeypatch.setattr(connection, "_ANSWER_SECONDS", 3600)
        sync.merge(*second)  # waits for the lock until the server has dropped the silent connection
        assert database.snapshot() == undisturbed, point
        monkeypatch.setattr(connection, "_ANSWER_SECONDS", 1)
    assert failed > 0
    tell("MySQL line", fault="stall", points=len(points), failed_by_name=failed)


@one_server
def test_a_result_that_breaks_off_says_so(line: Trouble, database: Database) -> None:
    """Rows are read as they come: what is longer than all buffers is still on its way when the line breaks."""
    line.set()
    with Warehouse().session() as reader:
        rows = reader.rows("SELECT REPEAT('x', 100000) FROM information_schema.columns LIMIT 500", size=1)
        next(rows)
        line.stop()
        with pytest.raises(XiaoeRetriableError, match="start the server, or correct host"):
            list(rows)


@one_server
def test_the_kernel_asks_whether_the_server_is_still_there(database: Database) -> None:
    connection, _ = open_connection("xiaoe_mysql")
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as its:
            assert its.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert its.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    finally:
        connection.close()


def test_the_statement_of_a_killed_client_lets_go_of_its_locks(
    sync: Sync, database: Database, two_runs: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the server works on its statement, which waits for a row that somebody else holds."""
    first, second = two_runs
    sync.merge(*first)
    holder = database.connect()
    holder.autocommit(False)
    holder.query("SELECT * FROM orders WHERE order_id = 'o_00050' FOR UPDATE")
    holder.store_result()
    child = Child(lambda: sync.merge(*second))
    try:
        wait_until(lambda: bool(database.value(WAITS_FOR_A_ROW)), 60, "the merge waits for no row")
    except BaseException:
        holder.close()
        raise
    finally:
        child.kill()
    assert child.wait() < 0
    holder.rollback()
    holder.close()
    with sync.warehouse.session() as again:
        again.execute("SET SESSION innodb_lock_wait_timeout = 5")
        with again.lock("merge", "apptest1", "orders", timeout=20):
            again.query("SELECT COUNT(*) FROM orders FOR UPDATE")
    sync.merge(*second)
    assert database.value("SELECT COUNT(*) FROM orders") == 110


WAITS_FOR_A_ROW = """
SELECT COUNT(*) FROM information_schema.innodb_trx AS t
JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id
WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()
"""


@one_server
def test_a_connection_that_says_nothing_is_closed_by_the_server(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, _ = open_connection("xiaoe_mysql")
    try:
        connection.query("SELECT @@wait_timeout")
        [(seconds,)] = connection.store_result().fetch_row(0)
    finally:
        connection.close()
    assert int(seconds) < 900  # as long as a merge waits for the lock of another


@more_than_a_sample
@one_server
def test_the_hook_gives_up_a_line_to_the_api_that_goes_silent(
    sync: Sync, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Trouble(urlsplit(api.url).port or 80)
    line.start()
    url = f"http://127.0.0.1:{line.port}"
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(url, page_size=8, concurrency=1, timeout=1))
    try:
        line.set("stall", 6)
        with pytest.raises(XiaoeNetworkError, match=r"ReadTimeout|TimeoutError"):
            sync.stage(SPAN, run_id="silent", hook=XiaoeHook(sleep=lambda _: line.set("stall", 0)))
        line.set()
        sync.run(SPAN, run_id="silent")
        assert differences(database, api, SPAN) == []
    finally:
        line.stop()

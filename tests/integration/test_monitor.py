"""The monitoring page and its figures against real servers, after real syncs of the emulated shop."""

from __future__ import annotations

import logging
import re
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import fsspec
import MySQLdb
import pytest

from emulator.process import Emulator
from support.fixtures import servers
from support.worlds.shop import APP_ID, END, START, Database, Sync
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError, XiaoeError
from xiaoe.monitor import calendar, queries, records, storage, web
from xiaoe.monitor.operators import XiaoeStorageOperator
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.registry import RESOURCES
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

ONE = servers()[:1]
DAY = timedelta(days=1)
FIGURES = ("staged", "inserted", "updated", "unchanged", "rejected")


def read(shop: str | None = None) -> records.PageData:
    with Warehouse().session() as session:
        return queries.read_page_data(session, shop, datetime.now(BEIJING))


def cells(html: str, section: str) -> list[list[str]]:
    """The text of a section's table, without its head."""
    [part] = re.findall(rf'<section class="panel" id="{section}">(.*?)</section>', html, re.S)
    lines = [re.findall(r"<td[^>]*>(.*?)</td>", line, re.S) for line in re.findall(r"<tr>(.*?)</tr>", part, re.S)]
    return [[re.sub(r"<[^>]*>", "", cell).strip() for cell in line] for line in lines if line]


# --- what a sync cost ----------------------------------------------------------------------------------


def test_a_merge_keeps_what_its_run_cost(sync: Sync, database: Database) -> None:
    folder, manifest = sync.stage(Window(START, START + 10 * DAY), run_id="one")
    counts = sync.merge(folder, manifest)
    [run] = database.rows("SELECT * FROM sync_runs")
    assert Counter({name: run[name] for name in FIGURES}) == Counter({name: counts[name] for name in FIGURES})
    assert (run["resource"], run["mode"], run["run_id"], run["batch_id"]) == (
        "orders", "history", "one", manifest.batch_id,
    )  # fmt: skip
    assert run["api_calls"] == manifest.calls["calls"] > 1
    assert (run["api_retries"], run["wait_seconds"]) == (0, 0)
    assert run["token_calls"] == manifest.calls.get("tokens", 0)
    assert run["merge_seconds"] > 0
    assert run["stage_seconds"] > 0
    assert run["started_at"] < run["finished_at"]


def test_a_run_that_is_merged_again_adds_nothing_and_one_that_is_read_again_does(
    sync: Sync, database: Database
) -> None:
    window = Window(START, START + DAY)
    staged = sync.stage(window, run_id="one")
    sync.merge(*staged)
    before = database.rows("SELECT * FROM sync_runs")
    sync.merge(*staged)
    assert database.rows("SELECT * FROM sync_runs") == before
    sync.run(window, run_id="one")
    assert database.value("SELECT COUNT(*) FROM sync_runs WHERE inserted = 0") == 1
    assert database.value("SELECT COUNT(DISTINCT batch_id) FROM sync_runs") == 1


@pytest.mark.parametrize("migrated", ONE, indirect=True)
def test_retries_and_the_time_waited_for_them_are_counted(sync: Sync, database: Database, api: Emulator) -> None:
    api.set_faults(next=[{"kind": "http_500", "times": 2, "page_index": 1}])
    sync.run(Window(START, START + DAY))
    [run] = database.rows("SELECT * FROM sync_runs")
    assert run["api_retries"] == 2
    assert run["api_calls"] == 3 + run["token_calls"]
    assert run["wait_seconds"] > 0


@pytest.mark.parametrize("migrated", ONE, indirect=True)
def test_a_manifest_of_an_earlier_release_is_merged_all_the_same(sync: Sync, database: Database) -> None:
    import json

    folder, manifest = sync.stage(Window(START, START + DAY))
    content = json.loads(folder.manifest_path.read_bytes())
    del content["started_at"], content["staged_at"]
    folder.manifest_path.write_text(json.dumps(content), "utf-8")
    sync.merge(folder, folder.read_manifest())
    [run] = database.rows("SELECT * FROM sync_runs")
    assert run["stage_seconds"] is None
    earliest = manifest.observed_at
    assert run["started_at"] == earliest.astimezone(timezone.utc).replace(tzinfo=None)


@pytest.mark.parametrize("migrated", ONE, indirect=True)
def test_a_merge_that_fails_leaves_no_trace_of_its_run(sync: Sync, database: Database) -> None:
    folder, manifest = sync.stage(Window(START, START + DAY))
    for name in manifest.slices[0].pages:
        (folder.path / name).unlink()
    with pytest.raises(XiaoeError):
        sync.merge(folder, manifest)
    assert database.rows("SELECT * FROM sync_runs") == []


# --- the page ------------------------------------------------------------------------------------------


def test_the_page_says_what_the_tables_hold(sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_HISTORY_START", f"{START:%Y-%m-%d}")
    sync.run(Window(START, START + 20 * DAY))
    sync.run(Window(START + 25 * DAY, END), mode="incremental", moves=True)
    sync.run(Window(START, END), resource=RESOURCES["refunds"], mode="incremental", moves=True)
    sync.run(Window(START, END), resource=RESOURCES["users"], mode="whole")
    status, html = web.render("zh", None)
    assert status == 200
    rows = database.rows("SELECT * FROM sync_windows ORDER BY id DESC LIMIT 20")
    names = ("api_total", *FIGURES, "passes")
    assert [line[4:] for line in cells(html, "windows")] == [[f"{row[name]:,}" for name in names] for row in rows]
    runs = database.rows("SELECT * FROM sync_runs ORDER BY finished_at DESC")
    names = ("staged", "inserted", "updated", "rejected", "api_calls", "api_retries")
    assert [line[3:9] for line in cells(html, "runs")] == [[f"{row[name]:,}" for name in names] for row in runs]
    states = database.rows("SELECT * FROM sync_status ORDER BY shop_id, resource, mode")
    assert [line[4] for line in cells(html, "syncs")] == [
        "整表" if row["mode"] == "whole" else f"{row['watermark']:%Y-%m-%d %H:%M}" if row["watermark"] else "–"
        for row in states
    ]
    assert [line[:2] for line in cells(html, "syncs")] == [
        ["订单", "历史"], ["订单", "增量"], ["售后", "增量"], ["用户", "近期"], ["用户", "全量"],
    ]  # fmt: skip
    assert html.count(f'title="{APP_ID}"') == 1, "a shop is named once, above its syncs"
    assert f"缺口：{START + 20 * DAY:%Y-%m-%d} – {START + 24 * DAY:%Y-%m-%d}" in html


def test_the_calendar_is_the_ledger_s(sync: Sync, database: Database) -> None:
    sync.run(Window(START, START + 20 * DAY))
    [seen] = database.rows("SELECT MIN(observed_at) AS first, MAX(observed_at) AS last FROM sync_windows")
    with Warehouse().session() as session:
        looks = queries.looks(session, APP_ID, "orders")
        assert len(queries.looks(session, APP_ID, "refunds")) == 0
    days = calendar.cells(looks, START.date(), datetime.now(BEIJING))
    assert all(seen["first"].replace(microsecond=0) <= cell.seen <= seen["last"] for cell in days[:20])
    assert [cell.state for cell in days[20:-1]] == ["gap"] * (len(days) - 21)


def test_open_alerts_failed_checks_reviews_and_backups_show(database: Database) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    old = now - timedelta(days=5)
    alert = (
        "INSERT INTO alerts (kind, dag_id, task_id, cause, message, run_id, opened_at, last_seen_at, seen_count,"
        " closed_at) VALUES ('failed', %s, 't', 'c', 'm', 'r', %s, %s, 1, %s)"
    )
    for name, closed in (("open_one", None), ("closed_one", now)):
        database.rows(alert, (name, old, now, closed))
    check = (
        "INSERT INTO quality_results (shop_id, check_name, severity, passed, measured, expected, run_id, checked_at)"
        " VALUES (%s, %s, %s, %s, 3, 'none', 'r', %s)"
    )
    for shop, name, severity, passed, at in (
        (APP_ID, "fails", "warning", 0, now),
        (APP_ID, "mended", "warning", 0, now - timedelta(hours=1)),
        (APP_ID, "mended", "warning", 1, now),
        (APP_ID, "of_last_week", "critical", 0, old),
        ("", "everywhere", "critical", 0, now),
    ):
        database.rows(check, (shop, name, severity, passed, at))
    decision = (
        "INSERT INTO benefit_decisions (shop_id, order_id, decision, decision_text, reason, basis, policy_id,"
        " deadline_at, decided_at) VALUES (%s, %s, %s, 't', 'r', 'b', 1, %s, %s)"
    )
    for name, decided in (("a", "review"), ("b", "review"), ("c", "pending"), ("d", "grant")):
        database.rows(decision, (APP_ID, name, decided, now, now))
    database.rows(
        "INSERT INTO rejected_rows VALUES (%s, 'orders', 1, 'k', 'r', '{}', 'b', %s, %s, 1, NULL)", (APP_ID, now, now)
    )
    database.rows(
        "INSERT INTO sync_status VALUES (%s, 'orders', 'history', NULL, NULL, %s, 'failed', 'm')", (APP_ID, now)
    )
    backup = (
        "INSERT INTO backups (url, started_at, finished_at, encrypted, status, drilled_at, drill_status)"
        " VALUES (%s, %s, %s, 0, %s, %s, %s)"
    )
    for at, status, drill in ((old, "success", "success"), (now - DAY, "success", None), (now, "failed", None)):
        database.rows(backup, (f"file:///{at}", at, at, status, at if drill else None, drill))
    data = read()
    assert [one.dag_id for one in data.alerts] == ["open_one"]
    assert [one.check_name for one in data.checks] == ["everywhere", "fails"]
    [shop] = data.shops
    assert (shop.in_review, shop.waiting, shop.rejected) == (2, 1, 1)
    assert data.backup == (now - DAY, "success")


def test_a_channel_that_refuses_is_shown_with_its_words(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    for target, last in (("team", now), ("long-gone", now - 40 * DAY)):
        database.rows(
            "INSERT INTO channel_refusals VALUES ('chat', %s, %s, %s, %s, 3)",
            (target, "dingtalk: 310000 <b>keywords</b> not in content", now - 50 * DAY, last),
        )
    assert [one.target for one in read().refusals] == ["team"]
    _, html = web.render("zh", None)
    shown = html[html.index('id="alerts"') :].partition("</section>")[0]
    assert "群消息" in shown
    assert "dingtalk: 310000 &lt;b&gt;keywords&lt;/b&gt; not in content" in shown
    assert "没有未关闭的告警" not in shown


def test_each_shop_is_shown_by_itself_and_an_unknown_one_is_the_first(sync: Sync, database: Database) -> None:
    sync.run(Window(START, START + DAY))
    for table in ("sync_status", "sync_windows", "sync_runs"):
        columns = [name for name in database.stored_columns(table) if name != "id"]
        rest = ", ".join(columns).replace("shop_id", "'zz_other'")
        database.rows(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {rest} FROM {table}")
    database.rows("UPDATE sync_windows SET staged = 77 WHERE shop_id = 'zz_other'")
    assert [shop.shop_id for shop in read().shops] == [APP_ID, "zz_other"]
    assert (read().shop_id, read("nobody").shop_id) == (APP_ID, APP_ID)
    other = read("zz_other")
    assert [one.staged for one in other.windows] == [77]
    assert len(other.runs) == len(read().runs) == 1


def test_lists_are_bounded_however_long_the_ledger_is(sync: Sync, database: Database) -> None:
    sync.run(Window(START, START + DAY))
    columns = [name for name in database.stored_columns("sync_windows") if name != "id"]
    for number in range(9):
        rest = ", ".join(columns).replace("batch_id", f"CONCAT('{number}', LEFT(batch_id, 14))")
        database.rows(f"INSERT INTO sync_windows ({', '.join(columns)}) SELECT {rest} FROM sync_windows")
    assert database.value("SELECT COUNT(*) FROM sync_windows") == 512
    status, html = web.render("en", None)
    assert status == 200
    assert len(cells(html, "windows")) == queries.SHOWN


@pytest.mark.parametrize("migrated", ONE, indirect=True)
def test_a_warehouse_that_is_down_unmigrated_or_unknown_is_said_and_no_secret_with_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    parts = urlsplit(database.url)
    secret = "s3cret-Passw0rd"
    at = f"{parts.hostname}:{parts.port}"
    empty = f"{parts.path.lstrip('/')}_empty"
    database.rows(f"CREATE DATABASE {empty}")
    caplog.set_level(logging.DEBUG)
    for url, said in (
        (f"mysql://{parts.username}:{secret}@127.0.0.1:1/xiaoe", "127.0.0.1:1"),
        (f"mysql://nobody_at_all:{secret}@{at}/xiaoe", "nobody_at_all"),
        (f"mysql://{parts.username}:{parts.password or ''}@{at}/xiaoe_test_of_nobody", "make migrate"),
        (f"mysql://{parts.username}:{parts.password or ''}@{at}/{empty}", "make migrate"),
    ):
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", url)
        for language, title in (("zh", "暂时无法显示"), ("en", "Cannot be shown")):
            status, html = web.render(language, None)
            assert status == 503, url
            assert title in html
            assert said in html
            assert "Traceback" not in html
            assert secret not in html
    assert secret not in caplog.text
    database.rows(f"DROP DATABASE {empty}")
    monkeypatch.delenv("AIRFLOW_CONN_XIAOE_MYSQL")
    status, html = web.render("zh", None)
    assert status == 503
    assert "Airflow 中没有连接 xiaoe_mysql" in html


# --- storage -------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("XIAOE_PAGE_STORE", f"file://{folder}")
    return folder


def samples(database: Database) -> dict[str, dict[str, Any]]:
    return {row["metric"]: row for row in database.rows("SELECT * FROM storage_samples")}


def binary_logs(database: Database) -> tuple[int | None, str | None]:
    """What this server lets this user know of them."""
    try:
        return sum(row["File_size"] for row in database.rows("SHOW BINARY LOGS")), None
    except MySQLdb.Error as error:
        return None, {1227: "no_right", 1381: "off"}[error.args[0]]


def test_storage_is_sampled_as_it_is(database: Database, store: Path) -> None:
    (store / "a" / "b").mkdir(parents=True)
    (store / "a" / "b" / "page").write_bytes(b"x" * 5000)
    (store / "a" / "manifest").write_bytes(b"x" * 23)
    (store / "link").symlink_to("/usr")
    result = XiaoeStorageOperator(task_id="storage").execute({})
    kept = samples(database)
    assert {name: row["bytes"] for name, row in kept.items()} == result
    assert kept["page_store"]["bytes"] == 5023 + (store / "link").lstat().st_size
    assert kept["disk"]["bytes"] > kept["free_disk"]["bytes"] > 0
    size, note = binary_logs(database)
    assert (kept["binlog"]["bytes"], kept["binlog"]["note"]) == (size, note)
    assert kept["database"]["bytes"] >= 16384 * database.value(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
    )
    [figure] = [one for one in read().storage if one.metric == "page_store"]
    assert figure.bytes == kept["page_store"]["bytes"]


def test_a_page_store_that_is_not_there_yet_is_empty(database: Database, store: Path) -> None:
    assert XiaoeStorageOperator(task_id="storage").execute({})["page_store"] == 0
    assert not store.exists()


@pytest.mark.parametrize("migrated", ONE, indirect=True)
def test_a_bucket_has_a_size_and_no_disk(database: Database) -> None:
    bucket = SimpleNamespace(protocol="memory", fs=fsspec.filesystem("memory"), path="/bucket/pages")
    bucket.fs.pipe("/bucket/pages/a/page", b"x" * 700)
    found = {one.metric: one for one in storage.sample_store(bucket)}
    assert found["page_store"].bytes == 700
    assert (found["free_disk"].bytes, found["free_disk"].note) == (None, "bucket")


def test_a_sample_of_the_same_moment_is_one(database: Database) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
    with Warehouse().session() as session:
        for at, size in ((now - DAY, 2), (now, 3), (now, 4)):
            storage.write_samples(session, [storage.Sample("database", size)], at)
        session.commit()
    assert [row["bytes"] for row in database.rows("SELECT bytes FROM storage_samples ORDER BY sampled_at")] == [2, 4]


@pytest.mark.parametrize("migrated", ONE, indirect=True)
def test_a_nearly_full_disk_fails_the_task_and_is_still_kept(
    database: Database, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_MIN_FREE_DISK_GB", "1000000")
    with pytest.raises(XiaoeConfigError, match=r"(1e\+06|1000000) GB required"):
        XiaoeStorageOperator(task_id="storage").execute({})
    assert samples(database)["free_disk"]["bytes"] > 0


@pytest.mark.parametrize("migrated", ONE, indirect=True)
def test_a_full_disk_is_said_even_where_it_took_the_database_down(
    database: Database, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", "mysql://nobody@127.0.0.1:1/xiaoe")
    with pytest.raises(XiaoeError, match=r"127\.0\.0\.1:1"):
        XiaoeStorageOperator(task_id="storage").execute({})
    monkeypatch.setenv("XIAOE_MIN_FREE_DISK_GB", "1000000")
    with pytest.raises(XiaoeConfigError, match="XIAOE_MIN_FREE_DISK_GB"):
        XiaoeStorageOperator(task_id="storage").execute({})
    assert samples(database) == {}


def test_a_user_who_may_not_see_the_binary_logs_is_no_error(database: Database) -> None:
    name = f"monitor_{urlsplit(database.url).path[-8:].strip('/_')}"
    schema = urlsplit(database.url).path.lstrip("/")
    database.rows(f"DROP USER IF EXISTS {name}@'%'")
    database.rows(f"CREATE USER {name}@'%' IDENTIFIED BY 'Only-for-this-1'")
    database.rows(f"GRANT SELECT ON {schema}.* TO {name}@'%'")
    parts = urlsplit(database.url)
    url = f"mysql://{name}:Only-for-this-1@{parts.hostname}:{parts.port}/{schema}"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", url)
            with Warehouse().session() as session:
                found = {one.metric: one for one in storage.sample_database(session)}
            assert web.render("zh", None)[0] == 200
    finally:
        database.rows(f"DROP USER {name}@'%'")
    assert found["binlog"].note in ("no_right", "off")
    assert found["binlog"].bytes is None
    assert found["database"].bytes

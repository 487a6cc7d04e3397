"""The two operators: which window a run reads, what the UI shows, and what is noted of a failure."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator
from support.fixtures import shop_connection
from support.worlds.shop import APP_ID, END, SECRET, WHOLE_LISTS, Database, merge_sql
from support.worlds.tasks import HALF_HOUR, context, stage
from xiaoe import clock, settings
from xiaoe.api import hook
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError, XiaoeReconciliationError
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.storage.pages import RunFolder
from xiaoe.sync.operators import XiaoeMergeOperator, XiaoeStageOperator
from xiaoe.windows import EVER, Plan, Window

WEEK = timedelta(days=7)

pytestmark = pytest.mark.mysql


def merge(folder: str, mode: str = "incremental") -> XiaoeMergeOperator:
    return XiaoeMergeOperator(task_id="merge", resource="orders", mode=mode, folder=folder, sql=merge_sql("orders"))


def sync(mode: str = "incremental", **options: Any) -> dict[str, int]:
    """One run, as the DAG does it."""
    about = context(**options)
    return merge(stage(mode).execute(about), mode).execute(about)


@pytest.fixture
def warehouse(database: Database, api: Emulator, tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> Database:
    """Everything that both operators need: an empty warehouse, a shop, a page store."""
    clean_environment.setenv("XIAOE_PAGE_STORE", f"file://{tmp_path}/pages")
    clean_environment.setattr(clock, "now", lambda: END)
    clean_environment.setattr(hook, "XiaoeHook", partial(hook.XiaoeHook, sleep=lambda _: None))
    return database


def status(database: Database, mode: str = "incremental") -> dict[str, Any]:
    [row] = database.rows("SELECT * FROM sync_status WHERE mode = %s", (mode,))
    return row


# --- the run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "about", "expected"),
    [
        ("incremental", context(), Plan(Window(END - timedelta(seconds=60) - WEEK, END - timedelta(seconds=60)), True)),
        ("incremental", context("backfill"), Plan(Window(END - HALF_HOUR, END))),
        ("history", context(every=WEEK), Plan(Window(END - WEEK, END))),
        ("history", context("manual"), Plan(Window(settings.history_start(), END - timedelta(seconds=60)))),
        (
            "rescan",
            context(),
            Plan(Window(END - timedelta(days=15, seconds=60), END - timedelta(seconds=60)), True),
        ),
        ("rescan", context("manual", **{"from": "2026-11-19"}), Plan(Window(END.replace(day=19, hour=0), END))),
        (
            "deep_rescan",
            context(),
            Plan(Window(END - timedelta(days=90, seconds=60), END - timedelta(seconds=60)), True),
        ),
        ("late", context(), Plan(Window(EVER, END))),
        ("late", context("manual", **{"from": "2026-11-19"}), Plan(Window(EVER, END))),
        ("late", context("backfill"), Plan(Window(EVER, END))),
    ],
)
def test_each_mode_has_its_window(mode: str, about: Any, expected: Plan, warehouse: Database) -> None:
    assert stage(mode)._plan(about, Warehouse(), APP_ID) == expected


def test_the_settings_of_the_environment_decide_how_far_back(
    warehouse: Database, clean_environment: pytest.MonkeyPatch
) -> None:
    for name, value in {"OVERLAP_MINUTES": "5", "LAG_SECONDS": "0", "RESCAN_DAYS": "2"}.items():
        clean_environment.setenv(f"XIAOE_{name}", value)
    sync(end=END - HALF_HOUR)
    begin = END - HALF_HOUR - timedelta(minutes=5)
    assert stage()._plan(context(), Warehouse(), APP_ID) == Plan(Window(begin, END), moves_watermark=True)
    assert stage("rescan")._plan(context(), Warehouse(), APP_ID).window.begin == END - timedelta(days=2)


def of(resource: str, mode: str) -> XiaoeStageOperator:
    return XiaoeStageOperator(task_id="stage", resource=resource, mode=mode, xiaoe_conn_id="xiaoe_default")


def test_after_sales_begin_with_all_of_their_history_and_then_reach_back_three_days(
    warehouse: Database, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("XIAOE_HISTORY_START", "2026-11-10")
    lag = timedelta(seconds=60)
    begin = datetime(2026, 11, 10, tzinfo=BEIJING)
    assert of("refunds", "incremental")._plan(context(), Warehouse(), APP_ID) == Plan(Window(begin, END - lag), True)
    about = context(end=END - HALF_HOUR)
    folder = of("refunds", "incremental").execute(about)
    merge_refunds = XiaoeMergeOperator(
        task_id="merge", resource="refunds", mode="incremental", folder=folder, sql=merge_sql("refunds")
    )
    merge_refunds.execute(about)
    watermark = END - HALF_HOUR - lag
    plan = of("refunds", "incremental")._plan(context(), Warehouse(), APP_ID)
    assert plan == Plan(Window(watermark - timedelta(days=3), END - lag), True)
    clean_environment.setenv("XIAOE_REFUND_OVERLAP_DAYS", "1")
    assert of("refunds", "incremental")._plan(context(), Warehouse(), APP_ID).window.begin == (
        watermark - timedelta(days=1)
    )
    assert of("orders", "incremental")._plan(context(), Warehouse(), APP_ID).window.begin == END - lag - WEEK


@pytest.mark.parametrize("resource", WHOLE_LISTS)
def test_whole_lists_are_read_whole_and_a_window_is_refused(warehouse: Database, resource: str) -> None:
    stage_whole = of(resource, "whole")
    assert stage_whole._plan(context(every=WEEK), Warehouse(), APP_ID) == Plan(Window(EVER, END), True)
    with pytest.raises(XiaoeConfigError, match="always read whole"):
        stage_whole.execute(context("manual", **{"from": "2026-11-01"}))
    assert status(warehouse, "whole")["status"] == "failed"


def test_late_orders_without_the_after_sales_say_to_clear_the_stage_task(warehouse: Database, tmp_path: Path) -> None:
    late = XiaoeStageOperator(
        task_id="stage_orders", resource="orders", mode="late", xiaoe_conn_id="xiaoe_default",
        named_by=f"file://{tmp_path}/nowhere",
    )  # fmt: skip
    with pytest.raises(XiaoeConfigError, match="clear the stage task"):
        late.execute(context())
    assert status(warehouse, "late")["status"] == "failed"


# --- stage and merge -----------------------------------------------------------------------------------


def test_a_run_stages_and_merges_its_window_and_moves_the_watermark(warehouse: Database, api: Emulator) -> None:
    folder = stage().execute(context())
    assert folder.startswith("file://")
    assert warehouse.rows("SELECT * FROM sync_status") == [], "staging alone moves nothing"
    counts = merge(folder).execute(context())
    window = Window(END - timedelta(seconds=60) - WEEK, END - timedelta(seconds=60))
    expected = len(list(api.truth_orders(APP_ID, int(window.begin.timestamp()), int(window.end.timestamp()))))
    assert counts["staged"] == counts["inserted"] == warehouse.value("SELECT COUNT(*) FROM orders") >= expected > 0
    assert json.loads(json.dumps(counts)) == counts, "the return value is an XCom"
    row = status(warehouse)
    assert (row["status"], row["watermark"]) == ("success", window.end.replace(tzinfo=None))


def test_the_next_run_begins_at_the_watermark_less_the_overlap(warehouse: Database) -> None:
    sync(end=END - timedelta(days=2))
    sync()
    [*_, first, second] = warehouse.rows("SELECT window_start, window_end FROM sync_windows ORDER BY id")
    assert second["window_start"] == first["window_end"] - timedelta(hours=1)
    assert second["window_end"] == (END - timedelta(seconds=60)).replace(tzinfo=None)


def test_a_backfill_leaves_the_watermark_alone(warehouse: Database) -> None:
    sync()
    before = status(warehouse)["watermark"]
    sync(kind="backfill", end=END - timedelta(days=30), every=WEEK)
    assert status(warehouse)["watermark"] == before


def test_a_window_that_ends_in_the_future_is_read_with_a_warning(
    warehouse: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    stage("history").execute(context("manual", **{"from": "2026-11-20", "to": "2026-11-21"}))
    assert "the window ends in the future" in capsys.readouterr().out


def test_rows_without_a_key_are_counted_and_pointed_out(
    warehouse: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    location = stage().execute(context())
    folder = RunFolder(Path(location.removeprefix("file://")))
    name = folder.page_name(0, 1, 1)
    page = folder.read_page(name)
    assert page
    folder.write_page(name, replace(page, body=page.body.replace(b'"order_id":', b'"no_id":', 2)))
    counts = merge(location).execute(context())
    assert (counts["rejected"], counts["inserted"]) == (2, counts["staged"] - 2)
    assert "2 rows have no key: see table rejected_rows" in capsys.readouterr().out
    assert warehouse.value("SELECT COUNT(*) FROM rejected_rows") == 2


# --- failures ------------------------------------------------------------------------------------------


def test_a_failed_stage_is_noted_with_its_message_and_the_watermark_stays(
    warehouse: Database, api: Emulator, clean_environment: pytest.MonkeyPatch
) -> None:
    sync(end=END - HALF_HOUR)
    before = status(warehouse)
    api.set_faults(next=[{"kind": "code_2017", "times": 1}])
    with pytest.raises(XiaoeConfigError) as caught:
        stage().execute(context())
    after = status(warehouse)
    assert (after["status"], after["message"]) == ("failed", str(caught.value))
    assert "have it granted" in after["message"]
    assert after["last_attempt_at"] > before["last_attempt_at"]
    assert {name: after[name] for name in ("watermark", "last_success_at")} == {
        name: before[name] for name in ("watermark", "last_success_at")
    }
    sync()
    assert status(warehouse)["status"] == "success"


def test_a_failure_of_the_very_first_run_is_noted_without_a_watermark(
    warehouse: Database, api: Emulator, clean_environment: pytest.MonkeyPatch
) -> None:
    wrong = {**json.loads(shop_connection(api.url)), "password": "wrong-" + SECRET}
    clean_environment.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", json.dumps(wrong))
    with pytest.raises(XiaoeConfigError):
        stage("rescan").execute(context())
    row = status(warehouse, "rescan")
    assert (row["status"], row["watermark"], row["last_success_at"]) == ("failed", None, None)
    assert "Secret (password)" in row["message"]
    assert SECRET not in row["message"]


def test_a_failed_merge_is_noted_and_nothing_of_it_is_kept(warehouse: Database) -> None:
    sync(end=END - HALF_HOUR)
    before = status(warehouse)
    orders = warehouse.value("SELECT COUNT(*) FROM orders")
    folder = stage().execute(context())
    first_page = RunFolder(Path(folder.removeprefix("file://"))).path / "slice-00/pass-1/page-00001.json.gz"
    first_page.unlink()
    with pytest.raises(XiaoeReconciliationError, match="is gone from") as caught:
        merge(folder).execute(context())
    after = status(warehouse)
    assert (after["status"], after["message"]) == ("failed", str(caught.value))
    assert after["watermark"] == before["watermark"]
    assert warehouse.value("SELECT COUNT(*) FROM orders") == orders


def test_rows_that_the_api_no_longer_lists_fail_the_run_until_a_person_accepts_it(warehouse: Database) -> None:
    sync()
    warehouse.rows(
        "INSERT INTO orders (shop_id, order_id, created_time, row_hash, raw_hash, observed_at, batch_id)"
        " VALUES (%s, 'deleted-in-the-shop', '2026-11-19 12:00:00', 1, 1, '2026-11-19 12:00:00', 'x')",
        (APP_ID,),
    )
    window = {"from": "2026-11-19", "to": "2026-11-20"}
    with pytest.raises(XiaoeReconciliationError, match="deleted-in-the-shop"):
        sync("rescan", kind="manual", **window)
    assert "deleted-in-the-shop" in status(warehouse, "rescan")["message"]
    sync("rescan", kind="manual", accept_missing=True, **window)
    assert warehouse.value("SELECT COUNT(*) FROM orders WHERE absent_since IS NOT NULL") == 1


def test_a_merge_without_a_manifest_says_to_clear_the_stage_task(warehouse: Database, tmp_path: Path) -> None:
    with pytest.raises(XiaoeConfigError, match="clear the stage task"):
        merge(f"file://{tmp_path}/nowhere").execute(context())

"""The check of a shop beside a warehouse: the shared token, the row that is kept, the page, the DAG's operator."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.process import Emulator, running
from support.fixtures import Connect, servers
from support.worlds.shop import APP_ID, CLIENT_ID, END, NOW, SECRET, Database
from xiaoe import clock
from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeQualityError
from xiaoe.monitor import queries, web
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.orders import ORDERS
from xiaoe.shop_check.command import check_shops
from xiaoe.shop_check.operators import XiaoeShopCheckOperator

pytestmark = [pytest.mark.mysql, pytest.mark.parametrize("migrated", servers()[:1], indirect=True)]


@pytest.fixture(autouse=True)
def exports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XIAOE_EXPORT_DIR", f"file://{tmp_path}/exports")
    monkeypatch.setattr(clock, "now", lambda: END)
    return tmp_path / "exports"


def tokens(api: Emulator) -> Any:
    issued: Any = api.stats()["tokens_issued"]
    return issued.get(APP_ID, 0)


def test_a_check_is_kept_and_writes_nothing_else(database: Database, api: Emulator, exports: Path) -> None:
    before = database.snapshot()
    said: list[str] = []
    check_shops("zh", say=said.append)
    [row] = database.rows("SELECT * FROM shop_checks")
    assert (row["shop_id"], row["conn_id"]) == (APP_ID, "xiaoe_default")
    assert row["verdict"] in ("fits", "fits_with_remarks", "does_not_fit")
    told = json.loads(row["findings"])
    assert {one["resource"] for one in told if one["key"] == "granted"} == {
        "orders", "refunds", "users", "products", "live_streams", "order_origins", "live_viewers", "promoters",
        "promoter_customers", "order_promoters",
    }  # fmt: skip
    assert not any("未写入数据仓库" in line for line in said)
    assert database.snapshot() == before
    assert sorted(path.suffix for path in exports.iterdir()) == [".json", ".md"]


def test_it_takes_the_token_that_running_tasks_use(database: Database, api: Emulator) -> None:
    hook = XiaoeHook()
    hook.list_page(ORDERS, ORDERS.paging.fields(1, None))
    before = tokens(api)
    check_shops("zh", say=lambda _: None)
    assert tokens(api) == before
    hook.list_page(ORDERS, ORDERS.paging.fields(1, None))
    assert tokens(api) == before, "the other task's token still holds"
    hook.close()


def test_an_old_schema_costs_only_the_row(
    database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, exports: Path
) -> None:
    monkeypatch.setattr("xiaoe.mysql.schema.known_migrations", lambda: frozenset({"9999-to-come"}))
    said: list[str] = []
    check_shops("zh", say=said.append)
    assert any("未写入数据仓库" in line for line in said)
    assert len(list(exports.iterdir())) == 2
    assert database.rows("SELECT 1 FROM shop_checks") == []


def test_the_page_shows_the_last_check_of_a_shop(database: Database, api: Emulator) -> None:
    check_shops("zh", say=lambda _: None)
    insert = (
        "INSERT INTO shop_checks (shop_id, conn_id, checked_at, verdict, wrong_tables, api_calls, seconds, findings)"
        " VALUES (%s, 'c', '2026-11-20 04:00:00', 'fits_with_remarks', '', 1, 1, %s)"
    )
    finding = {"key": "pages_overlap", "level": "remark", "resource": "users", "facts": {"rows": 77}}
    database.rows(insert, (APP_ID, json.dumps([finding])))
    with Warehouse().session() as session:
        [shown] = queries.read_page_data(session, None, datetime.now(BEIJING)).shop_checks
    assert shown.verdict == "fits_with_remarks"
    status, html = web.render("zh", None)
    assert status == 200
    assert "第二页有 77 行与第一页重复" in html
    assert "77 rows of the second page stood on the first" in web.render("en", None)[1]


def run(**context: Any) -> dict[str, Any]:
    return XiaoeShopCheckOperator(task_id="check", xiaoe_conn_id="xiaoe_default").execute(
        SimpleNamespace(**context)  # type: ignore[arg-type]
    )


def test_the_task_fails_where_a_shop_does_not_fit_and_says_why(database: Database, connect: Connect) -> None:
    denied = "xe.alive.list.get/1.0.0"
    shop = f"{APP_ID}:{CLIENT_ID}:{SECRET}"
    with running(orders=300, start="2026-11-01", now=NOW, frozen=True, shop=[shop], deny=[denied]) as emulator:
        connect(emulator)
        with pytest.raises(XiaoeQualityError, match=rf"没有接口 {denied} 的权限.*开通此接口"):
            run()
    assert database.value("SELECT wrong_tables FROM shop_checks") == "live_streams"


def test_the_task_says_where_the_files_are(database: Database, api: Emulator, exports: Path) -> None:
    done = run()
    assert done["wrong_tables"] == []
    assert [Path(file.removeprefix("file://")).exists() for file in done["files"]] == [True, True]

"""The page store as a second source: a lost warehouse comes back from kept pages alone, without the API."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from emulator.process import Emulator
from support.fixtures import servers
from support.worlds.runs import TaskRunner
from support.worlds.shop import END, Database, days, differences
from xiaoe import cli
from xiaoe.backup import service
from xiaoe.clock import BEIJING
from xiaoe.sync import rebuild
from xiaoe.windows import Window

pytestmark = [pytest.mark.mysql, pytest.mark.parametrize("migrated", servers()[:1], indirect=True)]

BEGIN = END.astimezone(BEIJING).replace(hour=0) - days(12)


@pytest.fixture
def runs(database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TaskRunner:
    return TaskRunner(api, monkeypatch, tmp_path / "pages")


def orders_change(runs: TaskRunner) -> None:
    """Two days of a shop: orders come, and are paid, shipped, refunded."""
    for ago in (1, 0):
        runs.at(END - days(ago))
        runs.sync("orders", "incremental")
        runs.sync("orders", "rescan")


def test_a_lost_warehouse_comes_back_from_its_pages(
    runs: TaskRunner, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.at(END - days(2))
    runs.sync("orders", "history", kind="manual", **{"from": f"{BEGIN:%Y-%m-%d}"})
    runs.sync("products", "whole")
    orders_change(runs)
    runs.refunds()
    runs.sync("products", "whole")
    before = database.snapshot()
    assert len(before["order_state_log"]) > 0
    assert len(before["refunds"]) > 0
    database.empty("api_tokens")
    monkeypatch.delenv("AIRFLOW_CONN_XIAOE_DEFAULT")
    counts, refused = rebuild.rebuild_from_pages([], accept_missing=False)
    assert refused == []
    assert counts["windows"] == 9
    assert database.snapshot() == before
    assert differences(database, api, Window(BEGIN, END - timedelta(minutes=1))) == []
    counts, refused = rebuild.rebuild_from_pages(["orders", "products"], accept_missing=False)
    assert (counts["inserted"], counts["updated"], refused) == (0, 0, [])
    assert database.snapshot() == before


def test_after_a_restore_the_pages_bring_what_the_backup_lacks(
    runs: TaskRunner, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also what no sync could bring any more: how orders changed meanwhile."""
    monkeypatch.setenv("XIAOE_BACKUP_STORE", f"file://{tmp_path}/backups")
    runs.at(END - days(4))
    runs.sync("orders", "history", kind="manual", **{"from": f"{BEGIN:%Y-%m-%d}"})
    url, _ = service.back_up_now()
    orders_change(runs)
    before = database.snapshot()
    service.restore_file(urlsplit(url).path, into=None, force=True)
    assert database.snapshot() != before
    rebuild.rebuild_from_pages([], accept_missing=False)
    assert database.snapshot() == before


def test_pages_that_are_gone_are_named_and_the_rest_is_merged(
    runs: TaskRunner, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.sync("orders", "history", kind="manual", **{"from": f"{BEGIN:%Y-%m-%d}"})
    held = database.value("SELECT COUNT(*) FROM orders")
    lost = Path(urlsplit(runs.stage("orders", "incremental")).path)
    next(lost.rglob("page-*")).unlink()
    half = Path(urlsplit(runs.stage("products", "whole")).path)
    (half / "manifest.json").unlink()
    odd = Path(urlsplit(runs.stage("live_streams", "whole")).path)
    (odd / "manifest.json").write_text('{"slices": [{"pages": ["../../x"]}]}')
    database.empty("api_tokens")
    assert cli.main(["rebuild"]) == 1
    said = capsys.readouterr()
    assert "merged 1 windows" in said.out
    assert str(lost) in said.err
    assert str(half) not in said.err
    assert f"{odd}: " in said.err
    assert database.value("SELECT COUNT(*) FROM orders") == held
    assert database.value("SELECT COUNT(*) FROM products WHERE is_inferred = 0") == 0
    assert cli.main(["rebuild", "--resource", "nothing"]) == 1
    assert "RESOURCE='nothing'" in capsys.readouterr().err

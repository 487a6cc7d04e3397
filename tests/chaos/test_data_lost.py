"""The data folder is removed at random moments; the journal brings back what was there when it last shipped."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.faults.chaos import by_level, tell
from support.servers.own_database import Server
from support.worlds.journal import Life, contents
from xiaoe.backup import service
from xiaoe.backup.shipping import Shipper
from xiaoe.mysql.migrate import migrate
from xiaoe.mysql.warehouse import Warehouse

pytestmark = [pytest.mark.mysql, pytest.mark.chaos, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("lost"), has_log=True)
    yield server
    server.script("stop")


def test_a_lost_data_folder_costs_nothing_that_was_shipped(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_BACKUP_STORE", f"file://{tmp_path}/backups")
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", server.script("start").partition("?")[0])
    migrate()
    life, dice = Life(tmp_path / "pages", 7), random.Random(7)
    shipper = Shipper(Warehouse())
    held = contents(Warehouse())
    slowest = 0.0
    rounds = by_level(2, 10, 100)
    for number in range(rounds):
        for _ in range(dice.randrange(1, 12)):
            life.goes_on()
            if dice.random() < 0.5:
                shipper.ship()
                held = contents(Warehouse())
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", server.lose_everything().partition("?")[0])
        begun = time.monotonic()
        said = service.restore_to("latest", into=None, force=True)
        slowest = max(slowest, time.monotonic() - begun)
        assert "counts and checksums are equal" in said
        assert contents(Warehouse()) == held, f"round {number}"
        shipper = Shipper(Warehouse())  # a new server: a new chain, from a new backup
    tell("data folder removed", moments=rounds, slowest_restore=round(slowest, 1))

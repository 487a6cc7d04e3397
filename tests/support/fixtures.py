"""Databases, an emulated shop, and the sync of one window without Airflow around it."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from airflow.sdk._shared.secrets_masker import reset_secrets_masker

from emulator.options import Credentials
from emulator.process import Emulator, airflow_connection, running
from support.servers.scratch import metadata, scratch
from support.worlds.shop import APP_ID, CLIENT_ID, NOW, SECRET, Database, Sync

Connect = Callable[..., None]

EMULATOR: dict[str, Any] = {
    "orders": 3000,
    "start": "2026-09-01",
    "now": NOW,
    "frozen": True,
    "seed": 7,
    "shop": [f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
    "token_quota": 1_000_000,  # every test takes a token of its own
}
SERVERS = {"mysql": "XIAOE_TEST_MYSQL_DSN", "mariadb": "XIAOE_TEST_MARIADB_DSN"}


def servers() -> list[str]:
    return [name for name, variable in SERVERS.items() if os.environ.get(variable)] or list(SERVERS)


@pytest.fixture(scope="session", params=servers())
def migrated(request: pytest.FixtureRequest) -> Iterator[str]:
    """The DSN of a migrated database of this test run, on each kind of server."""
    dsn = os.environ.get(SERVERS[request.param])
    if not dsn:
        pytest.fail(f"{SERVERS[request.param]} is not set: run `make test`, it starts the databases", pytrace=False)
    with scratch(dsn, f"xiaoe_test_{os.getpid()}_{request.param}") as url:
        os.environ["AIRFLOW_CONN_XIAOE_MYSQL"] = url
        from xiaoe.mysql.migrate import migrate

        migrate()
        yield url


@pytest.fixture(scope="module")
def airflow_database() -> Iterator[str | None]:
    """For Airflow's own tables: on MySQL, as on a server that works; else SQLite (Airflow knows no MariaDB)."""
    dsn = os.environ.get(SERVERS["mysql"])
    if not dsn:
        yield None
        return
    with metadata(dsn, f"xiaoe_airflow_{os.getpid()}") as url:
        yield url


@pytest.fixture(autouse=True)
def environment_of_one_test() -> Iterator[None]:
    """What a test or the command it calls (`cli.prepare_airflow`) puts into the environment ends with the test."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(autouse=True)
def forgetful_masker() -> Iterator[None]:
    """Airflow looks for every secret it was ever told in every line it logs: hundreds of tokens make that slow."""
    yield
    reset_secrets_masker()


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No setting of this project in the environment, so that every default shows."""
    for name in [name for name in os.environ if name.startswith("XIAOE_") and not name.startswith("XIAOE_TEST_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def database(migrated: str, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An empty warehouse but for the shop's token, and `xiaoe_mysql` pointing at it."""
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", migrated)
    database = Database(migrated)
    database.empty("api_tokens")  # Airflow masks each token it was told of, and takes longer with each
    database.rows("UPDATE api_tokens SET issues = 0")
    return database


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """A shop of 3,000 orders since 2026-09-01; its clock stands at `support.worlds.shop.NOW` for each test."""
    with running(**EMULATOR) as emulator:
        yield emulator


@pytest.fixture
def api(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator with its clock set back and no faults, and `xiaoe_default` pointing at it."""
    emulator.set_clock(NOW)
    emulator.set_faults()
    _connect(monkeypatch, emulator)
    return emulator


@pytest.fixture
def sync(database: Database, api: Emulator, tmp_path: Path) -> Iterator[Sync]:
    """Stage and merge windows of the emulated shop into the empty warehouse."""
    yield Sync(tmp_path / "pages")
    shutil.rmtree(tmp_path / "pages", ignore_errors=True)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Point `xiaoe_default` at an emulator, with fields of the connection's extra."""
    return functools.partial(_connect, monkeypatch)


_issuers: dict[str, Emulator] = {}
"""Test database → the emulator that issued its token."""


def _connect(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, **extra: object) -> None:
    """A token of another emulator goes: it would be refused, which costs a call that a test may be counting."""
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(emulator.url, **extra))
    warehouse = os.environ.get("AIRFLOW_CONN_XIAOE_MYSQL", "")
    if warehouse and _issuers.get(warehouse) is not emulator:
        Database(warehouse).rows("DELETE FROM api_tokens")
        _issuers[warehouse] = emulator


def shop_connection(url: str, **extra: object) -> str:
    """An Airflow connection to the emulator, as JSON."""
    shop = Credentials(APP_ID, CLIENT_ID, SECRET)
    return airflow_connection(url, shop, **{"calls_per_second": 200, **extra})

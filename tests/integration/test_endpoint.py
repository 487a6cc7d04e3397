"""Addresses of MySQL that are not one server are refused by name, before anything is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from support.fixtures import SERVERS
from support.servers.scratch import scratch
from support.worlds.shop import Database
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql import endpoint
from xiaoe.mysql.connection import open_connection
from xiaoe.mysql.migrate import migrate
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"version": "9.7.0", "version_comment": "MySQL Community Server - GPL"}, ""),
        ({"version": "10.11.6-MariaDB", "wsrep_on": "OFF", "wsrep_provider": "none"}, ""),
        ({"version": "10.11.6-MariaDB", "wsrep_on": "ON", "wsrep_provider": "none"}, ""),
        ({"wsrep_on": "ON", "wsrep_provider": "/usr/lib/galera/libgalera_smm.so"}, "Galera"),
        ({"version_comment": "(ProxySQL)", "version": "8.0.33"}, "ProxySQL"),
        ({"version": "10.6.12-MariaDB-maxscale-23.02"}, "MaxScale"),
    ],
)
def test_what_a_server_says_it_is(variables: dict[str, str], said: str) -> None:
    found = endpoint.named(variables)
    assert (said in found) if said else found == ""


@pytest.mark.parametrize(
    ("variables", "is_it"),
    [
        ({"version": "5.7.25-OceanBase-v4.2.1.8", "version_comment": "OceanBase_CE 4.2.1.8"}, True),
        ({"version": "5.7.25-OceanBase seekdb-v1.4.0.0", "version_comment": "OceanBase 4.3.5.3 seekdb"}, True),
        ({"version": "10.11.6-MariaDB", "version_comment": "Debian 12"}, False),
        ({"version": "9.7.0", "version_comment": "MySQL Community Server - GPL"}, False),
    ],
)
def test_oceanbase_is_known_by_what_it_says(variables: dict[str, str], is_it: bool) -> None:
    assert endpoint.is_oceanbase(variables) == is_it


@pytest.mark.parametrize(
    ("reads", "writes", "refused"),
    [("a:3306, server_id 1", "a:3306, server_id 1", False), ("a:3306, server_id 2", "a:3306, server_id 1", True),
     ("", "a", False), ("a", "", False)],
)  # fmt: skip
def test_two_servers_behind_one_address(reads: str, writes: str, refused: bool) -> None:
    assert ("splits reads and writes" in endpoint.split(reads, writes)) == refused


def test_one_server_fits(database: Database) -> None:
    with Warehouse().session() as session:
        endpoint.check(session, "xiaoe_mysql")


class SplitSession(Session):
    """A session through a proxy that splits: plain SELECTs go to another server."""

    other: Session

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        reads = sql.startswith("SELECT") and "FOR UPDATE" not in sql
        return self.other.query(sql, parameters) if reads else super().query(sql, parameters)


def test_a_proxy_that_splits_reads_and_writes_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    other = next((name for name in SERVERS if name not in request.node.name and os.environ.get(SERVERS[name])), None)
    if other is None:
        pytest.skip("needs both servers")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", os.environ[SERVERS[other]])
    with (
        closing(SplitSession(*open_connection("xiaoe_mysql"))) as session,
        closing(Session(*open_connection("other"))) as session.other,
        pytest.raises(XiaoeConfigError, match=r"connection xiaoe_mysql: .* splits reads and writes: .*Managed MySQL"),
    ):
        endpoint.check(session, "xiaoe_mysql")


def test_no_table_is_made_where_the_address_does_not_fit(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = migrated.rpartition("/")[0] + "/mysql"
    with scratch(server, f"xiaoe_test_endpoint_{os.getpid()}") as url:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", url)
        monkeypatch.setattr(endpoint, "named", lambda _: "Galera")
        with pytest.raises(XiaoeConfigError, match="Galera"):
            migrate()
        assert Database(url).rows("SHOW TABLES") == []

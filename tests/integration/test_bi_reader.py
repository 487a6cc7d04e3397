"""The database user of the dashboards reads the marts, and nothing else, whatever it had before."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import unquote, urlsplit

import MySQLdb
import pytest
from bi_reader import make_reader, marts, script

from support.shop import Database

pytestmark = pytest.mark.mysql

NAME = f"xiaoe_test_reader_{os.getpid()}"
PASSWORD = "Aa1-%:@/ of a test"


@pytest.fixture
def reader(migrated: str) -> Iterator[MySQLdb.Connection]:
    parts = urlsplit(make_reader(migrated, PASSWORD, NAME))
    with closing(
        MySQLdb.connect(
            host=parts.hostname,
            port=parts.port,
            user=parts.username,
            passwd=unquote(parts.password or ""),
            db=parts.path.lstrip("/"),
        )
    ) as connection:
        yield connection
    Database(migrated).rows(f"DROP USER '{NAME}'@'%'")


def column(connection: MySQLdb.Connection, sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [str(row[0]) for row in cursor.fetchall()]


def test_it_reads_every_mart_and_sees_no_other_table(reader: MySQLdb.Connection, migrated: str) -> None:
    seen = column(reader, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
    assert sorted(seen) == marts(migrated)
    for name in seen:
        column(reader, f"SELECT COUNT(*) FROM {name}")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM orders",
        "SELECT phone FROM users",
        "SELECT * FROM mart_products_daily",
        "DELETE FROM bi_sales_daily",
        "CREATE TABLE mine (a INT)",
        "SELECT user FROM mysql.user",
    ],
)
def test_all_else_is_denied(reader: MySQLdb.Connection, statement: str) -> None:
    with pytest.raises(MySQLdb.OperationalError, match="denied"):
        column(reader, statement)


def test_making_it_again_takes_what_it_should_not_have(reader: MySQLdb.Connection, migrated: str) -> None:
    before = sorted(column(reader, "SHOW GRANTS"))
    database = urlsplit(migrated).path.lstrip("/")
    Database(migrated).rows(f"GRANT ALL ON `{database}`.* TO '{NAME}'@'%' WITH GRANT OPTION")
    assert sorted(column(reader, "SHOW GRANTS")) != before
    make_reader(migrated, PASSWORD, NAME)
    assert sorted(column(reader, "SHOW GRANTS")) == before
    tables = marts(migrated)
    assert len(before) == len(tables) + 1
    assert [one for one in before if not re.match(r"GRANT (SELECT ON `\w+`\.`bi_\w+`|USAGE ON \*\.\*) TO", one)] == []


def test_the_statements_for_a_server_of_ones_own_name_every_mart(migrated: str) -> None:
    text = script(migrated)
    assert text.count("GRANT SELECT ON ") == len(marts(migrated)) > 10
    assert "CHOOSE-A-PASSWORD" in text
    assert urlsplit(migrated).password not in text


def test_a_database_without_marts_is_an_error_that_says_what_to_do(migrated: str) -> None:
    empty = urlsplit(migrated)._replace(path="/information_schema").geturl()
    with pytest.raises(RuntimeError, match="holds no bi_"):
        make_reader(empty, PASSWORD, NAME)

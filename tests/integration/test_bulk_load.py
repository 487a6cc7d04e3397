"""Rows that go into a table by LOAD DATA, or by INSERT where a server refuses that: the way of a tuple and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import MySQLdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.strategies import texts
from support.worlds.shop import Database
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.rows import values
from xiaoe.rows.decode import Row, row_hash

pytestmark = pytest.mark.mysql


money = st.none() | st.integers(-(10**12) + 1, 10**12 - 1).map(values.fen)


times = st.none() | st.datetimes(min_value=datetime(1000, 1, 1)).map(lambda moment: moment.isoformat(" ", "seconds"))


small = st.none() | st.integers(-(2**31), 2**31 - 1)


STAGING = (
    "CREATE TEMPORARY TABLE {name} (id INT PRIMARY KEY, word TEXT NULL, code INT NULL, amount DECIMAL(12, 2) NULL,"
    " moment DATETIME NULL, hashed BIGINT UNSIGNED NOT NULL) CHARSET utf8mb4 COLLATE utf8mb4_bin"
)


COLUMNS = ("id", "word", "code", "amount", "moment", "hashed")


def held(session: Session, table: str) -> list[tuple[Any, ...]]:
    return session.query(
        "SELECT id, word, code, CAST(amount AS CHAR),"
        f" CAST(moment AS CHAR), CAST(hashed AS CHAR) FROM {table} ORDER BY id"
    )


def test_rows_come_out_of_the_database_as_they_went_in_by_either_way(database: Database) -> None:
    """LOAD DATA LOCAL and, where a server refuses that, multi-row REPLACE."""
    with Warehouse().session() as loading, Warehouse().session() as inserting:
        inserting._loads_files = False
        loading.execute(STAGING.format(name="stg_a"))
        inserting.execute(STAGING.format(name="stg_b"))

        @settings(max_examples=15, suppress_health_check=[HealthCheck.large_base_example, HealthCheck.data_too_large])
        @given(st.lists(st.tuples(texts, small, money, times), min_size=20, max_size=60))
        def round_trip(drawn: list[Row]) -> None:
            rows = [(number, *row, row_hash(row)) for number, row in enumerate(drawn)]
            for session, table in ((loading, "stg_a"), (inserting, "stg_b")):
                session.execute(f"DELETE FROM {table}")
                session.bulk_load(table, COLUMNS, rows)
                assert held(session, table) == [(*row[:-1], str(row[-1])) for row in rows]

        round_trip()
        assert loading._loads_files


def test_of_two_rows_with_one_key_the_later_wins_by_either_way(database: Database) -> None:
    for loads_files in (True, False):
        with Warehouse().session() as session:
            session._loads_files = loads_files
            session.execute(STAGING.format(name="stg"))
            session.bulk_load("stg", COLUMNS, [(1, "old", None, None, None, 0), (1, "new", 2, "0.01", None, 1)])
            assert held(session, "stg") == [(1, "new", 2, "0.01", None, "1")]


@pytest.mark.parametrize("loads_files", [True, False])
def test_what_is_kept_is_kept_and_the_others_are_there(database: Database, *, loads_files: bool) -> None:
    with Warehouse().session() as session:
        session._loads_files = loads_files
        session.execute(STAGING.format(name="stg"))
        session.bulk_load("stg", COLUMNS, [(1, "old", None, None, None, 0)])
        rows = [(1, "new", 2, "0.01", None, 1), (2, "b", None, None, None, 2), (2, "c", None, None, None, 3)]
        session.bulk_load("stg", COLUMNS, rows, on_duplicate="ignore")
        assert held(session, "stg") == [(1, "old", None, None, None, "0"), (2, "b", None, None, None, "2")]
        with pytest.raises((RuntimeError, MySQLdb.Error)):  # a row that is kept excuses no other
            session.bulk_load("stg", COLUMNS, [rows[0], (3, "x", 2**31, None, None, 0)], on_duplicate="ignore")


@pytest.mark.parametrize(
    "bad",
    [
        (1, "x", 2**31, None, None, 0),
        (1, "x", None, "1.005", None, 0),
        (1, "x", None, None, "2025-02-30 00:00:00", 0),
        (1, "x", None, None, None, None),
        (1, "x" * 70_000, None, None, None, 0),
    ],
)
def test_a_value_that_does_not_fit_is_never_a_mere_warning(database: Database, bad: Row) -> None:
    with Warehouse().session() as session:
        session.execute(STAGING.format(name="stg"))
        with pytest.raises((RuntimeError, MySQLdb.Error)):  # the server refuses some, and only warns of others
            session.bulk_load("stg", COLUMNS, [bad])

"""Pinning a session: what is asked of the server, and what is said where it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from MySQLdb import OperationalError

from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql import variables


class Connection:
    """A server with some variables.

    Args:
        shown: As SHOW VARIABLES tells them.
        refused: Name → the error that setting it ends in.
    """

    def __init__(self, shown: dict[str, str], refused: dict[str, OperationalError] | None = None) -> None:
        self.shown = shown
        self.statements: list[str] = []
        self._refused = refused or {}

    def set_character_set(self, charset: str, collation: str) -> None:
        self.statements.append(f"SET NAMES {charset} COLLATE {collation}")

    def query(self, statement: str) -> None:
        self.statements.append(statement)
        for name, error in self._refused.items():
            if re.search(rf"SET .*\b{name} = ", statement):
                raise error

    def store_result(self) -> Connection:
        return self

    def fetch_row(self, most: int) -> tuple[tuple[str, str], ...]:
        assert most == 0
        return tuple(self.shown.items())


RIGHT = {
    "sql_mode": str(variables.PINNED["sql_mode"]).lower(),
    "sql_safe_updates": "OFF",
    "sql_notes": "ON",
    "max_statement_time": "0.000000",
    "tmp_disk_table_size": str(2**64 - 1),
    "wait_timeout": "600",
    "max_allowed_packet": "16777216",
}


def settings(connection: Connection) -> list[str]:
    return [text for text in connection.statements[3:] if text.startswith("SET SESSION")]


def test_what_is_right_is_left_alone() -> None:
    connection = Connection(RIGHT)
    variables.pin(connection, "here")
    assert settings(connection) == []


def test_what_is_wrong_is_set_in_one_statement_in_the_order_of_the_list() -> None:
    wrong = {"sql_safe_updates": "ON", "wait_timeout": "28800", "sql_mode": "", "lc_messages": "de_DE"}
    connection = Connection(RIGHT | wrong)
    variables.pin(connection, "here")
    [said] = settings(connection)
    assert re.findall(r"(\w+) = ", said) == ["sql_mode", "lc_messages", "sql_safe_updates", "wait_timeout"]


def test_each_refused_variable_is_named_and_the_others_are_set() -> None:
    denied = OperationalError(1227, "Access denied")
    connection = Connection(RIGHT | {"sql_notes": "OFF", "wait_timeout": "28800", "unique_checks": "OFF"},
                            {"sql_notes": denied, "unique_checks": denied})  # fmt: skip
    with pytest.raises(XiaoeConfigError, match=r"^here: ") as raised:
        variables.pin(connection, "here")
    assert "sql_notes='OFF' has to be 1; unique_checks='OFF' has to be 1. " in str(raised.value)
    assert "wait_timeout" not in str(raised.value)
    assert "SET SESSION wait_timeout = 600" in connection.statements


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"max_allowed_packet": "65536"}, "max_allowed_packet=65536 has to be 1048576 at least"),
        ({"log_bin": "ON", "binlog_format": "STATEMENT"}, "binlog_format='STATEMENT' has to be 'ROW' or 'MIXED'"),
        ({"enforce_storage_engine": "MyISAM"}, "enforce_storage_engine='MyISAM' has to be empty or 'InnoDB'"),
    ],
)
def test_what_no_session_can_set_is_named(found: dict[str, str], said: str) -> None:
    with pytest.raises(XiaoeConfigError, match=re.escape(said)):
        variables.pin(Connection(RIGHT | found), "here")


@pytest.mark.parametrize(
    "found",
    [
        {"log_bin": "OFF", "binlog_format": "STATEMENT"},
        {"log_bin": "ON", "binlog_format": "ROW"},
        {"enforce_storage_engine": "InnoDB"},
        {"enforce_storage_engine": "None"},
    ],
)
def test_other_settings_of_the_server_are_its_own(found: dict[str, Any]) -> None:
    variables.pin(Connection(RIGHT | found), "here")


def test_a_connection_that_breaks_meanwhile_is_no_refusal() -> None:
    lost = OperationalError(2013, "Lost connection")
    with pytest.raises(OperationalError) as raised:
        variables.pin(Connection(RIGHT | {"sql_notes": "OFF"}, {"sql_notes": lost}), "here")
    assert raised.value is lost

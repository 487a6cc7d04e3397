"""The session variables that this project depends on, pinned on every connection whatever the server's owner has set.

A server, an account or a proxy may limit sessions: `sql_select_limit` cuts what is read without a word,
`sql_safe_updates` refuses a merge, `max_execution_time` ends a backup. `DEFAULT` would take the owner's value, so each
value is written out. Variables that a server does not know are left out: MySQL and MariaDB each lack some.

Nothing needs `sql_require_primary_key = 0`, which only an administrator may set: every table here has a primary key.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from MySQLdb import Error

from xiaoe.exceptions import XiaoeConfigError

_NO_LIMIT = 2**64 - 1
_ALL_ROWS = 2**63 - 1
"""More is refused by OceanBase, which then could not even be asked what it is."""
_IDLE_SECONDS = 600
"""Of a client that lost its power: then the server drops its locks."""
_STEADY = 600
"""Seconds that a stream to or from the server may stand still, e.g. while a bucket takes a part of a backup."""

PINNED: dict[str, int | float | str] = {
    # What a statement means
    "sql_mode": "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
    "old_mode": "",  # MariaDB: would keep LOAD DATA from warning of duplicate keys
    "time_zone": "+00:00",
    "div_precision_increment": 4,
    "group_concat_max_len": 1024 * 1024,
    "default_week_format": 0,
    "lc_time_names": "en_US",
    "lc_messages": "en_US",  # some errors are known by their text
    "sql_auto_is_null": 0,
    "sql_notes": 1,  # counted as warnings
    "sql_if_exists": 0,
    "sql_quote_show_create": 1,
    "default_regex_flags": "",
    "standard_compliant_cte": 1,
    "max_sort_length": 1024,
    "cte_max_recursion_depth": 1000,
    "max_recursive_iterations": 1000,  # MariaDB ends a recursion there without an error
    "foreign_key_checks": 1,
    "unique_checks": 1,
    "check_constraint_checks": 1,
    "default_storage_engine": "InnoDB",
    "default_tmp_storage_engine": "InnoDB",
    "alter_algorithm": "DEFAULT",
    "explicit_defaults_for_timestamp": 1,
    # How much a statement may read, write and take
    "sql_select_limit": _ALL_ROWS,
    "max_join_size": _NO_LIMIT,
    "sql_big_selects": 1,  # behind max_join_size, which sets it
    "sql_safe_updates": 0,
    "max_execution_time": 0,
    "max_statement_time": 0.0,
    "max_session_mem_used": 2**63 - 1,
    "tmp_disk_table_size": _NO_LIMIT,
    "sort_buffer_size": 2 * 1024 * 1024,  # a row with long texts has to fit: else error 1038
    # Transactions
    "autocommit": 0,
    "completion_type": "NO_CHAIN",
    "transaction_isolation": "REPEATABLE-READ",
    "tx_isolation": "REPEATABLE-READ",
    "transaction_read_only": 0,
    "tx_read_only": 0,
    "innodb_lock_wait_timeout": 50,
    "lock_wait_timeout": 1800,
    # How long the session lives
    "wait_timeout": _IDLE_SECONDS,
    "idle_transaction_timeout": 0,
    "idle_readonly_transaction_timeout": 0,
    "idle_write_transaction_timeout": 0,
    "net_read_timeout": _STEADY,
    "net_write_timeout": _STEADY,
}
"""Variable → value, in the order in which they are set."""
_FIRST = (
    f"SET SESSION sql_select_limit = {_ALL_ROWS}, SESSION max_join_size = {_NO_LIMIT}, SESSION sql_big_selects = 1"
    f" /*M!, SESSION max_statement_time = 0, SESSION tmp_disk_table_size = {_NO_LIMIT} */"
)
"""What would spoil the reading of the others; the comment is SQL for MariaDB."""
_LEAST_PACKET = 1024 * 1024
_SERVERS_OWN = ("max_allowed_packet", "binlog_format", "log_bin", "enforce_storage_engine")
"""What no session may change and this project depends on."""
OTHERS_WORK = "SET SESSION wait_timeout = 86400"
"""For a session that only holds a lock while other connections work."""
_CLIENT_ERRORS = range(2000, 3000)
"""The connection broke: no answer to what was asked."""
_TRUTH = {"OFF": "0", "ON": "1"}


def pin(connection: Any, where: str) -> None:
    """Set every variable of `PINNED` that the server knows and has otherwise, and the character set.

    Args:
        connection: The driver's connection, just opened.
        where: Its name, for the message.

    Raises:
        XiaoeConfigError: The server refuses one of them, or has a setting that no session can change and under which
            data would be lost or tasks fail; names all of them.
    """
    connection.query(_FIRST)
    connection.set_character_set("utf8mb4", "utf8mb4_bin")
    found = _read(connection)
    wrong = {name: value for name, value in PINNED.items() if name in found and not _equal(found[name], value)}
    if wrong:
        try:
            connection.query(f"SET SESSION {', '.join(_assignment(*one) for one in wrong.items())}")
        except Error:  # of them all, if one is refused
            wrong = {name: value for name, value in wrong.items() if not _accepted(connection, name, value)}
        else:
            wrong = {}
    told = [f"{name}={found[name]!r} has to be {value!r}" for name, value in wrong.items()] + _unfit(found)
    if told:
        raise XiaoeConfigError(
            f"{where}: the server limits this session, and its user may not change that: {'; '.join(told)}. Nothing was"
            " read or written. Have the server's owner set it so for the server, or in MySQL grant the user"
            " SESSION_VARIABLES_ADMIN"
        )


def _read(connection: Any) -> dict[str, str]:
    names = ", ".join(f"'{name}'" for name in (*PINNED, *_SERVERS_OWN))
    connection.query(f"SHOW SESSION VARIABLES WHERE Variable_name IN ({names})")
    result = connection.store_result()
    rows = result.fetch_row(0) if result else ()
    return {_text(name): _text(value) for name, value in rows}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _equal(shown: str, wanted: float | str) -> bool:
    if shown.upper() == str(wanted).upper():
        return True
    with suppress(ValueError):  # 0 is OFF, and 0.000000
        return float(_TRUTH.get(shown, shown)) == wanted
    return False


def _assignment(name: str, value: float | str) -> str:
    return f"{name} = '{value}'" if isinstance(value, str) else f"{name} = {value}"


def _accepted(connection: Any, name: str, value: float | str) -> bool:
    try:
        connection.query(f"SET SESSION {_assignment(name, value)}")
    except Error as error:
        if error.args[0] in _CLIENT_ERRORS:
            raise
        return False
    return True


def _unfit(found: dict[str, str]) -> list[str]:
    """What is wrong with the server's own settings, by name."""
    told = []
    if int(found.get("max_allowed_packet", _LEAST_PACKET)) < _LEAST_PACKET:
        told.append(f"max_allowed_packet={found['max_allowed_packet']} has to be {_LEAST_PACKET} at least")
    if found.get("log_bin") == "ON" and found.get("binlog_format") == "STATEMENT":
        told.append("binlog_format='STATEMENT' has to be 'ROW' or 'MIXED'")
    if found.get("enforce_storage_engine", "").upper() not in ("", "NONE", "INNODB"):
        told.append(f"enforce_storage_engine={found['enforce_storage_engine']!r} has to be empty or 'InnoDB'")
    return told

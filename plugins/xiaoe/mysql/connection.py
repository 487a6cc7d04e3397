"""Opens a connection to MySQL or MariaDB from an Airflow connection: fields checked, TLS enforced, files guarded.

TLS: MariaDB's client library treats `ssl_mode=REQUIRED` and `ssl.ca` as a wish; only VERIFY_CA and VERIFY_IDENTITY stop
it. So the server is asked for its cipher after log-in. With that library VERIFY_IDENTITY equals VERIFY_CA.

Files: `local_infile=True` lets a server request any file of this machine after any statement, and leaving it unset
takes a default that differs between libraries. The library's third mode sends a file only in response to a LOAD
statement. It cannot be limited to one file, and a separate connection would not see the temporary table.

Time-outs: the client waits at most an hour for a byte, longer than any statement and than the 15 minutes of a lock
wait; TCP keep-alive each minute. What the server is asked for, its own time-outs among it: `mysql.variables`.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from airflow.providers.mysql.hooks.mysql import MySqlHook

from xiaoe.connections import get_connection
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql import variables
from xiaoe.mysql.errors import explained

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 3600
"""Longer than any statement takes, and than a task waits for a lock. Airflow's time-outs do not end such a wait."""
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 8}
"""Notices a dead server after three minutes; keeps NAT and firewall entries alive."""
_ONLY_WHEN_LOADING = 2
"""MariaDB's client library: a file is sent only in response to a LOAD statement of this client."""
_OFF = ("0", "false", "no", "off")
_TLS_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")


class WarehouseHook(MySqlHook):
    """The provider's hook, with files sent only for our own LOAD statements, and with time-outs.

    The provider offers "off" and "whatever the server requests, at any time". Off is not off in MariaDB's client
    library, and any server could request any file of this machine (docs/decisions/0020).
    """

    def _get_conn_config_mysql_client(self, conn: Any) -> dict[str, Any]:
        wanted = str(conn.extra_dejson.get("local_infile", True)).lower() not in _OFF
        config: dict[str, Any] = super()._get_conn_config_mysql_client(conn)
        return config | {
            "local_infile": _ONLY_WHEN_LOADING if wanted else 0,
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _ANSWER_SECONDS,
            "write_timeout": _ANSWER_SECONDS,
        }


def open_connection(conn_id: str, schema: str | None = None) -> tuple[Any, str]:
    """A DB-API connection, and its name for messages, without the password.

    Args:
        conn_id: The Airflow connection.
        schema: A database other than the connection's.

    Raises:
        XiaoeConfigError: A field of the connection is wrong, it requires TLS and the server offers none, or the server
            limits sessions in a way that the user may not change (`variables.pin`).
        XiaoeRetriableError: The server cannot be reached.
    """
    conn = get_connection(conn_id)
    hook = WarehouseHook(mysql_conn_id=conn_id, schema=schema)
    _check_fields(conn)
    where = f"connection {conn_id}, {conn.login}@{conn.host}:{conn.port or 3306}"
    with explained(where):
        connection: Any = hook.get_conn()
        try:
            _keep_alive(connection)
            if _requires_tls(conn):
                _enforce_tls(connection, where)
            variables.pin(connection, where)
        except BaseException:
            connection.close()
            raise
    return connection, where


def _keep_alive(connection: Any) -> None:
    """Have the kernel probe the server every minute; by default it does after two hours."""
    with socket.socket(fileno=os.dup(connection.fileno())) as copy:
        if copy.family in (socket.AF_INET, socket.AF_INET6):
            for name, value in _KEEPALIVE.items():
                if hasattr(socket, name):  # not every system has all of them
                    copy.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _check_fields(conn: Any) -> None:
    """Check the fields that the driver would fail on, or would misread."""
    extra = conn.extra_dejson
    where = f"connection {conn.conn_id}"
    if (client := extra.get("client", "mysqlclient")) != "mysqlclient":
        raise XiaoeConfigError(f"{where}: client={client!r}: only mysqlclient is supported")
    if (mode := extra.get("ssl_mode")) and mode not in _TLS_MODES:
        raise XiaoeConfigError(f"{where}: ssl_mode={mode!r}: give one of {', '.join(_TLS_MODES)}")
    for name, path in tls_files(conn).items():
        if not Path(path).is_file():
            raise XiaoeConfigError(f"{where}: ssl.{name}={path!r}: there is no such file on this machine")


def tls_files(conn: Any) -> dict[str, str]:
    """The files in the extra field `ssl`."""
    ssl = conn.extra_dejson.get("ssl") or {}
    try:
        files = json.loads(ssl) if isinstance(ssl, str) else ssl
        return {name: str(files[name]) for name in ("ca", "cert", "key") if files.get(name)}
    except (ValueError, AttributeError):
        raise XiaoeConfigError(
            f'connection {conn.conn_id}: ssl is no JSON object: give one like {{"ca": "/etc/ssl/mysql-ca.pem"}}'
        ) from None


def _requires_tls(conn: Any) -> bool:
    """Whether TLS is required in a way that MariaDB's client library does not enforce."""
    mode = conn.extra_dejson.get("ssl_mode")
    return mode == "REQUIRED" or (bool(conn.extra_dejson.get("ssl")) and mode in (None, "PREFERRED"))


def _enforce_tls(connection: Any, where: str) -> None:
    connection.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    [(_, cipher)] = connection.store_result().fetch_row(0)
    if not cipher:
        raise XiaoeConfigError(
            f"{where}: ssl or ssl_mode asks for TLS, and the server gives none: switch it on there, or take both out of"
            " the connection's extra. With ssl_mode=VERIFY_CA not even the log-in is sent without TLS"
        )

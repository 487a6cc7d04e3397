"""Airflow connections; a value of the environment that says something else than it was meant to is refused by name.

Airflow hides why it cannot read `AIRFLOW_CONN_…` behind "the conn_id isn't defined". Worse, a password like `1#x` ends
the URI after the 1, which is then a port.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook

from xiaoe.exceptions import XiaoeConfigError

_ADVICE = (
    "in user and password write % as %25, # as %23, / as %2F, ? as %3F, [ as %5B, @ as %40; or give JSON, where they"
    ' stay as they are: {"conn_type": "…", "host": "…", "login": "…", "password": "…"} (the value is secret: not shown)'
)


def get_connection(conn_id: str) -> Any:
    """The connection of this name.

    Raises:
        XiaoeConfigError: Its variable in the environment is not readable, or breaks off within the password.
        AirflowNotFoundException: There is none.
    """
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    if value := os.environ.get(name):
        check(name, value)
    return BaseHook.get_connection(conn_id)


def check(name: str, value: str) -> None:
    """Check a variable that holds a connection, as JSON or as a URI.

    Raises:
        XiaoeConfigError: It cannot be what was meant; names the variable and the fix, never the value.
    """
    text = value.strip()
    if text[:1] in ("'", '"'):
        raise XiaoeConfigError(f"{name} begins with a quote: here quotes are part of the value: leave them out")
    if not text.startswith("{"):
        check_uri(name, text)
        return
    try:
        is_object = isinstance(json.loads(text), dict)
    except ValueError as error:
        where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "somewhere"
        raise XiaoeConfigError(
            f"{name} is no JSON ({where}; the value is secret: not shown): check quotes, commas and brackets, and that"
            ' " and \\ in a password are written \\" and \\\\'
        ) from None
    if not is_object:
        raise XiaoeConfigError(f'{name} is no JSON object: give one like {{"conn_type": "mysql", "host": "…"}}')


def check_uri(name: str, uri: str) -> None:
    """Check a URI whose user and password may hold characters that have to be escaped.

    Raises:
        XiaoeConfigError: It ends within them.
    """
    _, separator, rest = uri.partition("://")
    if not separator:
        raise XiaoeConfigError(
            f"{name} is neither JSON nor a URI like mysql://USER:PASSWORD@HOST:3306/xiaoe: {_ADVICE}"
        )
    rest = rest.partition("://")[2] or rest  # http://https://host is how Airflow writes a host with a scheme
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    try:
        parts = urlsplit(f"//{rest}")
        is_whole = parts.port is None or bool(parts.hostname)
    except ValueError:  # not a port: the beginning of a password
        raise XiaoeConfigError(f"{name}: the URI cannot be read: {_ADVICE}") from None
    before_equals = parts.query.partition("=")[0]
    ends_early = authority and ("@" in parts.path or "@" in before_equals)
    if not is_whole or parts.fragment or ends_early:
        sign = "#" if parts.fragment else "?" if "@" in before_equals else "/"
        raise XiaoeConfigError(f"{name}: the URI ends at a {sign!r} that is not escaped: {_ADVICE}")

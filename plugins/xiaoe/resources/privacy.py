"""The policy for personal data, `XIAOE_PERSONAL_DATA`: which columns are masked or hashed before they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from airflow.sdk.exceptions import AirflowNotFoundException

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.rows.masking import METHODS, Forms

SHORTEST_KEY = 16
"""Bytes."""


def forms_of(table: str, personal: Sequence[str]) -> Forms:
    """What becomes of a table's columns; entries that name no column about people are `check`'s to complain of.

    Args:
        table: The table.
        personal: Its columns about people.
    """
    methods: dict[str, str] = {}
    for entry in _entries():
        if entry.table == table and entry.method in METHODS:
            methods |= dict.fromkeys(entry.columns(personal), entry.method)
    return Forms({column: method for column, method in methods.items() if method != "plain"}, key)


def check(columns: Mapping[str, Sequence[str]]) -> None:
    """Hold `XIAOE_PERSONAL_DATA` to the columns there are.

    Args:
        columns: Table → its columns about people.

    Raises:
        XiaoeConfigError: It names a column that is not about people, or an unknown form.
    """
    for entry in _entries():
        if entry.method not in METHODS or not entry.columns(columns.get(entry.table, ())):
            raise XiaoeConfigError(
                f"XIAOE_PERSONAL_DATA: {entry.text!r}: give table.column=form, separated by commas; forms are"
                f" {', '.join(METHODS)}; columns are {', '.join(f'{t}.{c}' for t, cs in columns.items() for c in cs)},"
                " or table.* for all of a table"
            )


class _Entry(NamedTuple):
    """One entry of the policy, `table.column=method`."""

    text: str
    table: str
    column: str
    method: str

    def columns(self, personal: Sequence[str]) -> tuple[str, ...]:
        """Those of some columns that it means."""
        return tuple(personal) if self.column == "*" else tuple(one for one in personal if one == self.column)


def _entries() -> list[_Entry]:
    """The policy's entries; those for a single column after those for a whole table, which they refine."""
    found = []
    for text in filter(None, map(str.strip, settings.personal_data().split(","))):
        name, _, method = (part.strip() for part in text.partition("="))
        table, _, column = name.partition(".")
        found.append(_Entry(text, table, column, method))
    return sorted(found, key=lambda entry: entry.column != "*")


@cache
def key() -> bytes:
    """The key of hashed columns.

    Raises:
        XiaoeConfigError: None is configured, or one that is too short.
    """
    from xiaoe.connections import get_connection  # takes a while to load, and most have no key

    conn_id = settings.personal_data_key_conn_id()
    if conn_id is None:
        raise XiaoeConfigError(
            "XIAOE_PERSONAL_DATA asks for hashes, and XIAOE_PERSONAL_DATA_KEY_CONN_ID is empty: name an Airflow"
            f" connection whose password is the key, {SHORTEST_KEY} bytes or more"
        )
    try:
        password = (get_connection(conn_id).password or "").encode()
    except AirflowNotFoundException:
        raise XiaoeConfigError(
            f"XIAOE_PERSONAL_DATA_KEY_CONN_ID={conn_id!r}: there is no such Airflow connection: make one whose password"
            " is the key of hashed columns"
        ) from None
    if len(password) < SHORTEST_KEY:
        raise XiaoeConfigError(
            f"connection {conn_id}: its password, the key of hashed columns, has {len(password)} bytes (not shown):"
            f" give {SHORTEST_KEY} or more, e.g. of `openssl rand -hex 32`"
        )
    return password

"""The policy for personal data: which columns it may name, and what `XIAOE_PERSONAL_DATA` says of them."""

from __future__ import annotations

from functools import cache

from airflow.sdk.exceptions import AirflowNotFoundException

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.resources import orders, refunds, users
from xiaoe.rows.masking import METHODS, Forms

COLUMNS = {"orders": orders.PERSONAL, "refunds": refunds.PERSONAL, "users": users.PERSONAL}
"""Table → its columns about people, each declared beside its mapping."""
SHORTEST_KEY = 16
"""Bytes."""


def forms_of(table: str) -> Forms:
    """What becomes of a table's columns.

    Raises:
        XiaoeConfigError: The policy names a column that is not about people, or a form that is none.
    """
    return Forms({column: method for (of, column), method in policy().items() if of == table}, key)


def policy() -> dict[tuple[str, str], str]:
    """Table and column → `masked` or `hash`; what is plain is left out.

    Raises:
        XiaoeConfigError: As in `forms_of`.
    """
    found: dict[tuple[str, str], str] = {}
    entries = [entry.strip() for entry in settings.personal_data().split(",") if entry.strip()]
    for entry in sorted(entries, key=lambda entry: ".*" not in entry):  # a column of its own comes after its table
        name, _, method = (part.strip() for part in entry.partition("="))
        table, _, column = name.partition(".")
        known = COLUMNS.get(table, ())
        if method not in METHODS or not (column in known or (known and column == "*")):
            raise XiaoeConfigError(
                f"XIAOE_PERSONAL_DATA: {entry!r}: give table.column=form, separated by commas; forms are"
                f" {', '.join(METHODS)}; columns are {', '.join(f'{t}.{c}' for t, cs in COLUMNS.items() for c in cs)},"
                " or table.* for all of a table"
            )
        found |= dict.fromkeys([(table, one) for one in (known if column == "*" else (column,))], method)
    return {place: method for place, method in found.items() if method != "plain"}


@cache
def key() -> bytes:
    """The key of hashed columns.

    Raises:
        XiaoeConfigError: None is configured, or one that is too short.
    """
    from airflow.sdk import BaseHook  # takes a while to load, and most have no key

    conn_id = settings.personal_data_key_conn_id()
    if conn_id is None:
        raise XiaoeConfigError(
            "XIAOE_PERSONAL_DATA asks for hashes, and XIAOE_PERSONAL_DATA_KEY_CONN_ID is empty: name an Airflow"
            f" connection whose password is the key, {SHORTEST_KEY} bytes or more"
        )
    try:
        password = (BaseHook.get_connection(conn_id).password or "").encode()
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

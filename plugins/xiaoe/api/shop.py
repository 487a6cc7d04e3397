"""One shop's connection, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from xiaoe.connections import get_connection
from xiaoe.exceptions import XiaoeConfigError

DEFAULT_HOST = "https://api.xiaoe-tech.com"
MAX_CONCURRENCY = 64
"""Upper bound of `concurrency`."""
MAX_NAME = 64
"""Longest `shop_name`, as `shops.name` holds it."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def app_id_of(conn_id: str) -> str:
    """The shop id of an Airflow connection; raises like `Shop.from_connection`."""
    return Shop.from_connection(get_connection(conn_id)).app_id


@dataclass(frozen=True)
class Shop:
    """An Airflow connection of type `xiaoe`.

    Args:
        conn_id: Name of the connection, for messages.
        base_url: Scheme, host and port, no slash at the end.
        app_id: The shop; `shop_id` in every table.
        client_id: Login of the connection.
        secret: Password of the connection; never shown.
        page_size: Rows requested per page; an interface's own maximum wins.
        calls_per_second: Calls of one task to one interface; the interface's own limit wins.
        concurrency: Pages that one task fetches at the same time.
        timeout: Seconds to wait for an answer.
        shop_name: What staff call the shop; None: by its id.
    """

    conn_id: str
    base_url: str
    app_id: str
    client_id: str
    secret: str = field(repr=False)
    page_size: int = 200
    calls_per_second: int = 60
    concurrency: int = 4
    timeout: int = 30
    shop_name: str | None = None

    @classmethod
    def from_connection(cls, conn: Any) -> Shop:
        """Read and check an Airflow connection.

        Raises:
            XiaoeConfigError: A field is missing or wrong; names the field, the value and the fix.
        """
        extra = conn.extra_dejson
        shop = cls(
            conn_id=conn.conn_id,
            base_url=_base_url(conn),
            app_id=_required(conn, "app_id", extra.get("app_id"), "Extra field app_id: the shop's id, app..."),
            client_id=_required(conn, "client_id", conn.login, "field Client id (login)"),
            secret=_required(conn, "secret", conn.password, "field Secret (password)"),
            page_size=_number(conn, extra, "page_size", cls.page_size, most=200),
            calls_per_second=_number(conn, extra, "calls_per_second", cls.calls_per_second, most=300),
            concurrency=_number(conn, extra, "concurrency", cls.concurrency, most=MAX_CONCURRENCY),
            timeout=_number(conn, extra, "timeout", cls.timeout, most=600),
            shop_name=_name(conn, extra.get("shop_name")),
        )
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", shop.app_id):
            raise XiaoeConfigError(
                f"connection {conn.conn_id}: app_id={shop.app_id!r} is not a shop id: "
                "letters, digits, _ and - only, as shown in the 小鹅通 admin console"
            )
        return shop

    def hide(self, text: str, *more: str) -> str:
        """The text with the secret and `more` masked, also in their URL-encoded forms."""
        for word in filter(None, (self.secret, *more)):
            for form in (word, quote(word, safe=""), quote_plus(word)):
                text = text.replace(form, "***")
        return text


def _base_url(conn: Any) -> str:
    host = (conn.host or "").strip() or DEFAULT_HOST
    if "://" not in host:
        scheme = conn.schema or ("http" if host in _LOOPBACK else "https")
        host = f"{scheme}://[{host}]" if host.count(":") > 1 and host[0] != "[" else f"{scheme}://{host}"
    try:
        if conn.port and urlsplit(host).port is None:
            host = f"{host.rstrip('/')}:{conn.port}"
        parts = urlsplit(host)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # an invalid port, an address with one bracket
        usable = False
    if not usable:
        raise XiaoeConfigError(
            f"connection {conn.conn_id}: host={conn.host!r} is not a base URL: give one like {DEFAULT_HOST}"
        )
    return host.rstrip("/")


def _required(conn: Any, name: str, value: Any, where: str) -> str:
    if not value or not str(value).strip():
        raise XiaoeConfigError(f"connection {conn.conn_id}: {name} is empty: fill in {where}")
    return str(value).strip()


def _name(conn: Any, value: Any) -> str | None:
    """One line without outer blanks; None if there is nothing."""
    name = " ".join(str(value or "").split())
    if len(name) > MAX_NAME:
        raise XiaoeConfigError(
            f"connection {conn.conn_id}: shop_name={name!r} has {len(name)} characters: give at most {MAX_NAME}"
        )
    return name or None


def _number(conn: Any, extra: dict[str, Any], name: str, default: int, *, most: int) -> int:
    value = extra.get(name)
    if value in (None, ""):
        return default
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise XiaoeConfigError(f"connection {conn.conn_id}: {name}={value!r}: give a whole number from 1 to {most}")
    return number

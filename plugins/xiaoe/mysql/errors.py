"""Maps errors of MySQL and MariaDB to exceptions, with advice for the person who has to act.

Other codes are left unchanged: conflicts, which `session.retry_conflicts` handles, and faults of our own SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from MySQLdb import Error

from xiaoe.exceptions import XiaoeConfigError, XiaoeError, XiaoeRetriableError

_NO_DATABASE = (1049, 1044)
"""The second is sent to a user without rights on a database, whether it exists or not."""
_SCHEMA = (1146, 1054, 1049)
"""No such table, column, database."""
_NO_SPACE = "error: 28 -", "errno: 28 ", "No space left"
_LOG_IN = (
    "correct the connection's login and password; a user that has to come over TLS (ssl_mode) is refused like this, too"
)
_RIGHTS = "the user lacks a right: `make grants` tells which ones each user needs"
_START = "start the server, or correct host and port; trying again later"
_BUSY = "the server takes no more connections: raise max_connections, or see in SHOW PROCESSLIST who holds them"
_DISK = "the server's disk or a limit of its tables is full: free some space there; trying again later"
_READ_ONLY = "the server or the session is read-only: is it a replica? Name the primary in host; trying again later"
_TLS = "correct ssl_mode and ssl in the connection's extra (docs/configuration.md)"

_STOP = {
    1044: _RIGHTS,
    1045: _LOG_IN,
    1130: "the server does not let this machine's address in: make the user for it, `make grants HOST=…`",
    1142: _RIGHTS,
    1143: _RIGHTS,
    1227: _RIGHTS,
    1370: _RIGHTS,
    1410: _RIGHTS,
    1698: _LOG_IN,
    1862: "the user's password has expired: give it a new one",
    2026: _TLS,
    3118: "the account is locked: unlock it on the server",
    3159: f"the server takes connections over TLS only: {_TLS}",
    4151: "the account is locked: unlock it on the server",
}
_WAIT = {
    1021: _DISK,
    1040: _BUSY,
    1053: _START,
    1114: _DISK,
    1203: _BUSY,
    1226: _BUSY,
    1792: _READ_ONLY,
    1836: _READ_ONLY,
    1927: _START,
    2002: _START,
    2003: _START,
    2005: "there is no such host, or the name service is down: correct host; trying again later",
    2006: _START,
    2013: _START,
    2055: _START,
    4031: _START,
}


class NoDatabaseError(XiaoeConfigError):
    """The connection's database does not exist, or this user has no right to it."""


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Replace errors that a person can fix by ones that name the fix.

    Args:
        where: The connection, for the message; without its password.

    Raises:
        XiaoeConfigError: Somebody has to change something.
        XiaoeRetriableError: It may succeed later.
    """
    try:
        yield
    except Error as error:
        if (meaning := meaning_of(error, where)) is None:
            raise
        raise meaning from None


def is_schema_error(error: Error) -> bool:
    """Whether a table, a column or the database is not there."""
    return bool(error.args) and error.args[0] in _SCHEMA


def meaning_of(error: Error, where: str) -> XiaoeError | None:
    """The exception for an error of the database; None if it is a conflict or our own fault."""
    code, text = (*error.args, "")[:2] if error.args else (0, "")
    said = f"({where}: MySQL says {code}: {text})"
    stop = NoDatabaseError if code in _NO_DATABASE else XiaoeConfigError
    if code in _SCHEMA:
        return stop(f"the warehouse's schema is missing or old {said}: run `make migrate`")
    if code in _STOP:
        return stop(f"{_STOP[code]} {said}")
    if code in _WAIT:
        return XiaoeRetriableError(f"{_WAIT[code]} {said}")
    if any(sign in str(text) for sign in _NO_SPACE):
        return XiaoeRetriableError(f"{_DISK} {said}")
    if code == 1290 and "read" in str(text) and "only" in str(text):  # the same code stands for many options
        return XiaoeRetriableError(f"{_READ_ONLY} {said}")
    return None

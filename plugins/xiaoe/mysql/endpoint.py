"""Whether a server's address fits: one MySQL or MariaDB that reads what it has just written.

A merge reads watermarks and hashes, and writes in the same transaction. Where the reads go to a replica, they are old;
where several servers take writes (Galera), a transaction that was right fails at its commit, and GET_LOCK holds on one
of them only. OceanBase's engine keeps a lock whose holder is gone, and commits LOAD DATA by
itself (tests/integration/test_engine_rules.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session

_SERVER = "SELECT CONCAT(@@hostname, ':', @@port, ', server_id ', @@server_id)"
_WRITES = f"{_SERVER} FROM _yoyo_migration LIMIT 1 FOR UPDATE SKIP LOCKED"
"""The same of the server that takes writes. Every proxy that splits sends it there; without waiting, and without a row
where another session has it."""
_NAMES = ("version_comment", "version", "wsrep_on", "wsrep_provider")
_OCEANBASE = (
    "OceanBase. Its engine was tried (seekdb 1.4): a lock outlives the connection that held it, so after a crash the"
    " next merge waits for ever, and LOAD DATA commits by itself. Nothing was written: name a MySQL or MariaDB"
    ' (docs/deployment.md, "A distributed warehouse")'
)
_MANY_WRITERS = "Galera (wsrep_on=ON): several servers take writes"


def check(session: Session, conn_id: str) -> None:
    """Refuse an address that does not fit; ends the session's transaction.

    Args:
        session: Of a user that may write.
        conn_id: The connection, for the message.

    Raises:
        XiaoeConfigError: It is Galera, a proxy that splits reads and writes, or OceanBase.
    """
    variables = dict(session.query(f"SHOW VARIABLES WHERE Variable_name IN {_NAMES!r}"))
    if is_oceanbase(variables):
        raise XiaoeConfigError(f"connection {conn_id}: host is {_OCEANBASE}")
    found = named(variables)
    if not found and session.query("SHOW TABLES LIKE '\\_yoyo\\_migration'"):  # else nothing was read from it yet
        found = split(_ask(session, _SERVER), _ask(session, _WRITES))
    session.rollback()
    if found:
        raise XiaoeConfigError(
            f"connection {conn_id}: host is not one server but {found}. Rows would be lost or counted twice without an"
            ' error: name the primary\'s own address (docs/deployment.md, "Managed MySQL")'
        )


def is_oceanbase(variables: Mapping[str, Any]) -> bool:
    """Whether a server says it is OceanBase, or its engine on one machine, seekdb. Pure.

    Args:
        variables: `SHOW VARIABLES` of `_NAMES`.
    """
    return "oceanbase" in _says(variables)


def named(variables: Mapping[str, Any]) -> str:
    """What a server says it is, where that does not fit; else an empty text. Pure.

    Args:
        variables: `SHOW VARIABLES` of `_NAMES`.
    """
    if variables.get("wsrep_on") == "ON" and variables.get("wsrep_provider", "none") not in ("none", ""):
        return _MANY_WRITERS
    text = _says(variables)
    proxy = next((name for name in ("ProxySQL", "MaxScale") if name.lower() in text), "")
    return f"{proxy}, a proxy that splits reads and writes" if proxy else ""


def split(reads: str, writes: str) -> str:
    """What two servers behind one address are; an empty text if it is one, or if one did not answer. Pure.

    Args:
        reads: The server that answers a plain SELECT.
        writes: The server that answers a locking one.
    """
    if not reads or not writes or reads == writes:
        return ""
    return f"a proxy that splits reads and writes: {reads} reads, {writes} writes"


def _says(variables: Mapping[str, Any]) -> str:
    return f"{variables.get('version_comment', '')} {variables.get('version', '')}".lower()


def _ask(session: Session, sql: str) -> str:
    """A server's name, at the start of a transaction; empty if it sends no row."""
    session.rollback()
    return next((str(name) for (name,) in session.query(sql)), "")

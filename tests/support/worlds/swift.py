"""Takes away what a simulated day costs and does not need: new connections, threads, waits for a disk.

Whoever is killed still loses its connection, and with it transaction, locks and temporary tables.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from MySQLdb import Error

from xiaoe.mysql import endpoint, warehouse
from xiaoe.mysql.session import Session
from xiaoe.stage import lookup, stager

T = TypeVar("T")


class Killed(BaseException):
    """The worker is gone: nothing that it would do afterwards happens."""


class AtOnce(Executor):
    """Does what is submitted before it returns: the same order each time."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Takes what a `ThreadPoolExecutor` takes."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Connections:
    """Connections that sessions use again, unless one was killed or has made temporary tables.

    Args:
        monkeypatch: Puts them in place of new ones.
        is_due: Whether the worker is killed at this statement.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, is_due: Callable[[], bool]) -> None:
        self._idle: dict[tuple[str, str | None], list[tuple[Any, str]]] = {}
        self._homes: dict[int, tuple[str, str | None]] = {}
        self._is_due = is_due
        self._open = warehouse.open_connection
        self._execute, self._close = Session.execute, Session.close
        monkeypatch.setattr(warehouse, "open_connection", self._connect)
        monkeypatch.setattr(Session, "execute", lambda *args: self.execute(*args))
        monkeypatch.setattr(Session, "close", lambda session: self.close(session))

    def _connect(self, conn_id: str, schema: str | None = None) -> tuple[Any, str]:
        idle = self._idle.setdefault((conn_id, schema), [])
        found = idle.pop() if idle else self._open(conn_id, schema)
        self._homes[id(found[0])] = (conn_id, schema)
        return found

    def execute(self, session: Session, sql: str, parameters: Any = ()) -> int:
        """`Session.execute`, which may be the worker's last."""
        home = id(session._connection)
        if self._is_due():
            self._homes.clear()
            raise Killed
        if "TEMPORARY" in sql or sql.startswith("SET "):
            self._homes.pop(home, None)
        return self._execute(session, sql, parameters)

    def close(self, session: Session) -> None:
        """`Session.close`, or the connection waits for the next session."""
        home = self._homes.pop(id(session._connection), None)
        with suppress(Error):
            if home is not None:
                session._connection.rollback()
                self._idle[home].append((session._connection, session._where))
                return
        self._close(session)

    def end(self) -> None:
        """Close those that wait."""
        for idle in self._idle.values():
            for connection, _ in idle:
                connection.close()
        self._idle.clear()


def hurry(monkeypatch: pytest.MonkeyPatch, is_due: Callable[[], bool]) -> Connections:
    """No thread, no fsync, no question whether the server is a proxy (tests/integration/test_endpoint.py asks it).

    Args:
        monkeypatch: Ends it.
        is_due: See `Connections`.
    """
    for module in (stager, lookup):
        monkeypatch.setattr(module, "ThreadPoolExecutor", AtOnce)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(endpoint, "check", lambda *_: None)
    return Connections(monkeypatch, is_due)

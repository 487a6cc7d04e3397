"""Children made by `fork`: they start in milliseconds, because everything is imported already.

A child opens its own connections to the database and to the API; it never touches what it inherited.
"""

from __future__ import annotations

import os
import select
import signal
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import pytest

_PATIENCE = 120.0
"""Seconds after which a test that waits gives up."""


class Event:
    """As `threading.Event`, but for whichever process; made before the fork."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()

    def set(self) -> None:
        """Let everyone pass who waits."""
        os.write(self._writing, b"!")

    def wait(self) -> None:
        """Wait until it is set."""
        if not select.select([self._reading], [], [], _PATIENCE)[0]:
            raise TimeoutError(f"nobody set the event in {_PATIENCE} s")


class Child:
    """A forked process that does one piece of work.

    Args:
        work: TaskRunner in the child; an exception makes its exit code 1.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._report, writing = os.pipe()
        with warnings.catch_warnings():  # the only other threads are rate limiters, asleep for good
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                work()
                code = 0
            except BaseException:
                os.write(writing, traceback.format_exc().encode()[-50_000:])
            finally:
                os._exit(code)
        os.close(writing)
        self._code: int | None = None
        self._said = b""

    def kill(self) -> None:
        """End it as the kernel's memory killer would."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code; the negative number of the signal that ended it."""
        if self._code is None:
            if not select.select([self._report], [], [], _PATIENCE)[0]:
                self.kill()
            _, status = os.waitpid(self.pid, 0)
            self._code = os.waitstatus_to_exitcode(status)
            self._said = os.read(self._report, 65_536)
            os.close(self._report)
        return self._code

    def join(self) -> None:
        """Wait, and fail the test with the child's traceback if it failed."""
        if self.wait() != 0:
            pytest.fail(f"child ended with {self.wait()}: {self._said.decode()}", pytrace=False)


@contextmanager
def children(*works: Callable[[], object]) -> Iterator[list[Child]]:
    """Run works at the same time, each in its child; none outlives the block, and each must end well."""
    started = [Child(work) for work in works]
    try:
        yield started
        for child in started:
            child.join()
    finally:
        for child in started:
            if child._code is None:
                child.kill()
                child.wait()


def together(*works: Callable[[], object]) -> None:
    """Run works at the same time and wait for all."""
    with children(*works):
        pass


class KillSwitch:
    """Kills its process at the n-th thing that happens.

    Args:
        after: How many things are let through first.
        strike: What happens instead.
    """

    def __init__(self, after: int, strike: Callable[[], object] = lambda: os.kill(os.getpid(), signal.SIGKILL)) -> None:
        self._left = after
        self._strike = strike

    def step(self) -> None:
        """One thing is about to happen."""
        if self._left == 0:
            self._strike()
        self._left -= 1

    def at_each_statement(self) -> None:
        """Every statement and every commit of this process, before the server sees it; once more at the end."""
        from MySQLdb.connections import Connection
        from MySQLdb.cursors import BaseCursor

        self._before(BaseCursor, "_query")
        self._before(Connection, "commit")

    def in_each_statement(self) -> None:
        """Every statement and every commit, while the server works on it: sent, and the answer never read."""
        from MySQLdb.connections import Connection
        from MySQLdb.cursors import BaseCursor

        def send(connection: Connection, statement: bytes) -> None:
            if self._left == 0:
                connection.send_query(bytes(statement))

        self._before(BaseCursor, "_query", first=lambda cursor, statement: send(cursor._get_db(), statement))
        self._before(Connection, "commit", first=lambda connection: send(connection, b"COMMIT"))

    def at_each_change(self) -> None:
        """Every statement that changes tables or rows."""
        from MySQLdb.cursors import BaseCursor

        verbs = (b"CREATE", b"ALTER", b"DROP", b"INSERT", b"UPDATE", b"DELETE")

        def changes(_: BaseCursor, statement: bytes) -> bool:
            return statement.split(None, 1)[0].upper() in verbs

        self._before(BaseCursor, "_query", changes)

    def at_each_file(self) -> None:
        """Every file that this process puts into its place: written to the end, not yet visible."""
        self._before(os, "replace")

    def at_each_object(self) -> None:
        """Every file of the page store, wherever that is, before it is written."""
        from xiaoe.storage import pages

        self._before(pages, "write_whole")

    def _before(
        self,
        owner: object,
        name: str,
        counts: Callable[..., bool] = lambda *_: True,
        first: Callable[..., object] = lambda *_: None,
    ) -> None:
        original = getattr(owner, name)

        def step_first(*arguments: object) -> object:
            if counts(*arguments):
                first(*arguments)
                self.step()
            return original(*arguments)

        setattr(owner, name, step_first)


def things_in(work: Callable[[], object], arm: Callable[[KillSwitch], None]) -> int:
    """How many things that `arm` chooses happen while a child does the work undisturbed."""
    reading, writing = os.pipe()
    many = 1_000_000

    def do() -> None:
        switch = KillSwitch(many)
        arm(switch)
        work()
        os.write(writing, str(many - switch._left).encode())

    Child(do).join()
    os.close(writing)
    with open(reading, "rb") as told:
        return int(told.read())


def killed_everywhere(
    work: Callable[[], object], arm: Callable[[KillSwitch], None], points: Iterable[int] | None = None
) -> Iterator[int]:
    """Run the work again and again in a child that dies at the first, second, ... thing that `arm` chooses.

    Yields after each death, and ends when the work got through. The last death is behind the last thing.

    Args:
        work: What the child does.
        arm: Which things count.
        points: Only these things, from 0 on; by default all.
    """

    def do(point: int) -> None:
        switch = KillSwitch(point)
        arm(switch)
        work()
        switch.step()

    for point in count() if points is None else points:
        child = Child(partial(do, point))
        if child.wait() != -signal.SIGKILL:
            child.join()
            return
        yield point

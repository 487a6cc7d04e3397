"""One thread that stores messages in small groups: a transaction and its sync to disk for many messages at once.

A message is answered only after its transaction has committed. Whoever waits longer than `ANSWER_SECONDS` is told to
send it again; what is committed after that is then a repetition.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

from MySQLdb import Error

from xiaoe.clock import utc_now
from xiaoe.exceptions import XiaoeError
from xiaoe.mysql.session import TRY_AGAIN, Session
from xiaoe.push.gate import Accepted, PushRefusal
from xiaoe.push.store import Outcome, Store, note_refusals

ANSWER_SECONDS = 4.0
"""The shop waits 5 s [doc]."""
_GROUP = 250
_MOST_WAITING = 2000
_IDLE_SECONDS = 10.0
"""After so long without a message, the connection is used once: it stays open, and health is known."""
_ATTEMPTS = 3
_LOCK_SECONDS = 1
"""With the attempts, less than anybody waits."""
_LOG = logging.getLogger("xiaoe.push")

T = TypeVar("T")
_Answer = tuple["asyncio.Future[Outcome]", "Outcome | Exception"]


class BusyError(Exception):
    """A message was not stored: the database does not take it now. The shop sends it again."""


@dataclass
class _Waiting:
    """A message on its way.

    Args:
        message: To be stored.
        until: `time.monotonic()` up to which somebody waits.
        loop: Where.
        answer: What it waits for.
    """

    message: Accepted
    until: float
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Outcome]


@dataclass
class GroupWriter:
    """Takes messages from an event loop and stores them in a thread.

    Args:
        sessions: Opens a session (`Warehouse.session`).
        store: Writes them.
    """

    sessions: Callable[[], AbstractContextManager[Session]]
    store: Store
    _queue: queue.Queue[_Waiting | None] = field(default_factory=lambda: queue.Queue(_MOST_WAITING))
    _refused: Counter[tuple[str, PushRefusal]] = field(default_factory=Counter)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _session: Session | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _thread: threading.Thread | None = None
    healthy: bool = False
    """Whether the last use of the database succeeded."""

    def start(self) -> None:
        """Connect, and start the thread.

        Raises:
            XiaoeError: The database cannot be used; says why and what to do.
        """
        self._open()
        self.healthy = True
        self._thread = threading.Thread(target=self._run, name="push-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store what has come, and end the thread."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    async def put(self, message: Accepted) -> Outcome:
        """Store a message; returns once it is committed.

        Raises:
            BusyError: It is not known to be.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(message, time.monotonic() + ANSWER_SECONDS, loop, loop.create_future())
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            raise BusyError(f"{_MOST_WAITING} messages wait already") from None
        late = BusyError(f"not stored within {ANSWER_SECONDS:g} s")
        timer = loop.call_later(ANSWER_SECONDS, _tell, [(waiting.answer, late)])
        try:
            return await waiting.answer
        finally:
            timer.cancel()

    def note(self, app_id: str, reason: PushRefusal) -> None:
        """Count a refused request of a shop of ours; stored with the next messages."""
        with self._guard:
            self._refused[app_id, reason] += 1

    def _run(self) -> None:
        for group in self._groups():
            self._settle([one for one in group if one.until > time.monotonic()])
        self._close()

    def _groups(self) -> Iterator[list[_Waiting]]:
        """What has come since the last group; an empty one after a while; ends with `stop`."""
        while True:
            group: list[_Waiting] = []
            try:
                one = self._queue.get(timeout=_IDLE_SECONDS)
                while one is not None:
                    group.append(one)
                    if len(group) == _GROUP:
                        break
                    one = self._queue.get_nowait()
                else:
                    yield group
                    return
            except queue.Empty:
                pass
            yield group

    def _settle(self, group: Sequence[_Waiting]) -> None:
        """Store a group, which may be empty, and answer; if it fails by what one message is, each by itself."""
        messages = [one.message for one in group]
        with self._guard:
            refused, self._refused = self._refused, Counter()

        def work(session: Session) -> list[Outcome]:
            now = utc_now()
            note_refusals(session, refused, now)
            return self.store.write(session, messages, now)

        try:
            _answer(group, self._transaction(work))
            return
        except Exception as error:
            with self._guard:
                self._refused += refused
            failure = error
        if isinstance(failure, BusyError | XiaoeError) or not group:
            _answer(group, BusyError(str(failure)))
        elif len(group) > 1:  # a message that cannot be stored must not hold up the others
            for one in group:
                self._settle([one])
        else:  # the text of the error may quote the message
            code = failure.args[0] if isinstance(failure, Error) and failure.args else ""
            what = f"{type(failure).__name__} {code}"
            _LOG.error("消息无法入库 a message of shop %s is not stored: %s", messages[0].app_id, what)
            _answer(group, BusyError(what))

    def _transaction(self, work: Callable[[Session], T]) -> T:
        """Run some statements and commit, which also shows that the database is there.

        Connects again if need be, and tries again after a deadlock.

        Raises:
            XiaoeError: The database cannot be used.
            BusyError: Others held locks for too long.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                session = self._session or self._open()
                result = work(session)
                session.commit()
            except Exception as error:
                self._close()  # also discards what was not committed
                if not (isinstance(error, Error) and error.args and error.args[0] in TRY_AGAIN):
                    self._note_health(error if isinstance(error, XiaoeError) else None)
                    raise
                if attempt == _ATTEMPTS:
                    raise BusyError(f"the database was busy {_ATTEMPTS} times: {TRY_AGAIN[error.args[0]]}") from None
            else:
                self._note_health(None)
                return result
        raise AssertionError("every attempt returns or raises")

    def _note_health(self, error: XiaoeError | None) -> None:
        """Keep whether the database can be used, and log it when that changes."""
        if self.healthy and error:
            _LOG.error("数据库不可用，推送暂不收下 · the database is not usable, pushes are not taken: %s", error)
        elif not self.healthy and not error:
            _LOG.warning("数据库恢复，继续收推送 · the database is usable, pushes are taken")
        self.healthy = error is None

    def _open(self) -> Session:
        self._session = self._stack.enter_context(self.sessions())
        self._session.execute(f"SET SESSION innodb_lock_wait_timeout = {_LOCK_SECONDS}")
        return self._session

    def _close(self) -> None:
        self._session = None
        self._stack.close()


def _answer(group: Sequence[_Waiting], outcomes: Sequence[Outcome] | Exception) -> None:
    """Tell everybody who waits, in as few calls into their event loop as there are loops."""
    results: list[Outcome | Exception] = [outcomes] * len(group) if isinstance(outcomes, Exception) else [*outcomes]

    by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
    for one, result in zip(group, results, strict=True):
        by_loop.setdefault(one.loop, []).append((one.answer, result))
    for loop, own in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell, own)


def _tell(answers: Iterable[_Answer]) -> None:
    """Give those who still wait their answers; in their event loop."""
    for future, result in answers:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

"""Repeating a call: how often, after which wait, and what it means for the other threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import tenacity

from xiaoe.exceptions import XiaoeBusyError, XiaoeQuotaError, XiaoeRetriableError

T = TypeVar("T")

ATTEMPTS = 8
MAX_WAIT = 30.0

log = logging.getLogger(__name__)


class Retries:
    """The retries of one hook, shared by its threads.

    Args:
        sleep: How to wait, in seconds.
        attempts: How often a call is made at most; an error's own `max_attempts` may be lower.
        note: Called before each wait, with its seconds.
    """

    def __init__(self, sleep: Callable[[float], None], attempts: int, note: Callable[[float], None]) -> None:
        self._sleep = sleep
        self._attempts = attempts
        self._note = note
        self._slowed = (0, 0.0)

    def run(self, call: Callable[[], T], *on: type[XiaoeRetriableError]) -> T:
        """Call until it works or attempts are used up; only these errors are retried, by default all retriable ones."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(on or XiaoeRetriableError),
            wait=_wait,
            stop=self._give_up,
            before_sleep=self._before_sleep,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(call)

    def pause(self) -> None:
        """Wait as long as another thread has been asked to: a busy API or a used-up quota concerns every call."""
        slowed_by, until = self._slowed
        if slowed_by != threading.get_ident() and (pause := until - time.monotonic()) > 0:
            self._sleep(pause)

    def _give_up(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        most = getattr(error, "max_attempts", None) or self._attempts
        return state.attempt_number >= min(most, self._attempts)

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        self._note(state.upcoming_sleep)
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, (XiaoeBusyError, XiaoeQuotaError)):
            self._slowed = (threading.get_ident(), time.monotonic() + state.upcoming_sleep)
        log.warning("attempt %s: %s; trying again in %.1f s", state.attempt_number, error, state.upcoming_sleep)


def _wait(state: tenacity.RetryCallState) -> float:
    """The API's own waiting time if it sent one, else exponential with full jitter, at most `MAX_WAIT` seconds."""
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after", None)
    backoff = tenacity.wait_random_exponential(multiplier=0.5, max=MAX_WAIT)(state)
    return backoff if asked is None else asked + min(backoff, 1.0)

"""Call limits (docs/xiaoe-api.md section 7), counted over a sliding window.

Guesses: limits count per shop and interface, and a refused call does not count.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Limit(NamedTuple):
    """A number of calls allowed per number of seconds."""

    calls: int
    seconds: float


class Quota:
    """Counts calls against one limit."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._times: deque[float] = deque()

    def is_full(self, at: float) -> bool:
        """Whether a call at `at` would exceed the limit."""
        while self._times and self._times[0] <= at - self._limit.seconds:
            self._times.popleft()
        return len(self._times) >= self._limit.calls

    def count(self, at: float) -> None:
        """Count an accepted call."""
        self._times.append(at)

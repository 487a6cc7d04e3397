"""Call limits (docs/xiaoe-api.md section 7), counted over a sliding window.

Undocumented and guessed: a limit counts per shop and interface, and a refused call does not count itself.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Limit(NamedTuple):
    """So many calls in so many seconds."""

    calls: int
    seconds: float


class Quota:
    """Counts calls against one limit."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._times: deque[float] = deque()

    def is_full(self, at: float) -> bool:
        """Tell whether a call at ``at`` would be one too many."""
        while self._times and self._times[0] <= at - self._limit.seconds:
            self._times.popleft()
        return len(self._times) >= self._limit.calls

    def count(self, at: float) -> None:
        """Count a call that was let through."""
        self._times.append(at)

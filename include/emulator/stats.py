"""Counters of calls and answers, for tests that check how a client calls the API."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Stats:
    """Counts API calls and answers; admin calls are not counted."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._running = 0
        self._max_running = 0
        self._second = 0
        self._in_second = 0
        self._peak = (0, 0)

    @contextmanager
    def call(self, interface: str) -> Iterator[None]:
        """Count a call, and count it as running until the block ends."""
        self.calls[interface] += 1
        self._count_second(int(time.time()))
        self._running += 1
        self._max_running = max(self._max_running, self._running)
        try:
            yield
        finally:
            self._running -= 1

    def as_dict(self, tokens_issued: dict[str, int]) -> dict[str, object]:
        """All counts; `answers` is keyed by envelope code, or by fault kind where no envelope was sent."""
        return {
            "calls": dict(self.calls),
            "answers": dict(self.answers),
            "faults": dict(self.faults),
            "tokens_issued": tokens_issued,
            "max_concurrent_calls": self._max_running,
            "peak_calls_per_second": self._peak[0],
            "peak_second": self._peak[1],
        }

    def _count_second(self, second: int) -> None:
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        self._peak = max(self._peak, (self._in_second, second))

"""The shop's clock, and Beijing wall-clock text (docs/xiaoe-api.md section 9: naive text, UTC+8, no DST)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from functools import lru_cache

DAY = 86_400
BEIJING = timezone(timedelta(hours=8))
_OFFSET = 8 * 3600
_MINUTES = [f" {minute // 60:02d}:{minute % 60:02d}" for minute in range(1440)]
_SECONDS = [f":{second:02d}" for second in range(60)]


@lru_cache(maxsize=4096)
def _date_text(day: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(days=day)).strftime("%Y-%m-%d")


def to_text(unix: int) -> str:
    """Render unix seconds as ``YYYY-MM-DD HH:MM:SS`` in Beijing."""
    day, second = divmod(unix + _OFFSET, DAY)
    return _date_text(day) + _MINUTES[second // 60] + _SECONDS[second % 60]


def to_unix(text: str) -> int:
    """Read an ISO date or date-time as Beijing wall-clock, unless it carries its own offset."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)).timestamp())


class Clock:
    """Shop time, which tests may stop and move, and elapsed time, which tokens and limits run on.

    Elapsed seconds follow real time even while shop time stands still, and jump forward with it: after
    ``advance(7200)`` a two-hour token is over and every limit's window is empty again.
    """

    def __init__(self, now: int | None = None, *, frozen: bool = False) -> None:
        self._base = float(time.time() if now is None else now)
        self._since = time.monotonic()
        self._jumped = 0.0
        self.frozen = frozen

    def now(self) -> int:
        """Return shop time in unix seconds."""
        return int(self._base if self.frozen else self._base + time.monotonic() - self._since)

    def elapsed(self) -> float:
        """Return seconds that never stand still, for token lives and limits."""
        return time.monotonic() + self._jumped

    def set(self, now: int) -> None:
        """Move shop time to ``now``; a jump back leaves elapsed time alone."""
        self._jumped += max(0.0, now - self.now())
        self._base, self._since = float(now), time.monotonic()

    def freeze(self, frozen: bool) -> None:
        """Stop shop time, or let it tick with real time again."""
        self.set(self.now())
        self.frozen = frozen

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
    """Render unix seconds as `YYYY-MM-DD HH:MM:SS` in Beijing."""
    day, second = divmod(unix + _OFFSET, DAY)
    return _date_text(day) + _MINUTES[second // 60] + _SECONDS[second % 60]


def to_unix(text: str) -> int:
    """Parse an ISO date or date-time as Beijing wall-clock time, unless it has an offset; unix seconds."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)).timestamp())


class Clock:
    """Shop time, which tests can freeze and set, and elapsed time, which token lifetimes and limits use.

    Elapsed time follows real time even while shop time is frozen, and jumps forward with it: after
    `advance(7200)` a two-hour token has expired and every limit's window is empty.
    """

    def __init__(self, now: int | None = None, *, frozen: bool = False) -> None:
        self._base = float(time.time() if now is None else now)
        self._since = time.monotonic()
        self._jumped = 0.0
        self.frozen = frozen

    def now(self) -> int:
        """Shop time in unix seconds."""
        return int(self._base if self.frozen else self._base + time.monotonic() - self._since)

    def elapsed(self) -> float:
        """Monotonic seconds for token lifetimes and limits; never frozen."""
        return time.monotonic() + self._jumped

    def set(self, now: int) -> None:
        """Set shop time to `now` (unix seconds); a jump back does not change elapsed time."""
        self._jumped += max(0.0, now - self.now())
        self._base, self._since = float(now), time.monotonic()

    def freeze(self, frozen: bool) -> None:
        """Freeze shop time, or let it run with real time."""
        self.set(self.now())
        self.frozen = frozen

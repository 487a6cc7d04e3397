"""Log lines about refused requests: at most one a minute for each reason, however many there are."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from xiaoe.push.gate import PushRefusal

_EVERY_SECONDS = 60.0
_LOG = logging.getLogger("xiaoe.push")


@dataclass
class RefusalLog:
    """Writes why requests are not taken; nothing of what they contain.

    Args:
        elapsed: Seconds of a clock that only goes on.
    """

    elapsed: Callable[[], float] = time.monotonic
    _last: dict[PushRefusal, float] = field(default_factory=dict)
    _silent: Counter[PushRefusal] = field(default_factory=Counter)

    def note(self, reason: PushRefusal, app_id: str | None) -> None:
        """Log a refusal, or count it if there was one of its kind within a minute."""
        now = self.elapsed()
        if now - self._last.get(reason, -_EVERY_SECONDS) < _EVERY_SECONDS:
            self._silent[reason] += 1
            return
        self._last[reason] = now
        more = self._silent.pop(reason, 0)
        _LOG.warning(
            "推送未收下 push refused, %s%s: %s%s",
            reason.word,
            f", shop {app_id}" if app_id else "",
            reason.advice,
            f"（此前另有 {more} 次 · {more} more before）" if more else "",
        )

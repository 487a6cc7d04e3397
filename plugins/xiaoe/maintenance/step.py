"""The arguments of every maintenance step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Step:
    """One run of one step.

    Args:
        now: The current time, with an offset.
        dry_run: Log what would be removed, and remove nothing.
        log: The task's logger.
    """

    now: datetime
    dry_run: bool
    log: Any

"""What every step of the maintenance is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Step:
    """One run of one step.

    Args:
        now: The present, with an offset.
        dry_run: Say what would go, and let it be.
        log: Where to say it.
    """

    now: datetime
    dry_run: bool
    log: Any

"""How fresh each sync has to be: the checks, the monitoring page and `make health` go by the same limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from xiaoe import settings

FreshWithin = Mapping[tuple[str, str], timedelta]
"""Resource and mode, as in `sync_status` → how long ago the last success may be."""

FRESH_WITHIN: FreshWithin = {
    ("orders", "incremental"): timedelta(hours=1),
    ("orders", "rescan"): timedelta(hours=2),
    ("orders", "deep_rescan"): timedelta(hours=30),
    ("orders", "history"): settings.history_interval() + timedelta(days=1),
    ("orders", "late"): timedelta(hours=2),
    ("refunds", "incremental"): timedelta(hours=2),
    ("users", "whole"): timedelta(hours=30),
    ("products", "whole"): timedelta(hours=30),
    ("live_streams", "whole"): timedelta(hours=30),
    ("benefits", "decide"): timedelta(hours=2),
    ("marts", "refresh"): timedelta(hours=2),
}
"""Two runs of its schedule, or one and the time that a long one takes."""

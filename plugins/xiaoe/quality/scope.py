"""Which rows a run checks: recent ones every hour, all of them once a day.

The hour alone decides which run is the full one: nothing has to be stored, and a missed full run is made up for by
the next day's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from xiaoe import settings
from xiaoe.clock import BEIJING, beijing_text, utc_text
from xiaoe.mysql.templates import render

BEYOND_RESCAN = timedelta(days=1)
"""Hourly runs look this much further back than the rescan: at what is new, and nearly all that changes."""
FULL_HOUR = 5
"""Of Beijing: after the deep rescan and the lists of the night, before people come."""
_TIMES = {"orders": "o.created_time", "refunds": "r.updated_at", "decisions": "d.decided_at"}


@dataclass(frozen=True)
class CheckScope:
    """The rows of one shop that a run looks at.

    Args:
        shop_id: The shop; letters, digits, `_` and `-` only, as `Shop` has checked.
        now: With an offset.
        full: All rows, not only recent ones.
    """

    shop_id: str
    now: datetime
    full: bool

    def rows(self, kind: str) -> str:
        """An SQL condition on `orders AS o`, `refunds AS r` or `benefit_decisions AS d`, each served by an index.

        A row without a time belongs to it: no other run would find it.
        """
        column = _TIMES[kind]
        condition = f"{column[0]}.shop_id = '{self.shop_id}'"
        if self.full:
            return condition
        since = self.now - settings.rescan_days() - BEYOND_RESCAN
        text = utc_text(since) if kind == "decisions" else beijing_text(since)
        return f"{condition} AND ({column} >= '{text}' OR {column} IS NULL)"

    def query(self, name: str, **values: Any) -> str:
        """A template of include/sql/checks, rendered."""
        recent = {f"recent_{kind}": self.rows(kind) for kind in _TIMES}
        return render(
            f"checks/{name}.sql", shop_id=self.shop_id, now_beijing=beijing_text(self.now), **recent, **values
        )


def is_full(kind: str, due: datetime) -> bool:
    """Whether a run looks at all rows: the scheduled one of `FULL_HOUR`, and each that a person starts.

    Args:
        kind: Airflow's run type.
        due: When the run was due, with an offset.
    """
    return kind != "scheduled" or due.astimezone(BEIJING).hour == FULL_HOUR

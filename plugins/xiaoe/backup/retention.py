"""Which backups to keep. Pure: no clock, no store."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from xiaoe.clock import BEIJING

DRILL_EVERY = timedelta(days=7)
_EARLY = timedelta(hours=12)
"""Tolerance, so that a weekly drill at the same hour does not slip to the eighth day."""


class Backup(NamedTuple):
    """A complete backup in the store.

    Args:
        url: Where it is.
        made_at: When its snapshot was taken; with an offset.
        is_good: False if a drill could not restore it.
    """

    url: str
    made_at: datetime
    is_good: bool = True


def to_remove(backups: Iterable[Backup], *, days: int, months: int) -> list[Backup]:
    """The backups beyond retention, oldest first.

    Kept are the newest good backups of the last `days` days and of the last `months` months that have one: days
    without a backup do not count, so a pause removes nothing. A backup that a drill could not restore counts for no
    day, and is removed once it is older than all daily ones. Days and months are Beijing's.

    Args:
        backups: All backups.
        days: At least 1.
        months: 0 or more.
    """
    known = sorted(backups, key=lambda one: (one.made_at, one.url))
    good = [one for one in known if one.is_good]
    daily = _newest_of_each(good, lambda at: at.date(), days)
    kept = {*daily, *_newest_of_each(good, lambda at: (at.year, at.month), months)}
    first = min((one.made_at for one in daily), default=None)
    return [one for one in known if one not in kept and (one.is_good or (first is not None and one.made_at < first))]


def _newest_of_each(good: list[Backup], period: Callable[[datetime], Hashable], number: int) -> list[Backup]:
    """The newest of each period, of the last periods that have one; `good` is in order of time."""
    newest = {period(one.made_at.astimezone(BEIJING)): one for one in good}
    return list(newest.values())[-number:] if number else []


def drill_is_due(last: datetime | None, now: datetime) -> bool:
    """Whether a week has passed since the last successful drill; None: there was none."""
    return last is None or now - last >= DRILL_EVERY - _EARLY

"""The clock, and how times are read and written. Business times are Beijing wall-clock, bookkeeping is UTC.

`observed_at` is the time before a request was sent: rows are as of that moment or later. A clock that is ahead grants
benefits early and moves the watermark past orders that are not there yet; one that is behind makes new rows look old.
So it is compared with the API's and the server's.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from email.utils import parsedate_to_datetime

from xiaoe.exceptions import XiaoeConfigError

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The API's own zone. China has had no daylight saving time since 1991, so a fixed offset is exact."""


def midnight(day: date) -> datetime:
    """The start of a day in Beijing."""
    return datetime.combine(day, time(), BEIJING)


def parse_time(name: str, value: str) -> datetime:
    """Read a date or a date and time; without an offset it is Beijing time.

    Raises:
        XiaoeConfigError: It is neither; names the field and the value.
    """
    try:
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", value.strip()))  # Python 3.10 reads no Z
        return moment.replace(tzinfo=BEIJING) if moment.tzinfo is None else moment.astimezone(BEIJING)
    except (ValueError, OverflowError):
        raise XiaoeConfigError(
            f"{name}={value!r}: give a date like 2025-01-01 or a time like '2025-01-01 08:30:00' (Beijing)"
        ) from None


def now() -> datetime:
    """The present moment in Beijing time."""
    return datetime.now(BEIJING)


def utc_now() -> datetime:
    """UTC in whole milliseconds, as `observed_at` columns hold it."""
    now = datetime.now(timezone.utc)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def difference(theirs: datetime, before: datetime, after: datetime) -> timedelta:
    """How far another machine's clock is ahead of ours at least; 0 where it may well agree.

    Args:
        theirs: What the other clock said.
        before: Ours, before it was asked.
        after: Ours, after it answered.
    """
    return max(theirs - after, timedelta()) - max(before - theirs, timedelta())


def check_clock(theirs: datetime, before: datetime, after: datetime, *, whose: str, limit: timedelta) -> None:
    """Compare another machine's clock with ours.

    Args:
        theirs: The other clock.
        before: Ours, before the request.
        after: Ours, after the response.
        whose: The other machine, for the message.
        limit: `settings.max_clock_skew()`.

    Raises:
        XiaoeConfigError: They differ by more than the limit, `XIAOE_MAX_CLOCK_SKEW_SECONDS`.
    """
    if (skew := abs(difference(theirs, before, after))) > limit:
        direction = "behind" if theirs > after else "ahead of"
        raise XiaoeConfigError(
            f"this machine's clock ({after:%Y-%m-%d %H:%M:%S} UTC) is {skew.total_seconds():.0f} s {direction}"
            f" {whose} ({theirs:%Y-%m-%d %H:%M:%S} UTC): set the one that is wrong (NTP). Nothing was read or written."
            " If the other one cannot be corrected, raise XIAOE_MAX_CLOCK_SKEW_SECONDS"
        )


def read_date(header: str) -> datetime | None:
    """The time in a `Date` header; None where there is none."""
    try:
        theirs = parsedate_to_datetime(header)
    except ValueError:
        return None
    return theirs if theirs.tzinfo else theirs.replace(tzinfo=timezone.utc)


def machine_now() -> datetime:
    """This machine's clock, also where a test sets the shop's time."""
    return datetime.now(timezone.utc)


def beijing_text(moment: datetime) -> str:
    """As a business column holds it."""
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"


def utc_text(moment: datetime) -> str:
    """As a bookkeeping column holds it, `DATETIME(3)`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


_UNITS = {"zh": ("{} 天 {} 小时", "{} 小时 {} 分", "{} 分钟"), "en": ("{} d {} h", "{} h {} min", "{} min")}


def in_words(length: timedelta, language: str = "zh") -> str:
    """A length of time in its two largest units; a negative one counts as 0.

    Args:
        length: Of any size; seconds are dropped.
        language: `zh` or `en`.
    """
    minutes = max(0, int(length.total_seconds())) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    of_days, of_hours, of_minutes = _UNITS[language]
    if days:
        return of_days.format(days, hours)
    return of_hours.format(hours, minutes) if hours else of_minutes.format(minutes)

"""Times in every form that an interface may send them in → Beijing wall-clock text `YYYY-MM-DD HH:MM:SS`.

Documented are text in Beijing time and, for users, unix milliseconds (docs/xiaoe-api.md sections 4, 9 and 10). Of all
other forms those are read that can mean only one moment. "Never" has many spellings, too: all of them become None.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any

from xiaoe import clock

NULL_TIMES = ("0000-00-00", "-0001-11-30")
NEVER = frozenset(("", "-", "--", "---", "—", "——", "/", "null", "none", "nil", "nan", "nat", "undefined", "n/a", "无"))
"""Words for "there is none", in small letters."""
_NEVER_DAYS = frozenset(
    date(*day)
    for day in (
        (1753, 1, 1), (1899, 12, 29), (1899, 12, 30), (1899, 12, 31), (1900, 1, 1), (1904, 1, 1), (1600, 12, 31),
        (1601, 1, 1), (1858, 11, 17), (1969, 12, 31), (1970, 1, 1), (1980, 1, 1), (2038, 1, 19),
    )
)  # fmt: skip
"""Where the calendars of other programs begin (SQL Server, spreadsheets, Windows, VMS, unix, DOS), with the day before
where a time zone may reach it, and where 32 bits end."""
_NEVER_YEARS = (1, 2, 9999)
"""The first and the last that a program can write; 2 is what some make of PHP's year -1."""
EARLIEST = datetime(2010, 1, 1)
"""Nothing in a shop is older: the platform is not."""
LATEST_PLANNED = datetime(2101, 1, 1)
AHEAD = timedelta(days=1)
"""How far a clock may be ahead that wrote down what has happened."""
_IMPORTED_AT = clock.beijing_text(clock.machine_now())
_EPOCH = datetime(1970, 1, 1, 8)
_UNITS = {10: 1, 13: 10**3, 16: 10**6, 19: 10**9}
"""Digits of a unix time of our days → its units in a second."""
_EPOCH_UTC = datetime(1970, 1, 1)
_YEAR_0, _YEAR_3, _LAST_SECOND = -62_168_000_000, -62_072_000_000, 253_402_300_799
_NEVER_NUMBERS = frozenset(
    (0, 1, -1, 28800, -28800, 1000, -1000, 28800000, -28800000, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63))
)
"""Zero and one second after it, in UTC and as an hour of Beijing, and the ends of computers' numbers."""
_is_plain = re.compile(r"20[1-9]\d-\d\d-\d\d (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII).fullmatch
_form = re.compile(
    r"(-?\d{1,4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:(?:\s*[T ]\s*)?(\d{1,2})[:时](\d\d)(?:[:分](\d\d)秒?(?:[.,]\d+)?)?\s*(Z|[+-]\d\d:?(?:\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
).fullmatch
_compact = re.compile(
    r"(20\d\d)(\d\d)(\d\d)[T ]?(\d\d)(\d\d)(\d\d)?(?:\.\d+)?(Z|[+-]\d\d:?(?:\d\d)?)?", re.ASCII
).fullmatch
_digits = re.compile(r"[+-]?\d{1,19}(\.\d*)?", re.ASCII).fullmatch


@lru_cache(4096)
def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def time(value: Any) -> str | None:
    """When something happened → Beijing wall-clock, cut to the second.

    Read are: text with a blank, `T`, `/` or 年月日, with or without seconds and a fraction, in the zone of its offset
    or `Z` and otherwise in Beijing's; `20250131083000`; unix seconds, milli-, micro- and nanoseconds, which their
    size distinguishes, as number or text. Every spelling of "never" is None.

    Raises:
        ValueError: It is no time, a day without a time of day, before 2010, or more than a day in the future.
    """
    if type(value) is str and value <= _IMPORTED_AT and _is_plain(value) and _is_day(value[:10]):
        return value
    moment = _moment(value)
    if moment is not None and moment > clock.now().replace(tzinfo=None) + AHEAD:
        raise ValueError("more than a day in the future")
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def planned(value: Any) -> str | None:
    """When something begins, ends or lapses: as `time`, and up to the year 2100."""
    moment = _moment(value)
    if moment is not None and moment >= LATEST_PLANNED:
        raise ValueError("after the year 2100")
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _moment(value: Any) -> datetime | None:
    """Beijing, without an offset; None for "never".

    Raises:
        ValueError: As `time`.
    """
    if value is None or value is False:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError("not a time")
    moment = _of_text(value) if isinstance(value, str) else _of_number(Decimal(value))
    if moment is None:
        return None
    if moment < EARLIEST:
        raise ValueError("before 2010")
    return moment


def _of_text(value: str) -> datetime | None:
    text = value.strip()
    if text.lower() in NEVER or text.startswith(NULL_TIMES):
        return None
    if parts := _compact(text):
        return _made(*parts.groups())
    if _digits(text):
        return _of_number(Decimal(text))
    parts = _form(text)
    if parts is None:
        raise ValueError("not a time, e.g. 2025-01-31 08:30:00")
    return _made(*parts.groups())


def _made(
    year: str, month: str, day: str, hour: str | None, minute: str, second: str | None, offset: str | None
) -> datetime | None:
    if int(year) <= 0 or (int(month) == 0 and int(day) == 0):
        return None
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
        if _is_never(moment):
            return None
        moment = moment + timedelta(hours=8) - _ahead_of_utc(offset) if offset else moment
    except (ValueError, OverflowError):
        raise ValueError("no such date or time") from None
    if hour is None:
        raise ValueError("a day without a time of day")
    return moment


def _ahead_of_utc(offset: str) -> timedelta:
    if offset in "Zz":
        return timedelta()
    hours, minutes = int(offset[1:3]), int(offset[3:].lstrip(":") or 0)
    return timezone(timedelta(hours=hours, minutes=minutes)).utcoffset(None) * (-1 if offset[0] == "-" else 1)


def _of_number(number: Decimal) -> datetime | None:
    """A unix time, or the digits of `20250131083000`."""
    if not number.is_finite():
        raise ValueError("not a time")
    whole = int(number) if abs(number) < 10**19 else 10**20
    text = str(abs(whole))
    if whole > 0 and number == whole and (parts := _compact(text)):
        return _made(*parts.groups())
    if _is_never_number(whole):
        return None
    if len(text) in _UNITS and whole > 0:
        return _EPOCH + timedelta(seconds=whole // _UNITS[len(text)])
    raise ValueError("no unix time of our days")


def _is_never_number(number: int) -> bool:
    """Whether a unix time, of seconds or milliseconds, is where some calendar begins or ends."""
    if number in _NEVER_NUMBERS:
        return True
    for unit in (1, 10**3):
        seconds = number // unit
        if _YEAR_0 <= seconds < _YEAR_3:
            return True
        if (
            abs(seconds) >= 10**8
            and _YEAR_3 <= seconds <= _LAST_SECOND
            and _is_never(_EPOCH_UTC + timedelta(seconds=seconds))
        ):
            return True
    return False


def _is_never(moment: datetime) -> bool:
    return moment.year in _NEVER_YEARS or moment.date() in _NEVER_DAYS

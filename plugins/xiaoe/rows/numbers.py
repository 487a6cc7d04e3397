"""Numbers as interfaces write them → exact ones; no float anywhere."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any

EMPTY = ("", "-", "--", "null", "NULL", "None", "nil")
DIGITS_MAX = 15
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.ASCII).fullmatch
_WITH_UNIT = re.compile(
    r"([+-]?)\s*(¥?)\s*([+-]?[\d.,]+(?:e[+-]?\d+)?)\s*(元|分|万|亿)?", re.ASCII | re.IGNORECASE
).fullmatch
_TIMES = {"万": 10**4, "亿": 10**8}


def read(value: Any, *, units: str = "") -> Decimal | None:
    """An int, a Decimal or a text: with commas between thousands, blanks around it, full-width digits.

    Args:
        value: As JSON brought it.
        units: Signs that it may carry, of `¥元分万亿`; the last two multiply it.

    Raises:
        ValueError: It is no number, carries another unit, or has more digits than any column.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise ValueError("not a number")
    times = 1
    if isinstance(value, str):
        value = value.strip()
        if value in EMPTY:
            return None
        if not value.isdecimal():
            value, times = _bare(value, units)
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if number and number.adjusted() > DIGITS_MAX:
        raise ValueError("too large")
    return number * times if times > 1 else number


def _bare(text: str, units: str) -> tuple[str, int]:
    """A number without signs around it, and what to multiply it by."""
    parts = _WITH_UNIT(unicodedata.normalize("NFKC", text).strip())
    if parts is None:
        raise ValueError("not a number")
    sign, currency, digits, unit = parts.groups("")
    if unknown := [one for one in (currency, unit) if one and one not in units]:
        raise ValueError(f"carries {unknown[0]}, which this field does not count in")
    if "," in digits:
        if not _GROUPED(digits):
            raise ValueError("not a number")
        digits = digits.replace(",", "")
    return sign + digits, _TIMES.get(unit, 1)

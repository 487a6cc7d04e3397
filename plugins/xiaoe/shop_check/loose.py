"""Times and amounts in whatever form they come, for comparing; nothing that is read here is stored. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from xiaoe.clock import BEIJING

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)")
_MILLISECONDS_FROM = 10**11


def moment(value: Any) -> datetime | None:
    """A time in any of its forms (text of Beijing, unix seconds or milliseconds), in Beijing time; else None."""
    try:
        if isinstance(value, str) and (found := _TIME.match(value.strip())):
            return datetime(*map(int, found.groups()), tzinfo=BEIJING)  # type: ignore[misc, arg-type]
        number = int(value)
        return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, BEIJING)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def amount(value: Any) -> Decimal | None:
    """A number, or the same as text; else None."""
    try:
        number = None if isinstance(value, bool) else Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number is not None and number.is_finite() else None

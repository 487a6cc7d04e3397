"""Times and amounts in whatever form they come, for comparing; nothing that is read here is stored. Pure.

The forms are those that the sync reads (`xiaoe.rows`); an amount may carry the sign of any unit.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from xiaoe.clock import BEIJING
from xiaoe.rows import numbers, values


def moment(value: Any) -> datetime | None:
    """A time in any of its forms, in Beijing time; None for "never" and for what cannot be read."""
    try:
        text = values.planned(value)
    except ValueError:
        return None
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def amount(value: Any) -> Decimal | None:
    """A number as it is written, or the same as text, whatever its unit; else None."""
    try:
        return numbers.read(value, units="¥元分万亿")
    except (ValueError, ArithmeticError):
        return None


def is_true(value: Any) -> bool:
    """Whether a flag is set: 1, true, or the same as text."""
    try:
        return values.code(value) == 1
    except ValueError:
        return False

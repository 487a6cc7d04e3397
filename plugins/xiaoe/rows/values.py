"""One function per kind of value; every quirk of docs/xiaoe-api.md section 9 is met here and nowhere else.

Each takes whatever JSON brought and returns what goes into the column, or None for "the source does not
say". What cannot be read raises ValueError with the reason; nothing is guessed, cut off or rounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache, wraps
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

RULES = 1
"""Part of every raw hash (`RowReader.rules`).

Raise it when a value or a form (`rows.masking`) comes out otherwise than before, or `RowReader` types a row otherwise:
rows whose bytes are the same are typed again then. Not for comments, names or speed.
"""

NULL_TIMES = ("0000-00-00", "-0001-11-30")
EMPTY = ("", "--")
LONGEST_TEXT = 65_535
"""Bytes in a TEXT column."""
LONGEST_ID = 128
LONGEST_CODES = 128
_INT_MAX = 2**31 - 1
_MONEY_MAX = Decimal("9999999999.99")
_CENT = Decimal("0.01")
_NOISE = Decimal("0.000002")
"""Of a yuan: as far as a double may be from the largest amount."""
_DIGITS_MAX = 15
_NUMBER_PLACES = Decimal("0.0001")
_BEIJING_EPOCH = datetime(1970, 1, 1, 8)
_LAST_SECOND = int((datetime(9999, 12, 31, 23, 59, 59) - _BEIJING_EPOCH).total_seconds())
_LEAST_MILLISECONDS = 10**11
"""1973 as milliseconds, the year 5138 as seconds."""
_UNMISTAKABLE = {str, int, type(None)}
"""Types of which no value equals another that reads differently; True equals 1, and 1.0 equals 1.00."""
_looks_like_time = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII).fullmatch
_is_time = re.compile(r"[1-9]\d{3}-\d\d-\d\d (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII).fullmatch
_JSON = msgspec.json.Encoder(decimal_format="number", order="sorted")


def _remembered(read: Callable[[Any], T]) -> Callable[[Any], T]:
    """The same function, several times faster for what comes again and again: codes, amounts."""
    once = lru_cache(8192, typed=True)(read)

    @wraps(read)
    def again(value: Any) -> T:
        try:
            return once(value)
        except TypeError:  # a list or an object cannot be remembered
            return read(value)

    return again


def each(read: Callable[[Any], T], column: Sequence[Any]) -> list[T]:
    """`read` of each value of a column; where equal values are sure to read alike, once of those."""
    if _UNMISTAKABLE.issuperset(map(type, column)):
        known = {value: read(value) for value in set(column)}
        return [known[value] for value in column]
    return [read(value) for value in column]


@_remembered
def code(value: Any) -> int | None:
    """A code or a count: an int, or the same as a string of digits. Fits INT."""
    number = _number(value)
    if number is None:
        return None
    if number != number.to_integral_value() or abs(number) > _INT_MAX:
        raise ValueError("not a whole number that fits INT")
    return int(number)


def codes(value: Any) -> str | None:
    """Codes in an array, or in a text such as `[2, "8"]` or `2,8` → `2,8`; none in it is an empty text.

    A single code is an array of one. At most 128 characters.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if text in EMPTY:
            return None
        inner = text.removeprefix("[").removesuffix("]")
        value = [one.strip().strip("\"'") for one in inner.split(",")] if inner.strip() else []
    found = [code(one) for one in (value if isinstance(value, list) else [value])]
    if None in found:
        raise ValueError("a code in it is missing")
    joined = ",".join(map(str, found))
    if len(joined) > LONGEST_CODES:
        raise ValueError(f"longer than {LONGEST_CODES} characters")
    return joined


def length(value: Any) -> int | None:
    """How many entries an array has."""
    if value is None or value == "":
        return None
    if not isinstance(value, list):
        raise ValueError("not an array")
    return len(value)


@_remembered
def yuan(value: Any) -> str | None:
    """Money in yuan, a number or a string → yuan with two decimals, exactly.

    A number with a point is somebody's double: 199.99 may come as 199.99000000000001.
    """
    number = _number(value)
    if number is None:
        return None
    if type(value) is Decimal and abs(number) <= _MONEY_MAX:
        cents = number.quantize(_CENT)
        number = cents if abs(cents - number) <= _NOISE else number
    return _money(number)


@_remembered
def fen(value: Any) -> str | None:
    """Money in fen (1/100 yuan), an int or a string of digits → yuan with two decimals, exactly."""
    number = _number(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise ValueError("fen are whole numbers")
    return _money(number.scaleb(-2))


def number(value: Any) -> str | None:
    """An amount whose unit nobody has settled, with at most four decimals, as it came. Fits DECIMAL(20,4)."""
    amount = _number(value)
    if amount is None:
        return None
    if amount != amount.quantize(_NUMBER_PLACES):
        raise ValueError("more than four decimals")
    return f"{abs(amount) if amount == 0 else amount:f}"


@lru_cache(4096)
def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def milliseconds(value: Any) -> str | None:
    """Unix milliseconds → Beijing wall-clock, cut to the second; 0 and null times mean never and become None."""
    if isinstance(value, str) and value.strip().startswith(NULL_TIMES):
        return None
    moment = _number(value)
    if not moment:
        return None
    if moment != moment.to_integral_value() or not 0 < moment // 1000 <= _LAST_SECOND:
        raise ValueError("not unix milliseconds")
    return f"{_BEIJING_EPOCH + timedelta(seconds=int(moment) // 1000):%Y-%m-%d %H:%M:%S}"


def time(value: Any) -> str | None:
    """`YYYY-MM-DD HH:MM:SS`, Beijing wall-clock, as the API sends it; its null times become None."""
    if value is None:
        return None
    if type(value) is str and _is_time(value) and _is_day(value[:10]):
        return value
    if not isinstance(value, str):
        raise ValueError("a time is a string")
    text = value.strip()
    if text in EMPTY or text.startswith(NULL_TIMES):
        return None
    if not _looks_like_time(text) or text[:4] < "1000":
        raise ValueError("not YYYY-MM-DD HH:MM:SS")
    if not _is_time(text) or not _is_day(text[:10]):
        raise ValueError("no such date or time")
    return text


def moment(value: Any) -> str | None:
    """A time as `time` or as `milliseconds` reads it, or in unix seconds, which are told by their size."""
    if isinstance(value, str) and not value.strip().isdigit():
        return time(value)
    number = _number(value)
    return milliseconds(number * 1000 if number and number < _LEAST_MILLISECONDS else number)


def text(value: Any) -> str | None:
    """Any text, kept as it is; objects and lists become compact JSON. At most 65,535 bytes of UTF-8."""
    if value is None:
        return None
    if type(value) is not str:
        value = str(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else _json(value)
    if len(value) > LONGEST_TEXT // 4 and len(value.encode()) > LONGEST_TEXT:
        raise ValueError(f"longer than {LONGEST_TEXT} bytes")
    return value


def identifier(value: Any) -> str | None:
    """An id: a string as it is, or a whole number that means the same. At most 128 characters."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("an id is a string or a whole number")
    name = value if type(value) is str else str(value)
    if len(name) > LONGEST_ID:
        raise ValueError(f"longer than {LONGEST_ID} characters")
    return name


def _number(value: Any) -> Decimal | None:
    """None, an int, a Decimal or a numeric string; floats do not occur (see `rows.decode`)."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise ValueError("not a number")
    if isinstance(value, str):
        value = value.strip()
        if value in EMPTY:
            return None
        if "_" in value:
            raise ValueError("not a number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not number.is_finite():
        raise ValueError("not a finite number")
    if number and number.adjusted() > _DIGITS_MAX:
        raise ValueError("too large")
    return number


def _money(number: Decimal) -> str:
    if abs(number) > _MONEY_MAX:
        raise ValueError("too large for DECIMAL(12,2)")
    amount = number.quantize(_CENT)
    if amount != number:
        raise ValueError("more than two decimals of a yuan")
    return str(abs(amount)) if amount == 0 else str(amount)


def _json(value: Any) -> str:
    try:
        return _JSON.encode(value).decode()
    except RecursionError:
        raise ValueError("nested too deeply") from None

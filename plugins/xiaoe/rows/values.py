"""One function per kind of value; every quirk of docs/xiaoe-api.md section 9 is met here and nowhere else.

Each takes whatever JSON brought and returns what goes into the column, or None for "the source does not
say". What cannot be read raises ValueError with the reason; nothing is guessed, cut off or rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache, wraps
from itertools import chain
from typing import Any, TypeVar

import msgspec

from xiaoe.rows import numbers
from xiaoe.rows.numbers import EMPTY
from xiaoe.rows.problems import NOT_JSON, is_no_json
from xiaoe.rows.times import NULL_TIMES, planned, time

__all__ = [
    "EMPTY", "NULL_TIMES", "RULES", "code", "code_list", "count", "day", "each", "fen",
    "identifier", "length", "number", "planned", "text", "time", "yuan",
]  # fmt: skip

T = TypeVar("T")

RULES = 4
"""Part of every raw hash (`RowReader.rules`).

Raise it when a value or a form (`rows.masking`) comes out otherwise than before, or `RowReader` types a row otherwise:
rows whose bytes are the same are typed again then. Not for comments, names or speed.
"""

LONGEST_TEXT = 65_535
"""Bytes in a TEXT column."""
LONGEST_ID = 128
LONGEST_CODES = 128
_REPLACEMENT = "\ufffd"
"""What stands for bytes that are no UTF-8, and for half an emoji."""
_INT_MAX = 2**31 - 1
_MONEY_MAX = Decimal("9999999999.99")
_CENT = Decimal("0.01")
_NOISE = Decimal("0.000002")
"""Of a yuan: as far as a double may be from the largest amount."""
_NUMBER_PLACES = Decimal("0.0001")
_TRUTH = {"true": 1, "false": 0}
_UNMISTAKABLE = {str, int, type(None)}
"""Types of which no value equals another that reads differently; True equals 1, and 1.0 equals 1.00."""
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
    if read is identifier and {str}.issuperset(map(type, column)) and _are_plain(column):  # nearly all different
        return list(column)
    if _UNMISTAKABLE.issuperset(map(type, column)):
        known: dict[Any, T] = {value: read(value) for value in set(column)}
        return [known[value] for value in column]
    arrays = [value for value in column if type(value) is list]
    if len(arrays) == len(column) and _UNMISTAKABLE.issuperset(map(type, chain.from_iterable(arrays))):
        names = list(map(tuple, arrays))
        known = {name: read(array) for name, array in dict(zip(names, arrays, strict=True)).items()}
        return [known[name] for name in names]
    return [read(value) for value in column]


@_remembered
def code(value: Any) -> int | None:
    """A code: an int, a string of digits, a whole decimal (`3.0`), or a truth value as 1 and 0. Fits INT.

    The words of `include/codes` are read by `RowReader`, which knows which column it is.
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.strip().lower() in _TRUTH:
        return _TRUTH[value.strip().lower()]
    return _whole(numbers.read(value))


@_remembered
def count(value: Any) -> int | None:
    """How many: as a code, but for truth values; also `1,234`, `1.2万` and `3亿`. Fits INT."""
    return _whole(numbers.read(value, units="万亿"))


def code_list(value: Any) -> str | None:
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
    if value is None or (isinstance(value, str) and value.strip() in EMPTY):
        return None
    if not isinstance(value, list):
        raise ValueError("not an array")
    return len(value)


@_remembered
def yuan(value: Any) -> str | None:
    """Money in yuan, a number or a string, also `¥1,234.50` and `12元` → yuan with two decimals, exactly.

    A number with a point is somebody's double: 199.99 may come as 199.99000000000001.
    """
    number = numbers.read(value, units="¥元")
    if number is None:
        return None
    if type(value) is Decimal and abs(number) <= _MONEY_MAX:
        cents = number.quantize(_CENT)
        number = cents if abs(cents - number) <= _NOISE else number
    return _money(number)


@_remembered
def fen(value: Any) -> str | None:
    """Money in fen (1/100 yuan), an int or a string of digits, also `990分` → yuan with two decimals, exactly.

    What is written with two decimals is how yuan are written: `9.00` may be nine yuan or nine fen, and is refused.
    """
    number = numbers.read(value, units="分")
    if number is None:
        return None
    if number != number.to_integral_value():
        raise ValueError("fen are whole numbers")
    if isinstance(value, str) and "." in value and int(number.as_tuple().exponent) < -1:
        raise ValueError("fen are whole numbers; two decimals are how yuan are written")
    return _money(number.scaleb(-2))


def number(value: Any) -> str | None:
    """An amount whose unit nobody has settled, with at most four decimals: `12.50` → `12.5`. Fits DECIMAL(20,4)."""
    amount = numbers.read(value, units="¥元")
    if amount is None:
        return None
    if amount != amount.quantize(_NUMBER_PLACES):
        raise ValueError("more than four decimals")
    return f"{amount.normalize():f}" if amount else "0"


def text(value: Any) -> str | None:
    """Any text, kept as it is; objects and lists become compact JSON. At most 65,535 bytes of UTF-8."""
    if value is None:
        return None
    if type(value) is not str:
        if is_no_json(value):
            raise ValueError(NOT_JSON)
        value = str(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else _json(value)
    if len(value) > LONGEST_TEXT // 4 and len(value.encode()) > LONGEST_TEXT:
        raise ValueError(f"longer than {LONGEST_TEXT} bytes")
    return value


def identifier(value: Any) -> str | None:
    """An id: a string as it is, or a whole number that means the same. At most 128 characters, all of them known."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("an id is a string or a whole number")
    name = value if type(value) is str else str(value)
    if len(name) > LONGEST_ID:
        raise ValueError(f"longer than {LONGEST_ID} characters")
    if _REPLACEMENT in name:  # it would meet another id with other broken characters
        raise ValueError("not UTF-8")
    return name


def day(value: Any) -> str | None:
    """A day, `YYYY-MM-DD`, as this side writes it into a row (`rows.children.PARENT`)."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("a day is a text")
    return date.fromisoformat(value).isoformat()


def _are_plain(names: Sequence[str]) -> bool:
    return max(map(len, names), default=0) <= LONGEST_ID and _REPLACEMENT not in "".join(names)


def _whole(number: Decimal | None) -> int | None:
    if number is None:
        return None
    if number != number.to_integral_value() or abs(number) > _INT_MAX:
        raise ValueError("not a whole number that fits INT")
    return int(number)


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

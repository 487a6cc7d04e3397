"""Values out of the JSON of admin calls; an error names the field and what it held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

Fields = Mapping[str, object]
Number = TypeVar("Number", int, float)


def _refusal(fields: Fields, name: str, wanted: str) -> ValueError:
    return ValueError(f"{name}: expected {wanted}, got {fields.get(name)!r}")


def _converted(fields: Fields, name: str, convert: Callable[[float | str], Number], wanted: str) -> Number:
    value = fields.get(name)
    if not isinstance(value, (int, float, str)):
        raise _refusal(fields, name, wanted)
    try:
        return convert(value)
    except (ValueError, OverflowError):
        raise _refusal(fields, name, wanted) from None


def text(fields: Fields, name: str) -> str:
    """Return a field that holds text."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise _refusal(fields, name, "text")
    return value


def text_or_none(fields: Fields, name: str) -> str | None:
    """Return a field that holds text, or ``None`` for one that is null or missing."""
    return None if fields.get(name) is None else text(fields, name)


def integer(fields: Fields, name: str) -> int:
    """Return a field that holds an integer, as a number or as digits."""
    return _converted(fields, name, int, "an integer")


def integer_or_none(fields: Fields, name: str) -> int | None:
    """Return a field that holds an integer, or ``None`` for one that is null or missing."""
    return None if fields.get(name) is None else integer(fields, name)


def number(fields: Fields, name: str) -> float:
    """Return a field that holds a number, or its digits."""
    return _converted(fields, name, float, "a number")


def texts(fields: Fields, name: str) -> tuple[str, ...]:
    """Return a field that holds a list of texts."""
    values = fields.get(name)
    if not isinstance(values, (list, tuple)):
        raise _refusal(fields, name, "a list of texts")
    return tuple(text({name: value}, name) for value in values)


def objects(fields: Fields, name: str) -> list[Fields]:
    """Return a field that holds a list of JSON objects."""
    values = fields.get(name)
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, dict) for value in values):
        raise _refusal(fields, name, "a list of objects")
    return list(values)

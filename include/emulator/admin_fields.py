"""Typed fields of the JSON of admin calls. Errors (ValueError) name the field and its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

Fields = Mapping[str, object]
Number = TypeVar("Number", int, float)


def _invalid(fields: Fields, name: str, wanted: str) -> ValueError:
    return ValueError(f"{name}: expected {wanted}, got {fields.get(name)!r}")


def _converted(fields: Fields, name: str, convert: Callable[[float | str], Number], wanted: str) -> Number:
    value = fields.get(name)
    if not isinstance(value, (int, float, str)):
        raise _invalid(fields, name, wanted)
    try:
        return convert(value)
    except (ValueError, OverflowError):
        raise _invalid(fields, name, wanted) from None


def text(fields: Fields, name: str) -> str:
    """A text field."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise _invalid(fields, name, "text")
    return value


def text_or_none(fields: Fields, name: str) -> str | None:
    """A text field; None if it is null or missing."""
    return None if fields.get(name) is None else text(fields, name)


def integer(fields: Fields, name: str) -> int:
    """An integer field, sent as a number or as digits."""
    return _converted(fields, name, int, "an integer")


def integer_or_none(fields: Fields, name: str) -> int | None:
    """An integer field; None if it is null or missing."""
    return None if fields.get(name) is None else integer(fields, name)


def number(fields: Fields, name: str) -> float:
    """A number field, sent as a number or as digits."""
    return _converted(fields, name, float, "a number")


def texts(fields: Fields, name: str) -> tuple[str, ...]:
    """A field with a list of texts."""
    values = fields.get(name)
    if not isinstance(values, (list, tuple)):
        raise _invalid(fields, name, "a list of texts")
    return tuple(text({name: value}, name) for value in values)


def objects(fields: Fields, name: str) -> list[Fields]:
    """A field with a list of JSON objects."""
    values = fields.get(name)
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, dict) for value in values):
        raise _invalid(fields, name, "a list of objects")
    return list(values)

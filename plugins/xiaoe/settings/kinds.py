"""What may be given for a setting: text → value, or what to give instead."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar

from xiaoe.exceptions import XiaoeConfigError
from xiaoe.texts import LANGUAGES

Value = TypeVar("Value")
_HOURS = (1, 2, 3, 4, 6, 8, 12, 24)
_MAIL_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")


@dataclass(frozen=True)
class Kind(Generic[Value]):
    """What may be given for a setting.

    Args:
        parse: Text → value. Raises ValueError with the fix, or XiaoeConfigError.
        least: The smallest number, where it is one.
    """

    parse: Callable[[str], Value]
    least: int | None = None


@dataclass(frozen=True)
class Setting(Generic[Value]):
    """A row of the table; call it to read it.

    Args:
        name: Of the environment variable.
        kind: What may be given.
        default: As it would stand in the environment; a function where it depends on the machine.
        meaning: For docs/configuration.md, Markdown.
        shown: The default for docs/configuration.md, Markdown; None: as it is.
    """

    name: str
    kind: Kind[Value]
    default: str | Callable[[], str]
    meaning: str
    shown: str | None = None

    def __call__(self) -> Value:
        """The value in the environment, else the default.

        Raises:
            XiaoeConfigError: It cannot be; names the variable, the value and the fix.
        """
        default = self.default if isinstance(self.default, str) else self.default()
        text = os.environ.get(self.name, default)
        try:
            return self.kind.parse(text)
        except ValueError as error:
            usual = f" (default {default})" if default else ""
            raise XiaoeConfigError(f"{self.name}={text!r}: {error}{usual}") from None


def whole(least: int, unit: Callable[[int], Value]) -> Kind[Value]:
    """A whole number of a unit."""

    def parse(text: str) -> Value:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise ValueError(f"give a whole number, {least} or more")
        return unit(number)

    return Kind(parse, least)


def days(least: int) -> Kind[timedelta]:
    """A whole number of days."""
    return whole(least, lambda number: timedelta(days=number))


def hours(least: int) -> Kind[timedelta]:
    """A whole number of hours."""
    return whole(least, lambda number: timedelta(hours=number))


def minutes(least: int) -> Kind[timedelta]:
    """A whole number of minutes."""
    return whole(least, lambda number: timedelta(minutes=number))


def seconds(least: int) -> Kind[timedelta]:
    """A whole number of seconds."""
    return whole(least, lambda number: timedelta(seconds=number))


def size(least: int, unit: int) -> Kind[int]:
    """A whole number of units of so many bytes → bytes."""
    return whole(least, unit.__mul__)


def _port(number: int) -> int:
    if number > 65535:
        raise ValueError("give a port, 65535 at most")
    return number


def _names(text: str) -> list[str]:
    names = [name for name in map(str.strip, text.split(",")) if name]
    if not names or len(set(names)) != len(names):
        raise ValueError(
            "name each shop's Airflow connection once, separated by commas, e.g. xiaoe_default,xiaoe_second"
        )
    return names


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("give on or off")
    return text == "on"


def _addresses(text: str) -> list[str]:
    addresses = list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    for address in addresses:
        if not _MAIL_ADDRESS.fullmatch(address):
            raise ValueError(
                f"{address!r} is no mail address: give addresses separated by commas, e.g."
                " ops@example.com,fuli@example.com; empty sends no mail"
            )
    return addresses


def _some_of(*known: str) -> Kind[list[str]]:
    """Some of these words, or none of them."""

    def parse(text: str) -> list[str]:
        names = list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"{unknown[0]!r} is unknown: give some of {', '.join(known)}; empty: off")
        return names

    return Kind(parse)


def _percent(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = 0.0
    if not 50 <= percent < 100:
        raise ValueError("give a percentage from 50 to below 100")
    return percent


def _hours(text: str) -> timedelta:
    if text not in map(str, _HOURS):
        raise ValueError(f"give one of {', '.join(map(str, _HOURS))}")
    return timedelta(hours=int(text))


def _language(text: str) -> str:
    if text not in LANGUAGES:
        raise ValueError(f"give one of {', '.join(LANGUAGES)}")
    return text


def _web_address(text: str) -> str:
    address = text.strip().rstrip("/")
    if address and not address.startswith(("http://", "https://")):
        raise ValueError("give an address that begins with https:// or http://; empty: no links")
    return address


TEXT = Kind(str.strip)
PLAIN = Kind(str)
FOLDER = Kind(Path)
MAYBE_CONNECTION: Kind[str | None] = Kind(lambda text: text.strip() or None)
PORT = whole(1, _port)
PERCENT = Kind(_percent)
NAMES, ADDRESSES = Kind(_names), Kind(_addresses)
SOURCES, LISTS = _some_of("list", "push"), _some_of("live_viewers", "learning", "promoters")
SWITCH, LANGUAGE, WEB_ADDRESS, HOURS = Kind(_switch), Kind(_language), Kind(_web_address), Kind(_hours)

"""The answers of a check as a file: recorded, without personal values, to be served again or read by a test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from xiaoe.exceptions import XiaoeConfigError
from xiaoe.resources.registry import RESOURCES
from xiaoe.shop_check.anonymise import Anonymiser
from xiaoe.shop_check.calls import Reply
from xiaoe.shop_check.reading import decoded, kinds_of

FORMAT = 1
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True)
class Call:
    """One call and its answer.

    Args:
        interface: Path without the first slash, e.g. `xe.order.list.get/1.0.1`.
        request: The fields that were sent, without the token.
        answer: The envelope.
        seconds: How long it took.
    """

    interface: str
    request: dict[str, Any]
    answer: dict[str, Any]
    seconds: float = 0.0


@dataclass(frozen=True)
class Cassette:
    """Calls in the order they were made, and where they come from."""

    about: str
    calls: list[Call] = field(default_factory=list)

    def rows(self, interface: str) -> list[Any]:
        """Every row of an interface, the same bytes once, in the order they came."""
        rows = [row for call in self.calls if call.interface == interface for row in rows_of(call.answer)]
        return list({_encode(row): row for row in rows}.values())


def rows_of(answer: dict[str, Any]) -> list[Any]:
    """The rows of an envelope; none for every kind of empty answer."""
    data = answer.get("data")
    if isinstance(data, list):
        return data
    if not isinstance(data, dict):
        return []
    return next((data[name] for name in _LISTS if data.get(name)), [])


_LISTS = ("list", *sorted({resource.list_key for resource in RESOURCES.values()} - {"list"}))
"""What answers call their rows."""


def encoded(row: Any) -> bytes:
    """A row as it goes over the wire; numbers with a point keep every digit."""
    return _encode(row)


def record(replies: Sequence[Reply], about: str, key: bytes | None = None) -> Cassette:
    """Make a cassette of a check's replies, without personal values.

    Args:
        replies: Answers, and errors of the API; calls without an answer are left out.
        about: Where it comes from, for the reader; no name of the shop.
        key: Of the replacements; by default one that nobody keeps.
    """
    hidden = Anonymiser(kinds_of_all(), key)
    calls = []
    for reply in replies:
        answer = decoded(reply.body) if reply.body is not None else _failure(reply)
        if answer is not None:
            body = {"code": answer.get("code"), "data": hidden.value(answer.get("data"))}
            interface = reply.resource.endpoint.strip("/")
            calls.append(Call(interface, hidden.value(reply.request), body, round(reply.seconds, 3)))
    return Cassette(about, calls)


def kinds_of_all() -> dict[str, set[str]]:
    """Field → how the lists that have it read it."""
    found: dict[str, set[str]] = {}
    for resource in RESOURCES.values():
        for name, kind in kinds_of(resource).items():
            found.setdefault(name, set()).add(kind)
    return found


def _failure(reply: Reply) -> dict[str, Any] | None:
    code = reply.error.code if reply.error else None
    return None if code is None else {"code": code, "data": None}


def to_bytes(cassette: Cassette) -> bytes:
    """The file: one call a line."""
    head = _encode({"format": FORMAT, "about": cassette.about})
    return b"\n".join([head, *map(_encode, cassette.calls)]) + b"\n"


def from_bytes(content: bytes, name: str) -> Cassette:
    """Read such a file.

    Raises:
        XiaoeConfigError: It is none; names the file.
    """
    try:
        head, *lines = [_decoder.decode(line) for line in content.splitlines() if line.strip()]
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}")
        return Cassette(head["about"], [Call(**line) for line in lines])
    except (ValueError, KeyError, TypeError) as error:
        raise XiaoeConfigError(
            f"CASSETTE={name}: not a cassette of format {FORMAT} ({error}):"
            " give a file that `make check-shop RECORD=1` wrote"
        ) from None


def texts_of(value: Any) -> Iterable[str]:
    """Every text inside a value, however deep."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_of(inner)

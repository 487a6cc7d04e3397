"""The shape of the API's answers (docs/xiaoe-api.md sections 1, 2 and 9)."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from xiaoe.exceptions import XiaoeNetworkError
from xiaoe.rows import values

_NOTHING = msgspec.Raw(b"null")
_EXACT = msgspec.json.Decoder(float_hook=Decimal)
_ESCAPE = re.compile(
    rb"\\(?:(?P<high>u[dD][89abAB][0-9a-fA-F]{2})(?P<pair>\\u[dD][c-fC-F][0-9a-fA-F]{2})?"
    rb"|(?P<low>u[dD][c-fC-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""One escape of a JSON string at a time, so that the `ud83d` of an escaped backslash is none."""


class Envelope(msgspec.Struct):
    """`{"code": 0, "msg": "...", "data": ...}`; a few pages of the documentation spell `msg` as `message`."""

    code: Any = None
    msg: Any = None
    message: Any = None
    data: msgspec.Raw = _NOTHING


@dataclass(frozen=True)
class Listing:
    """The rows of one page, still raw, and how many rows the API says there are in all.

    Args:
        total: None where the answer does not tell.
        rows: Raw JSON, one per row; empty for every kind of empty answer.
    """

    total: int | None
    rows: list[msgspec.Raw]


def rows_of(body: bytes, *, total_field: str) -> Listing:
    """The rows of an answer that was good when it came; read in one go where it has the usual shape.

    Raises:
        XiaoeNetworkError: It is no such answer.
    """
    try:
        data = _whole_decoder(total_field).decode(body).data
        return Listing(values.code(data.total), data.list)
    except (ValueError, RecursionError):
        return read_listing(open_envelope(body).data, total_field=total_field)


@cache
def _whole_decoder(total_field: str) -> msgspec.json.Decoder[Any]:
    fields: list[Any] = [("list", list[msgspec.Raw]), ("total", Any, msgspec.field(default=None, name=total_field))]
    return msgspec.json.Decoder(msgspec.defstruct("Answer", [("data", msgspec.defstruct("Data", fields))]))


def open_envelope(body: bytes) -> Envelope:
    r"""Read the envelope only.

    Half an emoji in one title (`"\ud83d"`, cut off by somebody) is no text and makes the whole body
    unreadable. It becomes U+FFFD, the replacement character; the page store keeps the body as it came.

    Raises:
        XiaoeNetworkError: The body is not such an object (a proxy's HTML page, a cut answer, ...).
    """
    try:
        return _decode(body)
    except XiaoeNetworkError:
        whole = _ESCAPE.sub(_replace_half, body)
        if whole == body:
            raise
        return _decode(whole)


def _decode(body: bytes) -> Envelope:
    try:
        return msgspec.json.decode(body.removeprefix(BOM_UTF8), type=Envelope)
    except (ValueError, RecursionError) as error:  # ValueError: also bytes that are not UTF-8
        raise XiaoeNetworkError(f"the answer is not the API's JSON ({error}): {body[:80]!r}") from None


def _replace_half(escape: re.Match[bytes]) -> bytes:
    """A high surrogate without its low one, or the other way round → U+FFFD; all else as it is."""
    half = escape["low"] or (escape["high"] and not escape["pair"])
    return rb"\ufffd" if half else escape[0]


def read_listing(data: msgspec.Raw, *, total_field: str) -> Listing:
    """Read `data` of a list call; `null`, `[]` and `{}` are all empty, and so is a `list` of `null`.

    Raises:
        XiaoeNetworkError: `data` has another shape.
    """
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw] | list[msgspec.Raw] | None)
        if not fields:
            return Listing(None, [])
        if isinstance(fields, list):
            raise ValueError("data is a list")
        rows = msgspec.json.decode(fields.get("list", _NOTHING), type=list[msgspec.Raw] | None) or []
        total = _total(fields.get(total_field, _NOTHING), total_field)
    except (ValueError, RecursionError) as error:
        raise XiaoeNetworkError(f"the answer's data has an unknown shape ({error}): {bytes(data)[:80]!r}") from None
    return Listing(total, rows)


def _total(told: msgspec.Raw, field: str) -> int | None:
    try:
        return values.code(_EXACT.decode(told))
    except ValueError as error:
        raise ValueError(f"{field}={bytes(told)[:80]!r}: {error}") from None

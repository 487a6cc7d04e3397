"""The shape of the API's answers (docs/xiaoe-api.md sections 1, 2 and 9)."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from xiaoe.exceptions import XiaoeNetworkError
from xiaoe.rows import values
from xiaoe.rows.problems import NOT_JSON

_NOTHING = msgspec.Raw(b"null")
_EXACT = msgspec.json.Decoder(float_hook=Decimal)
_ESCAPE = re.compile(
    rb"\\(?:(?P<high>u[dD][89abAB][0-9a-fA-F]{2})(?P<pair>\\u[dD][c-fC-F][0-9a-fA-F]{2})?"
    rb"|(?P<low>u[dD][c-fC-F][0-9a-fA-F]{2})|u[0-9a-fA-F]{4}|[\"\\/bfnrt]|(?P<unknown>.))|(?P<control>[\x00-\x1f])",
    re.DOTALL,
)
"""One escape of a JSON string at a time, so that the `ud83d` of an escaped backslash is none; or a bare control
character."""
_TOKEN = re.compile(rb'(?P<string>"(?:[^"\\]|\\.)*")|[^\s\[\]{}:,"]+', re.DOTALL)
_is_literal = re.compile(rb"true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?").fullmatch
_LONGEST_TOKEN = 40
_LIST, _TOTAL = "list", "total"


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


def rows_of(body: bytes, *, total_field: str, list_field: str = _LIST, may_be_array: bool = False) -> Listing:
    """The rows of an answer that was good when it came; read in one go where it has the usual shape.

    Raises:
        XiaoeNetworkError: It is no such answer.
    """
    try:
        data = _whole_decoder(total_field, list_field).decode(body).data
        return Listing(values.code(data.total), data.list)
    except (ValueError, RecursionError):
        data = open_envelope(body).data
        return read_listing(data, total_field=total_field, list_field=list_field, may_be_array=may_be_array)


@cache
def _whole_decoder(total_field: str, list_field: str) -> msgspec.json.Decoder[Any]:
    needs_total = list_field != _LIST  # the common name is to be looked for as well
    fields: list[Any] = [
        ("list", list[msgspec.Raw], msgspec.field(name=list_field)),
        ("total", Any, msgspec.field(name=total_field, **({} if needs_total else {"default": None}))),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Answer", [("data", msgspec.defstruct("Data", fields))]))


def open_envelope(body: bytes) -> Envelope:
    r"""Read the envelope only.

    What is no JSON in one field would make the whole body unreadable, and costs that field alone; the page store keeps
    the body as it came. In a text, half an emoji (`"\ud83d"`, cut off by somebody) becomes U+FFFD, the replacement
    character; a bare line break and an escape that JSON does not know stand for themselves. Where a value should be,
    `NaN`, `Infinity`, `undefined`, `01` become an object that no reader takes (`problems.NOT_JSON`).

    Raises:
        XiaoeNetworkError: The body is not such an object (a proxy's HTML page, a cut answer, ...).
    """
    try:
        return _decode(body)
    except XiaoeNetworkError:
        whole = _TOKEN.sub(_mended, body)
        if whole == body or not body.removeprefix(BOM_UTF8).lstrip().startswith(b"{"):
            raise
        with suppress(XiaoeNetworkError):
            return _decode(whole)
        raise


def _decode(body: bytes) -> Envelope:
    try:
        return msgspec.json.decode(body.removeprefix(BOM_UTF8), type=Envelope)
    except (ValueError, RecursionError) as error:  # ValueError: also bytes that are not UTF-8
        raise XiaoeNetworkError(f"the answer is not the API's JSON ({error}): {body[:80]!r}") from None


def _mended(token: re.Match[bytes]) -> bytes:
    """A string or another token of a body as JSON; what is JSON stays as it is."""
    if token["string"] is not None:
        return _ESCAPE.sub(_mended_character, token[0])
    if _is_literal(token[0]):
        return token[0]
    return msgspec.json.encode({NOT_JSON: token[0][:_LONGEST_TOKEN].decode("utf-8", "replace")})


def _mended_character(found: re.Match[bytes]) -> bytes:
    """A high surrogate without its low one, or the other way round → U+FFFD; what JSON does not know is itself."""
    if found["control"]:
        return b"\\u%04x" % found[0][0]
    if found["unknown"]:
        return b"'" if found["unknown"] == b"'" else b"\\" + found[0]
    half = found["low"] or (found["high"] and not found["pair"])
    return rb"\ufffd" if half else found[0]


def read_listing(
    data: msgspec.Raw, *, total_field: str, list_field: str = _LIST, may_be_array: bool = False
) -> Listing:
    """Read `data` of a list call; `null`, `[]` and `{}` are all empty, and so is a `list` of `null`.

    Lists that call rows and total otherwise (`return_list`, `count`) may also come with the common names.

    Where `data` may be the array of rows itself, that is the whole list, and its length is the total.

    Two forms that no document names, and that mean one thing only: `data` as a text that holds JSON, and a `list` that
    PHP wrote as an object (`{"0": …, "2": …}`), which it does once rows were taken out of the middle of an array.

    Raises:
        XiaoeNetworkError: `data` has another shape.
    """
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw] | list[msgspec.Raw] | str | None)
        if isinstance(fields, str):
            fields = msgspec.json.decode(fields, type=dict[str, msgspec.Raw] | list[msgspec.Raw] | None)
        if not fields:
            return Listing(None, [])
        if may_be_array and (isinstance(fields, list) or list_field not in fields):
            rows = _in_order(fields, None)
            return Listing(len(rows), rows)
        if isinstance(fields, list):
            raise ValueError("data is a list")
        if list_field != _LIST:
            total_field = total_field if total_field in fields else _TOTAL
            list_field = list_field if list_field in fields else _LIST
        total = _total(fields.get(total_field, _NOTHING), total_field)
        told = fields.get(list_field, _NOTHING)
        rows = _in_order(msgspec.json.decode(told, type=list[msgspec.Raw] | dict[str, msgspec.Raw] | None), total)
    except (ValueError, RecursionError) as error:
        raise XiaoeNetworkError(f"the answer's data has an unknown shape ({error}): {bytes(data)[:80]!r}") from None
    return Listing(total, rows)


def _in_order(rows: list[msgspec.Raw] | dict[str, msgspec.Raw] | None, total: int | None) -> list[msgspec.Raw]:
    if not isinstance(rows, dict):
        return rows or []
    if (not rows and total != 0) or not all(name.isascii() and name.isdigit() for name in rows):
        raise ValueError("list is an object")
    return list(rows.values())


def _total(told: msgspec.Raw, field: str) -> int | None:
    try:
        return values.code(_EXACT.decode(told))
    except ValueError as error:
        raise ValueError(f"{field}={bytes(told)[:80]!r}: {error}") from None

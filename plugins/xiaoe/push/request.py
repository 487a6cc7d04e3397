"""What surrounds an encrypted message: four values in an HTTP request, in whatever form they come."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from xiaoe.push.leaves import UnreadableError, leaves_of

_MOST_FIELDS = 32
_MOST_DIGITS = 13
_MILLISECONDS_FROM = 10**11
"""A timestamp from there on counts milliseconds: as seconds it would lie in the year 5138."""


@dataclass(frozen=True)
class PushRequest:
    """The four values of a push.

    Args:
        encrypt: The message, base64.
        signature: Hex.
        timestamp: As it was sent, since the signature covers its digits.
        nonce: Random text.
    """

    encrypt: str
    signature: str
    timestamp: str
    nonce: str


def read_request(body: bytes, query: str) -> PushRequest:
    """Find the four values.

    Documented is "POST with encrypt, signature, timestamp, nonce", not in which form: JSON, a form, XML and the query
    string are all read, whatever Content-Type says; names in any case; `msg_signature`, which WeChat uses for the
    signature of an encrypted message, before `signature`.

    Args:
        body: Of the request.
        query: Query string of the request.

    Raises:
        UnreadableError: One of them is missing; names it.
    """
    fields = {**_lowered(_pairs(query)), **_lowered(_body_fields(body))}
    values = {
        # A form that was not escaped turns + into a blank; base64 has no blank.
        "encrypt": fields.get("encrypt", "").replace(" ", "+"),
        "signature": fields.get("msg_signature") or fields.get("signature", ""),
        "timestamp": fields.get("timestamp", ""),
        "nonce": fields.get("nonce", ""),
    }
    if missing := [name for name, value in values.items() if not value]:
        raise UnreadableError(f"the request has no {', '.join(missing)}")
    return PushRequest(**values)


def unix_seconds(timestamp: str) -> int | None:
    """A timestamp as unix seconds; None if it is no number. Whether it counts milliseconds is not documented."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MOST_DIGITS):
        return None
    number = int(timestamp)
    return number // 1000 if number >= _MILLISECONDS_FROM else number


def read_query(query: str) -> Mapping[str, str]:
    """The query string's fields, names in lower case; the first of several."""
    return _lowered(_pairs(query))


def _body_fields(body: bytes) -> Iterable[tuple[str, str]]:
    body = body.removeprefix(BOM_UTF8)
    start = body.lstrip()[:1]
    if start in (b"{", b"<"):
        return [(name, value) for name, value, _ in leaves_of(body)]
    return _pairs(body.decode("utf-8", "replace"))


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise UnreadableError(f"the request has more than {_MOST_FIELDS} fields") from None


def _lowered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name.lower(), value)
    return fields

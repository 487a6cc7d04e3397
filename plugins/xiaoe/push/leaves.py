"""XML or JSON as a flat list: every value with the name that it stands under."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

DATA = "xe_data"
"""The part of a message that holds its business fields [doc]."""
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_MOST = 10_000
"""Values of one text; known messages have a dozen."""


class UnreadableError(ValueError):
    """A text that is neither XML nor JSON as a push has it; says why, without any value of it."""


class Leaf(NamedTuple):
    """A value.

    Args:
        name: Of the element or key that holds it.
        value: Its text.
        in_data: Whether it stands in `xe_data`.
    """

    name: str
    value: str
    in_data: bool


def leaves_of(text: bytes) -> list[Leaf]:
    """The values of a text, in their order.

    XML may lack a single root [doc]. It is parsed within one of ours, so that a document type, and with it an entity,
    is a syntax error; the parser refuses both besides. Pushes are XML in the documentation; JSON is read as well,
    because no live shop is known to this project.

    Args:
        text: UTF-8.

    Raises:
        UnreadableError: It is neither.
    """
    text = text.removeprefix(BOM_UTF8)
    root = _json(text) if text.lstrip()[:1] == b"{" else _xml(text)
    leaves: list[Leaf] = []
    waiting = [("", root, False)]
    while waiting:  # no recursion: a text may be nested as deep as it is long
        name, node, in_data = waiting.pop()
        below = _below(node)
        if below is None:
            leaves.append(Leaf(name, _value(node), in_data))
        else:
            waiting.extend((label or name, one, in_data or label == DATA) for label, one in reversed(below))
        if len(leaves) + len(waiting) > _MOST:
            raise UnreadableError(f"it has more than {_MOST} values")
    if not leaves:
        raise UnreadableError("it has no values")
    return leaves


def _xml(text: bytes) -> Element:
    try:
        body = _DECLARATION.sub("", text.decode(), count=1)
        root: Element = fromstring(f"<all>{body}</all>", forbid_dtd=True)
    except UnicodeDecodeError:
        raise UnreadableError("it is no UTF-8") from None
    except DefusedXmlException:
        raise UnreadableError("it declares a document type or an entity") from None
    except (ParseError, ValueError):
        raise UnreadableError("it is no XML") from None
    if not len(root):
        raise UnreadableError("it is neither XML nor JSON")
    return root


def _json(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableError("it is no JSON") from None


def _below(node: Any) -> list[tuple[str, Any]] | None:
    """What a node holds, with names; None for a value. Items of a JSON array have their array's name."""
    if isinstance(node, str) and node.startswith("{"):
        try:
            node = _json(node.encode())  # an object sent as text
        except UnreadableError:
            return None
    if isinstance(node, Element):
        return [(child.tag, child) for child in node] or None
    if isinstance(node, dict):
        return list(node.items())
    return [("", one) for one in node] if isinstance(node, list) else None


def _value(node: Any) -> str:
    text = node.text if isinstance(node, Element) else node
    return "" if text is None else str(text).strip()

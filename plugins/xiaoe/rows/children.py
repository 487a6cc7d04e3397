"""Rows of a list that belongs to one parent: the answer does not say whose they are, so it is added to each row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Annotated, Any

import msgspec

from xiaoe.rows import values

PARENT, KEY = "_parent", "_key"
"""Fields that are added to a row: the parent's id, and the key of the row beside the shop. No field of the API."""
ADDED = frozenset({PARENT, KEY})
_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NULL = msgspec.Raw(b"null")


class Parent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose list is asked for.

    Args:
        id: The parent's id, or the day: what `Parents.column` holds.
        fields: What is sent to ask for it.
        read_at: When its list was last read completely, UTC; None: never.
    """

    id: str
    fields: dict[str, Any]
    read_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None

    @classmethod
    def read(cls, name: str, fields: dict[str, Any], read_at: datetime | None) -> Parent:
        """A parent, with `read_at` as the database has it: UTC, without an offset."""
        return cls(name, fields, read_at and read_at.replace(tzinfo=timezone.utc))


def with_parent(
    rows: Sequence[msgspec.Raw], parent: str, keys: Sequence[str], group: str | None = None
) -> list[msgspec.Raw]:
    """The rows with their parent's id and their own key, `PARENT/a` or `PARENT/a/b`, as two more fields.

    They stand last, where they win over a field of the same name. A row without the first of the key's fields gets a
    key of null; what is no object stays as it is.

    Args:
        rows: As they came.
        parent: The parent's id.
        keys: Fields that make up the key; those behind the first may be missing or empty.
        group: The group of the row that they may lie in.
    """
    return [_with_parent(raw, parent, keys, group) for raw in rows]


def _with_parent(raw: msgspec.Raw, parent: str, keys: Sequence[str], group: str | None) -> msgspec.Raw:
    try:
        fields = _fields_of(raw)
    except UnicodeDecodeError:
        return _with_parent(msgspec.Raw(bytes(raw).decode("utf-8", "replace").encode()), parent, keys, group)
    except (ValueError, RecursionError):
        return raw
    added = msgspec.json.encode({PARENT: parent, KEY: _key(_with_group(fields, group), parent, keys)})
    body = bytes(raw).rstrip()
    return msgspec.Raw(body[:-1] + (b"," if fields else b"") + added[1:])


def _with_group(fields: dict[str, msgspec.Raw], group: str | None) -> dict[str, msgspec.Raw]:
    """The fields of the row and of the group; one that is no object has none."""
    try:
        return fields | _fields_of(fields[group]) if group in fields else fields
    except msgspec.ValidationError:
        return fields


def _key(fields: dict[str, msgspec.Raw], parent: str, keys: Sequence[str]) -> str | None:
    """The row's key; None where it has none, or one that is longer than a key may be."""
    try:
        first, *others = (values.identifier(msgspec.json.decode(fields.get(name, _NULL))) for name in keys)
        if not first or not first.strip():
            return None
        return values.identifier("/".join([parent, first, *filter(None, others)]))
    except (ValueError, RecursionError, ArithmeticError):
        return None

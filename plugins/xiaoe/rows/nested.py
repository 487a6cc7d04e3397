"""Rows whose fields lie one level down, in groups: `{"order_info": {"order_id": …}, "good_list": […]}`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from xiaoe.rows.decode import RowReader, decoded

_NULL = msgspec.Raw(b"null")
_EMPTY = frozenset({b"null", b'""', b"[]", b"{}"})
_groups_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class NestedRowReader(RowReader):
    """Reads rows with groups; a field may lie in its group or beside it.

    Args:
        groups: Names of the groups, and for each what its fields are called in the mapping; None: as they are called.
        unkept: Names of groups about people that are not read, and not kept of a row that cannot be typed.
        mapping: As for `RowReader`.
        code_texts: The same.
        key: The same.
    """

    def __init__(
        self, *arguments: Any, groups: dict[str, dict[str, str] | None], unkept: Sequence[str], **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._groups = groups
        self._unkept = frozenset(unkept)

    def flat(self, row: dict[str, Any]) -> dict[str, Any]:
        """The fields of the row and of its groups."""
        found = {name: value for name, value in row.items() if name not in self._groups}
        for group, names in self._groups.items():
            inner = row.get(group)
            renamed: dict[str, str] = names or {}
            if isinstance(inner, str):
                with suppress(ValueError, RecursionError):
                    inner = msgspec.json.decode(inner)
            for name, value in inner.items() if isinstance(inner, dict) else ():
                field = str(renamed.get(name, name))
                if value not in (None, "", [], {}) or field not in found:
                    found[field] = value
        return found

    def key(self, raw: bytes | msgspec.Raw) -> str | None:
        """The row's key, as `RowReader.key`."""
        try:
            key: str | None = self._mapping[self._key][1](self._fields(raw)[self._key_place])
        except (ValueError, ArithmeticError, RecursionError):
            return None
        return key if key and key.strip() else None

    def keys(self, raws: Sequence[bytes | msgspec.Raw]) -> list[str | None]:
        """`key` of each row."""
        return [self.key(raw) for raw in raws]

    def kept(self, raw: bytes | msgspec.Raw) -> bytes:
        """A row that cannot be typed, as it may be kept: without the groups that are not to be."""
        try:
            found = _groups_of(raw)
        except (ValueError, RecursionError):
            return super().kept(raw)
        if self._unkept.isdisjoint(found):
            return super().kept(raw)
        return msgspec.json.encode({name: value for name, value in found.items() if name not in self._unkept})

    def _decoded_fields(self, raw: bytes | msgspec.Raw) -> tuple[Any, ...]:
        found = self._flat(raw)
        return tuple(decoded(found.get(field, _NULL)) for field, _ in self._mapping.values())

    def _flat(self, raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
        """The fields of the row and of its groups; a group that is no object, such as an empty array, has none.

        A group may be written as a text of JSON; what is empty in it does not hide what stands beside it.
        """
        found = _groups_of(raw)
        for group, names in self._groups.items():
            inner = _group(found.get(group, msgspec.Raw(b"{}")))
            for name in inner if names is None else names.keys() & inner.keys():
                field = name if names is None else names[name]
                if bytes(inner[name]) not in _EMPTY or field not in found:
                    found[field] = inner[name]
        return found


def _group(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The fields of a group; none where it is no object, nor a text that holds one."""
    if bytes(raw).startswith(b'"'):
        text = msgspec.json.decode(raw, type=str)
        try:
            return _groups_of(text)
        except (ValueError, RecursionError):
            return {}
    try:
        return _groups_of(raw)
    except msgspec.ValidationError:
        return {}

"""Rows of the harsh shop (`harsh_shop`): what is true of them, and pages of them as the API sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Body = Mapping[str, Any]
EVERY = 20
"""One row of so many has a field that cannot be read."""


@dataclass(frozen=True)
class Fact:
    """One field of a row: what is true, and how it may be written.

    Args:
        field: Its name in the API.
        column: Its name in the warehouse.
        kind: Of `harsh_forms.FORMS`.
        value: Plain; None for "none".
        words: Code → published word.
    """

    field: str
    column: str
    kind: str
    value: Any
    words: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One row of a list; the first fact is its key, and `time` what windows go by."""

    number: int
    time: datetime
    facts: tuple[Fact, ...]

    @property
    def key(self) -> str:
        """Its key, as the warehouse has it."""
        return str(self.facts[0].value)

    @property
    def odd(self) -> Fact | None:
        """The fact that nobody can read, in every twentieth row another one."""
        turn, place = divmod(self.number, EVERY)
        return self.facts[1 + turn % (len(self.facts) - 1)] if place == 7 else None

    @property
    def unread(self) -> set[str]:
        """Its fields that cannot be read as they should be."""
        return {self.odd.field} if self.odd else set()

    def stored(self, *unread: str) -> dict[str, Any]:
        """Column → value as the warehouse has to hold it; unreadable columns and their texts are None."""
        if self.odd:
            unread = (*unread, self.odd.column)
        found: dict[str, Any] = {}
        for fact in self.facts:
            value = None if fact.column in unread else fact.value
            is_list = fact.kind == "codes" and value is not None
            found[fact.column] = ",".join(map(str, value)) if is_list else value
            if fact.words:
                codes = () if value is None else value if is_list else (value,)
                found[f"{fact.column}_text"] = ",".join(fact.words[code] for code in codes) or None
        marked = [fact.column for fact in self.facts if fact.column in unread]
        return {**found, "problem_columns": ",".join(marked) or None}


@dataclass(frozen=True)
class Child(Row):
    """A row of a parent's list, which does not say whose it is.

    Args:
        parent: Whose list it is in.
        column: Where the warehouse has the parent.
    """

    parent: str
    column: str

    @property
    def key(self) -> str:
        """Its key, as the warehouse has it."""
        return f"{self.parent}/{self.facts[0].value}"

    def stored(self, *unread: str) -> dict[str, Any]:
        """As of any row, and whose it is."""
        return {**super().stored(*unread), self.column: self.parent, "row_key": self.key}


def error(code: int, why: str) -> dict[str, Any]:
    return {"code": code, "message": why, "data": None}


def keyless(key: str, sent: dict[str, Any]) -> dict[str, Any]:
    """The element without its key, as in samples of the documentation."""
    return {name: value for name, value in sent.items() if name != key}


def numbered(
    found: Sequence[dict[str, Any]], key: str, body: Body, page_key: str, most: int, total_key: str | None
) -> dict[str, Any]:
    """A page by number; the total counts only what has a key."""
    size = min(int(body.get("page_size", most)), most)
    begin = (int(body.get(page_key, 1)) - 1) * size
    return page(found[begin : begin + size], sum(str(one.get(key, " ")) > " " for one in found), total_key)


def page(rows: Sequence[dict[str, Any]], total: int, total_key: str | None) -> dict[str, Any]:
    told = {} if total_key is None else {total_key: str(total)}
    return {"code": "0", "message": "success", "data": {**told, "list": list(rows) or None, "trace": "t"}}

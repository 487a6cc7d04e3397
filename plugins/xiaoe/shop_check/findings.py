"""What a check of a shop finds. Plain data: the words for it are in `texts.yaml`."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

PRIVATE = frozenset({"message", "ip"})
"""Facts that are shown on the screen only: they name a server, or quote what the API wrote."""


class Level(str, enum.Enum):
    """How a finding bears on the verdict."""

    OK = "ok"
    UNKNOWN = "unknown"
    """Could not be settled with the rows that the shop has: no remark."""
    REMARK = "remark"
    BAD = "bad"


class ShopVerdict(str, enum.Enum):
    """How a shop and this code go together."""

    FITS = "fits"
    REMARKS = "fits_with_remarks"
    UNFIT = "does_not_fit"


@dataclass(frozen=True)
class Finding:
    """One answer to one question.

    Args:
        key: Name of its text in `texts.yaml`.
        level: How it bears on the verdict.
        resource: The list that it is about; its table is wrong where the level is BAD. None: the whole shop.
        facts: Figures and names for the text; no value of a row among them.
    """

    key: str
    level: Level = Level.OK
    resource: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def plain(self, *, private: bool = False) -> dict[str, Any]:
        """As JSON has it; with `private` also what is for the screen only."""
        facts = {name: fact for name, fact in self.facts.items() if private or name not in PRIVATE}
        return {"key": self.key, "level": self.level.value, "resource": self.resource, "facts": facts}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Finding:
        """The reverse of `plain`."""
        return cls(plain["key"], Level(plain["level"]), plain["resource"], plain["facts"])


@dataclass(frozen=True)
class FieldReport:
    """How one field of a list came.

    Args:
        field: Its name in the API.
        kind: How it is read (`yuan`, `time`, …); None for a field that is not stored.
        rows: Rows looked at.
        missing: Rows without it.
        empty: Rows where it is null, or one of the API's ways to write "none".
        forms: Type and pattern → rows; no value.
        refused: Rows where it cannot be read.
    """

    field: str
    kind: str | None
    rows: int
    missing: int
    empty: int
    forms: Mapping[str, int]
    refused: int = 0


@dataclass(frozen=True)
class ShopCheck:
    """All that one check found.

    Args:
        conn_id: The shop's connection.
        shop_id: Its app_id, or empty where the connection does not say it.
        checked_at: UTC.
        calls: API calls, the token's included.
        seconds: How long it took.
        findings: In the order of the report.
        fields: List → its fields.
    """

    conn_id: str
    shop_id: str
    checked_at: datetime
    calls: int
    seconds: float
    findings: Sequence[Finding]
    fields: Mapping[str, Sequence[FieldReport]] = field(default_factory=dict)

    @property
    def verdict(self) -> ShopVerdict:
        """Unfit with one bad finding, with remarks where there is one."""
        levels = {one.level for one in self.findings}
        if Level.BAD in levels:
            return ShopVerdict.UNFIT
        return ShopVerdict.REMARKS if Level.REMARK in levels else ShopVerdict.FITS

    @property
    def wrong_tables(self) -> list[str]:
        """Tables that would be wrong or empty; none where the check could not begin."""
        return list(dict.fromkeys(one.resource for one in self.findings if one.level is Level.BAD and one.resource))

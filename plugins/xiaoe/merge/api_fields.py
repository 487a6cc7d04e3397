"""Fields that the API sends: what is new, and what no longer comes (table `api_fields`).

A few rows of each page are looked at, which costs next to nothing; the table is written only where something changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from xiaoe.clock import utc_now
from xiaoe.mysql.session import Session
from xiaoe.resources.base import Resource
from xiaoe.rows.children import ADDED
from xiaoe.rows.problems import shape_of

PER_PAGE = 10
"""Rows of a page that are looked at."""
_ENOUGH = 10
"""Rows that have to be looked at before a field counts as always sent, or as gone."""
_MOST = 1000
"""Rows that one run looks at."""
_STALE = timedelta(days=1)
"""`last_seen_at` is written again when it is older."""
_LONGEST_NAME = 128
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


def sample(rows: Sequence[msgspec.Raw]) -> list[msgspec.Raw]:
    """A few rows of a page, evenly spread."""
    return list(rows[:: max(1, -(-len(rows) // PER_PAGE))])


class _Held(NamedTuple):
    is_always: int
    last_seen_at: Any
    is_missing: int


class FieldSurvey:
    """The fields of the rows that one run looked at."""

    def __init__(self) -> None:
        self._rows = 0
        self._seen: Counter[str] = Counter()
        self._shapes: dict[str, str] = {}

    def add(self, rows: Iterable[msgspec.Raw]) -> None:
        """Look at some rows; one that is no object has no fields."""
        for raw in islice(rows, max(0, _MOST - self._rows)):
            try:
                fields = _decode(raw)
            except (ValueError, RecursionError, ArithmeticError):
                continue
            fields = {name: value for name, value in fields.items() if name not in ADDED}
            self._rows += 1
            if max(map(len, fields), default=0) > _LONGEST_NAME:
                fields = {name[:_LONGEST_NAME]: value for name, value in fields.items()}
            self._seen.update(fields.keys())
            for field in fields.keys() - self._shapes.keys():
                if fields[field] is not None:
                    self._shapes[field] = shape_of(fields[field])

    def write(self, session: Session, resource: Resource, shop_id: str) -> list[str]:
        """Note new fields, fields that came again, and those that always came and did not now.

        Returns:
            Of the last, those that a column stores; each only by the first run that it is missing from.
        """
        rows = session.query(
            "SELECT field, is_always, last_seen_at, missing_since IS NOT NULL FROM api_fields"
            " WHERE shop_id = %s AND resource = %s",
            (shop_id, resource.name),
        )
        held = {field: _Held(*others) for field, *others in rows}
        stored = resource.reader.fields
        session.insert_many(
            "INSERT INTO api_fields (shop_id, resource, field, shape, is_stored, is_always, first_seen_at,"
            " last_seen_at) VALUES (%s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))"
            " ON DUPLICATE KEY UPDATE is_stored = VALUES(is_stored), is_always = LEAST(is_always, VALUES(is_always)),"
            " last_seen_at = VALUES(last_seen_at), missing_since = NULL",
            [
                (shop_id, resource.name, field, self._shapes.get(field, "null"), field in stored, self._always(field))
                for field in sorted(self._seen)
                if self._is_news(field, held.get(field))
            ],
        )
        gone = [
            field
            for field, one in held.items()
            if one.is_always and not one.is_missing and field not in self._seen and self._rows >= _ENOUGH
        ]
        if gone:
            session.execute(
                "UPDATE api_fields SET missing_since = UTC_TIMESTAMP(3)"
                " WHERE shop_id = %s AND resource = %s AND field IN %s",
                (shop_id, resource.name, tuple(gone)),
            )
        return sorted(stored & set(gone))

    def _always(self, field: str) -> bool:
        return self._seen[field] == self._rows >= _ENOUGH

    def _is_news(self, field: str, held: _Held | None) -> bool:
        if held is None or held.is_missing:
            return True
        is_old = held.last_seen_at < utc_now().replace(tzinfo=None) - _STALE
        return is_old or (bool(held.is_always) and self._seen[field] < self._rows)

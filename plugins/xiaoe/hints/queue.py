"""The queue of hints (`change_hints`): rows are only added, and only a merge removes them, in its transaction.

A merge removes the very hints that its look-up was made for, by id: one that was added meanwhile stays, also one with a
smaller id whose transaction committed later. What came of each is kept in `hint_looks`, one row per order and merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from xiaoe.clock import BEIJING, beijing_text, utc_text
from xiaoe.mysql.session import Session

Source = Literal["push", "list"]


@dataclass(frozen=True)
class Hint:
    """A hint that waits.

    Args:
        id: `change_hints.id`.
        order_id: The order.
        source: Who told.
        changed_at: When the order changed, Beijing, by the shop's clock; None if the source does not say.
        told_at: When the hint came, UTC, by this side's clock.
    """

    id: int
    order_id: str
    source: Source
    changed_at: datetime | None
    told_at: datetime


def add(
    session: Session, shop_id: str, order_id: str, source: Source, changed_at: datetime | None, told_at: datetime
) -> None:
    """Add a hint, in the caller's transaction; never waits for a merge.

    Args:
        session: The caller commits.
        shop_id: The shop (`app_id`).
        order_id: The order, at most 128 characters (`rows.values.identifier`).
        source: Where the hint is from.
        changed_at: When the order changed, with an offset; None if the source does not say.
        told_at: When the hint came, with an offset.
    """
    add_many(session, [(shop_id, order_id)], source, changed_at, told_at)


def add_many(
    session: Session,
    hints: Iterable[tuple[str, str]],
    source: Source,
    changed_at: datetime | None,
    told_at: datetime,
) -> None:
    """Add hints of one source and moment in few statements; see `add`.

    Args:
        session: The caller commits.
        hints: Shop and order of each.
        source: See `add`.
        changed_at: See `add`.
        told_at: See `add`.
    """
    changed, told = beijing_text(changed_at) if changed_at else None, utc_text(told_at)
    session.insert_many(
        "INSERT INTO change_hints (shop_id, order_id, source, changed_at, told_at) VALUES (%s, %s, %s, %s, %s)",
        [(shop_id, order_id, source, changed, told) for shop_id, order_id in hints],
    )


def waiting(session: Session, shop_id: str, limit: int) -> list[Hint]:
    """The oldest hints of a shop, at most `limit`."""
    rows = session.query(
        "SELECT id, order_id, source, changed_at, told_at FROM change_hints FORCE INDEX (idx_change_hints_shop)"
        " WHERE shop_id = %s ORDER BY id LIMIT %s",
        (shop_id, limit),
    )
    return [_hint(row) for row in rows]


def of_ids(session: Session, shop_id: str, ids: Sequence[int]) -> list[Hint]:
    """Those of these hints that still wait, oldest first."""
    if not ids:
        return []
    rows = session.query(
        "SELECT id, order_id, source, changed_at, told_at FROM change_hints"
        " WHERE shop_id = %s AND id IN %s ORDER BY id",
        (shop_id, ids),
    )
    return [_hint(row) for row in rows]


def remove(session: Session, ids: Sequence[int]) -> None:
    """Remove hints, in the transaction of the merge that answers them.

    One by one: of a single value of a unique key that exists InnoDB locks the row alone; of several it may lock the gap
    behind the last, where a new hint would have to wait for the merge.
    """
    session.insert_many("DELETE FROM change_hints WHERE id = %s", [(number,) for number in ids])


def _hint(row: tuple[Any, ...]) -> Hint:
    number, order_id, source, changed_at, told_at = row
    changed_at = changed_at.replace(tzinfo=BEIJING) if changed_at else None
    return Hint(number, order_id, source, changed_at, told_at.replace(tzinfo=timezone.utc))

"""What a merge does about the hints that its look-up was made for: it removes them, and keeps what came of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from xiaoe.clock import beijing_text, utc_text
from xiaoe.hints import queue
from xiaoe.hints.queue import Hint
from xiaoe.mysql.session import Session
from xiaoe.storage.manifest import Manifest

Outcome = Literal["new", "changed", "same", "seen", "unlisted"]


@dataclass(frozen=True)
class Stored:
    """An order as the warehouse has it.

    Args:
        row_hash: Over its typed row.
        batch_id: The run that wrote it last; a look-up writes each row it finds.
    """

    row_hash: int
    batch_id: str


@dataclass(frozen=True)
class Waiting:
    """Hints that a merge is about to answer, and their orders before it.

    Args:
        hints: Those that still wait.
        stored: Order → how it is stored; unknown orders are left out.
    """

    hints: Sequence[Hint]
    stored: Mapping[str, Stored]


def waiting(session: Session, manifest: Manifest) -> Waiting:
    """What a manifest's look-up was made for; to be called before the merge writes.

    Hints of a manifest that was merged before are gone, and are not answered twice.
    """
    hints = queue.of_ids(session, manifest.shop_id, manifest.hints)
    return Waiting(hints, _stored(session, manifest.shop_id, hints))


def answer(session: Session, manifest: Manifest, waiting: Waiting) -> None:
    """Remove the hints and record what came of each order; to be called after the merge has written.

    Args:
        session: In the merge's transaction.
        manifest: Of the look-up.
        waiting: As it was before.
    """
    if not waiting.hints:
        return
    stored = _stored(session, manifest.shop_id, waiting.hints)
    by_order: dict[str, list[Hint]] = defaultdict(list)
    for hint in waiting.hints:
        by_order[hint.order_id].append(hint)
    rows = []
    for order_id, hints in sorted(by_order.items()):
        first = min(hints, key=lambda hint: (hint.told_at, hint.id))
        found = outcome(
            waiting.stored.get(order_id), stored.get(order_id), manifest.batch_id, order_id in manifest.not_listed
        )
        changed_at = beijing_text(first.changed_at) if first.changed_at else None
        rows.append(
            (
                manifest.shop_id,
                manifest.batch_id,
                order_id,
                first.source,
                len(hints),
                changed_at,
                utc_text(first.told_at),
                found,
            )
        )
    session.insert_many(
        "INSERT INTO hint_looks (shop_id, batch_id, order_id, source, hints, changed_at, told_at, outcome, taken_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(3))"
        # A stage task that was cleared looks again, under the same batch.
        " ON DUPLICATE KEY UPDATE hints = hints + VALUES(hints), taken_at = VALUES(taken_at),"
        " outcome = VALUES(outcome)",
        rows,
    )
    queue.remove(session, [hint.id for hint in waiting.hints])


def outcome(before: Stored | None, after: Stored | None, batch_id: str, is_unlisted: bool) -> Outcome:
    """What came of the hints on an order.

    Args:
        before: The order before the merge; None if it was unknown.
        after: The order after it.
        batch_id: Of the look-up.
        is_unlisted: Whether the API did not list a known order.
    """
    if is_unlisted or after is None:
        return "unlisted"
    if before is None:
        return "new"
    if after.row_hash != before.row_hash:
        return "changed"
    return "same" if after.batch_id == batch_id else "seen"


def _stored(session: Session, shop_id: str, hints: Sequence[Hint]) -> dict[str, Stored]:
    names = sorted({hint.order_id for hint in hints})
    if not names:
        return {}
    rows = session.query(
        "SELECT order_id, row_hash, batch_id FROM orders WHERE shop_id = %s AND order_id IN %s", (shop_id, names)
    )
    return {order_id: Stored(digest, batch_id) for order_id, digest, batch_id in rows}

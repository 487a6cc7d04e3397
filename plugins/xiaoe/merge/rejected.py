"""`rejected_rows`: rows that could not be typed; each is resolved when a later version of it can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xiaoe.merge import outbox
from xiaoe.mysql.session import Session
from xiaoe.resources.base import Resource
from xiaoe.storage.manifest import Manifest

_LONGEST_REASON = 1000


@dataclass(frozen=True)
class Rejected:
    """A row that could not be typed.

    Args:
        key: Its key; None if it has none.
        reason: Field, value and why.
        raw_hash: As `RowReader.raw_hash`.
        raw: The row as received.
        observed_at: UTC, as text.
        kept: What is stored of it, without the personal data that a policy hides.
    """

    key: str | None
    reason: str
    raw_hash: int
    raw: bytes
    observed_at: str
    kept: bytes


def write_rejected(session: Session, resource: Resource, manifest: Manifest, rejected: list[Rejected]) -> None:
    """Store rows that could not be typed; one that is stored already, byte for byte, is counted.

    Of a row too long for a statement the beginning is stored, and the reason says so: the others go on.
    """
    cut = [_cut(row, session.largest_text) for row in rejected]
    session.insert_many(
        "INSERT INTO rejected_rows (shop_id, resource, raw_hash, row_key, reason, raw_json, batch_id,"
        " first_seen_at, last_seen_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE seen_count = seen_count + (VALUES(last_seen_at) > last_seen_at),"
        " resolved_at = IF(VALUES(last_seen_at) > last_seen_at, NULL, resolved_at),"
        " last_seen_at = GREATEST(last_seen_at, VALUES(last_seen_at))",
        [
            (
                manifest.shop_id,
                manifest.resource,
                row.raw_hash,
                row.key,
                reason,
                text,
                manifest.batch_id,
                row.observed_at,
                row.observed_at,
            )
            for row, (reason, text) in zip(rejected, cut, strict=True)
        ],
    )
    outbox.queue_decisions(session, resource, manifest.shop_id, [row.key for row in rejected if row.key])


def _cut(row: Rejected, most: int) -> tuple[str, str]:
    """Reason and text of a row; of the text at most so many bytes."""
    text = row.kept.decode("utf-8", "replace")
    size = len(text.encode())
    if size <= most:
        return row.reason[:_LONGEST_REASON], text
    note = f"; the first {most} of {size} bytes are kept: more do not fit max_allowed_packet"
    return row.reason[: _LONGEST_REASON - len(note)] + note, text.encode()[:most].decode("utf-8", "ignore")


def unresolved_rejects(session: Session, manifest: Manifest) -> dict[str, str]:
    """Keys of rows that could not be typed and have not been since → when they were last seen like that, UTC."""
    rows = session.query(
        "SELECT row_key, DATE_FORMAT(MAX(last_seen_at), '%%Y-%%m-%%d %%H:%%i:%%S.%%f') FROM rejected_rows"
        " WHERE shop_id = %s AND resource = %s AND resolved_at IS NULL AND row_key IS NOT NULL GROUP BY row_key",
        (manifest.shop_id, manifest.resource),
    )
    return {key: seen[:-3] for key, seen in rows}


def resolve_rejects(session: Session, resource: Resource, manifest: Manifest, names: Iterable[str]) -> None:
    """Note that these rows could be typed when they were seen again."""
    found = sorted(names)
    outbox.queue_decisions(session, resource, manifest.shop_id, found)
    for name in found:
        session.execute(
            "UPDATE rejected_rows SET resolved_at = UTC_TIMESTAMP(3)"
            " WHERE shop_id = %s AND resource = %s AND row_key = %s AND resolved_at IS NULL",
            (manifest.shop_id, manifest.resource, name),
        )

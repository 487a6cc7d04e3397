"""Where each parent has a list: when it was last read, and whether it still changes (`parent_readings`).

It answers for a parent what the ledger answers for a window: until when its rows were observed, also those that did not
change. Beside it stands how far the last run came (`parent_coverage`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from xiaoe.clock import utc_text
from xiaoe.merge.reconcile import SliceResult
from xiaoe.mysql.session import Session
from xiaoe.storage.manifest import Manifest, SliceManifest

_AT_ONCE = 1000
_READING = (
    "INSERT INTO parent_readings (shop_id, resource, parent_id, observed_at, same_since, listed, batch_id)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE"
    " same_since = IF(VALUES(observed_at) > observed_at, {same_since}, same_since),"
    " listed = IF(VALUES(observed_at) > observed_at, VALUES(listed), listed),"
    " batch_id = IF(VALUES(observed_at) > observed_at, VALUES(batch_id), batch_id),"
    " observed_at = GREATEST(observed_at, VALUES(observed_at))"
)
"""`observed_at` stands last: what stands before compares with the old one."""


def seen_after(session: Session, manifest: Manifest) -> dict[str, datetime]:
    """Parent → when its list was read later than this run did it, UTC; there are some only out of order."""
    read_at = _first_observed(manifest.slices)
    later: dict[str, datetime] = {}
    names = sorted(read_at)
    for start in range(0, len(names), _AT_ONCE):
        rows = session.query(
            "SELECT parent_id, observed_at FROM parent_readings"
            " WHERE shop_id = %s AND resource = %s AND parent_id IN %s",
            (manifest.shop_id, manifest.resource, names[start : start + _AT_ONCE]),
        )
        held = ((parent, moment.replace(tzinfo=timezone.utc)) for parent, moment in rows)
        later |= {parent: moment for parent, moment in held if utc_text(moment) > utc_text(read_at[parent])}
    return later


def write_readings(
    session: Session, manifest: Manifest, results: Sequence[SliceResult], absent: Mapping[str, int]
) -> None:
    """Note that these lists were read completely; an older reading of one changes nothing.

    Args:
        session: In the merge's transaction, rows written.
        manifest: The run.
        results: Of all slices.
        absent: Parent → rows that were marked absent.
    """
    read_at = _first_observed(manifest.slices)
    listed, changed = Counter[str](), Counter(absent)
    for result in results:
        if result.slice_.parent is not None:
            listed[result.slice_.parent] += result.slice_.staged
            changed[result.slice_.parent] += result.counts["inserted"] + result.counts["updated"]
    refused = manifest.parents.refused if manifest.parents else {}
    for has_changed in (True, False):
        session.insert_many(
            _READING.format(same_since="VALUES(observed_at)" if has_changed else "same_since"),
            [
                (manifest.shop_id, manifest.resource, parent, utc_text(moment), utc_text(moment), listed[parent],
                 manifest.batch_id)
                for parent, moment in sorted(read_at.items())
                if parent not in refused and bool(changed[parent]) is has_changed
            ],
        )  # fmt: skip


def write_coverage(session: Session, manifest: Manifest) -> None:
    """Note how many lists this run was to read, and how many wait; an older run changes nothing."""
    told = manifest.parents
    if told is None:
        return
    planned_at = utc_text(manifest.started_at or manifest.observed_at)
    session.execute(
        "DELETE FROM parent_coverage WHERE shop_id = %s AND resource = %s AND mode = %s AND planned_at <= %s",
        (manifest.shop_id, manifest.resource, manifest.mode, planned_at),
    )
    session.execute(
        "INSERT IGNORE INTO parent_coverage"
        " (shop_id, resource, mode, wanted, reached, postponed, oldest_at, planned_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            manifest.shop_id,
            manifest.resource,
            manifest.mode,
            told.wanted,
            told.wanted - told.postponed - len(told.refused),
            told.postponed,
            utc_text(told.oldest_at) if told.oldest_at else None,
            planned_at,
        ),
    )


def _first_observed(slices: Sequence[SliceManifest]) -> dict[str, datetime]:
    """Parent → when the first page of its list was requested."""
    found: dict[str, datetime] = {}
    for slice_ in slices:
        if slice_.parent is not None:
            found[slice_.parent] = min(slice_.observed_at, found.get(slice_.parent, slice_.observed_at))
    return found

"""The ledger `sync_windows`: a line proves that its window was observed at a moment.

It answers what was covered at all, and when each moment of a window was last observed, also for rows that did not
change. Compaction keeps both answers. Windows are Beijing wall-clock, every other time is UTC.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone

from xiaoe.clock import BEIJING, beijing_text, utc_text
from xiaoe.coverage import Look
from xiaoe.merge import outbox
from xiaoe.mysql.session import Session
from xiaoe.resources.base import Resource
from xiaoe.storage.manifest import Manifest, SliceManifest


@dataclass(frozen=True)
class SeenWindow:
    """A merged window: everything created in it was seen at `observed_at` or later.

    Args:
        begin: Beijing time as text, `YYYY-MM-DD HH:MM:SS`.
        end: The same; not included.
        observed_at: UTC; the earliest page's.
    """

    begin: str
    end: str
    observed_at: datetime


def windows_seen_after(session: Session, manifest: Manifest) -> list[SeenWindow]:
    """Merged windows that overlap the manifest's and were read later than its earliest page.

    There are some only if this merge is out of order. Rows they observed and did not write were unchanged, so the
    warehouse's version is newer than this merge's.
    """
    window = manifest.window
    rows = session.query(
        "SELECT DATE_FORMAT(window_start, '%%Y-%%m-%%d %%H:%%i:%%S'),"
        " DATE_FORMAT(window_end, '%%Y-%%m-%%d %%H:%%i:%%S'), observed_at FROM sync_windows"
        " WHERE shop_id = %s AND resource = %s AND observed_at > %s AND window_start < %s AND window_end > %s",
        (
            manifest.shop_id,
            manifest.resource,
            utc_text(manifest.observed_at),
            beijing_text(window.end),
            beijing_text(window.begin),
        ),
    )
    return [SeenWindow(begin, end, seen.replace(tzinfo=timezone.utc)) for begin, end, seen in rows]


def last_seen(windows: list[SeenWindow], moment: str | None) -> datetime | None:
    """The latest observation by a window that contains `moment`; None if no window does."""
    if moment is None:
        return None
    return max((window.observed_at for window in windows if window.begin <= moment < window.end), default=None)


def observations(session: Session, resource: Resource, shop_id: str, first: datetime, last: datetime) -> list[Look]:
    """Merged windows that contain times from `first` to `last`; of each window the latest observation."""
    rows = session.query(
        "SELECT window_start, window_end, MAX(observed_at) FROM sync_windows WHERE shop_id = %s"
        " AND resource = %s AND window_start <= %s AND window_end > %s GROUP BY window_start, window_end",
        (shop_id, resource.name, beijing_text(last), beijing_text(first)),
    )
    return [
        Look(begin.replace(tzinfo=BEIJING), end.replace(tzinfo=BEIJING), seen.replace(tzinfo=timezone.utc))
        for begin, end, seen in rows
    ]


def write_window(
    session: Session,
    resource: Resource,
    manifest: Manifest,
    slice_: SliceManifest,
    counts: Counter[str],
    unknown_codes: dict[str, int],
) -> None:
    """Add a merged slice to the ledger; merging the same pages again adds nothing."""
    session.execute(
        "INSERT INTO sync_windows (shop_id, resource, mode, window_start, window_end, observed_at, api_total, staged,"
        " inserted, updated, unchanged, rejected, passes, unknown_codes, batch_id, run_id, merged_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(3))"
        " ON DUPLICATE KEY UPDATE merged_at = merged_at",
        (
            manifest.shop_id,
            manifest.resource,
            manifest.mode,
            beijing_text(slice_.begin),
            beijing_text(slice_.end),
            utc_text(slice_.observed_at),
            slice_.api_total,
            slice_.staged,
            counts["inserted"],
            counts["updated"],
            counts["unchanged"],
            counts["rejected"],
            slice_.passes,
            ", ".join(f"{code}: {rows}" for code, rows in sorted(unknown_codes.items()))[:1000] or None,
            manifest.batch_id,
            manifest.run_id,
        ),
    )
    outbox.queue_window(session, resource, manifest.shop_id, slice_.begin, slice_.end)

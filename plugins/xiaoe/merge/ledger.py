"""Bookkeeping in the warehouse: the ledger of windows read, rows that are gone, rows that could not be typed.

`sync_windows` is what proves coverage, and tells when a row that did not change was last seen.
Windows are Beijing wall-clock, every other time is UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from xiaoe.coverage import Look
from xiaoe.marts.queue import queue_orders, queue_window
from xiaoe.mysql.session import Session
from xiaoe.resources.base import Resource
from xiaoe.stage.paging import Keys, among, key_hash
from xiaoe.storage.pages import Manifest, SliceManifest
from xiaoe.windows import BEIJING, Window


@dataclass(frozen=True)
class SeenWindow:
    """A merged window: everything created in it was seen at `observed_at` or later.

    Args:
        begin: Beijing time as text, `YYYY-MM-DD HH:MM:SS`.
        end: The same; not included.
        observed_at: UTC, of the window's earliest page.
    """

    begin: str
    end: str
    observed_at: datetime


@dataclass(frozen=True)
class Rejected:
    """A row that could not be typed.

    Args:
        key: Its key; None where it has none.
        reason: Field, value and why.
        raw_hash: As `RowReader.raw_hash`.
        raw: The row as it came.
        observed_at: UTC, as text.
        kept: What is stored of it: less personal data, where a policy says so.
    """

    key: str | None
    reason: str
    raw_hash: int
    raw: bytes
    observed_at: str
    kept: bytes


def beijing_text(moment: datetime) -> str:
    """As a business column holds it."""
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"


def utc_text(moment: datetime) -> str:
    """As a bookkeeping column holds it, `DATETIME(3)`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def windows_seen_after(session: Session, manifest: Manifest) -> list[SeenWindow]:
    """Merged windows that overlap the manifest's and were read later than its earliest page.

    There are some only if this merge is late. What they saw and did not write was unchanged, so it is
    newer than what this merge brings.
    """
    earliest = min(datetime.fromisoformat(part.observed_at) for part in manifest.slices)
    window = manifest.window
    rows = session.query(
        "SELECT DATE_FORMAT(window_start, '%%Y-%%m-%%d %%H:%%i:%%S'),"
        " DATE_FORMAT(window_end, '%%Y-%%m-%%d %%H:%%i:%%S'), observed_at FROM sync_windows"
        " WHERE shop_id = %s AND resource = %s AND observed_at > %s AND window_start < %s AND window_end > %s",
        (
            manifest.shop_id,
            manifest.resource,
            utc_text(earliest),
            beijing_text(window.end),
            beijing_text(window.begin),
        ),
    )
    return [SeenWindow(begin, end, seen.replace(tzinfo=timezone.utc)) for begin, end, seen in rows]


def last_seen(windows: list[SeenWindow], moment: str | None) -> datetime | None:
    """When a row was last seen by any of the windows that hold its `moment`; None if by none."""
    if moment is None:
        return None
    return max((one.observed_at for one in windows if one.begin <= moment < one.end), default=None)


def looks_at_orders(session: Session, shop_id: str, first: datetime, last: datetime) -> list[Look]:
    """Merged windows that hold orders made from `first` to `last`; of each window the latest."""
    rows = session.query(
        "SELECT window_start, window_end, MAX(observed_at) FROM sync_windows WHERE shop_id = %s"
        " AND resource = 'orders' AND window_start <= %s AND window_end > %s GROUP BY window_start, window_end",
        (shop_id, beijing_text(last), beijing_text(first)),
    )
    return [
        Look(begin.replace(tzinfo=BEIJING), end.replace(tzinfo=BEIJING), seen.replace(tzinfo=timezone.utc))
        for begin, end, seen in rows
    ]


@dataclass(frozen=True)
class Held:
    """The rows of the warehouse that a list has to bring, read at a certain moment.

    A row that was first seen later is none: the pages could not hold it. Nor is one that is only inferred: the list
    may never have had it.

    Args:
        condition: In SQL, of a row.
        parameters: Its values.
    """

    condition: str
    parameters: tuple[str, ...]

    @classmethod
    def of(cls, resource: Resource, shop_id: str, window: Window, seen_before: datetime) -> Held:
        """The rows of a window, by the resource's time column where it has one, seen before a moment."""
        conditions = [*_listed(resource), "observed_at < %s"]
        parameters = [shop_id, utc_text(seen_before)]
        if resource.time is not None:
            conditions += [f"{resource.time} >= %s", f"{resource.time} < %s"]
            parameters += [beijing_text(window.begin), beijing_text(window.end)]
        return cls(" AND ".join(conditions), tuple(parameters))


def missing_rows(session: Session, resource: Resource, held: Held, keys: Keys) -> list[str]:
    """Held rows that are not among some keys, which are sorted hashes of what was read."""
    missing: list[str] = []
    for batch in session.stream(f"SELECT {resource.key} {_from_held(resource, held)}", held.parameters):
        hashes = np.fromiter(map(key_hash, batch), dtype=np.int64, count=len(batch))
        missing.extend(batch[place] for place in np.flatnonzero(~among(hashes, keys)))
    return missing


def count_held(session: Session, resource: Resource, held: Held) -> int:
    """How many rows are held."""
    [(count,)] = session.query(f"SELECT COUNT(*) {_from_held(resource, held)}", held.parameters)
    return int(count)


def _from_held(resource: Resource, held: Held) -> str:
    """By an index that has all that is asked for; MySQL misjudges a table that has just grown, and reads the shop."""
    index = f" FORCE INDEX ({resource.time_index})" if resource.time_index else ""
    return f"FROM {resource.table}{index} WHERE {held.condition}"


def count_listed(session: Session, resource: Resource, shop_id: str) -> int:
    """How many rows the source had when it was last asked."""
    condition = " AND ".join(_listed(resource))
    [(count,)] = session.query(f"SELECT COUNT(*) FROM {resource.table} WHERE {condition}", (shop_id,))
    return int(count)


def _listed(resource: Resource) -> list[str]:
    """Conditions on the rows of a shop that its list had the last time."""
    conditions = ["shop_id = %s", "absent_since IS NULL"]
    return [*conditions, "is_inferred = 0"] if resource.has_inferred else conditions


def mark_absent(session: Session, resource: Resource, shop_id: str, names: list[str]) -> None:
    """Note that the source no longer has these rows; they are kept."""
    for start in range(0, len(names), 1000):
        part = names[start : start + 1000]
        places = ", ".join(["%s"] * len(part))
        session.execute(
            f"UPDATE {resource.table} SET absent_since = UTC_TIMESTAMP(3)"
            f" WHERE shop_id = %s AND {resource.key} IN ({places}) AND absent_since IS NULL",
            (shop_id, *part),
        )
        if resource.name == "orders":
            queue_orders(session, shop_id, part)
    _decide_again(session, resource.name, shop_id, names)


def _decide_again(session: Session, resource: str, shop_id: str, names: Iterable[str]) -> None:
    """Queue orders for a new decision on their benefit; the merge templates queue those they write."""
    if resource == "orders":
        session.insert_many(
            "INSERT INTO benefit_queue (shop_id, order_id) VALUES (%s, %s)"
            " ON DUPLICATE KEY UPDATE order_id = VALUES(order_id)",
            [(shop_id, name) for name in names],
        )


def write_rejected(session: Session, manifest: Manifest, rejected: list[Rejected]) -> None:
    """Keep rows that could not be typed; one that came before, byte for byte, is counted."""
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
                one.raw_hash,
                one.key,
                one.reason[:1000],
                one.kept.decode("utf-8", "replace"),
                manifest.batch_id,
                one.observed_at,
                one.observed_at,
            )
            for one in rejected
        ],
    )
    _decide_again(session, manifest.resource, manifest.shop_id, [one.key for one in rejected if one.key])


def unresolved_rejects(session: Session, manifest: Manifest) -> dict[str, str]:
    """Keys of rows that could not be typed and have not been since → when they were last seen like that, UTC."""
    rows = session.query(
        "SELECT row_key, DATE_FORMAT(MAX(last_seen_at), '%%Y-%%m-%%d %%H:%%i:%%S.%%f') FROM rejected_rows"
        " WHERE shop_id = %s AND resource = %s AND resolved_at IS NULL AND row_key IS NOT NULL GROUP BY row_key",
        (manifest.shop_id, manifest.resource),
    )
    return {key: seen[:-3] for key, seen in rows}


def resolve_rejects(session: Session, manifest: Manifest, names: Iterable[str]) -> None:
    """Note that these rows could be typed when they were seen again."""
    found = sorted(names)
    _decide_again(session, manifest.resource, manifest.shop_id, found)
    for name in found:
        session.execute(
            "UPDATE rejected_rows SET resolved_at = UTC_TIMESTAMP(3)"
            " WHERE shop_id = %s AND resource = %s AND row_key = %s AND resolved_at IS NULL",
            (manifest.shop_id, manifest.resource, name),
        )


def write_window(
    session: Session,
    manifest: Manifest,
    part: SliceManifest,
    counts: Counter[str],
    unknown_codes: dict[str, int],
) -> None:
    """Add a merged slice to the ledger; pages that are merged again add nothing."""
    session.execute(
        "INSERT INTO sync_windows (shop_id, resource, mode, window_start, window_end, observed_at, api_total, staged,"
        " inserted, updated, unchanged, rejected, passes, unknown_codes, batch_id, run_id, merged_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(3))"
        " ON DUPLICATE KEY UPDATE merged_at = merged_at",
        (
            manifest.shop_id,
            manifest.resource,
            manifest.mode,
            beijing_text(datetime.fromisoformat(part.begin)),
            beijing_text(datetime.fromisoformat(part.end)),
            utc_text(datetime.fromisoformat(part.observed_at)),
            part.api_total,
            part.staged,
            counts["inserted"],
            counts["updated"],
            counts["unchanged"],
            counts["rejected"],
            part.passes,
            ", ".join(f"{code}: {rows}" for code, rows in sorted(unknown_codes.items()))[:1000] or None,
            manifest.batch_id,
            manifest.run_id,
        ),
    )
    if manifest.resource == "orders":
        queue_window(session, manifest.shop_id, part.begin, part.end)

"""Pages that are old and that no merge waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import ObjectStoragePath

from xiaoe import settings
from xiaoe.clock import BEIJING
from xiaoe.coverage import Look, gaps, segments
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.maintenance.step import Step
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.storage.pages import RunFolder, run_folders
from xiaoe.windows import parse_span

_LATE = "late-"
"""Begins the folder of a run that asked for orders one by one: its window says nothing about what it asked for."""


@dataclass(frozen=True)
class Known:
    """What the warehouse knows of the syncs of one resource of one shop.

    Args:
        merged: Batches.
        looks: Merged windows.
        late_success: When old orders were last looked up with success.
    """

    merged: frozenset[str]
    looks: Sequence[Look]
    late_success: datetime | None


def remove_old_pages(step: Step) -> int:
    """Remove the pages of runs older than wanted; returns how many runs.

    A run whose merge never got through stays, unless later windows that were merged hold all of its window: then its
    pages have nothing to tell. The others are named.
    """
    root = ObjectStoragePath(settings.page_store())
    before = step.now - settings.page_keep()
    removed, waiting = 0, []
    knowledge: dict[tuple[str, str], Known] = {}
    warehouse = Warehouse()
    for folder, shop_id, resource in _runs(root):
        written = _written_at(folder.path)
        if written is None or written >= before:
            continue
        if (shop_id, resource) not in knowledge:
            with warehouse.session() as session:
                knowledge[shop_id, resource] = _known(session, shop_id, resource)
        if not _is_done(folder, written, knowledge[shop_id, resource]):
            waiting.append(str(folder.path))
            continue
        step.log.info("removing %s", folder.path)
        removed += 1
        if not step.dry_run:
            _remove(folder)
    if waiting:
        step.log.warning(
            "%s runs older than %s were never merged and nothing later covers them; their pages stay. Clear their merge"
            " tasks, or read the windows again: %s",
            len(waiting),
            before,
            ", ".join(waiting[:10]),
        )
    return removed


def _runs(root: Any) -> Iterator[tuple[RunFolder, str, str]]:
    """Run folders with shop and resource; what is no window is left alone."""
    for folder in run_folders(root):
        window, resource = folder.path.parent, folder.path.parent.parent
        if parse_span(window.name):
            yield folder, resource.parent.name, resource.name


def _written_at(path: Any) -> datetime | None:
    """When the newest file below was written; None: there is none."""
    times = [_written_at(child) if child.is_dir() else _modified(child) for child in path.iterdir()]
    return max((one for one in times if one), default=None)


def _modified(path: Any) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)


def _is_done(folder: RunFolder, written: datetime, known: Known) -> bool:
    """Whether the run was merged, or later ones made up for it; a manifest that cannot be read is none."""
    if folder.manifest_path.exists():
        with suppress(XiaoeConfigError):
            if folder.read_manifest().batch_id in known.merged:
                return True
    if folder.path.name.startswith(_LATE):
        return known.late_success is not None and known.late_success > written
    window = parse_span(folder.path.parent.name)
    later = segments(look for look in known.looks if look.observed_at > written)
    return window is not None and not gaps(later, window.begin, window.end)


def _known(session: Session, shop_id: str, resource: str) -> Known:
    key = (shop_id, resource)
    merged = session.query(
        "SELECT batch_id FROM sync_windows WHERE shop_id = %s AND resource = %s"
        " UNION SELECT batch_id FROM sync_runs WHERE shop_id = %s AND resource = %s",
        (*key, *key),
    )
    looks = session.query(
        "SELECT window_start, window_end, MAX(observed_at) FROM sync_windows WHERE shop_id = %s AND resource = %s"
        " GROUP BY window_start, window_end",
        key,
    )
    late = session.query(
        "SELECT last_success_at FROM sync_status WHERE shop_id = %s AND resource = %s AND mode = 'late'", key
    )
    return Known(
        frozenset(batch for (batch,) in merged),
        [
            Look(begin.replace(tzinfo=BEIJING), end.replace(tzinfo=BEIJING), seen.replace(tzinfo=timezone.utc))
            for begin, end, seen in looks
        ],
        late[0][0].replace(tzinfo=timezone.utc) if late and late[0][0] else None,
    )


def _remove(folder: RunFolder) -> None:
    """Manifest first: what is left if this breaks off is no window any more. A window without runs goes, too."""
    if folder.manifest_path.exists():
        folder.manifest_path.unlink()
    folder.clear()
    window = folder.path.parent
    if window.exists() and not any(window.iterdir()):
        window.rmdir()

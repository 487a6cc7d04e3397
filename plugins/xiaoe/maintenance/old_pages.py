"""Old pages that no merge needs any more.

The pages of a run go once it was merged, or once every moment of its window was observed later by a merged run. Others
stay, whatever their age, and are named in the log.
"""

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

_LOOKUP_PREFIX = "late-"
"""Prefix of the folder of a run that looked up single orders: its window does not describe them."""


@dataclass(frozen=True)
class Known:
    """The merged syncs of one resource of one shop.

    Args:
        merged: Ids of merged batches.
        looks: Merged windows.
        lookup_success: When old orders were last looked up successfully.
    """

    merged: frozenset[str]
    looks: Sequence[Look]
    lookup_success: datetime | None


def remove_old_pages(step: Step) -> int:
    """Remove the pages of old runs; return the number of runs removed.

    A run that was never merged stays, unless later merged windows cover all of its window: its pages are then obsolete.
    The log names the runs that stay.
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
            "%s runs older than %s were never merged, and no later run covers them; their pages stay. Clear their"
            " merge tasks, or read the windows again: %s",
            len(waiting),
            before,
            ", ".join(waiting[:10]),
        )
    return removed


def _runs(root: Any) -> Iterator[tuple[RunFolder, str, str]]:
    """Run folders with shop and resource; folders that are not windows are ignored."""
    for folder in run_folders(root):
        window, resource = folder.path.parent, folder.path.parent.parent
        if parse_span(window.name):
            yield folder, resource.parent.name, resource.name


def _written_at(path: Any) -> datetime | None:
    """When the newest file below a path was written; None if there is none."""
    times = [_written_at(child) if child.is_dir() else _modified(child) for child in path.iterdir()]
    return max((one for one in times if one), default=None)


def _modified(path: Any) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)


def _is_done(folder: RunFolder, written: datetime, known: Known) -> bool:
    """Whether the run was merged or is covered by later ones; an unreadable manifest counts as missing."""
    if folder.manifest_path.exists():
        with suppress(XiaoeConfigError):
            if folder.read_manifest().batch_id in known.merged:
                return True
    if folder.path.name.startswith(_LOOKUP_PREFIX):
        return known.lookup_success is not None and known.lookup_success > written
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
    lookup = session.query(
        "SELECT last_success_at FROM sync_status WHERE shop_id = %s AND resource = %s AND mode = 'late'", key
    )
    return Known(
        frozenset(batch for (batch,) in merged),
        [
            Look(begin.replace(tzinfo=BEIJING), end.replace(tzinfo=BEIJING), seen.replace(tzinfo=timezone.utc))
            for begin, end, seen in looks
        ],
        lookup[0][0].replace(tzinfo=timezone.utc) if lookup and lookup[0][0] else None,
    )


def _remove(folder: RunFolder) -> None:
    """Remove a run, manifest first (an interruption leaves no staged run), then its window if empty."""
    if folder.manifest_path.exists():
        folder.manifest_path.unlink()
    folder.clear()
    window = folder.path.parent
    if window.exists() and not any(window.iterdir()):
        window.rmdir()

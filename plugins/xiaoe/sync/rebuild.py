"""Rebuilds the warehouse from stored pages: merges every window again that was read completely."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from typing import Any

from airflow.sdk import ObjectStoragePath

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError, XiaoeError
from xiaoe.merge.merger import Merger
from xiaoe.merge.sql import merge_sql
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.registry import RESOURCES
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder, run_folders

log = logging.getLogger(__name__)


def rebuild(
    root: Any, warehouse: Warehouse, *, resources: Sequence[str] = (), accept_missing: bool = False
) -> tuple[Counter[str], list[str]]:
    """Merge everything in the page store, in the order in which it was read.

    The warehouse need not be empty: newer rows win, and equal ones are not written again.

    Args:
        root: Of the page store.
        warehouse: Migrated.
        resources: Only these; by default all.
        accept_missing: Orders and after-sales that a later window no longer lists are marked absent.

    Returns:
        Counts as of `Merger.merge`, plus `windows`; and the folders that could not be merged, with the reason.
    """
    mergers = {name: Merger(warehouse, RESOURCES[name], merge_sql(RESOURCES[name])) for name in resources or RESOURCES}
    totals: Counter[str] = Counter()
    refused: list[str] = []
    windows: list[tuple[datetime, RunFolder, Manifest]] = []
    for folder in run_folders(root):
        if folder.path.parent.parent.name in mergers and folder.manifest_path.exists():
            with _noted(refused, folder):
                manifest = folder.read_manifest()
                windows.append((max(slice_.observed_at for slice_ in manifest.slices), folder, manifest))
    for _, folder, manifest in sorted(windows, key=itemgetter(0)):
        with _noted(refused, folder):
            merger = mergers[manifest.resource]
            counts = merger.merge(folder, manifest, accept_missing=accept_missing, again=True)
            totals.update(counts, windows=1)
            log.info("%s %s %s: %s", manifest.shop_id, manifest.resource, manifest.window, dict(counts))
    return totals, refused


@contextmanager
def _noted(refused: list[str], folder: RunFolder) -> Iterator[None]:
    """Record a folder that cannot be merged and continue."""
    try:
        yield
    except XiaoeError as error:
        refused.append(f"{folder.path}: {error}")
        log.warning("%s", refused[-1])


def rebuild_from_pages(resources: list[str], *, accept_missing: bool) -> tuple[Counter[str], list[str]]:
    """`rebuild` with the configured page store and warehouse.

    Raises:
        XiaoeConfigError: Unknown resource.
    """
    if unknown := sorted(set(resources) - RESOURCES.keys()):
        raise XiaoeConfigError(f"RESOURCE={unknown[0]!r}: give one of {', '.join(RESOURCES)}, or leave it out for all")
    root = ObjectStoragePath(settings.page_store())
    return rebuild(root, Warehouse(), resources=resources, accept_missing=accept_missing)

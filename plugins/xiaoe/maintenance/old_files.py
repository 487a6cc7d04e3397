"""Old files: exports and Airflow's task logs."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from airflow.sdk import ObjectStoragePath
from airflow.sdk.configuration import conf

from xiaoe import settings
from xiaoe.clock import BEIJING, midnight
from xiaoe.maintenance.step import Step


def remove_old_exports(step: Step) -> int:
    """Remove old `<root>/<shop>/<day>/` folders and old files of `make export`; return the number of files."""
    root = ObjectStoragePath(settings.export_dir())
    first = step.now.astimezone(BEIJING).date() - settings.export_keep()
    removed = _remove_old_tables(step, root, midnight(first).timestamp())
    for shop in sorted(root.iterdir(), key=str) if root.exists() else []:
        for folder in sorted(shop.iterdir(), key=str) if shop.is_dir() else []:
            if (day := _day(folder)) is None or day >= first:
                continue
            step.log.info("removing %s", folder)
            for file in list(folder.iterdir()):
                removed += 1
                if not step.dry_run:
                    file.unlink()
            if not step.dry_run and folder.exists():
                folder.rmdir()
    return removed


def _remove_old_tables(step: Step, root: Any, before: float) -> int:
    removed = 0
    for file in sorted(root.iterdir(), key=str) if root.exists() else []:
        if file.suffix in (".csv", ".xlsx") and file.is_file() and file.stat().st_mtime < before:
            step.log.info("removing %s", file)
            removed += 1
            if not step.dry_run:
                file.unlink()
    return removed


def remove_old_logs(step: Step) -> int:
    """Remove this machine's log files that were not written to for long; return their number."""
    root = Path(conf.get("logging", "base_log_folder"))
    before = (step.now - settings.log_keep()).timestamp()
    removed = 0
    for place, folders, files in os.walk(root, topdown=False):
        for name in files:
            path = Path(place, name)
            if ".log" in path.name and path.lstat().st_mtime < before:
                removed += 1
                if not step.dry_run:
                    path.unlink(missing_ok=True)
        for name in folders if not step.dry_run else ():
            with suppress(OSError):  # not empty
                Path(place, name).rmdir()
    step.log.info("%s log files below %s", removed, root)
    return removed


def _day(folder: Any) -> date | None:
    try:
        return date.fromisoformat(folder.name) if folder.is_dir() else None
    except ValueError:
        return None

"""The tasks of the DAGs without Airflow around them, where the present is what the shop's clock says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.process import Emulator
from support.worlds.shop import APP_ID, END, START, merge_sql
from xiaoe import clock
from xiaoe.api import hook
from xiaoe.api.hook import Answer, XiaoeHook
from xiaoe.clock import BEIJING
from xiaoe.resources.base import Resource
from xiaoe.resources.registry import RESOURCES
from xiaoe.stage import slice_reader, stager
from xiaoe.storage.manifest import Manifest, SliceManifest
from xiaoe.storage.pages import RawPage, RunFolder
from xiaoe.sync.operators import XiaoeMergeOperator, XiaoeStageOperator
from xiaoe.windows import EVER, Window

HOUR = timedelta(hours=1)
EVERYTHING_LISTED = Window(EVER, END)
"""The window of a list without a time filter."""


def unhurried(resource: Resource) -> Resource:
    """The resource without the rate limit of its interface, for tests that read many small pages."""
    return replace(resource, calls_per_second=300, quota_seconds=10)


class TaskRunner:
    """TaskRunner tasks at moments of the shop's time; whatever is seen is seen then.

    Args:
        api: Its clock is the present.
        monkeypatch: Puts the present into the package, and takes the waiting out.
        store: The page store.
    """

    def __init__(self, api: Emulator, monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
        self.api = api
        self.now = datetime.fromisoformat(str(api.clock()["now"])).replace(tzinfo=BEIJING)
        self._ticks = count(1)
        self._runs = count(1)
        monkeypatch.setenv("XIAOE_PAGE_STORE", f"file://{store}")
        monkeypatch.setenv("XIAOE_HISTORY_START", f"{START:%Y-%m-%d}")
        monkeypatch.setattr(clock, "now", lambda: self.now)
        monkeypatch.setattr(hook, "utc_now", self.utc_now)
        monkeypatch.setattr(stager, "utc_now", self.utc_now)
        monkeypatch.setattr(slice_reader, "utc_now", self.utc_now)
        monkeypatch.setattr(hook, "XiaoeHook", partial(XiaoeHook, sleep=lambda _: None))
        for name, resource in RESOURCES.items():
            monkeypatch.setitem(RESOURCES, name, unhurried(resource))

    def utc_now(self) -> datetime:
        """The present, a millisecond later with each look."""
        return self.now.astimezone(timezone.utc) + timedelta(milliseconds=next(self._ticks))

    def at(self, moment: datetime) -> datetime:
        """Move the shop's time."""
        self.api.set_clock(moment.isoformat())
        self.now = moment
        return moment

    def context(self, kind: str = "scheduled", every: timedelta = HOUR, **params: Any) -> Any:
        """As much of Airflow's context as the operators look at; the run is due now."""
        return {
            "dag_run": SimpleNamespace(run_id=f"{kind}-{next(self._runs)}", run_type=kind, run_after=self.now),
            "params": {"from": None, "to": None, "accept_missing": False, **params},
            "data_interval_start": self.now - every,
            "data_interval_end": self.now,
        }

    def stage(
        self, resource: str, mode: str, about: Any = None, *, named_by: str | None = None, conn: str = "xiaoe_default"
    ) -> str:
        """The stage task; returns the run's folder."""
        operator = XiaoeStageOperator(
            task_id="stage", resource=resource, mode=mode, xiaoe_conn_id=conn, named_by=named_by
        )
        return operator.execute(about or self.context())

    def merge(self, resource: str, mode: str, folder: str, about: Any = None) -> Counter[str]:
        """The merge task."""
        operator = XiaoeMergeOperator(
            task_id="merge", resource=resource, mode=mode, folder=folder, sql=merge_sql(resource)
        )
        return Counter(operator.execute(about or self.context()))

    def sync(self, resource: str, mode: str, *, kind: str = "scheduled", **params: Any) -> Counter[str]:
        """Stage and merge."""
        about = self.context(kind, **params)
        return self.merge(resource, mode, self.stage(resource, mode, about), about)

    def refunds(self, *, kind: str = "scheduled", **params: Any) -> tuple[Counter[str], Counter[str]]:
        """All four tasks of the DAG xiaoe_refunds; what became of the after-sales and of the orders they name."""
        about = self.context(kind, **params)
        named_by = self.stage("refunds", "incremental", about)
        merged = self.merge("refunds", "incremental", named_by, about)
        return merged, self.late(named_by, about)

    def late(self, named_by: str, about: Any = None) -> Counter[str]:
        """The last two of them."""
        about = about or self.context()
        return self.merge("orders", "late", self.stage("orders", "late", about, named_by=named_by), about)


class Interrupted(XiaoeHook):
    """A hook that lets something happen in the shop after each page.

    Args:
        then: Is told how many pages were fetched so far.
    """

    def __init__(self, then: Callable[[int], object]) -> None:
        super().__init__(sleep=lambda _: None)
        self._then = then
        self._fetched = count(1)

    def list_page(self, resource: Resource, fields: dict[str, Any], *, index: int = 1) -> Answer:
        """Fetch a page, then let it happen."""
        answer = super().list_page(resource, fields, index=index)
        self._then(next(self._fetched))
        return answer


def write_list(
    resource: Resource,
    store: Path,
    rows: Sequence[bytes],
    seen: datetime,
    run_id: str = "by-hand",
    *,
    parent: str | None = None,
) -> tuple[RunFolder, Manifest]:
    """A staged whole list of one page, written by hand; each row has a key of its own."""
    window = EVERYTHING_LISTED
    folder = RunFolder.of(store, shop_id=APP_ID, resource=resource.name, window=window, run_id=run_id)
    body = b'{"code":0,"msg":"ok","data":{"total":%d,"list":[%s]}}' % (len(rows), b",".join(rows))
    name = folder.page_name(0, 1, 1)
    folder.write_page(name, RawPage(1, seen, body))
    part = SliceManifest(
        begin=window.begin,
        end=window.end,
        api_total=len(rows),
        staged=len(rows),
        passes=1,
        pages=[name],
        observed_at=seen,
        parent=parent,
    )
    manifest = Manifest(APP_ID, resource.name, "whole", run_id, moves_watermark=False, slices=[part])
    folder.write_manifest(manifest)
    return folder, manifest

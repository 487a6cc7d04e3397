"""The two operators that do all syncing: stage (API → page store) and merge (page store → MySQL).

Windows are intervals of the schedule, not Airflow's partitions, so that a manual window, a backfill and `make sync`
take the same path. Every DAG file imports this module each time it is parsed, so what only a running task needs (HTTP,
MySQL, numpy: some 1.5 s) is imported in `execute`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, ObjectStoragePath

from xiaoe import clock, settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.lineage import LineageOperator
from xiaoe.merge.sql import template_of
from xiaoe.resources.base import Resource
from xiaoe.resources.orders import ORDERS
from xiaoe.resources.registry import RESOURCES
from xiaoe.shop_operator import ShopOperator, run_kind
from xiaoe.windows import (
    EVER,
    Plan,
    Run,
    Window,
    plan_history,
    plan_incremental,
    plan_parents,
    plan_recent,
    plan_rescan,
    plan_whole,
)

if TYPE_CHECKING:
    from xiaoe.api.hook import XiaoeHook
    from xiaoe.coverage import Look
    from xiaoe.mysql.session import Session
    from xiaoe.mysql.warehouse import Warehouse
    from xiaoe.stage.lookup import NamedOrder
    from xiaoe.storage.manifest import Manifest
    from xiaoe.storage.pages import RunFolder


class XiaoeStageOperator(ShopOperator):
    """Read one window of one resource of one shop into the page store, completely or not at all.

    Returns the run's folder in the page store, for the merge. A retry continues after the last whole page.

    Args:
        resource: A key of `xiaoe.resources.registry.RESOURCES`.
        mode: Determines the window: `incremental`, `history`, `rescan`, `deep_rescan`, `whole`; with `recent`, of a
            whole list only what is new or changed, unless all of it is due. With `late`, orders are
            looked up by id that after-sales name and that are too old for the rescan; with `hints`, those that hints
            name (`hints.queue`).
        named_by: With `late`: the run folder of the after-sales.
        takes_window: Whether the window from the form is for this task.
    """

    template_fields: Sequence[str] = (*ShopOperator.template_fields, "named_by")
    ui_color = "#e8f4fd"

    def __init__(
        self, *, resource: str, mode: str, named_by: Any = None, takes_window: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.mode = mode
        self.named_by = named_by
        self.takes_window = takes_window

    def execute(self, context: Context) -> str:
        """Stage the window of the mode and the run."""
        from xiaoe.api.hook import XiaoeHook
        from xiaoe.merge import status
        from xiaoe.mysql.warehouse import Warehouse
        from xiaoe.storage.pages import RunFolder
        from xiaoe.sync import same_server

        warehouse, store = Warehouse(), ObjectStoragePath(settings.page_store())
        with closing(XiaoeHook(self.xiaoe_conn_id)) as hook:
            shop_id = hook.shop.app_id
            run_id = str(context["dag_run"].run_id)
            with status.failure_noted(warehouse, shop_id, self.resource, self.mode):
                plan = self._plan(context, warehouse, shop_id)
            same_server.check(warehouse, store)  # not noted: sync_status may be on the wrong server
            with status.failure_noted(warehouse, shop_id, self.resource, self.mode):
                folder = RunFolder.of(
                    store,
                    shop_id=shop_id,
                    resource=self.resource,
                    window=plan.window,
                    run_id=f"{self.mode}-{run_id}",
                )
                self.log.info("shop %s, %s %s: %s, run %s", shop_id, self.resource, self.mode, plan.window, run_id)
                self.log.info("pages go to %s", folder.path)
                if plan.window.end > clock.now():
                    self.log.warning("the window ends in the future: rows that are created later are not in it")
                stage = {"late": self._stage_late, "hints": self._stage_hinted, "recent": self._stage_recent}.get(
                    self.mode, self._stage
                )
                manifest = stage(hook, folder, warehouse, plan, run_id)
        self.log.info("staged %s rows; %s", sum(slice_.staged for slice_ in manifest.slices), manifest.calls)
        return str(folder.path)

    def _stage_recent(
        self, hook: XiaoeHook, folder: RunFolder, warehouse: Warehouse, plan: Plan, run_id: str
    ) -> Manifest:
        """What is new or changed; the whole list where that is due, or where the shop's filters do not work."""
        from xiaoe.stage.recent import UnfitFilterError, stage_recent

        if plan.window.begin == EVER:
            return self._stage(hook, folder, warehouse, plan, run_id, mode="whole")
        try:
            return stage_recent(hook, RESOURCES[self.resource], folder, plan, run_id=run_id)
        except UnfitFilterError as error:
            self.log.warning("%s: reading the whole list, as it is every night without filters", error)
            whole = Plan(Window(EVER, plan.window.end), moves_watermark=True)
            return self._stage(hook, folder, warehouse, whole, run_id, mode="whole", note=f"whole list: {error}")

    def _stage(
        self,
        hook: XiaoeHook,
        folder: RunFolder,
        warehouse: Warehouse,
        plan: Plan,
        run_id: str,
        *,
        mode: str | None = None,
        note: str = "",
    ) -> Manifest:
        from xiaoe.merge import expected
        from xiaoe.stage.api_profile import read_page_sizes
        from xiaoe.stage.stager import Stager

        resource = RESOURCES[self.resource]
        with warehouse.session() as session:
            hook.page_sizes = read_page_sizes(session, hook.shop.app_id)

            parents = resource.parents.due(session, hook.shop.app_id, plan.window) if resource.parents else []

        def missing_rows(window: Any, observed_at: Any, keys: Any, parent: str | None) -> list[str]:
            with warehouse.session() as session:
                listed = expected.Expected.of(resource, hook.shop.app_id, window, observed_at, parent=parent)
                return expected.missing_rows(session, resource, listed, keys)

        stager = Stager(hook, resource, folder, missing_rows)
        return stager.stage(plan, mode=mode or self.mode, run_id=run_id, parents=parents, note=note)

    def _stage_late(
        self, hook: XiaoeHook, folder: RunFolder, warehouse: Warehouse, plan: Plan, run_id: str
    ) -> Manifest:
        from xiaoe.merge import status
        from xiaoe.stage import lookup
        from xiaoe.storage.pages import RunFolder

        named_by = RunFolder(ObjectStoragePath(self.named_by)).read_manifest()
        shop_id, now, settle = hook.shop.app_id, plan.window.end, settings.refund_overlap()
        with warehouse.session() as session:
            window = named_by.window
            if named_by.moves_watermark:
                watermark = status.read_watermark(session, shop_id, self.resource, self.mode)
                window = lookup.window_to_name(window, watermark, settle)
            named = lookup.named_orders(session, shop_id, window, created_before=now - settings.rescan_days())
            looks = _looks(session, shop_id, named)
        wanted = lookup.to_look_up(named, looks, now=now, settle=settle)
        self.log.info("after-sales of %s name %s older orders, %s to look up", window, len(named), len(wanted))
        plan = Plan(plan.window, moves_watermark=named_by.moves_watermark)
        return lookup.stage_orders(hook, folder, plan, wanted, mode=self.mode, run_id=run_id)

    def _stage_hinted(
        self, hook: XiaoeHook, folder: RunFolder, warehouse: Warehouse, plan: Plan, run_id: str
    ) -> Manifest:
        from xiaoe.hints import queue
        from xiaoe.stage import hinted, lookup

        shop_id = hook.shop.app_id
        with warehouse.session() as session:
            hints = queue.waiting(session, shop_id, hinted.MOST_HINTS)
            named = hinted.hinted_orders(session, shop_id, hints, skew=settings.max_clock_skew())
            wanted = hinted.to_look_up(named, _looks(session, shop_id, named))
        self.log.info("%s hints name %s orders, %s to look up", len(hints), len(named), len(wanted))
        ids = [hint.id for hint in hints]
        return lookup.stage_orders(hook, folder, plan, wanted, mode=self.mode, run_id=run_id, hints=ids)

    def _plan(self, context: Context, warehouse: Warehouse, shop_id: str) -> Plan:
        run = run_of(context)
        if not self.takes_window:
            run = replace(run, window_from=None, window_to=None)
        lag = settings.lag()
        planners: dict[str, Callable[[], Plan]] = {
            "incremental": lambda: self._plan_incremental(run, warehouse, shop_id),
            "history": lambda: plan_history(run, start=settings.history_start(), lag=lag),
            "rescan": lambda: plan_rescan(run, lookback=settings.rescan_days(), lag=lag),
            "deep_rescan": lambda: plan_rescan(run, lookback=settings.deep_rescan_days(), lag=lag),
            "whole": lambda: plan_whole(run),
            "recent": lambda: self._plan_recent(run, warehouse, shop_id),
            "late": lambda: Plan(Window(EVER, run.now)),
            "hints": lambda: Plan(Window(EVER, run.now)),
        }
        return planners[self.mode]()

    def _plan_recent(self, run: Run, warehouse: Warehouse, shop_id: str) -> Plan:
        """From the day before the last reading; whole where that is due."""
        from xiaoe.merge import status

        recent = RESOURCES[self.resource].recent
        if recent is None:
            raise XiaoeConfigError(f"mode='recent': {self.resource} declares no filters for recent rows: use whole")
        with warehouse.session() as session:
            read_until, whole_at = (
                status.read_watermark(session, shop_id, self.resource, mode) for mode in ("recent", "whole")
            )
        return plan_recent(run, read_until, whole_at, every=recent.every())

    def _plan_incremental(self, run: Run, warehouse: Warehouse, shop_id: str) -> Plan:
        """From the watermark; a first run reads the history, or the last interval of the history DAG."""
        from xiaoe.merge import status

        if RESOURCES[self.resource].parents:
            return plan_parents(run)
        with warehouse.session() as session:
            watermark = status.read_watermark(session, shop_id, self.resource, self.mode)
        resource = RESOURCES[self.resource]
        lag = resource.lag()
        first = settings.history_start() if resource.reads_history else run.now - lag - settings.history_interval()
        return plan_incremental(run, watermark, overlap=resource.overlap(), lag=lag, first=first)


class XiaoeMergeOperator(LineageOperator):
    """Merge what a stage task read into the warehouse, in one transaction, and move the watermark.

    Args:
        resource: A key of `xiaoe.resources.registry.RESOURCES`.
        mode: As in the stage task.
        folder: What the stage task returned.
        sql: The merge statements; Airflow renders them, the UI shows them.
    """

    template_fields: Sequence[str] = ("folder", "sql")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "mysql"}  # noqa: RUF012 - declared so in Airflow's own operators
    ui_color = "#e9f7ef"

    def __init__(self, *, resource: str, mode: str, folder: Any, sql: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.mode = mode
        self.folder = folder
        self.sql = sql or template_of(self.declaration)

    @property
    def declaration(self) -> Resource:
        """The resource; the template reads its table, key and columns."""
        return RESOURCES[self.resource]

    def execute(self, context: Context) -> dict[str, int]:
        """Merge, and return how many rows were staged, inserted, updated, unchanged, rejected, absent."""
        from xiaoe.merge import status
        from xiaoe.merge.merger import Merger
        from xiaoe.mysql.warehouse import Warehouse
        from xiaoe.storage.pages import RunFolder
        from xiaoe.sync import same_server

        warehouse = Warehouse()
        folder = RunFolder(ObjectStoragePath(self.folder))
        manifest = folder.read_manifest()
        same_server.check(warehouse, ObjectStoragePath(settings.page_store()))
        self.log.info(
            "shop %s, %s %s: %s, run %s", manifest.shop_id, self.resource, self.mode, manifest.window, manifest.run_id
        )
        with status.failure_noted(warehouse, manifest.shop_id, self.resource, self.mode):
            merger = Merger(warehouse, self.declaration, self.sql)
            counts = merger.merge(folder, manifest, accept_missing=bool(context["params"].get("accept_missing")))
        self.log.info("shop %s, %s %s: %s", manifest.shop_id, self.resource, manifest.window, dict(counts))
        if counts["rejected"]:
            self.log.warning("%s rows have no key: see table rejected_rows", counts["rejected"])
        return dict(counts)


def _looks(session: Session, shop_id: str, named: Sequence[NamedOrder]) -> list[Look]:
    """Merged windows over the times at which these orders were created."""
    from xiaoe.merge import ledger

    created = [order.created for order in named if order.created]
    return ledger.observations(session, ORDERS, shop_id, min(created), max(created)) if created else []


def run_of(context: Context) -> Run:
    """A DAG run as the window functions need it."""
    dag_run = context["dag_run"]
    params = context["params"]
    return Run(
        kind=run_kind(dag_run),
        now=dag_run.run_after,
        interval_begin=context.get("data_interval_start"),
        interval_end=context.get("data_interval_end"),
        window_from=params.get("from"),
        window_to=params.get("to"),
    )

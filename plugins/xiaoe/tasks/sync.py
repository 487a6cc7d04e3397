"""The tasks of the sync DAGs, and their form for a run by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, Param, task_group

from xiaoe import settings
from xiaoe.hints.trigger import HintTrigger
from xiaoe.sync.operators import XiaoeMergeOperator, XiaoeStageOperator
from xiaoe.tasks.assets import ASSETS, INTERFACES, PAGES
from xiaoe.tasks.defaults import POOL, TIMEZONE, named, named_group, switch

ACCEPT_MISSING = {
    "accept_missing": switch(
        "接受缺失 accept_missing",
        "只在店铺后台核实数据确已删除之后勾选：接口不再返回的行标为缺失，任务不再失败。 Rows that the API no longer"
        " lists are marked absent instead of failing the run. Tick it only after checking in the shop's console.",
    ),
}


_A_PICKER_THAT_TAKES_ANY_TEXT: dict[str, Any] = {
    "type": ["null", "string"],
    "format": "date-time",
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$ref": "#/definitions/text",
    "definitions": {"text": {"type": ["null", "string"]}},
}
"""The UI draws a date picker by `format`. Validation does not see it: in draft 7, what stands beside `$ref` is ignored.
So a date such as 2025-03-01 from the command line or the API passes, and `windows` reads it as Beijing time."""

WINDOW_PARAMS = {
    "from": Param(
        None,
        title="开始 from",
        description="留空则按计划的时间段。 Empty: the run's own window.",
        **_A_PICKER_THAT_TAKES_ANY_TEXT,
    ),
    "to": Param(
        None,
        title="结束 to",
        description="不含这一刻；填了开始而留空，就读到现在。 Exclusive; empty with a start: now.",
        **_A_PICKER_THAT_TAKES_ANY_TEXT,
    ),
    **ACCEPT_MISSING,
}


def hints_schedule() -> AssetOrTimeSchedule | None:
    """Whenever hints wait, and hourly in case nobody watches; None where no source of hints is on."""
    if not settings.hints():
        return None
    queue = Asset("xiaoe_change_hints", watchers=[AssetWatcher(name="queue", trigger=HintTrigger())])
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable("40 * * * *", timezone=TIMEZONE), assets=queue)


def sync_shops(
    resource: str, mode: str, *, timeout: timedelta, group_id: str = "shop", look_up_orders: bool = False
) -> None:
    """Stage and merge, for each shop; one shop's failure does not stop the others.

    Args:
        resource: A key of `xiaoe.resources.registry.RESOURCES`.
        mode: See `XiaoeStageOperator`.
        timeout: Time-out of each task.
        group_id: Id of the task group that is mapped over the shops.
        look_up_orders: Afterwards look up the orders that these after-sales name.
    """

    @task_group(**named_group(group_id))
    def shop(xiaoe_conn_id: str) -> None:
        stage, merge = _stage_and_merge(resource, mode, xiaoe_conn_id, timeout)
        if look_up_orders:
            stage_orders, _ = _stage_and_merge(
                "orders", "late", xiaoe_conn_id, timeout, suffix="_orders", named_by=stage.output
            )
            merge >> stage_orders

    shop.expand(xiaoe_conn_id=settings.conn_ids())


def _stage_and_merge(
    resource: str, mode: str, xiaoe_conn_id: str, timeout: timedelta, *, suffix: str = "", named_by: Any = None
) -> tuple[XiaoeStageOperator, XiaoeMergeOperator]:
    stage = XiaoeStageOperator(
        **named(f"stage{suffix}"),
        doc_md="API → page store. Clear it to ask the API again; a retry continues where it stopped.",
        resource=resource,
        mode=mode,
        xiaoe_conn_id=xiaoe_conn_id,
        named_by=named_by,
        inlets=[INTERFACES[resource]],
        outlets=[PAGES[resource]],
        execution_timeout=timeout,
        pool=POOL,
    )
    merge = XiaoeMergeOperator(
        **named(f"merge{suffix}"),
        doc_md="Page store → MySQL, one transaction. Safe to clear at any time: it is idempotent.",
        resource=resource,
        mode=mode,
        folder=stage.output,
        inlets=[PAGES[resource]],
        outlets=[ASSETS[resource]],
        execution_timeout=timeout,
        pool=POOL,
    )
    return stage, merge

"""The tasks of the maintenance DAG."""

from __future__ import annotations

from datetime import timedelta

from xiaoe.maintenance.operators import XiaoeMaintenanceOperator
from xiaoe.tasks.defaults import named, switch

DRY_RUN_PARAM = {
    "dry_run": switch(
        "只看不删 dry_run",
        "只在日志里列出会清理什么。 Log what would be removed, and remove nothing.",
    ),
}
STEPS = {
    "pages": "Pages older than XIAOE_PAGE_KEEP_DAYS that no merge needs. 过期的接口原文。",
    "ledger": "Superseded rows of sync_windows. 台账中已被覆盖的旧行。",
    "rejected_rows": "Rejected rows that were typed later. 已解决的无法解析行。",
    "push_messages": "Pushed messages older than XIAOE_PUSH_KEEP_DAYS. 过期的推送消息。",
    "results": "Old check results, samples, costs, closed alerts. 过期的检查结果、取样、告警。",
    "exports": "Old exports in XIAOE_EXPORT_DIR. 过期的导出文件。",
    "logs": "Old log files of Airflow on this machine. 本机过期的 Airflow 日志。",
    "airflow_db": "Airflow's own database: `airflow db clean`. Airflow 元数据库清理。",
    "statistics": "ANALYZE TABLE for all tables. 更新表统计信息。",
}
"""Step → description."""


def maintain(*, timeout: timedelta) -> None:
    """One task per step, independent of each other.

    Args:
        timeout: Time-out of each task.
    """
    for step, what in STEPS.items():
        XiaoeMaintenanceOperator(
            **named(step),
            step=step,
            doc_md=f"{what} Safe to clear.",
            execution_timeout=timeout,
        )

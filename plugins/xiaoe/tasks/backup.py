"""The tasks of the backup DAG."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param

from xiaoe.backup.operators import XiaoeBackupDrillOperator, XiaoeBackupOperator, XiaoeBackupRetentionOperator

DRILL_PARAM = {
    "drill": Param(
        False,
        type="boolean",
        title="Drill 恢复演练",
        description="Restore the new backup into a scratch database and compare it, even if the last drill was less"
        " than a week ago. 立即做一次恢复演练。",
    ),
}


def back_up(*, timeout: timedelta) -> None:
    """Dump; then apply retention and, once a week, run a drill, independently of each other.

    Args:
        timeout: Time-out of the dump and of the drill.
    """
    dump = XiaoeBackupOperator(
        task_id="dump",
        doc_md="MySQL → backup store, from one snapshot. Safe to clear: that makes one more backup.",
        execution_timeout=timeout,
    )
    retention = XiaoeBackupRetentionOperator(
        task_id="retention",
        doc_md="Removes backups beyond retention. Safe to clear. 清理过期备份。",
        execution_timeout=timedelta(minutes=30),
    )
    drill = XiaoeBackupDrillOperator(
        task_id="drill",
        doc_md="Restores the newest backup into a scratch database and compares it, once a week; else skipped."
        " Safe to clear. 每周一次恢复演练；其余日子跳过。",
        execution_timeout=timeout,
    )
    dump >> [retention, drill]

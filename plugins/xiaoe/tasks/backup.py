"""The tasks of the backup DAG."""

from __future__ import annotations

from datetime import timedelta

from xiaoe.backup.operators import XiaoeBackupDrillOperator, XiaoeBackupOperator, XiaoeBackupRetentionOperator
from xiaoe.tasks.defaults import named, switch

DRILL_PARAM = {
    "drill": switch(
        "恢复演练 drill",
        "不论上一次是什么时候，把新备份恢复到临时库核对一遍。 Restore the new backup into a scratch database and"
        " compare it, even if the last drill was less than a week ago.",
    ),
}


def back_up(*, timeout: timedelta) -> None:
    """Dump; then apply retention and, once a week, run a drill, independently of each other.

    Args:
        timeout: Time-out of the dump and of the drill.
    """
    dump = XiaoeBackupOperator(
        **named("dump"),
        doc_md="MySQL → backup store, from one snapshot. Safe to clear: that makes one more backup.",
        execution_timeout=timeout,
    )
    retention = XiaoeBackupRetentionOperator(
        **named("retention"),
        doc_md="Removes backups beyond retention. Safe to clear. 清理过期备份。",
        execution_timeout=timedelta(minutes=30),
    )
    drill = XiaoeBackupDrillOperator(
        **named("drill"),
        doc_md="Restores the newest backup into a scratch database and compares it, once a week; else skipped."
        " Safe to clear. 每周一次恢复演练；其余日子跳过。",
        execution_timeout=timeout,
    )
    dump >> [retention, drill]

"""The tasks of the quality DAG; a separate module, because it imports the SQL provider."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import task_group

from xiaoe import settings
from xiaoe.merge.freshness import FRESH_WITHIN
from xiaoe.monitor.operators import XiaoeStorageOperator
from xiaoe.quality.operators import (
    XiaoeColumnChecksOperator,
    XiaoeDayTotalsOperator,
    XiaoeQueryChecksOperator,
    XiaoeRowChecksOperator,
)
from xiaoe.tasks.defaults import POOL, named, named_group


def check_quality(*, timeout: timedelta) -> None:
    """Check the data of each shop, and the storage; all tasks are independent.

    Args:
        timeout: Time-out of each task.
    """

    @task_group(**named_group("shop"))
    def shop(xiaoe_conn_id: str) -> None:
        XiaoeColumnChecksOperator(
            **named("columns"),
            doc_md="NULLs and negative amounts. Safe to clear: it only reads, and records results.",
            xiaoe_conn_id=xiaoe_conn_id,
            execution_timeout=timeout,
        )
        XiaoeRowChecksOperator(
            **named("rows"),
            doc_md="Inconsistent amounts and times within a row. Safe to clear. 金额、时间互相矛盾的行。",
            xiaoe_conn_id=xiaoe_conn_id,
            execution_timeout=timeout,
        )
        XiaoeQueryChecksOperator(
            **named("queries"),
            doc_md="Inconsistent tables, unknown codes, gaps in the ledger, stale syncs. Safe to clear."
            " 表间关系、未知代码、台账缺口、同步时效。",
            xiaoe_conn_id=xiaoe_conn_id,
            fresh_within=FRESH_WITHIN,
            execution_timeout=timeout,
        )
        XiaoeDayTotalsOperator(
            **named("day_totals"),
            doc_md="Compares the API's totals of some past days. Safe to clear. 抽查过去几天的接口总数。",
            xiaoe_conn_id=xiaoe_conn_id,
            execution_timeout=timeout,
            pool=POOL,
        )

    shop.expand(xiaoe_conn_id=settings.conn_ids())
    XiaoeStorageOperator(
        **named("storage"),
        doc_md="Measures database, pages, binary logs and free disk for the monitoring page; fails below"
        " `XIAOE_MIN_FREE_DISK_GB`. Safe to clear. 存储取样；磁盘不足时失败。",
        execution_timeout=timeout,
    )

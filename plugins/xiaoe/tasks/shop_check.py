"""The task of the DAG that checks a shop."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import task_group

from xiaoe import settings
from xiaoe.shop_check.operators import XiaoeShopCheckOperator
from xiaoe.tasks.defaults import POOL, named, named_group


def check_shops(*, timeout: timedelta) -> None:
    """Check every shop; one that does not fit does not hold up the others.

    Args:
        timeout: Of each check.
    """

    @task_group(**named_group("shop"))
    def shop(xiaoe_conn_id: str) -> None:
        XiaoeShopCheckOperator(
            **named("check"),
            doc_md="About 40 calls that only read. Safe to clear: it checks again. 只读，重跑即再检查一次。",
            xiaoe_conn_id=xiaoe_conn_id,
            execution_timeout=timeout,
            pool=POOL,
        )

    shop.expand(xiaoe_conn_id=settings.conn_ids())

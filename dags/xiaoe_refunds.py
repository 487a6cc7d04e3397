"""### After-sales by last change, and their older orders, hourly · 售后（退款）

Reads every after-sale that changed since three days before the watermark. Orders that these after-sales name and that
are too old for the rescan are looked up by id, so that a late refund reaches `orders` too. The first run loads the
whole history.
每小时读取最近变更的售后单；其中比每小时复查范围更早的订单，按订单号重新查询。首次运行自动补齐全部历史。

**When it fails** refunds arrive late, and benefit decisions (福利) with them. Follow the message of the
failed task. The next run closes the gap.

**Who is hurt**: staff who hand out or take back benefits; finance.

**By hand**: trigger with `from` and `to` (days of the last change) to read any window again.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

with DAG(
    dag_id="xiaoe_refunds",
    description="After-sales that changed, and old orders they name",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("20 * * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("refunds", params=WINDOW_PARAMS, overdue_after=timedelta(minutes=45)),
):
    sync_shops("refunds", "incremental", timeout=timedelta(hours=6), look_up_orders=True)

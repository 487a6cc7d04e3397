"""### New orders, every 30 minutes · 增量订单

Reads the orders created since the watermark (minus an overlap of one hour) up to the end of the interval
and merges them. After an outage, one run closes the whole gap. 每半小时同步新订单；停机后一次补齐。

**When it fails** the watermark stays where it was and nothing is lost: the next run reads the window again.
Follow the message of the failed task; `sync_status.message` has the same text.
Codes 2004, 2017, 2020, 2051: correct a field of the connection or a right in 小鹅通, then clear the run.

**Who is hurt** while it is down: dashboards lack the newest orders. The hourly rescan also reads them.

**By hand**: trigger with `from` and `to` (Beijing time) to read any window; the watermark does not move.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

with DAG(
    dag_id="xiaoe_orders_incremental",
    description="Orders created since the last run",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/30 * * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    **dag_defaults("orders", "incremental", params=WINDOW_PARAMS, overdue_after=timedelta(minutes=15)),
):
    sync_shops("orders", "incremental", timeout=timedelta(hours=2))

"""### Rescan of the orders of the last `XIAOE_RESCAN_DAYS`, hourly · 近期订单复查

The API has no filter on the time of a change: a refund shows only when the order's day is listed again.
So every order of the last `XIAOE_RESCAN_DAYS` (default 15) is read each hour; unchanged rows are neither parsed
nor written. State changes are logged in `order_state_log`.
每小时复查近 `XIAOE_RESCAN_DAYS` 天（默认 15）的订单，发现退款、发货、结算等变化。

**When it fails** benefit decisions (福利) wait: a benefit is granted only on an observation after the deadline.
Act within the hour, by the message of the failed task. The next run covers everything again.

**Who is hurt**: staff who hand out or take back benefits.

**By hand**: trigger with `from` and `to` to read any window again, also an old one.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

with DAG(
    dag_id="xiaoe_orders_rescan",
    description="Changes of recent orders",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 * * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    **dag_defaults("orders", "rescan", params=WINDOW_PARAMS, overdue_after=timedelta(minutes=45)),
):
    sync_shops("orders", "rescan", timeout=timedelta(hours=2))

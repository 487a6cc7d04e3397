"""### Rescan of the orders of the last `XIAOE_DEEP_RESCAN_DAYS`, daily · 深度复查

Orders still change after the days that the hourly rescan covers: shipping, settlement, late refunds.
Once a night every order of the last `XIAOE_DEEP_RESCAN_DAYS` (default 90) is read again; unchanged rows are
neither parsed nor written.
每晚复查近 `XIAOE_DEEP_RESCAN_DAYS` 天（默认 90）的订单，补上每小时复查范围之外的发货、结算等变化。

**When it fails** older orders show an old state until the next day's run, which covers everything again.

**Who is hurt**: finance, if it settles by order. Benefit decisions depend on the hourly rescan, not on this.

**By hand**: trigger with `from` and `to` to read any window again.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

with DAG(
    dag_id="xiaoe_orders_deep_rescan",
    description="Changes of older orders",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    **dag_defaults("orders", "rescan", params=WINDOW_PARAMS, overdue_after=timedelta(hours=3)),
):
    sync_shops("orders", "deep_rescan", timeout=timedelta(hours=4))

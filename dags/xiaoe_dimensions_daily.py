"""### Users, products and live streams, complete, daily · 用户、商品、直播

Reads each list completely. Rows that a list no longer has get `absent_since`; nothing is deleted.
Products and users that so far were known only from orders are filled in. The views of live streams are
stored by day in `live_stream_days`. 每日完整读取三个列表；列表中不再出现的记录标记 absent_since，不删除。

**When it fails** the tables keep yesterday's state; new users and products stay as orders name them. If the
message says that more than half is missing, check the shop's console first.

**Who is hurt**: reports by user, product and live stream. Orders and benefits are not affected.

**By hand**: trigger it at any time; it has no window. Tick `accept_missing` only after checking the console.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults
from xiaoe.tasks.sync import ACCEPT_MISSING, sync_shops

with DAG(
    dag_id="xiaoe_dimensions_daily",
    description="Users, products, live streams, complete",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 3 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("dimensions", params=ACCEPT_MISSING, overdue_after=timedelta(hours=3)),
):
    for name in ("users", "products", "live_streams"):
        sync_shops(name, "whole", timeout=timedelta(hours=6), group_id=name)

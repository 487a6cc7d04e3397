"""### 增量订单 · New orders, every 30 minutes

每半小时读取新订单：从水位线往前一小时读到本次运行的时刻。停机之后，一次运行就补齐。

**失败时**：水位线不动，数据不会丢，下一次运行重读同一段时间。按失败任务的报错处理；监控页也写着。报错 2004、2017、
2020、2051 是连接或权限填错：改正后清除任务。

**影响**：看板缺最新的订单；每小时的 15 天复查也会补读。

**手动触发**：填“开始”“结束”可读取任意时间段，水位线不动；“逻辑日期”不用管。

---

Reads the orders created since the watermark (minus an overlap of one hour) up to the end of the interval
and merges them. After an outage, one run closes the whole gap.

**When it fails** the watermark stays where it was and nothing is lost: the next run reads the window again.
Follow the message of the failed task; `sync_status.message` has the same text.
Codes 2004, 2017, 2020, 2051: correct a field of the connection or a right in 小鹅通, then clear the run.

**Who is hurt**: dashboards lack the newest orders. The hourly rescan also reads them.

**By hand**: trigger with `from` and `to` (Beijing time) to read any window; the watermark does not move.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

with DAG(
    dag_id="xiaoe_orders_incremental",
    dag_display_name=dag_name("xiaoe_orders_incremental"),
    description=dag_description("xiaoe_orders_incremental"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/30 * * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    **dag_defaults("orders", "incremental", params=WINDOW_PARAMS, overdue_after=timedelta(minutes=15)),
):
    sync_shops("orders", "incremental", timeout=timedelta(hours=2))

"""### 售后同步 · After-sales by last change, and their older orders, hourly

每小时读取最近变更过的售后单（水位线往前三天起）。其中比 15 天复查更早的订单，按订单号再查一遍（旧单补查），
迟到的退款因此也能进 `orders`。首次运行补齐全部历史。

**失败时**：退款晚到，福利判定也跟着晚。按报错处理，下一次运行会补齐。

**影响**：退款晚到，福利判定随之顺延；新订单照常。

**手动触发**：填“开始”“结束”（最近变更的日期）可重读任意时间段。

---

Reads every after-sale that changed since three days before the watermark. Orders that these after-sales name and that
are too old for the rescan are looked up by id, so that a late refund reaches `orders` too. The first run loads the
whole history.

**When it fails** refunds arrive late, and benefit decisions (福利) with them. Follow the message of the
failed task. The next run closes the gap.

**Who is hurt**: staff who hand out or take back benefits, and finance: refunds arrive late.

**By hand**: trigger with `from` and `to` (days of the last change) to read any window again.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

with DAG(
    dag_id="xiaoe_refunds",
    dag_display_name=dag_name("xiaoe_refunds"),
    description=dag_description("xiaoe_refunds"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("20 * * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("refunds", params=WINDOW_PARAMS, overdue_after=timedelta(minutes=45)),
):
    sync_shops("refunds", "incremental", timeout=timedelta(hours=6), look_up_orders=True)

"""### 90 天复查 · Rescan of the orders of the last `XIAOE_DEEP_RESCAN_DAYS`, daily

订单在 15 天之后还会变：发货、结算、迟到的退款。每晚把近 `XIAOE_DEEP_RESCAN_DAYS` 天（默认 90）的订单重读一遍，
没变化的不解析也不写入。

**失败时**：较早的订单停在旧状态，第二天的运行会全部补上。

**影响**：较早订单的发货、结算、退款晚一天更新；福利判定不受影响。

**手动触发**：填“开始”“结束”可重读任意时间段。

---

Orders still change after the days that the hourly rescan covers: shipping, settlement, late refunds.
Once a night every order of the last `XIAOE_DEEP_RESCAN_DAYS` (default 90) is read again; unchanged rows are
neither parsed nor written.

**When it fails** older orders show an old state until the next day's run, which covers everything again.

**Who is hurt**: finance, if it settles by order: older orders show an old state. Benefit decisions go on.

**By hand**: trigger with `from` and `to` to read any window again.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

with DAG(
    dag_id="xiaoe_orders_deep_rescan",
    dag_display_name=dag_name("xiaoe_orders_deep_rescan"),
    description=dag_description("xiaoe_orders_deep_rescan"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    **dag_defaults("orders", "rescan", params=WINDOW_PARAMS, overdue_after=timedelta(hours=3)),
):
    sync_shops("orders", "deep_rescan", timeout=timedelta(hours=4))

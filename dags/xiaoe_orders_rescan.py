"""### 15 天复查 · Rescan of the orders of the last `XIAOE_RESCAN_DAYS`, hourly

接口不能按变更时间查订单，退款只有再读一遍下单那天才看得到。所以每小时把近 `XIAOE_RESCAN_DAYS` 天（默认 15）
的订单重读一遍，没变化的不解析也不写入；状态变化记在 `order_state_log`。

**失败时**：福利判定会等：只有截止之后又读到过的订单才发放。请在一小时内按报错处理；下一次运行会全部补上。

**影响**：退款、发货的更新停了，福利判定顺延；新订单照常。

**手动触发**：填“开始”“结束”可重读任意时间段，包括更早的。

---

The API has no filter on the time of a change: a refund shows only when the order's day is listed again.
So every order of the last `XIAOE_RESCAN_DAYS` (default 15) is read each hour; unchanged rows are neither parsed
nor written. State changes are logged in `order_state_log`.

**When it fails** benefit decisions (福利) wait: a benefit is granted only on an observation after the deadline.
Act within the hour, by the message of the failed task. The next run covers everything again.

**Who is hurt**: staff who hand out or take back benefits: decisions wait. New orders still come.

**By hand**: trigger with `from` and `to` to read any window again, also an old one.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe import settings
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

HOURS = settings.rescan_every() // timedelta(hours=1)

with DAG(
    dag_id="xiaoe_orders_rescan",
    dag_display_name=dag_name("xiaoe_orders_rescan"),
    description=dag_description("xiaoe_orders_rescan"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable(
        {1: "0 * * * *", 24: "0 0 * * *"}.get(HOURS, f"0 */{HOURS} * * *"), timezone=TIMEZONE
    ),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    **dag_defaults("orders", "rescan", params=WINDOW_PARAMS, overdue_after=timedelta(minutes=45)),
):
    sync_shops("orders", "rescan", timeout=timedelta(hours=2))

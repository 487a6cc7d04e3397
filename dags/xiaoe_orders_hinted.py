"""### 变更补查 · Orders that hints name, looked up within a minute

消息推送和变更列表只提示“哪个订单变了”。有提示时本 DAG 在几秒内自动运行，按订单号查一遍，`orders` 的内容仍只来自订单
接口。同一订单的多条提示只查一次；结果记在 `hint_looks`。`XIAOE_HINTS` 为空时没有计划，不会运行。

**失败时**：提示留在 `change_hints`，两分钟后或每小时的 40 分再试，不会丢。按报错处理。

**影响**：变化要等复查或售后同步才看得到；福利判定、看板照常。

**手动触发**：随时可以触发，没有时间段。

---

Pushes and the list of changed orders tell only *that* an order changed. When hints wait, this DAG runs within seconds
and looks these orders up by id; `orders` is still written from the order list alone. Many hints for one order are
one look; what came of each is in `hint_looks`. Without `XIAOE_HINTS` it has no schedule.

**When it fails** the hints stay in `change_hints` and are tried again after two minutes, and hourly. Follow the message
of the failed task.

**Who is hurt**: nobody at once: changes wait for the rescans and the after-sales. Decisions and dashboards go on.

**By hand**: trigger it at any time; it has no window.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import ACCEPT_MISSING, hints_schedule, sync_shops

with DAG(
    dag_id="xiaoe_orders_hinted",
    dag_display_name=dag_name("xiaoe_orders_hinted"),
    description=dag_description("xiaoe_orders_hinted"),
    doc_md=__doc__,
    schedule=hints_schedule(),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    **dag_defaults("orders", "hints", params=ACCEPT_MISSING, overdue_after=timedelta(minutes=30)),
):
    sync_shops("orders", "hints", timeout=timedelta(minutes=45))

"""### 变更列表 · Orders by last change, every 5 minutes

每 5 分钟读取“订单列表 2.0”里最近变更过的订单：推广、渠道、关闭原因记入 `order_origins`，商品行记入 `order_lines`，
并给每个有变化的订单留一条提示，由“变更补查”按订单号查一遍。`XIAOE_HINTS` 含 `list` 时才有计划；店铺须开通该接口。

**失败时**：水位线不动，下一次运行补齐整段时间，停几天也一样。提示没有权限时，请在小鹅通开放平台开通接口。

**影响**：变化要等复查或售后同步才看得到，推广、渠道停在旧数据；福利判定照常。

**手动触发**：填“开始”“结束”（最近变更的时间）可重读任意时间段，例如补齐以前订单的推广和渠道。

---

Reads the orders that changed from "order list 2.0": promoter, channel and close reason go to `order_origins`, lines to
`order_lines`, and each changed order leaves a hint that 变更补查 looks up by id. It has a schedule only with `list` in
`XIAOE_HINTS`; the shop has to be granted the interface.

**When it fails** the watermark stays and the next run closes the whole gap, also after days. Where a permission is
missing, have the interface granted on Xiaoe's open platform.

**Who is hurt**: nobody at once: changes wait for the rescans and the after-sales; promoters and channels stand still.

**By hand**: trigger with `from` and `to` (times of the last change) to read any window, e.g. for the promoters of
earlier orders.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe import settings
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

with DAG(
    dag_id="xiaoe_orders_changed",
    dag_display_name=dag_name("xiaoe_orders_changed"),
    description=dag_description("xiaoe_orders_changed"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/5 * * * *", timezone=TIMEZONE) if "list" in settings.hints() else None,
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    **dag_defaults("orders", "hints", params=WINDOW_PARAMS, overdue_after=timedelta(minutes=15)),
):
    sync_shops("order_origins", "incremental", timeout=timedelta(hours=3))

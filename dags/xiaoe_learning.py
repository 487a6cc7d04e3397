"""### 学习数据 · Seconds learned by day, and buyers' progress, nightly

每晚先按天读取学习时长（只问当天来过的用户），再读取近期买家的学习进度（只问上次读取之后来过的）。每晚的调用次数不超过
`XIAOE_NIGHTLY_CALLS`，没轮到的下次最先读，覆盖情况见 `parent_coverage`。`XIAOE_MORE_LISTS` 含 `learning` 时才有计划；
店铺须开通接口。

**失败时**：已读到的照常入库，没读到的下一次最先读；一周之内的日子会自动补上。

**影响**：学习时长和进度停在昨天；订单和福利判定不受影响。

**手动触发**：填“开始”“结束”：重读这些日子的学习时长，以及这段时间付款的买家的进度。

---

Reads seconds by day of users who visited, then the progress of recent buyers who visited since it was last read,
within `XIAOE_NIGHTLY_CALLS`; those left over come first in the next run (`parent_coverage`). It has a schedule only
with `learning` in `XIAOE_MORE_LISTS`; the shop has to be granted the interfaces.

**When it fails** what was read is merged, the rest comes first in the next run; days of a week are made up for.

**Who is hurt**: reports on learning. Orders and benefit decisions go on.

**By hand**: trigger with `from` and `to`: these days again, and the progress of who paid in that time.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import WINDOW_PARAMS, more_lists_schedule, sync_shops

with DAG(
    dag_id="xiaoe_learning",
    dag_display_name=dag_name("xiaoe_learning"),
    description=dag_description("xiaoe_learning"),
    doc_md=__doc__,
    schedule=more_lists_schedule("learning", "30 5 * * *"),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("learning", params=WINDOW_PARAMS, overdue_after=timedelta(hours=6)),
):
    for name in ("learning_days", "learning_progress"):
        sync_shops(name, "incremental", timeout=timedelta(hours=8), group_id=name)

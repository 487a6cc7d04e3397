"""### 历史订单 · All orders since `XIAOE_HISTORY_START`, a week per run

每次读取一周（`XIAOE_HISTORY_INTERVAL_DAYS`）的订单，启用后自动从 `XIAOE_HISTORY_START`（默认 2025-01-01）补到现在；
以后每周结束时再读一遍。

**失败时**：只缺这一周，其他周继续。按报错处理后**一定要清除这次运行**：后面的运行不会补读它。

**影响**：缺这一周的历史数据；新订单和福利判定不受影响。

**手动触发**：填“开始”“结束”（北京时间零点，结束那天不含）可读取任意时间段；都不填就从头读到现在。

---

Each run reads the orders created in its interval of seven days, the longest window the API takes
(`XIAOE_HISTORY_INTERVAL_DAYS`: longer intervals mean fewer runs, each of several windows).
Catch-up fills the history by itself; later each week is read once more when it is over.

**Backfill**: trigger with `from` and `to` (midnight in Beijing, `to` not included), or from the command line
(docs/operations.md). Rows that did not change are not written again.

**When it fails** only its week is missing; the other weeks continue. Fix what the message names, then clear the run.

**Who is hurt**: reports on the past lack that week. New orders and benefit decisions go on.

**By hand**: trigger with `from` and `to` for one window of any length; without them, the whole history at once.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, DeltaDataIntervalTimetable

from xiaoe import settings
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

with DAG(
    dag_id="xiaoe_orders_history",
    dag_display_name=dag_name("xiaoe_orders_history"),
    description=dag_description("xiaoe_orders_history"),
    doc_md=__doc__,
    schedule=DeltaDataIntervalTimetable(settings.history_interval()),
    start_date=pendulum.instance(settings.history_start()).in_tz(TIMEZONE),
    catchup=True,
    max_active_runs=2,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("orders", "history", params=WINDOW_PARAMS, overdue_after=timedelta(hours=6)),
):
    sync_shops("orders", "history", timeout=timedelta(hours=6))

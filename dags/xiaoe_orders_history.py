"""### All orders since 2025-01-01, a week per run · 历史订单

Each run reads the orders created in its interval of seven days, the longest window the API takes
(`XIAOE_HISTORY_INTERVAL_DAYS`: longer intervals mean fewer runs, each of several windows).
Catch-up fills the history by itself; later each week is read once more when it is over.
每次读取一周的订单；启用后自动补齐 2025-01-01 以来的历史。

**Backfill** · 回填: trigger with `from` and `to` (midnight in Beijing, `to` not included), or
`airflow dags trigger xiaoe_orders_history --conf '{"from": "2025-03-01", "to": "2025-04-01"}'`.
Rows that did not change are not written again.

**When it fails** only its week is missing; the other weeks continue. Fix what the message names, then clear the run.

**Who is hurt**: reports on the past. Benefit decisions depend on the rescan, not on this.

**By hand**: trigger with `from` and `to` for one window of any length; without them, the whole history at once.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, DeltaDataIntervalTimetable

from xiaoe import settings
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults
from xiaoe.tasks.sync import WINDOW_PARAMS, sync_shops

with DAG(
    dag_id="xiaoe_orders_history",
    description="Orders by week of creation, since the start of the history",
    doc_md=__doc__,
    schedule=DeltaDataIntervalTimetable(settings.history_interval()),
    start_date=pendulum.instance(settings.history_start()).in_tz(TIMEZONE),
    catchup=True,
    max_active_runs=2,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("orders", "history", params=WINDOW_PARAMS, overdue_after=timedelta(hours=6)),
):
    sync_shops("orders", "history", timeout=timedelta(hours=6))

"""### Marts for dashboards, refreshed on every change · 报表汇总

Runs after each merge of orders or users, after each decision, and every hour. It recomputes the days, weeks and
months that changed: daily sales, products, buyers and cohorts, refunds by age, benefit decisions, coverage (docs/bi.md
defines every figure). What changed is in `mart_queue`, written in the same transaction as the change. It also takes
over the shop's name from its connection.
数据入库或福利判定后自动运行，另每小时一次：只重算有变化的日期、周、月，供看板读取；各指标口径见 docs/bi.md。

**When it fails** dashboards show the state of the last success (see 报表汇总 on 同步监控). Nothing is lost: the next
run computes everything that is queued.

**Who is hurt**: people who read dashboards. Syncs, decisions and exports do not wait for it.

**By hand**: trigger it at any time; it has no window. With `rebuild` it recomputes everything, a few
minutes for millions of orders: use it after changing rows by hand. 手工改过数据后，勾选 `rebuild` 全部重算。
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from xiaoe.tasks.defaults import ASSETS, TIMEZONE, dag_defaults
from xiaoe.tasks.marts import REBUILD_PARAM, refresh_marts

with DAG(
    dag_id="xiaoe_marts",
    description="Marts for dashboards, after each change",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        # Refund curves and coverage grow with each day, even without new rows.
        timetable=CronTriggerTimetable("50 * * * *", timezone=TIMEZONE),
        assets=ASSETS["orders"] | ASSETS["users"] | ASSETS["benefits"],
    ),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    **dag_defaults("marts", params=REBUILD_PARAM, overdue_after=timedelta(hours=1)),
):
    refresh_marts(timeout=timedelta(hours=4))

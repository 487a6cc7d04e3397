"""### 报表汇总 · Marts for dashboards, refreshed on every change

数据入库或福利判定之后自动运行，另外每小时一次：只重算有变化的日期、周、月，供看板和早报读取（口径见 docs/bi.md）；
也从连接里取店铺名称。

**失败时**：看板停在上一次成功的数字，不会丢：下一次运行会算完所有排队的变化。

**影响**：看板停在上一次刷新的数字；同步、福利判定、导出照常。

**手动触发**：随时可以触发，没有时间段。手工改过数据之后，勾选“全部重算”，几百万订单要几分钟。

---

Runs after each merge of orders or users, after each decision, and every hour. It recomputes the days, weeks and
months that changed: daily sales, products, buyers and cohorts, refunds by age, benefit decisions, coverage (docs/bi.md
defines every figure). What changed is in `mart_queue`, written in the same transaction as the change. It also takes
over the shop's name from its connection.

**When it fails** dashboards show the state of the last success (see 报表汇总 on 同步监控). Nothing is lost: the next
run computes everything that is queued.

**Who is hurt**: people who read dashboards: they stand still. Syncs, decisions and exports go on.

**By hand**: trigger it at any time; it has no window. With `rebuild` it recomputes everything, a few
minutes for millions of orders: use it after changing rows by hand.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from xiaoe.tasks.assets import ASSETS
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.marts import REBUILD_PARAM, refresh_marts

with DAG(
    dag_id="xiaoe_marts",
    dag_display_name=dag_name("xiaoe_marts"),
    description=dag_description("xiaoe_marts"),
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

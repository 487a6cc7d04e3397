"""### 时效目标 · Objectives, every 10 minutes

计算每个店铺两项目标的达成情况，写入 `objective_status`，显示在监控页：99.5% 的订单在 40 分钟内入库，99.5% 的退款在
2 小时内据此判定福利（近 30 天；用了消息推送则为 2 分钟、10 分钟）。超时额度消耗过快时告警，恢复后再通知一次。

**失败时**：时效不再计算，同步照常；各项同步的时限检查随之恢复。按报错处理，下一次运行会重新计算。

**影响**：等新订单、等退款判定的人：数据来得晚；已入库的数据照常。

**手动触发**：随时可以触发。

---

Measures two objectives of each shop, over 30 days, and writes them to `objective_status` for the monitoring page:
99.5 % of orders are in MySQL within 40 minutes, 99.5 % of refunds are decided on within 2 hours (2 and 10 minutes with
the shop's message push). An error budget that burns too fast is an alert ([how](docs/monitoring.md#objectives)).

**When it fails** nothing is measured; syncs continue, and the checks of their freshness stand in. Follow the message;
the next run measures everything again.

**Who is hurt**: whoever waits for new orders or for a decision: they come late. What has arrived is right.

**By hand**: trigger it at any time.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.objectives import evaluate_objectives

with DAG(
    dag_id="xiaoe_objectives",
    dag_display_name=dag_name("xiaoe_objectives"),
    description=dag_description("xiaoe_objectives"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/10 * * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    **dag_defaults("objectives", params={}, overdue_after=timedelta(minutes=20)),
):
    evaluate_objectives(timeout=timedelta(minutes=10))

"""### 每日清理 · Daily cleanup

按设置的保留期清理接口原文、台账旧行、已解决的行、检查结果、导出文件、日志和 Airflow 的运行记录，并更新表统计。
各步骤互不影响。

**失败时**：不会丢数据，其他照常，只是磁盘慢慢变满。按报错处理后清除那个任务。“清理运行记录”显示跳过时，
日志写着要填哪个设置。

**影响**：眼下没有；几周不清理会占满磁盘，同步随之停止。

**手动触发**：随时可以触发；勾选“只看不删”只在日志里列出会清理什么。

---

Removes pages, superseded rows of the ledger, resolved rejected rows, old results, exports, logs and Airflow's own old
records, each after the time in its setting (docs/configuration.md), and refreshes MySQL's statistics. Each step is a
separate task, independent of the others.

**When it fails** nothing is lost and nothing else stops; the disk fills slowly. Follow the message of the failed task,
then clear it. A skipped `airflow_db` names the setting that it needs.

**Who is hurt**: nobody for weeks, then everyone: a full disk stops the syncs.

**By hand**: trigger it at any time. With `dry_run` it only logs what it would remove.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.maintenance import DRY_RUN_PARAM, maintain

with DAG(
    dag_id="xiaoe_maintenance",
    dag_display_name=dag_name("xiaoe_maintenance"),
    description=dag_description("xiaoe_maintenance"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("30 5 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    **dag_defaults("maintenance", params=DRY_RUN_PARAM, overdue_after=timedelta(hours=2)),
):
    maintain(timeout=timedelta(hours=1))

"""### Daily cleanup · 每日清理

Removes pages, superseded rows of the ledger, resolved rejected rows, old results, exports, logs and Airflow's own old
records, each after the time in its setting (docs/configuration.md), and refreshes MySQL's statistics. Each step is a
separate task, independent of the others.
每天清理过期的接口原文、台账旧行、检查结果、导出文件、日志和 Airflow 元数据，并更新表统计信息；各步骤互不影响。

**When it fails** nothing is lost and nothing else stops; the disk fills slowly. Follow the message of the failed task,
then clear it. A skipped `airflow_db` names the setting that it needs.

**Who is hurt**: nobody for weeks, then everyone: a full disk stops the syncs.

**By hand**: trigger it at any time. With `dry_run` it only logs what it would remove.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults
from xiaoe.tasks.maintenance import DRY_RUN_PARAM, maintain

with DAG(
    dag_id="xiaoe_maintenance",
    description="Removes old pages, ledger rows, results, files and logs",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("30 5 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    **dag_defaults("maintenance", params=DRY_RUN_PARAM, overdue_after=timedelta(hours=2)),
):
    maintain(timeout=timedelta(hours=1))

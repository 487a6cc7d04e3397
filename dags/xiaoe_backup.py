"""### Nightly backup of the warehouse, weekly restore drill · 每日备份与每周恢复演练

Dumps the whole warehouse from one snapshot into `XIAOE_BACKUP_STORE`: compressed, with a checksum, encrypted if a
key is configured. No other task waits for it. Then it removes old backups (the last 14 days and 6 months stay) and,
once a week, restores the newest one into a scratch database, compares every table with the dump, and drops it again.
每天凌晨备份整个数据库，按保留期清理，每周把最新备份恢复到临时库并逐表核对。

**When it fails** in `dump`, there is no backup of today; older ones are unchanged. The message names the fix; mostly
the store's disk is full. In `drill`: **do not rely on that backup**; check whether the next one restores.
See docs/backup.md.

**Who is hurt**: nobody today; everyone on the day the database is lost. Only a backup can restore benefit decisions,
answers of staff and change logs; everything else can be read from 小鹅通 again.

**By hand**: trigger it at any time, with `drill` to run a restore drill now. `make backup` does the same without a
scheduler, `make restore FILE=…` restores a backup.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.backup import DRILL_PARAM, back_up
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults

with DAG(
    dag_id="xiaoe_backup",
    description="A dump of the warehouse, daily; a restore drill, weekly",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 4 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("backup", params=DRILL_PARAM, overdue_after=timedelta(hours=2)),
):
    back_up(timeout=timedelta(hours=6))

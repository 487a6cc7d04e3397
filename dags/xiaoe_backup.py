"""### 每日备份 · Nightly backup of the warehouse, weekly restore drill

每天凌晨把整个数据库从同一快照备份到 `XIAOE_BACKUP_STORE`：压缩、带校验，配置了密钥就加密，不妨碍其他任务。
然后清理过期备份（留最近 14 天和 6 个月），每周把最新一份恢复到临时库逐表核对，再删掉临时库。

**失败时**：“备份”失败：今天没有新备份，旧的不受影响，多半是备份盘满了。“恢复演练”失败：**那份备份不可靠**，
看下一份能不能恢复（docs/backup.zh-CN.md）。

**影响**：今天没有新备份，其他照常；数据库出事时只能恢复到上一份。

**手动触发**：随时可以触发；勾选“恢复演练”立即做一次。

---

Dumps the whole warehouse from one snapshot into `XIAOE_BACKUP_STORE`: compressed, with a checksum, encrypted if a
key is configured. No other task waits for it. Then it removes old backups (the last 14 days and 6 months stay) and,
once a week, restores the newest one into a scratch database, compares every table with the dump, and drops it again.

**When it fails** in `dump`, there is no backup of today; older ones are unchanged. The message names the fix; mostly
the store's disk is full. In `drill`: **do not rely on that backup**; check whether the next one restores.
See docs/backup.md.

**Who is hurt**: nobody today; everyone on the day the database is lost.

**By hand**: trigger it at any time, with `drill` to run a restore drill now. `make backup` does the same without a
scheduler, `make restore FILE=…` restores a backup.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.backup import DRILL_PARAM, back_up
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name

with DAG(
    dag_id="xiaoe_backup",
    dag_display_name=dag_name("xiaoe_backup"),
    description=dag_description("xiaoe_backup"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 4 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("backup", params=DRILL_PARAM, overdue_after=timedelta(hours=2)),
):
    back_up(timeout=timedelta(hours=6))

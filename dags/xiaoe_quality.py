"""### 数据质量检查 · Data quality checks, hourly

检查每个店铺的数据：不可能的值、互相矛盾的行、未知代码、台账缺口、久未成功的同步、接口总数与数仓不符的日子，
结果写入 `quality_results`。每小时检查近 `XIAOE_RESCAN_DAYS` + 1 天；每天 05:50 和手动触发时检查全部。
“存储采样”记录磁盘和各表的大小。

**失败时**：有数据不对或不全，报错写着每项检查、哪些行、怎么改（docs/quality.zh-CN.md）。不会自动重试，
下一次检查通过就算解决。警告不会让它失败。

**影响**：失败说明有数据不对或不全：先不要引用相关数字；同步照常。

**手动触发**：随时可以触发，只写自己的表。

---

Looks for defects in each shop's data: impossible values, inconsistent rows, unknown codes, gaps in the ledger since the
start of the history, syncs without success for long, days on which the API's number of orders differs from the
warehouse's. Every result is stored in `quality_results`. The hourly run checks the rows of the last `XIAOE_RESCAN_DAYS`
+ 1 days; at 05:50, and when started by hand, it checks all of them. `storage` measures disk and tables.

**When it fails** the data is wrong or incomplete, and the message names each check, the rows and the fix. There are no
retries. docs/quality.md explains every check; the problem is solved when the next run succeeds. Warnings do not fail
the run: they are in the log and the table.

**Who is hurt**: everyone who trusts the numbers. The syncs continue meanwhile.

**By hand**: trigger it at any time, or `make sync TYPE=quality`; it writes only its own table.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.quality import check_quality

with DAG(
    dag_id="xiaoe_quality",
    dag_display_name=dag_name("xiaoe_quality"),
    description=dag_description("xiaoe_quality"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("50 * * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    **dag_defaults("quality", params={}, overdue_after=timedelta(minutes=30)),
):
    check_quality(timeout=timedelta(minutes=50))

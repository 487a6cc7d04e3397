"""### Data quality checks, hourly · 数据质量检查

Looks for defects in each shop's data: impossible values, inconsistent rows, unknown codes, gaps in the ledger since the
start of the history, syncs without success for long, days on which the API's number of orders differs from the
warehouse's. Every result is stored in `quality_results`. The hourly run checks the rows of the last `XIAOE_RESCAN_DAYS`
+ 1 days; at 05:50, and when started by hand, it checks all of them. `storage` measures disk and tables.
每小时按店铺检查近 `XIAOE_RESCAN_DAYS` + 1 天的数据，每天 05:50（及手工运行时）检查全部；结果写入 `quality_results`。

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

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults
from xiaoe.tasks.quality import check_quality

with DAG(
    dag_id="xiaoe_quality",
    description="Whether the data is right and complete",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("50 * * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    **dag_defaults("quality", params={}, overdue_after=timedelta(minutes=30)),
):
    check_quality(timeout=timedelta(minutes=50))

"""### Is the data right? Checked hourly · 数据质量检查

Looks, per shop, for what should not be: values that cannot be, rows that do not fit together, codes nobody knows, gaps
in the ledger since the start of the history, syncs that have not got through for long, days on which the API tells
another number of orders than the warehouse holds. Every result is kept in `quality_results`. Hourly it looks at the
rows of the last `XIAOE_RESCAN_DAYS` and one, at 05:50 and when started by hand at all of them. `storage` measures disk
and tables.
每小时按店铺检查近 `XIAOE_RESCAN_DAYS` + 1 天的数据，每天 05:50（及手工运行时）检查全部；结果写入 `quality_results`。

**When it fails** the data is wrong or incomplete, and the message names each check, the rows and what helps. Nothing is
tried again by itself. docs/quality.md explains every check; it is over when the next run is green. Warnings do not fail
the run: they stand in the log and the table.

**Who is hurt**: everyone who trusts the numbers. The syncs go on meanwhile.

**By hand**: trigger it at any time, or `make sync TYPE=quality`; it changes nothing but its own table.
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
    **dag_defaults("quality", params={}, late_after=timedelta(minutes=30)),
):
    check_quality(timeout=timedelta(minutes=50))

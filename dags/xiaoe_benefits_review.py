"""### Manual review of benefits · 福利人工复核

Asks about orders in review that have no answer to their current state: at most 50 per shop and run, latest deadline
first; orders put off get half of the places. Answer in the UI under *Required Actions* (待操作的任务实例): 发放福利,
不发放福利 or 稍后再定; or fill in the column 答复 of the daily report's sheet 人工复核, then `make import-reviews`.
Each answer is stored in `benefit_reviews`, with who and when; `xiaoe_benefits` then decides by it and logs the person
as `decided_by`. If the order changes after the answer, the answer no longer holds: the order is decided, or asked
about, again.
请在“待操作的任务实例”中逐单答复，或在日报“人工复核”表的“答复”列填好后导入；20 小时内未答复视为“稍后再定”，以后再问。

**When it fails** in `questions`: check the warehouse. In `answer`: clear that one task; the answer is not lost.
Never clear an answered `ask`: that drops the answer and asks again.

**Who is hurt**: customers whose order is in review; they keep waiting.

**By hand**: trigger it at any time. One run at a time: it starts when every question of the previous run is answered,
even with 稍后再定.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.benefits import review_benefits
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults

with DAG(
    dag_id="xiaoe_benefits_review",
    description="Asks a person about the orders that the rule cannot settle",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("30 9 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=23),
    **dag_defaults("benefits", params={}, overdue_after=timedelta(hours=22)),
):
    review_benefits(patience=timedelta(hours=20))

"""### 福利复核 · Manual review of benefits

逐单询问待复核的订单：每店每次最多 50 单，截止时间近的先问。在 Airflow 的“待操作的任务实例”里答复，或在日报的
“人工复核”表里填好后导入；答复立即存进 `benefit_reviews`，写明谁、何时，“福利判定”照此执行。订单之后又变了，
答复就作废，重新判定或再问。20 小时内没有答复的算“稍后再定”，以后再问。

**失败时**：“列出待复核”失败：看数据库。“记录答复”失败：清除这一个任务，答复不会丢。已经答复的“询问”不要清除：
那会丢掉答复再问一遍。

**影响**：待复核的订单没有人问，这些买家要继续等。

**手动触发**：随时可以触发。同一时间只有一次运行：上一次的问题全部答复（或过期）之后才会开始。

---

Asks about orders in review that have no answer to their current state: at most 50 per shop and run, latest deadline
first; orders put off get half of the places. Answer in the UI under *Required Actions* (待操作的任务实例): 发放福利,
不发放福利 or 稍后再定; or fill in the column 答复 of the daily report's sheet 人工复核, then `make import-reviews`.
Each answer is stored in `benefit_reviews`, with who and when; `xiaoe_benefits` then decides by it and logs the person
as `decided_by`. If the order changes after the answer, the answer no longer holds: the order is decided, or asked
about, again.

**When it fails** in `questions`: check the warehouse. In `answer`: clear that one task; the answer is not lost.
Never clear an answered `ask`: that drops the answer and asks again.

**Who is hurt**: customers whose order is in review: they keep waiting.

**By hand**: trigger it at any time. One run at a time: it starts when every question of the previous run is answered,
even with 稍后再定.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.benefits import review_benefits
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name

with DAG(
    dag_id="xiaoe_benefits_review",
    dag_display_name=dag_name("xiaoe_benefits_review"),
    description=dag_description("xiaoe_benefits_review"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("30 9 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=23),
    **dag_defaults("benefits", params={}, overdue_after=timedelta(hours=22)),
):
    review_benefits(patience=timedelta(hours=20))

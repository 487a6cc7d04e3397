"""### Benefit report to staff, daily · 福利判定日报

Exports the decisions of yesterday (Beijing) as CSV and xlsx into `XIAOE_EXPORT_DIR`, mails the counts with both files
to `XIAOE_BENEFIT_MAIL_TO`, and sends the counts to the chat of `XIAOE_CHAT_CONN_ID`. A channel that is not configured
is skipped, with a line in the log. A day without decisions is reported too.
每天导出前一天的发放与取消（CSV、xlsx），邮件附上文件，群消息只报数量；未配置的方式跳过。

**When it fails** the decisions are not affected. In `export`: check the warehouse and `XIAOE_EXPORT_DIR`. In `mail`
or `chat`: the message names the connection, the value and the fix; then clear that one task.

**Who is hurt**: staff who hand out benefits have no list for the day; table `benefit_decisions` has it.

**By hand**: trigger it with `day` for any day; it writes and sends the same files again. The files contain
names and phone numbers: consider who reads the mail.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.benefits import report_benefits
from xiaoe.tasks.defaults import DAY_PARAM, TIMEZONE, dag_defaults

with DAG(
    dag_id="xiaoe_benefits_report",
    description="Yesterday's decisions on benefits: files, mail, chat",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 9 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    **dag_defaults("benefits", params=DAY_PARAM, overdue_after=timedelta(hours=1)),
):
    report_benefits(timeout=timedelta(hours=2))

"""### 福利日报 · Benefit report to staff, daily

每天把前一天的判定变化导出成 CSV 和 xlsx 放进 `XIAOE_EXPORT_DIR`，邮件附上文件发给 `XIAOE_BENEFIT_MAIL_TO`，
群消息只报数量。没配置的方式跳过；当天没有变化也会发。

**失败时**：判定不受影响。“导出名单”失败：看数据库和 `XIAOE_EXPORT_DIR`。“发邮件”“发群消息”失败：
报错写着连接和改法，改好后清除这一个任务。

**影响**：福利专员今天收不到名单；判定本身不受影响。

**手动触发**：填“日期”可重发任意一天，文件和邮件会再出一份。文件含姓名和手机号，注意谁会看到。

---

Exports the decisions of yesterday (Beijing) as CSV and xlsx into `XIAOE_EXPORT_DIR`, mails the counts with both files
to `XIAOE_BENEFIT_MAIL_TO`, and sends the counts to the chat of `XIAOE_CHAT_CONN_ID`. A channel that is not configured
is skipped, with a line in the log. A day without decisions is reported too.

**When it fails** the decisions are not affected. In `export`: check the warehouse and `XIAOE_EXPORT_DIR`. In `mail`
or `chat`: the message names the connection, the value and the fix; then clear that one task.

**Who is hurt**: staff who hand out benefits have no list for the day. Decisions are made all the same.

**By hand**: trigger it with `day` for any day; it writes and sends the same files again. The files contain
names and phone numbers: consider who reads the mail.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.benefits import report_benefits
from xiaoe.tasks.defaults import DAY_PARAM, TIMEZONE, dag_defaults, dag_description, dag_name

with DAG(
    dag_id="xiaoe_benefits_report",
    dag_display_name=dag_name("xiaoe_benefits_report"),
    description=dag_description("xiaoe_benefits_report"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 9 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    **dag_defaults("benefits", params=DAY_PARAM, overdue_after=timedelta(hours=1)),
):
    report_benefits(timeout=timedelta(hours=2))

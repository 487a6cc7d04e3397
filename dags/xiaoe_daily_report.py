"""### 经营早报 · Morning report on the business

每天 08:30 把前一天的经营数字发到邮件（`XIAOE_REPORT_MAIL_TO`）和群（`XIAOE_REPORT_CHAT_CONN_ID`）：分店铺及合计，
含对比和异常；周一另发周报，1 日另发月报。不含个人信息。数据不完整时不给数字，只说明缺哪几天。

**失败时**：数据不受影响。“汇总数字”失败：看数据库。“发邮件”“发群消息”失败：按报错改好，清除这一个任务；
已经发出的不会重发。

**影响**：等早报的人收不到数字；看板和“今日经营”页照常。

**手动触发**：填“日期”可补发任意一天。发过的不会再发；当时缺数据的，补齐后重跑会再发一次。

---

At 08:30 mails yesterday's figures to `XIAOE_REPORT_MAIL_TO` and sends them to the chat of `XIAOE_REPORT_CHAT_CONN_ID`:
per shop and for all, what was paid, orders, buyers, refunds, how they compare, and what is unusual (docs/bi.md has the
rule). On Mondays also the week, on the 1st also the month. No personal data. A day whose orders are not read to the end
gets no figures: the report says which days are missing.

**When it fails** no data is affected. In `prepare`: check the warehouse. In `mail` or `chat`: the message names the
connection, the value and the fix; then clear that one task: what was sent is not sent again.

**Who is hurt**: whoever waits for the figures; the dashboards show them, too.

**By hand**: trigger it with `day` for any past day. What a channel was sent stays sent (`report_sends`); a report that
had no figures is sent once more as soon as they are complete.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import DAY_PARAM, TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.reports import report_business

with DAG(
    dag_id="xiaoe_daily_report",
    dag_display_name=dag_name("xiaoe_daily_report"),
    description=dag_description("xiaoe_daily_report"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("30 8 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    **dag_defaults("daily", "report", params=DAY_PARAM, overdue_after=timedelta(minutes=30)),
):
    report_business(timeout=timedelta(hours=1))

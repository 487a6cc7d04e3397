"""### Morning report on the business · 经营早报

At 08:30 mails yesterday's figures to `XIAOE_REPORT_MAIL_TO` and sends them to the chat of `XIAOE_REPORT_CHAT_CONN_ID`:
per shop and for all, what was paid, orders, buyers, refunds, how they compare, and what is unusual (docs/bi.md has the
rule). On Mondays also the week, on the 1st also the month. No personal data. A day whose orders are not read to the end
gets no figures: the report says which days are missing.
每天 08:30 发出前一天的经营数字（分店铺及合计，含对比与异常），周一另发周报，1 日另发月报；不含个人信息。
数据不完整时不给数字，只说明缺哪几天。

**When it fails** no data is affected. In `prepare`: check the warehouse. In `mail` or `chat`: the message names the
connection, the value and the fix; then clear that one task: what was sent is not sent again.

**Who is hurt**: whoever waits for the figures; the dashboards show them, too.

**By hand**: trigger it with `day` for any past day. What a channel was sent stays sent (`report_sends`); a report that
had no figures is sent once more as soon as they are complete. 已发过的不会重发；缺数据的补齐后重跑会再发一次。
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import DAY_PARAM, TIMEZONE, dag_defaults
from xiaoe.tasks.reports import report_business

with DAG(
    dag_id="xiaoe_daily_report",
    description="Yesterday's figures, on Mondays the week's, on the 1st the month's: mail, chat",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("30 8 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    **dag_defaults("daily", "report", params=DAY_PARAM, overdue_after=timedelta(minutes=30)),
):
    report_business(timeout=timedelta(hours=1))

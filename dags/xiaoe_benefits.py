"""### Benefit decisions, on every change · 福利判定

Runs after each merge of orders or after-sales, after each answer of `xiaoe_benefits_review`, and every hour. An order
refunded in time loses its benefit at once; one observed without a refund after its deadline gets it; what the rule
cannot settle waits for a person. The rule is in `include/benefit_policy.yaml`, every change of a decision in
`benefit_decision_log`. Then `notify` sends mail and chat, if configured: grants taken back (【紧急】), and orders not
observed for too long after their deadline (【提醒】, once a day, again when their number has doubled).
订单、售后入库或人工答复后自动判定，另每小时一次：截止前退款的取消福利，截止后再次观测且无退款的发放，其余转人工复核。
早于福利起算日的订单不适用。发放后收回立即通知；截止后久未再次观测每天提醒一次。

**When it fails** in `decide`, decisions stay unchanged; nothing is granted on old data, and the next run decides
everything that waits. In `notify`, decisions are made but a notice was not sent: the message names the connection or
the setting; the next run sends it again.

**Who is hurt**: staff who hand out or take back benefits.

**By hand**: trigger it at any time; it has no window. Orders that wait although their deadline has passed have not
been observed since: check `xiaoe_orders_rescan`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from xiaoe.tasks.benefits import decide_benefits
from xiaoe.tasks.defaults import ASSETS, TIMEZONE, dag_defaults

with DAG(
    dag_id="xiaoe_benefits",
    description="Decisions on benefits, after each change of orders or after-sales",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        # Without a successful sync there is no asset event, but orders still pass their deadlines and must be reported.
        timetable=CronTriggerTimetable("45 * * * *", timezone=TIMEZONE),
        assets=ASSETS["orders"] | ASSETS["refunds"] | ASSETS["benefit_answers"],
    ),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    **dag_defaults("benefits", params={}, overdue_after=timedelta(hours=1)),
):
    decide_benefits(timeout=timedelta(hours=4))

"""### 福利判定 · Benefit decisions, on every change

订单、售后入库或人工答复之后自动判定，另外每小时一次：期内退款的不再享有福利，截止之后又读到且没有退款的发放，
规则定不了的转人工复核；早于福利起算日的不适用。规则在 `include/benefit_policy.yaml`，每次变化记在
`benefit_decision_log`。
然后发通知（如已配置）：已发放又要收回的（【紧急】），过了截止时间却迟迟没有再读到的（【提醒】，每天一次，
数量翻倍再提醒）。

**失败时**：“判定”失败：判定结果不变，不会按旧数据发放，下一次运行一并处理。“通知”失败：判定已做，通知没发出，
报错写着是哪个连接或设置；下一次运行再发。

**影响**：发放、收回的名单不再更新，直到恢复；不会按旧数据发放。

**手动触发**：随时可以触发，没有时间段。过了截止时间还在等的订单，是之后还没有再读到：看“15 天复查”。

---

Runs after each merge of orders or after-sales, after each answer of `xiaoe_benefits_review`, and every hour. An order
refunded in time loses its benefit at once; one observed without a refund after its deadline gets it; what the rule
cannot settle waits for a person. The rule is in `include/benefit_policy.yaml`, every change of a decision in
`benefit_decision_log`. Then `notify` sends mail and chat, if configured: grants taken back (【紧急】), and orders not
observed for too long after their deadline (【提醒】, once a day, again when their number has doubled).

**When it fails** in `decide`, decisions stay unchanged; nothing is granted on old data, and the next run decides
everything that waits. In `notify`, decisions are made but a notice was not sent: the message names the connection or
the setting; the next run sends it again.

**Who is hurt**: staff who hand out or take back benefits: decisions wait. Nothing is granted on old data.

**By hand**: trigger it at any time; it has no window. Orders that wait although their deadline has passed have not
been observed since: check `xiaoe_orders_rescan`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from xiaoe.tasks.assets import ASSETS
from xiaoe.tasks.benefits import decide_benefits
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name

with DAG(
    dag_id="xiaoe_benefits",
    dag_display_name=dag_name("xiaoe_benefits"),
    description=dag_description("xiaoe_benefits"),
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

"""### 用户、商品、直播 · Users, products and live streams, daily

每天把商品、直播列表各完整读一遍；用户平时只读近两天注册或来访的，每 `XIAOE_USERS_WHOLE_DAYS` 天完整读一遍。
完整的列表里不再出现的记录标上 `absent_since`，不删除；此前只从订单里知道的用户和商品补全信息；直播的观看数按天
记在 `live_stream_days`。

**失败时**：表里停在昨天的样子，新用户、新商品先按订单里的名字显示。报错说少了一半以上时，先到店铺后台核对。

**影响**：按用户、商品、直播的统计停在昨天；订单和福利判定不受影响。

**手动触发**：随时可以触发，没有时间段，用户也完整读一遍。“接受缺失”只在后台核实之后勾选。

---

Reads products and live streams completely, of users those who registered or visited lately, and all of them every
`XIAOE_USERS_WHOLE_DAYS`. Rows that a complete list no longer has get `absent_since`; nothing is deleted. Products and
users that so far were known only from orders are filled in. The views of live streams are stored by day in
`live_stream_days`.

**When it fails** the tables keep yesterday's state; new users and products stay as orders name them. If the
message says that more than half is missing, check the shop's console first.

**Who is hurt**: reports by user, product and live stream. Orders and benefit decisions go on.

**By hand**: trigger it at any time; it has no window, and reads all users. Tick `accept_missing` only after checking
the console.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import ACCEPT_MISSING, sync_shops

with DAG(
    dag_id="xiaoe_dimensions_daily",
    dag_display_name=dag_name("xiaoe_dimensions_daily"),
    description=dag_description("xiaoe_dimensions_daily"),
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 3 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("dimensions", params=ACCEPT_MISSING, overdue_after=timedelta(hours=3)),
):
    for name, mode in (("users", "recent"), ("products", "whole"), ("live_streams", "whole")):
        sync_shops(name, mode, timeout=timedelta(hours=6), group_id=name)

"""### 直播观众 · Viewers of live streams, hourly

先读一遍直播列表，再读观众：正在直播的和结束 3 天以内的每次都读，30 天以内的每天读一次（回放还会增加观看时长）；
更早的读到隔天内容不再变化为止，之后不再读。每场每人一行，记在 `live_viewers`。`XIAOE_MORE_LISTS` 含
`live_viewers` 时才有计划；店铺须开通该接口。

**失败时**：已读到的直播照常入库，报错列出没读到的，下一次运行会再读。提示没有权限时，请在小鹅通开放平台开通接口。

**影响**：直播的观众、观看时长停在上次读取时；订单和福利判定不受影响。

**手动触发**：填“开始”“结束”（直播开始的日期）可读这段时间内所有直播的观众，例如补齐以前的直播。

---

Reads the list of streams, then viewers: of streams that are live or ended in the last 3 days in every run, of the last
30 days once a day, of earlier ones until two readings a day apart are equal. It has a schedule only with
`live_viewers` in `XIAOE_MORE_LISTS`; the shop has to be granted the interface.

**When it fails** the streams that could be read are merged; the message names the others, and the next run reads them.

**Who is hurt**: reports on live streams. Orders and benefit decisions go on.

**By hand**: trigger with `from` and `to` (begin of the streams) for all streams of that time, e.g. earlier ones.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import WINDOW_PARAMS, more_lists_schedule, sync_shops

with DAG(
    dag_id="xiaoe_live",
    dag_display_name=dag_name("xiaoe_live"),
    description=dag_description("xiaoe_live"),
    doc_md=__doc__,
    schedule=more_lists_schedule("live_viewers", "50 * * * *"),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("live", params=WINDOW_PARAMS, overdue_after=timedelta(minutes=50)),
):
    sync_shops("live_streams", "whole", timeout=timedelta(hours=1), group_id="live_streams", then="live_viewers")

"""### 推广员 · Promoters and their customers, nightly

每晚完整读取推广员列表，再逐个读取推广员的客户，调用次数不超过 `XIAOE_NIGHTLY_CALLS`，没轮到的下次最先读。订单由谁推广见
`promoted_orders`，来自订单列表 2.0（`XIAOE_HINTS` 含 `list`）；没有打开时逐单读取推广订单，上限相同。
`XIAOE_MORE_LISTS` 含 `promoters` 时才有计划；店铺须开通接口。

**失败时**：已读到的照常入库，没读到的下一次最先读。报错说少了一半以上时，先到店铺后台核对。

**影响**：推广员和客户停在昨天；订单和福利判定不受影响。

**手动触发**：随时可以触发，没有时间段。“接受缺失”只在后台核实之后勾选。

---

Reads the list of promoters, then the customers of each, within `XIAOE_NIGHTLY_CALLS`; those left over come first in
the next run. Who brought the buyer of an order is in `promoted_orders`, from order list 2.0; where that is off, from
one call per order by a promoter, within the same limit. It has a schedule only with `promoters` in `XIAOE_MORE_LISTS`;
the shop has to be granted the interfaces.

**When it fails** what was read is merged, the rest comes first in the next run.

**Who is hurt**: reports on promoters. Orders and benefit decisions go on.

**By hand**: trigger it at any time; it has no window. Tick `accept_missing` only after checking the console.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from xiaoe import settings
from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.sync import ACCEPT_MISSING, LONGEST_EACH, more_lists_schedule, sync_shops

with DAG(
    dag_id="xiaoe_promoters",
    dag_display_name=dag_name("xiaoe_promoters"),
    description=dag_description("xiaoe_promoters"),
    doc_md=__doc__,
    schedule=more_lists_schedule("promoters", "15 4 * * *"),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    **dag_defaults("promoters", params=ACCEPT_MISSING, overdue_after=timedelta(hours=6)),
):
    sync_shops("promoters", "whole", timeout=timedelta(hours=1), group_id="promoters", then="promoter_customers")
    if "list" not in settings.hints():  # order list 2.0 names the promoters of all orders
        sync_shops("order_promoters", "incremental", timeout=LONGEST_EACH, group_id="order_promoters")

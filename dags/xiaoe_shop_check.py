"""### 店铺检查 · Check of a shop's API and rows

接入新店铺、开通新接口或接口改版之后运行：每店约 40 次只读调用，一分钟内说明开通了哪些接口、各字段是什么形式、
每一行能不能入库。结论在日志、监控页、`shop_checks` 和 `XIAOE_EXPORT_DIR` 的文件里，不含个人信息。

**失败时**：店铺不合要求，报错写着原因和改法（权限、白名单、时钟、读不了的字段）；没有提到的列表没有问题。
字段读不了时，把 JSON 文件发给维护者。

**影响**：眼下没有；未通过的列表在同步时会失败或不全。

**手动触发**：需要时手动触发；它不会自己运行。

---

About 40 calls to each shop's API, all read-only, under a minute: what is granted, how the API behaves where its
documentation is silent, in which forms the fields come, and whether every row can be read into its table. The findings
are in the log in Chinese, in `shop_checks`, on the monitoring page, and as JSON and Markdown, without personal data, in
`XIAOE_EXPORT_DIR`. `make check-shop` does the same before there is a database.

**When it fails** the shop does not fit: the message names the reasons and what to do about each (rights, whitelist,
clock, fields that cannot be read). Tables that are not named are right. Send the JSON file to the maintainers where a
field cannot be read.

**Who is hurt**: nobody at once; the syncs of the tables that are named would fail or be incomplete.

**By hand**: trigger it. It never runs by itself.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults, dag_description, dag_name
from xiaoe.tasks.shop_check import check_shops

with DAG(
    dag_id="xiaoe_shop_check",
    dag_display_name=dag_name("xiaoe_shop_check"),
    description=dag_description("xiaoe_shop_check"),
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    **dag_defaults("shop", params={}, overdue_after=timedelta(minutes=15)),
):
    check_shops(timeout=timedelta(minutes=10))

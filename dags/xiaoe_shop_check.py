"""### Check of a shop's API and rows · 店铺检查（手动运行）

About 40 calls to each shop's API, all read-only, under a minute: what is granted, how the API behaves where its
documentation is silent, in which forms the fields come, and whether every row can be read into its table. The findings
are in the log in Chinese, in `shop_checks`, on the monitoring page, and as JSON and Markdown, without personal data, in
`XIAOE_EXPORT_DIR`. `make check-shop` does the same before there is a database.
接入新店铺、开通新接口或接口改版后运行：约 40 次只读调用，一分钟内给出结论；结果文件不含个人信息，可发给维护者。

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

from xiaoe.tasks.defaults import TIMEZONE, dag_defaults
from xiaoe.tasks.shop_check import check_shops

with DAG(
    dag_id="xiaoe_shop_check",
    description="What a shop's API grants, how it behaves, and whether its rows fit",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    **dag_defaults("shop", params={}, overdue_after=timedelta(minutes=15)),
):
    check_shops(timeout=timedelta(minutes=10))

"""What staff call things, in Chinese and English: DAGs, tasks, data, ways of reading. One name each, everywhere.

The Airflow UI, alerts and the monitoring page take their names from here.
"""

from __future__ import annotations

from typing import NamedTuple

from xiaoe.texts import Text


class DagName(NamedTuple):
    """What a DAG is called, what it does, who is hurt while it fails; its page in the Airflow UI says the same."""

    name: Text
    about: Text
    hurt: Text


DAGS = {
    "xiaoe_orders_incremental": DagName(
        Text("增量订单", "New orders"),
        Text("读取上次运行之后新下的订单", "Orders created since the last run"),
        Text(
            "看板缺最新的订单；每小时的 15 天复查也会补读。",
            "dashboards lack the newest orders. The hourly rescan also reads them.",
        ),
    ),
    "xiaoe_orders_rescan": DagName(
        Text("15 天复查", "15-day rescan"),
        Text("重读近期的订单，更新退款、发货等变化", "Changes of recent orders"),
        Text(
            "退款、发货的更新停了，福利判定顺延；新订单照常。",
            "staff who hand out or take back benefits: decisions wait. New orders still come.",
        ),
    ),
    "xiaoe_orders_deep_rescan": DagName(
        Text("90 天复查", "90-day rescan"),
        Text("重读较早的订单，更新退款、发货、结算等变化", "Changes of older orders"),
        Text(
            "较早订单的发货、结算、退款晚一天更新；福利判定不受影响。",
            "finance, if it settles by order: older orders show an old state. Benefit decisions go on.",
        ),
    ),
    "xiaoe_orders_history": DagName(
        Text("历史订单", "Order history"),
        Text("从历史起点开始，按周补读订单", "Orders by week of creation, since the start of the history"),
        Text(
            "缺这一周的历史数据；新订单和福利判定不受影响。",
            "reports on the past lack that week. New orders and benefit decisions go on.",
        ),
    ),
    "xiaoe_orders_changed": DagName(
        Text("变更列表", "Changed orders"),
        Text("读取最近变更过的订单，留下变更提示", "Orders by last change: hints, lines, promoters"),
        Text(
            "变化要等复查或售后同步才看得到，推广、渠道停在旧数据；福利判定照常。",
            "nobody at once: changes wait for the rescans and the after-sales; promoters and channels stand still.",
        ),
    ),
    "xiaoe_orders_hinted": DagName(
        Text("变更补查", "Hinted orders"),
        Text("按订单号补查有变更提示的订单", "Orders that hints name, by id"),
        Text(
            "变化要等复查或售后同步才看得到；福利判定、看板照常。",
            "nobody at once: changes wait for the rescans and the after-sales. Decisions and dashboards go on.",
        ),
    ),
    "xiaoe_refunds": DagName(
        Text("售后同步", "After-sales"),
        Text("读取有变化的售后单，并补查其中的旧订单", "After-sales that changed, and old orders they name"),
        Text(
            "退款晚到，福利判定随之顺延；新订单照常。",
            "staff who hand out or take back benefits, and finance: refunds arrive late.",
        ),
    ),
    "xiaoe_dimensions_daily": DagName(
        Text("用户、商品、直播", "Users, products, live streams"),
        Text("读取商品、直播和近期的用户，每周读全部用户", "Products, live streams and recent users; weekly all users"),
        Text(
            "按用户、商品、直播的统计停在昨天；订单和福利判定不受影响。",
            "reports by user, product and live stream. Orders and benefit decisions go on.",
        ),
    ),
    "xiaoe_live": DagName(
        Text("直播观众", "Live viewers"),
        Text("每小时读取近期直播的观众", "Viewers of recent live streams, hourly"),
        Text(
            "直播的观众、观看时长停在上次读取时；订单和福利判定不受影响。",
            "reports on live streams. Orders and benefit decisions go on.",
        ),
    ),
    "xiaoe_learning": DagName(
        Text("学习数据", "Learning"),
        Text("每晚读取每日学习时长和买家的学习进度", "Seconds learned by day, and buyers' progress, nightly"),
        Text(
            "学习时长和进度停在昨天；订单和福利判定不受影响。",
            "reports on learning. Orders and benefit decisions go on.",
        ),
    ),
    "xiaoe_promoters": DagName(
        Text("推广员", "Promoters"),
        Text("每晚读取推广员和他们的客户", "Promoters and their customers, nightly"),
        Text(
            "推广员和客户停在昨天；订单和福利判定不受影响。",
            "reports on promoters. Orders and benefit decisions go on.",
        ),
    ),
    "xiaoe_benefits": DagName(
        Text("福利判定", "Benefit decisions"),
        Text(
            "订单、售后有变化后，判定福利发不发放", "Decisions on benefits, after each change of orders or after-sales"
        ),
        Text(
            "发放、收回的名单不再更新，直到恢复；不会按旧数据发放。",
            "staff who hand out or take back benefits: decisions wait. Nothing is granted on old data.",
        ),
    ),
    "xiaoe_benefits_report": DagName(
        Text("福利日报", "Benefit report"),
        Text("把前一天的福利判定做成名单，发邮件和群消息", "Yesterday's decisions on benefits: files, mail, chat"),
        Text(
            "福利专员今天收不到名单；判定本身不受影响。",
            "staff who hand out benefits have no list for the day. Decisions are made all the same.",
        ),
    ),
    "xiaoe_benefits_review": DagName(
        Text("福利复核", "Benefit review"),
        Text("规则定不了的订单，请人答复是否发放福利", "Asks a person about the orders that the rule cannot settle"),
        Text(
            "待复核的订单没有人问，这些买家要继续等。",
            "customers whose order is in review: they keep waiting.",
        ),
    ),
    "xiaoe_daily_report": DagName(
        Text("经营早报", "Morning report"),
        Text(
            "把昨日的经营数字发邮件和群消息；周一加发周报，1 日加发月报",
            "Yesterday's figures, on Mondays the week's, on the 1st the month's: mail, chat",
        ),
        Text(
            "等早报的人收不到数字；看板和“今日经营”页照常。",
            "whoever waits for the figures; the dashboards show them, too.",
        ),
    ),
    "xiaoe_marts": DagName(
        Text("报表汇总", "Marts"),
        Text("数据有变化后，刷新看板用的汇总表", "Marts for dashboards, after each change"),
        Text(
            "看板停在上一次刷新的数字；同步、福利判定、导出照常。",
            "people who read dashboards: they stand still. Syncs, decisions and exports go on.",
        ),
    ),
    "xiaoe_quality": DagName(
        Text("数据质量检查", "Quality checks"),
        Text("检查数据对不对、全不全", "Whether the data is right and complete"),
        Text(
            "失败说明有数据不对或不全：先不要引用相关数字；同步照常。",
            "everyone who trusts the numbers. The syncs continue meanwhile.",
        ),
    ),
    "xiaoe_objectives": DagName(
        Text("时效目标", "Objectives"),
        Text("订单入库、退款判定是否及时，超时额度还剩多少", "Whether orders and refunds arrive in time"),
        Text(
            "等新订单、等退款判定的人：数据来得晚；已入库的数据照常。",
            "whoever waits for new orders or for a decision: they come late. What has arrived is right.",
        ),
    ),
    "xiaoe_backup": DagName(
        Text("每日备份", "Backup"),
        Text("每天备份数仓，每周做一次恢复演练", "A dump of the warehouse, daily; a restore drill, weekly"),
        Text(
            "今天没有新备份，其他照常；数据库出事时只能恢复到上一份。",
            "nobody today; everyone on the day the database is lost.",
        ),
    ),
    "xiaoe_maintenance": DagName(
        Text("每日清理", "Cleanup"),
        Text(
            "清理过期的接口原文、台账、检查结果、导出文件和日志",
            "Removes old pages, ledger rows, results, files and logs",
        ),
        Text(
            "眼下没有；几周不清理会占满磁盘，同步随之停止。",
            "nobody for weeks, then everyone: a full disk stops the syncs.",
        ),
    ),
    "xiaoe_shop_check": DagName(
        Text("店铺检查", "Shop check"),
        Text(
            "检查店铺开通了哪些接口、接口是否正常、数据能否入库",
            "What a shop's API grants, how it behaves, and whether its rows fit",
        ),
        Text(
            "眼下没有；未通过的列表在同步时会失败或不全。",
            "nobody at once; the syncs of the tables that are named would fail or be incomplete.",
        ),
    ),
}
"""DAG → its name; docs/operations.md lists them."""

TAGS = {
    "xiaoe": Text("小鹅通", "xiaoe"),
    "orders": Text("订单", "orders"),
    "refunds": Text("售后", "after-sales"),
    "dimensions": Text("用户商品直播", "dimensions"),
    "live": Text("直播", "live"),
    "learning": Text("学习", "learning"),
    "promoters": Text("推广", "promoters"),
    "benefits": Text("福利", "benefits"),
    "daily": Text("每日", "daily"),
    "report": Text("报告", "report"),
    "marts": Text("看板", "marts"),
    "quality": Text("数据质量", "quality"),
    "objectives": Text("时效", "objectives"),
    "backup": Text("备份", "backup"),
    "maintenance": Text("清理", "maintenance"),
    "shop": Text("店铺", "shop"),
    "incremental": Text("增量", "incremental"),
    "rescan": Text("复查", "rescan"),
    "hints": Text("变更提示", "hints"),
    "history": Text("历史", "history"),
}
"""Tag of a DAG, as its file has it → what the list of DAGs shows."""

TASKS = {
    "stage": Text("读取", "read"),
    "merge": Text("入库", "merge"),
    "stage_orders": Text("旧单读取", "read old orders"),
    "merge_orders": Text("旧单入库", "merge old orders"),
    "stage_each": Text("逐个读取", "read each"),
    "merge_each": Text("逐个入库", "merge each"),
    "decide": Text("判定", "decide"),
    "notify": Text("通知", "notify"),
    "export": Text("导出名单", "export"),
    "mail": Text("发邮件", "mail"),
    "chat": Text("发群消息", "chat"),
    "questions": Text("列出待复核", "list questions"),
    "ask": Text("询问", "ask"),
    "answer": Text("记录答复", "store answer"),
    "prepare": Text("汇总数字", "prepare"),
    "refresh": Text("刷新", "refresh"),
    "columns": Text("字段检查", "columns"),
    "rows": Text("逐行检查", "rows"),
    "queries": Text("关联检查", "queries"),
    "day_totals": Text("总数抽查", "day totals"),
    "storage": Text("存储采样", "storage"),
    "evaluate": Text("时效计算", "evaluate"),
    "dump": Text("备份", "dump"),
    "retention": Text("清理过期备份", "retention"),
    "drill": Text("恢复演练", "restore drill"),
    "check": Text("检查", "check"),
    "pages": Text("清理接口原文", "old pages"),
    "ledger": Text("清理台账", "old ledger rows"),
    "rejected_rows": Text("清理已解决的行", "old rejected rows"),
    "push_messages": Text("清理推送消息", "old pushed messages"),
    "results": Text("清理检查结果", "old results"),
    "exports": Text("清理导出文件", "old exports"),
    "logs": Text("清理日志", "old logs"),
    "airflow_db": Text("清理运行记录", "old runs of Airflow"),
    "statistics": Text("更新表统计", "table statistics"),
}
"""Task, without the group it is in → its name."""

RESOURCES = {
    "orders": Text("订单", "Orders"),
    "refunds": Text("售后", "After-sales"),
    "users": Text("用户", "Users"),
    "products": Text("商品", "Products"),
    "live_streams": Text("直播", "Live streams"),
    "order_origins": Text("变更列表", "Changed orders"),
    "live_viewers": Text("直播观众", "Live viewers"),
    "learning_days": Text("每日学习", "Learning by day"),
    "learning_progress": Text("学习进度", "Learning progress"),
    "promoters": Text("推广员", "Promoters"),
    "promoter_customers": Text("推广客户", "Promoters' customers"),
    "order_promoters": Text("订单推广员", "Promoters of orders"),
    "benefits": Text("福利判定", "Benefits"),
    "marts": Text("报表汇总", "Marts"),
}
"""`sync_status.resource` → its name."""

MODES = {
    "incremental": Text("增量", "incremental"),
    "history": Text("历史", "history"),
    "rescan": Text("15 天复查", "15-day rescan"),
    "deep_rescan": Text("90 天复查", "90-day rescan"),
    "late": Text("旧单补查", "old orders"),
    "hints": Text("变更补查", "hinted orders"),
    "whole": Text("全量", "whole list"),
    "recent": Text("近期", "recent rows"),
    "csv": Text("旧文件导入", "old file"),
    "decide": Text("判定", "decide"),
    "refresh": Text("刷新", "refresh"),
}
"""`sync_status.mode` → its name."""


CHANGE_SOURCES = {"push": Text("消息推送", "message push"), "list": Text("变更列表", "changed orders"), **MODES}
"""`bi_change_sources.source`, who saw a change first → its name."""

GROUPS = {"shop": Text("店铺", "shop"), "order": Text("订单", "order"), **RESOURCES}
"""Group of tasks → its name: what it is mapped over, or the list it reads."""


def dag_name(dag_id: str, language: str) -> str:
    """What a DAG is called; a DAG of somebody else is called by its id."""
    return DAGS[dag_id].name.to(language) if dag_id in DAGS else dag_id


def task_name(task_id: str, language: str) -> str:
    """What a task is called, with the list it reads where its group is one: `users.stage` is 用户 · 读取."""
    group, _, own = task_id.rpartition(".")
    plain, bracket, index = own.partition("[")
    name = TASKS[plain].to(language) if plain in TASKS else plain
    return " · ".join([*([RESOURCES[group].to(language)] if group in RESOURCES else []), f"{name}{bracket}{index}"])

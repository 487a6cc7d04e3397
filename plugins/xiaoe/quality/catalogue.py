"""Every data check: name, severity, title, advice. docs/quality.md explains each one.

Critical is what an operator can put right: lost rows, wrong rows, a sync that does not succeed. Odd data of the shop
itself is a warning: nobody here could end it, and a DAG that is always red hides the next failure. `refund_units` is
critical: many refunds above their price at once mean that yuan and fen are mixed up.
"""

from __future__ import annotations

from dataclasses import dataclass

CRITICAL, WARNING = "critical", "warning"

_READ_AGAIN = "按 docs/quality.zh-CN.md「重新读取某些订单」处理"
_REPORT = "与店铺后台核对；属实则无需处理，否则向小鹅通反馈"
_UNITS = "若大量出现，可能是接口单位有变：对照 docs/xiaoe-api.md 第 2 节"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One expectation of the data.

    Args:
        name: Unique; a plain identifier, since the provider's operators use it as an SQL alias.
        severity: `CRITICAL` or `WARNING`.
        title: What is wrong when it fails, in Chinese.
        advice: What to do then, in Chinese.
    """

    name: str
    severity: str = WARNING
    title: str
    advice: str = _REPORT


@dataclass(frozen=True, kw_only=True)
class ColumnCheck(Check):
    """A column that is never NULL, or never negative.

    Args:
        table: `orders` or `refunds`.
        column: Column of the table.
        test: `null_check` or `min`, the names of the provider's operator.
    """

    table: str
    column: str
    test: str

    @property
    def expected(self) -> str:
        """The expectation as text."""
        return f"{self.table}.{self.column} {'IS NOT NULL' if self.test == 'null_check' else '>= 0'}"

    @property
    def wrong(self) -> str:
        """The SQL condition that a wrong row fulfils."""
        return f"{self.column} IS NULL" if self.test == "null_check" else f"{self.column} < 0"


@dataclass(frozen=True, kw_only=True)
class RowCheck(Check):
    """A condition that holds for every row, or for nearly all.

    Args:
        table: `orders` or `refunds`.
        holds: SQL condition on a row; NULL counts as true. `{now}` is the current Beijing time.
        tolerated: Share of the rows that may violate it, but at least `_FEW` rows; 0: none.
        among: SQL condition that selects the rows to check.
    """

    table: str
    holds: str
    tolerated: float = 0
    among: str = "1 = 1"

    @property
    def expected(self) -> str:
        """The expectation as text."""
        most = f"，允许至多 {self.tolerated:.0%}" if self.tolerated else ""
        return self.holds.replace("'{now}'", "now") + most

    @property
    def wrong(self) -> str:
        """The SQL condition that a wrong row fulfils."""
        return f"NOT COALESCE({self.holds}, 1)"

    @property
    def statement(self) -> str:
        """The SQL that the provider's operator must find true; yields one row even for an empty table."""
        most = f"GREATEST({_FEW}, {self.tolerated} * COUNT(*))" if self.tolerated else "0"
        return f"COALESCE(SUM({self.wrong}), 0) <= {most}"


@dataclass(frozen=True, kw_only=True)
class QueryCheck(Check):
    """A query that must find nothing: `include/sql/checks/<name>.sql`, with one column `finding`.

    Args:
        daily: Whether it runs only in the daily full run, because it reads a whole table.
    """

    daily: bool = False
    expected: str = "无"


@dataclass(frozen=True, kw_only=True)
class FigureCheck(Check):
    """A check computed in Python; its result may be less severe than the check."""

    expected: str


_FEW = 5

COLUMN_CHECKS = (
    ColumnCheck(name="orders_created_time", table="orders", column="created_time", test="null_check",
                title="没有下单时间的订单（任何窗口都读不到）"),
    ColumnCheck(name="orders_user_id", table="orders", column="user_id", test="null_check", title="没有用户的订单"),
    ColumnCheck(name="orders_order_state", table="orders", column="order_state", test="null_check",
                title="没有状态的订单"),
    ColumnCheck(name="orders_price", table="orders", column="price", test="min", title="实付金额为负的订单"),
    ColumnCheck(name="orders_refund_money", table="orders", column="refund_money", test="min",
                title="退款金额为负的订单"),
    ColumnCheck(name="refunds_order_id", table="refunds", column="order_id", test="null_check",
                title="没有订单号的售后单"),
    ColumnCheck(name="refunds_updated_at", table="refunds", column="updated_at", test="null_check",
                title="没有变更时间的售后单（任何窗口都读不到）"),
    ColumnCheck(name="refunds_refund_money", table="refunds", column="refund_money", test="min",
                title="退款金额为负的售后单"),
)  # fmt: skip

ROW_CHECKS = (
    RowCheck(name="order_quantity", table="orders", holds="quantity >= 1", title="数量小于 1 的订单"),
    RowCheck(name="refund_within_price", table="orders", holds="pay_time IS NULL OR refund_money <= price",
             title="退款大于实付的订单", advice=f"{_REPORT}；{_UNITS}"),
    RowCheck(name="refund_units", severity=CRITICAL, table="orders", holds="refund_money <= price", tolerated=0.05,
             among="refund_money > 0 AND price > 0", title="大量订单退款大于实付：元与分混淆",
             advice="暂停看板；对照 docs/xiaoe-api.md 第 2 节，修正字段映射后重新读取"),
    RowCheck(name="payment_after_order", table="orders", holds="pay_time >= created_time", title="先支付后下单的订单"),
    RowCheck(name="refund_after_order", table="orders", holds="refund_time >= created_time",
             title="退款早于下单的订单"),
    RowCheck(name="orders_to_come", table="orders", holds="created_time <= '{now}' + INTERVAL 1 HOUR",
             title="下单时间在未来的订单", advice="核对本机时钟与时区；时钟正确则向小鹅通反馈"),
    RowCheck(name="refunds_within_payment", table="refunds", holds="refund_money <= actual_fee",
             title="退款大于实付的售后单", advice=f"{_REPORT}；{_UNITS}"),
    RowCheck(name="refunds_times", table="refunds", holds="updated_at >= created_at", title="变更早于申请的售后单"),
)  # fmt: skip

QUERY_CHECKS = (
    QueryCheck(name="empty_keys", severity=CRITICAL, title="主键为空的行", advice="查明是谁写入的，删除该行"),
    QueryCheck(name="unknown_codes", title="没有中文说明的代码",
               advice="查明含义后写入 include/codes/；受影响的行会自动重新解析"),
    QueryCheck(name="items_without_order", severity=CRITICAL, title="没有订单的明细", daily=True,
               advice="有人手工删除了订单：make sync TYPE=rescan FROM= TO= 读取其下单日期"),
    QueryCheck(name="item_sums", severity=CRITICAL, title="明细之和与实付不符或没有明细的订单", advice=_READ_AGAIN),
    QueryCheck(name="orders_without_user", severity=CRITICAL, title="数仓里查不到用户的订单（每个用户举一单）",
               advice=_READ_AGAIN),
    QueryCheck(name="orders_without_product", severity=CRITICAL, title="数仓里查不到商品的订单（每个商品举一单）",
               advice=_READ_AGAIN),
    QueryCheck(name="references_padded",
               title="编号末尾多空格的订单或售后单：数据库视为同一编号，归到了不带空格的用户、商品或订单名下"),
    QueryCheck(name="refunds_without_order", title="订单不在数仓中的售后单",
               advice="历史订单尚未读完时属正常；否则查看 xiaoe_refunds 的 stage_orders"),
    QueryCheck(name="orders_without_decision", severity=CRITICAL, title="既无福利判定也不在待判定队列的订单",
               advice="按 docs/quality.zh-CN.md「重新判定某些订单」处理"),
    QueryCheck(name="decisions_without_order", severity=CRITICAL, title="没有订单的福利判定",
               advice="有人手工删除了订单：make sync TYPE=rescan FROM= TO= 读取其下单日期"),
    QueryCheck(name="decisions_contradict", severity=CRITICAL, title="与订单矛盾的福利判定",
               advice="按 docs/quality.zh-CN.md「重新判定某些订单」处理"),
    QueryCheck(name="decisions_waiting", title="已过截止、久未复查的福利判定",
               advice="查看 xiaoe_orders_rescan、xiaoe_orders_deep_rescan 为何未成功"),
    QueryCheck(name="rejected_rows_open", title="没有主键的行", advice="查看 rejected_rows 的原因与原文"),
    QueryCheck(name="field_problems_essential", severity=CRITICAL,
               title="金额、状态或时间无法解析：看板合计缺少这些值或用的是旧值，相关福利待人工复核",
               advice="在 field_problems 查看原值；接口改了格式则修正字段映射，否则在店铺后台改正该单"),
    QueryCheck(name="api_fields_missing", severity=CRITICAL, title="接口不再返回的字段：对应的列会变空",
               advice="对照小鹅通接口文档；字段改名则修正 plugins/xiaoe/resources 的映射，再从 stage 重跑"),
    QueryCheck(name="api_fields_new", title="接口新增的字段（未入库，仅留在接口原文）",
               advice="了解含义，需要时加入映射"),
    QueryCheck(name="push_problems", title="消息推送有未收下、超限或无法解析的（按日）",
               advice="各原因的含义见 docs/deployment.zh-CN.md 的消息推送一节；bad_signature 多为 push_token 填错"),
    QueryCheck(name="hints_waiting", title="超过两小时未核对的订单变更提示",
               advice="查看 xiaoe_orders_hinted 是否暂停或失败；Airflow 与推送服务的 XIAOE_HINTS 应相同"),
    QueryCheck(name="lists_behind", title="一周内轮不到的学习进度、推广客户等列表",
               advice="调大 XIAOE_NIGHTLY_CALLS，或调小 XIAOE_LEARNING_DAYS"),
    QueryCheck(name="field_problems_open", title="无法解析的字段（按字段与原因合计）",
               advice="在 field_problems 查看原值；接口改了格式则修正 plugins/xiaoe/resources 的映射"),
)  # fmt: skip

LEDGER_COMPLETE = FigureCheck(
    name="ledger_complete", severity=CRITICAL, title="台账有缺口", expected="自 XIAOE_HISTORY_START 起每一刻都已读取",
    advice="make sync TYPE=history FROM= TO= 读取缺口",
)  # fmt: skip
FRESHNESS = FigureCheck(
    name="freshness", severity=CRITICAL, title="同步已久未成功", expected="每项同步都在时限内成功过",
    advice="查看 sync_status.message 与该 DAG 的日志；DAG 是否被暂停",
)  # fmt: skip
NEVER_SYNCED = FigureCheck(
    name="never_synced", title="从未成功的同步", expected="每项同步都成功过", advice="启用该 DAG，并查看其第一次运行",
)  # fmt: skip
ORDERS_OF_YESTERDAY = FigureCheck(
    name="orders_of_yesterday", severity=CRITICAL, title="昨日订单数异常",
    expected="往常同一星期几的三分之一至三倍", advice="与店铺后台核对昨日订单数；不符则检查连接的 app_id 与接口权限",
)  # fmt: skip
DAY_TOTALS = FigureCheck(
    name="day_totals", severity=CRITICAL, title="接口总数与数仓不符", expected="抽查日期的接口总数等于数仓订单数",
    advice="运行所列命令重新读取；若提示接口不再返回某些订单，按 docs/operations.zh-CN.md 处理",
)  # fmt: skip
FIGURE_CHECKS = (LEDGER_COMPLETE, FRESHNESS, NEVER_SYNCED, ORDERS_OF_YESTERDAY)

CHECKS: tuple[Check, ...] = (*COLUMN_CHECKS, *ROW_CHECKS, *QUERY_CHECKS, *FIGURE_CHECKS, DAY_TOTALS)

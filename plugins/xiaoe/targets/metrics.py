"""The metrics that may have a target; view `bi_targets` has the same (docs/bi.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class TargetMetric(NamedTuple):
    """A metric of `bi_kpi_daily` whose days add up to the month.

    Args:
        text: What staff call it.
        is_money: Whether it is yuan, and not a number of orders or people.
    """

    text: str
    is_money: bool


METRICS: Mapping[str, TargetMetric] = {
    "paid_amount": TargetMetric("实收", is_money=True),
    "net_amount": TargetMetric("净收入", is_money=True),
    "orders_paid": TargetMetric("支付订单数", is_money=False),
    "new_buyers": TargetMetric("新客", is_money=False),
}
"""Column of `bi_kpi_daily` → the metric."""

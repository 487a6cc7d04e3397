"""A report as staff read it: six lines a shop. Pure; counts and amounts only, so it may go to a chat."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from statistics import median
from typing import NamedTuple

from xiaoe.marts.kpi import Kpi
from xiaoe.marts.periods import Period
from xiaoe.targets.metrics import METRICS

_TITLES = {"day": "经营早报", "week": "经营周报", "month": "经营月报"}
_WEEKDAYS = "一二三四五六日"
_MIN_USUAL = 3
"""So many of the four days that tell what is usual have to be known."""
_MIN_ORDERS = 10
"""Fewer orders than this are no reason to call a day unusual."""
_SHOWN_DAYS = 5
_COMPARED = {
    "zh": ("{}无数据", "与{}持平", "{}为 {}", "较{} {:+}%"),
    "en": ("{}: no data", "equal to {}", "{}: {}", "{1:+}% against {0}"),
}
"""Language → how a figure compares: base unknown, equal, base not above zero, else."""


class Today(NamedTuple):
    """What today brought so far, and the same hours of the day before; `until` is a time like `08:00`."""

    until: str
    kpi: Kpi
    before: Kpi


class ShopFigures(NamedTuple):
    """What a report says of a shop, or of all of them together.

    Args:
        name: What staff call it.
        unread: Why there are no figures; empty: they are complete.
        kpi: Of the period.
        bases: Name of what it is compared with → its figures; None: not covered.
        month: Paid amount of the month so far, and of as much of the month before; of a day's report only.
        today: Of the report on yesterday only.
        usual: Of the same weekday of the four weeks before; None: not covered. Of a day's report only.
        targets: Key of `METRICS` → target of the month; of all shops together those that each of them has.
    """

    name: str
    unread: str
    kpi: Kpi
    bases: Mapping[str, Kpi | None]
    month: tuple[Kpi | None, Kpi | None] | None = None
    today: Today | None = None
    usual: Sequence[Kpi | None] = ()
    targets: Mapping[str, Decimal] = {}


def title(period: Period, shops: Sequence[ShopFigures], together: ShopFigures | None) -> str:
    """Subject of the mail, first line in a chat."""
    what = together or shops[0]
    said = "数据不完整" if what.unread else f"实收 {_yuan(what.kpi.paid_amount)}"
    return f"{_TITLES[period.kind]} {span(period)}：{said}"


def span(period: Period) -> str:
    """A period in words."""
    if period.kind == "day":
        return f"{period.first}（周{_WEEKDAYS[period.first.weekday()]}）"
    if period.kind == "week":
        return f"{period.first} 至 {period.days[-1]}"
    return f"{period.first.year} 年 {period.first.month} 月"


def lines(period: Period, shops: Sequence[ShopFigures], together: ShopFigures | None) -> list[str]:
    """The report: all shops together first, if there are several, then each."""
    found = []
    for shop in [*([together] if together else []), *shops]:
        found += [f"【{shop.name}】", *_of_shop(period, shop)]
    return found


def unread_in_words(days: Sequence[date]) -> str:
    """Why a report has no figures, by the days whose orders were not read to the end."""
    if not days:
        return ""
    named = "、".join(f"{day:%m-%d}" for day in days[:_SHOWN_DAYS])
    return f"{named} 等 {len(days)} 天的订单尚未读全" if len(days) > _SHOWN_DAYS else f"{named} 的订单尚未读全"


def _of_shop(period: Period, shop: ShopFigures) -> list[str]:
    if shop.unread:
        return [f"数据不完整，暂无数字：{shop.unread}。补齐后重跑 xiaoe_daily_report 会再发。"]
    kpi, first = shop.kpi, next(iter(shop.bases))
    missing = f"（{kpi.orders_without_amount} 单的金额缺失或读不出）" if kpi.orders_without_amount else ""
    found = [
        f"实收 {_yuan(kpi.paid_amount)}{missing}，{_against(kpi.paid_amount, _values(shop, 'paid_amount'))}；"
        f"净收入 {_yuan(kpi.net_amount)}",
        f"支付 {kpi.orders_paid} 单，{_against(kpi.orders_paid, _values(shop, 'orders_paid', first))}；"
        f"付款 {kpi.buyers} 人，其中新客 {kpi.new_buyers} 人",
        f"客单价（按人）{_yuan(kpi.amount_per_buyer)}，笔单价（按单）{_yuan(kpi.amount_per_order)}",
        f"退款 {_yuan(kpi.refund_amount)}，{kpi.refund_orders} 单，"
        f"{_against(kpi.refund_amount, _values(shop, 'refund_amount', first))}",
    ]
    if shop.month or shop.today:
        found.append("；".join(filter(None, [_month(shop), _today(shop)])))
    if shop.targets:
        found.append(targets(period, shop.month[0] if shop.month else kpi, shop.targets))
    if period.kind == "day":
        found.append(f"异常：{unusual(kpi, shop.usual)}")
    return found


def _values(shop: ShopFigures, figure: str, *names: str) -> dict[str, Decimal | None]:
    return {name: base and getattr(base, figure) for name, base in shop.bases.items() if not names or name in names}


def _month(shop: ShopFigures) -> str:
    if not shop.month:
        return ""
    now, before = shop.month
    if now is None:
        return "本月累计：有日期未读全"
    amount = now.paid_amount
    return f"本月累计实收 {_yuan(amount)}，{compared(amount, '上月同期', before and before.paid_amount)}"


def targets(period: Period, so_far: Kpi | None, wanted: Mapping[str, Decimal]) -> str:
    """How far a month's targets are reached when a period, a day or the month, is over.

    Args:
        period: Its last day is the last one that counts.
        so_far: The figures of the month up to and with that day; None: not all of its days are covered.
        wanted: Key of `METRICS` → target.
    """
    last = period.days[-1]
    share = Decimal(last.day) / monthrange(last.year, last.month)[1] * 100
    head = f"目标（{last.month} 月，时间进度 {share:.1f}%）："
    if so_far is None:
        return f"{head}有日期未读全"
    return head + "；".join(_target(metric, getattr(so_far, metric), wanted[metric]) for metric in wanted)


def _target(metric: str, value: Decimal | int, target: Decimal) -> str:
    text, is_money = METRICS[metric]
    missing = target - value
    attained = f"{text}达成 {value / target * 100:.1f}%"
    if missing <= 0:
        return attained
    return f"{attained}，还差 {_yuan(missing) if is_money else f'{missing:,.0f}'}"


def _today(shop: ShopFigures) -> str:
    if not shop.today:
        return ""
    until, now, before = shop.today
    amount = now.paid_amount
    return f"今日至 {until} 实收 {_yuan(amount)}，{compared(amount, '昨日同时段', before.paid_amount)}"


def _against(value: Decimal | int, bases: Mapping[str, Decimal | None]) -> str:
    return "，".join(compared(value, name, base) for name, base in bases.items())


def compared(value: Decimal | int, name: str, base: Decimal | int | None, language: str = "zh") -> str:
    """How a figure compares with what is called `name`: a percentage with one decimal and a sign, else words."""
    unknown, equal, not_positive, differs = _COMPARED[language]
    if base is None:
        return unknown.format(name)
    if value == base:
        return equal.format(name)
    if base <= 0:
        return not_positive.format(name, plain(base))
    percent = round((Decimal(value) - base) / base * 100, 1)
    return differs.format(name, percent) if percent else equal.format(name)


def unusual(kpi: Kpi, same_weekday: Sequence[Kpi | None]) -> str:
    """What is unusual about a day, by the rule in docs/bi.md.

    Paid amount, paid orders: less than half or more than twice the median of the same weekday of the four weeks before;
    refunds: more than twice. At least three of these days have to be covered, and the day or the median has to have ten
    orders of the kind.
    """
    usual = [one for one in same_weekday if one is not None]
    if len(usual) < _MIN_USUAL:
        return f"前四周同日的数据不足 {_MIN_USUAL} 天，未判断"
    found = []
    for name, figure, orders in (
        ("实收", "paid_amount", "orders_paid"),
        ("支付订单", "orders_paid", "orders_paid"),
        ("退款", "refund_amount", "refund_orders"),
    ):
        value, middle = getattr(kpi, figure), median(getattr(one, figure) for one in usual)
        if max(getattr(kpi, orders), median(getattr(one, orders) for one in usual)) < _MIN_ORDERS:
            continue
        if value > 2 * middle:
            found.append(f"{name}超过前四周同日中位数（{plain(middle)}）的两倍")
        elif value * 2 < middle and figure != "refund_amount":
            found.append(f"{name}不到前四周同日中位数（{plain(middle)}）的一半")
    return "；".join(found) or "无"


def _yuan(amount: Decimal | None) -> str:
    return "–" if amount is None else f"{amount:,.2f} 元"


def plain(value: Decimal | float) -> str:
    """A number with thousands separators; cents only where there are any."""
    return f"{value:,.2f}".removesuffix(".00")

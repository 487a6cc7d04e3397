"""The figures of reports: days from `bi_kpi_daily`, other spans from the orders by the same macros (docs/bi.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from xiaoe import settings
from xiaoe.clock import BEIJING, beijing_text, midnight
from xiaoe.coverage import seen_days, segments
from xiaoe.marts.periods import Period
from xiaoe.merge.ledger import observations
from xiaoe.mysql.session import Session
from xiaoe.mysql.templates import render
from xiaoe.resources.orders import ORDERS

_DAY = timedelta(days=1)


class Kpi(NamedTuple):
    """Figures of a span of time, of one shop or of several; amounts are yuan.

    Args:
        orders_paid: Paid orders.
        paid_amount: Their price.
        orders_without_amount: Those whose price is missing or cannot be read, or, of orders made in the span, the time
            of payment: `paid_amount` lacks them, or has the last price that could be read.
        refund_orders: Orders refunded in the span, whenever they were paid.
        refund_amount: What went back for them.
        buyers: Different users who paid.
        buyers_amount: What they paid; orders without a user are not in it.
        new_buyers: Of them, whose first paid order lies in the span.
    """

    orders_paid: int = 0
    paid_amount: Decimal = Decimal(0)
    orders_without_amount: int = 0
    refund_orders: int = 0
    refund_amount: Decimal = Decimal(0)
    buyers: int = 0
    buyers_amount: Decimal = Decimal(0)
    new_buyers: int = 0

    @property
    def net_amount(self) -> Decimal:
        """净收入: what came in less what went back."""
        return self.paid_amount - self.refund_amount

    @property
    def amount_per_buyer(self) -> Decimal | None:
        """客单价（按人）; None without buyers."""
        return self.buyers_amount / self.buyers if self.buyers else None

    @property
    def amount_per_order(self) -> Decimal | None:
        """笔单价（按单）; None without orders."""
        return self.paid_amount / self.orders_paid if self.orders_paid else None


def total(found: Iterable[Kpi]) -> Kpi:
    """The sum, figure by figure: right over shops; over days of one shop right for all but `buyers`."""
    return Kpi(*(sum(column) for column in zip(Kpi(), *found, strict=True)))


def covered_days(session: Session, shop_id: str, wanted: Sequence[date]) -> dict[date, Kpi]:
    """Day → its figures, of those wanted days that the ledger covers as a whole; zeros where nothing happened."""
    rows = session.query(
        f"SELECT day, {', '.join(Kpi._fields)} FROM bi_kpi_daily"  # noqa: S608 - names of fields
        " WHERE shop_id = %s AND day IN %s AND is_covered = 1 ORDER BY day",
        (shop_id, [*wanted]),
    )
    return {day: _kpi(figures) for day, *figures in rows}


def of_period(days: Mapping[date, Kpi], period: Period) -> Kpi | None:
    """The figures of a period; None if one of its days is not there. `buyers` of several days are too many."""
    if not all(day in days for day in period.days):
        return None
    return total(days[day] for day in period.days)


def with_buyers(session: Session, shop_id: str, period: Period, figures: Kpi) -> Kpi:
    """The same with the different users of the whole period: who buys on two days is one buyer."""
    if len(period.days) == 1:
        return figures
    [(buyers,)] = _read(session, "kpi_buyers", shop_id, midnight(period.first), midnight(period.end))
    return figures._replace(buyers=buyers)


def between(session: Session, shop_id: str, begin: datetime, end: datetime) -> Kpi:
    """The figures from one moment up to another, worked out from the orders."""
    [figures] = _read(session, "kpi_between", shop_id, begin, end)
    return _kpi(figures)


def unread_days(session: Session, shop_id: str, period: Period) -> list[date]:
    """Days on which orders were made that have to be read before the figures of a period count; none: it is complete.

    These are its own days, and those before its end that the hourly rescan reaches as a whole: an order made on one may
    have been paid or refunded in the period. They have to be seen after the period was over. Days before the first
    window of the shop are not asked for, unless they are the period's.
    """
    rescanned = period.end - max(settings.rescan_days() - _DAY, _DAY)
    [(start,)] = session.query(
        "SELECT MIN(window_start) FROM sync_windows WHERE shop_id = %s AND resource = %s", (shop_id, ORDERS.name)
    )
    start_day = (start + _DAY - timedelta.resolution).date() if start else period.first  # the first whole one
    first = min(period.first, max(rescanned, start_day))
    looks = observations(session, ORDERS, shop_id, midnight(first), midnight(period.end))
    seen = seen_days(segments(looks), first, period.end)
    over = midnight(period.end)
    return [day for day, look in seen.items() if look is None or (day >= rescanned and look < over)]


def same_hours(moment: datetime) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]]:
    """Begin and end of a day of Beijing up to a moment, and of the same hours of the day before."""
    today = midnight(moment.astimezone(BEIJING).date())
    return (today, moment), (today - _DAY, moment - _DAY)


def _read(session: Session, template: str, shop_id: str, begin: datetime, end: datetime) -> list[tuple[Any, ...]]:
    """The rows that a template of include/sql/marts gives of a span of time."""
    names = {name: f"%({name})s" for name in ("shop", "first", "end")}
    sql = render(f"marts/{template}.sql", **names, count_imported=settings.count_imported())
    values: Any = {"shop": shop_id, "first": beijing_text(begin), "end": beijing_text(end)}
    return session.query(sql, values)


def _kpi(figures: Sequence[int | Decimal]) -> Kpi:
    kinds = (type(default) for default in Kpi())
    return Kpi(*(kind(value) for kind, value in zip(kinds, figures, strict=True)))  # type: ignore[arg-type]

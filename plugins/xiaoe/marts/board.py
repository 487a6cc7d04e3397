"""`mart_kpi_spans`, which dashboards open on: yesterday, today and the month, and what they are compared with.

The rules are those of the morning report (docs/bi.md): the month goes up to yesterday, a base that windows do not cover
as a whole has no figures, and neither have yesterday and the month while a day that can still change them is unread.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from xiaoe.clock import BEIJING, beijing_text, midnight
from xiaoe.marts import kpi, periods
from xiaoe.marts.kpi import Kpi
from xiaoe.marts.periods import Period
from xiaoe.merge.status import read_watermark
from xiaoe.mysql.session import Session
from xiaoe.resources.orders import ORDERS

_DAY = timedelta(days=1)


class BoardSpan(NamedTuple):
    """A row of `mart_kpi_spans`.

    Args:
        block: `day` (yesterday), `today` or `month`.
        base: `now`, or what it is compared with: `before`, `week` or `year`.
        begin: With an offset.
        end: With an offset; exclusive.
        period: Its days.
    """

    block: str
    base: str
    begin: datetime
    end: datetime
    period: Period


def write_board(session: Session, shop_id: str, now: datetime) -> None:
    """Work the board of a shop out once more; its marts have to be up to date.

    Args:
        session: The warehouse.
        shop_id: The shop.
        now: The current time, with an offset.
    """
    found = spans(now, _read_until(session, shop_id, now))
    days = kpi.covered_days(session, shop_id, sorted({day for span in found for day in span.period.days}))
    is_read = not kpi.unread_days(session, shop_id, found[0].period)
    buyers = _current_buyers(session, shop_id)
    session.execute("DELETE FROM mart_kpi_spans WHERE shop_id = %s", (shop_id,))
    session.insert_many(
        f"INSERT INTO mart_kpi_spans (shop_id, block, base, begin_at, end_at, is_current, {', '.join(Kpi._fields)})"  # noqa: S608
        f" VALUES ({', '.join(['%s'] * (6 + len(Kpi._fields)))})",
        [
            (
                *(shop_id, span.block, span.base, beijing_text(span.begin), beijing_text(span.end), 1),
                *(_figures(session, shop_id, span, days, buyers, is_read=is_read) or [None] * len(Kpi._fields)),
            )
            for span in found
        ],
    )


def forget_buyers(session: Session, shop_id: str, first: date, end: date) -> None:
    """Have the different buyers of every period that has one of these days counted again.

    Args:
        session: In the transaction that works the days out.
        shop_id: The shop.
        first: The first day whose buyers may have changed.
        end: The day after the last.
    """
    session.execute(
        "UPDATE mart_kpi_spans SET is_current = 0 WHERE shop_id = %s AND begin_at < %s AND end_at > %s",
        (shop_id, end, first),
    )


def _current_buyers(session: Session, shop_id: str) -> dict[tuple[str, str], int]:
    """Begin and end → the different buyers, of the periods whose buyers have not changed since they were counted."""
    rows = session.query(
        "SELECT begin_at, end_at, buyers FROM mart_kpi_spans"
        " WHERE shop_id = %s AND is_current = 1 AND buyers IS NOT NULL",
        (shop_id,),
    )
    return {(f"{begin}", f"{end}"): buyers for begin, end, buyers in rows}


def spans(now: datetime, until: datetime) -> list[BoardSpan]:
    """All spans of the board, yesterday first. Pure.

    Args:
        now: The current time, with an offset.
        until: Up to when today was read; midnight: not at all.
    """
    today = now.astimezone(BEIJING).date()
    yesterday = Period("day", today - _DAY, today)
    before, week, year = periods.bases(yesterday).values()
    month, month_before = periods.month_so_far(yesterday.first)
    found = [
        *_whole("day", {"now": yesterday, "before": before, "week": week, "year": year}),
        *_whole("month", {"now": month, "before": month_before, "year": periods.year_before(month)}),
    ]
    same = periods.bases(Period("day", today, today + _DAY)).values()
    for base, day in zip(("now", "before", "week", "year"), (Period("day", today, today + _DAY), *same), strict=True):
        begin = midnight(day.first)
        found.append(BoardSpan("today", base, begin, begin + (until - midnight(today)), day))
    return found


def _whole(block: str, named: dict[str, Period]) -> Iterator[BoardSpan]:
    for base, period in named.items():
        yield BoardSpan(block, base, midnight(period.first), midnight(period.end), period)


def _figures(
    session: Session,
    shop_id: str,
    span: BoardSpan,
    days: dict[date, Kpi],
    buyers: dict[tuple[str, str], int],
    *,
    is_read: bool,
) -> Kpi | None:
    if span.block == "today":
        is_there = span.begin < span.end and (span.base == "now" or span.period.first in days)
        return kpi.between(session, shop_id, span.begin, span.end) if is_there else None
    figures = kpi.of_period(days, span.period)
    if figures is None or (span.base == "now" and not is_read):
        return None
    known = buyers.get((beijing_text(span.begin), beijing_text(span.end)))
    return (
        figures._replace(buyers=known) if known is not None else kpi.with_buyers(session, shop_id, span.period, figures)
    )


def _read_until(session: Session, shop_id: str, now: datetime) -> datetime:
    """The minute up to which today was read; midnight if it was not."""
    start = midnight(now.astimezone(BEIJING).date())
    read = read_watermark(session, shop_id, ORDERS.name, "incremental") or start
    return max(start, min(read, now).astimezone(BEIJING).replace(second=0, microsecond=0))

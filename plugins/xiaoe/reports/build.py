"""Reads what a report says: its period's figures of each shop and of all, and what they are compared with."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from xiaoe.api import shop_names
from xiaoe.api.shop import app_id_of
from xiaoe.clock import midnight
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.marts import kpi, periods
from xiaoe.marts.kpi import Kpi
from xiaoe.marts.periods import Period
from xiaoe.merge.status import read_watermark
from xiaoe.mysql.session import Session
from xiaoe.reports import text
from xiaoe.reports.text import CHINESE, ShopFigures, Today, Wording
from xiaoe.targets.metrics import METRICS

log = logging.getLogger(__name__)


def report(
    session: Session,
    shop_ids: Sequence[str],
    period: Period,
    now: datetime,
    *,
    unusable: Sequence[str] = (),
    words: Wording = CHINESE,
) -> dict[str, Any]:
    """A report, JSON-serialisable.

    Args:
        session: The warehouse, its marts refreshed.
        shop_ids: One or more.
        period: What it is about.
        now: The current time, with an offset.
        unusable: Connections of further shops that are wrong: no figures, and none for all shops together.
        words: Its language.

    Returns:
        `period` and `first_day`, the key of `report_sends`; `title` and `lines`; `is_complete`.
    """
    found, together = figures(session, shop_ids, period, now, unusable=unusable, words=words)
    return {
        "period": period.kind,
        "first_day": f"{period.first}",
        "title": text.title(period, found, together, words),
        "lines": text.lines(period, found, together, words),
        "is_complete": not any(shop.unread for shop in found),
    }


def figures(
    session: Session,
    shop_ids: Sequence[str],
    period: Period,
    now: datetime,
    *,
    unusable: Sequence[str] = (),
    words: Wording = CHINESE,
) -> tuple[list[ShopFigures], ShopFigures | None]:
    """What `report` says of each shop, and of all of them together; None if there is only one."""
    named = shop_names.names(session)
    moment = _today_until(read_until(session, shop_ids), period, now)
    found = [_figures(session, shop_id, named.get(shop_id, shop_id), period, moment, words) for shop_id in shop_ids]
    wrong = words.say("unread", "wrong")
    found += [ShopFigures(words.say("unread", "connection", conn_id), wrong, Kpi(), {}) for conn_id in unusable]
    return found, _together(found, words) if len(found) > 1 else None


def shops_of(conn_ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """The shop ids of connections, and those of them that are wrong.

    Raises:
        XiaoeConfigError: All of them are; the last one's.
    """
    found, unusable, problem = list[str](), list[str](), None
    for conn_id in conn_ids:
        try:
            found.append(app_id_of(conn_id))
        except XiaoeConfigError as error:
            log.warning("no figures of a shop: %s", error)
            unusable.append(conn_id)
            problem = error
    if problem and not found:
        raise problem
    return found, unusable


def read_until(session: Session, shop_ids: Sequence[str]) -> datetime | None:
    """The moment up to which new orders of all these shops were read; None: one was never read."""
    watermarks = [read_watermark(session, shop_id, "orders", "incremental") for shop_id in shop_ids]
    known = [moment for moment in watermarks if moment]
    return min(known) if known and len(known) == len(watermarks) else None


def _today_until(read: datetime | None, period: Period, now: datetime) -> datetime | None:
    """The minute of today up to which orders were read; None if the period is not yesterday."""
    if period.kind != "day" or not midnight(period.end) < now < midnight(period.end + (period.end - period.first)):
        return None
    if read is None or read <= midnight(period.end):
        return None
    return min(read, now).replace(second=0, microsecond=0)


def _figures(
    session: Session, shop_id: str, name: str, period: Period, moment: datetime | None, words: Wording
) -> ShopFigures:
    bases = periods.bases(period)
    is_day = period.kind == "day"
    month = periods.month_so_far(period.first) if is_day else None
    usual = periods.usual_days(period.first) if is_day else []
    wanted = {day for one in (period, *bases.values(), *(month or ())) for day in one.days}.union(usual)
    days = kpi.covered_days(session, shop_id, sorted(wanted))
    unread = text.unread_in_words(kpi.unread_days(session, shop_id, period), words)
    today = _today(session, shop_id, moment) if moment else None
    found = kpi.of_period(days, period)
    if found is None or unread:
        return ShopFigures(name, unread or words.say("unread", "marts"), Kpi(), dict.fromkeys(bases), today=today)
    return ShopFigures(
        name,
        "",
        kpi.with_buyers(session, shop_id, period, found),
        {base: kpi.of_period(days, one) for base, one in bases.items()},
        month and (kpi.of_period(days, month[0]), kpi.of_period(days, month[1])),
        today,
        [days.get(day) for day in usual],
        _targets(session, shop_id, period.first.replace(day=1)) if period.kind != "week" else {},
    )


def _today(session: Session, shop_id: str, moment: datetime) -> Today:
    today, before = kpi.same_hours(moment)
    return Today(f"{moment:%H:%M}", kpi.between(session, shop_id, *today), kpi.between(session, shop_id, *before))


def _together(found: Sequence[ShopFigures], words: Wording) -> ShopFigures:
    """All shops as one; without figures if one has none. A user of two shops is two buyers."""
    todays = [shop.today for shop in found if shop.today]
    today = (
        Today(todays[0].until, kpi.total(t.kpi for t in todays), kpi.total(t.before for t in todays))
        if len(todays) == len(found)
        else None
    )
    name = words.line("together")
    if unread := [words.say("unread", "of_shop", shop.name, shop.unread) for shop in found if shop.unread]:
        return ShopFigures(name, words.line("then").join(unread), Kpi(), {}, today=today)
    bases = {name: _sum([shop.bases[name] for shop in found]) for name in found[0].bases}
    months = [shop.month for shop in found if shop.month]
    return ShopFigures(
        name,
        "",
        kpi.total(shop.kpi for shop in found),
        bases,
        (_sum([now for now, _ in months]), _sum([before for _, before in months])) if months else None,
        today,
        [_sum(same) for same in zip(*(shop.usual for shop in found), strict=True)],
        _sum_of_targets([shop.targets for shop in found]),
    )


def _targets(session: Session, shop_id: str, month: date) -> dict[str, Decimal]:
    """The targets of a shop for the month that begins on a day: key of `METRICS` → value."""
    sql = "SELECT metric, value FROM targets WHERE shop_id = %s AND month = %s"
    held = dict(session.query(sql, (shop_id, month)))
    return {metric: held[metric] for metric in METRICS if metric in held}


def _sum_of_targets(found: Sequence[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """The targets that every shop has: against those of some, the sum of all would look good."""
    common = [metric for metric in METRICS if all(metric in targets for targets in found)]
    return {metric: sum((targets[metric] for targets in found), Decimal(0)) for metric in common}


def _sum(found: Sequence[Kpi | None]) -> Kpi | None:
    known = [one for one in found if one is not None]
    return kpi.total(known) if len(known) == len(found) else None

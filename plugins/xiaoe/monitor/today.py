"""The page 今日经营: what the morning report says, as of now, for a phone. The figures are the report's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from xiaoe import settings
from xiaoe.clock import BEIJING, midnight
from xiaoe.marts import kpi
from xiaoe.marts.kpi import Kpi
from xiaoe.marts.periods import due_after
from xiaoe.monitor.i18n import LANGUAGES, Texts
from xiaoe.mysql.session import Session
from xiaoe.reports import build
from xiaoe.reports.text import ShopFigures, Wording, against, plain, with_weekday

TREND_DAYS = 14
_HEIGHT = 38
"""Of the highest bar, of 40."""
_DAY = timedelta(days=1)


class TodayData(NamedTuple):
    """What the page shows.

    Args:
        day: Yesterday, Beijing.
        read_until: Up to when new orders of all shops were read, Beijing; None: never.
        shops: All of them together first, if there are several.
        trends: Paid amount of each of the last days, yesterday the last, of each of `shops`; None: not covered.
    """

    day: date
    read_until: datetime | None
    shops: list[ShopFigures]
    trends: list[list[Decimal | None]]


class Bar(NamedTuple):
    """A day of the trend; `height` of 40, `title` for the mouse and for screen readers."""

    height: int
    is_missing: bool
    title: str


class SpanFigures(NamedTuple):
    """A span of time: its paid amount, how that compares, what is missing, and further figures by name."""

    kind: str
    label: str
    amount: str
    compared: str
    note: str
    facts: list[tuple[str, str]]


def read(session: Session, now: datetime, language: str) -> TodayData:
    """Read the figures; nothing is written.

    Args:
        session: The warehouse.
        now: The current time, with an offset.
        language: `zh` or `en`.

    Raises:
        XiaoeConfigError: Every connection of a shop is wrong.
    """
    shop_ids, unusable = build.shops_of(settings.conn_ids())
    day = now.astimezone(BEIJING).date() - _DAY
    period = next(one for one in due_after(day) if one.kind == "day")
    shops, together = build.figures(session, shop_ids, period, now, unusable=unusable, words=Wording(language))
    days = _trend_days(day)
    covered = [kpi.covered_days(session, shop_id, days) for shop_id in shop_ids] + [{} for _ in unusable]
    trends = [[one[day].paid_amount if day in one else None for day in days] for one in covered]
    if together:
        shops = [together, *shops]
        trends = [[_sum(same) for same in zip(*trends, strict=True)], *trends]
    return TodayData(day, build.read_until(session, shop_ids), shops, trends)


def _trend_days(day: date) -> list[date]:
    return [day - _DAY * back for back in reversed(range(TREND_DAYS))]


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [one for one in amounts if one is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


# --- what the template gets ----------------------------------------------------------------------------


def view(data: TodayData, texts: Texts, now: datetime, *, has_monitor: bool) -> dict[str, Any]:
    """The variables of the template.

    Args:
        data: What `read` returned.
        texts: Texts of the page's language.
        now: The current time, Beijing.
        has_monitor: Whether the reader may open the monitoring page.
    """
    words = _Words(texts)
    until = data.read_until and min(data.read_until, now)
    return {
        "texts": texts,
        "say": words.say,
        "other": next(one for one in LANGUAGES if one != texts.language),
        "monitor": has_monitor,
        "as_of": words.say("as_of", f"{until:%m-%d %H:%M}") if until else words.say("never_read"),
        "behind": "" if until and until > midnight(data.day + _DAY) else words.say("behind"),
        "shops": [
            {
                "anchor": f"shop-{place}",
                "name": shop.name,
                "unread": words.say("no_figures", shop.unread) if shop.unread else "",
                "spans": _spans(shop, data.day, words),
                "trend": _trend(data.day, trend, words),
            }
            for place, (shop, trend) in enumerate(zip(data.shops, data.trends, strict=True))
        ],
    }


class _Words:
    """The page's texts."""

    def __init__(self, texts: Texts) -> None:
        self.language = texts.language
        self._texts = texts

    def say(self, key: str, *values: object) -> str:
        return self._texts.name("today", key).format(*values)

    def yuan(self, amount: Decimal | None) -> str:
        return "–" if amount is None else self.say("yuan", f"{amount:,.2f}")

    def against(self, value: Decimal | int, bases: Mapping[str, Decimal | None]) -> str:
        """How a figure compares, as the morning report words it."""
        return against(value, bases, Wording(self.language))


def _spans(shop: ShopFigures, day: date, words: _Words) -> list[SpanFigures]:
    found = []
    if shop.today:
        before = {"昨日同时段": shop.today.before.paid_amount}
        found.append(_span("now", words.say("today", shop.today.until), shop.today.kpi, before, words))
    if not shop.unread:
        label = words.say("yesterday", with_weekday(f"{day:%m-%d}", day, Wording(words.language)))
        bases = {name: base and base.paid_amount for name, base in shop.bases.items()}
        found.append(_span("yesterday", label, shop.kpi, bases, words))
    if shop.month:
        now, before_month = shop.month
        label = words.say("month", day.month, day.day)
        if now is None:
            found.append(SpanFigures("month", label, "", "", words.say("unread_month"), []))
        else:
            text = words.against(now.paid_amount, {"上月同期": before_month and before_month.paid_amount})
            found.append(SpanFigures("month", label, words.yuan(now.paid_amount), text, "", []))
    return found


def _span(kind: str, label: str, figures: Kpi, bases: Mapping[str, Decimal | None], words: _Words) -> SpanFigures:
    say, missing = words.say, figures.orders_without_amount
    return SpanFigures(
        kind,
        label,
        words.yuan(figures.paid_amount),
        words.against(figures.paid_amount, bases),
        say("without_amount", missing) if missing else "",
        [
            (say("orders"), say("orders_unit", plain(figures.orders_paid))),
            (say("net"), words.yuan(figures.net_amount)),
            (say("buyers"), say("buyers_unit", plain(figures.buyers))),
            (say("new_buyers"), say("buyers_unit", plain(figures.new_buyers))),
            (say("per_buyer"), words.yuan(figures.amount_per_buyer)),
            (say("per_order"), words.yuan(figures.amount_per_order)),
            (say("refunds"), words.yuan(figures.refund_amount)),
            (say("refund_orders"), say("orders_unit", plain(figures.refund_orders))),
        ],
    )


def _trend(day: date, amounts: Sequence[Decimal | None], words: _Words) -> dict[str, Any]:
    days, known = _trend_days(day), [one for one in amounts if one is not None]
    most, missing = max(known, default=Decimal(0)), len(amounts) - len(known)
    return {
        "label": words.say("trend", TREND_DAYS),
        "bars": [
            Bar(
                40 if amount is None else round(amount / most * _HEIGHT) if most > 0 else 0,
                amount is None,
                f"{one:%m-%d} {words.yuan(amount)}",
            )
            for one, amount in zip(days, amounts, strict=True)
        ],
        "first": f"{days[0]:%m-%d}",
        "last": f"{days[-1]:%m-%d}",
        "most": words.say("most", words.yuan(most)) if known else "",
        "missing": words.say("missing_days", missing) if missing else "",
    }

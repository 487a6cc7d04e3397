"""A report as staff read it: six lines a shop. Pure; counts and amounts only, so it may go to a chat.

Its texts are in `texts.yaml`, in both languages.
"""

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
from xiaoe.texts import texts_beside

_MIN_USUAL = 3
"""So many of the four days that tell what is usual have to be known."""
_MIN_ORDERS = 10
"""Fewer orders than this are no reason to call a day unusual."""
_SHOWN_DAYS = 5


class Wording(NamedTuple):
    """The language of a report; its texts are in `texts.yaml`."""

    language: str = "zh"

    def say(self, group: str, key: str, *values: object) -> str:
        """A text with its placeholders filled in."""
        return str(texts_beside(__file__)[group][key][self.language]).format(*values)

    def line(self, key: str, *values: object) -> str:
        """A text of the group `lines`."""
        return self.say("lines", key, *values)

    def yuan(self, amount: Decimal | None) -> str:
        """An amount with its unit."""
        return "–" if amount is None else self.line("yuan", amount)


CHINESE = Wording()


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


def title(period: Period, shops: Sequence[ShopFigures], together: ShopFigures | None, words: Wording = CHINESE) -> str:
    """Subject of the mail, first line in a chat."""
    what = together or shops[0]
    said = words.line("incomplete") if what.unread else words.line("paid", words.yuan(what.kpi.paid_amount))
    return words.line("title", words.say("kinds", period.kind), span(period, words), said)


def span(period: Period, words: Wording = CHINESE) -> str:
    """A period in words."""
    if period.kind == "day":
        return with_weekday(f"{period.first}", period.first, words)
    if period.kind == "week":
        return words.say("spans", "week", period.first, period.days[-1])
    return words.say("spans", "month", period.first.year, period.first.month)


def with_weekday(text: str, day: date, words: Wording) -> str:
    """A day as `text` has it, with its weekday."""
    return words.say("spans", "day", text, words.say("weekdays", "short").split()[day.weekday()])


def lines(
    period: Period, shops: Sequence[ShopFigures], together: ShopFigures | None, words: Wording = CHINESE
) -> list[str]:
    """The report: all shops together first, if there are several, then each."""
    found = []
    for shop in [*([together] if together else []), *shops]:
        found += [words.line("shop", shop.name), *_of_shop(period, shop, words)]
    return found


def unread_in_words(days: Sequence[date], words: Wording = CHINESE) -> str:
    """Why a report has no figures, by the days whose orders were not read to the end."""
    if not days:
        return ""
    named = words.say("unread", "between").join(f"{day:%m-%d}" for day in days[:_SHOWN_DAYS])
    return words.say("unread", "many" if len(days) > _SHOWN_DAYS else "days", named, len(days))


def _of_shop(period: Period, shop: ShopFigures, words: Wording) -> list[str]:
    if shop.unread:
        return [words.line("no_figures", shop.unread)]
    kpi, first, yuan = shop.kpi, next(iter(shop.bases)), words.yuan
    missing = words.line("without_amount", kpi.orders_without_amount) if kpi.orders_without_amount else ""
    orders = against(kpi.orders_paid, _values(shop, "orders_paid", first), words)
    refunds = against(kpi.refund_amount, _values(shop, "refund_amount", first), words)
    found = [
        words.line(
            "paid_line",
            yuan(kpi.paid_amount),
            missing,
            against(kpi.paid_amount, _values(shop, "paid_amount"), words),
            yuan(kpi.net_amount),
        ),
        words.line("orders_line", kpi.orders_paid, orders, kpi.buyers, kpi.new_buyers),
        words.line("values_line", yuan(kpi.amount_per_buyer), yuan(kpi.amount_per_order)),
        words.line("refunds_line", yuan(kpi.refund_amount), kpi.refund_orders, refunds),
    ]
    if shop.month or shop.today:
        found.append(words.line("then").join(filter(None, [_month(shop, words), _today(shop, words)])))
    if shop.targets:
        found.append(targets(period, shop.month[0] if shop.month else kpi, shop.targets, words))
    if period.kind == "day":
        found.append(words.say("unusual", "line", unusual(kpi, shop.usual, words)))
    return found


def _values(shop: ShopFigures, figure: str, *names: str) -> dict[str, Decimal | None]:
    return {name: base and getattr(base, figure) for name, base in shop.bases.items() if not names or name in names}


def _month(shop: ShopFigures, words: Wording) -> str:
    if not shop.month:
        return ""
    now, before = shop.month
    if now is None:
        return words.line("month_unread")
    amount = now.paid_amount
    return words.line("month", words.yuan(amount), against(amount, {"上月同期": before and before.paid_amount}, words))


def targets(period: Period, so_far: Kpi | None, wanted: Mapping[str, Decimal], words: Wording = CHINESE) -> str:
    """How far a month's targets are reached when a period, a day or the month, is over.

    Args:
        period: Its last day is the last one that counts.
        so_far: The figures of the month up to and with that day; None: not all of its days are covered.
        wanted: Key of `METRICS` → target.
        words: The language.
    """
    last = period.days[-1]
    share = Decimal(last.day) / monthrange(last.year, last.month)[1] * 100
    head = words.say("targets", "head", last.month, share)
    if so_far is None:
        return head + words.line("days_unread")
    reached = [_target(metric, getattr(so_far, metric), wanted[metric], words) for metric in wanted]
    return head + words.line("then").join(reached)


def _target(metric: str, value: Decimal | int, target: Decimal, words: Wording) -> str:
    missing = target - value
    attained = words.say("targets", "attained", words.say("targets", metric), value / target * 100)
    if missing <= 0:
        return attained
    return attained + words.say(
        "targets", "missing", words.yuan(missing) if METRICS[metric].is_money else f"{missing:,.0f}"
    )


def _today(shop: ShopFigures, words: Wording) -> str:
    if not shop.today:
        return ""
    until, now, before = shop.today
    amount = now.paid_amount
    return words.line("today", until, words.yuan(amount), against(amount, {"昨日同时段": before.paid_amount}, words))


def against(value: Decimal | int, bases: Mapping[str, Decimal | None], words: Wording) -> str:
    """How a figure compares with each of the periods of `xiaoe.marts.periods`."""
    return words.line("and").join(
        compared(value, words.say("bases", name), base, words) for name, base in bases.items()
    )


def compared(value: Decimal | int, name: str, base: Decimal | int | None, words: Wording = CHINESE) -> str:
    """How a figure compares with what is called `name`: a percentage with one decimal and a sign, else words."""
    if base is None:
        return words.say("compared", "unknown", name)
    if value == base:
        return words.say("compared", "equal", name)
    if base <= 0:
        return words.say("compared", "not_positive", name, plain(base))
    percent = round((Decimal(value) - base) / base * 100, 1)
    return words.say("compared", "differs" if percent else "equal", name, percent)


def unusual(kpi: Kpi, same_weekday: Sequence[Kpi | None], words: Wording = CHINESE) -> str:
    """What is unusual about a day, by the rule in docs/bi.md.

    Paid amount, paid orders: less than half or more than twice the median of the same weekday of the four weeks before;
    refunds: more than twice. At least three of these days have to be covered, and the day or the median has to have ten
    orders of the kind.
    """
    usual = [one for one in same_weekday if one is not None]
    if len(usual) < _MIN_USUAL:
        return words.say("unusual", "unknown", _MIN_USUAL)
    found = []
    for key, figure, orders in (
        ("paid", "paid_amount", "orders_paid"),
        ("orders", "orders_paid", "orders_paid"),
        ("refunds", "refund_amount", "refund_orders"),
    ):
        name = words.say("unusual", key)
        value, middle = getattr(kpi, figure), median(getattr(one, figure) for one in usual)
        if max(getattr(kpi, orders), median(getattr(one, orders) for one in usual)) < _MIN_ORDERS:
            continue
        if value > 2 * middle:
            found.append(words.say("unusual", "more", name, plain(middle)))
        elif value * 2 < middle and figure != "refund_amount":
            found.append(words.say("unusual", "less", name, plain(middle)))
    return words.line("then").join(found) or words.say("unusual", "nothing")


def plain(value: Decimal | float) -> str:
    """A number with thousands separators; cents only where there are any."""
    return f"{value:,.2f}".removesuffix(".00")

"""What reports are about, how figures compare, which days are called unusual."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.marts.kpi import Kpi, total
from xiaoe.marts.periods import Period, bases, due_after, month_so_far, usual_days
from xiaoe.reports.text import compared, unread_in_words, unusual

DAY = timedelta(days=1)
dates = st.dates(date(2012, 1, 1), date(2090, 1, 1))


def day(text: str) -> date:
    return date.fromisoformat(text)


def period(kind: str, first: str, end: str) -> Period:
    return Period(kind, day(first), day(end))


# --- periods -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "due"),
    [
        ("2026-11-27", ["day"]),
        ("2026-11-29", ["day", "week"]),
        ("2026-11-30", ["day", "month"]),
        ("2026-05-31", ["day", "week", "month"]),
        ("2028-02-28", ["day"]),
        ("2028-02-29", ["day", "month"]),
    ],
)
def test_what_is_due_when_a_day_is_over(over: str, due: list[str]) -> None:
    found = due_after(day(over))
    assert [one.kind for one in found] == due
    assert {one.end for one in found} == {day(over) + DAY}


@given(dates)
def test_a_week_is_seven_days_from_monday_and_a_month_all_of_it(over: date) -> None:
    for one in due_after(over):
        assert one.days[-1] == over
        if one.kind == "week":
            assert (one.first.weekday(), len(one.days)) == (0, 7)
        if one.kind == "month":
            assert one.first.day == 1
            assert {(found.year, found.month) for found in one.days} == {(over.year, over.month)}


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        (
            period("day", "2026-11-29", "2026-11-30"),
            {
                "前日": period("day", "2026-11-28", "2026-11-29"),
                "上周同日": period("day", "2026-11-22", "2026-11-23"),
                "去年同日": period("day", "2025-11-29", "2025-11-30"),
            },
        ),
        (
            period("week", "2026-11-23", "2026-11-30"),
            {
                "上周": period("week", "2026-11-16", "2026-11-23"),
                "去年同周": period("week", "2025-11-24", "2025-12-01"),
            },
        ),
        (
            period("month", "2028-02-01", "2028-03-01"),
            {
                "上月": period("month", "2028-01-01", "2028-02-01"),
                "去年同月": period("month", "2027-02-01", "2027-03-01"),
            },
        ),
        (
            period("month", "2026-12-01", "2027-01-01"),
            {
                "上月": period("month", "2026-11-01", "2026-12-01"),
                "去年同月": period("month", "2025-12-01", "2026-01-01"),
            },
        ),
    ],
)
def test_what_a_period_is_compared_with(reported: Period, expected: dict[str, Period]) -> None:
    assert bases(reported) == expected


def test_the_29th_of_february_has_the_28th_a_year_before() -> None:
    assert bases(period("day", "2028-02-29", "2028-03-01"))["去年同日"] == period("day", "2027-02-28", "2027-03-01")


def test_the_month_so_far_is_compared_with_as_many_days_or_all_there_are() -> None:
    assert month_so_far(day("2026-11-15")) == (
        period("month", "2026-11-01", "2026-11-16"),
        period("month", "2026-10-01", "2026-10-16"),
    )
    assert month_so_far(day("2026-03-30"))[1] == period("month", "2026-02-01", "2026-03-01")
    assert month_so_far(day("2026-01-01"))[1] == period("month", "2025-12-01", "2025-12-02")


@given(dates)
def test_usual_is_what_was_on_the_same_weekday(on: date) -> None:
    assert [(on - one).days for one in usual_days(on)] == [7, 14, 21, 28]


# --- comparisons ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "base", "words"),
    [
        (Decimal("150.00"), Decimal("100.00"), "较前日 +50.0%"),
        (Decimal("99.90"), Decimal("100.00"), "较前日 -0.1%"),
        (Decimal("99.96"), Decimal("100.00"), "与前日持平"),
        (0, 4, "较前日 -100.0%"),
        (4, 4, "与前日持平"),
        (0, 0, "与前日持平"),
        (3, 0, "前日为 0"),
        (Decimal("5.00"), Decimal("-2.50"), "前日为 -2.50"),
        (3, None, "前日无数据"),
    ],
)
def test_a_figure_compared(value: Decimal, base: Decimal | None, words: str) -> None:
    assert compared(value, "前日", base) == words


def kpi(orders: int, refunds: int = 0) -> Kpi:
    """Orders of 10 yuan, and refunds of as much."""
    return Kpi(orders, Decimal(10 * orders), 0, refunds, Decimal(10 * refunds), orders, Decimal(10 * orders), 0)


@pytest.mark.parametrize(
    ("found", "before", "words"),
    [
        (kpi(20), [kpi(20)] * 4, "无"),
        (kpi(41), [kpi(20)] * 4, "实收超过前四周同日中位数（200）的两倍；支付订单超过前四周同日中位数（20）的两倍"),
        (kpi(40), [kpi(20)] * 4, "无"),
        (kpi(10), [kpi(20)] * 4, "无"),
        (kpi(9), [kpi(20)] * 4, "实收不到前四周同日中位数（200）的一半；支付订单不到前四周同日中位数（20）的一半"),
        (kpi(0), [kpi(20)] * 4, "实收不到前四周同日中位数（200）的一半；支付订单不到前四周同日中位数（20）的一半"),
        (kpi(9), [kpi(2)] * 4, "无"),
        (kpi(10), [kpi(2)] * 4, "实收超过前四周同日中位数（20）的两倍；支付订单超过前四周同日中位数（2）的两倍"),
        (kpi(20, 12), [kpi(20, 5)] * 4, "退款超过前四周同日中位数（50）的两倍"),
        (kpi(20, 0), [kpi(20, 12)] * 4, "无"),
        (kpi(20, 9), [kpi(20, 1)] * 4, "无"),
        (kpi(20), [kpi(20), kpi(20), kpi(900), kpi(1)], "无"),
        (kpi(90), [kpi(20), None, kpi(20), None], "前四周同日的数据不足 3 天，未判断"),
        (kpi(90), [], "前四周同日的数据不足 3 天，未判断"),
    ],
)  # fmt: skip
def test_a_day_is_unusual_by_the_rule(found: Kpi, before: list[Kpi | None], words: str) -> None:
    assert unusual(found, before) == words


def test_an_order_without_buyer_or_a_day_without_orders_has_no_average() -> None:
    assert Kpi().amount_per_buyer is Kpi().amount_per_order is None
    assert kpi(2, 3).net_amount == -10
    assert total([]) == Kpi()
    assert total([kpi(1), kpi(2, 1)]) == kpi(3, 1)


def test_days_that_were_not_read_are_named_and_many_are_counted() -> None:
    days = [day("2026-11-24") + DAY * number for number in range(6)]
    assert unread_in_words([]) == ""
    assert unread_in_words(days[:2]) == "11-24、11-25 的订单尚未读全"
    assert unread_in_words(days) == "11-24、11-25、11-26、11-27、11-28 等 6 天的订单尚未读全"

"""When orders are made (no HTTP here: it is arithmetic)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from emulator.orders.arrivals import Arrivals
from emulator.seeded import key_of

START, DAY = 1735660800, 86_400  # 2025-01-01 00:00:00 in Beijing


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("total", [0, 1, 2, 7, 100, 1001, 54_321, 3_000_000])
@pytest.mark.parametrize("now", [START + 1, START + DAY - 1, START + 59 * DAY, START + 300 * DAY + 36_000])
def test_the_number_of_orders_up_to_now_is_exact(total, now, even):
    arrivals = Arrivals.with_total(key_of("exact", total), START, total, now, even=even)
    assert arrivals.count_before(now + 1) == total


@pytest.mark.parametrize("even", [False, True])
def test_numbers_follow_creation_and_counting_agrees(even):
    arrivals = Arrivals(key_of("order"), START, 500.0, even=even)
    created = [arrivals.created(number) for number in range(5000)]
    assert created == sorted(created)
    for moment in (START, START + 1, START + DAY, START + 3 * DAY, created[777], created[777] + 1):
        assert arrivals.count_before(moment) == sum(time < moment for time in created)


def test_midnight_and_the_hours_of_sales_are_crowded():
    arrivals = Arrivals(key_of("rush"), START, 2000.0)
    for second in (0, 10 * 3600, 20 * 3600, DAY - 1):
        moment = START + 7 * DAY + second
        assert arrivals.count_before(moment + 1) - arrivals.count_before(moment) >= 3


def test_an_even_rate_knows_no_hours():
    arrivals = Arrivals(key_of("even"), START, 2400.0, even=True)
    hours = [arrivals.count_before(START + hour * 3600) for hour in range(24 * 14 + 1)]
    made = [after - before for before, after in pairwise(hours)]
    assert min(made) >= 98
    assert max(made) <= 102


def test_a_shop_without_orders_has_none():
    assert Arrivals(key_of("empty"), START, 0.0).count_before(START + 90 * DAY) == 0

"""States of orders over time (no HTTP here: it is arithmetic)."""

from __future__ import annotations

import pytest

from emulator.orders.arrivals import Arrivals
from emulator.orders.generator import OrderGenerator
from emulator.orders.lifecycle import snapshot_at
from emulator.seeded import key_of

START = 1735660800  # 2025-01-01 00:00:00 in Beijing


@pytest.fixture(scope="module")
def refunded():
    """Return the orders that have a refund."""
    key = key_of("lifecycle")
    orders = OrderGenerator(key, Arrivals(key, START, 500.0), 0.0)
    return [order for order in map(orders.order, range(8000)) if order.lifecycle.refund]


def paths(orders, read):
    """Return the sequences of what ``read`` gives from before a refund is requested until it is decided."""
    found = set()
    for order in orders:
        refund = order.lifecycle.refund
        wait = refund.done_at - refund.asked_at
        moments = [refund.asked_at - 1, *(refund.asked_at + wait * step // 40 for step in range(41))]
        values = [read(snapshot_at(order.lifecycle, moment)) for moment in moments]
        found.add(tuple(value for value, before in zip(values, [None, *values], strict=False) if value != before))
    return found


def test_the_state_of_after_sales_moves_as_the_refund_does(refunded):
    found = paths(refunded, lambda snapshot: snapshot.after_sales_state)
    assert found == {
        *((0, 1, 5, 2), (0, 1, 6, 7, 5, 2), (0, 5, 2)),
        *((0, 1, 3), (0, 1, 8), (0, 1, 4), (0, 1, 6, 7, 1, 3), (0, 1, 6, 7, 1, 8), (0, 1, 6, 7, 1, 4)),
    }


def test_the_sales_state_tells_a_part_from_the_whole(refunded):
    assert paths(refunded, lambda snapshot: snapshot.sales_state) == {(-1,), (-1, 1), (-1, 2)}
    for order in refunded:
        last = snapshot_at(order.lifecycle, order.lifecycle.refund.done_at)
        assert (last.sales_state == 2) == (last.order_state in (3, 10))
        assert (last.sales_state == 1) == (last.order_state == 11 and last.refund_time is not None)


def test_a_partial_refund_shows_as_started_at_once_or_when_it_is_done(refunded):
    found = paths(refunded, lambda snapshot: (snapshot.order_state, snapshot.refund_money is not None))
    ends = {path[1:] for path in found if path[-1][0] == 11}
    assert ends == {
        *(((11, False), (11, True)), ((8, False), (11, True))),
        *(((11, False),), ((8, False), (11, False))),
    }

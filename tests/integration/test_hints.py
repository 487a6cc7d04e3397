"""The queue of hints, and the way from a hint to the order's row."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from support.worlds.shop import APP_ID, Database
from xiaoe.clock import BEIJING
from xiaoe.hints import queue
from xiaoe.mysql.warehouse import Warehouse

pytestmark = pytest.mark.mysql

CHANGED = datetime(2026, 11, 20, 11, 59, 58, tzinfo=BEIJING)
TOLD = datetime(2026, 11, 20, 4, 0, 0, 123000, tzinfo=timezone.utc)


def test_a_hint_waits_once_its_transaction_commits(database: Database) -> None:
    warehouse = Warehouse()
    with warehouse.session() as session, warehouse.session() as other:
        queue.add(session, APP_ID, "o_1", "push", CHANGED, TOLD)
        queue.add(session, APP_ID, "o_2", "push", None, TOLD)
        queue.add(session, "another shop", "o_1", "push", None, TOLD)
        assert queue.waiting(other, APP_ID, 10) == []
        other.rollback()
        session.commit()
        one, two = queue.waiting(other, APP_ID, 10)
        assert queue.waiting(other, APP_ID, 1) == [one]
    assert (one.order_id, one.source, one.changed_at, one.told_at) == ("o_1", "push", CHANGED, TOLD)
    assert (two.order_id, two.changed_at) == ("o_2", None)
    assert one.id < two.id

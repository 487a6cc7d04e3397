"""A reader that polls while everything runs: no hole, no order without its items, no decision against its order."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator
from support.faults.chaos import by_level, tell
from support.faults.processes import Child, KillSwitch, children, killed_everywhere
from support.fixtures import servers
from support.oracles import benefits
from support.worlds.runs import TaskRunner
from support.worlds.shop import APP_ID, END, Database, days, differences
from xiaoe.benefits import decide
from xiaoe.marts.refresh import Refresher
from xiaoe.merge import merger
from xiaoe.mysql.templates import render
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.windows import Window

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.chaos,
    pytest.mark.parametrize("migrated", servers()[: by_level(1, 1, 2)], indirect=True),
]

CONTRADICTS = render("checks/decisions_contradict.sql", recent_decisions=f"d.shop_id = '{APP_ID}'")
SAME_LINE = "o.title <=> i.title AND o.price <=> i.amount AND o.resource_id <=> i.resource_id"
LOOKS = {
    "an order without its line": f"""
        SELECT COUNT(*) FROM orders o LEFT JOIN order_items i USING (shop_id, order_id)
        WHERE i.order_id IS NULL OR NOT ({SAME_LINE})""",
    "a line without its order": """
        SELECT COUNT(*) FROM order_items i LEFT JOIN orders o USING (shop_id, order_id) WHERE o.order_id IS NULL""",
    "an order that nobody will decide on": """
        SELECT COUNT(*) FROM orders o LEFT JOIN benefit_decisions d USING (shop_id, order_id)
        LEFT JOIN benefit_queue q USING (shop_id, order_id) WHERE d.order_id IS NULL AND q.order_id IS NULL""",
    "a decision without its order": """
        SELECT COUNT(*) FROM benefit_decisions d LEFT JOIN orders o USING (shop_id, order_id)
        WHERE o.order_id IS NULL""",
    "a decision against its order": f"SELECT COUNT(*) FROM ({CONTRADICTS}) AS found",
    "a decision that its log does not end in": """
        SELECT COUNT(*) FROM benefit_decisions d WHERE NOT EXISTS (
            SELECT 1 FROM benefit_decision_log l WHERE l.shop_id = d.shop_id AND l.order_id = d.order_id
            AND l.new_decision = d.decision)""",
    "an order that went back in time": """
        SELECT COUNT(*) FROM order_state_log l INNER JOIN orders o USING (shop_id, order_id)
        WHERE l.observed_at > o.observed_at""",
    "an order of a user or product that is not there": """
        SELECT COUNT(*) FROM orders o LEFT JOIN users u USING (shop_id, user_id)
        LEFT JOIN products p USING (shop_id, resource_id)
        WHERE (o.user_id > '' AND u.user_id IS NULL) OR (o.resource_id > '' AND p.resource_id IS NULL)""",
}
"""What must never be seen → a statement that counts it."""
WATERMARK = "SELECT watermark FROM sync_status WHERE resource = 'orders' AND mode = 'incremental'"


@contextmanager
def reading(database: Database) -> Iterator[Counter[str]]:
    """Ask everything again and again from another thread, each in one statement; what was seen that must not be."""
    seen: Counter[str] = Counter()
    enough = threading.Event()

    def look() -> None:
        connection = database.connect()
        try:
            with connection.cursor() as cursor:
                watermark: Any = None
                while True:
                    last = enough.is_set()
                    for name, statement in LOOKS.items():
                        cursor.execute(statement)
                        [row] = cursor.fetchall()
                        seen[name] += int(next(iter(row.values())))
                    cursor.execute(WATERMARK)
                    found = [row["watermark"] for row in cursor.fetchall()]
                    seen["a watermark that went back"] += bool(watermark and found and found[0] < watermark)
                    watermark = found[0] if found else watermark
                    seen["looks"] += 1
                    if last:
                        return
        finally:
            connection.close()

    reader = threading.Thread(target=look)
    reader.start()
    try:
        yield seen
    finally:
        enough.set()
        reader.join()


def test_a_reader_sees_nothing_that_is_not_so(
    database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Merges, decisions and marts at once, some killed in the middle, while the shop's time goes on."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 100)
    monkeypatch.setattr(decide, "CHUNK_ORDERS", 100)
    runs = TaskRunner(api, monkeypatch, tmp_path / "pages")
    runs.at(END - days(20))
    turns = by_level(1, 5, 60)

    def sync(resource: str, mode: str) -> None:
        about = runs.context(f"{resource}-{mode}")
        runs.merge(resource, mode, runs.stage(resource, mode, about), about)

    with reading(database) as seen:
        runs.sync("orders", "history", kind="manual", **{"from": f"{END - days(30):%Y-%m-%d}"})
        for turn in range(turns):
            runs.at(runs.now + timedelta(hours=24 * 18 / turns))
            works = [
                partial(sync, "orders", "rescan"),
                partial(sync, "orders", "incremental"),
                partial(sync, "refunds", "incremental"),
                partial(sync, "users", "whole"),
                partial(benefits.decide, runs.now),
                Refresher(Warehouse(), APP_ID, now=runs.now).refresh,
            ]
            with children(*works):
                pass
            doomed = partial(sync, "orders", "rescan") if turn % 2 else partial(benefits.decide, runs.now)
            for _ in killed_everywhere(doomed, KillSwitch.at_each_statement, [7 + 5 * turn % 40]):
                pass
            benefits.decide(runs.now)
    looks = seen.pop("looks")
    assert +seen == Counter()
    assert looks > turns
    Child(partial(sync, "orders", "rescan")).join()
    assert differences(database, api, Window(runs.now - days(14.9), runs.now - timedelta(minutes=2))) == []
    tell("readers", looks=looks * (len(LOOKS) + 1), turns=turns)


def test_the_looks_find_what_is_wrong(database: Database, api: Emulator, sync: Any) -> None:
    """Or the test above could not fail."""
    sync.run(Window(END - days(30), END))
    benefits.decide(END)
    database.rows("DELETE FROM order_items LIMIT 1")
    database.rows("UPDATE order_items SET title = 'another' LIMIT 1")
    database.rows("DELETE FROM benefit_decisions WHERE decision = 'pending' LIMIT 1")
    database.rows("UPDATE benefit_decisions SET decision = 'revoke' WHERE decision = 'pending' LIMIT 1")
    database.rows(
        "UPDATE orders SET order_state = 3, refund_time = created_time WHERE order_id IN"
        " (SELECT order_id FROM benefit_decisions WHERE decision = 'grant') LIMIT 1"
    )
    database.rows(
        "INSERT INTO order_state_log (shop_id, order_id, field, observed_at, batch_id)"
        " SELECT shop_id, order_id, 'order_state', '2100-01-01', '' FROM orders LIMIT 1"
    )
    database.rows("DELETE FROM users LIMIT 1")
    with reading(database) as seen:
        pass
    found = +seen
    for name in (
        "an order without its line", "an order that nobody will decide on", "a decision against its order",
        "a decision that its log does not end in", "an order that went back in time",
        "an order of a user or product that is not there",
    ):  # fmt: skip
        assert found[name] > 0, name

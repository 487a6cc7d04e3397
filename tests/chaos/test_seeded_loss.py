"""Losses sown by chance into what the API lists: each is repaired, or the run fails by name. None ends green.

A seed says which pages of which readings lose rows, bring some twice, come again, are cut short, are empty, swap rows
with the next page, and what total they tell. Only one thing is left out, because nobody could tell: an API that
hides a row it never showed, and counts without it on every page.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from emulator.process import Emulator
from support.faults.chaos import by_level, tell
from support.fixtures import Connect, servers
from support.worlds.conformance import Item, ListServer, ResourceUnderTest, Response, under_test
from support.worlds.shop import END, Database, Sync, days, differences, unbalanced
from xiaoe.exceptions import XiaoeIncompleteError, XiaoeReconciliationError
from xiaoe.resources.base import Resource
from xiaoe.resources.registry import RESOURCES
from xiaoe.windows import Window

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.chaos,
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

ROWS, SIZE = 17, 3
FOR_EVER = 99
KINDS = ("drop", "twice", "repeat", "truncate", "empty", "swap", "shift")


@dataclass(frozen=True)
class Sown:
    """One fault.

    Args:
        kind: One of `KINDS`, or `total`.
        page: Where; of a total: from there on.
        amount: How many rows; how many too many or too few.
        until: The last reading that meets it.
    """

    kind: str
    page: int
    amount: int
    until: int


def sow(chance: random.Random) -> list[Sown]:
    """One to three faults; a total that is too low comes alone, or rows could be hidden without a trace."""
    until = chance.choice([1, 1, 2, 4, FOR_EVER])
    if chance.random() < 0.15:
        return [Sown("total", 1, -chance.randint(1, ROWS), until)]
    faults = [
        Sown(chance.choice(KINDS), chance.randint(1, 6), chance.randint(1, SIZE), until)
        for _ in range(chance.randint(1, 3))
    ]
    if chance.random() < 0.3:
        faults.append(Sown("total", chance.randint(1, 6), chance.randint(1, 5), until))
    return faults


def spoil(faults: list[Sown]) -> Any:
    """All of these faults in one."""

    def spoiling(to: ListServer, response: Response) -> dict[str, Any] | None:
        rows, total = list(response.rows), response.total
        for fault in faults:
            if response.reading > fault.until:
                continue
            if fault.kind == "total" and response.page >= fault.page:
                total = max(0, total + fault.amount)
            elif response.page == fault.page:
                rows = spoilt(fault, to, response, rows)
        return {"rows": rows, "total": total}

    return spoiling


def spoilt(fault: Sown, to: ListServer, response: Response, rows: list[bytes]) -> list[bytes]:
    if fault.kind == "drop":
        return rows[fault.amount :]
    if fault.kind == "truncate":
        return rows[: -fault.amount]
    if fault.kind == "twice":
        return [*rows, *rows[: fault.amount]]
    if fault.kind == "empty":
        return []
    if fault.kind == "repeat":
        return to.cut(max(0, response.place - SIZE))
    if fault.kind == "shift":  # the rows before it are gone meanwhile: some slip onto the page that was read already
        return to.cut(response.place + fault.amount)
    first, other = response.place, response.place + SIZE  # swap: what follows stands here, and here again
    return [*to.cut(other)[:1], *to.cut(first)[1:]]


@pytest.fixture
def shop(database: Database, resource: Resource) -> Iterator[ResourceUnderTest]:
    with under_test(database, resource, "apptest1", SIZE) as shop:
        yield shop


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)
def test_no_seeded_loss_ends_green(shop: ResourceUnderTest) -> None:
    """On a first load, or where the warehouse holds an older version of some; afterwards the API tells the truth."""
    ends: Counter[str] = Counter()
    for seed in range(by_level(6, 40, 400)):
        chance = random.Random(f"{shop.resource.name}-{seed}")
        faults = sow(chance)
        shop.database.empty("api_tokens")
        shop.server.set()
        if chance.random() < 0.5:
            shop.server.items = [Item(number) for number in range(chance.randint(1, ROWS))]
            shop.run()
        before = shop.database.snapshot()
        shop.server.items = [Item(number, version=1) for number in range(ROWS)]
        shop.server.set(spoil(faults))
        said = ""
        try:
            shop.run()
        except (XiaoeIncompleteError, XiaoeReconciliationError) as error:
            said = str(error)
        if said:
            ends["failed by name"] += 1
            assert shop.resource.name in said
            assert shop.database.snapshot() == before, (seed, faults)
        else:
            passes = shop.ledger()["passes"]
            ends["read again" if passes > 1 else "complete at once"] += 1
            assert shop.wrong() == [], (seed, faults)
        shop.server.set()
        shop.run()
        assert shop.wrong() == [], (seed, faults)
        assert unbalanced(shop.database) == []
    tell("seeded loss", resource=shop.resource.name, **ends)


EMULATED = (
    "duplicate_row", "slipped_row", "moving_total", "short_page", "empty_last_page", "repeated_page", "lost_rows",
    "lying_total",
)  # fmt: skip


def test_no_loss_sown_into_the_emulator_ends_green(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    """Up to three faults at once, over two slices, while calls fail as well."""
    connect(api, page_size=25)
    window = Window(END - days(9), END)
    ends: Counter[str] = Counter()
    for seed in range(by_level(3, 15, 120)):
        chance = random.Random(seed)
        database.empty("api_tokens")
        api.set_faults()
        if chance.random() < 0.5:
            sync.run(window, run_id=f"first-{seed}")
        before = database.snapshot()
        faults = [
            {
                "kind": chance.choice(EMULATED),
                "times": chance.choice([1, 1, 2, 3, None]),
                "page_index": chance.randint(2, 8),
                "amount": chance.randint(1, 9),
            }
            for _ in range(chance.randint(1, 3))
        ]
        api.set_faults(next=faults, rate=chance.choice([0, 0, 0.05]), kinds=["http_500", "cut", "code_1001"])
        try:
            sync.run(window, run_id=f"spoilt-{seed}", mode="rescan", moves=True)
        except (XiaoeIncompleteError, XiaoeReconciliationError):
            ends["failed by name"] += 1
            assert database.snapshot() == before, (seed, faults)
        else:
            ends["repaired"] += 1
            assert differences(database, api, window) == [], (seed, faults)
        api.set_faults()
        sync.run(window, run_id=f"again-{seed}", mode="rescan", moves=True)
        assert differences(database, api, window) == [], (seed, faults)
        assert unbalanced(database) == []
    tell("seeded loss", resource="orders, emulated", **ends)

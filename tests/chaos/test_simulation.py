"""Days of an installation from a seed: at the end of each the warehouse equals the shop, whatever happened."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from support.faults.chaos import by_level, more_than_a_sample, tell
from support.fixtures import servers
from support.worlds.shop import Database
from support.worlds.simulation import Installation

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]
SHORT_DAYS = 2


def seeds() -> list[int]:
    """Those that SEEDS names, e.g. `7` or `100-199`; else as many as the level has."""
    first, _, last = os.environ.get("SEEDS", "").partition("-")
    return [*range(int(first), int(last or first) + 1)] if first else [*range(by_level(2, 20, 1000))]


def lived(
    seed: int, days: int, database: Database, monkeypatch: pytest.MonkeyPatch, store: Path, *, is_calm: bool = False
) -> Installation:
    """An installation after some days, each of which ended well; else the seed is printed."""
    with monkeypatch.context() as patch:
        world = Installation(seed, database, patch, store / f"pages-{seed}", is_calm=is_calm)
        try:
            world.begin()
            for _ in range(days):
                world.live_a_day()
                assert list(world.wrong()) == []
        except BaseException:
            print(f"seed {seed} failed on {world.now:%Y-%m-%d %H:%M:%S}; again: SEEDS={seed} make chaos PARTS=tests")
            raise
        finally:
            world.connections.end()
    return world


@pytest.mark.parametrize("seed", seeds())
def test_a_short_seed(seed: int, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = lived(seed, SHORT_DAYS, database, monkeypatch, tmp_path)
    assert world.counts["runs"] > 100
    tell("a seed", seed=seed, days=SHORT_DAYS, **world.counts)


def test_a_seed_does_the_same_each_time(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = []
    for number in range(2):
        database.empty()
        world = lived(11, 1, database, monkeypatch, tmp_path / str(number))
        found.append((world.counts, world.sent, database.snapshot("policy_id")))
    assert found[0][0] == found[1][0]
    assert found[0][1] == found[1][1]
    for table, rows in found[0][2].items():
        assert rows == found[1][2][table], table


@more_than_a_sample
def test_a_long_seed(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seed, days = 1, by_level(0, 7, 365)
    begun, worked = time.monotonic(), time.process_time()
    world = lived(seed, days, database, monkeypatch, tmp_path, is_calm=True)
    took = {"seconds": round(time.monotonic() - begun), "seconds_of_cpu": round(time.process_time() - worked)}
    tell("a long seed", seed=seed, days=days, **took, **world.counts)

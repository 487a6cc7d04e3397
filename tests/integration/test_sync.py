"""Whole windows, from the emulated API into real databases."""

from __future__ import annotations

import pytest
from emulator.running import Emulator

from support.shop import EVERYTHING, Database, Sync, differences

pytestmark = pytest.mark.mysql


def test_full_history_equals_the_truth(sync: Sync, database: Database, api: Emulator) -> None:
    counts = sync.run(EVERYTHING)
    assert counts["inserted"] == 3000
    assert differences(database, api) == []


def test_history_twice_writes_nothing_the_second_time(sync: Sync, database: Database, api: Emulator) -> None:
    sync.run(EVERYTHING)
    before = database.content()
    counts = sync.run(EVERYTHING)
    assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (0, 0, counts["staged"])
    assert database.content() == before

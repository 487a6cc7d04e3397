"""After-sales, users, products and live streams: from the emulated API into real databases, equal to the truth."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from emulator.running import Emulator
from support.shop import APP_ID, END, EVERYTHING, START, Database, Sync, unbalanced, unlike
from xiaoe.resources import LIVE_STREAMS, PRODUCTS, REFUNDS, RESOURCES, USERS, Resource
from xiaoe.windows import BEIJING, EVER, Window

pytestmark = pytest.mark.mysql

WHOLE = Window(EVER, END)
ALL_TIME = (0, 1 << 40)


def truth(api: Emulator, resource: Resource) -> list[dict[str, Any]]:
    return list(getattr(api, f"truth_{resource.table}")(APP_ID, *ALL_TIME))


def wrong(database: Database, api: Emulator, resource: Resource) -> list[str]:
    inferred = " AND is_inferred = 0" if resource.has_inferred else ""
    held = database.rows(f"SELECT * FROM {resource.table} WHERE absent_since IS NULL{inferred}")
    return unlike(held, truth(api, resource), resource.key)


@pytest.mark.parametrize("resource", [USERS, PRODUCTS, LIVE_STREAMS], ids=lambda resource: resource.name)
def test_a_whole_list_equals_the_truth(sync: Sync, database: Database, api: Emulator, resource: Resource) -> None:
    counts = sync.run(WHOLE, resource=resource, mode="whole", moves=True)
    assert counts["inserted"] > 0
    assert wrong(database, api, resource) == []
    assert unbalanced(database) == []


def test_all_after_sales_equal_the_truth(sync: Sync, database: Database, api: Emulator) -> None:
    sync.run(EVERYTHING, resource=REFUNDS)
    assert wrong(database, api, REFUNDS) == []
    assert unbalanced(database) == []

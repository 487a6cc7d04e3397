"""The dashboards fit the tables that they read. Without Superset."""

from __future__ import annotations

import pytest
from bi_assets import ASSETS, Assets

from support.worlds.shop import Database
from xiaoe.resources.orders import CODE_TEXTS

READ = Assets.read(ASSETS)

pytestmark = pytest.mark.mysql


def test_the_warehouse_has_every_column_and_takes_every_metric(database: Database) -> None:
    for _, statement in READ.probes():
        database.rows(statement)
    for page in READ.dashboards.values():
        for chart in page.charts():
            if chart.where:
                database.rows(f"SELECT 1 FROM {chart.dataset.table} WHERE {chart.where} LIMIT 0")


def test_the_filter_offers_every_state_that_has_a_text(database: Database) -> None:
    database.rows("INSERT INTO shops (shop_id, updated_at) VALUES ('s', UTC_TIMESTAMP(3))")
    offered = {row["order_state"] for row in database.rows("SELECT order_state FROM bi_order_states")}
    assert offered == set(CODE_TEXTS["order_state"].values())


def test_every_mart_is_shown_and_every_type_is_the_columns_own(database: Database) -> None:
    rows = database.rows(
        "SELECT table_name AS t, column_name AS c, data_type AS d FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name LIKE 'bi\\_%'"
    )
    types = {(row["t"], row["c"]): row["d"] for row in rows}
    assert {dataset.table for dataset in READ.datasets.values()} == {table for table, _ in types}
    for dataset in READ.datasets.values():
        for name, column in dataset.columns.items():
            if name == "shop_name" and dataset.sql:
                continue
            found = types[dataset.table, name]
            moment = found.upper() if found in {"date", "datetime"} else None
            assert moment == (column.type if column.type != "INT" else None), f"{dataset.name}.{name} is {found}"

"""Names of what tasks read and write, for OpenLineage."""

from __future__ import annotations

import pytest

from xiaoe.lineage import dataset
from xiaoe.tasks.assets import ASSETS, INTERFACES, MARTS, PAGES


@pytest.fixture(autouse=True)
def warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warehouse with a password, and another port than the asset's."""
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", "mysql://staff:top-secret@db.example.com:3307/shop")


def test_a_table_has_the_name_of_its_server_and_database() -> None:
    assert dataset(ASSETS["orders"].uri) == ("mysql://db.example.com:3307", "shop.orders")
    assert dataset(MARTS["bi_sales_daily"].uri) == ("mysql://db.example.com:3307", "shop.bi_sales_daily")


def test_an_interface_has_the_address_of_the_api() -> None:
    assert dataset(INTERFACES["orders"].uri) == ("https://api.xiaoe-tech.com", "xe.order.list.get/1.0.1")


@pytest.mark.parametrize(
    ("store", "named"),
    [
        ("file:///data/pages", ("file", "/data/pages/*/orders")),
        ("s3://bucket/pages", ("s3://bucket", "pages/*/orders")),
        ("s3://key:secret@bucket", ("s3://bucket", "*/orders")),
    ],
)
def test_pages_have_the_name_of_their_store(
    monkeypatch: pytest.MonkeyPatch, store: str, named: tuple[str, str]
) -> None:
    monkeypatch.setenv("XIAOE_PAGE_STORE", store)
    assert dataset(PAGES["orders"].uri) == named


def test_no_two_assets_share_a_name_or_an_address() -> None:
    everything = [*ASSETS.values(), *INTERFACES.values(), *PAGES.values(), *MARTS.values()]
    assert len({asset.name for asset in everything}) == len({asset.uri for asset in everything}) == len(everything)

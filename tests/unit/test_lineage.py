"""Lineage: the URIs of assets, and the real names that OpenLineage hears."""

from __future__ import annotations

import re

import pytest

from xiaoe import settings
from xiaoe.lineage import dataset
from xiaoe.tasks.assets import ASSETS, INTERFACES, MARTS, PAGES

WAREHOUSE = "mysql://user:secret-1@db.example:3307/shopdata"


@pytest.fixture
def places(clean_environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    clean_environment.setenv("AIRFLOW_CONN_XIAOE_MYSQL", WAREHOUSE)
    clean_environment.setenv("XIAOE_PAGE_STORE", "file:///data/pages")
    return clean_environment


def test_an_asset_is_the_same_wherever_a_dag_file_is_read(places: pytest.MonkeyPatch) -> None:
    """It may not depend on the environment: a worker with another asset than the scheduler's fails the task."""
    assert ASSETS["orders"].uri == "mysql://xiaoe_mysql:3306/xiaoe/orders"
    assert PAGES["orders"].uri == "x-xiaoe-pages://pages/orders"
    assert INTERFACES["orders"].uri.startswith("https://api.xiaoe-tech.com/xe.")


def test_openlineage_hears_the_real_server_and_folder_and_no_secret(places: pytest.MonkeyPatch) -> None:
    assert dataset(ASSETS["benefits"].uri) == ("mysql://db.example:3307", "shopdata.benefit_decisions")
    assert dataset(PAGES["orders"].uri) == ("file", "/data/pages/*/orders")
    namespace, name = dataset(INTERFACES["orders"].uri)
    assert (namespace, name.startswith("xe.")) == ("https://api.xiaoe-tech.com", True)


def test_pages_in_a_bucket_are_named_after_it(places: pytest.MonkeyPatch) -> None:
    for store, name in (("s3://lake/xiaoe/pages", "xiaoe/pages/*/orders"), ("s3://lake", "*/orders")):
        places.setenv("XIAOE_PAGE_STORE", store)
        assert dataset(PAGES["orders"].uri) == ("s3://lake", name)


def test_every_mart_that_a_refresh_fills_is_an_asset() -> None:
    folder = settings.INCLUDE_DIR / "sql" / "marts"
    filled = {
        name for file in folder.glob("*.sql") for name in re.findall(r"INSERT INTO (bi_\w+)", file.read_text("utf-8"))
    }
    assert filled == MARTS.keys()

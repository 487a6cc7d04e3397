"""Settings: the defaults, and messages that name the variable, its value and the fix."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from xiaoe import clock, settings
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError

Environment = pytest.MonkeyPatch


def test_defaults(clean_environment: Environment) -> None:
    clean_environment.setenv("AIRFLOW_HOME", "/opt/airflow")
    assert settings.conn_ids() == ["xiaoe_default"]
    assert settings.mysql_conn_id() == "xiaoe_mysql"
    assert settings.history_start() == datetime(2025, 1, 1, tzinfo=BEIJING)
    assert settings.page_store() == "file:///opt/airflow/xiaoe_pages"
    assert settings.overlap() == timedelta(hours=1)
    assert settings.lag() == timedelta(minutes=1)
    assert settings.rescan_days() == timedelta(days=15)
    assert settings.deep_rescan_days() == timedelta(days=90)
    assert settings.refund_overlap() == timedelta(days=3)
    assert settings.history_interval() == timedelta(days=7)


def test_the_page_store_lies_below_the_home_where_airflow_has_none(clean_environment: Environment) -> None:
    clean_environment.delenv("AIRFLOW_HOME")
    assert settings.page_store() == f"file://{Path.home()}/airflow/xiaoe_pages"


def test_the_environment_overrides(clean_environment: Environment) -> None:
    chosen = {
        "XIAOE_CONN_IDS": " xiaoe_default , xiaoe_second,",
        "XIAOE_MYSQL_CONN_ID": "warehouse",
        "XIAOE_HISTORY_START": "2024-06-01 12:00:00",
        "XIAOE_PAGE_STORE": "s3://bucket/pages",
        "XIAOE_OVERLAP_MINUTES": "0",
        "XIAOE_LAG_SECONDS": "0",
        "XIAOE_RESCAN_DAYS": "30",
        "XIAOE_DEEP_RESCAN_DAYS": "180",
        "XIAOE_REFUND_OVERLAP_DAYS": "1",
        "XIAOE_HISTORY_INTERVAL_DAYS": "28",
    }
    for name, value in chosen.items():
        clean_environment.setenv(name, value)
    assert settings.conn_ids() == ["xiaoe_default", "xiaoe_second"]
    assert settings.mysql_conn_id() == "warehouse"
    assert settings.history_start() == datetime(2024, 6, 1, 12, tzinfo=BEIJING)
    assert settings.page_store() == "s3://bucket/pages"
    assert settings.overlap() == settings.lag() == timedelta(0)
    assert settings.rescan_days() == timedelta(days=30)
    assert settings.deep_rescan_days() == timedelta(days=180)
    assert settings.refund_overlap() == timedelta(days=1)
    assert settings.history_interval() == timedelta(days=28)


@pytest.mark.parametrize("value", ["", " , ", "one,two,one"])
def test_shops_have_to_be_named_once(clean_environment: Environment, value: str) -> None:
    clean_environment.setenv("XIAOE_CONN_IDS", value)
    with pytest.raises(XiaoeConfigError, match="name each shop's Airflow connection once") as caught:
        settings.conn_ids()
    assert f"XIAOE_CONN_IDS={value!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "read", "least"),
    [
        ("XIAOE_OVERLAP_MINUTES", settings.overlap, 0),
        ("XIAOE_LAG_SECONDS", settings.lag, 0),
        ("XIAOE_RESCAN_DAYS", settings.rescan_days, 1),
        ("XIAOE_DEEP_RESCAN_DAYS", settings.deep_rescan_days, 1),
        ("XIAOE_REFUND_OVERLAP_DAYS", settings.refund_overlap, 1),
        ("XIAOE_HISTORY_INTERVAL_DAYS", settings.history_interval, 1),
        ("XIAOE_MIN_FREE_DISK_GB", settings.min_free_disk, 0),
        ("XIAOE_MAX_PAGE_STORE_GB", settings.max_page_store, 1),
        ("XIAOE_MAX_BINLOG_GB", settings.max_binlog, 1),
    ],
)
def test_a_number_out_of_range_is_named_with_its_value_and_the_fix(
    clean_environment: Environment, name: str, read: object, least: int
) -> None:
    assert callable(read)
    for value in ("many", "1.5", "", str(least - 1)):
        clean_environment.setenv(name, value)
        with pytest.raises(XiaoeConfigError, match=rf"^{name}='{value}': give a whole number, {least} or more"):
            read()


def test_a_wrong_history_start_is_named_with_its_value(clean_environment: Environment) -> None:
    clean_environment.setenv("XIAOE_HISTORY_START", "last year")
    with pytest.raises(XiaoeConfigError, match=r"^XIAOE_HISTORY_START='last year': give a date like"):
        settings.history_start()


def test_now_is_beijing_time() -> None:
    assert clock.now().utcoffset() == timedelta(hours=8)

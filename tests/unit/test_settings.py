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


@pytest.mark.parametrize("setting", settings.TABLE, ids=lambda one: one.name)
def test_every_default_may_be_given(clean_environment: Environment, setting: settings.Setting[object]) -> None:
    default = setting.default if isinstance(setting.default, str) else setting.default()
    usual = setting()
    clean_environment.setenv(setting.name, default)
    assert setting() == usual
    assert setting.meaning


@pytest.mark.parametrize(
    "setting", [one for one in settings.TABLE if one.kind.least is not None], ids=lambda one: one.name
)
def test_every_number_has_a_least(clean_environment: Environment, setting: settings.Setting[object]) -> None:
    least = setting.kind.least
    default = setting.default if isinstance(setting.default, str) else setting.default()
    assert least is not None
    clean_environment.setenv(setting.name, str(least))
    setting()
    clean_environment.setenv(setting.name, str(least - 1))
    with pytest.raises(XiaoeConfigError, match=rf"^{setting.name}='{least - 1}': give .* \(default {default}\)$"):
        setting()


def test_no_variable_has_two_rows() -> None:
    names = [one.name for one in settings.TABLE]
    assert len(set(names)) == len(names)


def test_the_backup_takes_the_warehouse_s_connection(clean_environment: Environment) -> None:
    clean_environment.setenv("XIAOE_MYSQL_CONN_ID", "warehouse")
    assert settings.backup_mysql_conn_id() == "warehouse"
    clean_environment.setenv("XIAOE_BACKUP_MYSQL_CONN_ID", " backups ")
    assert settings.backup_mysql_conn_id() == "backups"


@pytest.mark.parametrize("name", ["warehouse", "WAREHOUSE", "a b", "x" * 65])
def test_a_drill_needs_a_database_that_it_may_drop(clean_environment: Environment, name: str) -> None:
    assert settings.drill_database("warehouse") == "warehouse_drill"
    clean_environment.setenv("XIAOE_BACKUP_DRILL_DATABASE", name)
    with pytest.raises(XiaoeConfigError, match=f"^XIAOE_BACKUP_DRILL_DATABASE='{name}': give the name of a database"):
        settings.drill_database("warehouse")


def test_a_wrong_history_start_is_named_with_its_value(clean_environment: Environment) -> None:
    clean_environment.setenv("XIAOE_HISTORY_START", "last year")
    with pytest.raises(XiaoeConfigError, match=r"^XIAOE_HISTORY_START='last year': give a date like"):
        settings.history_start()


def test_now_is_beijing_time() -> None:
    assert clock.now().utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    ("length", "chinese", "english"),
    [
        (timedelta(seconds=-5), "0 分钟", "0 min"),
        (timedelta(seconds=59), "0 分钟", "0 min"),
        (timedelta(minutes=59, seconds=59), "59 分钟", "59 min"),
        (timedelta(hours=3), "3 小时 0 分", "3 h 0 min"),
        (timedelta(hours=26, minutes=59), "1 天 2 小时", "1 d 2 h"),
        (timedelta(days=90), "90 天 0 小时", "90 d 0 h"),
    ],
)
def test_a_length_of_time_in_words(length: timedelta, chinese: str, english: str) -> None:
    assert (clock.in_words(length), clock.in_words(length, "en")) == (chinese, english)

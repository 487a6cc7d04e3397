"""Settings read from the environment, with defaults. docs/configuration.md explains each one."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path

from xiaoe.clock import parse_time
from xiaoe.exceptions import XiaoeConfigError

_PACKAGE = Path(__file__).resolve().parent
_PACKED = _PACKAGE / "include"  # in a wheel; a checkout has include/ at its top
INCLUDE_DIR = Path(
    os.environ.get("XIAOE_INCLUDE_DIR", _PACKED if _PACKED.exists() else _PACKAGE.parents[1] / "include")
)
_MAIL_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")


def conn_ids() -> list[str]:
    """The Airflow connections of the shops, one each (`XIAOE_CONN_IDS`, comma separated).

    Raises:
        XiaoeConfigError: A name stands twice, or there is none.
    """
    names = [name.strip() for name in os.environ.get("XIAOE_CONN_IDS", "xiaoe_default").split(",")]
    names = [name for name in names if name]
    if not names or len(set(names)) != len(names):
        raise XiaoeConfigError(
            f"XIAOE_CONN_IDS={os.environ.get('XIAOE_CONN_IDS')!r}: "
            "name each shop's Airflow connection once, separated by commas, e.g. xiaoe_default,xiaoe_second"
        )
    return names


def mysql_conn_id() -> str:
    """The Airflow connection of the warehouse (`XIAOE_MYSQL_CONN_ID`)."""
    return os.environ.get("XIAOE_MYSQL_CONN_ID", "xiaoe_mysql")


def history_start() -> datetime:
    """First moment of the history to load (`XIAOE_HISTORY_START`), Beijing time."""
    return parse_time("XIAOE_HISTORY_START", os.environ.get("XIAOE_HISTORY_START", "2025-01-01"))


def history_interval() -> timedelta:
    """How much of the history one run of the history DAG reads (`XIAOE_HISTORY_INTERVAL_DAYS`)."""
    return timedelta(days=_whole_number("XIAOE_HISTORY_INTERVAL_DAYS", 7, least=1))


def page_store() -> str:
    """URL of the folder or bucket for raw pages (`XIAOE_PAGE_STORE`)."""
    airflow_home = os.environ.get("AIRFLOW_HOME", str(Path.home() / "airflow"))
    return os.environ.get("XIAOE_PAGE_STORE", f"file://{airflow_home}/xiaoe_pages")


def export_dir() -> str:
    """URL of the folder or bucket for the files that staff get (`XIAOE_EXPORT_DIR`)."""
    airflow_home = os.environ.get("AIRFLOW_HOME", str(Path.home() / "airflow"))
    return os.environ.get("XIAOE_EXPORT_DIR", f"file://{airflow_home}/xiaoe_exports")


def benefit_mail_to() -> list[str]:
    """Who gets mail about benefits (`XIAOE_BENEFIT_MAIL_TO`, comma separated); nobody by default.

    Raises:
        XiaoeConfigError: An entry is no mail address.
    """
    return _mail_addresses("XIAOE_BENEFIT_MAIL_TO")


def alert_mail_to() -> list[str]:
    """Who hears of failures and late runs by mail (`XIAOE_ALERT_MAIL_TO`, comma separated); nobody by default.

    Raises:
        XiaoeConfigError: An entry is no mail address.
    """
    return _mail_addresses("XIAOE_ALERT_MAIL_TO")


def alerts_on() -> bool:
    """Whether failures and late runs are noted and told (`XIAOE_ALERTS`)."""
    value = os.environ.get("XIAOE_ALERTS", "on")
    if value not in ("on", "off"):
        raise XiaoeConfigError(f"XIAOE_ALERTS={value!r}: give on or off (default on)")
    return value == "on"


def count_imported() -> bool:
    """Whether imported orders count in figures of sales and buyers (`XIAOE_COUNT_IMPORTED`)."""
    value = os.environ.get("XIAOE_COUNT_IMPORTED", "off")
    if value not in ("on", "off"):
        raise XiaoeConfigError(f"XIAOE_COUNT_IMPORTED={value!r}: give on or off (default off)")
    return value == "on"


def chat_conn_id() -> str | None:
    """The Airflow connection of type `apprise` for DingTalk, WeCom, Feishu (`XIAOE_CHAT_CONN_ID`); None: no chat."""
    return os.environ.get("XIAOE_CHAT_CONN_ID", "").strip() or None


def benefit_wait() -> timedelta:
    """How long an order may wait to be seen after its deadline before staff hear of it (`XIAOE_BENEFIT_WAIT_HOURS`)."""
    return timedelta(hours=_whole_number("XIAOE_BENEFIT_WAIT_HOURS", 2, least=1))


def quality_sample_days() -> int:
    """How many past days each quality run asks the API for again (`XIAOE_QUALITY_SAMPLE_DAYS`)."""
    return _whole_number("XIAOE_QUALITY_SAMPLE_DAYS", 2, least=1)


def overlap() -> timedelta:
    """How far an incremental run reaches back behind the watermark (`XIAOE_OVERLAP_MINUTES`)."""
    return timedelta(minutes=_whole_number("XIAOE_OVERLAP_MINUTES", 60, least=0))


def lag() -> timedelta:
    """How long before now a window ends, so that it lies in the past (`XIAOE_LAG_SECONDS`)."""
    return timedelta(seconds=_whole_number("XIAOE_LAG_SECONDS", 60, least=0))


def rescan_days() -> timedelta:
    """How far the rescan looks back (`XIAOE_RESCAN_DAYS`)."""
    return timedelta(days=_whole_number("XIAOE_RESCAN_DAYS", 15, least=1))


def deep_rescan_days() -> timedelta:
    """How far the daily rescan looks back (`XIAOE_DEEP_RESCAN_DAYS`)."""
    return timedelta(days=_whole_number("XIAOE_DEEP_RESCAN_DAYS", 90, least=1))


def refund_overlap() -> timedelta:
    """How far after-sales are read behind their watermark (`XIAOE_REFUND_OVERLAP_DAYS`)."""
    return timedelta(days=_whole_number("XIAOE_REFUND_OVERLAP_DAYS", 3, least=1))


def min_free_disk() -> int:
    """Bytes that have to be free on the page store's disk (`XIAOE_MIN_FREE_DISK_GB`)."""
    return _whole_number("XIAOE_MIN_FREE_DISK_GB", 5, least=0) * 10**9


def max_page_store() -> int:
    """Bytes of pages above which the monitoring page warns (`XIAOE_MAX_PAGE_STORE_GB`)."""
    return _whole_number("XIAOE_MAX_PAGE_STORE_GB", 50, least=1) * 10**9


def max_binlog() -> int:
    """Bytes of MySQL's binary logs above which the monitoring page warns (`XIAOE_MAX_BINLOG_GB`)."""
    return _whole_number("XIAOE_MAX_BINLOG_GB", 20, least=1) * 10**9


def personal_data() -> str:
    """How columns about people are stored (`XIAOE_PERSONAL_DATA`); `xiaoe.personal` reads it. Empty: all plain."""
    return os.environ.get("XIAOE_PERSONAL_DATA", "").strip()


def personal_data_key_conn_id() -> str | None:
    """The Airflow connection whose password is the key of hashed columns (`XIAOE_PERSONAL_DATA_KEY_CONN_ID`)."""
    return os.environ.get("XIAOE_PERSONAL_DATA_KEY_CONN_ID", "").strip() or None


def max_clock_skew() -> timedelta:
    """How far this machine's clock may be from MySQL's and the API's (`XIAOE_MAX_CLOCK_SKEW_SECONDS`)."""
    return timedelta(seconds=_whole_number("XIAOE_MAX_CLOCK_SKEW_SECONDS", 300, least=1))


def max_page_bytes() -> int:
    """Bytes that one page may expand to, from the API as from the page store (`XIAOE_MAX_PAGE_MB`)."""
    return _whole_number("XIAOE_MAX_PAGE_MB", 64, least=1) * 1024 * 1024


def backup_store() -> str:
    """URL of the folder or bucket for backups (`XIAOE_BACKUP_STORE`)."""
    airflow_home = os.environ.get("AIRFLOW_HOME", str(Path.home() / "airflow"))
    return os.environ.get("XIAOE_BACKUP_STORE", f"file://{airflow_home}/xiaoe_backups")


def backup_keep_days() -> int:
    """How many daily backups are kept (`XIAOE_BACKUP_KEEP_DAYS`)."""
    return _whole_number("XIAOE_BACKUP_KEEP_DAYS", 14, least=1)


def backup_keep_months() -> int:
    """How many monthly backups are kept beside them (`XIAOE_BACKUP_KEEP_MONTHS`)."""
    return _whole_number("XIAOE_BACKUP_KEEP_MONTHS", 6, least=0)


def backup_key_conn_id() -> str | None:
    """The Airflow connection whose password encrypts backups (`XIAOE_BACKUP_KEY_CONN_ID`); None: they are not."""
    return os.environ.get("XIAOE_BACKUP_KEY_CONN_ID", "").strip() or None


def backup_mysql_conn_id() -> str:
    """The Airflow connection that backups and drills use (`XIAOE_BACKUP_MYSQL_CONN_ID`), by default the warehouse's."""
    return os.environ.get("XIAOE_BACKUP_MYSQL_CONN_ID", "").strip() or mysql_conn_id()


def drill_database(database: str) -> str:
    """The scratch database of the restore drill (`XIAOE_BACKUP_DRILL_DATABASE`), by default the warehouse's `_drill`.

    Raises:
        XiaoeConfigError: It is no name, or the warehouse's own.
    """
    name = os.environ.get("XIAOE_BACKUP_DRILL_DATABASE", "").strip() or f"{database}_drill"
    if not re.fullmatch(r"[A-Za-z0-9_$-]{1,64}", name) or name.lower() == database.lower():
        raise XiaoeConfigError(
            f"XIAOE_BACKUP_DRILL_DATABASE={name!r}: give the name of a database that holds nothing else: it is dropped"
        )
    return name


def keep(name: str, default: int) -> timedelta:
    """How long something is kept (`XIAOE_…_KEEP_DAYS`).

    Args:
        name: Of the variable.
        default: Days.
    """
    return timedelta(days=_whole_number(name, default, least=1))


def _mail_addresses(name: str) -> list[str]:
    text = os.environ.get(name, "")
    addresses = [address.strip() for address in text.split(",")]
    addresses = list(dict.fromkeys(address for address in addresses if address))
    for address in addresses:
        if not _MAIL_ADDRESS.fullmatch(address):
            raise XiaoeConfigError(
                f"{name}={text!r}: {address!r} is no mail address:"
                " give addresses separated by commas, e.g. ops@example.com,fuli@example.com; empty sends no mail"
            )
    return addresses


def _whole_number(name: str, default: int, *, least: int) -> int:
    value = os.environ.get(name, str(default))
    try:
        number = int(value)
    except ValueError:
        number = least - 1
    if number < least:
        raise XiaoeConfigError(f"{name}={value!r}: give a whole number, {least} or more (default {default})")
    return number

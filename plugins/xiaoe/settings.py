"""Settings read from the environment, with defaults. docs/configuration.md explains each one."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path

from xiaoe.exceptions import XiaoeConfigError
from xiaoe.windows import BEIJING, parse_time

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
    text = os.environ.get("XIAOE_BENEFIT_MAIL_TO", "")
    addresses = [address.strip() for address in text.split(",")]
    addresses = list(dict.fromkeys(address for address in addresses if address))
    for address in addresses:
        if not _MAIL_ADDRESS.fullmatch(address):
            raise XiaoeConfigError(
                f"XIAOE_BENEFIT_MAIL_TO={text!r}: {address!r} is no mail address:"
                " give addresses separated by commas, e.g. ops@example.com,fuli@example.com; empty sends no mail"
            )
    return addresses


def chat_conn_id() -> str | None:
    """The Airflow connection of type `apprise` for DingTalk, WeCom, Feishu (`XIAOE_CHAT_CONN_ID`); None: no chat."""
    return os.environ.get("XIAOE_CHAT_CONN_ID", "").strip() or None


def benefit_wait() -> timedelta:
    """How long an order may wait to be seen after its deadline before staff hear of it (`XIAOE_BENEFIT_WAIT_HOURS`)."""
    return timedelta(hours=_whole_number("XIAOE_BENEFIT_WAIT_HOURS", 2, least=1))


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


def now() -> datetime:
    """The present moment in Beijing time; the one clock of this package."""
    return datetime.now(BEIJING)


def _whole_number(name: str, default: int, *, least: int) -> int:
    value = os.environ.get(name, str(default))
    try:
        number = int(value)
    except ValueError:
        number = least - 1
    if number < least:
        raise XiaoeConfigError(f"{name}={value!r}: give a whole number, {least} or more (default {default})")
    return number

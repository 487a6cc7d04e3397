"""Settings read from the environment: one table, each read when it is called.

A row says what may be given, the default and the meaning; docs/configuration.md is generated from it (`make docs`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from xiaoe.clock import parse_time
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.vocabulary import LANGUAGES

Value = TypeVar("Value")
_PACKAGE = Path(__file__).resolve().parent
_PACKED = _PACKAGE / "include"  # in a wheel; a checkout has include/ at its top
HINT_SOURCES = ("list", "push")
_HOURS = (1, 2, 3, 4, 6, 8, 12, 24)
_MAIL_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")


@dataclass(frozen=True)
class Kind(Generic[Value]):
    """What may be given for a setting.

    Args:
        parse: Text → value. Raises ValueError with the fix, or XiaoeConfigError.
        least: The smallest number, where it is one.
    """

    parse: Callable[[str], Value]
    least: int | None = None


@dataclass(frozen=True)
class Setting(Generic[Value]):
    """A row of the table; call it to read it.

    Args:
        name: Of the environment variable.
        kind: What may be given.
        default: As it would stand in the environment; a function where it depends on the machine.
        meaning: For docs/configuration.md, Markdown.
        shown: The default for docs/configuration.md, Markdown; None: as it is.
    """

    name: str
    kind: Kind[Value]
    default: str | Callable[[], str]
    meaning: str
    shown: str | None = None

    def __call__(self) -> Value:
        """The value in the environment, else the default.

        Raises:
            XiaoeConfigError: It cannot be; names the variable, the value and the fix.
        """
        default = self.default if isinstance(self.default, str) else self.default()
        text = os.environ.get(self.name, default)
        try:
            return self.kind.parse(text)
        except ValueError as error:
            usual = f" (default {default})" if default else ""
            raise XiaoeConfigError(f"{self.name}={text!r}: {error}{usual}") from None


# --- kinds ---------------------------------------------------------------------------------------------


def _whole(least: int, unit: Callable[[int], Value]) -> Kind[Value]:
    """A whole number of a unit."""

    def parse(text: str) -> Value:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise ValueError(f"give a whole number, {least} or more")
        return unit(number)

    return Kind(parse, least)


def _days(least: int) -> Kind[timedelta]:
    return _whole(least, lambda number: timedelta(days=number))


def _bytes(least: int, unit: int) -> Kind[int]:
    return _whole(least, unit.__mul__)


def _port(number: int) -> int:
    if number > 65535:
        raise ValueError("give a port, 65535 at most")
    return number


def _parse_names(text: str) -> list[str]:
    names = [name for name in map(str.strip, text.split(",")) if name]
    if not names or len(set(names)) != len(names):
        raise ValueError(
            "name each shop's Airflow connection once, separated by commas, e.g. xiaoe_default,xiaoe_second"
        )
    return names


def _parse_switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("give on or off")
    return text == "on"


def _parse_addresses(text: str) -> list[str]:
    addresses = list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    for address in addresses:
        if not _MAIL_ADDRESS.fullmatch(address):
            raise ValueError(
                f"{address!r} is no mail address: give addresses separated by commas, e.g."
                " ops@example.com,fuli@example.com; empty sends no mail"
            )
    return addresses


def _parse_sources(text: str) -> list[str]:
    names = list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    if unknown := [name for name in names if name not in HINT_SOURCES]:
        raise ValueError(f"{unknown[0]!r} is no source of hints: give {' or '.join(HINT_SOURCES)}, or both; empty: off")
    return names


def _parse_percent(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = 0.0
    if not 50 <= percent < 100:
        raise ValueError("give a percentage from 50 to below 100")
    return percent


def _sooner(pushed: str, otherwise: str) -> str:
    """A default that depends on whether the shop pushes changes."""
    return pushed if "push" in hints() else otherwise


def _parse_hours_of_day(text: str) -> timedelta:
    if text not in map(str, _HOURS):
        raise ValueError(f"give one of {', '.join(map(str, _HOURS))}")
    return timedelta(hours=int(text))


def _parse_language(text: str) -> str:
    if text not in LANGUAGES:
        raise ValueError(f"give one of {', '.join(LANGUAGES)}")
    return text


def _parse_web_address(text: str) -> str:
    address = text.strip().rstrip("/")
    if address and not address.startswith(("http://", "https://")):
        raise ValueError("give an address that begins with https:// or http://; empty: no links")
    return address


_TEXT = Kind(str.strip)
_PLAIN = Kind(str)
_MAYBE_CONNECTION: Kind[str | None] = Kind(lambda text: text.strip() or None)
_ADDRESSES = Kind(_parse_addresses)


def _below_airflow_home(folder: str) -> str:
    home = os.environ.get("AIRFLOW_HOME", str(Path.home() / "airflow"))
    return f"file://{home}/{folder}"


def _folder(name: str, folder: str, meaning: str, *, locally: str = "") -> Setting[str]:
    """A folder or bucket, by default below Airflow's home."""
    shown = f"`file://$AIRFLOW_HOME/{folder}`{locally}"
    return Setting(name, _PLAIN, partial(_below_airflow_home, folder), meaning, shown)


# --- the table -----------------------------------------------------------------------------------------

conn_ids = Setting(
    "XIAOE_CONN_IDS", Kind(_parse_names), "xiaoe_default",
    "the shops' connections, separated by commas",
)  # fmt: skip
mysql_conn_id = Setting("XIAOE_MYSQL_CONN_ID", _PLAIN, "xiaoe_mysql", "the warehouse's connection")
page_store = _folder(
    "XIAOE_PAGE_STORE", "xiaoe_pages",
    "folder or [bucket](#buckets) for raw pages; one place that every worker sees",
    locally="; with `make sync`, `.local/pages`",
)  # fmt: skip
history_start: Setting[datetime] = Setting(
    "XIAOE_HISTORY_START", Kind(partial(parse_time, "XIAOE_HISTORY_START")), "2025-01-01",
    "first day of the history, Beijing; earlier orders only by a window given by hand, or a backfill",
)  # fmt: skip
overlap = Setting(
    "XIAOE_OVERLAP_MINUTES", _whole(0, lambda number: timedelta(minutes=number)), "60",
    "how far the incremental run reaches back before its watermark",
)  # fmt: skip
lag = Setting(
    "XIAOE_LAG_SECONDS", _whole(0, lambda number: timedelta(seconds=number)), "60",
    "how long before now a window ends, so that it no longer grows",
)  # fmt: skip
history_interval = Setting(
    "XIAOE_HISTORY_INTERVAL_DAYS", _days(1), "7",
    "days of history per run. Choose before switching the history DAG on: it moves the runs' dates",
)  # fmt: skip
rescan_days = Setting(
    "XIAOE_RESCAN_DAYS", _days(1), "15",
    "reach of the hourly rescan; older orders that an after-sale names are looked up by id. Checks and the calendar of"
    " the monitoring page follow; keep it above the [days of the benefit policy](benefits.md#change-the-rule)",
)  # fmt: skip
rescan_every = Setting(
    "XIAOE_RESCAN_HOURS", Kind(_parse_hours_of_day), "1",
    "hours between two rescans: 1, 2, 3, 4, 6, 8, 12 or 24 (at midnight); read [hints](operations.md#hints) before"
    " raising it",
)  # fmt: skip
deep_rescan_days = Setting("XIAOE_DEEP_RESCAN_DAYS", _days(1), "90", "reach of the nightly rescan")
refund_overlap = Setting(
    "XIAOE_REFUND_OVERLAP_DAYS", _days(1), "3",
    "how far after-sales are read before their watermark, and how long an old order is looked up after its after-sale"
    " changed",
)  # fmt: skip
hints = Setting(
    "XIAOE_HINTS", Kind(_parse_sources), "",
    "what tells that an order changed, separated by commas: `list` (the list of changed orders, every 5 minutes) and"
    " `push` (the shop's message push); empty: off ([hints](operations.md#hints))",
)  # fmt: skip
objective_percent = Setting(
    "XIAOE_OBJECTIVE_PERCENT", Kind(_parse_percent), "99.5",
    "[objectives](monitoring.md#objectives): percent of orders, and of refunds, that have to be in time over 30 days",
)  # fmt: skip
objective_order = Setting(
    "XIAOE_OBJECTIVE_ORDER_MINUTES", _whole(1, lambda number: timedelta(minutes=number)), lambda: _sooner("2", "40"),
    "minutes from an order to its row in MySQL", shown="`40` (with `push` `2`)",
)  # fmt: skip
objective_refund = Setting(
    "XIAOE_OBJECTIVE_REFUND_MINUTES", _whole(1, lambda number: timedelta(minutes=number)), lambda: _sooner("10", "120"),
    "minutes from a refund to the decision on the benefit", shown="`120` (with `push` `10`)",
)  # fmt: skip
max_clock_skew = Setting(
    "XIAOE_MAX_CLOCK_SKEW_SECONDS", _whole(1, lambda number: timedelta(seconds=number)), "300",
    "how far this machine's clock may be off MySQL's and the API's; beyond, tasks fail. Keep it below the overlap",
)  # fmt: skip
max_unreadable_percent = Setting(
    "XIAOE_MAX_UNREADABLE_PERCENT", _whole(0, int), "5",
    "rows of one run, in percent, in which the same field may be unreadable; beyond, the run fails",
)  # fmt: skip
max_refused_percent = Setting(
    "XIAOE_MAX_REFUSED_PERCENT", _whole(0, int), "1",
    "rows of one run, in percent, that may lack their key; beyond, the run fails",
)  # fmt: skip
unreadable_min_rows = Setting(
    "XIAOE_UNREADABLE_MIN_ROWS", _whole(1, int), "50", "rows of a run from which on these two percentages count"
)
list_cap = Setting(
    "XIAOE_LIST_CAP", _whole(100, int), "10000",
    "rows at which a list of the API may stop counting and paging; a window with nearly as many is read in halves."
    " Raise it only for a shop that is known to count further",
)  # fmt: skip
max_page_bytes = Setting("XIAOE_MAX_PAGE_MB", _bytes(1, 1024**2), "64", "largest answer or stored page, expanded")
export_dir = _folder("XIAOE_EXPORT_DIR", "xiaoe_exports", "folder or bucket for files for staff and `make export`")
benefit_mail_to = Setting(
    "XIAOE_BENEFIT_MAIL_TO", _ADDRESSES, "", "recipients of mail about benefits, separated by commas; empty: no mail"
)
benefit_wait = Setting(
    "XIAOE_BENEFIT_WAIT_HOURS", _whole(1, lambda number: timedelta(hours=number)), "2",
    "how long an order may stay unread after its deadline before staff are notified",
)  # fmt: skip
alert_mail_to = Setting(
    "XIAOE_ALERT_MAIL_TO", _ADDRESSES, "",
    "recipients of [alerts](operations.md#alerts), separated by commas; empty: no mail",
)  # fmt: skip
alerts_on = Setting(
    "XIAOE_ALERTS", Kind(_parse_switch), "on", "`off`: no alerts, not even in the table",
    "`on`; with `make sync`, `off`",
)  # fmt: skip
language = Setting(
    "XIAOE_LANGUAGE", Kind(_parse_language), "zh",
    "language of alerts, reports, notices, `make health`, and of what DAGs and tasks are called: `zh` or `en`",
)  # fmt: skip
docs_url = Setting(
    "XIAOE_DOCS_URL", Kind(_parse_web_address), "",
    "where staff can open these pages, e.g. `https://git.example.com/xiaoe/blob/main/docs`: alerts link to them; empty:"
    " no links",
)  # fmt: skip
count_imported = Setting(
    "XIAOE_COUNT_IMPORTED", Kind(_parse_switch), "off",
    "`on`: [imported orders](bi.md#definitions--口径) count in figures of sales and buyers. The next run of"
    " `xiaoe_marts` after a change computes all figures again",
)  # fmt: skip
chat_conn_id = Setting(
    "XIAOE_CHAT_CONN_ID", _MAYBE_CONNECTION, "", "connection of type `apprise` for chat messages; empty: no chat"
)
report_mail_to = Setting(
    "XIAOE_REPORT_MAIL_TO", _ADDRESSES, "",
    "recipients of the [morning report](bi.md#the-morning-report--早报), separated by commas; empty: no mail",
)  # fmt: skip
report_chat_conn_id = Setting(
    "XIAOE_REPORT_CHAT_CONN_ID", _MAYBE_CONNECTION, "",
    "connection of type `apprise` for the morning report; a separate setting, since takings are not for every group;"
    " empty: no chat",
)  # fmt: skip
today_link_days = Setting(
    "XIAOE_TODAY_LINK_DAYS", _days(1), "7",
    "how long a [link to the page 今日经营](monitoring.md#the-page-for-phones) opens it without a log-in",
)  # fmt: skip
quality_sample_days = Setting(
    "XIAOE_QUALITY_SAMPLE_DAYS", _whole(1, int), "2",
    "past days whose total each run of `xiaoe_quality` compares with the API ([checks](quality.md))",
)  # fmt: skip
min_free_disk = Setting(
    "XIAOE_MIN_FREE_DISK_GB", _bytes(0, 10**9), "5",
    "free GB (10⁹ bytes) below which a task of `xiaoe_quality` fails"
    " ([storage](monitoring.md#storage-and-its-thresholds))",
)  # fmt: skip
max_page_store = Setting(
    "XIAOE_MAX_PAGE_STORE_GB", _bytes(1, 10**9), "50", "GB of pages above which the monitoring page warns"
)
max_binlog = Setting("XIAOE_MAX_BINLOG_GB", _bytes(1, 10**9), "20", "GB of MySQL's binary logs above which it warns")
personal_data = Setting(
    "XIAOE_PERSONAL_DATA", _TEXT, "",
    "columns stored masked or hashed, e.g. `orders.receiver_phone=masked,users.*=hash`"
    " ([personal data](security.md#personal-data))",
)  # fmt: skip
personal_data_key_conn_id = Setting(
    "XIAOE_PERSONAL_DATA_KEY_CONN_ID", _MAYBE_CONNECTION, "", "connection whose password is the key of hashed columns"
)
backup_store = _folder(
    "XIAOE_BACKUP_STORE", "xiaoe_backups", "folder or bucket for [backups](backup.md); best on another machine",
    locally="; with `make`, `.local/backups`",
)  # fmt: skip
backup_keep_days = Setting("XIAOE_BACKUP_KEEP_DAYS", _whole(1, int), "14", "daily backups kept")
journal_every = Setting(
    "XIAOE_JOURNAL_SECONDS", _whole(1, lambda number: timedelta(seconds=number)), "10",
    "seconds between two shipments of the [journal](backup.md#recovery-to-a-moment)",
)  # fmt: skip
backup_keep_months = Setting("XIAOE_BACKUP_KEEP_MONTHS", _whole(0, int), "6", "monthly backups kept")
backup_key_conn_id = Setting(
    "XIAOE_BACKUP_KEY_CONN_ID", _MAYBE_CONNECTION, "",
    "connection whose password is the [key](backup.md#encryption) of backups; empty: not encrypted",
)  # fmt: skip
backup_mysql_conn_id = Setting(
    "XIAOE_BACKUP_MYSQL_CONN_ID", Kind(lambda text: text.strip() or mysql_conn_id()), "",
    "connection for backups and drills", "that of `XIAOE_MYSQL_CONN_ID`",
)  # fmt: skip
_drill_database = Setting(
    "XIAOE_BACKUP_DRILL_DATABASE", _TEXT, "",
    "scratch database of the weekly restore; created and dropped", "the warehouse's name and `_drill`",
)  # fmt: skip
push_host = Setting(
    "XIAOE_PUSH_HOST", _TEXT, "127.0.0.1",
    "address on which the [push service](deployment.md#message-push) listens; nginx with a certificate stands before",
)  # fmt: skip
push_port = Setting("XIAOE_PUSH_PORT", _whole(1, _port), "8070", "its port")
push_max_age = Setting(
    "XIAOE_PUSH_MAX_AGE_HOURS", _whole(1, lambda number: timedelta(hours=number)), "48",
    "how old the timestamp of a push may be; older ones are refused as replays. The shop repeats a message for up to 32"
    " hours: keep it above",
)  # fmt: skip
push_max_daily_bytes = Setting(
    "XIAOE_PUSH_MAX_MB_PER_DAY", _bytes(1, 10**6), "200",
    "MB (10⁶ bytes) of pushed messages stored per shop and day; beyond, only the hint is kept, and a check says so",
)  # fmt: skip
push_max_daily_messages = Setting(
    "XIAOE_PUSH_MAX_MESSAGES_PER_DAY", _whole(1, int), "1000000",
    "pushed messages taken per shop and day; beyond, they are refused, and a check says so",
)  # fmt: skip
push_keep = Setting(
    "XIAOE_PUSH_KEEP_DAYS", _days(3), "30",
    "pushed messages; no shorter than `XIAOE_PUSH_MAX_AGE_HOURS`, since they tell a repeated message from a new one",
)  # fmt: skip
page_keep = Setting("XIAOE_PAGE_KEEP_DAYS", _days(1), "30", "raw pages; longer if never merged")
ledger_keep = Setting(
    "XIAOE_LEDGER_KEEP_DAYS", _days(1), "400", "rows of `sync_windows`; those that still prove something stay"
)
rejected_keep = Setting(
    "XIAOE_REJECTED_KEEP_DAYS", _days(1), "90", "rejected rows and field problems, from when they could be read"
)
result_keep = Setting(
    "XIAOE_RESULT_KEEP_DAYS", _days(1), "400",
    "results of checks and of looks at hinted orders, storage samples, run costs, closed alerts, arrivals of orders,"
    " records of removed backups",
)  # fmt: skip
export_keep = Setting("XIAOE_EXPORT_KEEP_DAYS", _days(1), "90", "files in `XIAOE_EXPORT_DIR`")
log_keep = Setting("XIAOE_LOG_KEEP_DAYS", _days(1), "30", "Airflow's log files on the machine of the task")
airflow_keep = Setting("XIAOE_AIRFLOW_KEEP_DAYS", _days(1), "90", "runs and task instances in Airflow's own database")
airflow_database = Setting(
    "XIAOE_AIRFLOW_DB", _TEXT, "",
    "SQLAlchemy URL of that database, secret; only where `AIRFLOW__DATABASE__SQL_ALCHEMY_CONN` sets it, which Airflow"
    " hides from tasks",
)  # fmt: skip
_include_dir = Setting(
    "XIAOE_INCLUDE_DIR", Kind(Path), str(_PACKED if _PACKED.exists() else _PACKAGE.parents[1] / "include"),
    "SQL and codes; a wheel contains its own", "`include/` beside `plugins/`",
)  # fmt: skip

TABLE = tuple(one for one in globals().values() if isinstance(one, Setting))
"""Every row, in order."""
INCLUDE_DIR = _include_dir()


def drill_database(database: str) -> str:
    """The scratch database of the restore drill, by default the warehouse's name and `_drill`.

    Args:
        database: The warehouse's.

    Raises:
        XiaoeConfigError: It is no name, or the warehouse's own.
    """
    name = _drill_database() or f"{database}_drill"
    if not re.fullmatch(r"[A-Za-z0-9_$-]{1,64}", name) or name.lower() == database.lower():
        raise XiaoeConfigError(
            f"{_drill_database.name}={name!r}: give the name of a database that holds nothing else: it is dropped"
        )
    return name

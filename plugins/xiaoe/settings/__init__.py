"""Settings read from the environment: one table, each read when it is called.

A row says what may be given, the default and the meaning; docs/configuration.md is generated from it (`make docs`).
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from functools import partial
from pathlib import Path

from xiaoe.clock import parse_time
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.settings import kinds
from xiaoe.settings.kinds import Kind, Setting

_PACKAGE = Path(__file__).resolve().parents[1]
_PACKED = _PACKAGE / "include"  # in a wheel; a checkout has include/ at its top


def _sooner(pushed: str, otherwise: str) -> str:
    """A default that depends on whether the shop pushes changes."""
    return pushed if "push" in hints() else otherwise


def _below_airflow_home(folder: str) -> str:
    home = os.environ.get("AIRFLOW_HOME", str(Path.home() / "airflow"))
    return f"file://{home}/{folder}"


def _folder(name: str, folder: str, meaning: str, *, locally: str = "") -> Setting[str]:
    """A folder or bucket, by default below Airflow's home."""
    shown = f"`file://$AIRFLOW_HOME/{folder}`{locally}"
    return Setting(name, kinds.PLAIN, partial(_below_airflow_home, folder), meaning, shown)


# --- the table -----------------------------------------------------------------------------------------

conn_ids = Setting(
    "XIAOE_CONN_IDS", kinds.NAMES, "xiaoe_default",
    "the shops' connections, separated by commas",
)  # fmt: skip
mysql_conn_id = Setting("XIAOE_MYSQL_CONN_ID", kinds.PLAIN, "xiaoe_mysql", "the warehouse's connection")
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
    "XIAOE_OVERLAP_MINUTES", kinds.minutes(0), "60",
    "how far the incremental run reaches back before its watermark",
)  # fmt: skip
lag = Setting(
    "XIAOE_LAG_SECONDS", kinds.seconds(0), "60",
    "how long before now a window ends, so that it no longer grows",
)  # fmt: skip
history_interval = Setting(
    "XIAOE_HISTORY_INTERVAL_DAYS", kinds.days(1), "7",
    "days of history per run. Choose before switching the history DAG on: it moves the runs' dates",
)  # fmt: skip
rescan_days = Setting(
    "XIAOE_RESCAN_DAYS", kinds.days(1), "15",
    "reach of the hourly rescan; older orders that an after-sale names are looked up by id. Checks and the calendar of"
    " the monitoring page follow; keep it above the [days of the benefit policy](benefits.md#change-the-rule)",
)  # fmt: skip
rescan_every = Setting(
    "XIAOE_RESCAN_HOURS", kinds.HOURS, "1",
    "hours between two rescans: 1, 2, 3, 4, 6, 8, 12 or 24 (at midnight); read [hints](operations.md#hints) before"
    " raising it",
)  # fmt: skip
deep_rescan_days = Setting("XIAOE_DEEP_RESCAN_DAYS", kinds.days(1), "90", "reach of the nightly rescan")
users_whole_days = Setting(
    "XIAOE_USERS_WHOLE_DAYS", kinds.days(1), "7",
    "days between two nights that read the whole list of users and mark who left it; on the others, who registered or"
    " visited lately ([users](operations.md#users)). 1: every night",
)  # fmt: skip
refund_overlap = Setting(
    "XIAOE_REFUND_OVERLAP_DAYS", kinds.days(1), "3",
    "how far after-sales are read before their watermark, and how long an old order is looked up after its after-sale"
    " changed",
)  # fmt: skip
hints = Setting(
    "XIAOE_HINTS", kinds.SOURCES, "",
    "sources of [hints](operations.md#hints) that an order changed, separated by commas: `list`, `push`; empty: off",
)  # fmt: skip
more_lists = Setting(
    "XIAOE_MORE_LISTS", kinds.LISTS, "",
    "[more lists](operations.md#more-lists) to read, separated by commas: `live_viewers` (直播观众), `learning` (学习),"
    " `promoters` (推广员); empty: off",
)  # fmt: skip
nightly_calls = Setting(
    "XIAOE_NIGHTLY_CALLS", kinds.whole(1, int), "20000",
    "calls that one run may spend on learning progress, one on promoters' customers, one on promoters of orders; what"
    " is left comes first in the next run",
)  # fmt: skip
learning_days = Setting(
    "XIAOE_LEARNING_DAYS", kinds.days(1), "90",
    "learning progress is read of users who bought something so many days ago at most, promoters of orders that were"
    " paid then",
)  # fmt: skip
objective_percent = Setting(
    "XIAOE_OBJECTIVE_PERCENT", kinds.PERCENT, "99.5",
    "[objectives](monitoring.md#objectives): percent of orders, and of refunds, that have to be in time over 30 days",
)  # fmt: skip
objective_order = Setting(
    "XIAOE_OBJECTIVE_ORDER_MINUTES", kinds.minutes(1), lambda: _sooner("2", "40"),
    "minutes from an order to its row in MySQL", shown="`40` (with `push` `2`)",
)  # fmt: skip
objective_refund = Setting(
    "XIAOE_OBJECTIVE_REFUND_MINUTES", kinds.minutes(1), lambda: _sooner("10", "120"),
    "minutes from a refund to the decision on the benefit", shown="`120` (with `push` `10`)",
)  # fmt: skip
max_clock_skew = Setting(
    "XIAOE_MAX_CLOCK_SKEW_SECONDS", kinds.seconds(1), "300",
    "how far this machine's clock may be off MySQL's and the API's; beyond, tasks fail. Keep it below the overlap",
)  # fmt: skip
max_unreadable_percent = Setting(
    "XIAOE_MAX_UNREADABLE_PERCENT", kinds.whole(0, int), "5",
    "rows of one run, in percent, in which the same field may be unreadable; beyond, the run fails",
)  # fmt: skip
max_refused_percent = Setting(
    "XIAOE_MAX_REFUSED_PERCENT", kinds.whole(0, int), "1",
    "rows of one run, in percent, that may lack their key; beyond, the run fails",
)  # fmt: skip
unreadable_min_rows = Setting(
    "XIAOE_UNREADABLE_MIN_ROWS", kinds.whole(1, int), "50", "rows of a run from which on these two percentages count"
)
list_cap = Setting(
    "XIAOE_LIST_CAP", kinds.whole(100, int), "10000",
    "rows at which a list of the API may stop counting and paging; a window with nearly as many is read in halves."
    " Raise it only for a shop that is known to count further",
)  # fmt: skip
max_page_bytes = Setting("XIAOE_MAX_PAGE_MB", kinds.size(1, 1024**2), "64", "largest answer or stored page, expanded")
export_dir = _folder("XIAOE_EXPORT_DIR", "xiaoe_exports", "folder or bucket for files for staff and `make export`")
benefit_mail_to = Setting(
    "XIAOE_BENEFIT_MAIL_TO", kinds.ADDRESSES, "",
    "recipients of mail about benefits, separated by commas; empty: no mail",
)  # fmt: skip
benefit_wait = Setting(
    "XIAOE_BENEFIT_WAIT_HOURS", kinds.hours(1), "2",
    "how long an order may stay unread after its deadline before staff are notified",
)  # fmt: skip
alert_mail_to = Setting(
    "XIAOE_ALERT_MAIL_TO", kinds.ADDRESSES, "",
    "recipients of [alerts](operations.md#alerts), separated by commas; empty: no mail",
)  # fmt: skip
alerts_on = Setting(
    "XIAOE_ALERTS", kinds.SWITCH, "on", "`off`: no alerts, not even in the table",
    "`on`; with `make sync`, `off`",
)  # fmt: skip
language = Setting(
    "XIAOE_LANGUAGE", kinds.LANGUAGE, "zh",
    "language of alerts, reports, notices, `make health`, and of what DAGs and tasks are called: `zh` or `en`",
)  # fmt: skip
docs_url = Setting(
    "XIAOE_DOCS_URL", kinds.WEB_ADDRESS, "",
    "where staff can open these pages, e.g. `https://git.example.com/xiaoe/blob/main/docs`: alerts link to them; empty:"
    " no links",
)  # fmt: skip
count_imported = Setting(
    "XIAOE_COUNT_IMPORTED", kinds.SWITCH, "off",
    "`on`: [imported orders](bi.md#definitions--口径) count in figures of sales and buyers. The next run of"
    " `xiaoe_marts` after a change computes all figures again",
)  # fmt: skip
chat_conn_id = Setting(
    "XIAOE_CHAT_CONN_ID", kinds.MAYBE_CONNECTION, "", "connection of type `apprise` for chat messages; empty: no chat"
)
report_mail_to = Setting(
    "XIAOE_REPORT_MAIL_TO", kinds.ADDRESSES, "",
    "recipients of the [morning report](bi.md#the-morning-report--早报), separated by commas; empty: no mail",
)  # fmt: skip
report_chat_conn_id = Setting(
    "XIAOE_REPORT_CHAT_CONN_ID", kinds.MAYBE_CONNECTION, "",
    "connection of type `apprise` for the morning report; a separate setting, since takings are not for every group;"
    " empty: no chat",
)  # fmt: skip
today_link_days = Setting(
    "XIAOE_TODAY_LINK_DAYS", kinds.days(1), "7",
    "how long a [link to the page 今日经营](monitoring.md#the-page-for-phones) opens it without a log-in",
)  # fmt: skip
quality_sample_days = Setting(
    "XIAOE_QUALITY_SAMPLE_DAYS", kinds.whole(1, int), "2",
    "past days whose total each run of `xiaoe_quality` compares with the API ([checks](quality.md))",
)  # fmt: skip
min_free_disk = Setting(
    "XIAOE_MIN_FREE_DISK_GB", kinds.size(0, 10**9), "5",
    "free GB (10⁹ bytes) below which a task of `xiaoe_quality` fails"
    " ([storage](monitoring.md#storage-and-its-thresholds))",
)  # fmt: skip
max_page_store = Setting(
    "XIAOE_MAX_PAGE_STORE_GB", kinds.size(1, 10**9), "50", "GB of pages above which the monitoring page warns"
)
max_binlog = Setting(
    "XIAOE_MAX_BINLOG_GB", kinds.size(1, 10**9), "20", "GB of MySQL's binary logs above which it warns"
)
personal_data = Setting(
    "XIAOE_PERSONAL_DATA", kinds.TEXT, "",
    "columns stored masked or hashed, e.g. `orders.receiver_phone=masked,users.*=hash`"
    " ([personal data](security.md#personal-data))",
)  # fmt: skip
personal_data_key_conn_id = Setting(
    "XIAOE_PERSONAL_DATA_KEY_CONN_ID", kinds.MAYBE_CONNECTION, "",
    "connection whose password is the key of hashed columns",
)  # fmt: skip
backup_store = _folder(
    "XIAOE_BACKUP_STORE", "xiaoe_backups", "folder or bucket for [backups](backup.md); best on another machine",
    locally="; with `make`, `.local/backups`",
)  # fmt: skip
backup_keep_days = Setting("XIAOE_BACKUP_KEEP_DAYS", kinds.whole(1, int), "14", "daily backups kept")
journal_every = Setting(
    "XIAOE_JOURNAL_SECONDS", kinds.seconds(1), "10",
    "seconds between two shipments of the [journal](backup.md#recovery-to-a-moment)",
)  # fmt: skip
backup_keep_months = Setting("XIAOE_BACKUP_KEEP_MONTHS", kinds.whole(0, int), "6", "monthly backups kept")
backup_key_conn_id = Setting(
    "XIAOE_BACKUP_KEY_CONN_ID", kinds.MAYBE_CONNECTION, "",
    "connection whose password is the [key](backup.md#encryption) of backups; empty: not encrypted",
)  # fmt: skip
backup_mysql_conn_id = Setting(
    "XIAOE_BACKUP_MYSQL_CONN_ID", Kind(lambda text: text.strip() or mysql_conn_id()), "",
    "connection for backups and drills", "that of `XIAOE_MYSQL_CONN_ID`",
)  # fmt: skip
_drill_database = Setting(
    "XIAOE_BACKUP_DRILL_DATABASE", kinds.TEXT, "",
    "scratch database of the weekly restore; created and dropped", "the warehouse's name and `_drill`",
)  # fmt: skip
push_host = Setting(
    "XIAOE_PUSH_HOST", kinds.TEXT, "127.0.0.1",
    "address on which the [push service](deployment.md#message-push) listens; nginx with a certificate stands before",
)  # fmt: skip
push_port = Setting("XIAOE_PUSH_PORT", kinds.PORT, "8070", "its port")
push_max_age = Setting(
    "XIAOE_PUSH_MAX_AGE_HOURS", kinds.hours(1), "48",
    "how old the timestamp of a push may be; older ones are refused as replays. The shop repeats a message for up to 32"
    " hours: keep it above",
)  # fmt: skip
push_max_daily_bytes = Setting(
    "XIAOE_PUSH_MAX_MB_PER_DAY", kinds.size(1, 10**6), "200",
    "MB (10⁶ bytes) of pushed messages stored per shop and day; beyond, only the hint is kept, and a check says so",
)  # fmt: skip
push_max_daily_messages = Setting(
    "XIAOE_PUSH_MAX_MESSAGES_PER_DAY", kinds.whole(1, int), "1000000",
    "pushed messages taken per shop and day; beyond, they are refused, and a check says so",
)  # fmt: skip
push_keep = Setting(
    "XIAOE_PUSH_KEEP_DAYS", kinds.days(3), "30",
    "pushed messages; no shorter than `XIAOE_PUSH_MAX_AGE_HOURS`, since they identify repeated messages",
)  # fmt: skip
page_keep = Setting("XIAOE_PAGE_KEEP_DAYS", kinds.days(1), "30", "raw pages; longer if never merged")
ledger_keep = Setting(
    "XIAOE_LEDGER_KEEP_DAYS", kinds.days(1), "400", "rows of `sync_windows`; those that still prove something stay"
)
rejected_keep = Setting(
    "XIAOE_REJECTED_KEEP_DAYS", kinds.days(1), "90", "rejected rows and field problems, from when they could be read"
)
result_keep = Setting(
    "XIAOE_RESULT_KEEP_DAYS", kinds.days(1), "400",
    "results of checks and of looks at hinted orders, storage samples, run costs, closed alerts, arrivals of orders,"
    " records of removed backups",
)  # fmt: skip
export_keep = Setting("XIAOE_EXPORT_KEEP_DAYS", kinds.days(1), "90", "files in `XIAOE_EXPORT_DIR`")
log_keep = Setting("XIAOE_LOG_KEEP_DAYS", kinds.days(1), "30", "Airflow's log files on the machine of the task")
airflow_keep = Setting(
    "XIAOE_AIRFLOW_KEEP_DAYS", kinds.days(1), "90", "runs and task instances in Airflow's own database"
)
airflow_database = Setting(
    "XIAOE_AIRFLOW_DB", kinds.TEXT, "",
    "SQLAlchemy URL of that database, secret; only where `AIRFLOW__DATABASE__SQL_ALCHEMY_CONN` sets it, which Airflow"
    " hides from tasks",
)  # fmt: skip
_include_dir = Setting(
    "XIAOE_INCLUDE_DIR", kinds.FOLDER, str(_PACKED if _PACKED.exists() else _PACKAGE.parents[1] / "include"),
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

"""`make export`: a table as CSV or xlsx with Chinese headings.

Headings are the columns' comments without their explanations. Bookkeeping columns (hashes, batches) are left out. Text
that begins with a formula sign is not evaluated by Excel (`xiaoe.exports.sheets`).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from airflow.sdk import ObjectStoragePath

from xiaoe import settings
from xiaoe.clock import parse_time
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.exports.sheets import SheetColumn, SheetTable, write_csv, write_xlsx
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse


class Source(NamedTuple):
    """A table that can be exported.

    Args:
        title: Title of the file and the sheet.
        table: Table or view.
        time: Column that FROM and TO filter.
    """

    title: str
    table: str
    time: str


SOURCES = {
    "orders": Source("订单", "orders", "created_time"),
    "refunds": Source("售后", "refunds", "created_at"),
    "users": Source("用户", "users", "registered_at"),
    "products": Source("商品", "products", "created_at"),
    "live_streams": Source("直播", "live_streams", "start_at"),
    "benefit_decisions": Source("福利判定", "benefit_decisions", "deadline_at"),
    "daily_sales": Source("每日销售", "bi_sales_daily", "day"),
    "daily_products": Source("每日商品销售", "mart_products_daily", "day"),
    "daily_buyers": Source("每日付款用户", "bi_buyers_daily", "day"),
    "customers": Source("客户分层", "mart_buyers", "last_day"),
}
_LEFT_OUT = (
    "row_hash", "raw_hash", "batch_id", "observed_at", "is_inferred", "basis", "policy_id", "decision",
)  # fmt: skip
_KINDS = {"datetime": "time", "date": "day", "int": "number", "bigint": "number", "tinyint": "number"}
_WIDTHS = {"money": 14, "time": 20, "day": 12, "number": 12}
_EXPLAINED = re.compile("[；：]|，如|（接口|，接口|（原始值|（app_id|（北京|，元）")


def export_table(name: str, begin: str | None, end: str | None, kind: str) -> str:
    """Write a table into `XIAOE_EXPORT_DIR`; return the file's address.

    Args:
        name: A key of `SOURCES`.
        begin: Beijing time; None: no lower limit.
        end: Beijing time, exclusive; None: no upper limit.
        kind: `csv` or `xlsx`.

    Raises:
        XiaoeConfigError: The table is unknown, a time cannot be read, or `begin` is not before `end`.
    """
    if name not in SOURCES:
        raise XiaoeConfigError(f"TABLE={name!r}: give one of {', '.join(SOURCES)}")
    source = SOURCES[name]
    first = parse_time("FROM", begin).replace(tzinfo=None) if begin else None
    last = parse_time("TO", end).replace(tzinfo=None) if end else None
    if first and last and first >= last:
        raise XiaoeConfigError(f"FROM={begin} TO={end}: FROM must be before TO")
    target = ObjectStoragePath(settings.export_dir()) / f"{source.title}-{_span(first, last)}.{kind}"
    with Warehouse().session() as session, tempfile.TemporaryDirectory() as place:
        table, file = read_table(session, source, first, last), Path(place, "export")
        if kind == "csv":
            write_csv(table, file)
        else:
            write_xlsx({source.title: table}, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as reading, target.open("wb") as writing:
            shutil.copyfileobj(reading, writing)
    return str(target)


def _span(begin: datetime | None, end: datetime | None) -> str:
    """The range in the file's name: 自20261101-至20261101T120000."""
    ends = [("自", begin), ("至", end)]
    return "-".join(f"{word}{_moment(time)}" for word, time in ends if time) or "全部"


def _moment(time: datetime) -> str:
    return f"{time:%Y%m%d}" if time == datetime.combine(time, datetime.min.time()) else f"{time:%Y%m%dT%H%M%S}"


def read_table(session: Session, source: Source, begin: datetime | None, end: datetime | None) -> SheetTable:
    """The rows of a table between two times, in the order of its key, streamed from the server."""
    found = session.query(
        "SELECT column_name, data_type, numeric_scale, column_comment FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = %s ORDER BY ordinal_position",
        (source.table,),
    )
    kept = [one for one in found if one[0] not in _LEFT_OUT]
    wanted = [(f"{source.time} {sign} %s", moment) for sign, moment in ((">=", begin), ("<", end)) if moment]
    where = " AND ".join(condition for condition, _ in wanted) or "1 = 1"
    names = ", ".join(name for name, *_ in kept)
    rows = session.rows(
        f"SELECT {names} FROM {source.table} WHERE {where} ORDER BY 1, 2",  # noqa: S608 - names of the schema
        [moment for _, moment in wanted],
    )
    return SheetTable([_column(*one[1:]) for one in kept], rows)


def _column(data_type: str, scale: int | None, comment: str) -> SheetColumn:
    """The format of a column: a decimal with two places is money, one with more is a plain number."""
    decimal = "money" if scale == 2 else "number"
    kind = decimal if data_type == "decimal" else _KINDS.get(data_type, "text")
    return SheetColumn(heading(comment), kind, _WIDTHS.get(kind, 24))


def heading(comment: str) -> str:
    """A column's comment without its explanation: `退款金额（元，接口为分）` → `退款金额（元）`."""
    short = _EXPLAINED.split(comment, maxsplit=1)[0]
    return f"{short}）" if short.count("（") > short.count("）") else short

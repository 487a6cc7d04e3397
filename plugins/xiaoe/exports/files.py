"""Files of tables for staff: what is asked for, how the file is called, and the record of who has it."""

from __future__ import annotations

import getpass
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from airflow.sdk import ObjectStoragePath

from xiaoe import clock, settings
from xiaoe.clock import parse_time, utc_text
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.exports.sheets import SheetTable, write_csv, write_xlsx
from xiaoe.exports.tables import SOURCES, Export, read_table
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse

PAGE, COMMAND = "page", "command"
"""How a file was asked for, as `export_log.place` has it."""
_TEXTS = {
    "table": {"zh": "TABLE={!r}：请给出 {} 中的一个", "en": "TABLE={!r}: give one of {}"},
    "time": {
        "zh": "{}={!r}：请写北京日期，如 2026-11-01，或时间，如 '2026-11-01 08:30:00'",
        "en": "{}={!r}: give a date like 2026-11-01 or a time like '2026-11-01 08:30:00' (Beijing)",
    },
    "order": {"zh": "FROM={} TO={}：FROM 必须早于 TO（不含 TO）", "en": "FROM={} TO={}: FROM must be before TO"},
    "done": {"zh": "已导出 {} 行：{}", "en": "wrote {} rows: {}"},
}


def export_of(
    name: str,
    begin: str | None,
    end: str | None,
    *,
    with_personal: bool = True,
    with_codes: bool = False,
    language: str = "zh",
) -> Export:
    """What a person asks for.

    Args:
        name: A key of `SOURCES`.
        begin: Beijing date or time; None: no lower limit.
        end: The same, exclusive; None: no upper limit.
        with_personal: See `Export`.
        with_codes: See `Export`.
        language: Of an error: `zh` or `en`.

    Raises:
        XiaoeConfigError: The table is unknown, a time cannot be read, or `begin` is not before `end`.
    """
    if name not in SOURCES:
        raise XiaoeConfigError(_TEXTS["table"][language].format(name, ", ".join(SOURCES)))
    first, last = (_moment(field, text, language) for field, text in (("FROM", begin), ("TO", end)))
    if first and last and first >= last:
        raise XiaoeConfigError(_TEXTS["order"][language].format(begin, end))
    return Export(name, first, last, with_personal, with_codes)


def _moment(field: str, text: str | None, language: str) -> datetime | None:
    try:
        return parse_time(field, text).replace(tzinfo=None) if text else None
    except XiaoeConfigError:
        raise XiaoeConfigError(_TEXTS["time"][language].format(field, text)) from None


def file_name(export: Export, kind: str) -> str:
    """`订单-20261101至20261130.xlsx`: the last day, or second, is the last one in the file."""
    first = export.begin and _day_or_second(export.begin, is_whole=_is_midnight(export.begin))
    last = export.end and _day_or_second(export.end - timedelta(seconds=1), is_whole=_is_midnight(export.end))
    if first and last:
        span = first if first == last else f"{first}至{last}"
    else:
        span = f"自{first}" if first else f"至{last}" if last else "全部"
    return f"{export.source.title}-{span}{'' if export.with_personal else '-不含个人信息'}.{kind}"


def _is_midnight(moment: datetime) -> bool:
    return moment.time() == datetime.min.time()


def _day_or_second(moment: datetime, *, is_whole: bool) -> str:
    return f"{moment:%Y%m%d}" if is_whole else f"{moment:%Y%m%dT%H%M%S}"


def write_export(session: Session, export: Export, kind: str, path: Path) -> int:
    """Write the file; return the number of its rows."""
    table, counted = read_table(session, export), _Counted()
    table = SheetTable(table.columns, counted.through(table.rows))
    if kind == "csv":
        write_csv(table, path)
    else:
        write_xlsx({export.source.title: table}, path)
    return counted.rows


class _Counted:
    """Counts rows that pass."""

    rows = 0

    def through(self, rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            self.rows += 1
            yield row


def record(session: Session, export: Export, kind: str, rows: int, *, by: str, place: str) -> None:
    """Write into `export_log` who gets which rows, and commit."""
    session.execute(
        "INSERT INTO export_log"
        " (exported_at, exported_by, place, content, begin_at, end_at, has_personal, kind, row_count)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            utc_text(clock.now()), by[:128], place, export.name, export.begin, export.end,
            int(export.with_personal), kind, rows,
        ),
    )  # fmt: skip
    session.commit()


class Exported(NamedTuple):
    """A written file: its address and the number of its rows."""

    address: str
    rows: int

    def told(self, language: str) -> str:
        """A line about it, with the address at its end."""
        return _TEXTS["done"][language].format(f"{self.rows:,}", self.address)


def export_table(export: Export, kind: str) -> Exported:
    """`make export`: write a table into `XIAOE_EXPORT_DIR`; `kind` is `csv` or `xlsx`."""
    target = ObjectStoragePath(settings.export_dir()) / file_name(export, kind)
    with Warehouse().session() as session, tempfile.TemporaryDirectory() as place:
        file = Path(place, "export")
        rows = write_export(session, export, kind, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as reading, target.open("wb") as writing:
            shutil.copyfileobj(reading, writing)
        record(session, export, kind, rows, by=getpass.getuser(), place=COMMAND)
    return Exported(str(target), rows)

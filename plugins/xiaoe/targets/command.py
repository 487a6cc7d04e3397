"""`make import-targets`: checks a workbook of targets, reports, and stores them if asked to; or writes the template."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from airflow.sdk import ObjectStoragePath

from xiaoe import settings
from xiaoe.api import shop_names
from xiaoe.clock import BEIJING, now, utc_now, utc_text
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.targets.sheet import Filled, TargetKey, read_targets, write_template


def import_targets(file: str, *, apply: bool) -> str:
    """Store the targets of a file, or only check what that would do; return a report in Chinese.

    A target of the same shop, month and metric is replaced, one of 0 taken away; others stay.

    Args:
        file: Path of an .xlsx or .csv.
        apply: Write them.

    Raises:
        XiaoeConfigError: See `read_targets`; nothing is written then.
    """
    path = Path(file).expanduser()
    with Warehouse().session() as session:
        found = read_targets(path, shop_names.names(session))
        counts = _changes(found.values, _held(session))
        if apply:
            _write(session, found.values)
            session.commit()
    return "\n".join(_report(path, found, counts, apply=apply))


def make_template(place: str | None) -> str:
    """Write a workbook for this month and the next, with what is set; return its address.

    Args:
        place: Path of the file; None: in `XIAOE_EXPORT_DIR`.

    Raises:
        XiaoeConfigError: There is such a file, which somebody may have filled in.
    """
    month = now().astimezone(BEIJING).date().replace(day=1)
    months = [month, (month + timedelta(days=31)).replace(day=1)]
    target = (
        ObjectStoragePath(f"file://{Path(place).expanduser().absolute()}")
        if place
        else ObjectStoragePath(settings.export_dir()) / f"目标-{month:%Y-%m}.xlsx"
    )
    if target.exists():
        raise XiaoeConfigError(
            f"{target} 已存在：填好后导入 make import-targets FILE=…，或另存 make import-targets TEMPLATE=另一个.xlsx"
        )
    with Warehouse().session() as session, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "template.xlsx")
        write_template(file, shop_names.names(session), months, _held(session))
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as reading, target.open("wb") as writing:
            shutil.copyfileobj(reading, writing)
    return str(target)


def _held(session: Session) -> dict[TargetKey, Decimal]:
    rows = session.query("SELECT shop_id, month, metric, value FROM targets")
    return {TargetKey(*key): value for *key, value in rows}


def _changes(wanted: Mapping[TargetKey, Decimal], held: Mapping[TargetKey, Decimal]) -> Counter[str]:
    """How many targets are new, changed, the same, taken away."""
    return Counter(_change(value, held.get(key)) for key, value in wanted.items())


def _change(value: Decimal, before: Decimal | None) -> str:
    if value == before or (not value and before is None):
        return "不变"
    if not value:
        return "取消"
    return "新增" if before is None else "更新"


def _write(session: Session, wanted: Mapping[TargetKey, Decimal]) -> None:
    moment = utc_text(utc_now())
    session.insert_many(
        "REPLACE INTO targets (shop_id, month, metric, value, updated_at) VALUES (%s, %s, %s, %s, %s)",
        [(*key, value, moment) for key, value in wanted.items() if value],
    )
    for key, value in wanted.items():
        if not value:
            session.execute("DELETE FROM targets WHERE shop_id = %s AND month = %s AND metric = %s", key)


def _report(path: Path, found: Filled, counts: Counter[str], *, apply: bool) -> Iterator[str]:
    months = sorted({key.month for key in found.values})
    yield f"{path}：{len(found.values)} 个目标" + (f"，{_span(months)}" if months else "")
    yield "，".join(f"{word} {counts[word]} 个" for word in ("新增", "更新", "不变", "取消"))
    if found.empty:
        yield f"目标值为空的 {found.empty} 行略去"
    yield "已写入" if apply else f"未写入。写入：make import-targets FILE={path} APPLY=1"


def _span(months: list[date]) -> str:
    first, last = (f"{month.year} 年 {month.month} 月" for month in (months[0], months[-1]))
    return first if first == last else f"{first}至 {last}"

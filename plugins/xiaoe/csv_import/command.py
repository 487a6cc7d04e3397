"""`make import-csv`: orders of an old file, checked, shown, and merged where that is wanted.

The file is read twice, a line at a time: once to judge it, once to write its lines as pages, which are merged as
those of the API are.
"""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import compress, islice
from pathlib import Path

import numpy as np
from airflow.sdk.exceptions import AirflowNotFoundException

from xiaoe import settings
from xiaoe.api.shop import app_id_of
from xiaoe.clock import BEIJING, utc_now
from xiaoe.csv_import.columns import Header, LineReader, line_reader, read_header
from xiaoe.csv_import.files import encoding_of, read_lines
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.merge import unconfirmed
from xiaoe.merge.merger import Merger
from xiaoe.merge.sql import merge_sql
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.orders import ORDERS
from xiaoe.rows.decode import RowError
from xiaoe.rows.keys import key_hash
from xiaoe.storage.pages import Manifest, RunFolder, SliceManifest, StoredPage
from xiaoe.windows import EVER, Window

_NAMED = 5
"""Lines that a report names."""
_PAGE_ROWS = 1000
_MOMENTS = ("created_time", "pay_time", "refund_time")


class File:
    """An old file, and which of its lines belong to a shop.

    Args:
        path: Where it is.
        shop_id: Whose orders are wanted.

    Raises:
        XiaoeConfigError: It cannot be read, or has no line or not the columns it takes.
    """

    def __init__(self, path: Path, shop_id: str) -> None:
        self.path = path
        self.encoding = encoding_of(path)
        self._shop_id = shop_id
        first = next(read_lines(path, self.encoding), None)
        if first is None:
            raise XiaoeConfigError(f"FILE={path} is empty: give a CSV file whose first line is its header")
        self.header: Header = read_header(str(path), first.cells)

    def orders(self) -> Iterator[tuple[int, bytes]]:
        """Lines of the shop: where each begins, and what it says, for `line_reader`."""
        return ((number, raw) for number, raw in self.lines() if raw)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """All lines below the header; of another shop, with nothing. A header that comes again is none."""
        header = self.header
        for number, cells in read_lines(self.path, self.encoding):
            if cells != header.headings:
                is_ours = header.value("shop_id", cells) in (None, self._shop_id)
                yield number, header.raw(cells) if is_ours else b""


@dataclass
class Survey:
    """What a first reading tells.

    Args:
        kept: For each line of the shop whether it counts: it is the last of its order.
        others: Lines of other shops.
        repeated: Lines that an earlier one equals in every column.
        bad: Lines that cannot be typed, the first few: number, field, value and fix.
        bad_lines: How many there are.
        first: The earliest creation, Beijing; None where no line can be typed.
        last: The latest.
        newest: The latest moment of all.
        digest: Tells files apart.
    """

    kept: np.ndarray[tuple[int], np.dtype[np.bool_]]
    others: int
    repeated: int
    bad: list[str]
    bad_lines: int
    first: str | None
    last: str | None
    newest: str | None
    digest: str


def survey(file: File, reader: LineReader) -> Survey:
    """Read a file to its end."""
    keys, contents, digest = array("q"), array("q"), blake2b(digest_size=8)
    found = Survey(np.empty(0, bool), 0, 0, [], 0, None, None, None, "")
    bad: set[int] = set()
    places = [reader.columns.index(name) for name in _MOMENTS]
    for number, raw in file.lines():
        if not raw:
            found.others += 1
            continue
        digest.update(raw)
        keys.append(key_hash(reader.key(raw) or raw))
        contents.append(key_hash(raw))
        try:
            row = reader.row(raw)
        except RowError as error:
            if contents[-1] in bad:
                continue
            bad.add(contents[-1])
            found.bad_lines += 1
            if len(found.bad) < _NAMED:
                found.bad.append(f"第 {number} 行 {file.header.explain(error)}")
            continue
        created, *others = (row[place] for place in places)
        found.first = min(filter(None, (found.first, created)))
        found.last = max(filter(None, (found.last, created)))
        found.newest = max(filter(None, (found.newest, created, *others)))
    found.repeated = len(contents) - len(np.unique(np.frombuffer(contents, np.int64)))
    found.kept, found.digest = _last_ones(keys), digest.hexdigest()
    return found


def _last_ones(keys: array[int]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of the keys do not come again."""
    kept = np.zeros(len(keys), bool)
    _, places = np.unique(np.frombuffer(keys, np.int64)[::-1], return_index=True)
    kept[len(keys) - 1 - places] = True
    return kept


def import_csv(file: str, shop: str | None, *, apply: bool) -> str:
    """Say in Chinese what importing a file does, and do it where that is wanted.

    Args:
        file: Path of a .csv or .xlsx.
        shop: Whose orders they are, `app_id`; None where there is one shop only.
        apply: Keep what was merged; without, all of it is taken back.

    Raises:
        XiaoeConfigError: The file or the shop cannot be told; names the field, the value and the fix.
    """
    shop_id = _shop_id(shop)
    source = File(Path(file).expanduser(), shop_id)
    reader = line_reader()
    found = survey(source, reader)
    if not len(found.kept):
        raise XiaoeConfigError(f"FILE={file} has no order of the shop {shop_id}: is it the right file, the right SHOP?")
    with tempfile.TemporaryDirectory(prefix="xiaoe-csv-") as place:
        folder = RunFolder(Path(place))
        manifest = write_pages(source, found, folder, shop_id)
        merger = Merger(Warehouse(), replace(ORDERS, reader=reader), merge_sql(ORDERS))
        counts = merger.merge(folder, manifest, dry_run=not apply)
    return "\n".join(_report(source, found, shop_id, counts, apply=apply))


def _shop_id(wanted: str | None) -> str:
    """The shop, which has to be one whose connection is configured: a slip of the pen would found another."""
    try:
        known = list(map(app_id_of, settings.conn_ids()))
    except AirflowNotFoundException as error:
        raise XiaoeConfigError(
            f"XIAOE_CONN_IDS={','.join(settings.conn_ids())}: {error}: set the shops' connections in the environment,"
            " e.g. AIRFLOW_CONN_XIAOE_DEFAULT"
        ) from None
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted not in known:
        raise XiaoeConfigError(f"SHOP={wanted or ''!r}: give the app_id of a connected shop: {', '.join(known)}")
    return wanted


def write_pages(file: File, found: Survey, folder: RunFolder, shop_id: str) -> Manifest:
    """The lines that count, as a staged run: pages, and the manifest that names them."""
    started, names = utc_now(), list[str]()
    moment = unconfirmed.observed_at(_beijing(found.newest))
    lines = compress((raw for _, raw in file.orders()), found.kept)
    while rows := list(islice(lines, _PAGE_ROWS)):
        names.append(folder.page_name(0, 1, len(names) + 1))
        body = b'{"code":0,"msg":"","data":{"total":%d,"list":[%s]}}' % (len(rows), b",".join(rows))
        folder.write_page(names[-1], StoredPage(len(names), moment, body))
    window = Window(_beijing(found.first), _beijing(found.last) + timedelta(seconds=1))
    staged = int(found.kept.sum())
    part = SliceManifest(
        begin=window.begin.isoformat(), end=window.end.isoformat(), api_total=staged, staged=staged, passes=1,
        pages=names, observed_at=moment.isoformat(),
    )  # fmt: skip
    return Manifest(
        shop_id=shop_id, resource=ORDERS.name, mode=unconfirmed.MODE, run_id=f"csv-{found.digest}",
        moves_watermark=False, slices=[part], is_lookup=True,
        started_at=started.isoformat(), staged_at=utc_now().isoformat(),
    )  # fmt: skip


def _beijing(moment: str | None) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=BEIJING) if moment else EVER


def _report(file: File, found: Survey, shop_id: str, counts: Counter[str], *, apply: bool) -> Iterator[str]:
    """What is to be said, line by line."""
    yield f"{file.path}：{file.encoding or 'xlsx'}，{len(found.kept):,} 行属于店铺 {shop_id}"
    if found.others:
        yield f"其他店铺的 {found.others:,} 行未读：请用 SHOP=… 分别导入"
    if file.header.unknown:
        yield f"不认识、不导入的列：{'、'.join(file.header.unknown)}"
    if found.repeated:
        yield f"完全相同的行只读一次：略去 {found.repeated:,} 行"
    if older := len(found.kept) - counts["staged"] - found.repeated:
        yield f"同一订单出现多次：以最后一行为准，略去 {older:,} 行"
    if found.first:
        yield f"下单时间：{found.first} 至 {found.last}"
    yield f"新增 {counts['inserted']:,} 单，更新 {counts['updated']:,} 单（此前从较旧的文件导入）"
    yield f"不变 {counts['unchanged']:,} 单：数仓里已有接口的数据、较新文件的数据，或内容相同"
    if counts["absent"]:
        yield f"其中 {counts['absent']:,} 单所在时段已从接口读过，而接口没有列出：标记 absent_since，不计入看板"
    if found.bad_lines:
        yield f"无法解析 {found.bad_lines:,} 行，{counts['rejected']:,} 单写入 rejected_rows，其余的数仓里已有"
        yield from found.bad
        yield from ["…"] if found.bad_lines > len(found.bad) else []
    yield "已写入；福利与看板由随后的运行更新" if apply else f"未写入。写入：make import-csv FILE={file.path} APPLY=1"

"""`make import-csv`: checks the orders of a file, reports, and merges them if asked to.

The file is read twice, line by line: once to check it, once to write its lines as pages, which are merged like those
of the API. The dry run is the same merge, rolled back; both hold the shop's merge lock. If an order is repeated, its
last line counts, because scripts append.
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
from openpyxl.utils import get_column_letter

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
from xiaoe.storage.manifest import Manifest, SliceManifest
from xiaoe.storage.pages import RawPage, RunFolder
from xiaoe.windows import EVER, Window

_MAX_NAMED = 5
"""Bad lines that a report names."""
_PAGE_ROWS = 1000
_MOMENTS = ("created_time", "pay_time", "refund_time")


class File:
    """A file, and the lines of it that belong to a shop.

    Args:
        path: Path of the file.
        shop_id: The shop whose orders are imported.

    Raises:
        XiaoeConfigError: It cannot be read, is empty, or lacks required columns.
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
        """Lines of the shop: line number and JSON for `line_reader`."""
        return ((number, raw) for number, raw in self.lines() if raw)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """All lines after the header, with empty JSON for those of other shops; repeated headers are skipped.

        Raises:
            XiaoeConfigError: A cell holds an error or a formula without a result; read as empty, it could make a
                refund disappear.
        """
        header = self.header
        for number, cells in read_lines(self.path, self.encoding):
            if cells != header.headings:
                if found := header.unusable(cells):
                    place, fix = found
                    raise XiaoeConfigError(
                        f"FILE={self.path}: {get_column_letter(place + 1)}{number}（{header.headings[place]}）="
                        f"{cells[place].strip()}：{fix}。未写入任何订单"
                    )
                is_ours = header.value("shop_id", cells) in (None, self._shop_id)
                yield number, header.raw(cells) if is_ours else b""


@dataclass
class Survey:
    """The result of the first reading.

    Args:
        kept: For each line of the shop, whether it is the last one of its order.
        others: Number of lines of other shops.
        repeated: Number of lines equal to an earlier one in every cell.
        bad: The first lines that cannot be typed: number, field, value and fix.
        bad_lines: Number of all such lines.
        first: Earliest creation, Beijing time; None if no line can be typed.
        last: Latest creation.
        newest: Latest time in any column.
        digest: Fingerprint of the content.
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
    """Read a file to its end and check every line."""
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
            if len(found.bad) < _MAX_NAMED:
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
    """For each key, whether it is the last occurrence."""
    kept = np.zeros(len(keys), bool)
    _, places = np.unique(np.frombuffer(keys, np.int64)[::-1], return_index=True)
    kept[len(keys) - 1 - places] = True
    return kept


def import_csv(file: str, shop: str | None, *, apply: bool) -> str:
    """Import a file, or only check what that would do; return a report in Chinese.

    Args:
        file: Path of a .csv or .xlsx.
        shop: The shop's `app_id`; None if there is only one shop.
        apply: Commit the merge; otherwise it is rolled back.

    Raises:
        XiaoeConfigError: The file or the shop is wrong; names the field, the value and the fix.
    """
    shop_id = _shop_id(shop)
    source = File(Path(file).expanduser(), shop_id)
    reader = line_reader()
    found = survey(source, reader)
    if not len(found.kept):
        raise XiaoeConfigError(f"FILE={file} has no order of the shop {shop_id}: check FILE and SHOP")
    with tempfile.TemporaryDirectory(prefix="xiaoe-csv-") as place:
        folder = RunFolder(Path(place))
        manifest = write_pages(source, found, folder, shop_id)
        merger = Merger(Warehouse(), replace(ORDERS, reader=reader), merge_sql(ORDERS))
        counts = merger.merge(folder, manifest, dry_run=not apply)
    return "\n".join(_report(source, found, shop_id, counts, apply=apply))


def _shop_id(wanted: str | None) -> str:
    """The shop, which must have a configured connection: a typo would create another shop."""
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
    """Write the kept lines as a staged run: pages, and the manifest that names them."""
    started, names = utc_now(), list[str]()
    moment = unconfirmed.observed_at(_beijing(found.newest))
    lines = compress((raw for _, raw in file.orders()), found.kept)
    while rows := list(islice(lines, _PAGE_ROWS)):
        names.append(folder.page_name(0, 1, len(names) + 1))
        body = b'{"code":0,"msg":"","data":{"total":%d,"list":[%s]}}' % (len(rows), b",".join(rows))
        folder.write_page(names[-1], RawPage(len(names), moment, body))
    window = Window(_beijing(found.first), _beijing(found.last) + timedelta(seconds=1))
    staged = int(found.kept.sum())
    slice_ = SliceManifest(
        begin=window.begin, end=window.end, api_total=staged, staged=staged, passes=1, pages=names, observed_at=moment
    )
    return Manifest(
        shop_id=shop_id, resource=ORDERS.name, mode=unconfirmed.MODE, run_id=f"csv-{found.digest}",
        moves_watermark=False, slices=[slice_], is_lookup=True,
        started_at=started, staged_at=utc_now(),
    )  # fmt: skip


def _beijing(moment: str | None) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=BEIJING) if moment else EVER


def _report(file: File, found: Survey, shop_id: str, counts: Counter[str], *, apply: bool) -> Iterator[str]:
    """The lines of the report."""
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

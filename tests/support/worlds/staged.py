"""Pages written by hand: what the API could have answered, without the API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from msgspec import structs

from support.worlds.shop import APP_ID
from xiaoe.clock import BEIJING
from xiaoe.storage.manifest import Manifest, SliceManifest
from xiaoe.storage.pages import RawPage, RunFolder
from xiaoe.windows import Window

DAY_ONE = datetime(2026, 11, 1, tzinfo=BEIJING)
WEEK = Window(DAY_ONE, DAY_ONE + timedelta(days=7))
_EPOCH = datetime(2026, 11, 10, tzinfo=timezone.utc)


def at(second: float) -> datetime:
    """A moment at which something is seen, far from the present."""
    return _EPOCH + timedelta(seconds=second)


def raw_order(number: int, **fields: Any) -> bytes:
    """One order as the API sends it, created on the day of its number; `fields` replace the API's fields."""
    created = DAY_ONE + timedelta(days=number % 7, seconds=number)
    return json.dumps(
        {
            "order_id": f"o_{number:05d}",
            "user_id": f"u_{number}",
            "resource_type": 3,
            "resource_id": f"v_{number}",
            "title": f"课程 {number}",
            "count": 1,
            "price": "99.00",
            "coupon_price": 0,
            "refund_money": None,
            "order_state": 1,
            "ship_state": 0,
            "created_time": f"{created:%Y-%m-%d %H:%M:%S}",
            "refund_time": "",
            **fields,
        },
        ensure_ascii=False,
    ).encode()


@dataclass
class StagedRun:
    """A staged run.

    Args:
        pages: When each page was asked for, and its rows; in the order they were fetched.
        run_id: Tells runs apart.
        window: One slice; None is the week of `DAY_ONE`.
        api_total: What the API said; None is the number of distinct rows.
    """

    pages: Sequence[tuple[datetime, Sequence[bytes]]]
    run_id: str = "by-hand"
    window: Window = WEEK
    api_total: int | None = None
    moves_watermark: bool = False
    mode: str = "history"
    calls: dict[str, int] = field(default_factory=dict)

    def write(self, store: Path) -> tuple[RunFolder, Manifest]:
        """Put it into the page store."""
        folder = RunFolder.of(store, shop_id=APP_ID, resource="orders", window=self.window, run_id=self.run_id)
        names = []
        keys = {_identity(row) for _, rows in self.pages for row in rows}
        total = len(keys) if self.api_total is None else self.api_total
        for index, (observed_at, rows) in enumerate(self.pages, 1):
            body = b'{"code":0,"msg":"ok","data":{"total":%d,"list":[%s]}}' % (total, b",".join(rows))
            names.append(folder.page_name(0, 1, index))
            folder.write_page(names[-1], RawPage(index, observed_at, body))
        part = SliceManifest(
            begin=self.window.begin,
            end=self.window.end,
            api_total=total,
            staged=len(keys),
            passes=1,
            pages=names,
            observed_at=min(observed_at for observed_at, _ in self.pages),
        )
        manifest = Manifest(
            shop_id=APP_ID,
            resource="orders",
            mode=self.mode,
            run_id=self.run_id,
            moves_watermark=self.moves_watermark,
            slices=[part],
        )
        folder.write_manifest(manifest)
        return folder, manifest


def together(store: Path, parts: Sequence[StagedRun], run_id: str) -> tuple[RunFolder, Manifest]:
    """Put some runs of neighbouring windows into the page store as the slices of one."""
    window = Window(parts[0].window.begin, parts[-1].window.end)
    whole = RunFolder.of(store, shop_id=APP_ID, resource="orders", window=window, run_id=run_id)
    slices = []
    for number, part in enumerate(parts):
        folder, manifest = part.write(store)
        names = []
        for index, name in enumerate(manifest.slices[0].pages, 1):
            page = folder.read_page(name)
            assert page is not None
            names.append(whole.page_name(number, 1, index))
            whole.write_page(names[-1], page)
        slices.append(structs.replace(manifest.slices[0], pages=names))
    manifest = structs.replace(manifest, run_id=run_id, slices=slices)
    whole.write_manifest(manifest)
    return whole, manifest


def _identity(row: bytes) -> object:
    """The order id, or the whole row where it has none."""
    try:
        key = json.loads(row).get("order_id")
    except (ValueError, AttributeError):
        return row
    return key if isinstance(key, str) and key.strip() else row

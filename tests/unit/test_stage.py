"""Slices of one run: read side by side, written in order, and ended together."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xiaoe.api.hook import Answer
from xiaoe.clock import BEIJING, utc_now
from xiaoe.exceptions import XiaoeError
from xiaoe.resources.base import Resource
from xiaoe.resources.orders import ORDERS
from xiaoe.rows.envelope import open_envelope, read_listing
from xiaoe.stage import slice_reader
from xiaoe.stage import stager as stage_module
from xiaoe.stage.stager import Stager
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import MAX_SLICE, Plan, Window, slices

BEGIN = datetime(2026, 9, 1, tzinfo=BEIJING)
PAGES, SIZE = 30, 2


class SlicedShop:
    """A hook whose every slice has thirty pages of two orders.

    Args:
        concurrency: Of the connection.
        before: Called with the number of the slice and of the page that is asked for.
    """

    def __init__(self, concurrency: int, before: Callable[[int, int], None] = lambda *_: None) -> None:
        self.shop = SimpleNamespace(app_id="app1", concurrency=concurrency)
        self.counts: Counter[str] = Counter()
        self.page_sizes: dict[str, int] = {}
        self.asked: list[tuple[int, int]] = []
        self._before = before

    def page_size(self, resource: Any) -> int:
        return SIZE

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"there is nothing to wait {seconds} s for")

    def list_page(self, resource: Any, fields: dict[str, Any], *, index: int = 1) -> Answer:
        begin = datetime.fromtimestamp(fields["begin_time"] + 1, BEIJING)
        number = (begin - BEGIN) // MAX_SLICE
        assert fields["page_index"] == index
        self.asked.append((number, index))
        self._before(number, index)
        rows = [{"order_id": f"{number}-{index}-{row}"} for row in range(SIZE if index <= PAGES else 0)]
        body = json.dumps({"code": 0, "data": {"total": PAGES * SIZE, "list": rows}}).encode()
        return Answer(index, utc_now(), body, read_listing(open_envelope(body).data, total_field="total"))


def window(parts: int) -> Window:
    return Window(BEGIN, BEGIN + parts * MAX_SLICE)


def stager(tmp_path: Path, hook: Any, missing: Callable[..., list[str]] = lambda *_: []) -> Stager:
    return Stager(hook, ORDERS, RunFolder(tmp_path / "run"), missing)


def stage(stager: Stager, parts: int) -> Manifest:
    return stager.stage(Plan(window(parts)), mode="history", run_id="run")


def test_a_slice_begins_while_the_one_before_it_ends(tmp_path: Path) -> None:
    """The last page of the first slice waits for the first page of the second."""
    next_has_begun = threading.Event()

    def before(number: int, index: int) -> None:
        if number == 1:
            next_has_begun.set()
        if (number, index) == (0, PAGES):
            assert next_has_begun.wait(30)

    manifest = stage(stager(tmp_path, SlicedShop(3, before)), 4)
    assert [(part.begin, part.end) for part in manifest.slices] == [
        (part.begin, part.end) for part in slices(window(4))
    ]
    assert [part.staged for part in manifest.slices] == [PAGES * SIZE] * 4
    for number, part in enumerate(manifest.slices):
        assert {name.partition("/")[0] for name in part.pages} == {f"slice-{number:02d}"}


def test_only_pages_of_an_earlier_try_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook reads the rows of what it fetches."""
    parsed: list[bytes] = []
    original = Resource.listing

    def listing(self: Resource, body: bytes, parent: str | None = None) -> Any:
        parsed.append(body)
        return original(self, body, parent)

    monkeypatch.setattr(Resource, "listing", listing)
    manifest = stage(stager(tmp_path, SlicedShop(3)), 2)
    assert parsed == []
    (tmp_path / "run" / "manifest.json").unlink()
    hook = SlicedShop(3)
    assert stage(stager(tmp_path, hook), 2).slices == manifest.slices
    assert (len(parsed), hook.asked) == (sum(len(part.pages) for part in manifest.slices), [])


def test_with_one_call_at_a_time_every_page_comes_in_its_turn(tmp_path: Path) -> None:
    hook = SlicedShop(1)
    stage(stager(tmp_path, hook), 3)
    assert [asked for asked in hook.asked if asked[1] <= PAGES] == [
        (number, index) for number in range(3) for index in range(1, PAGES + 1)
    ]


def test_a_slice_that_fails_ends_the_others_and_the_next_try_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of the second slice is held until the first slice has failed, which waits for that page."""
    reached, ended, held = threading.Event(), threading.Event(), []

    class Noticed(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait, cancel_futures=cancel_futures)
            if cancel_futures and self._thread_name_prefix == "xiaoe-page":
                ended.set()

    def before(number: int, index: int) -> None:
        if (number, index) == (0, 9):
            assert reached.wait(30)
            raise XiaoeError("no more")
        if (number, index) == (1, 4):
            reached.set()
            held.append(ended.wait(30))

    monkeypatch.setattr(stage_module, "ThreadPoolExecutor", Noticed)
    hook = SlicedShop(2, before)
    with pytest.raises(XiaoeError, match="no more"):
        stage(stager(tmp_path, hook), 5)
    assert not RunFolder(tmp_path / "run").manifest_path.exists()
    assert held == [True]
    assert max(index for number, index in hook.asked if number == 1) <= 4 + 2, "read on, with nobody to take it"

    again = SlicedShop(2)
    manifest = stage(stager(tmp_path, again), 5)
    assert [part.staged for part in manifest.slices] == [PAGES * SIZE] * 5
    assert min(index for number, index in again.asked if number == 0) == 9, "pages that are there are not read again"


@pytest.mark.parametrize("damage", [Path.unlink, lambda page: page.write_bytes(b"damaged")])
@pytest.mark.parametrize("index", [1, 2])
def test_a_page_that_was_lost_behind_the_end_of_its_pass_is_read_again(
    tmp_path: Path, damage: Callable[[Path], Any], index: int
) -> None:
    """The try that read it died before its manifest was written."""
    folder = RunFolder(tmp_path / "run")
    first = stage(stager(tmp_path, SlicedShop(1)), 2)
    folder.manifest_path.unlink()
    damage(tmp_path / "run" / folder.page_name(0, 1, index))
    again = SlicedShop(1)
    again.sleep = lambda seconds: None  # type: ignore[method-assign]
    manifest = stage(stager(tmp_path, again), 2)
    assert [part.staged for part in manifest.slices] == [part.staged for part in first.slices]
    assert {number for number, _ in again.asked} == {0}, "the other slice is whole"
    for part in manifest.slices:
        assert all(folder.read_page(name) for name in part.pages)


def test_only_one_slice_at_a_time_asks_the_warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection serves one thread; the slices' ends are brought together."""
    both_at_end, asking = threading.Barrier(2, timeout=30), threading.Lock()

    def before(number: int, index: int) -> None:
        if index == PAGES:
            both_at_end.wait()

    def missing(*_: Any) -> list[str]:
        assert asking.acquire(blocking=False), "two ask at the same time"
        threading.Event().wait(0.05)
        asking.release()
        return []

    monkeypatch.setattr(slice_reader, "utc_now", lambda: window(2).end + timedelta(seconds=1))
    assert len(stage(stager(tmp_path, SlicedShop(2, before), missing), 2).slices) == 2

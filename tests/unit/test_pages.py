"""The page store: a page is there whole or not at all, on a disk and in a bucket alike."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.worlds.shop import APP_ID
from xiaoe.clock import BEIJING, utc_now
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.storage.manifest import Manifest, SliceManifest
from xiaoe.storage.pages import RawPage, RunFolder
from xiaoe.windows import Window

SEEN = datetime(2026, 11, 20, 4, 0, 0, 123000, tzinfo=timezone.utc)
WINDOW = Window(datetime(2026, 11, 13, tzinfo=BEIJING), datetime(2026, 11, 20, tzinfo=BEIJING))
PAGE = RawPage(1, SEEN, b'{"code": 0}\n\xff\x00 anything')
NAME = "slice-00/pass-1/page-00001.json.gz"


@pytest.fixture(params=["pathlib", "file", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The three kinds of place a page store may be."""
    if request.param == "pathlib":
        return tmp_path
    if request.param == "file":
        return ObjectStoragePath(f"file://{tmp_path}")
    return ObjectStoragePath(f"memory://pages-{tmp_path.name}")


@pytest.fixture
def folder(root: Any) -> RunFolder:
    return RunFolder.of(root, shop_id=APP_ID, resource="orders", window=WINDOW, run_id="scheduled__2026-11-20")


@pytest.fixture
def on_disk(tmp_path: Path) -> RunFolder:
    return RunFolder.of(tmp_path, shop_id=APP_ID, resource="orders", window=WINDOW, run_id="run")


def manifest(**changes: Any) -> Manifest:
    part = SliceManifest(
        begin=WINDOW.begin,
        end=WINDOW.end,
        api_total=1,
        staged=1,
        passes=1,
        pages=[NAME],
        observed_at=SEEN,
    )
    fields = {
        "shop_id": APP_ID,
        "resource": "orders",
        "mode": "history",
        "run_id": "run 中",
        "moves_watermark": False,
        "slices": [part],
        "calls": {"calls": 3},
    }
    return Manifest(**{**fields, **changes})


# --- pages ---------------------------------------------------------------------------------------------


def test_a_page_comes_back_as_it_was_stored(folder: RunFolder) -> None:
    folder.write_page(NAME, PAGE)
    assert folder.read_page(NAME) == PAGE


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(), st.integers(1, 99_999), st.datetimes(timezones=st.just(timezone.utc)))
def test_any_body_comes_back_byte_for_byte(on_disk: RunFolder, body: bytes, index: int, seen: datetime) -> None:
    page = RawPage(index, seen, body)
    name = on_disk.page_name(0, 1, index)
    on_disk.write_page(name, page)
    assert on_disk.read_page(name) == page


def test_a_page_that_is_not_there_is_none(folder: RunFolder) -> None:
    assert folder.read_page(NAME) is None


@pytest.mark.parametrize("cut", [0, 1, 10, -8, -1])
def test_a_page_that_was_cut_is_none(on_disk: RunFolder, cut: int) -> None:
    on_disk.write_page(NAME, PAGE)
    file = on_disk.path / NAME
    file.write_bytes(file.read_bytes()[:cut])
    assert on_disk.read_page(NAME) is None


@pytest.mark.parametrize("content", [b"garbage", b"<html>", gzip.compress(b"x" * 100, mtime=0)[:-4] + b"\0\0\0\0"])
def test_a_page_that_was_damaged_is_none(on_disk: RunFolder, content: bytes) -> None:
    on_disk.write_page(NAME, PAGE)
    (on_disk.path / NAME).write_bytes(content)
    assert on_disk.read_page(NAME) is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_never_gives_another_page(on_disk: RunFolder, data: st.DataObject) -> None:
    """Bits of the gzip header may flip unseen; what comes back is the page, or nothing."""
    on_disk.write_page(NAME, PAGE)
    file = on_disk.path / NAME
    packed = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(packed)
    assert on_disk.read_page(NAME) in (None, PAGE)


def test_a_page_that_expands_beyond_reason_is_refused(on_disk: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk.write_page(NAME, RawPage(1, SEEN, b"0" * 2_000_000))
    assert (on_disk.path / NAME).stat().st_size < 10_000
    monkeypatch.setenv("XIAOE_MAX_PAGE_MB", "1")
    with pytest.raises(XiaoeConfigError, match=r"expands to more than 1048576 bytes.*raise XIAOE_MAX_PAGE_MB"):
        on_disk.read_page(NAME)


def test_the_same_page_makes_the_same_file(on_disk: RunFolder) -> None:
    for name in ("a", "b"):
        on_disk.write_page(name, PAGE)
    assert (on_disk.path / "a").read_bytes() == (on_disk.path / "b").read_bytes()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_writer_killed_before_the_rename_leaves_no_page(on_disk: RunFolder) -> None:
    """A real process, a real SIGKILL, at the worst moment."""
    child = os.fork()
    if child == 0:
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment,misc]
        on_disk.write_page(NAME, PAGE)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert [file.suffix for file in (on_disk.path / NAME).parent.iterdir()] == [".part"]
    assert on_disk.read_page(NAME) is None
    assert list(on_disk.stored_pages(0, 1)) == []
    on_disk.write_page(NAME, PAGE)
    assert on_disk.read_page(NAME) == PAGE
    on_disk.clear()
    assert not on_disk.path.exists()


def test_a_failed_write_leaves_the_old_page(on_disk: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk.write_page(NAME, PAGE)

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        on_disk.write_page(NAME, RawPage(1, SEEN, b"new"))
    assert on_disk.read_page(NAME) == PAGE


# --- what an earlier try left --------------------------------------------------------------------------


def write_pages(folder: RunFolder, *indexes: int, slice_number: int = 0, pass_number: int = 1) -> None:
    for index in indexes:
        name = folder.page_name(slice_number, pass_number, index)
        folder.write_page(name, RawPage(index, SEEN, b"body %d" % index))


def test_stored_pages_go_up_to_the_first_gap(folder: RunFolder) -> None:
    write_pages(folder, 1, 2, 3, 5)
    write_pages(folder, 1, slice_number=1)
    found = list(folder.stored_pages(0, 1))
    assert [(name, page.index, page.body) for name, page in found] == [
        (f"slice-00/pass-1/page-0000{index}.json.gz", index, b"body %d" % index) for index in (1, 2, 3)
    ]
    assert list(folder.stored_pages(0, 2)) == []


def test_stored_pages_end_before_a_damaged_one(on_disk: RunFolder) -> None:
    write_pages(on_disk, 1, 2, 3)
    (on_disk.path / on_disk.page_name(0, 1, 2)).write_bytes(b"damaged")
    assert [page.index for _, page in on_disk.stored_pages(0, 1)] == [1]


def test_finished_passes_are_counted_from_the_first_on(folder: RunFolder) -> None:
    assert folder.finished_passes(0) == 0
    for number in (1, 2, 4):
        folder.finish_pass(0, number)
    assert folder.finished_passes(0) == 2
    assert folder.finished_passes(1) == 0


def test_clearing_a_slice_leaves_the_others(folder: RunFolder) -> None:
    write_pages(folder, 1)
    folder.finish_pass(0, 1)
    write_pages(folder, 1, slice_number=1)
    folder.clear_slice(0)
    assert list(folder.stored_pages(0, 1)) == []
    assert folder.finished_passes(0) == 0
    assert [page.index for _, page in folder.stored_pages(1, 1)] == [1]


def test_clearing_a_run_leaves_the_other_runs(root: Any) -> None:
    runs = [RunFolder.of(root, shop_id=APP_ID, resource="orders", window=WINDOW, run_id=name) for name in "ab"]
    for run in runs:
        write_pages(run, 1, 2)
        run.write_manifest(manifest())
    runs[0].clear()
    runs[0].clear()
    assert list(runs[0].stored_pages(0, 1)) == []
    assert not runs[0].manifest_path.exists()
    assert len(list(runs[1].stored_pages(0, 1))) == 2
    assert runs[1].read_manifest() == manifest()


# --- the manifest --------------------------------------------------------------------------------------


def test_a_manifest_comes_back_as_it_was_written(folder: RunFolder) -> None:
    assert folder.write_manifest(manifest()) == str(folder.manifest_path)
    assert folder.read_manifest() == manifest()


def test_a_look_up_comes_back_with_what_was_not_listed(folder: RunFolder) -> None:
    about = manifest(is_lookup=True, not_listed=["o_1", "o_2 中"])
    folder.write_manifest(about)
    assert folder.read_manifest() == about
    assert about.batch_id == manifest().batch_id


def test_a_manifest_of_an_older_version_is_no_look_up(folder: RunFolder) -> None:
    """TaskRunner that were staged before the fields came in can still be merged."""
    folder.write_manifest(manifest())
    content = json.loads(folder.manifest_path.read_bytes())
    del content["is_lookup"], content["not_listed"]
    folder.manifest_path.write_bytes(json.dumps(content).encode())
    assert folder.read_manifest() == manifest()
    assert not folder.read_manifest().is_lookup


WRITTEN_BEFORE = """{
 "shop_id": "app1",
 "resource": "orders",
 "mode": "history",
 "run_id": "run 中",
 "moves_watermark": false,
 "slices": [
  {
   "begin": "2026-11-13T00:00:00+08:00",
   "end": "2026-11-19T00:00:00+08:00",
   "api_total": 1,
   "staged": 1,
   "passes": 1,
   "pages": [
    "slice-00/pass-1/page-00001.json.gz"
   ],
   "observed_at": "2026-11-20T04:00:00.123000+00:00"
  }
 ],
 "calls": {
  "calls": 3
 },
 "is_lookup": false,
 "not_listed": [],
 "started_at": "2026-11-20T03:59:00+00:00",
 "staged_at": null
}"""
"""As releases wrote it whose manifests held times as text; they read with `datetime.fromisoformat`."""


def test_a_manifest_of_times_as_text_is_read_and_written_alike(folder: RunFolder) -> None:
    """A checkout may be updated, and taken back, while a run waits for its merge."""
    folder.manifest_path.parent.mkdir(parents=True, exist_ok=True)
    folder.manifest_path.write_bytes(WRITTEN_BEFORE.encode())
    read = folder.read_manifest()
    assert read.slices[0].window == Window(WINDOW.begin, WINDOW.begin + timedelta(days=6))
    started = datetime(2026, 11, 20, 3, 59, tzinfo=timezone.utc)
    assert (read.observed_at, read.started_at, read.staged_at) == (SEEN, started, None)
    folder.write_manifest(read)
    assert folder.manifest_path.read_bytes() == WRITTEN_BEFORE.encode()


names = st.builds("slice-{:02d}/pass-{}/page-{:05d}.json.gz".format, st.integers(0, 200), *[st.integers(1, 10**6)] * 2)


@given(
    st.text(max_size=20),
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 5), st.lists(names)), min_size=1),
)
def test_any_manifest_survives_json(run_id: str, parts: list[tuple[int, int, list[str]]]) -> None:
    folder = RunFolder(ObjectStoragePath("memory://manifests/any"))
    slices = [
        SliceManifest(
            begin=WINDOW.begin + timedelta(days=number),
            end=WINDOW.begin + timedelta(days=number + 1),
            api_total=total,
            staged=total,
            passes=passes,
            pages=names,
            observed_at=SEEN,
        )
        for number, (total, passes, names) in enumerate(parts)
    ]
    folder.write_manifest(manifest(run_id=run_id, slices=slices))
    read = folder.read_manifest()
    assert read == manifest(run_id=run_id, slices=slices)
    assert read.window == Window(WINDOW.begin, WINDOW.begin + timedelta(days=len(parts)))


def test_a_missing_manifest_says_what_to_do(folder: RunFolder) -> None:
    with pytest.raises(XiaoeConfigError, match=r"no manifest at .*manifest\.json: clear the stage task"):
        folder.read_manifest()


@pytest.mark.parametrize(
    "change",
    [
        lambda known: [],
        lambda known: {**known, "written_by": "a newer release"},
        lambda known: {name: value for name, value in known.items() if name != "mode"},
        lambda known: {**known, "slices": []},
        lambda known: {**known, "slices": [{**known["slices"][0], "begin": "yesterday"}]},
        lambda known: {**known, "slices": [{**known["slices"][0], "observed_at": None}]},
        lambda known: {**known, "slices": [{**known["slices"][0], "end": "2026-11-20T00:00:00"}]},
        lambda known: {**known, "slices": [{**known["slices"][0], "pages": [1]}]},
    ],
)
def test_a_manifest_that_is_none_says_what_to_do(change: Callable[[Any], Any], folder: RunFolder) -> None:
    folder.write_manifest(manifest())
    folder.manifest_path.write_text(json.dumps(change(json.loads(folder.manifest_path.read_text()))))
    with pytest.raises(XiaoeConfigError, match=r"manifest\.json is no manifest that .* clear the stage task"):
        folder.read_manifest()
    folder.manifest_path.write_bytes(b'{"shop_id": "app')
    with pytest.raises(XiaoeConfigError, match=r"manifest\.json is no manifest that .* clear the stage task"):
        folder.read_manifest()


def test_a_batch_is_the_same_for_every_try_and_differs_between_runs_modes_and_shops() -> None:
    assert manifest().batch_id == manifest(calls={}, slices=[]).batch_id
    others = [manifest(run_id="other"), manifest(mode="rescan"), manifest(shop_id="app2"), manifest(resource="users")]
    assert len({one.batch_id for one in [manifest(), *others]}) == 5
    assert all(len(one.batch_id) == 16 for one in others)


# --- names ---------------------------------------------------------------------------------------------


@given(st.text(max_size=300))
def test_any_run_id_makes_one_safe_folder_name(run_id: str) -> None:
    folder = RunFolder.of(Path("/store"), shop_id=APP_ID, resource="orders", window=WINDOW, run_id=run_id)
    place = folder.path.relative_to("/store")
    assert place.parts[:3] == (APP_ID, "orders", "20261113T000000_20261120T000000")
    assert len(place.parts) == 4
    assert place.parts[3].isascii()
    assert len(place.parts[3]) <= 100
    assert not set(place.parts[3]) & set('/\\:*?"<>|+ %\0\n')
    assert place.parts[3].strip(".") not in ("", ".", "..")


@given(st.text(max_size=100), st.text(max_size=100))
def test_two_run_ids_have_two_folders(left: str, right: str) -> None:
    paths = {
        RunFolder.of(Path("/store"), shop_id=APP_ID, resource="orders", window=WINDOW, run_id=name).path
        for name in (left, right)
    }
    assert len(paths) == len({left, right})


@pytest.mark.parametrize("run_id", ["../../etc", "manual__2026-11-20T04:00:00+00:00", "回填 1", ".", "a/b", "x" * 250])
def test_a_run_with_an_odd_id_can_be_written_and_read(root: Any, run_id: str) -> None:
    folder = RunFolder.of(root, shop_id=APP_ID, resource="orders", window=WINDOW, run_id=run_id)
    write_pages(folder, 1)
    folder.write_manifest(manifest(run_id=run_id))
    assert folder.read_manifest().run_id == run_id
    # the merge finds it by the path that the stage task returned
    again = RunFolder(ObjectStoragePath(str(folder.path)))
    assert again.read_manifest().run_id == run_id
    assert [page.index for _, page in again.stored_pages(0, 1)] == [1]


def test_slices_and_pages_sort_by_name(on_disk: RunFolder) -> None:
    names = [on_disk.page_name(slice_number, 1, index) for slice_number in (2, 10) for index in (9, 10, 12_345)]
    assert names == sorted(names)


def test_a_page_knows_when_it_was_seen_to_the_millisecond() -> None:
    now = utc_now()
    assert now.utcoffset() == timedelta(0)
    assert now.microsecond % 1000 == 0


def test_a_page_can_be_read_with_zcat(on_disk: RunFolder) -> None:
    """Whoever looks into the store at night has no Python at hand."""
    on_disk.write_page(NAME, RawPage(7, SEEN, b'{"code":0}'))
    zcat = shutil.which("zcat")
    assert zcat
    shown = subprocess.run([zcat, on_disk.path / NAME], capture_output=True, check=True).stdout
    head, body = shown.split(b"\n", 1)
    assert json.loads(head) == {"index": 7, "observed_at": "2026-11-20T04:00:00.123000+00:00"}
    assert body == b'{"code":0}'

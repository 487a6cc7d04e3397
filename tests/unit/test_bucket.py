"""The page store in a bucket, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk import ObjectStoragePath

from support.servers.bucket import KEY_ID, SECRET, Bucket, bucket
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.storage.manifest import Manifest, SliceManifest
from xiaoe.storage.pages import RawPage, RunFolder
from xiaoe.windows import Window

NOW = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
WINDOW = Window(NOW - timedelta(days=1), NOW)
ROOT = "s3://store@data/pages"

pytest.importorskip("obstore")


def connection(url: str, **fields: str) -> str:
    return json.dumps(
        {"conn_type": "aws", "login": KEY_ID, "password": SECRET, "extra": {"endpoint_url": url}, **fields}
    )


@pytest.fixture(scope="module")
def running() -> Iterator[Bucket]:
    with bucket() as store:  # one for all: Airflow keeps the file system of a connection
        yield store


@pytest.fixture
def store(running: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("AIRFLOW_CONN_STORE", connection(running.url))
    running.objects.clear()
    return running


def folder(run_id: str = "run") -> RunFolder:
    return RunFolder.of(ObjectStoragePath(ROOT), shop_id="app1", resource="orders", window=WINDOW, run_id=run_id)


def manifest() -> Manifest:
    page = "slice-00/pass-1/page-00001.json.gz"
    part = SliceManifest(WINDOW.begin, WINDOW.end, 1, 1, 1, [page], NOW)
    return Manifest("app1", "orders", "rescan", "run", False, [part])


def test_what_is_written_is_read_again_by_another_task(store: Bucket) -> None:
    written = folder()
    pages = [RawPage(number, NOW, b'{"n": %d}' % number) for number in (1, 2)]
    for page in pages:
        written.write_page(written.page_name(0, 1, page.index), page)
    written.finish_pass(0, 1)
    place = written.write_manifest(manifest())

    handed_over = RunFolder(ObjectStoragePath(place).parent)
    assert handed_over.read_manifest() == manifest()
    assert [page for _, page in handed_over.stored_pages(0, 1)] == pages
    assert handed_over.finished_passes(0) == 1
    assert all(key.startswith("data/pages/app1/orders/") for key in store.objects)


def test_a_page_that_is_not_there_is_none_and_a_manifest_an_error(store: Bucket) -> None:
    assert folder().read_page(folder().page_name(0, 1, 1)) is None
    with pytest.raises(XiaoeConfigError, match="clear the stage task"):
        folder().read_manifest()


def test_clearing_removes_the_run_and_nothing_else(store: Bucket) -> None:
    for run in ("run", "other"):
        for number in (1, 2, 3):
            name = folder(run).page_name(0, 1, number)
            folder(run).write_page(name, RawPage(number, NOW, b"{}"))
        folder(run).write_manifest(manifest())
    folder("run").clear_slice(0)
    assert len(store.objects) == 5
    folder("run").clear()
    assert len(store.objects) == 4
    assert all("/other." in key for key in store.objects)
    folder("run").clear()


def test_a_wrong_key_is_refused(store: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", connection(store.url, login="somebody-else"))
    path = ObjectStoragePath("s3://other@data/pages/file")
    with pytest.raises(Exception, match="InvalidAccessKeyId"):
        path.write_bytes(b"")
    assert store.objects == {}


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("s3://no_login@data/pages", "connection no_login: login is empty"),
        ("s3://no_password@data/pages", "connection no_password: password is empty"),
        ("s3://data/pages", "s3://CONNECTION@BUCKET"),
    ],
)
def test_what_is_wrong_with_the_connection_is_said(
    url: str, complaint: str, store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NO_LOGIN", connection(store.url, login=""))
    monkeypatch.setenv("AIRFLOW_CONN_NO_PASSWORD", connection(store.url, password=""))
    with pytest.raises(XiaoeConfigError, match=complaint):
        ObjectStoragePath(url).fs.exists(url)

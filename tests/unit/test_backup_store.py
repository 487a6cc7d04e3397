"""Which backups stay, how they are encrypted and written; no database."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyrage
import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.backup.key import Key
from xiaoe.backup.restore import opened
from xiaoe.backup.retention import Backup, drill_is_due, to_remove
from xiaoe.backup.store import BackupManifest, BackupStore
from xiaoe.backup.tables import Content
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError

NOON = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
MANIFEST = BackupManifest(
    "xiaoe", "9.7.4", NOON.isoformat(), NOON.isoformat(), "f", 3, "0" * 64, None, [], {"orders": Content(2, "ab")}
)


# --- retention -----------------------------------------------------------------------------------------

backups = st.lists(
    st.builds(
        lambda minutes, good: Backup(f"b{minutes}", NOON - timedelta(minutes=minutes), good),
        st.integers(0, 60 * 24 * 800),
        st.booleans() | st.just(True),
    ),
    max_size=60,
    unique_by=lambda one: one.url,
)


@given(backups, st.integers(1, 20), st.integers(0, 12))
def test_the_newest_good_backup_stays_and_no_more_than_wanted(known: list[Backup], days: int, months: int) -> None:
    gone = to_remove(known, days=days, months=months)
    kept = [one for one in known if one not in gone]
    good = sorted((one for one in known if one.is_good), key=lambda one: one.made_at)
    assert set(gone) <= set(known)
    assert not good or good[-1] in kept
    assert len([one for one in kept if one.is_good]) <= days + months
    assert to_remove(kept, days=days, months=months) == []


@given(backups, st.integers(1, 20), st.integers(0, 12))
def test_each_of_the_last_days_and_months_keeps_its_newest(known: list[Backup], days: int, months: int) -> None:
    gone = set(to_remove(known, days=days, months=months))
    good = [one for one in known if one.is_good]
    for number, form in ((days, "%Y-%m-%d"), (months, "%Y-%m")):
        spans = sorted({f"{one.made_at:{form}}" for one in good})
        for span in spans[len(spans) - min(number, len(spans)) :]:
            newest = max((one for one in good if f"{one.made_at:{form}}" == span), key=lambda one: one.made_at)
            assert newest not in gone


@given(backups, st.integers(1, 20), st.integers(0, 12))
def test_cleaning_up_every_day_keeps_what_cleaning_up_once_keeps(known: list[Backup], days: int, months: int) -> None:
    """A backup that will be a month's one day is not removed before."""
    good = sorted((one for one in known if one.is_good), key=lambda one: one.made_at)
    held: list[Backup] = []
    for one in good:
        held.append(one)
        gone = to_remove(held, days=days, months=months)
        held = [other for other in held if other not in gone]
    at_once = set(to_remove(good, days=days, months=months))
    assert held == [one for one in good if one not in at_once]


def test_two_years_of_nights() -> None:
    nights = [Backup(f"{number}", NOON - timedelta(days=number)) for number in range(730)]
    gone = to_remove(nights, days=14, months=6)
    kept = [f"{one.made_at:%m-%d}" for one in nights if one not in gone]
    assert kept == [f"11-{day:02d}" for day in range(20, 6, -1)] + ["10-31", "09-30", "08-31", "07-31", "06-30"]


def test_a_backup_that_could_not_be_restored_takes_no_place() -> None:
    good, bad = Backup("good", NOON - timedelta(days=2)), Backup("bad", NOON, is_good=False)
    assert to_remove([good, bad], days=1, months=0) == []
    newer = Backup("newer", NOON + timedelta(days=1))
    assert to_remove([good, bad, newer], days=1, months=0) == [good, bad]
    assert to_remove([bad], days=1, months=0) == [], "it may be all there is"


def test_a_drill_is_due_once_a_week() -> None:
    assert drill_is_due(None, NOON)
    assert not drill_is_due(NOON - timedelta(days=6), NOON)
    assert drill_is_due(NOON - timedelta(days=6, hours=23, minutes=50), NOON), "yesterday's began ten minutes later"


# --- the key -------------------------------------------------------------------------------------------


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Key:
    return new_key(monkeypatch)


def new_key(monkeypatch: pytest.MonkeyPatch, conn_id: str = "backup_key") -> Key:
    secret = str(pyrage.x25519.Identity.generate())
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "generic", "password": secret}))
    return Key(conn_id)


def test_what_is_encrypted_comes_back_with_the_key_only(key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = [b"a" * 100_000, b"", b"b" * 70_000, b"c"]
    file, plain = io.BytesIO(), io.BytesIO()
    key.encrypt(iter(chunks), file)
    assert b"aaaa" not in file.getvalue()
    file.seek(0)
    key.decrypt(file, plain)
    assert plain.getvalue() == b"".join(chunks)
    file.seek(0)
    with pytest.raises(XiaoeConfigError, match="encrypted for another key"):
        new_key(monkeypatch, "other").decrypt(file, io.BytesIO())


def test_an_error_on_the_way_comes_out_as_it_is(key: Key) -> None:
    def rows() -> Iterator[bytes]:
        yield b"one"
        raise LookupError("the database went away")

    with pytest.raises(LookupError, match="went away"):
        key.encrypt(rows(), io.BytesIO())
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
        key.encrypt(iter([b"x" * 100_000]), full)


def test_a_wrong_key_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BACKUP_KEY", '{"conn_type": "generic", "password": "AGE-SECRET-KEY-1NOPE"}')
    message = r"connection backup_key: its password \(not shown\) is not an age key"
    with pytest.raises(XiaoeConfigError, match=message) as caught:
        Key("backup_key")
    assert "NOPE" not in str(caught.value)
    with pytest.raises(XiaoeConfigError, match="XIAOE_BACKUP_KEY_CONN_ID='nobody'"):
        Key("nobody")


# --- the store -----------------------------------------------------------------------------------------


def test_a_file_without_a_manifest_is_no_backup(tmp_path: Path) -> None:
    store = BackupStore(tmp_path, "xiaoe")
    assert store.backups() == []
    name = store.name(NOON, encrypted=False)
    assert name == "xiaoe-20261120T040000000Z.sql.gz"
    size, _ = store.write(name, [b"one\n", b"two\n"], None)
    assert store.backups() == []
    store.finish(replace(MANIFEST, file=name))
    [(path, manifest)] = store.backups()
    assert gzip.decompress(path.read_bytes()) == b"one\ntwo\n"
    assert (size, manifest.tables, manifest.rows) == (path.stat().st_size, {"orders": Content(2, "ab")}, 2)
    store.remove(Backup(str(path), NOON))
    assert list(store.folder.iterdir()) == []
    store.remove(Backup(str(path), NOON))


def test_a_broken_write_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[bytes]:
        yield os.urandom(1 << 20)
        raise KeyboardInterrupt

    store = BackupStore(tmp_path, "xiaoe")
    with pytest.raises(KeyboardInterrupt):
        store.write("xiaoe-1.sql.gz", rows(), None)
    assert list(store.folder.iterdir()) == []


def test_what_a_killed_run_left_is_found_when_it_is_old(tmp_path: Path) -> None:
    store = BackupStore(tmp_path, "xiaoe")
    store.write("xiaoe-whole.sql.gz", [b"x"], None)
    store.finish(replace(MANIFEST, file="xiaoe-whole.sql.gz"))
    store.write("xiaoe-lonely.sql.gz", [b"x"], None)
    (store.folder / "xiaoe-half.sql.gz.part").write_bytes(b"x")
    (store.folder / "notes.txt").write_bytes(b"somebody else's")
    now = datetime.now(timezone.utc)
    assert store.abandoned(now) == []
    found = store.abandoned(now + timedelta(days=3))
    assert sorted(path.name for path in found) == ["xiaoe-half.sql.gz.part", "xiaoe-lonely.sql.gz"]


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    store = BackupStore(tmp_path, "xiaoe")
    store.folder.mkdir()
    (store.folder / f"xiaoe-1.sql.gz.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(XiaoeConfigError, match=r"XIAOE_BACKUP_STORE=.*No space left.*KEEP_DAYS"):
        store.write("xiaoe-1.sql.gz", [os.urandom(1 << 20)], None)
    assert list(store.folder.iterdir()) == []


def test_a_store_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    store = BackupStore(tmp_path / "xiaoe-backups", "xiaoe")
    with nobody(), pytest.raises(XiaoeConfigError, match=r"XIAOE_BACKUP_STORE=.*Permission denied.*write there"):
        store.write("xiaoe-1.sql.gz", [b"x"], None)
    tmp_path.chmod(0o755)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_manifest_is_said(tmp_path: Path) -> None:
    store = BackupStore(tmp_path, "xiaoe")
    store.folder.mkdir()
    (store.folder / "xiaoe-1.sql.gz.json").write_text('{"tables": {"orders": {"rows": 1}}}')
    with pytest.raises(XiaoeConfigError, match="not the manifest of a backup"):
        store.backups()


@contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of root, if the tests have them."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_bucket_takes_and_gives_backups(key: Key) -> None:
    """A store that is no disk; here one in memory."""
    attach("memory", fs=MemoryFileSystem())
    store = BackupStore(ObjectStoragePath("memory://bucket/backups"), "xiaoe")
    name = store.name(NOON, encrypted=True)
    size, sha256 = store.write(name, [b"SELECT 1;\n"], key)
    manifest = replace(MANIFEST, file=name, bytes=size, sha256=sha256, recipient=key.recipient)
    assert store.backups() == []
    store.finish(manifest)
    [(path, found)] = store.backups()
    assert found == manifest
    with opened(path, found, key) as file:
        assert gzip.decompress(file.read()) == b"SELECT 1;\n"
    assert store.abandoned(datetime.now(timezone.utc) + timedelta(days=3)) == []
    store.remove(Backup(str(path), NOON))
    assert store.backups() == []

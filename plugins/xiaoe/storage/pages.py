"""The page store: raw answers of the API, kept until retention removes them.

    <root>/<shop>/<resource>/<window>/<run>/slice-00/pass-1/page-00001.json.gz
    <root>/<shop>/<resource>/<window>/<run>/manifest.json

A page is gzip of two parts: one line of JSON (page number, `observed_at`) and the body byte for byte. A file is there
whole or not at all; a damaged page counts as missing. The manifest is written last: where there is one, the window was
read completely. A slice that was halved has a file `halved`; its halves lie beside it in `slice-00-0` and `slice-00-1`,
theirs in `slice-00-00` and so on. Where each parent has a list, each is a slice; `parents.json` has their order. Whole
lists are stored under a window that begins in 2000, orders that were looked up by id under `orders` in a run `late-…`
or `hints-…`.

Does not import Airflow; `root` may be a `pathlib.Path` or anything with its interface (`ObjectStoragePath`).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from isal import isal_zlib

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.rows.children import Parent
from xiaoe.storage import files
from xiaoe.storage.files import is_local, local_name, remove_tree, write_whole
from xiaoe.storage.manifest import Manifest
from xiaoe.windows import Window, span

_COMPRESSION = 3
_HALVED = "halved"
_PARENTS = "parents.json"
_MAX_HEAD = 1024
"""Bytes of the line about a page."""
_PAGE = re.compile(r"slice-\d{2,}(-[01]+)?/pass-\d+/page-\d{5,}\.json\.gz")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class RawPage:
    """One page as it was fetched.

    Args:
        index: From 1.
        observed_at: UTC, before the request was sent: the rows are as of this moment or later.
        body: The response's bytes.
    """

    index: int
    observed_at: datetime
    body: bytes


class RunFolder:
    """The pages and the manifest of one shop, resource, window and run."""

    def __init__(self, path: Any) -> None:
        self.path = path
        # Airflow's ObjectStoragePath takes 0.2 ms to find a file on a disk, longer than reading it.
        self._files = Path(local_name(path)) if self.is_local else path

    @classmethod
    def of(cls, root: Any, *, shop_id: str, resource: str, window: Window, run_id: str) -> RunFolder:
        """The folder of a run. Unsafe characters of the run id are replaced; a digest keeps two ids apart."""
        digest = blake2b(run_id.encode(), digest_size=4).hexdigest()
        return cls(root / shop_id / resource / span(window) / f"{_UNSAFE.sub('-', run_id)[:80]}.{digest}")

    @property
    def is_local(self) -> bool:
        """Whether the pages are on a disk, not in a bucket: reading one takes microseconds, not a round trip."""
        return is_local(self.path)

    def page_name(self, slice_number: int, pass_number: int, index: int, *, part: str = "") -> str:
        """A page's path, relative to the folder; `part` as in the folder's name, e.g. `01`."""
        return f"{_slice(slice_number, part)}/pass-{pass_number}/page-{index:05d}.json.gz"

    def write_page(self, name: str, page: RawPage) -> None:
        """Write one page, whole or not at all."""
        head = {"index": page.index, "observed_at": page.observed_at.isoformat()}
        write_whole(
            self._files / name,
            gzip.compress(json.dumps(head).encode() + b"\n" + page.body, _COMPRESSION, mtime=0),
        )

    def read_page(self, name: str) -> RawPage | None:
        """Read one page; None if it is missing or damaged.

        Raises:
            XiaoeConfigError: It expands to more than `XIAOE_MAX_PAGE_MB`: a decompression bomb, or a fault.
        """
        try:
            with files.explained(self._files / name):
                packed = (self._files / name).read_bytes()
        except FileNotFoundError:
            return None
        inflate, largest = isal_zlib.decompressobj(wbits=31), settings.max_page_bytes()
        try:
            content = inflate.decompress(packed, largest + _MAX_HEAD)
        except isal_zlib.error:  # type: ignore[misc]  # its stub takes a class for an instance
            return None
        if inflate.unconsumed_tail:
            raise XiaoeConfigError(
                f"{self._files / name} expands to more than {largest} bytes: no page of this API does. Remove it and"
                " clear the stage task; check who else can write to the page store. If it is a page, raise"
                " XIAOE_MAX_PAGE_MB"
            )
        if not inflate.eof:
            return None
        head, _, body = content.partition(b"\n")
        about = json.loads(head)
        return RawPage(about["index"], datetime.fromisoformat(about["observed_at"]), body)

    def finished_passes(self, slice_number: int, *, part: str = "") -> int:
        """How many passes over a slice are finished."""
        number = 0
        while (self._files / self._pass_mark(slice_number, number + 1, part)).exists():
            number += 1
        return number

    def finish_pass(self, slice_number: int, pass_number: int, *, part: str = "") -> None:
        """Mark a pass over a slice as finished."""
        write_whole(self._files / self._pass_mark(slice_number, pass_number, part), b"")

    def is_halved(self, slice_number: int, *, part: str = "") -> bool:
        """Whether a slice is read in two parts."""
        return bool((self._files / _slice(slice_number, part) / _HALVED).exists())

    def mark_halved(self, slice_number: int, *, part: str = "") -> None:
        """Note that a slice is read in two parts: a later try does not ask for it as one again."""
        write_whole(self._files / _slice(slice_number, part) / _HALVED, b"")

    def stored_pages(self, slice_number: int, pass_number: int, *, part: str = "") -> Iterator[tuple[str, RawPage]]:
        """Names and pages of one pass, from the first to the last before a missing or damaged one."""
        index = 1
        while (page := self.read_page(name := self.page_name(slice_number, pass_number, index, part=part))) is not None:
            yield name, page
            index += 1

    def keep_parents(self, parents: list[Parent]) -> list[Parent]:
        """The parents of the run's first try, in their order: a slice is found again by its number.

        Args:
            parents: What is due now; kept if this is the first try.
        """
        path = self._files / _PARENTS
        if not path.exists():
            write_whole(path, msgspec.json.encode(parents))
            return parents
        return msgspec.json.decode(path.read_bytes(), type=list[Parent])

    def write_manifest(self, manifest: Manifest) -> str:
        """Write the manifest, the last file of a run, and return its path."""
        write_whole(self.manifest_path, manifest.to_json())
        return str(self.manifest_path)

    def read_manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            XiaoeConfigError: It is missing, unreadable, or names a file that is no page of the run.
        """
        try:
            manifest = msgspec.json.decode(self.manifest_path.read_bytes(), type=Manifest)
        except FileNotFoundError:
            raise XiaoeConfigError(
                f"no manifest at {self.manifest_path}: clear the stage task, it reads the window again"
                " (was the page store moved or cleaned? XIAOE_PAGE_STORE has to be one place for all workers)"
            ) from None
        except (ValueError, RecursionError) as error:
            raise XiaoeConfigError(
                f"{self.manifest_path} is no manifest that this version can read ({error}): update the"
                " checkout if a newer one wrote it, else clear the stage task, it reads the window again"
            ) from None
        names = (name for slice_ in manifest.slices for name in slice_.pages)
        if foreign := next((name for name in names if not _PAGE.fullmatch(name)), None):
            raise XiaoeConfigError(
                f"{self.manifest_path} names no page of its own run: {foreign!r}. No release writes that: check who"
                " else can write to the page store, remove the folder, and clear the stage task"
            )
        return manifest

    def clear(self) -> None:
        """Remove everything, before the window is read again."""
        if self._files.exists():
            remove_tree(self._files)

    def clear_slice(self, slice_number: int, *, part: str = "") -> None:
        """Remove the pages of one slice; not those of its parts."""
        remove_tree(self._files / _slice(slice_number, part))

    @property
    def manifest_path(self) -> Any:
        """Where the manifest is, or will be."""
        return self.path / "manifest.json"

    @staticmethod
    def _pass_mark(slice_number: int, pass_number: int, part: str) -> str:
        return f"{_slice(slice_number, part)}/pass-{pass_number}/finished"


def _slice(number: int, part: str) -> str:
    return f"slice-{number:02d}-{part}" if part else f"slice-{number:02d}"


def run_folders(root: Any) -> Iterator[RunFolder]:
    """All run folders of a page store, shop by shop."""
    level = [root] if root.exists() else []
    for _ in range(4):  # shop, resource, window, run
        level = [child for parent in level for child in sorted(parent.iterdir(), key=str) if child.is_dir()]
    yield from map(RunFolder, level)

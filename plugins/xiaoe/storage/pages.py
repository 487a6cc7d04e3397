"""The page store: raw answers of the API, kept until retention removes them.

    <root>/<shop>/<resource>/<window>/<run>/slice-00/pass-1/page-00001.json.gz
    <root>/<shop>/<resource>/<window>/<run>/manifest.json

A page is gzip of two parts: one line of JSON about the page, then the body as it came. A file is there
whole or not at all. The manifest comes last: where there is one, the window was read completely.
Knows no Airflow; `root` may be a `pathlib.Path` or anything with its interface (`ObjectStoragePath`).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from isal import isal_zlib

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.storage import files
from xiaoe.storage.files import is_local, local_name, remove_tree, write_whole
from xiaoe.windows import Window, span

_COMPRESSION = 3
_LONGEST_HEAD = 1024
"""Bytes of the line about a page, at most."""
_PAGE = re.compile(r"slice-\d{2,}/pass-\d+/page-\d{5,}\.json\.gz")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class StoredPage:
    """One page as it was fetched.

    Args:
        index: From 1.
        observed_at: UTC, before the request was sent.
        body: The answer's bytes.
    """

    index: int
    observed_at: datetime
    body: bytes


@dataclass(frozen=True)
class SliceManifest:
    """What was read for one slice of a window.

    Args:
        begin: ISO time of the slice's start, with offset.
        end: Its end, not included.
        api_total: Rows that the API says there are.
        staged: Distinct keys in the pages.
        passes: How often the slice was read until it added up.
        pages: Paths of the pages, relative to the run's folder, in the order they were fetched.
        observed_at: UTC, the earliest page's; ISO.
    """

    begin: str
    end: str
    api_total: int
    staged: int
    passes: int
    pages: list[str]
    observed_at: str

    @property
    def window(self) -> Window:
        """The slice's window."""
        return Window(datetime.fromisoformat(self.begin), datetime.fromisoformat(self.end))


@dataclass(frozen=True)
class Manifest:
    """A whole window, read completely: all that a merge needs to know.

    Args:
        shop_id: The shop.
        resource: Name of the resource.
        mode: How the window was chosen, e.g. `incremental` or `history`.
        run_id: Airflow's run.
        moves_watermark: Whether the watermark moves to the window's end with the merge.
        slices: Oldest first.
        calls: What the window cost: calls, retries, token refreshes, milliseconds waited for a retry.
        is_lookup: Single rows were asked for by key; they say nothing of the rest of the window.
        not_listed: Keys that were asked for and that the API did not list.
        started_at: When reading began, UTC; ISO. None in manifests of earlier releases.
        staged_at: When the last page was there; the same.
    """

    shop_id: str
    resource: str
    mode: str
    run_id: str
    moves_watermark: bool
    slices: list[SliceManifest]
    calls: dict[str, int] = field(default_factory=dict)
    is_lookup: bool = False
    not_listed: list[str] = field(default_factory=list)
    started_at: str | None = None
    staged_at: str | None = None

    @property
    def batch_id(self) -> str:
        """The same for every try of a run: sixteen hex digits that name shop, resource and run."""
        name = "/".join((self.shop_id, self.resource, self.mode, self.run_id))
        return blake2b(name.encode(), digest_size=8).hexdigest()

    @property
    def window(self) -> Window:
        """From the first slice's start to the last one's end."""
        return Window(self.slices[0].window.begin, self.slices[-1].window.end)


class RunFolder:
    """The pages and the manifest of one shop, resource, window and run."""

    def __init__(self, path: Any) -> None:
        self.path = path
        # Airflow's path takes longer to find a file of a disk than the disk to read it.
        self._files = Path(local_name(path)) if self.is_local else path

    @classmethod
    def of(cls, root: Any, *, shop_id: str, resource: str, window: Window, run_id: str) -> RunFolder:
        """The folder's place. The run id's odd characters go; a digest keeps two ids apart."""
        digest = blake2b(run_id.encode(), digest_size=4).hexdigest()
        return cls(root / shop_id / resource / span(window) / f"{_UNSAFE.sub('-', run_id)[:80]}.{digest}")

    @property
    def is_local(self) -> bool:
        """Whether reading a page is a matter of microseconds, or of a round trip to a bucket."""
        return is_local(self.path)

    def page_name(self, slice_number: int, pass_number: int, index: int) -> str:
        """A page's path, relative to the folder."""
        return f"slice-{slice_number:02d}/pass-{pass_number}/page-{index:05d}.json.gz"

    def write_page(self, name: str, page: StoredPage) -> None:
        """Write one page, whole or not at all."""
        head = {"index": page.index, "observed_at": page.observed_at.isoformat()}
        write_whole(
            self._files / name,
            gzip.compress(json.dumps(head).encode() + b"\n" + page.body, _COMPRESSION, mtime=0),
        )

    def read_page(self, name: str) -> StoredPage | None:
        """Read one page; None where there is none, or where the file is damaged.

        Raises:
            XiaoeConfigError: It expands to more than any page can: an attack, or a fault.
        """
        try:
            with files.explained(self._files / name):
                packed = (self._files / name).read_bytes()
        except FileNotFoundError:
            return None
        inflate, largest = isal_zlib.decompressobj(wbits=31), settings.max_page_bytes()
        try:
            content = inflate.decompress(packed, largest + _LONGEST_HEAD)
        except isal_zlib.error:  # type: ignore[misc]  # its stub takes a class for an instance
            return None
        if inflate.unconsumed_tail:
            raise XiaoeConfigError(
                f"{self._files / name} expands to more than {largest} bytes: no page of this API does. Remove it and"
                " clear the stage task; see who else can write to the page store. If it is one, raise XIAOE_MAX_PAGE_MB"
            )
        if not inflate.eof:
            return None
        head, _, body = content.partition(b"\n")
        about = json.loads(head)
        return StoredPage(about["index"], datetime.fromisoformat(about["observed_at"]), body)

    def finished_passes(self, slice_number: int) -> int:
        """How many passes over a slice were read to their end."""
        number = 0
        while (self._files / self._pass_mark(slice_number, number + 1)).exists():
            number += 1
        return number

    def finish_pass(self, slice_number: int, pass_number: int) -> None:
        """Note that a pass over a slice was read to its end."""
        write_whole(self._files / self._pass_mark(slice_number, pass_number), b"")

    def stored_pages(self, slice_number: int, pass_number: int) -> Iterator[tuple[str, StoredPage]]:
        """The pages of one pass that are there whole, from the first one on, up to the first gap."""
        index = 1
        while (page := self.read_page(name := self.page_name(slice_number, pass_number, index))) is not None:
            yield name, page
            index += 1

    def write_manifest(self, manifest: Manifest) -> str:
        """Write the manifest, the last file of a run, and return its path."""
        write_whole(self.manifest_path, json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode())
        return str(self.manifest_path)

    def read_manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            XiaoeConfigError: There is none, it cannot be read, or it names a file that is no page of the run.
        """
        try:
            content = json.loads(self.manifest_path.read_bytes())
            slices = [SliceManifest(**part) for part in content["slices"]]
            manifest = Manifest(**{**content, "slices": slices})
            odd = [name for part in slices for name in part.pages if not _PAGE.fullmatch(name)]
            _ = manifest.window, [datetime.fromisoformat(part.observed_at) for part in slices]
        except FileNotFoundError:
            raise XiaoeConfigError(
                f"no manifest at {self.manifest_path}: clear the stage task, it reads the window again"
                " (was the page store moved or cleaned? XIAOE_PAGE_STORE has to be one place for all workers)"
            ) from None
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise XiaoeConfigError(
                f"{self.manifest_path} is no manifest that this version can read ({type(error).__name__}): update the"
                " checkout if a newer one wrote it, else clear the stage task, it reads the window again"
            ) from None
        if odd:
            raise XiaoeConfigError(
                f"{self.manifest_path} names no page of its own run: {odd[0]!r}. We did not write that: see who else"
                " can write to the page store, remove the folder, and clear the stage task"
            )
        return manifest

    def clear(self) -> None:
        """Remove everything: the window is to be read afresh."""
        if self._files.exists():
            remove_tree(self._files)

    def clear_slice(self, slice_number: int) -> None:
        """Remove the pages of one slice."""
        remove_tree(self._files / f"slice-{slice_number:02d}")

    @property
    def manifest_path(self) -> Any:
        """Where the manifest is, or will be."""
        return self.path / "manifest.json"

    @staticmethod
    def _pass_mark(slice_number: int, pass_number: int) -> str:
        return f"slice-{slice_number:02d}/pass-{pass_number}/finished"


def run_folders(root: Any) -> Iterator[RunFolder]:
    """All run folders of a page store, shop by shop."""
    level = [root] if root.exists() else []
    for _ in range(4):  # shop, resource, window, run
        level = [child for parent in level for child in sorted(parent.iterdir(), key=str) if child.is_dir()]
    yield from map(RunFolder, level)

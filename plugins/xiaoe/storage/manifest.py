"""What a stage task says of what it read, for the merge: the file `manifest.json` of a run."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Literal

import msgspec

from xiaoe.windows import Window

Proof = Literal["total", "parts", "end"]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""In a manifest's JSON: ISO 8601 with an offset."""


class SliceManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was read for one slice of a window.

    Args:
        begin: The slice's start, Beijing.
        end: Its end, not included.
        api_total: Rows in all, according to the API.
        staged: Distinct keys in the pages.
        passes: How often the slice was read until it was complete.
        pages: Paths of the pages, relative to the run's folder, in the order they were fetched.
        observed_at: UTC; the earliest page's.
        proof: What shows that these are all rows: `total`, the API's; `parts`, those of all parts of a whole list; or
            `end`, reached twice with the same rows, of the list or of one of its parts.
        lists_undated: Of a whole list read in parts: whether rows without the parts' time would be among the pages.
        parent: Whose list it is, where each parent has one.
    """

    begin: Moment
    end: Moment
    api_total: int
    staged: int
    passes: int
    pages: list[str]
    observed_at: Moment
    proof: Proof = "total"
    lists_undated: bool = True
    parent: str | None = None

    @property
    def window(self) -> Window:
        """The slice's window."""
        return Window(self.begin, self.end)


class ParentsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one run was to read, where each parent has a list.

    Args:
        wanted: Parents in all.
        postponed: Left for the next run, because the calls of this one were used up.
        oldest_at: When the first of these was last read, UTC; None: never, or there are none.
        refused: Parent → why its list could not be read; the others were.
    """

    wanted: int
    postponed: int = 0
    oldest_at: Moment | None = None
    refused: dict[str, str] = {}


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A window that was read completely: everything a merge has to know.

    Args:
        shop_id: The shop.
        resource: Name of the resource.
        mode: How the window was chosen, e.g. `incremental` or `history`.
        run_id: Airflow's run.
        moves_watermark: Whether the watermark moves to the window's end with the merge.
        slices: At least one; oldest first.
        calls: What reading cost: calls, retries, token refreshes, milliseconds waited before retries.
        is_lookup: Some rows were asked for, by key or as the recent ones; the manifest proves nothing about others.
        not_listed: Keys that were asked for and that the API did not list.
        hints: Of a look-up: ids of the hints that its merge answers (`hints.queue`).
        parents: Of one list per parent: what was to be read, and what was not.
        note: Why this was read and not what was meant to be.
        started_at: When reading began, UTC; None in manifests of earlier releases.
        staged_at: When the last page was stored, UTC; None likewise.
    """

    shop_id: str
    resource: str
    mode: str
    run_id: str
    moves_watermark: bool
    slices: Annotated[list[SliceManifest], msgspec.Meta(min_length=1)]
    calls: dict[str, int] = {}
    is_lookup: bool = False
    not_listed: list[str] = []
    hints: list[int] = []
    parents: ParentsRead | None = None
    note: str = ""
    started_at: Moment | None = None
    staged_at: Moment | None = None

    @property
    def batch_id(self) -> str:
        """Sixteen hex digits that name shop, resource and run; the same for every try of a run."""
        name = "/".join((self.shop_id, self.resource, self.mode, self.run_id))
        return blake2b(name.encode(), digest_size=8).hexdigest()

    @property
    def window(self) -> Window:
        """From the first slice's start to the last one's end."""
        return Window(self.slices[0].begin, self.slices[-1].end)

    @property
    def observed_at(self) -> datetime:
        """UTC; the earliest page's."""
        return min(slice_.observed_at for slice_ in self.slices)

    def to_json(self) -> bytes:
        """With offsets as `+00:00`, and without empty fields, as every release can read it."""
        fields = msgspec.to_builtins(self, builtin_types=(datetime,))
        for name in ("hints", "parents", "note"):
            if not fields[name]:
                del fields[name]
        return json.dumps(fields, ensure_ascii=False, indent=1, default=datetime.isoformat).encode()

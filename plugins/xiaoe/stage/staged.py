"""What the manifest says of a slice: made of its passes, or of the parts of a whole list."""

from __future__ import annotations

import logging
from typing import NamedTuple

from xiaoe.resources.base import Resource
from xiaoe.rows.caps import is_counted
from xiaoe.rows.keys import Keys, merged
from xiaoe.stage import judging
from xiaoe.stage.reading import Part, StoredPass
from xiaoe.storage.manifest import Proof, SliceManifest
from xiaoe.windows import Window

log = logging.getLogger(__name__)


class Staged(NamedTuple):
    """What was read of a part, and the distinct keys."""

    slice_: SliceManifest
    keys: Keys


def of_passes(part: Part, used: list[StoredPass], passes: int, proof: Proof) -> Staged:
    """A slice that these passes read, of so many in all."""
    keys = judging.union([reading.outcome for reading in used])
    totals = used[-1].outcome.totals
    is_told = proof == "total" and len(keys) not in totals
    return Staged(
        SliceManifest(
            begin=part.window.begin,
            end=part.window.end,
            api_total=max(totals, default=len(keys)) if is_told else len(keys),
            staged=len(keys),
            passes=passes,
            pages=[name for reading in used for name in reading.names],
            observed_at=min(reading.observed_at for reading in used),
            proof=proof,
            parent=part.parent_id,
        ),
        keys,
    )


def put_together(
    resource: Resource, window: Window, parts: list[Staged], undated: list[StoredPass], cap: int
) -> Staged:
    """One slice of all parts of a whole list, and of what the list itself told."""
    slices_ = [staged.slice_ for staged in parts]
    rows = merged([staged.keys for staged in parts])
    keys = merged([rows, judging.union([reading.outcome for reading in undated])])
    last = undated[-1].outcome
    lists_undated = is_counted(len(rows), last.totals, cap) or last.reached_end(cap)
    proof: Proof = "end" if any(slice_.proof == "end" for slice_ in slices_) else "parts"
    log.info(
        "%s: %s rows, complete: %s parts, each by its %s; rows without %s: %s",
        window,
        len(keys),
        len(parts),
        "end" if proof == "end" else "total",
        resource.parts.column if resource.parts else None,
        len(keys) - len(rows) if lists_undated else "unknown, the API does not serve the list to its end",
    )
    return Staged(
        SliceManifest(
            begin=window.begin,
            end=window.end,
            api_total=len(keys),
            staged=len(keys),
            passes=max(slice_.passes for slice_ in slices_),
            pages=[
                *(name for reading in undated for name in reading.names),
                *(name for slice_ in slices_ for name in slice_.pages),
            ],
            observed_at=min(*(reading.observed_at for reading in undated), *(slice_.observed_at for slice_ in slices_)),
            proof=proof,
            lists_undated=lists_undated,
        ),
        keys,
    )

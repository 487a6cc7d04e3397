"""After a merge, before the commit: does the warehouse hold what the API says, no less and no more?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.merge import expected, unconfirmed
from xiaoe.merge.expected import Expected
from xiaoe.mysql.session import Session
from xiaoe.resources.base import Resource, Scope
from xiaoe.rows.keys import Keys
from xiaoe.storage.pages import Manifest, SliceManifest
from xiaoe.windows import Window

_NAMED = 10
"""Keys that a message names."""


def check_pages(resource: Resource, part: SliceManifest, keys: Keys) -> None:
    """Compare what the pages of a slice held with its manifest.

    Raises:
        XiaoeReconciliationError: They differ.
    """
    if len(keys) != part.staged:
        raise XiaoeReconciliationError(
            f"{resource.name} {part.window}: the pages hold {len(keys)} rows, the manifest says {part.staged}:"
            " the page store was changed; clear the stage task, it reads the window again"
        )


@dataclass(frozen=True)
class Part:
    """Slices that are compared with the warehouse as one.

    Args:
        slices: Neighbours, oldest first.
        window: Theirs.
        expected: The rows of the warehouse that they are compared with.
        has_all: Whether they have to bring all of these.
    """

    slices: list[SliceManifest]
    window: Window
    expected: Expected
    has_all: bool


def parts_of(resource: Resource, manifest: Manifest) -> list[Part]:
    """Each slice by itself; but where a row may have moved on to a later one, all of them together."""
    together = resource.scope is Scope.CHANGED
    found = []
    for slices in [manifest.slices] if together else [[one] for one in manifest.slices]:
        window = Window(slices[0].window.begin, slices[-1].window.end)
        seen = min(datetime.fromisoformat(one.observed_at) for one in slices)
        has_all = resource.covers_present(window, datetime.fromisoformat(slices[-1].observed_at))
        found.append(Part(slices, window, Expected.of(resource, manifest.shop_id, window, seen), has_all))
    return found


def mark_missing(
    session: Session,
    resource: Resource,
    manifest: Manifest,
    part: Part,
    keys: Keys,
    *,
    before: int,
    accept: bool,
) -> int:
    """Find rows of some slices that the warehouse holds and the API no longer lists; return how many were marked.

    Of a whole list, what is gone is marked absent, unless that is more than half of what the warehouse held.
    Rows of a window do not go by themselves: they are marked only where somebody said so, but for those that an
    imported file told of and the API never did.

    Args:
        session: In the merge's transaction, rows written.
        resource: Whose rows.
        manifest: Of the run.
        part: What of it.
        keys: Of all rows that came for it.
        before: Rows the warehouse held before the merge.
        accept: Whether somebody looked and said that the rows really are gone.

    Raises:
        XiaoeReconciliationError: Rows are missing and nobody said so; names them and the numbers.
    """
    missing = expected.missing_rows(session, resource, part.expected, keys)
    if resource.scope is Scope.WHOLE:
        if len(missing) * 2 > before and not accept:
            raise XiaoeReconciliationError(
                f"{resource.name}: the API lists {len(keys)} rows, and of the {before} that the warehouse holds"
                f" {len(missing)} are not among them: more than half. Nothing was changed. Look in the shop's console:"
                " if they really are gone, trigger the DAG with accept_missing, they are marked with absent_since;"
                " if not, clear the stage task to ask the API again"
            )
    elif not accept and (gone := unconfirmed.confirmed(session, resource, manifest.shop_id, missing)):
        raise XiaoeReconciliationError(
            f"{resource.name} {part.window}: the API lists {len(keys)} rows, the warehouse holds"
            f" {len(gone)} more that it no longer lists: {_some(gone)}. Nothing was changed."
            " If they really were deleted in the shop, trigger the DAG for this window with accept_missing:"
            " they are marked with absent_since. Otherwise clear the stage task to ask the API again"
        )
    expected.mark_absent(session, resource, manifest.shop_id, missing)
    return len(missing)


def mark_not_listed(session: Session, resource: Resource, manifest: Manifest, *, accept: bool) -> int:
    """The same for rows that were asked for one by one, and for a file's; return how many were marked.

    Each stands for itself: those that were found are kept, whatever became of the others.

    Raises:
        XiaoeReconciliationError: The API did not list a row that the warehouse holds.
    """
    if manifest.mode == unconfirmed.MODE:
        names = unconfirmed.unlisted(session, manifest.shop_id)
        expected.mark_absent(session, resource, manifest.shop_id, names)
        return len(names)
    gone = [] if accept else unconfirmed.confirmed(session, resource, manifest.shop_id, manifest.not_listed)
    names = [name for name in manifest.not_listed if name not in gone]
    expected.mark_absent(session, resource, manifest.shop_id, names)
    if gone:
        session.commit()
        raise XiaoeReconciliationError(
            f"{resource.name}: the API does not list {len(gone)} rows that the warehouse holds,"
            f" asked for one by one: {_some(gone)}. The others were merged. If these really were"
            " deleted in the shop, trigger the DAG with accept_missing: they are marked with absent_since"
        )
    return len(names)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")

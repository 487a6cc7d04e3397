"""Before the commit: compares the warehouse with what the API listed.

An order never leaves the window of its creation, so each slice is compared alone. An after-sale leaves the window of
its last change when it changes again, perhaps while the run reads: all slices of a run are compared together, and only
if the window reaches the present. Of a whole list, a merge marks at most half of the listed rows absent: an empty
response with code 0 looks like a shop that was emptied.
"""

from __future__ import annotations

from dataclasses import dataclass

from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.merge import expected, unconfirmed
from xiaoe.merge.expected import Expected
from xiaoe.mysql.session import Session
from xiaoe.resources.base import Resource, Scope
from xiaoe.rows.keys import Keys
from xiaoe.storage.pages import Manifest, SliceManifest
from xiaoe.windows import Window

_MAX_NAMED = 10
"""Keys in a message."""


def check_pages(resource: Resource, slice_: SliceManifest, keys: Keys) -> None:
    """Compare the pages of a slice with its manifest.

    Raises:
        XiaoeReconciliationError: They differ.
    """
    if len(keys) != slice_.staged:
        raise XiaoeReconciliationError(
            f"{resource.name} {slice_.window}: the pages hold {len(keys)} rows, the manifest says {slice_.staged}:"
            " the page store was changed; clear the stage task, it reads the window again"
        )


@dataclass(frozen=True)
class Comparison:
    """Slices that are compared with the warehouse together.

    Args:
        slices: Adjacent, oldest first.
        window: From the first one's start to the last one's end.
        expected: The rows of the warehouse that they are compared with.
        must_list_all: Whether the slices have to contain all of these.
    """

    slices: list[SliceManifest]
    window: Window
    expected: Expected
    must_list_all: bool


def comparisons(resource: Resource, manifest: Manifest) -> list[Comparison]:
    """One per slice; a single one where a row may have moved on to a later slice."""
    together = resource.scope is Scope.CHANGED
    found = []
    for slices in [manifest.slices] if together else [[slice_] for slice_ in manifest.slices]:
        window = Window(slices[0].begin, slices[-1].end)
        observed_at = min(slice_.observed_at for slice_ in slices)
        listed = Expected.of(resource, manifest.shop_id, window, observed_at)
        found.append(Comparison(slices, window, listed, resource.covers_present(window, slices[-1].observed_at)))
    return found


def mark_missing(
    session: Session,
    resource: Resource,
    manifest: Manifest,
    comparison: Comparison,
    keys: Keys,
    *,
    count_before: int,
    accept: bool,
) -> int:
    """Mark rows absent that the warehouse holds and the API no longer lists; return how many.

    Rows of a whole list are marked, unless they are more than half of it. Rows of a window do not disappear by
    themselves: they are marked only with `accept`, except for rows known only from an imported file.

    Args:
        session: In the merge's transaction, rows written.
        resource: The resource.
        manifest: The run's manifest.
        comparison: The slices.
        keys: Of all rows in their pages.
        count_before: Rows of the whole list before the merge.
        accept: Whether somebody confirmed that the rows are gone (`accept_missing`).

    Raises:
        XiaoeReconciliationError: Rows are missing without `accept`; names them and the numbers.
    """
    missing = expected.missing_rows(session, resource, comparison.expected, keys)
    if resource.scope is Scope.WHOLE:
        if len(missing) * 2 > count_before and not accept:
            raise XiaoeReconciliationError(
                f"{resource.name}: the API lists {len(keys)} rows, and of the {count_before} that the warehouse holds"
                f" {len(missing)} are not among them: more than half. Nothing was changed. Look in the shop's console:"
                " if they really are gone, trigger the DAG with accept_missing, they are marked with absent_since;"
                " if not, clear the stage task to ask the API again"
            )
    elif not accept and (gone := unconfirmed.confirmed(session, resource, manifest.shop_id, missing)):
        raise XiaoeReconciliationError(
            f"{resource.name} {comparison.window}: the API lists {len(keys)} rows, the warehouse holds"
            f" {len(gone)} more that it no longer lists: {_some(gone)}. Nothing was changed."
            " If they really were deleted in the shop, trigger the DAG for this window with accept_missing:"
            " they are marked with absent_since. Otherwise clear the stage task to ask the API again"
        )
    expected.mark_absent(session, resource, manifest.shop_id, missing)
    return len(missing)


def mark_not_listed(session: Session, resource: Resource, manifest: Manifest, *, accept: bool) -> int:
    """Mark rows absent that a look-up or an imported file proves gone; return how many.

    Each row is independent: those that were found are committed even if others fail.

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
    return ", ".join(names[:_MAX_NAMED]) + (" …" if len(names) > _MAX_NAMED else "")

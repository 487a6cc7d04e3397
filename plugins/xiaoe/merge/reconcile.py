"""Before the commit: compares the warehouse with what the API listed.

An order never leaves the window of its creation, so each slice is compared alone. An after-sale leaves the window of
its last change when it changes again, perhaps while the run reads: all slices of a run are compared together, and only
if the window reaches the present. Of a whole list, and of all lists of parents together, a merge marks at most half of
the listed rows absent: an empty response with code 0 looks like a shop that was emptied.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.merge import expected, unconfirmed
from xiaoe.merge.expected import Expected
from xiaoe.mysql.session import Session
from xiaoe.resources.base import Resource, Scope
from xiaoe.rows.keys import Keys, among, distinct, merged
from xiaoe.storage.manifest import Manifest, SliceManifest
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


@dataclass
class SliceResult:
    """What was merged of a slice; keys are hashes, one array per chunk.

    Args:
        slice_: The slice.
        expected: As in the slice's `Comparison`.
        keys: Of all rows in the pages.
        written: Of rows that are new or changed.
        refused: Of rows that could not be typed.
        unexpected: Of rows that are not expected, or were written by this run.
        is_plain: Whether each key was received as the warehouse stores it.
        seen_expected: How many expected rows the pages contain; None where keys do not prove it.
        counts: For the ledger.
        unknown_codes: Codes without a text → rows.
        distinct: `keys`, sorted and unique, once all rows were read.
    """

    slice_: SliceManifest
    expected: Expected
    keys: list[array[int]] = field(default_factory=list)
    written: list[array[int]] = field(default_factory=list)
    refused: list[array[int]] = field(default_factory=list)
    unexpected: list[array[int]] = field(default_factory=list)
    is_plain: bool = True
    seen_expected: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    unknown_codes: Counter[str] = field(default_factory=Counter)
    distinct: Keys | None = None

    def close(self) -> Keys:
        """The distinct keys, once all rows were read; the first call sums the counts and frees the arrays."""
        if self.distinct is None:
            counts, written = self.counts, distinct(self.written)
            # A row in two chunks may have been written or rejected twice: it counts once.
            counts["updated"] -= sum(map(len, self.written)) - len(written)
            counts["rejected"] = int((~among(distinct(self.refused), written)).sum())
            del written  # each array is freed before the next one is made
            self.written, self.refused = [], []
            unexpected = len(distinct(self.unexpected))
            self.unexpected = []
            self.distinct = distinct(self.keys)
            self.keys = []
            counts["staged"] = len(self.distinct)
            counts["unchanged"] = counts["staged"] - counts["inserted"] - counts["updated"] - counts["rejected"]
            if self.is_plain:
                self.seen_expected = counts["staged"] - unexpected
        return self.distinct


@dataclass(frozen=True)
class Comparison:
    """Slices that are compared with the warehouse together.

    Args:
        results: Of adjacent slices, oldest first.
        window: From the first one's start to the last one's end.
        expected: The rows of the warehouse that they are compared with.
        expected_count: How many these are; None if the slices need not contain all of them.
    """

    results: list[SliceResult]
    window: Window
    expected: Expected
    expected_count: int | None

    @property
    def parent(self) -> str | None:
        """Whose list it is, where each parent has one."""
        return self.results[0].slice_.parent

    def keys(self) -> Keys:
        """Distinct keys of all rows in the pages."""
        return merged([result.close() for result in self.results])

    def may_miss_rows(self) -> bool:
        """Whether expected rows may be missing; False if the pages contain as many as there are.

        A key that was malformed or duplicated proves nothing: then keys have to be compared one by one.
        """
        if self.expected_count is None:
            return False
        counts = [result.seen_expected for result in self.results if result.seen_expected is not None]
        rows = sum(len(result.close()) for result in self.results)
        is_proof = len(counts) == len(self.results) and rows == len(self.keys())
        return not is_proof or sum(counts) != self.expected_count


def comparisons(session: Session, resource: Resource, manifest: Manifest) -> list[Comparison]:
    """One per slice; a single one where a row may have moved on to a later slice.

    Counts the expected rows, so it is called before anything is written (see `merge.expected`).
    """
    together = resource.scope is Scope.CHANGED
    found = []
    for slices in [manifest.slices] if together else [[slice_] for slice_ in manifest.slices]:
        window = Window(slices[0].begin, slices[-1].end)
        listed = Expected.of(
            resource,
            manifest.shop_id,
            window,
            min(slice_.observed_at for slice_ in slices),
            with_undated=all(slice_.lists_undated for slice_ in slices),
            parent=slices[0].parent,
        )
        must_list_all = resource.covers_present(window, slices[-1].observed_at) and not _is_of_nobody(resource, slices)
        count = expected.count_expected(session, resource, listed) if must_list_all else None
        found.append(Comparison([SliceResult(slice_, listed) for slice_ in slices], window, listed, count))
    return found


def _is_of_nobody(resource: Resource, slices: Sequence[SliceManifest]) -> bool:
    """Whether a run of parents' lists had no parent to read."""
    return resource.parents is not None and slices[0].parent is None


def together(results: Sequence[SliceResult]) -> SliceResult:
    """What was merged of all parents' lists, as one line of the ledger has it."""
    slices = [result.slice_ for result in results]
    summed = SliceManifest(
        begin=slices[0].begin,
        end=slices[0].end,
        api_total=sum(slice_.api_total for slice_ in slices),
        staged=sum(slice_.staged for slice_ in slices),
        passes=max(slice_.passes for slice_ in slices),
        pages=[],
        observed_at=min(slice_.observed_at for slice_ in slices),
    )
    counts, codes = Counter[str](), Counter[str]()
    for result in results:
        counts.update(result.counts)
        codes.update(result.unknown_codes)
    return SliceResult(summed, results[0].expected, counts=counts, unknown_codes=codes)


def mark_left(
    session: Session,
    resource: Resource,
    manifest: Manifest,
    comparisons: Sequence[Comparison],
    *,
    count_before: int,
    accept: bool,
) -> Counter[str]:
    """Mark rows absent that left a whole list, or the lists of parents, unless they are more than half of them.

    Args:
        session: In the merge's transaction, rows written.
        resource: The resource.
        manifest: The run's manifest.
        comparisons: Those that may miss rows.
        count_before: Rows of the list, or of all these lists, before the merge.
        accept: Whether somebody confirmed that the rows are gone (`accept_missing`).

    Returns:
        Parent, or an empty text → rows that were marked.

    Raises:
        XiaoeReconciliationError: More than half are missing without `accept`.
    """
    missing = {
        one.parent or "": expected.missing_rows(session, resource, one.expected, one.keys()) for one in comparisons
    }
    gone = [name for names in missing.values() for name in names]
    if len(gone) * 2 > count_before and not accept:
        listed = sum(len(one.keys()) for one in comparisons)
        raise XiaoeReconciliationError(
            f"{resource.name}: {_emptied(listed)}the API lists {listed} rows, and of the {count_before} that the"
            f" warehouse holds {len(gone)} are not among them: more than half. Nothing was changed."
            " Look in the shop's console: if they really are gone, trigger the DAG with accept_missing, they are"
            " marked with absent_since;"
            " if not, clear the stage task to ask the API again."
            f" 接口只列出 {listed} 行，数仓的 {count_before} 行中有 {len(gone)} 行不在其中，超过一半；"
            "未做任何改动。请到店铺后台核对：确已删除则带 accept_missing 触发该 DAG，否则清除 stage 任务重新读取"
        )
    expected.mark_absent(session, resource, manifest.shop_id, gone)
    return Counter({parent: len(names) for parent, names in missing.items()})


def mark_missing(
    session: Session, resource: Resource, manifest: Manifest, comparison: Comparison, *, accept: bool
) -> int:
    """Mark rows absent that the warehouse holds of a window and the API no longer lists; return how many.

    They do not disappear by themselves: they are marked only with `accept`, except for rows known only from an
    imported file.

    Args:
        session: In the merge's transaction, rows written.
        resource: The resource.
        manifest: The run's manifest.
        comparison: The slices.
        accept: Whether somebody confirmed that the rows are gone (`accept_missing`).

    Raises:
        XiaoeReconciliationError: Rows are missing without `accept`; names them and the numbers.
    """
    keys = comparison.keys()
    missing = expected.missing_rows(session, resource, comparison.expected, keys)
    if not accept and (gone := unconfirmed.confirmed(session, resource, manifest.shop_id, missing)):
        raise XiaoeReconciliationError(
            f"{resource.name} {comparison.window}: {_emptied(len(keys))}the API lists {len(keys)} rows, the warehouse"
            f" holds {len(gone)} more that it no longer lists: {_some(gone)}. Nothing was changed."
            " If they really were deleted in the shop, trigger the DAG for this window with accept_missing:"
            " they are marked with absent_since. Otherwise clear the stage task to ask the API again."
            f" 接口列出 {len(keys)} 行，数仓另有 {len(gone)} 行接口不再返回；未做任何改动。"
            "确已删除则带 accept_missing 对该时间段触发该 DAG，否则清除 stage 任务重新读取"
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


def _emptied(listed: int) -> str:
    """Names the worst case: a list that had rows and has none now."""
    return "" if listed else "the list is suddenly empty 列表突然为空: "


def _some(names: list[str]) -> str:
    return ", ".join(names[:_MAX_NAMED]) + (" …" if len(names) > _MAX_NAMED else "")

"""Reads of a whole list what is new or changed, by filters that nobody has tried on a live shop.

A shop may refuse a filter, or ignore it: then it answers rows that do not lie in it. No row may be missed for that: the
caller reads the whole list instead. What is read here says nothing about who has left the list. A row may come by
several filters; the merge takes the latest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import msgspec

from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import beijing_text, utc_now
from xiaoe.exceptions import XiaoeBusyError, XiaoeError, XiaoeIncompleteError
from xiaoe.resources.base import Parts, Resource
from xiaoe.rows.decode import RowError, RowReader
from xiaoe.stage.parents import NOT_NOW
from xiaoe.stage.reading import Part
from xiaoe.stage.stager import Stager
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import EVER, Plan, Window

_TOLERANCE = timedelta(days=1)
"""A row may lie so long before the filter's first day: of which time zone its days are is not documented."""


class UnfitFilterError(XiaoeError):
    """The shop does not do what a filter asks for; says what it does."""


def stage_recent(hook: XiaoeHook, resource: Resource, folder: RunFolder, plan: Plan, *, run_id: str) -> Manifest:
    """Read one list for each filter of `Resource.recent`, and write the manifest.

    Args:
        hook: The shop's connection.
        resource: Of a whole list.
        folder: Where the pages go.
        plan: Its window begins with the first day that is asked for.
        run_id: Airflow's run.

    Raises:
        UnfitFilterError: A filter is refused or ignored, or its list does not add up.
        XiaoeError: The API cannot be read.
    """
    started = utc_now()
    if folder.manifest_path.exists():
        folder.clear()
    slices = []
    for number, column in enumerate(resource.recent.filters if resource.recent else (), start=1):
        one, window = _listing(resource, column, plan.window)
        stager = Stager(
            hook,
            one,
            folder,
            lambda *_: [],
            check=partial(_check, resource.reader, column, plan.window.begin),
        )
        try:
            # 0 is the number of the whole list, which is read into the same folder where this fails.
            slices += [staged.slice_ for staged in stager.read([Part(number, window)])]
        except XiaoeBusyError as error:
            if error.code in (None, *NOT_NOW):
                raise
            raise UnfitFilterError(f"the shop refuses the filter by {column} ({error})") from error
        except XiaoeIncompleteError as error:
            raise UnfitFilterError(f"the list by {column} does not add up ({error})") from error
    manifest = Manifest(
        shop_id=hook.shop.app_id,
        resource=resource.name,
        mode="recent",
        run_id=run_id,
        moves_watermark=plan.moves_watermark,
        slices=slices,
        calls=dict(hook.counts),
        is_lookup=True,
        started_at=started,
        staged_at=utc_now(),
    )
    folder.write_manifest(manifest)
    return manifest


def _listing(resource: Resource, column: str, window: Window) -> tuple[Resource, Window]:
    """The resource as one filter lists it, and the window that a reading in parts halves."""
    if resource.recent is None or resource.parts is None:
        raise AssertionError(f"{resource.name} declares no recent rows, or no parts")
    fields = resource.recent.filters[column](window.begin)
    parts, is_own = resource.parts, column == resource.parts.column
    filtered = replace(
        resource,
        filters=lambda _: fields,
        parts=Parts(parts.step, lambda part: fields | parts.filters(part), parts.column),
    )
    return filtered, window if is_own else Window(EVER, window.end)


def _check(reader: RowReader, column: str, first: datetime, rows: Sequence[msgspec.Raw]) -> None:
    """Hold rows to their filter.

    Raises:
        UnfitFilterError: One lies outside, or none says when.
    """
    place, earliest = reader.columns.index(column), beijing_text(first - _TOLERANCE)
    times = []
    for raw in rows:
        try:
            times.append(reader.row(raw)[place])
        except RowError:  # the merge keeps it, and counts it
            continue
    known = [time for time in times if time is not None]
    if times and not known:
        raise UnfitFilterError(f"the shop answers rows without {column} to a filter by it")
    if known and min(known) < earliest:
        raise UnfitFilterError(
            f"the shop ignores the filter by {column}: from {beijing_text(first)} on was asked for, and a row of"
            f" {min(known)} came"
        )

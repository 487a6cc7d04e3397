"""Looks up orders by id: those that an after-sale names and that are too old for the rescan, or that hints name.

`stage.hinted` chooses among the latter; the rest of this page is about the former.

The API lists after-sales by their last change, orders only by their creation. The rescan sees the orders of the last
XIAOE_RESCAN_DAYS. An older order is looked up in each run until it was seen XIAOE_REFUND_OVERLAP_DAYS after its
after-sale last changed; a window of the ledger over its creation that was read later counts as seen.

An order that is not in the warehouse is looked up without a time window, and only while its after-sale is fresh; if the
API does not list it, the task warns. One that is in the warehouse and that the API twice does not list fails the merge,
but the others are kept. Look-ups have a separate watermark (mode `late`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

from xiaoe.api.hook import Answer, XiaoeHook
from xiaoe.clock import BEIJING, beijing_text, utc_now, utc_text
from xiaoe.coverage import Look, Segment, last_look, segments
from xiaoe.mysql.session import Session
from xiaoe.resources.orders import ORDERS, created_between
from xiaoe.rows.keys import key_hash
from xiaoe.storage.manifest import Manifest, SliceManifest
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import EVER, Plan, Window

log = logging.getLogger(__name__)

_AROUND = timedelta(days=1)


@dataclass(frozen=True)
class NamedOrder:
    """An order that after-sales or hints name.

    Args:
        order_id: The order.
        changed: When its latest after-sale changed, Beijing; or from when on a reading shows what its hints tell of.
        created: When the order was created, Beijing; None if it is not in the warehouse.
        observed_at: When the order was last written, UTC; None likewise.
    """

    order_id: str
    changed: datetime
    created: datetime | None = None
    observed_at: datetime | None = None


def named_orders(session: Session, shop_id: str, window: Window, *, created_before: datetime) -> list[NamedOrder]:
    """Orders named by after-sales that changed in a window: created before a moment, or unknown; not marked absent.

    An after-sale without a time of change counts as changed when a change of it was last observed.
    """
    rows = session.query(
        "SELECT r.order_id, MAX(COALESCE(r.updated_at, r.observed_at + INTERVAL 8 HOUR)), MAX(o.created_time),"
        " MAX(o.observed_at) FROM refunds AS r"
        " LEFT JOIN orders AS o ON o.shop_id = r.shop_id AND o.order_id = r.order_id"
        " WHERE r.shop_id = %s AND r.order_id > '' AND (r.updated_at >= %s AND r.updated_at < %s"
        " OR r.updated_at IS NULL AND r.observed_at >= %s)"
        " AND o.absent_since IS NULL"
        " AND (o.order_id IS NULL OR o.created_time IS NULL OR o.created_time < %s)"
        " GROUP BY r.order_id ORDER BY r.order_id",
        (
            shop_id,
            beijing_text(window.begin),
            beijing_text(window.end),
            utc_text(window.begin),
            beijing_text(created_before),
        ),
    )
    return [
        NamedOrder(
            order_id,
            changed.replace(tzinfo=BEIJING),
            created.replace(tzinfo=BEIJING) if created else None,
            observed.replace(tzinfo=timezone.utc) if observed else None,
        )
        for order_id, changed, created, observed in rows
    ]


def window_to_name(changed: Window, watermark: datetime | None, settle: timedelta) -> Window:
    """The window of after-sales to take orders from: the run's, extended back to the last successful look-up.

    After-sales and look-ups fail independently; without this, orders of failed look-ups would never be looked up.

    Args:
        changed: The run's window of after-sales.
        watermark: When the last successful look-up began; None before the first.
        settle: How long after its after-sale's last change an order is looked up.
    """
    begin = EVER if watermark is None else watermark - settle
    return Window(min(changed.begin, begin), changed.end)


def to_look_up(
    named: Sequence[NamedOrder], looks: Sequence[Look], *, now: datetime, settle: timedelta
) -> list[NamedOrder]:
    """The orders that have not been seen since their after-sale settled.

    An order that is not in the warehouse is looked up only while its after-sale is fresh: older ones were created
    before the history begins, or are part of it.

    Args:
        named: The orders that after-sales name.
        looks: Merged windows over the times at which these were created.
        now: The moment of the run.
        settle: How long after its after-sale's last change an order may still change because of it.
    """
    covered = segments(looks)

    def is_wanted(order: NamedOrder) -> bool:
        settled = order.changed + settle
        if order.created is None:
            return settled >= now
        seen = seen_at(order, covered)
        return seen is None or seen < settled

    return [order for order in named if is_wanted(order)]


def seen_at(order: NamedOrder, covered: Sequence[Segment]) -> datetime | None:
    """When the order was last read, by itself or with a window over its creation; None: never."""
    looks = (order.observed_at, last_look(covered, order.created) if order.created else None)
    return max((seen for seen in looks if seen is not None), default=None)


def stage_orders(hook: XiaoeHook, folder: RunFolder, plan: Plan, wanted: Sequence[NamedOrder], **run: Any) -> Manifest:
    """Look orders up one by one; each response is a page. A second try looks all of them up again.

    Whether `order_id` is combined with the time filter is not documented (docs/xiaoe-api.md section 2): if the order's
    time is known, a window around it is sent along, which is right in both cases.

    Args:
        hook: The shop's connection.
        folder: Where the pages go.
        plan: Its window ends with the moment of the run, the new watermark if it moves.
        wanted: The orders.
        run: `mode`, `run_id` and `hints` of the manifest.
    """
    started = utc_now()
    if folder.path.exists():
        folder.clear()
    names, times, found = [], [plan.window.end], set()
    with ThreadPoolExecutor(hook.shop.concurrency, thread_name_prefix="xiaoe-order") as pool:
        numbered = pool.map(lambda index, order: _look_up(hook, order, index), count(1), wanted)
        for answer in numbered:
            names.append(folder.page_name(0, 1, answer.index))
            times.append(answer.observed_at)
            folder.write_page(names[-1], answer)
            found |= _keys(answer)
    slice_ = SliceManifest(
        begin=plan.window.begin,
        end=plan.window.end,
        api_total=len(found),
        staged=len(found),
        passes=1,
        pages=names,
        observed_at=min(times),
    )
    missing = [order for order in wanted if key_hash(order.order_id) not in found]
    if unknown := [order.order_id for order in missing if not order.created]:
        log.warning("%s orders were named that neither API nor warehouse know: %s", len(unknown), unknown[:10])
    manifest = Manifest(
        shop_id=hook.shop.app_id,
        resource=ORDERS.name,
        moves_watermark=plan.moves_watermark,
        slices=[slice_],
        calls=dict(hook.counts),
        is_lookup=True,
        not_listed=[order.order_id for order in missing if order.created],
        started_at=started,
        staged_at=utc_now(),
        **run,
    )
    folder.write_manifest(manifest)
    return manifest


def _look_up(hook: XiaoeHook, order: NamedOrder, index: int) -> Answer:
    """Look one order up; twice if the first response does not contain it."""
    fields = {"order_id": order.order_id, **ORDERS.paging.fields(1, None)}
    if order.created:
        fields |= created_between(Window(order.created - _AROUND, order.created + _AROUND))
    answer = hook.list_page(ORDERS, fields, index=index)
    if order.created and key_hash(order.order_id) not in _keys(answer):
        answer = hook.list_page(ORDERS, fields, index=index)
    return answer


def _keys(answer: Answer) -> set[int]:
    return {key_hash(ORDERS.reader.key(raw) or bytes(raw)) for raw in answer.listing.rows}

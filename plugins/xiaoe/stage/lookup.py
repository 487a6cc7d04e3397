"""Orders that an after-sale names and that no rescan looks at any more: which of them to ask for again.

The API tells changes of after-sales, but of an order only when it is listed. The rescan lists the last days;
an older order is asked for by its id, with each look at its after-sale, until `settle` after that changed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from xiaoe.api.hook import Answer, XiaoeHook
from xiaoe.clock import BEIJING, beijing_text, utc_now, utc_text
from xiaoe.coverage import Look, last_look, segments
from xiaoe.mysql.session import Session
from xiaoe.resources.orders import ORDERS, created_between
from xiaoe.rows.keys import key_hash
from xiaoe.storage.pages import Manifest, RunFolder, SliceManifest, StoredPage
from xiaoe.windows import EVER, Plan, Window

log = logging.getLogger(__name__)

_AROUND = timedelta(days=1)


@dataclass(frozen=True)
class NamedOrder:
    """An order that after-sales name.

    Args:
        order_id: The order.
        changed: When the latest of them changed; Beijing.
        created: When the order was made, Beijing; None where the warehouse does not hold it.
        observed_at: When the order was last written, UTC; None likewise.
    """

    order_id: str
    changed: datetime
    created: datetime | None = None
    observed_at: datetime | None = None


def named_orders(session: Session, shop_id: str, window: Window, *, created_before: datetime) -> list[NamedOrder]:
    """Orders that after-sales changed in a window name, older than a moment or unknown; none marked absent.

    An after-sale that tells no time of change changed when a change of it was last seen.
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
    """Which after-sales to take orders from: those of the run, and those behind the last look-up that succeeded.

    After-sales and look-ups fail apart from each other; without this, what a row of failed look-ups left behind
    would never be asked for.

    Args:
        changed: The run's window of after-sales.
        watermark: When the last look-up that succeeded began; None before the first.
        settle: How long after its after-sale an order is looked at.
    """
    begin = EVER if watermark is None else watermark - settle
    return Window(min(changed.begin, begin), changed.end)


def to_look_up(
    named: Sequence[NamedOrder], looks: Sequence[Look], *, now: datetime, settle: timedelta
) -> list[NamedOrder]:
    """Those of the orders that have not been seen since their after-sale settled.

    An order the warehouse does not hold is asked for only while its after-sale is fresh: older ones were made
    before the history begins, or come with it.

    Args:
        named: What after-sales name.
        looks: Windows that hold orders made when these were.
        now: Of the run.
        settle: How long after its after-sale an order may still change because of it.
    """
    covered = segments(looks)

    def is_wanted(one: NamedOrder) -> bool:
        settled = one.changed + settle
        if one.created is None:
            return settled >= now
        return all(seen is None or seen < settled for seen in (one.observed_at, last_look(covered, one.created)))

    return [one for one in named if is_wanted(one)]


def stage_orders(hook: XiaoeHook, folder: RunFolder, plan: Plan, wanted: Sequence[NamedOrder], **run: Any) -> Manifest:
    """Ask for orders one by one; each answer is a page. A second try asks for all of them again.

    Whether `order_id` is bound to the time filter is not documented (docs/xiaoe-api.md section 2): where the
    order's time is known, a window around it is sent along, which is right in both readings.

    Args:
        hook: The shop's connection.
        folder: Where the pages go.
        plan: Its window ends with the moment of the run, to which the watermark moves if it may.
        wanted: What to ask for.
        run: `mode` and `run_id` of the manifest.
    """
    started = utc_now()
    if folder.path.exists():
        folder.clear()
    names, times, found = [], [plan.window.end], set()
    with ThreadPoolExecutor(hook.shop.concurrency, thread_name_prefix="xiaoe-order") as pool:
        for index, answer in enumerate(pool.map(lambda one: _look_up(hook, one), wanted), start=1):
            names.append(folder.page_name(0, 1, index))
            times.append(answer.observed_at)
            folder.write_page(names[-1], StoredPage(index, answer.observed_at, answer.body))
            found |= _keys(answer)
    part = SliceManifest(
        begin=plan.window.begin.isoformat(),
        end=plan.window.end.isoformat(),
        api_total=len(found),
        staged=len(found),
        passes=1,
        pages=names,
        observed_at=min(times).isoformat(),
    )
    missing = [one for one in wanted if key_hash(one.order_id) not in found]
    if unknown := [one.order_id for one in missing if not one.created]:
        log.warning("after-sales name %s orders that neither API nor warehouse know: %s", len(unknown), unknown[:10])
    manifest = Manifest(
        shop_id=hook.shop.app_id,
        resource=ORDERS.name,
        moves_watermark=plan.moves_watermark,
        slices=[part],
        calls=dict(hook.counts),
        is_lookup=True,
        not_listed=[one.order_id for one in missing if one.created],
        started_at=started.isoformat(),
        staged_at=utc_now().isoformat(),
        **run,
    )
    folder.write_manifest(manifest)
    return manifest


def _look_up(hook: XiaoeHook, one: NamedOrder) -> Answer:
    """Ask for one order, twice if the first answer does not hold it."""
    filters = {"order_id": one.order_id, **ORDERS.paging.fields(1, None)}
    if one.created:
        filters |= created_between(Window(one.created - _AROUND, one.created + _AROUND))
    answer = hook.list_page(ORDERS, filters)
    if one.created and key_hash(one.order_id) not in _keys(answer):
        answer = hook.list_page(ORDERS, filters)
    return answer


def _keys(answer: Answer) -> set[int]:
    return {key_hash(ORDERS.reader.key(raw) or bytes(raw)) for raw in answer.listing.rows}

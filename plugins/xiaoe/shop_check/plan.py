"""The plan of a check: which calls are made, and which questions their answers settle. About 50 calls, none writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from xiaoe import settings
from xiaoe.resources.base import Numbered, Resource
from xiaoe.resources.learning import LEARNING_DAYS, LEARNING_PROGRESS
from xiaoe.resources.live_streams import LIVE_STREAMS
from xiaoe.resources.live_viewers import LIVE_VIEWERS
from xiaoe.resources.order_origins import ORDER_ORIGINS
from xiaoe.resources.orders import ORDERS
from xiaoe.resources.products import PRODUCTS
from xiaoe.resources.promoters import BY_PROMOTER, ORDER_PROMOTERS, PROMOTER_CUSTOMERS, PROMOTERS
from xiaoe.resources.refunds import REFUNDS
from xiaoe.resources.registry import RESOURCES
from xiaoe.resources.users import USERS
from xiaoe.shop_check import probes, reading, units
from xiaoe.shop_check.calls import Asker, Reply
from xiaoe.shop_check.findings import Finding, Level
from xiaoe.shop_check.loose import amount, moment
from xiaoe.windows import Window

WEEK = timedelta(days=7) - timedelta(minutes=1)
"""A window of orders: at most seven days, and `filters` adds a second."""
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
WEEKS_BACK = (0, 1, 2, 4, 8, 16, 26, 39, 52)
"""Where orders are looked for, until a week with some is found."""
RANGES = (9, 31)
"""Days of after-sales: the longest that a sync asks for, and a longer one."""
MOST_BUYERS = 3
MOST_USERS = 20
"""Users whose learning of a day is asked for."""
MOST_PARENTS, ENOUGH_ROWS = 5, 20
"""Lists of one parent each that are asked for at most, and rows after which no further one is."""
BUYER_WEEKS = 2
"""A user's orders are all known if he registered no longer ago."""
FAR_PAGE = 5000
TIMES = {"orders": "created_time", "refunds": "updated_at", "users": "user_created_at", "products": "created_at",
         "live_streams": "alive_start_at"}  # fmt: skip
"""List → the time that its order is judged by."""


@dataclass
class Notes:
    """What the check has seen so far."""

    asker: Asker
    now: datetime
    findings: list[Finding] = field(default_factory=list)
    first: dict[str, Reply] = field(default_factory=dict)

    def note(self, *found: Finding | None) -> None:
        """Keep findings; None is an open question that needs no line. A list that nothing reads spoils no shop."""
        self.findings += [
            replace(one, level=Level.REMARK) if one.level is Level.BAD and is_spare(one.resource) else one
            for one in found
            if one is not None
        ]

    def rows(self, resource: Resource) -> list[dict[str, Any]]:
        """All rows of a list so far, each key once: the latest."""
        by_key = {key: row for reply in self.asker.of(resource) for key, row in _keyed(reply)}
        return list(by_key.values())


def is_spare(name: str | None) -> bool:
    """Whether nothing reads a list: hints are off, or `XIAOE_MORE_LISTS` does not name it."""
    more = RESOURCES[name].more if name in RESOURCES else None
    is_off = more is not None and more not in settings.more_lists()
    return is_off or (name == ORDER_ORIGINS.name and "list" not in settings.hints())


def _keyed(reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    keys = reply.resource.reader.keys(reply.raws)
    pairs = zip(keys, map(reading.decoded, reply.raws), strict=True)
    return [(key, row) for key, row in pairs if key and isinstance(row, dict)]


def ask_everything(notes: Notes) -> None:
    """Make all calls after the token's and note what they say."""
    _first_pages(notes)
    _pages(notes)
    if notes.first[ORDERS.name].raws:
        _order_windows(notes)
    if notes.first[REFUNDS.name].raws:
        _after_sale_days(notes)
    _visits(notes)
    buyers = _buyers(notes)
    _repeat(notes)
    _changed_orders(notes)
    _more_lists(notes)
    replies = {name: notes.asker.of(resource) for name, resource in RESOURCES.items()}
    granted = [probes.granted(RESOURCES[name], replies[name], first.total) for name, first in notes.first.items()]
    notes.note(*granted)
    orders, products = notes.rows(ORDERS), notes.rows(PRODUCTS)
    notes.note(
        units.order_price(orders, products),
        units.discount(orders, products),
        units.discount_parts(orders),
        units.pay_sum(buyers, lambda row: moment(row.get("pay_time")) is not None),
        probes.deleted(products) if products else None,
    )


# --- the calls -----------------------------------------------------------------------------------------


def _first_pages(notes: Notes) -> None:
    """The first page of every list; of orders, of the latest week that has some."""
    for weeks in WEEKS_BACK:
        end = notes.now - weeks * WEEK
        orders = _page(notes, ORDERS, Window(end - WEEK, end))
        if orders.raws or orders.error:
            break
    else:
        notes.note(Finding("shop_without_orders", Level.UNKNOWN, ORDERS.name))
    notes.first[ORDERS.name] = orders
    for days in RANGES:
        refunds = _page(notes, REFUNDS, Window(notes.now - days * DAY, notes.now))
        if refunds.raws or refunds.error:
            break
    notes.first[REFUNDS.name] = refunds
    everything = Window(notes.now - DAY, notes.now)
    for resource in (USERS, PRODUCTS, LIVE_STREAMS):
        notes.first[resource.name] = _page(notes, resource, everything)


def _page(notes: Notes, resource: Resource, window: Window, **more: Any) -> Reply:
    """The first page of a window, as large as it may be."""
    request = {**resource.filters(window), **resource.paging.fields(1, None), **more}
    return notes.asker.ask(resource, {**request, resource.size_key: resource.largest_page})


def _again(notes: Notes, reply: Reply, changes: dict[str, Any], *, once: bool = False) -> Reply:
    """The same call with some fields changed; `once` where the API may well refuse it."""
    return notes.asker.ask(reply.resource, {**reply.request, **changes}, once=once)


def _pages(notes: Notes) -> None:
    """Second pages, larger pages, the end of a list, the names of totals."""
    for name, first in notes.first.items():
        if first.error:
            continue
        resource = RESOURCES[name]
        notes.note(probes.total(first), probes.order_of(first, TIMES[name]) if first.raws else None)
        if not first.raws:
            continue
        notes.note(
            probes.page_size(first, _again(notes, first, {resource.size_key: 2 * resource.largest_page}, once=True)),
            probes.next_page(first, _again(notes, first, _second(first))),
        )
    orders = notes.first[ORDERS.name]
    if not orders.error and isinstance(ORDERS.paging, Numbered):
        notes.note(probes.behind_the_end(_again(notes, orders, {ORDERS.paging.key: FAR_PAGE}, once=True)))


def _second(first: Reply) -> dict[str, Any]:
    """Fields of the second page; where everything is on one, of the second half of it."""
    resource, rows = first.resource, len(first.raws)
    if isinstance(resource.paging, Numbered):
        size = resource.largest_page if rows == resource.largest_page else max(1, rows // 2)
        return {resource.paging.key: 2, resource.size_key: size}
    return resource.paging.fields(2, resource.paging.cursor(first.raws))


def _order_windows(notes: Notes) -> None:
    """Windows of two seconds and of a minute around one order, and the look-up by its id."""
    found = [(key, created) for key, row in _keyed(notes.first[ORDERS.name])
             if (created := moment(row.get(TIMES[ORDERS.name])))]  # fmt: skip
    if not found:
        notes.note(Finding("window_wrong", Level.REMARK, ORDERS.name))
        return
    key, created = found[len(found) // 2]

    def between(begin: datetime, end: datetime, **more: Any) -> Reply:
        times = {"begin_time": int(begin.timestamp()), "end_time": int(end.timestamp())}
        return _again(notes, notes.first[ORDERS.name], {**times, **more})

    minute = timedelta(minutes=1)
    around = between(created - SECOND, created + SECOND)
    notes.note(*probes.window_ends(key, around, between(created, created + minute), between(created - minute, created)))
    inside = between(created - SECOND, created + SECOND, order_id=key)
    outside = between(created - 3 * DAY, created - 2 * DAY, order_id=key)
    notes.note(probes.bound_to_window(key, inside, outside))


def _after_sale_days(notes: Notes) -> None:
    """Ranges that end on the day of one after-sale and the day after; a range of a month."""
    first = notes.first[REFUNDS.name]
    found = [(key, changed) for key, row in _keyed(first) if (changed := moment(row.get(TIMES[REFUNDS.name])))]
    if found:
        key, changed = found[-1]  # the oldest of the page: it is the least likely to change meanwhile

        def days(begin: datetime, end: datetime) -> Reply:
            return _again(notes, first, {"created_at": f"{begin:%Y-%m-%d}||{end:%Y-%m-%d}"})

        notes.note(probes.last_day(key, days(changed - DAY, changed + DAY), days(changed - DAY, changed)))
    wide = f"{notes.now - RANGES[-1] * DAY:%Y-%m-%d}||{notes.now:%Y-%m-%d}"
    notes.note(probes.wide_range(RANGES[-1], _again(notes, first, {"created_at": wide}, once=True)))


def _visits(notes: Notes) -> None:
    first = notes.first[USERS.name]
    if first.raws:
        plain = {name: value for name, value in first.request.items() if name != "need_column"}
        without = notes.asker.ask(USERS, plain) if "need_column" in first.request else first
        wanted = (
            first if "need_column" in first.request else _again(notes, first, {"need_column": ["latest_visited_at"]})
        )
        notes.note(probes.visited(without, wanted))


def _changed_orders(notes: Notes) -> None:
    """The list of changed orders: whether it answers, which it need not, and whether it filters by the change."""
    window = Window(notes.now - WEEK, notes.now)
    reply = _page(notes, ORDER_ORIGINS, window)
    if reply.error and is_spare(ORDER_ORIGINS.name):
        notes.note(Finding("not_needed", Level.UNKNOWN, facts={"interface": ORDER_ORIGINS.endpoint.strip("/")}))
        return
    notes.note(probes.granted(ORDER_ORIGINS, [reply], reply.total), probes.filters_by_change(reply, window))


def _more_lists(notes: Notes) -> None:
    """Pages of each list of `XIAOE_MORE_LISTS`, of parents that the shop has; none has to be granted."""
    begun = {key: start for key, row in _keyed(notes.first[LIVE_STREAMS.name])
             if (start := moment(row.get(TIMES[LIVE_STREAMS.name]))) and start <= notes.now}  # fmt: skip
    streams = sorted(begun, key=lambda key: begun[key], reverse=True)
    users = notes.first[USERS.name].keys[:MOST_USERS]
    buyers = dict.fromkeys(str(row["user_id"]) for row in notes.first[ORDERS.name].rows if row.get("user_id"))
    days = [f"{notes.now - back * DAY:%Y-%m-%d}" for back in range(1, MOST_PARENTS + 1)] if users else []
    _samples(notes, LIVE_VIEWERS, [(stream, {"resource_id": stream}) for stream in streams])
    _samples(notes, LEARNING_DAYS, [(day, {"date": day, "user_id_list": users}) for day in days])
    _samples(notes, LEARNING_PROGRESS, [(buyer, {"user_id": buyer}) for buyer in buyers])
    promoters = _samples(notes, PROMOTERS, [(None, {})])
    known = [key for reply in promoters for key in reply.keys]
    _samples(notes, PROMOTER_CUSTOMERS, [(key, {"user_id": key, "bind_state": 0}) for key in known])
    sold = sorted(_keyed(notes.first[ORDERS.name]), key=lambda one: BY_PROMOTER not in str(one[1].get("order_type")))
    _samples(notes, ORDER_PROMOTERS, [(key, {"order_id": key}) for key, _ in sold])


def _samples(notes: Notes, resource: Resource, asked: Sequence[tuple[str | None, dict[str, Any]]]) -> list[Reply]:
    """First pages of a list that need not be granted, of one parent after the other until there are rows to judge by.

    Args:
        notes: The check.
        resource: The list.
        asked: Parents, and what is sent for each; none where the shop has nobody to ask for.
    """
    replies: list[Reply] = []
    for parent, fields in asked[:MOST_PARENTS]:
        request = resource.request({**fields, **resource.paging.fields(1, None)}, resource.largest_page)
        replies.append(notes.asker.ask(resource, request, once=True, parent=parent))
        if replies[-1].error or sum(len(reply.raws) for reply in replies) >= ENOUGH_ROWS:
            break
    good = [reply for reply in replies if not reply.error]
    if good:
        notes.note(probes.granted(resource, good, good[0].total))
    elif replies:
        level = Level.REMARK if resource.more in settings.more_lists() else Level.UNKNOWN
        facts = {"interface": resource.endpoint.strip("/"), "name": resource.more}
        notes.note(Finding("more_not_granted", level, resource.name, facts))
    return good


def _buyers(notes: Notes) -> list[tuple[Any, Sequence[dict[str, Any]]]]:
    """`pay_sum` of users who registered lately and bought something, and all their orders."""
    found: list[tuple[Any, Sequence[dict[str, Any]]]] = []
    oldest = notes.now - BUYER_WEEKS * WEEK
    for key, row in _keyed(notes.first[USERS.name]):
        registered = moment(row.get("user_created_at"))
        if not (registered and oldest < registered and amount(row.get("pay_sum"))):
            continue
        orders = _orders_of(notes, key, registered)
        if orders is not None:
            found.append((row["pay_sum"], orders))
        if orders is None or len(found) == MOST_BUYERS:
            break
    return found


def _orders_of(notes: Notes, user_id: str, since: datetime) -> list[dict[str, Any]] | None:
    """A user's orders since a time; None where they cannot be read, or are not only his."""
    orders: list[dict[str, Any]] = []
    for begin in (since + weeks * WEEK for weeks in range(BUYER_WEEKS)):
        if begin >= notes.now:
            break
        reply = _page(notes, ORDERS, Window(begin, min(begin + WEEK, notes.now)), user_id=user_id)
        if reply.error or {str(row.get("user_id")) for row in reply.rows} - {user_id}:
            return None
        orders += reply.rows
    return orders


def _repeat(notes: Notes) -> None:
    """The first page of every list once more, at the end."""
    for first in notes.first.values():
        if first.raws:
            notes.note(*probes.steady(first, _again(notes, first, {})))

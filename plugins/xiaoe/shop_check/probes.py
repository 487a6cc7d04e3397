"""What answers say about the API: pure functions from replies to findings (docs/xiaoe-api.md, what is tagged `[?]`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from xiaoe.clock import beijing_text
from xiaoe.resources.base import SECOND, Resource
from xiaoe.shop_check.calls import Reply
from xiaoe.shop_check.findings import Finding, Level
from xiaoe.shop_check.forms import form, name_of
from xiaoe.shop_check.loose import is_true, moment
from xiaoe.shop_check.reading import Reading
from xiaoe.windows import Window

FORBIDDEN = 2017
NOT_LISTED = 2051
REFUSED_SHARE = 0.01
"""Of the rows: from more on, a table counts as wrong."""
UNREADABLE_SHARE = 0.05
"""Of the rows: the same for one field that cannot be read."""
FEW_ROWS = 20
"""With fewer rows, that a field never came says nothing."""
SEARCH_CAP = 10_000
NOT_NOW = (1001, 2053, 2054)
_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")


# --- connection ----------------------------------------------------------------------------------------


def address(message: str) -> str | None:
    """The IP address that an error names: ours, as the API sees it."""
    found = _ADDRESS.search(message)
    return found.group() if found else None


def clock(skew: timedelta | None, limit: timedelta) -> Finding:
    """How far the API's clock is ahead of ours."""
    if skew is None:
        return Finding("clock_unknown", Level.UNKNOWN)
    seconds = round(skew.total_seconds())
    key, level = ("clock_off", Level.BAD) if abs(skew) > limit else ("clock_ok", Level.OK)
    return Finding(key, level, facts={"seconds": seconds, "limit": round(limit.total_seconds())})


def granted(resource: Resource, replies: Sequence[Reply], total: int | None) -> Finding:
    """Whether an interface may be used, how long an answer takes (median), and how many rows there are.

    Args:
        resource: The list.
        replies: Its replies.
        total: Rows in what was asked for first; None where the answer does not say.
    """
    answered = sorted(reply.seconds for reply in replies if reply.error is None)
    if answered:
        seconds = round(answered[len(answered) // 2], 3)
        return Finding("granted" if total is not None else "granted_no_total", resource=resource.name, facts={
            "seconds": seconds, "total": total})  # fmt: skip
    error = replies[-1].error
    code = error.code if error else None
    facts = {"interface": resource.endpoint.strip("/"), "code": code, "message": str(error)}
    key = "forbidden" if code == FORBIDDEN else "not_answered"
    return Finding(key, Level.BAD, resource.name, facts)


# --- windows of orders ---------------------------------------------------------------------------------


def window_ends(key: str, around: Reply, from_it: Reply, up_to_it: Reply) -> list[Finding]:
    """Whether `begin_time` and `end_time` are included.

    Args:
        key: An order that was created in the second T.
        around: The window from T - 1 to T + 1.
        from_it: A window that begins at T.
        up_to_it: A window that ends at T.
    """
    if key not in around.keys:
        return [Finding("window_wrong", Level.REMARK, "orders")]
    return [
        _either("begin", from_it, lambda: key in from_it.keys, "included", "excluded"),
        _either("end", up_to_it, lambda: key in up_to_it.keys, "included", "excluded"),
    ]


def bound_to_window(key: str, inside: Reply, outside: Reply) -> Finding:
    """Whether `order_id` finds an order outside the window that is sent with it."""
    if inside.error or key not in inside.keys:
        return Finding("order_id_ignored", Level.REMARK, "orders")
    if len(set(inside.keys)) > 1:
        return Finding("order_id_ignored", Level.REMARK, "orders")
    return _either("order_id", outside, lambda: key in outside.keys, "free", "bound")


def _either(name: str, reply: Reply, holds: Callable[[], bool], yes: str, no: str) -> Finding:
    """`<name>_<yes>` or `<name>_<no>`; `<name>_unknown` where there is no answer."""
    if reply.error:
        return Finding(f"{name}_unknown", Level.UNKNOWN, reply.resource.name)
    return Finding(f"{name}_{yes if holds() else no}", resource=reply.resource.name)


def filters_by_change(reply: Reply, window: Window) -> Finding | None:
    """Whether the list of changed orders holds those that changed in the window alone; None where no row says when."""
    reader = reply.resource.reader
    place = reader.columns.index(str(reply.resource.time))
    rows = reader.read([raw for raw in reply.raws if reader.key(raw)]).rows
    moments = [row[place] for row in rows if row[place]]
    if not moments:
        return None
    begin, end = beijing_text(window.begin - SECOND), beijing_text(window.end + SECOND)
    outside = sum(not begin <= moment <= end for moment in moments)
    key, level = ("change_filter_ignored", Level.BAD) if outside else ("change_filter_works", Level.OK)
    return Finding(key, level, reply.resource.name, {"rows": len(moments), "outside": outside})


# --- pages ---------------------------------------------------------------------------------------------


def page_size(first: Reply, larger: Reply) -> Finding:
    """How many rows a page holds.

    Args:
        first: The first page, with the largest size that is documented or assumed.
        larger: The same with twice that size.
    """
    resource, asked = first.resource, first.request[first.resource.size_key]
    facts = {"asked": larger.request[resource.size_key], "used": asked, "got": len(larger.raws)}
    total = first.total if first.total is not None else len(first.raws)
    if len(first.raws) < min(total, asked):
        return Finding("page_size_smaller", Level.BAD, resource.name, {**facts, "got": len(first.raws)})
    if _refused(larger):
        return Finding("page_size_refused", resource=resource.name, facts=facts)
    if larger.error or (len(larger.raws) <= asked and total <= asked):
        return Finding("page_size_unknown", Level.UNKNOWN, resource.name, facts)
    key = "page_size_larger" if len(larger.raws) > asked else "page_size_capped"
    return Finding(key, resource=resource.name, facts=facts)


def _refused(reply: Reply) -> bool:
    """Whether the API would not serve this call, and not only not now."""
    return reply.error is not None and reply.error.code not in (None, *NOT_NOW)


def next_page(first: Reply, second: Reply) -> Finding | None:
    """Whether the second page goes on where the first one ended; None where there is none.

    Args:
        first: The first page.
        second: The second one, perhaps of fewer rows a page: then it begins inside of what came first.
    """
    resource = first.resource
    if second.error or not second.keys or not first.keys:
        return None
    again = set(first.keys[: second.request[resource.size_key]]) & set(second.keys)
    if again == set(second.keys):
        return Finding("page_repeats", Level.BAD, resource.name)
    if again:
        return Finding("pages_overlap", Level.REMARK, resource.name, {"rows": len(again)})
    return Finding("pages_meet", resource=resource.name)


def total(first: Reply) -> Finding | None:
    """What the total is called; None where the answer is empty."""
    resource, data = first.resource, first.data
    if not isinstance(data, dict) or not data:
        return None
    numbers = [name_of(name) for name, value in data.items() if name != "list" and _is_count(value)]
    facts = {"names": sorted(numbers), "expected": resource.total_key}
    if resource.total_key in numbers:
        capped = first.total == SEARCH_CAP
        return Finding("total_capped" if capped else "total_named", Level.REMARK if capped else Level.OK,
                       resource.name, facts)  # fmt: skip
    return Finding("total_missing", Level.BAD if resource.tells_total else Level.REMARK, resource.name, facts)


def _is_count(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, str) and value.isdecimal()))


def steady(first: Reply, again: Reply) -> list[Finding]:
    """The same call at the beginning and at the end of the check: total and bytes of the rows."""
    resource = first.resource
    if first.error or again.error or not first.raws:
        return []
    found = []
    if first.total is not None and again.total is not None:
        facts = {"first": first.total, "last": again.total}
        moved = first.total != again.total
        found.append(Finding("total_moved" if moved else "total_steady", resource=resource.name, facts=facts))
    before, after = _by_key(first), _by_key(again)
    both = before.keys() & after.keys()
    changed = sum(before[key] != after[key] for key in both)
    if both:
        facts = {"rows": len(both), "changed": changed}
        found.append(Finding("bytes_differ" if changed else "bytes_same", resource=resource.name, facts=facts))
    return found


def _by_key(reply: Reply) -> dict[str, bytes]:
    keys = reply.resource.reader.keys(reply.raws)
    return {key: bytes(raw) for key, raw in zip(keys, reply.raws, strict=True) if key}


def behind_the_end(reply: Reply) -> Finding | None:
    """What a page behind the last row looks like."""
    if reply.error:
        return None
    if reply.raws:
        return Finding("end_has_rows", Level.REMARK, reply.resource.name)
    data = reply.data
    shape = f"data {form(data, None)}"
    if isinstance(data, dict) and "list" in data:
        shape = f"list {form(data['list'], None)}"
    return Finding("end_is", resource=reply.resource.name, facts={"form": shape})


def order_of(reply: Reply, field: str) -> Finding:
    """In which order a list comes, by one of its times."""
    times = [time for row in reply.rows if (time := moment(row.get(field))) is not None]
    facts = {"field": field, "rows": len(times)}
    if len(set(times)) < 2:
        return Finding("order_unknown", Level.UNKNOWN, reply.resource.name, facts)
    if times == sorted(times):
        key = "order_ascending"
    else:
        key = "order_descending" if times == sorted(times, reverse=True) else "order_none"
    ordered = reply.resource.name != "orders" or key == "order_ascending"
    return Finding(key, Level.OK if ordered else Level.REMARK, reply.resource.name, facts)


# --- other questions -----------------------------------------------------------------------------------


def last_day(key: str, control: Reply, only_it: Reply) -> Finding:
    """Whether the last day of a range of after-sales is included.

    Args:
        key: An after-sale that changed on day D.
        control: The range from the day before D to the day after.
        only_it: The range from the day before D to D.
    """
    if key not in control.keys:
        return Finding("last_day_unknown", Level.UNKNOWN, "refunds")
    return _either("last_day", only_it, lambda: key in only_it.keys, "included", "excluded")


def wide_range(days: int, reply: Reply) -> Finding:
    """Whether a longer range of after-sales than we send is served."""
    facts = {"days": days, "total": reply.total}
    if reply.error and not _refused(reply):
        return Finding("wide_range_unknown", Level.UNKNOWN, "refunds", facts)
    return Finding("wide_range_refused" if reply.error else "wide_range_served", resource="refunds", facts=facts)


def visited(plain: Reply, asked: Reply) -> Finding:
    """Whether `latest_visited_at` comes, and whether it has to be asked for."""
    without, with_it = ("latest_visited_at" in {name for row in reply.rows for name in row} for reply in (plain, asked))
    if not plain.rows or asked.error:
        return Finding("visited_unknown", Level.UNKNOWN, "users")
    if without:
        return Finding("visited_always", resource="users")
    return Finding("visited_on_request" if with_it else "visited_never", resource="users",
                   level=Level.OK if with_it else Level.REMARK)  # fmt: skip


def deleted(rows: Sequence[Mapping[str, Any]]) -> Finding:
    """Whether deleted products are in the list."""
    count = sum(is_true(row.get("is_deleted")) for row in rows)
    facts = {"count": count, "rows": len(rows)}
    return Finding(
        "deleted_listed" if count else "deleted_none", Level.OK if count else Level.UNKNOWN, "products", facts
    )


def readable(resource: Resource, reading: Reading, missing: Sequence[str], unknown: Sequence[str]) -> list[Finding]:
    """Whether the rows fit the table.

    Args:
        resource: The list.
        reading: What its reader made of the rows.
        missing: Fields that are stored and never came.
        unknown: Fields that came and are not stored.
    """
    name, rows = resource.name, len(reading.typed) + reading.refused
    if not rows:
        return [Finding("no_rows", Level.UNKNOWN, name)]
    found = []
    if reading.refused:
        bad = reading.refused > max(1, REFUSED_SHARE * rows)  # one row is the shop's affair
        facts = {"rows": rows, "refused": reading.refused, "fields": _counts(reading.blamed)}
        found.append(Finding("rows_refused", Level.BAD if bad else Level.REMARK, name, facts))
    if reading.fields:
        worst = max(reading.fields.values())
        bad = worst > max(1, UNREADABLE_SHARE * rows) or worst == len(reading.typed)
        facts = {"rows": len(reading.typed), "fields": _counts(reading.fields)}
        found.append(Finding("fields_unreadable", Level.BAD if bad else Level.REMARK, name, facts))
    if not found:
        found.append(Finding("rows_fit", resource=name, facts={"rows": rows}))
    if missing and rows >= FEW_ROWS:
        found.append(Finding("fields_missing", Level.REMARK, name, {"fields": list(missing)}))
    if unknown:
        found.append(Finding("fields_unknown", resource=name, facts={"fields": list(unknown)}))
    if reading.unknown_codes:
        found.append(Finding("codes_unknown", Level.REMARK, name, {"codes": _counts(reading.unknown_codes)}))
    return found


def _counts(counts: Mapping[str, int]) -> list[str]:
    return [f"{name} ({count})" for name, count in sorted(counts.items())]

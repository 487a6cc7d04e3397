"""Links on dashboards: to the other ones, and to a dashboard with a range of days already chosen.

Superset has no presets for its date filter, but takes the state of the filters from the address, in Rison.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from bi_assets import Assets, Dashboard

TIME = "NATIVE_FILTER-time"
"""Id of the date filter."""
_TODAY = 'DATETIME("today")'
_TOMORROW = f"DATEADD({_TODAY}, 1, day)"
_YESTERDAY = f"DATEADD({_TODAY}, -1, day)"
RANGES = {
    "今日": f"today : {_TOMORROW}",
    "昨日": f"{_YESTERDAY} : today",
    "近 7 日": f"DATEADD({_TODAY}, -7, day) : today",
    "近 30 日": f"DATEADD({_TODAY}, -30, day) : today",
    "近 90 日": f"DATEADD({_TODAY}, -90, day) : today",
    "本月": "Current month",
    "上月": "previous calendar month",
}
"""Name → Superset's words for the range, first day to the day after the last, Beijing time.

Words of which Superset's own form for ranges can be filled in: with others, it shows them as they are.
"""
MONTH_TO_YESTERDAY = "本月至昨日"
_LINKED = RANGES | {MONTH_TO_YESTERDAY: f"DATETRUNC({_YESTERDAY}, month) : today"}
_LINK = re.compile(r"\]\((\w+)\?([^)]+)\)")


def default_range(page: Dashboard) -> str:
    """Superset's words for what the date filter of a page has at first."""
    if page.with_today:
        return f"DATEADD({_TODAY}, -{page.days - 1}, day) : {_TOMORROW}"
    return f"DATEADD({_TODAY}, -{page.days}, day) : today"


def names(assets: Assets) -> dict[str, str]:
    """Superset's words for a range → what it is called here: of links, and what date filters begin with."""
    first = {
        default_range(page): f"近 {page.days} 日（含今日）" if page.with_today else f"近 {page.days} 日"
        for page in assets.dashboards.values()
    }
    return first | {span: name for name, span in _LINKED.items()}


def address(slug: str, span: str) -> str:
    """The address of a dashboard that opens on a range of days.

    Args:
        slug: The dashboard.
        span: In Superset's words, as `RANGES` has them, or `2026-11-01 : 2026-12-01`.
    """
    quoted = "'" + span.replace("!", "!!").replace("'", "!'") + "'"
    state = f"extraFormData:(time_range:{quoted}),filterState:(value:{quoted}),id:{TIME},ownState:()"
    return f"/superset/dashboard/{slug}/?native_filters={quote(f'({TIME}:({state}))', safe='')}"


def navigation(page: Dashboard, assets: Assets) -> str:
    """What stands on top of a page, in Markdown: the other dashboards, and ranges of days to choose from."""
    pages = [
        f"**{one.title}**" if one is page else f"[{one.title}](/superset/dashboard/{one.slug}/)"
        for one in assets.dashboards.values()
    ]
    days = [f"[{name}]({address(page.slug, span)})" for name, span in RANGES.items()]
    return f"看板：{' · '.join(pages)}\n\n日期：{' · '.join(days)}"


def text(page_text: str) -> str:
    """The text of a row with its links to `SLUG?RANGE` as addresses.

    Raises:
        KeyError: There is no such range.
    """
    return _LINK.sub(lambda link: f"]({address(link[1], _LINKED[link[2]])})", page_text)

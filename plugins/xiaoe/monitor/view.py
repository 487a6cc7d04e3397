"""The page's content from the query results, as a plain dictionary for the template. Pure: no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from xiaoe.clock import BEIJING
from xiaoe.monitor import calendar, charts, objectives, problems, verdict
from xiaoe.monitor.i18n import Texts
from xiaoe.monitor.queries import CHART_DAYS, GROWTH_DAYS
from xiaoe.monitor.records import Looks, PageData, StorageFigure, SyncDay
from xiaoe.monitor.verdict import METRICS, Limits
from xiaoe.texts import LANGUAGES
from xiaoe.vocabulary import CHANGE_SOURCES

SHOWN_GAPS = 8


def build(
    data: PageData, texts: Texts, now: datetime, *, first: date, limits: Limits, conn_ids: Sequence[str]
) -> dict[str, Any]:
    """The variables of the template.

    Args:
        data: From the warehouse.
        texts: Texts of the page's language.
        now: The current time, Beijing.
        first: First day of the history.
        limits: Thresholds.
        conn_ids: Connections of the shops that are switched on.
    """
    return {
        "texts": texts,
        "data": data,
        "other": next(one for one in LANGUAGES if one != texts.language),
        "verdict": verdict.of(data, texts, limits, conn_ids),
        "cards": verdict.cards(data, texts, limits),
        "syncs": problems.syncs(data, texts, now),
        "objectives": objectives.rows(data, texts, conn_ids),
        "alerts": [problems.alert(one, data, texts) for one in data.alerts],
        "checks": [problems.check(one, texts) for one in data.checks],
        "shop_checks": [problems.shop_check(one, texts) for one in data.shop_checks],
        "calendars": [_calendar(name, looks, texts, first, now) for name, looks in data.looks.items()],
        "charts": [*_charts(data, texts, now), *_source_charts(data, texts, now)],
        "storage": [_storage(one, texts, limits) for one in _in_order(data.storage)],
        "growth": _growth(data, texts, now),
    }


# --- coverage ------------------------------------------------------------------------------------------


def _calendar(name: str, looks: Looks, texts: Texts, first: date, now: datetime) -> dict[str, Any]:
    days = calendar.cells(looks, first, now)
    past = [cell for cell in days if cell.state != "today"]
    missing = calendar.unread(past)
    shown = [f"{begin}" if begin == end else f"{begin} – {end}" for begin, end in missing[:SHOWN_GAPS]]
    more = texts("more_gaps", len(missing) - SHOWN_GAPS) if len(missing) > SHOWN_GAPS else ""
    read = sum(cell.state not in calendar.GAPS for cell in past)
    summary = (first, len(past), read) if texts.language == "zh" else (first, read, len(past))
    return {
        "name": texts.resource(name),
        "months": calendar.months(days),
        "summary": texts("covered_days", *summary),
        "gaps": texts("gaps", ", ".join(shown) + more) if missing else "",
    }


def describe(cell: calendar.Cell, texts: Texts) -> str:
    """Tooltip of a calendar cell."""
    state = state_text(cell.state, texts)
    if cell.state == "today":
        return texts("until", cell.day, texts.minute(cell.until)) if cell.until else f"{cell.day}: {state}"
    if cell.seen is None:
        return f"{cell.day}: {state}"
    return texts("seen_at", cell.day, state, texts.beijing(cell.seen))


def state_text(state: str, texts: Texts) -> str:
    """The name of a state of the calendar."""
    age = calendar.ages().get(state)
    return texts.name("days", state).format(age.days if age else "")


# --- charts --------------------------------------------------------------------------------------------


_CHARTS: dict[str, dict[str, Callable[[SyncDay], int]]] = {
    "chart_rows": {"inserted": lambda day: day.inserted, "updated": lambda day: day.updated},
    "chart_calls": {"calls": lambda day: day.api_calls - day.api_retries, "retries": lambda day: day.api_retries},
}
"""Title → series → its value of a day; retries are calls too, so they are subtracted there."""


def _charts(data: PageData, texts: Texts, now: datetime) -> list[dict[str, Any]]:
    by_day = {one.day: one for one in data.days}
    days = _last_days(now, CHART_DAYS) if by_day else []
    labels = [f"{day:%m-%d}" for day in days]
    found = []
    for title, columns in _CHARTS.items():
        series = {
            texts(name): [value(by_day[day]) if day in by_day else 0 for day in days] for name, value in columns.items()
        }
        svg = charts.bars(labels, series, title=texts(title), no_data=texts("no_data"))
        found.append({"title": texts(title), "svg": svg})
    return found


def _source_charts(data: PageData, texts: Texts, now: datetime) -> list[dict[str, Any]]:
    """Who saw changes of orders first, and which of them no hint told of; nothing where none was logged."""
    if not data.sources:
        return []
    days = _last_days(now, CHART_DAYS)
    labels = [f"{day:%m-%d}" for day in days]
    of_source = {(one.source, one.day): one.changes for one in data.sources}
    unhinted: Counter[date] = Counter()
    for one in data.sources:
        unhinted[one.day] += one.rescans_only
    by_source = {
        texts.source(source): [of_source.get((source, day), 0) for day in days]
        for source in sorted({one.source for one in data.sources}, key=_place)
    }
    found = {"chart_sources": by_source, "chart_rescans_only": {texts("rescans_only"): [unhinted[day] for day in days]}}
    return [
        {"title": texts(title), "svg": charts.bars(labels, series, title=texts(title), no_data=texts("no_data"))}
        for title, series in found.items()
    ]


def _place(source: str) -> int:
    """Where a source stands: hints first, as `vocabulary` has them; unknown ones last."""
    return [*CHANGE_SOURCES, source].index(source)


def _growth(data: PageData, texts: Texts, now: datetime) -> dict[str, Any]:
    sampled = {(one.day, one.metric): one.bytes for one in data.growth}
    days = _last_days(now, GROWTH_DAYS)
    begin = min((day for day, _ in sampled), default=None)
    days = [day for day in days if begin and day >= begin]
    series = {
        texts.name("metrics", metric): [_gigabytes(sampled.get((day, metric))) for day in days]
        for metric in METRICS[:3]
        if any(kind == metric for _, kind in sampled)
    }
    svg = charts.lines([f"{day:%m-%d}" for day in days], series, title=texts("chart_growth"), no_data=texts("no_data"))
    return {"title": texts("chart_growth"), "svg": svg}


def _last_days(now: datetime, number: int) -> list[date]:
    return [now.astimezone(BEIJING).date() - timedelta(days=back) for back in reversed(range(number))]


def _gigabytes(size: int | None) -> float | None:
    return None if size is None else round(size / 1e9, 3)


# --- storage -------------------------------------------------------------------------------------------


def _in_order(figures: Iterable[StorageFigure]) -> list[StorageFigure]:
    return sorted((one for one in figures if one.metric in METRICS), key=lambda one: METRICS.index(one.metric))


def _storage(figure: StorageFigure, texts: Texts, limits: Limits) -> dict[str, Any]:
    limit = getattr(limits, figure.metric, None)
    words = texts("at_least" if figure.metric == "free_disk" else "at_most", texts.size(limit)) if limit else ""
    return {
        "name": texts.name("metrics", figure.metric),
        "value": texts.size(figure.bytes),
        "note": words if figure.bytes is not None else texts.name("notes", figure.note),
        "state": verdict.storage_state(figure, limits),
        "sampled_at": texts("sampled", texts.ago(figure.sampled_at)),
    }

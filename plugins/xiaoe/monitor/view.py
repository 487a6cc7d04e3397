"""What the page shows, made of what the warehouse says. Pure: facts in, a plain dictionary for the template out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from xiaoe.clock import BEIJING, in_words
from xiaoe.merge.freshness import FRESH_WITHIN
from xiaoe.monitor import calendar, charts
from xiaoe.monitor.i18n import LANGUAGES, Words
from xiaoe.monitor.queries import CHART_DAYS, GROWTH_DAYS, Facts, Looks, ShopCheck, StorageFigure, Sync, SyncDay
from xiaoe.shop_check.report import remarks

SHOWN_GAPS = 8
METRICS = ("database", "page_store", "binlog", "free_disk")


class Limits(NamedTuple):
    """Thresholds in bytes, as the settings say."""

    free_disk: int
    page_store: int
    binlog: int


class Card(NamedTuple):
    """A figure at the top. `state`: `good`, `bad` or empty."""

    label: str
    value: str
    note: str = ""
    state: str = ""


def build(facts: Facts, words: Words, now: datetime, *, first: date, limits: Limits) -> dict[str, Any]:
    """Everything the template names.

    Args:
        facts: From the warehouse.
        words: The language.
        now: The present, Beijing.
        first: First day of the history.
        limits: Thresholds.
    """
    return {
        "words": words,
        "facts": facts,
        "other": next(one for one in LANGUAGES if one != words.language),
        "cards": _cards(facts, words, limits),
        "syncs": [_sync(one, words, now) for one in facts.syncs],
        "shop_checks": [_shop_check(one, words) for one in facts.shop_checks],
        "calendars": [_calendar(name, looks, words, first, now) for name, looks in facts.looks.items()],
        "charts": _charts(facts, words, now),
        "storage": [_storage(one, words, limits) for one in _in_order(facts.storage)],
        "growth": _growth(facts, words, now),
    }


# --- the top -------------------------------------------------------------------------------------------


def _cards(facts: Facts, words: Words, limits: Limits) -> list[Card]:
    reviews, waiting, rejected = (
        sum(getattr(one, name) for one in facts.shops) for name in ("in_review", "waiting", "rejected")
    )
    longest = max((one.longest for one in facts.shops if one.waiting), default=None)
    return [
        _count(words, "open_alerts", len(facts.alerts), good=0),
        _count(words, "failed_checks", len(facts.checks), good=0),
        _count(words, "in_review", reviews),
        _count(words, "waiting", waiting, note=words("longest", in_words(longest, words.language)) if longest else ""),
        _count(words, "rejected_rows", rejected, good=0),
        *(
            Card(words("free_disk"), words.size(one.bytes), words.name("notes", one.note), _storage_state(one, limits))
            for one in facts.storage
            if one.metric == "free_disk"
        ),
        _backup(facts, words),
    ]


def _count(words: Words, key: str, value: int, *, note: str = "", good: int | None = None) -> Card:
    state = "" if good is None else "good" if value == good else "bad"
    return Card(words(key), words.number(value), note, state)


def _backup(facts: Facts, words: Words) -> Card:
    if facts.backup is None:
        return Card(words("last_backup"), words("none"), words("backup_none"), "bad")
    drill = words("drill", words.name("drills", facts.backup.drill_status)) if facts.backup.drill_status else ""
    fresh = words.now - facts.backup.finished_at < timedelta(hours=30) and facts.backup.drill_status != "failed"
    return Card(words("last_backup"), words.ago(facts.backup.finished_at), drill, "good" if fresh else "bad")


# --- syncs ---------------------------------------------------------------------------------------------


def health(sync: Sync, now: datetime) -> str:
    """`failed`: the last run failed; `late`: none succeeded for too long; else `ok`.

    Args:
        sync: Its row.
        now: UTC, without an offset.
    """
    if sync.status == "failed":
        return "failed"
    limit = FRESH_WITHIN.get((sync.resource, sync.mode))
    last = sync.last_success_at
    return "late" if limit and (last is None or now - last > limit) else "ok"


def _sync(sync: Sync, words: Words, now: datetime) -> dict[str, Any]:
    behind = now.replace(tzinfo=None) - sync.watermark if sync.watermark else None
    return {
        "sync": sync,
        "health": health(sync, words.now),
        "lag": in_words(behind, words.language) if behind is not None else "–",
    }


_VERDICTS = {"fits": "ok", "fits_with_remarks": "late"}


def _shop_check(check: ShopCheck, words: Words) -> dict[str, Any]:
    return {
        "check": check,
        "state": _VERDICTS.get(check.verdict, "failed"),
        "lines": remarks(check.findings, words.language),
    }


# --- coverage ------------------------------------------------------------------------------------------


def _calendar(name: str, looks: Looks, words: Words, first: date, now: datetime) -> dict[str, Any]:
    days = calendar.cells(looks, first, now)
    past = [cell for cell in days if cell.state != "today"]
    missing = calendar.unread(past)
    shown = [f"{begin}" if begin == end else f"{begin} – {end}" for begin, end in missing[:SHOWN_GAPS]]
    more = words("more_gaps", len(missing) - SHOWN_GAPS) if len(missing) > SHOWN_GAPS else ""
    read = sum(cell.state not in calendar.GAPS for cell in past)
    summary = (first, len(past), read) if words.language == "zh" else (first, read, len(past))
    return {
        "name": words.name("resources", name),
        "months": calendar.months(days),
        "summary": words("covered_days", *summary),
        "gaps": words("gaps", ", ".join(shown) + more) if missing else "",
    }


def describe(cell: calendar.Cell, words: Words) -> str:
    """What a cell of the calendar says when it is pointed at."""
    state = state_text(cell.state, words)
    if cell.state == "today":
        return words("until", cell.day, words.minute(cell.until)) if cell.until else f"{cell.day}: {state}"
    if cell.seen is None:
        return f"{cell.day}: {state}"
    return words("seen_at", cell.day, state, words.beijing(cell.seen))


def state_text(state: str, words: Words) -> str:
    """The name of a state of the calendar."""
    age = calendar.ages().get(state)
    return words.name("days", state).format(age.days if age else "")


# --- charts --------------------------------------------------------------------------------------------


_CHARTS: dict[str, dict[str, Callable[[SyncDay], int]]] = {
    "chart_rows": {"inserted": lambda day: day.inserted, "updated": lambda day: day.updated},
    "chart_calls": {"calls": lambda day: day.api_calls - day.api_retries, "retries": lambda day: day.api_retries},
}
"""Title → name of a series → its value of a day; a retry is also a call, and is drawn once."""


def _charts(facts: Facts, words: Words, now: datetime) -> list[dict[str, Any]]:
    by_day = {one.day: one for one in facts.days}
    days = _last_days(now, CHART_DAYS) if by_day else []
    labels = [f"{day:%m-%d}" for day in days]
    found = []
    for title, columns in _CHARTS.items():
        series = {
            words(name): [value(by_day[day]) if day in by_day else 0 for day in days] for name, value in columns.items()
        }
        svg = charts.bars(labels, series, title=words(title), no_data=words("no_data"))
        found.append({"title": words(title), "svg": svg})
    return found


def _growth(facts: Facts, words: Words, now: datetime) -> dict[str, Any]:
    held = {(one.day, one.metric): one.bytes for one in facts.growth}
    days = _last_days(now, GROWTH_DAYS)
    begin = min((day for day, _ in held), default=None)
    days = [day for day in days if begin and day >= begin]
    series = {
        words.name("metrics", metric): [_gigabytes(held.get((day, metric))) for day in days]
        for metric in METRICS[:3]
        if any(kind == metric for _, kind in held)
    }
    svg = charts.lines([f"{day:%m-%d}" for day in days], series, title=words("chart_growth"), no_data=words("no_data"))
    return {"title": words("chart_growth"), "svg": svg}


def _last_days(now: datetime, number: int) -> list[date]:
    return [now.astimezone(BEIJING).date() - timedelta(days=back) for back in reversed(range(number))]


def _gigabytes(size: int | None) -> float | None:
    return None if size is None else round(size / 1e9, 3)


# --- storage -------------------------------------------------------------------------------------------


def _in_order(figures: Iterable[StorageFigure]) -> list[StorageFigure]:
    return sorted((one for one in figures if one.metric in METRICS), key=lambda one: METRICS.index(one.metric))


def _storage(figure: StorageFigure, words: Words, limits: Limits) -> dict[str, Any]:
    limit = getattr(limits, figure.metric, None)
    return {
        "name": words.name("metrics", figure.metric),
        "value": words.size(figure.bytes) if figure.bytes is not None else words.name("notes", figure.note),
        "limit": words("at_least" if figure.metric == "free_disk" else "at_most", words.size(limit)) if limit else "",
        "state": _storage_state(figure, limits),
        "sampled_at": words("sampled", words.ago(figure.sampled_at)),
    }


def _storage_state(figure: StorageFigure, limits: Limits) -> str:
    limit = getattr(limits, figure.metric, None)
    if limit is None or figure.bytes is None:
        return ""
    fits = figure.bytes >= limit if figure.metric == "free_disk" else figure.bytes <= limit
    return "good" if fits else "bad"

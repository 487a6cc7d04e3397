"""The first thing a reader sees: whether somebody has to do something, and the figures at the top. Pure.

Severe is what stops data or loses it: only that is red. Warnings are yellow, and need not be brought to none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from xiaoe.clock import in_words
from xiaoe.monitor import objectives
from xiaoe.monitor.i18n import Texts
from xiaoe.monitor.problems import health
from xiaoe.monitor.records import LastBackup, PageData, StorageFigure
from xiaoe.quality.catalogue import CRITICAL
from xiaoe.vocabulary import dag_name

METRICS = ("database", "page_store", "binlog", "free_disk")
BACKUP_WITHIN = timedelta(hours=30)
"""A backup a day, and the time that one may take."""
_OVER_LIMIT = {"free_disk": "todo_free_disk", "page_store": "todo_page_store", "binlog": "todo_binlog"}
_REVIEWS = "../required_actions?response_received=false"
_FAILED_DAGS = "../dags?last_dag_run_state=failed"


class Limits(NamedTuple):
    """Thresholds of the settings, in bytes."""

    free_disk: int
    page_store: int
    binlog: int


class Todo(NamedTuple):
    """Something to do. `state`: `bad`, `warn`, or empty for work that is no fault; `href` leads to where it is done."""

    state: str
    text: str
    href: str


class Conclusion(NamedTuple):
    """The page in one line. `state`: `good`, `warn` or `bad`."""

    state: str
    headline: str
    todos: list[Todo]


class Card(NamedTuple):
    """A figure at the top of the page. `state`: `good`, `warn`, `bad` or empty."""

    label: str
    value: str
    note: str = ""
    state: str = ""
    href: str = ""


def of(data: PageData, texts: Texts, limits: Limits, conn_ids: Sequence[str]) -> Conclusion:
    """What has to be done, the most urgent first."""
    todos = sorted(_todos(data, texts, limits, conn_ids), key=lambda one: ("bad", "warn", "").index(one.state))
    counts = {state: sum(one.state == state for one in todos) for state in ("bad", "warn")}
    if counts["bad"]:
        return Conclusion("bad", texts("to_do", counts["bad"]), todos)
    if counts["warn"]:
        return Conclusion("warn", texts("to_note", counts["warn"]), todos)
    return Conclusion("good", texts("all_is_well"), todos)


def _todos(data: PageData, texts: Texts, limits: Limits, conn_ids: Sequence[str]) -> Iterator[Todo]:
    if data.alerts:
        yield Todo("bad", texts("todo_alerts", len(data.alerts)), "#alerts")
    if any(alert.kind == "failed" for alert in data.alerts):
        yield Todo("", texts("todo_clear"), _FAILED_DAGS)
    if data.refusals:
        yield Todo("bad", texts("todo_refusals", ", ".join(one.target for one in data.refusals)), "#alerts")
    if overdue := sum(health(one, texts.now) != "ok" for one in data.syncs):
        yield Todo("bad", texts("todo_syncs", overdue), "#syncs")
    critical = sum(one.severity == CRITICAL for one in data.checks)
    if critical:
        yield Todo("bad", texts("todo_checks", critical), "#checks")
    if len(data.checks) > critical:
        yield Todo("warn", texts("todo_warnings", len(data.checks) - critical), "#checks")
    states = Counter(objectives.state_of(one, texts, conn_ids) for one in data.objectives)
    if states["spent"]:
        yield Todo("warn", texts("todo_objectives", states["spent"]), "#objectives")
    if states["stopped"]:
        name = dag_name("xiaoe_objectives", texts.language)
        yield Todo("bad", texts("todo_objectives_stopped", states["stopped"], name), "#objectives")
    if unfit := sum(one.verdict == "does_not_fit" for one in data.shop_checks):
        yield Todo("warn", texts("todo_shop_checks", unfit), "#shop-checks")
    for figure in data.storage:
        if (state := storage_state(figure, limits)) in ("bad", "warn"):
            yield Todo(state, texts(_OVER_LIMIT[figure.metric], texts.size(figure.bytes)), "#storage")
    if data.syncs and (state := backup_state(data.backup, texts)) != "good":
        yield Todo(state, _backup_in_words(data.backup, texts), "#cards")
    if reviews := sum(one.in_review for one in data.shops):
        yield Todo("", texts("todo_reviews", texts.number(reviews)), _REVIEWS)


def cards(data: PageData, texts: Texts, limits: Limits) -> list[Card]:
    """The figures at the top."""
    reviews, waiting, rejected = (
        sum(getattr(one, name) for one in data.shops) for name in ("in_review", "waiting", "rejected")
    )
    critical = sum(one.severity == CRITICAL for one in data.checks)
    longest = max((one.longest for one in data.shops if one.waiting), default=None)
    note = texts("longest", in_words(longest, texts.language)) if longest else ""
    return [
        _count(texts, "open_alerts", len(data.alerts), wrong="bad", href="#alerts"),
        _count(texts, "failed_checks", critical, wrong="bad", href="#checks"),
        _count(texts, "warnings", len(data.checks) - critical, wrong="warn", href="#checks"),
        _count(texts, "in_review", reviews, href=_REVIEWS),
        _count(texts, "waiting", waiting, note=note),
        _count(texts, "rejected_rows", rejected, wrong="warn"),
        *(
            Card(
                texts("free_disk"), texts.size(one.bytes), texts.name("notes", one.note), storage_state(one, limits),
                "#storage",
            )
            for one in data.storage
            if one.metric == "free_disk"
        ),
        _backup(data.backup, texts),
    ]  # fmt: skip


def _count(texts: Texts, key: str, value: int, *, note: str = "", wrong: str = "", href: str = "") -> Card:
    return Card(texts(key), texts.number(value), note, (wrong if value else "good") if wrong else "", href)


# --- backups and storage -------------------------------------------------------------------------------


def backup_state(backup: LastBackup | None, texts: Texts) -> str:
    """`warn` before the first backup; `bad` if the last one is old, or its restore drill failed."""
    if backup is None:
        return "warn"
    is_fresh = texts.now - backup.finished_at < BACKUP_WITHIN and backup.drill_status != "failed"
    return "good" if is_fresh else "bad"


def storage_state(figure: StorageFigure, limits: Limits) -> str:
    """`bad` where the disk is nearly full, `warn` above another threshold; empty: not measured, or no threshold."""
    limit = getattr(limits, figure.metric, None)
    if limit is None or figure.bytes is None:
        return ""
    if figure.metric == "free_disk":
        return "good" if figure.bytes >= limit else "bad"
    return "good" if figure.bytes <= limit else "warn"


def _backup(backup: LastBackup | None, texts: Texts) -> Card:
    if backup is None:
        return Card(texts("last_backup"), texts("none"), _backup_in_words(None, texts), "warn")
    drill = texts("drill", texts.name("drills", backup.drill_status)) if backup.drill_status else ""
    return Card(texts("last_backup"), texts.ago(backup.finished_at), drill, backup_state(backup, texts))


def _backup_in_words(backup: LastBackup | None, texts: Texts) -> str:
    name = dag_name("xiaoe_backup", texts.language)
    if backup is None:
        return texts("backup_none", name)
    return texts("backup_old", texts.ago(backup.finished_at), name)

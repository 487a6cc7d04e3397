"""Texts of the alert messages, in one language each. Pure: no clock, no database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from xiaoe.alerts import explain
from xiaoe.alerts.events import Event
from xiaoe.alerts.state import Alert
from xiaoe.alerts.wording import Style
from xiaoe.clock import BEIJING, in_words
from xiaoe.notify.addresses import opens_elsewhere
from xiaoe.notify.channels import Message
from xiaoe.texts import LANGUAGES
from xiaoe.vocabulary import DAGS, dag_name, task_name

MAX_NAMED = 12
HISTORY = "xiaoe_orders_history"
"""The DAG whose failed week no later run reads."""
_PAGES = {
    "zh": ("operations.zh-CN.md", "报错对照表", "告警"),
    "en": ("operations.md", "failures", "alerts"),
}
"""Language → page of the documentation, its section on errors, and that on alerts."""
_RUN = re.compile(r"(\w+?)__(\d{4}-\d\d-\d\dT[\d:.]+(?:\+00:00|Z))")


def failed(alert: Alert, others: Sequence[Alert], style: Style) -> Message:
    """A task failed its last try; `others` failed for the same reason."""
    say = style.say
    return Message(
        say("titles", "failed", _title_name(alert, style), explain.problem(alert.message, style.language)),
        [
            say("lines", "since_failed", beijing(alert.opened_at), alert.seen_count),
            *_hurt(alert.dag_id, style),
            *_fix(alert.message, style),
            say("lines", "clear_week" if alert.dag_id == HISTORY else "clear"),
            say("labels", "task", _name(alert.dag_id, alert.task_id, style)),
            *([say("labels", "shop", _shop(alert))] if alert.shop else []),
            say("labels", "run", run_in_words(alert.run_id, style)),
            *([say("labels", "window", alert.time_window)] if alert.time_window else []),
            *([say("labels", "likewise", named(others, style))] if others else []),
            *_quoted(alert.message, alert.log_url, style),
            say("lines", "nothing_lost"),
        ],
    )


def overdue(alert: Alert, others: Sequence[Alert], style: Style) -> Message:
    """A run missed its deadline; so did `others`."""
    say = style.say
    return Message(
        say("titles", "late", dag_name(alert.dag_id, style.language)),
        [
            say("lines", "since_late", beijing(alert.opened_at), alert.message),
            *_hurt(alert.dag_id, style),
            say("labels", "fix", say("lines", "late_fix")),
            say("labels", "run", run_in_words(alert.run_id, style)),
            *([say("labels", "likewise", named(others, style))] if others else []),
            *_docs(style, section=2),
            say("lines", "late_over"),
        ],
    )


def burning(alert: Alert, style: Style) -> Message:
    """The error budget of a shop's objective burns too fast."""
    say = style.say
    return Message(
        say("titles", "burning", _title_name(alert, style)),
        [
            say("lines", "since_late", beijing(alert.opened_at), alert.message),
            *_hurt(alert.dag_id, style),
            say("labels", "fix", say("lines", "burning_fix")),
            *([say("labels", "shop", _shop(alert))] if alert.shop else []),
            *_docs(style, section=2),
            say("lines", "burning_over"),
        ],
    )


def over(alerts: Sequence[Alert], style: Style) -> Message:
    """An outage is over."""
    say = style.say
    begin = min(alert.opened_at for alert in alerts)
    end = max(alert.closed_at or alert.last_seen_at for alert in alerts)
    first = next((alert for alert in alerts if alert.kind == "failed"), alerts[0])
    reported = any(alert.told_at for alert in alerts)
    names = list(dict.fromkeys(dag_name(alert.dag_id, style.language) for alert in alerts))
    title = names[0] if len(names) == 1 else say("titles", "several", names[0], len(names))
    length = in_words(end - begin, style.language)
    return Message(
        say("titles", "over", title, length),
        [
            say("lines", "span", beijing(begin), beijing(end), length),
            say("labels", "affected", named(alerts, style)),
            *([f"{_error_label(style)}{explain.without_servers(first.message)}"] if first.kind == "failed" else []),
            *([] if reported else [say("lines", "unsent")]),
            say("lines", "nothing_to_do"),
        ],
    )


def warehouse_gone(event: Event, reason: str, since: datetime, style: Style) -> Message:
    """MySQL is not reached, so no alert can be looked up; `event` is the one that could not be recorded."""
    say = style.say
    return Message(
        say("titles", "gone", explain.problem(reason, style.language)),
        [
            say("lines", "since_failed", beijing(since), 1),
            say("labels", "hurt", say("lines", "gone_hurt")),
            *_fix(reason, style),
            say("labels", "noticed", _name(event.dag_id, event.task_id, style)),
            *_quoted(reason, event.log_url, style),
            say("lines", "gone_over"),
        ],
    )


def warehouse_back(since: datetime, now: datetime, style: Style) -> Message:
    """MySQL is reached again."""
    length = in_words(now - since, style.language)
    return Message(
        style.say("titles", "back", length),
        [style.say("lines", "span", beijing(since), beijing(now), length), style.say("lines", "back")],
    )


def digest(parts: Sequence[Message], style: Style) -> Message:
    """Many messages as one: the title of each, its error, and where to read on."""
    labels = tuple(style.say("labels", name) for name in ("error", "log"))
    kept = [[part.title, *(line for line in part.lines if line.startswith(labels))] for part in parts]
    return Message(
        style.say("titles", "digest", len(parts), parts[0].title),
        [*(line for lines in kept for line in lines), *_docs(style, section=1)],
    )


def for_chat(message: Message) -> Message:
    """The message with the error's first line only, without what it quotes: a chat gets no personal data."""
    labels = [Style(language).say("labels", "error") for language in LANGUAGES]
    lines = []
    for line in message.lines:
        label = next((one for one in labels if line.startswith(one)), "")
        lines.append(f"{label}{explain.without_values(line[len(label) :], explain.MAX_IN_CHAT)}" if label else line)
    return Message(message.title, lines)


def named(alerts: Sequence[Alert], style: Style) -> str:
    """The tasks that alerts are about."""
    names = list(dict.fromkeys(_title_name(alert, style) for alert in alerts))
    listed = ("、" if style.language == "zh" else ", ").join(names[:MAX_NAMED])
    return listed if len(names) <= MAX_NAMED else style.say("titles", "several", listed, len(names))


def beijing(moment: datetime) -> str:
    """Beijing time, to the minute."""
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M}"


def run_in_words(run_id: str, style: Style) -> str:
    """A run by its time in Beijing and its kind; the id, where that does not say them."""
    found = _RUN.match(run_id)
    if not found or found[1] not in ("scheduled", "manual", "backfill", "asset_triggered"):
        return run_id
    return style.say("runs", found[1], beijing(datetime.fromisoformat(found[2].replace("Z", "+00:00"))))


def _title_name(alert: Alert, style: Style) -> str:
    shop = alert.shop_name or alert.shop
    return " · ".join(filter(None, (dag_name(alert.dag_id, style.language), shop)))


def _name(dag_id: str, task_id: str, style: Style) -> str:
    task = task_name(task_id, style.language) if task_id else ""
    return " · ".join(filter(None, (dag_name(dag_id, style.language), task)))


def _shop(alert: Alert) -> str:
    return f"{alert.shop_name}（{alert.shop}）" if alert.shop_name else alert.shop


def _hurt(dag_id: str, style: Style) -> list[str]:
    return [style.say("labels", "hurt", DAGS[dag_id].hurt.to(style.language))] if dag_id in DAGS else []


def _fix(message: str, style: Style) -> list[str]:
    advice = explain.meaning_of(message).advice
    return [style.say("labels", "fix", advice.fix.to(style.language) if advice else style.say("lines", "unknown"))]


def _quoted(message: str, log_url: str | None, style: Style) -> list[str]:
    return [
        f"{_error_label(style)}{explain.without_servers(message)}",
        *([f"{style.say('labels', 'log')}{log_url}"] if opens_elsewhere(log_url) else []),
        *_docs(style, section=1),
    ]


def _docs(style: Style, *, section: int) -> list[str]:
    if not style.docs_url:
        return []
    pages = _PAGES[style.language]
    return [f"{style.say('labels', 'docs')}{style.docs_url}/{pages[0]}#{quote(pages[section])}"]


def _error_label(style: Style) -> str:
    return style.say("labels", "error")

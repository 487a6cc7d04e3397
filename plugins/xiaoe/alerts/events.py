"""A callback's context as an event: which task, which shop, what is wrong, and which outage it belongs to.

An outage is named by a fingerprint of the error without numbers, ids, times and paths. "Not reached" is one cause for
the API and one for MySQL, whatever was asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from airflow.sdk.log import redact

from xiaoe.alerts import wording
from xiaoe.clock import BEIJING, parse_time
from xiaoe.exceptions import XiaoeError, XiaoeNetworkError
from xiaoe.shop_operator import run_kind
from xiaoe.windows import parse_span

MAX_MESSAGE = 4000
_NOT_REACHED = {1040, 1045, *range(2000, 3000)}
"""MySQL's error numbers: too many connections, access denied, server unreachable or gone away."""


@dataclass(frozen=True)
class Event:
    """Something that may have to be reported.

    Args:
        kind: `failed`, `late` (overdue) or `burning` (an objective's budget), as `alerts.kind` stores it.
        dag_id: The DAG.
        task_id: The task; empty for `late`.
        shop: Its connection id; empty if the task belongs to no shop.
        run_id: Airflow's run.
        message: What is wrong; free of secrets.
        cause: Fingerprint; events with the same one are one outage. Of `late`, empty: it follows from the other alerts.
        log_url: Address of the task's log.
        tries: How often the task was tried.
        time_window: The window to be read, Beijing time.
        stands_alone: No later run reads the same window, so only this run's success ends the alert.
    """

    kind: str
    dag_id: str
    run_id: str
    message: str
    cause: str
    task_id: str = ""
    shop: str = ""
    log_url: str | None = None
    tries: int | None = None
    time_window: str | None = None
    stands_alone: bool = False


def failure(context: Mapping[str, Any]) -> Event:
    """The event of a failed task."""
    ti, error = context["ti"], context.get("exception")
    task_id, shop = task_and_shop(context)
    return Event(
        kind="failed",
        dag_id=ti.dag_id,
        task_id=task_id,
        shop=shop,
        run_id=ti.run_id,
        message=message_of(error),
        cause=cause_of(error),
        log_url=ti.log_url,
        tries=ti.try_number,
        time_window=time_window(context),
        stands_alone=stands_alone(context),
    )


def overdue_run(context: Mapping[str, Any]) -> Event | None:
    """The event of a missed deadline; None if there is nothing to report.

    A backfill has no deadline. A run that has ended meanwhile succeeded, or its failure was reported.
    """
    run, deadline = context["dag_run"], context["deadline"]
    if run["run_type"] == "backfill" or run["state"] in ("success", "failed"):
        return None
    due = datetime.fromisoformat(str(deadline["deadline_time"])).astimezone(BEIJING)
    say = wording.configured().say
    state = say("states", run["state"]) if run["state"] in ("running", "queued") else run["state"]
    return Event(
        kind="late",
        dag_id=run["dag_id"],
        run_id=run["dag_run_id"],
        message=say("lines", "due", f"{due:%Y-%m-%d %H:%M}", state),
        cause="",
    )


def task_and_shop(context: Mapping[str, Any]) -> tuple[str, str]:
    """Task id and the shop's connection id; for a task mapped over something else, the task id with its index."""
    ti, task = context["ti"], context["task"]
    index = ti.map_index if ti.map_index is not None else -1
    if index < 0:
        return ti.task_id, ""
    if isinstance(own := getattr(task, "xiaoe_conn_id", None), str):
        return ti.task_id, own
    group = next(task.iter_mapped_task_groups(), None)
    mapped_over = getattr(getattr(group, "_expand_input", None), "value", None)
    shops = mapped_over.get("xiaoe_conn_id") if isinstance(mapped_over, Mapping) else None
    if isinstance(shops, list) and index < len(shops):
        return ti.task_id, str(shops[index])
    return f"{ti.task_id}[{index}]", ""


def message_of(error: BaseException | str | None) -> str:
    """The exception's text, with its class unless it is a XiaoeError; secrets that Airflow knows are masked."""
    if not error:
        return "the task ended without an exception: it was killed, or its worker was lost; see its log"
    text = str(error)
    if isinstance(error, BaseException) and not isinstance(error, XiaoeError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return str(redact(text))[:MAX_MESSAGE]


def cause_of(error: BaseException | str | None) -> str:
    """A fingerprint that errors with one cause share: it ignores numbers, ids, times and paths.

    An API or a server that is not reached is one cause, whatever the request and the kind of failure.
    """
    if isinstance(error, XiaoeNetworkError):
        return fingerprint("the API is not reached")
    if is_warehouse_gone(error):
        return fingerprint("the warehouse is not reached")
    message = message_of(error)
    words = [word for word in message.split() if not re.search(r"[\d/]", word)]
    return fingerprint(" ".join(words + re.findall(r"\bconnection (\S+):", message)))


def is_warehouse_gone(error: BaseException | str | None) -> bool:
    """Whether MySQL was not reached or went away, by the error number that `xiaoe.mysql.errors` quotes."""
    numbers = getattr(error, "args", ())[:1] if type(error).__name__ == "OperationalError" else ()
    quoted = re.search(r"MySQL says (\d+):", str(error))
    return any(number in _NOT_REACHED for number in (*numbers, int(quoted[1]) if quoted else 0))


def fingerprint(text: str) -> str:
    """32 hex digits."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def time_window(context: Mapping[str, Any]) -> str | None:
    """The window the run was to read: the one given by hand, else the staged one, else the run's interval."""
    params = context.get("params") or {}
    if params.get("from"):
        return " → ".join(_as_typed(name, params.get(name)) for name in ("from", "to"))[:64]
    begin, end = context.get("data_interval_start"), context.get("data_interval_end")
    folders = str(getattr(context["task"], "folder", "")).split("/")
    if window := next(filter(None, map(parse_span, folders)), None):
        begin, end = window.begin, window.end
    ends = (begin, end) if begin and end else ()
    return " → ".join(f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M}" for moment in ends) or None


def _as_typed(name: str, value: str | None) -> str:
    """A field of the form in Beijing time; as it is, where it cannot be read: that is why the task failed."""
    if not value:
        return "…"
    try:
        return f"{parse_time(name, value):%Y-%m-%d %H:%M}"
    except XiaoeError:
        return value


def is_backfill(context: Mapping[str, Any]) -> bool:
    """Whether the run belongs to a backfill: whoever started it watches it."""
    run = context.get("dag_run")
    kind = run_kind(run) if getattr(run, "run_type", None) else str(context["run_id"]).partition("__")[0]
    return kind == "backfill"


def stands_alone(context: Mapping[str, Any]) -> bool:
    """Whether no later run reads the same window."""
    return bool(context["dag"].catchup) or is_backfill(context)

"""From an event to the people: note it, tell what is news, once; with a way around a warehouse that is down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from airflow.sdk.exceptions import AirflowException
from airflow.sdk.log import redact
from MySQLdb import Error

from xiaoe import clock, settings
from xiaoe.alerts import messages, outage, state
from xiaoe.alerts.events import Event, is_warehouse_gone
from xiaoe.alerts.state import Alert
from xiaoe.exceptions import XiaoeError, XiaoeRetriableError
from xiaoe.mysql.session import Session, retry_conflicts
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.notify import Message, channels

log = logging.getLogger(__name__)

OLDEST_NEWS = timedelta(days=1)
"""An outage that was over for so long before anybody could be told is no news."""
_WAIT_FOR_OTHERS = 180
"""Seconds; as long as a mail server may take."""


class News(NamedTuple):
    """Something to tell (None: too old for that), and where to note that it was told."""

    message: Message | None
    column: str
    alerts: list[Alert]


def happened(event: Event, error: BaseException | str | None = None) -> None:
    """Note a failure or a late run, and tell people if it is news.

    Args:
        event: What happened.
        error: The task's exception, where there is one.
    """
    if is_warehouse_gone(error) and outage.is_open():
        log.info("people were told that the warehouse is not reached: no alert of its own")
        return

    def note(session: Session) -> int:
        state.record(session, event, clock.now())
        return 1

    try:
        _note(note)
    except (Error, AirflowException) as reason:
        outage.begin(event, str(redact(str(reason))), say)


def ended(close: Callable[[Session, datetime], int]) -> None:
    """Close alerts, and tell people if that was the last one of an outage.

    Args:
        close: Closes them, and returns how many.
    """
    try:
        _note(lambda session: close(session, clock.now()))
    except (Error, AirflowException) as reason:
        log.warning("alerts could not be closed; the next success closes them: %s", redact(str(reason)))


def _note(note: Callable[[Session], int]) -> None:
    """Write to the table, then tell what is news; what could not be told before is news again."""
    with Warehouse().session(any_schema=True) as session:

        def work() -> int:
            session.rollback()
            changed = note(session)
            session.commit()
            return changed

        changed = retry_conflicts(work)
        if outage.is_noted() or state.unfinished(session):
            session.rollback()
            _tell(session, wait=_WAIT_FOR_OTHERS if changed else 0)


def _tell(session: Session, wait: int) -> None:
    """Tell all that is news; one task at a time, so that nobody hears twice."""
    try:
        with session.lock("alerts", timeout=wait):
            outage.end(say)
            now, ways = clock.now(), _ways()
            for item in news(state.unfinished(session), now):
                nobody_asked = not ways and item.column == "closed_told_at"
                if item.message is None or nobody_asked or _say(item.message, ways):
                    state.mark(session, item.column, item.alerts, now)
                    session.commit()
    except XiaoeRetriableError as error:
        log.info("telling people is left to another task, or to the next event: %s", error)


def news(alerts: Sequence[Alert], now: datetime) -> Iterator[News]:
    """What people have to hear of; alerts with one cause are one outage.

    Args:
        alerts: Of outages that are not over, or whose end nobody was told; oldest first.
        now: The present moment.
    """
    outages: dict[str, list[Alert]] = {}
    for alert in alerts:
        outages.setdefault(alert.cause, []).append(alert)
    for group in outages.values():
        open_ones = [alert for alert in group if alert.closed_at is None]
        if not open_ones:
            yield _end(group, now)
        elif failures := _untold([alert for alert in open_ones if alert.kind == "failed"], group):
            yield News(messages.failed(failures[0], failures[1:]), "told_at", open_ones)
        elif not any(alert.told_at for alert in group):
            yield News(messages.late(open_ones[0], open_ones[1:]), "told_at", open_ones)


def _end(group: list[Alert], now: datetime) -> News:
    ended = max(alert.closed_at for alert in group if alert.closed_at)
    is_old = now - ended > OLDEST_NEWS and not any(alert.told_at for alert in group)
    return News(None if is_old else messages.over(group), "closed_told_at", group)


def _untold(failures: list[Alert], group: list[Alert]) -> list[Alert]:
    """All, if people were told of no failure of the outage; else those that joined it long after that.

    A daily task that failed at night keeps its outage open for a day: what fails by day has to be heard of.
    """
    told = [alert.told_at for alert in group if alert.kind == "failed" and alert.told_at]
    if not told:
        return failures
    return [alert for alert in failures if not alert.told_at and alert.opened_at > max(told) + state.TOGETHER]


def say(message: Message) -> bool:
    """Tell people by every way that is configured, and return whether one of them worked."""
    return _say(message, _ways())


def _say(message: Message, ways: dict[str, Callable[[Message], None]]) -> bool:
    done = False
    for name, tell in ways.items():
        try:
            tell(messages.for_chat(message) if name == "chat" else message)
            done = True
            log.info("%s: %s", name, message.title)
        except XiaoeError as error:
            log.error("%s: nobody was told of %r: %s", name, message.title, error)
    return done


def _ways() -> dict[str, Callable[[Message], None]]:
    """The ways of telling that are configured; says so where there is none."""
    try:
        found = channels(settings.alert_mail_to(), settings.chat_conn_id())
    except XiaoeError as error:
        log.error("nobody is told of alerts: %s", error)
        return {}
    if not found:
        log.warning("nobody is told of alerts: XIAOE_ALERT_MAIL_TO and XIAOE_CHAT_CONN_ID are empty")
    return found

"""From an event to a message: record it, and send each piece of news once.

Messages go out under GET_LOCK, so two tasks never send the same one. A message that could not be sent is due again
with the next event; while the warehouse is down, `xiaoe.alerts.outage` takes over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from airflow.sdk.exceptions import AirflowException
from airflow.sdk.log import redact
from MySQLdb import Error

from xiaoe import clock, settings
from xiaoe.alerts import messages, outage, state, wording
from xiaoe.alerts.events import Event, is_warehouse_gone
from xiaoe.alerts.state import Alert
from xiaoe.alerts.wording import Style
from xiaoe.api import shop_names
from xiaoe.exceptions import XiaoeError, XiaoeRetriableError
from xiaoe.mysql.session import Session, retry_conflicts
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.notify import refusals
from xiaoe.notify.channels import Channel, Message, configured_channels

log = logging.getLogger(__name__)

MAX_NEWS_AGE = timedelta(days=1)
"""If no message about an outage could be sent until this long after its end, none is sent at all."""
MAX_SEPARATE = 5
"""More news than this at once are one message: a robot takes 20 messages a minute, and then none for ten minutes."""
_WAIT_FOR_OTHERS = 180
"""Seconds to wait for the lock: as long as a mail server may take."""


class News(NamedTuple):
    """A message to send (None: too old to be worth sending), and the column that records its sending."""

    message: Message | None
    column: str
    alerts: list[Alert]


def report_event(event: Event, error: BaseException | str | None = None) -> None:
    """Record a failure or an overdue run, and send a message if it is news.

    Args:
        event: What happened.
        error: The task's exception, if there is one.
    """
    if is_warehouse_gone(error) and outage.is_open():
        log.info("the outage of the warehouse was already reported: no separate alert")
        return

    def record(session: Session) -> int:
        state.record(session, event, clock.now())
        return 1

    try:
        _record(record)
    except (Error, AirflowException) as reason:
        outage.begin(event, str(redact(str(reason))), deliver)


def report_end(close: Callable[[Session, datetime], int]) -> None:
    """Close alerts, and send a message if that ends an outage.

    Args:
        close: Closes them and returns how many it closed.
    """
    try:
        _record(lambda session: close(session, clock.now()))
    except (Error, AirflowException) as reason:
        log.warning("alerts could not be closed; the next successful run closes them: %s", redact(str(reason)))


def _record(write: Callable[[Session], int]) -> None:
    """Write to the table, then send what is news, including what could not be sent before."""
    with Warehouse().session(any_schema=True) as session:

        def work() -> int:
            session.rollback()
            changed = write(session)
            session.commit()
            return changed

        changed = retry_conflicts(work)
        if outage.is_recorded() or state.unfinished(session):
            session.rollback()
            _deliver_news(session, wait=_WAIT_FOR_OTHERS if changed else 0)


def _deliver_news(session: Session, wait: int) -> None:
    """Send all news; one task at a time, so that nothing is sent twice."""
    try:
        with session.lock("alerts", timeout=wait):
            outage.end(partial(deliver, session=session))
            now, found, style = clock.now(), _channels(), wording.configured()
            names = shop_names.names_of_connections(session)
            alerts = [replace(one, shop_name=names.get(one.shop, "")) for one in state.unfinished(session)]
            items = list(news(alerts, now, style))
            texts = [item.message for item in items if item.message]
            together = _send(messages.digest(texts, style), found, session) if len(texts) > MAX_SEPARATE else None
            for item in items:
                is_settled = item.message is None or (not found and item.column == "closed_told_at")
                if item.message and not is_settled:
                    is_settled = _send(item.message, found, session) if together is None else together
                if is_settled:
                    state.mark(session, item.column, item.alerts, now)
                    session.commit()
    except XiaoeRetriableError as error:
        log.info("another task sends the messages, or the next event does: %s", error)


def news(alerts: Sequence[Alert], now: datetime, style: Style) -> Iterator[News]:
    """What is still to be reported; alerts with the same cause are one outage.

    Args:
        alerts: Of outages that are not over or whose end was not reported; oldest first.
        now: The present moment.
        style: How messages are worded.
    """
    outages: dict[str, list[Alert]] = {}
    for alert in alerts:
        outages.setdefault(alert.cause, []).append(alert)
    for group in outages.values():
        open_ones = [alert for alert in group if alert.closed_at is None]
        if not open_ones:
            yield _end(group, now, style)
        elif failures := _unreported([alert for alert in open_ones if alert.kind == "failed"], group):
            yield News(messages.failed(failures[0], failures[1:], style), "told_at", open_ones)
        elif any(alert.told_at for alert in group):
            continue
        elif open_ones[0].kind == "burning":
            yield News(messages.burning(open_ones[0], style), "told_at", open_ones)
        else:
            yield News(messages.overdue(open_ones[0], open_ones[1:], style), "told_at", open_ones)


def _end(group: list[Alert], now: datetime, style: Style) -> News:
    ended = max(alert.closed_at for alert in group if alert.closed_at)
    is_old = now - ended > MAX_NEWS_AGE and not any(alert.told_at for alert in group)
    return News(None if is_old else messages.over(group, style), "closed_told_at", group)


def _unreported(failures: list[Alert], group: list[Alert]) -> list[Alert]:
    """All failures, if none of the outage was reported; else those that joined it more than TOGETHER later.

    A daily task that failed at night keeps its outage open for a day and would hide what fails during that day.
    """
    reported = [alert.told_at for alert in group if alert.kind == "failed" and alert.told_at]
    if not reported:
        return failures
    return [alert for alert in failures if not alert.told_at and alert.opened_at > max(reported) + state.TOGETHER]


def deliver(message: Message, session: Session | None = None) -> bool:
    """Send a message over every configured channel; return whether at least one accepted it."""
    return _send(message, _channels(), session)


def _send(message: Message, found: Mapping[str, Channel], session: Session | None) -> bool:
    """Send over all channels, the mail last: it says which of the others refuse."""
    done = False
    for name, channel in sorted(found.items()):
        try:
            said = messages.for_chat(message) if name == "chat" else message
            refusals.send(session, channel, said, wording.configured().language)
            done = True
            log.info("%s: %s", name, message.title)
        except XiaoeError as error:
            log.error("%s: the message %r was not sent: %s", name, message.title, error)
    return done


def _channels() -> dict[str, Channel]:
    """The configured channels; logs a warning if there are none."""
    try:
        found = configured_channels(settings.alert_mail_to(), settings.chat_conn_id())
    except XiaoeError as error:
        log.error("alerts are not sent: %s", error)
        return {}
    if not found:
        log.warning("alerts are not sent: XIAOE_ALERT_MAIL_TO and XIAOE_CHAT_CONN_ID are empty")
    return found

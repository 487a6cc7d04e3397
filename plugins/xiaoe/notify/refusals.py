"""Sends over a channel and remembers in `channel_refusals` who refuses, until a message is accepted there.

The monitoring page shows these rows, and every mail names the ones that stand, so that a channel that nobody hears is
not missed. The table must not hold up a message: without it (the warehouse is down, or not migrated) the log has the
refusal.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from airflow.sdk.log import redact
from MySQLdb import Error

from xiaoe import clock
from xiaoe.clock import BEIJING, utc_text
from xiaoe.exceptions import XiaoeError
from xiaoe.mysql.session import Session
from xiaoe.notify.channels import Channel, Message
from xiaoe.texts import Text

log = logging.getLogger(__name__)

_NAMES = {"mail": Text("邮件", "mail"), "chat": Text("群消息", "chat")}
_IN_CHAT = Text(
    "注意：邮件有 {} 个地址发不到，见监控页。", "Note: {} mail addresses are not reached, see the monitoring page."
)
_IN_MAIL = Text(
    "注意：{}发不到 {}，自 {} 起拒收 {} 次，请修复。对方的说法：{}",
    "Note: {} does not reach {}: refused since {} (Beijing time), {} times. Mend it. It says: {}",
)
_MAX_REASON = 1000
_FORGOTTEN = timedelta(days=30)
"""A target that was not tried for this long was removed from the settings."""


class Refusal(NamedTuple):
    """A row of `channel_refusals`; times are naive UTC."""

    channel: str
    target: str
    reason: str
    first_refused_at: datetime
    last_refused_at: datetime
    refused_count: int


def send(session: Session | None, channel: Channel, message: Message, language: str = "zh") -> None:
    """Send a message; refusals are logged and remembered.

    Args:
        session: The warehouse, with nothing uncommitted; None while it is down.
        channel: Where to.
        message: It also gets the refusals that stand: a mail in full, a chat how many mail addresses.
        language: The message's, `zh` or `en`.

    Raises:
        XiaoeError: Nobody accepted it; what `channel.send` raised.
    """
    message = replace(message, lines=[*message.lines, *notes(channel.name, open_refusals(session), language)])
    try:
        refused = channel.send(message)
    except XiaoeError as error:
        _remember(session, channel, dict.fromkeys(channel.targets, str(redact(str(error)))))
        raise
    for target, words in refused.items():
        log.error("%s: %s did not get the message %r: %s", channel.name, target, message.title, words)
    _remember(session, channel, {target: str(redact(words)) for target, words in refused.items()})


def open_refusals(session: Session | None) -> list[Refusal]:
    """The refusals that stand, the oldest first; none if the warehouse cannot tell."""
    if session is None:
        return []
    try:
        rows = session.query(
            "SELECT channel, target, reason, first_refused_at, last_refused_at, refused_count FROM channel_refusals"
            " WHERE last_refused_at >= %s ORDER BY first_refused_at, channel, target",
            (utc_text(clock.now() - _FORGOTTEN),),
        )
    except (Error, XiaoeError) as error:
        log.warning("channel_refusals cannot be read: %s", redact(str(error)))
        return []
    return [Refusal(*row) for row in rows]


def notes(channel: str, refusals: Sequence[Refusal], language: str) -> list[str]:
    """What a message says about refusals; an address is not for a chat."""
    if channel == "chat":
        count = sum(one.channel == "mail" for one in refusals)
        return [_IN_CHAT.to(language).format(count)] if count else []
    names = {name: text.to(language) for name, text in _NAMES.items()}
    return [
        _IN_MAIL.to(language).format(
            names.get(one.channel, one.channel), one.target, _beijing(one.first_refused_at), one.refused_count,
            one.reason,
        )
        for one in refusals
    ]  # fmt: skip


def _beijing(moment: datetime) -> str:
    return f"{moment + BEIJING.utcoffset(None):%Y-%m-%d %H:%M}"


def _remember(session: Session | None, channel: Channel, refused: Mapping[str, str]) -> None:
    """Note who refused, and strike out the channel's other targets: they accepted the message."""
    if session is None:
        return
    now = utc_text(clock.now())
    try:
        if accepted := [target for target in channel.targets if target not in refused]:
            session.execute(
                "DELETE FROM channel_refusals WHERE channel = %s AND target IN %s", (channel.name, accepted)
            )
        for target, reason in refused.items():
            session.execute(
                "INSERT INTO channel_refusals (channel, target, reason, first_refused_at, last_refused_at)"
                " VALUES (%s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE reason = VALUES(reason),"
                " last_refused_at = VALUES(last_refused_at), refused_count = refused_count + 1",
                (channel.name, target, reason[:_MAX_REASON], now, now),
            )
        session.commit()
    except (Error, XiaoeError) as error:
        log.warning("channel_refusals cannot be written: %s", redact(str(error)))
        session.rollback()

"""Tell people: by mail over the connection `smtp_default`, in a chat (钉钉、企业微信、飞书) over one of type `apprise`.

What is said is business text in Chinese, short and plain. A chat gets no personal data: counts and order ids only.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from airflow.sdk.log import mask_secret

from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError

MAIL_CONN_ID = "smtp_default"
_REFUSED_FOR_GOOD = 500
_LONG_ENOUGH_FOR_A_TOKEN = 16


@dataclass(frozen=True)
class Message:
    """What is said.

    Args:
        title: Subject of the mail, first line in a chat.
        lines: Plain text, a paragraph each.
        files: Attached to a mail; a chat gets none.
    """

    title: str
    lines: Sequence[str]
    files: Sequence[Path] = ()


def channels(mail_to: Sequence[str], chat_conn_id: str | None) -> dict[str, Callable[[Message], None]]:
    """The ways of telling that are configured: `mail`, `chat`, both or none."""
    found: dict[str, Callable[[Message], None]] = {}
    if mail_to:
        found["mail"] = partial(mail, to=mail_to)
    if chat_conn_id:
        found["chat"] = partial(chat, conn_id=chat_conn_id)
    return found


def mail(message: Message, to: Sequence[str]) -> None:
    """Send a mail.

    Raises:
        XiaoeConfigError: The connection is missing or wrong, or the server refuses for good.
        XiaoeRetriableError: The server could not be reached, or asks to come again.
    """
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    connection = _connection(MAIL_CONN_ID, "smtp", "mail is to be sent")
    sender = connection.extra_dejson.get("from_email")
    if not sender:
        raise XiaoeConfigError(
            f"connection {MAIL_CONN_ID}: from_email is empty: give the sender's address in the extra field from_email"
        )
    notifier = SmtpNotifier(
        smtp_conn_id=MAIL_CONN_ID,
        from_email=sender,
        to=list(to),
        subject=" ".join(message.title.split()),
        html_content="".join(f"<p>{escape(line)}</p>\n" for line in message.lines),
        files=[str(file) for file in message.files],
    )
    with _mail_errors(to):
        notifier.notify({})  # not called: that would run the text, which holds data, as a Jinja template


def chat(message: Message, conn_id: str) -> None:
    """Send a message to every service that a connection of type `apprise` names.

    Raises:
        XiaoeConfigError: The connection is missing or wrong.
        XiaoeRetriableError: A service did not take the message.
    """
    # AppriseHook.notify drops the answer: a message that no service took would look like one that arrived.
    import apprise
    from airflow.providers.apprise.hooks.apprise import AppriseHook

    connection = _connection(conn_id, "apprise", f"XIAOE_CHAT_CONN_ID={conn_id!r}")
    hook, services = AppriseHook(conn_id), apprise.Apprise()
    try:
        config = hook.get_config_from_conn(connection)
        configs = config if isinstance(config, list) else [config]
        for word in (word for one in configs for word in re.split(r"[/:?@&=,\s]+", one["path"])):
            if len(word) >= _LONG_ENOUGH_FOR_A_TOKEN:
                mask_secret(word)
        hook.set_config_from_conn(connection, services)
    except (KeyError, TypeError, ValueError):
        configs = [None]
    if not configs or len(services) < len(configs):  # Apprise leaves out what it does not understand
        raise XiaoeConfigError(
            f"connection {conn_id}: extra field config holds no usable Apprise URL, or one that is not:"
            ' give {"path": "dingtalk://…"} or a list of such; also wecombot://…, feishu://… (not shown: it is secret)'
        )
    if not services.notify(title=" ".join(message.title.split()), body="\n".join(message.lines)):
        raise XiaoeRetriableError(
            f"connection {conn_id}: a chat service did not take the message; Apprise's lines above say why."
            " Check the address, the robot's key word or signature, and whether this machine may reach it"
        )


def _connection(conn_id: str, kind: str, why: str) -> Any:
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise XiaoeConfigError(
            f"{why}, and there is no Airflow connection {conn_id}: make one of type {kind}, or empty the setting"
        ) from None
    if connection.conn_type != kind:
        raise XiaoeConfigError(f"connection {conn_id}: type {connection.conn_type!r}: it has to be of type {kind}")
    return connection


@contextmanager
def _mail_errors(to: Sequence[str]) -> Iterator[None]:
    """Say what a mail server's error means for the person who reads it; never what was sent to log in."""
    where = f"connection {MAIL_CONN_ID}"
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        said = "; ".join(f"{address}: {code} {_text(text)}" for address, (code, text) in error.recipients.items())
        codes = [code for code, _ in error.recipients.values()]
        raise _mail_error(min(codes), f"{where}: the mail server refuses every address ({said})") from None
    except smtplib.SMTPResponseException as error:
        raise _mail_error(
            error.smtp_code, f"{where}: the mail server says {error.smtp_code} {_text(error.smtp_error)}"
        ) from None
    except smtplib.SMTPNotSupportedError as error:
        raise XiaoeConfigError(
            f"{where}: {error}: fit disable_tls, disable_ssl and the login to what the server offers"
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        raise XiaoeRetriableError(
            f"{where}: the mail server could not be reached ({error}): check host, port, disable_ssl, disable_tls"
        ) from None
    except AirflowException as error:
        raise XiaoeRetriableError(f"{where}: {error}") from None


def _mail_error(code: int, message: str) -> XiaoeConfigError | XiaoeRetriableError:
    if code >= _REFUSED_FOR_GOOD:
        return XiaoeConfigError(f"{message}: check login, password and from_email of the connection, and the addresses")
    return XiaoeRetriableError(f"{message}; trying again later")


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said

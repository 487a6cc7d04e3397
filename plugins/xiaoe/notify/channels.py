"""Messages to staff: mail over the connection `smtp_default`, chat (钉钉、企业微信、飞书) over one of type `apprise`.

Texts are short business Chinese. A chat gets no personal data: counts and order ids only.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.header import Header
from email.utils import formataddr, getaddresses, make_msgid, parseaddr
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from airflow.sdk.log import mask_secret

from xiaoe.connections import get_connection
from xiaoe.exceptions import XiaoeConfigError, XiaoeError, XiaoeRetriableError
from xiaoe.notify import robots

MAIL_CONN_ID = "smtp_default"
CHAT_SETTING = "XIAOE_CHAT_CONN_ID"
_PERMANENT_REFUSAL = 500
"""SMTP replies with this code or a higher one are permanent."""
_MIN_TOKEN_LENGTH = 16


@dataclass(frozen=True)
class Message:
    """A message, whatever the channel.

    Args:
        title: Subject of the mail, first line in a chat.
        lines: Plain text, one paragraph each.
        files: Attached to a mail; a chat gets none.
    """

    title: str
    lines: Sequence[str]
    files: Sequence[Path] = ()


@dataclass(frozen=True)
class Channel:
    """A way to reach staff.

    Args:
        name: `mail` or `chat`.
        targets: Who is reached: the addresses of a mail, the connection of a chat.
        send: Sends a message; returns target → words of a refusal where only others of the channel accepted it.
    """

    name: str
    targets: Sequence[str]
    send: Callable[[Message], dict[str, str]]


def configured_channels(
    mail_to: Sequence[str], chat_conn_id: str | None, *, chat_setting: str = CHAT_SETTING
) -> dict[str, Channel]:
    """The configured channels by name: `mail`, `chat`, both or none.

    Args:
        mail_to: Addresses.
        chat_conn_id: Connection of type `apprise`.
        chat_setting: The setting that names it, for messages.
    """
    found: dict[str, Channel] = {}
    if mail_to:
        found["mail"] = Channel("mail", mail_to, partial(mail, to=mail_to))
    if chat_conn_id:
        found["chat"] = Channel("chat", [chat_conn_id], partial(chat, conn_id=chat_conn_id, setting=chat_setting))
    return found


def mail(message: Message, to: Sequence[str]) -> dict[str, str]:
    """Send a message by mail.

    Returns:
        Address → the server's words, for addresses that it refused while it accepted others.

    Raises:
        XiaoeConfigError: The connection is missing or wrong, or the server refuses permanently.
        XiaoeRetriableError: The server could not be reached, or asks to try again later.
    """
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    connection = _connection(MAIL_CONN_ID, "smtp", "a mail is to be sent")
    sender, address = _sender(connection.extra_dejson.get("from_email"))
    with _mail_errors(), SmtpHook(MAIL_CONN_ID) as hook:
        refused = _noted_refusals(hook)
        hook.send_email_smtp(
            from_email=sender,
            to=list(to),
            subject=Header(_sendable(" ".join(message.title.split())), "utf-8", 74, "Subject").encode(),
            html_content="".join(f"<p>{escape(_sendable(line))}</p>\n" for line in message.lines),
            files=[str(file) for file in message.files],
            custom_headers={"Message-ID": make_msgid(domain=address.rpartition("@")[2])},
        )
    return refused


def _sender(given: str | None) -> tuple[str, str]:
    """The value of From, and the address in it.

    The hook would encode a Chinese name together with its address, which QQ and Exmail refuse with 550 (RFC 2047,
    section 5).

    Raises:
        XiaoeConfigError: There is not one address.
    """
    name, address = parseaddr(given or "")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", address) or len(getaddresses([given or ""])) != 1:
        raise XiaoeConfigError(
            f"connection {MAIL_CONN_ID}: from_email={given!r}: give the sender in this extra field, as"
            " robot@example.com or 报表 <robot@example.com>"
        )
    return formataddr((_sendable(name), address)), address


def _sendable(text: str) -> str:
    """The text with half emojis as U+FFFD: no encoding has them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _noted_refusals(hook: Any) -> dict[str, str]:
    """Filled while the hook sends: it drops the addresses that the server refused among others."""
    refused: dict[str, str] = {}
    client = hook._smtp_client
    sendmail = client.sendmail

    def noting(*arguments: Any, **options: Any) -> Any:
        found = sendmail(*arguments, **options)
        refused.update({address: f"{code} {_text(reply)}" for address, (code, reply) in found.items()})
        return found

    client.sendmail = noting
    return refused


def chat(message: Message, conn_id: str, setting: str = CHAT_SETTING) -> dict[str, str]:
    """Send a message to every service named by a connection of type `apprise`.

    Delivered is what the service confirms (`xiaoe.notify.robots`); of other services, what Apprise calls sent.

    Returns:
        The connection → the words of the services that refused it while others accepted it.

    Raises:
        XiaoeConfigError: The connection is missing or wrong, or every service refuses the message.
        XiaoeRetriableError: No service accepted it, but may later.
    """
    title, failed = _sendable(" ".join(message.title.split())), dict[str, XiaoeError]()
    lines = [_sendable(line) for line in message.lines]
    services = _chat_services(conn_id, setting)
    for name, service in services.items():
        try:
            _send_chat(service, title, lines)
        except XiaoeError as error:
            failed[name] = error
    if not failed:
        return {}
    words = "; ".join(f"{name}: {error}" for name, error in failed.items())
    if len(failed) < len(services):
        return {conn_id: words}
    is_final = all(isinstance(error, XiaoeConfigError) for error in failed.values())
    raise (XiaoeConfigError if is_final else XiaoeRetriableError)(
        f"connection {conn_id}: a chat service did not accept the message ({words})."
        " Check the address, the robot's key word or signature, and whether this machine may reach it"
    )


def _send_chat(service: Any, title: str, lines: Sequence[str]) -> None:
    if service.secure_protocol in robots.ROBOTS:
        robots.send(service, title, lines)
    elif not service.notify(title=title, body="\n".join(lines)):
        raise XiaoeRetriableError("not sent; Apprise's log lines above show why")


def _chat_services(conn_id: str, setting: str) -> dict[str, Any]:
    """The services of a connection: scheme (and number, if there are several of it) → Apprise's object."""
    # AppriseHook.notify drops the result, so a message that no service accepted would look delivered.
    import apprise
    from airflow.providers.apprise.hooks.apprise import AppriseHook

    connection = _connection(conn_id, "apprise", f"{setting}={conn_id!r}")
    hook, services = AppriseHook(conn_id), apprise.Apprise()
    try:
        config = hook.get_config_from_conn(connection)
        configs = config if isinstance(config, list) else [config]
        for word in (word for one in configs for word in re.split(r"[/:?@&=,\s]+", one["path"])):
            if len(word) >= _MIN_TOKEN_LENGTH:
                mask_secret(word)
        hook.set_config_from_conn(connection, services)
    except (KeyError, TypeError, ValueError):
        configs = [None]
    if not configs or len(services) < len(configs):  # Apprise leaves out what it does not understand
        raise XiaoeConfigError(
            f"connection {conn_id}: extra field config holds no Apprise URL, or one that is not usable:"
            ' give {"path": "dingtalk://…"} or a list of such; also wecombot://…, feishu://… (not shown: it is secret)'
        )
    found: dict[str, Any] = {}
    for service in services:
        scheme = service.url(privacy=True).partition("://")[0]
        same = sum(name.split()[0] == scheme for name in found)
        found[f"{scheme} {same + 1}" if same else scheme] = service
    return found


def _connection(conn_id: str, kind: str, why: str) -> Any:
    try:
        connection = get_connection(conn_id)
    except AirflowNotFoundException:
        raise XiaoeConfigError(
            f"{why}, but there is no Airflow connection {conn_id}: create one of type {kind}, or empty the setting"
        ) from None
    if connection.conn_type != kind:
        raise XiaoeConfigError(f"connection {conn_id}: type {connection.conn_type!r}: it must be of type {kind}")
    return connection


@contextmanager
def _mail_errors() -> Iterator[None]:
    """Translate a mail server's error into a fix; credentials are never shown."""
    where = f"connection {MAIL_CONN_ID}"
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        replies = "; ".join(f"{address}: {code} {_text(text)}" for address, (code, text) in error.recipients.items())
        codes = [code for code, _ in error.recipients.values()]
        raise _mail_error(min(codes), f"{where}: the mail server refuses every address ({replies})") from None
    except smtplib.SMTPResponseException as error:
        raise _mail_error(
            error.smtp_code, f"{where}: the mail server answers {error.smtp_code} {_text(error.smtp_error)}"
        ) from None
    except smtplib.SMTPNotSupportedError as error:
        raise XiaoeConfigError(
            f"{where}: {error}: set disable_tls, disable_ssl and the login to what the server offers"
        ) from None
    except UnicodeError:
        raise XiaoeConfigError(
            f"{where}: login, password (not shown) or an address has characters outside ASCII, which no mail server is"
            " sent: QQ, 163 and Exmail want their authorisation code (授权码) as password"
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        raise XiaoeRetriableError(
            f"{where}: the mail server could not be reached ({error}): check host, port, disable_ssl, disable_tls"
        ) from None
    except AirflowException as error:
        raise XiaoeRetriableError(f"{where}: {error}") from None
    except (ValueError, TypeError, RuntimeError) as error:
        raise XiaoeConfigError(f"{where}: a field of its extra cannot be used: {error}") from None


def _mail_error(code: int, message: str) -> XiaoeConfigError | XiaoeRetriableError:
    if code >= _PERMANENT_REFUSAL:
        return XiaoeConfigError(
            f"{message}: check login, password (QQ, 163, Exmail: the 授权码) and from_email of the connection, and the"
            " addresses"
        )
    return XiaoeRetriableError(f"{message}; trying again later")


def _text(reply: bytes | str) -> str:
    """What a server says, in UTF-8 or as many in China in GBK."""
    if isinstance(reply, str):
        return reply
    try:
        return reply.decode()
    except UnicodeDecodeError:
        return reply.decode("gb18030", "replace")

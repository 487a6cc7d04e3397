"""A mail server and a chat service on loopback that keep what they are sent, and refuse when told to."""

from __future__ import annotations

import email
import email.policy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import parseaddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.lark import NotifyLark
from apprise.plugins.wecombot import NotifyWeComBot

from servers.airflow import free_port

TOKEN = "chat-token-that-nobody-may-read"
PASSWORD = "mail-password-that-nobody-may-read"


class MailServer:
    """As strict as QQ's: the address in From has to stand there as it is, and be the sender's.

    Args:
        mails: What was taken, parsed; `contents` as it came, `senders` of the envelopes.
        refusals: Command (`RCPT`, `RCPT address`, `DATA`) → what the server says instead of taking it.
        log_in: What it makes of any log-in.
        drops: Whether it hangs up once it has a message.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.contents: list[bytes] = []
        self.senders: list[str] = []
        self.refusals: dict[str, str | bytes] = {}
        self.log_in = AuthResult(success=True)
        self.drops = False
        self.port = 0

    def authenticate(self, *_: Any) -> AuthResult:
        """Judge a log-in."""
        return self.log_in

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str | bytes:
        if refusal := self.refusals.get("RCPT") or self.refusals.get(f"RCPT {address}"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str | bytes:
        if "DATA" in self.refusals:
            return self.refusals["DATA"]
        if self.drops:
            server.transport.abort()
            return "250 OK"
        content = envelope.content or b""
        assert isinstance(content, bytes)
        said = str(email.message_from_bytes(content)["From"])
        if envelope.mail_from not in (said, parseaddr(said)[1]):
            return '550 The "From" header is missing or invalid. Please follow RFC5322, RFC2047, RFC822'
        self.contents.append(content)
        self.senders.append(str(envelope.mail_from))
        message = email.message_from_bytes(content, policy=email.policy.default)
        self.mails.append(message)  # type: ignore[arg-type]
        return "250 OK"

    def connection(self, **extra: Any) -> str:
        """`smtp_default` as JSON."""
        said = {
            "disable_ssl": True,
            "disable_tls": True,
            "from_email": "airflow@example.com",
            "retry_limit": 0,
            **extra,
        }
        return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": self.port, "extra": said})


@contextmanager
def mail_server(*, logs_in: bool = False) -> Iterator[MailServer]:
    server = MailServer()
    server.port = free_port()
    options = {"authenticator": server.authenticate, "auth_require_tls": False} if logs_in else {}
    controller = Controller(server, hostname="127.0.0.1", port=server.port, **options)  # type: ignore[arg-type]
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def body(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def attachments(mail: EmailMessage) -> dict[str, bytes]:
    return {str(part.get_filename()): part.get_payload(decode=True) for part in mail.iter_attachments()}  # type: ignore[misc]


CONFIRMED = {
    "dingtalk": {"errcode": 0, "errmsg": "ok"},
    "wecombot": {"errcode": 0, "errmsg": "ok"},
    "feishu": {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"},
    "lark": {"code": 0, "data": {}, "msg": "success"},
}
"""What each service answers when it takes a message."""
TOO_FAST = {
    "dingtalk": {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"},
    "wecombot": {"errcode": 45009, "errmsg": "api freq out of limit"},
    "feishu": {"code": 11232, "msg": "frequency limited"},
    "lark": {"code": 11232, "msg": "frequency limited"},
}
MOST_A_MINUTE = 20


class ChatService:
    """Any service that takes JSON, and, under `/robot`, robots as they are documented.

    Args:
        status: HTTP status of every answer.
        answers: Robot → what it answers instead of taking a message: JSON or text.
        said: Messages that were taken, as they came.
        texts: Robot → the texts that it took.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.said: list[dict[str, Any]] = []
        self.texts: dict[str, list[str]] = {}
        self.queries: list[dict[str, list[str]]] = []
        self.status = 200
        self.answers: dict[str, Any] = {}

    def connection(self, *paths: str) -> str:
        """`apprise_default` as JSON, with this service or with other addresses."""
        config = [{"path": path} for path in paths or (f"json://127.0.0.1:{self.port}/{TOKEN}",)]
        return json.dumps({"conn_type": "apprise", "extra": {"config": config}})

    def stand_in(self, patch: pytest.MonkeyPatch) -> None:
        """Have Apprise's addresses of robots lead here."""
        here = f"http://127.0.0.1:{self.port}/robot"
        patch.setattr(NotifyDingTalk, "notify_url", f"{here}/dingtalk?access_token={{token}}")
        patch.setattr(NotifyWeComBot, "notify_url", f"{here}/wecombot?key={{key}}")
        patch.setattr(NotifyFeishu, "notify_url", f"{here}/feishu/{{token}}/")
        patch.setattr(NotifyLark, "notify_url", f"{here}/lark/")

    def answer(self, path: str, body: bytes) -> bytes:
        """Take a message, or refuse it."""
        said, address = json.loads(body), urlsplit(path)
        _, kind, robot, *_ = [*address.path.split("/"), "", ""]
        if kind == "robot":
            refused = self.answers.get(robot, self._refused(robot, said, body))
            if refused is not None:
                return refused.encode() if isinstance(refused, str) else json.dumps(refused).encode()
            self.texts.setdefault(robot, []).append(_text_of(said))
            self.queries.append(parse_qs(address.query))
        self.said.append(said)
        return json.dumps(CONFIRMED.get(robot, {})).encode()

    def _refused(self, robot: str, said: dict[str, Any], body: bytes) -> dict[str, Any] | None:
        if len(self.texts.get(robot, ())) >= MOST_A_MINUTE:
            return TOO_FAST[robot]
        if robot == "wecombot" and len(_text_of(said).encode()) > 2048:
            return {"errcode": 40058, "errmsg": "text.content exceed max length 2048"}
        if len(body) > 20_000:
            return {"errcode": 460101, "code": 9499, "errmsg": "message too long", "msg": "message too long"}
        return None


def _text_of(said: dict[str, Any]) -> str:
    return str((said.get("text") or said["content"]).get("content") or said["content"]["text"])


@contextmanager
def chat_service() -> Iterator[ChatService]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = service.answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(service.status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service = ChatService(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

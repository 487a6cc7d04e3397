"""A mail server and a chat service on loopback that keep what they are sent, and refuse when told to."""

from __future__ import annotations

import email
import email.policy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from servers.airflow import free_port

TOKEN = "chat-token-that-nobody-may-read"
PASSWORD = "mail-password-that-nobody-may-read"


class MailServer:
    """Args: refusals: command (`RCPT`, `DATA`) → what the server says instead of taking it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusals: dict[str, str] = {}
        self.port = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.refusals:
            return self.refusals["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if "DATA" in self.refusals:
            return self.refusals["DATA"]
        message = email.message_from_bytes(envelope.content or b"", policy=email.policy.default)  # type: ignore[arg-type]
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
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    server.port = free_port()
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
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


class ChatService:
    """Args: status: What every call is answered with."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.said: list[dict[str, Any]] = []
        self.status = 200

    def connection(self, *paths: str) -> str:
        """`apprise_default` as JSON, with this service or with other addresses."""
        config = [{"path": path} for path in paths or (f"json://127.0.0.1:{self.port}/{TOKEN}",)]
        return json.dumps({"conn_type": "apprise", "extra": {"config": config}})


@contextmanager
def chat_service() -> Iterator[ChatService]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            service.said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(service.status)
            self.end_headers()

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

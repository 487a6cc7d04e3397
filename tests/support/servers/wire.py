"""A hand-written HTTP server for answers that no well-behaved one gives, and a token store in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from xiaoe.api.shop import Shop
from xiaoe.api.tokens import Token
from xiaoe.clock import utc_now


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: datetime


Answer = Callable[[Seen], bytes]


@dataclass
class Wire:
    """A running server; `seen` holds every request, `answer` makes the bytes that go back.

    `more` goes out behind an answer, byte by byte. `released` is set when the server stops: an answer that waits for it
    never comes in time.
    """

    url: str = ""
    answer: Answer = lambda seen: http()
    more: bytes = b""
    seen: list[Seen] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def never(self, seen: Seen) -> bytes:
        """An answer that does not come."""
        self.released.wait()
        return b""


def http(status: str = "200 OK", body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """A whole HTTP answer; `length` other than the body's is a lie."""
    lines = [f"HTTP/1.1 {status}", *headers, "Connection: close"]
    lines += [f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer_json(content: object) -> bytes:
    return http("200 OK", json.dumps(content).encode(), "Content-Type: application/json")


def orders(*rows: object, total: int | None = None) -> bytes:
    return answer_json({"code": 0, "data": {"total": len(rows) if total is None else total, "list": list(rows)}})


def token(value: str = "xe_token", life: object = 7200) -> bytes:
    return answer_json({"code": 0, "msg": "success", "data": {"access_token": value, "expires_in": life}})


def shop_answer(business: Answer | bytes, token_answer: bytes | None = None) -> Answer:
    """Answers the token call well, and any other call as told."""

    def answer(seen: Seen) -> bytes:
        if "/token?" in seen.path:
            return token_answer or token()
        return business if isinstance(business, bytes) else business(seen)

    return answer


@contextmanager
def serving() -> Iterator[Wire]:
    """Run a server for the length of a `with` block."""
    wire = Wire()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen = Seen(self.command, self.path, dict(self.headers.items()), body, utc_now())
            wire.seen.append(seen)
            with suppress(OSError):  # the client may have gone
                self.wfile.write(wire.answer(seen))
                for drop in wire.more if self.command == "POST" else b"":
                    self.wfile.write(bytes([drop]))
                    wire.released.wait(0.01)
            self.close_connection = True

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    wire.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        wire.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class MemoryTokens:
    """Shares a token among the hooks of one test, as the warehouse does among tasks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.token: Token | None = None
        self.asked = 0

    def obtain(self, shop: Shop, refused: str | None, issue: Callable[[], Token]) -> Token:
        with self.lock:
            self.asked += 1
            if self.token is None or self.token.value == refused:
                self.token = issue()
            return self.token

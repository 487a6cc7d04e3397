"""The push service on a port of loopback: in a thread, or in a forked child that may be killed."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from emulator.push.sealing import Sealed, Secrets, seal
from support.faults.processes import Child
from xiaoe.push.service import make_server

SECRETS = Secrets("token-of-the-tests", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")
_TIMEOUT = 30.0
_OPENER = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class PushClient:
    """Sends requests to a service.

    Args:
        url: Of the service, without a path.
        app_id: The shop of messages.
    """

    url: str
    app_id: str

    def post(self, sealed: Sealed, path: str | None = None) -> tuple[int, str]:
        """Status and text of the answer.

        Raises:
            OSError: There was none.
        """
        address = f"{self.url}{f'/push/{self.app_id}' if path is None else path}?{sealed.query}"
        return self._ask(Request(address, sealed.body, {"Content-Type": sealed.content_type}))  # noqa: S310 - ours

    def get(self, path: str) -> tuple[int, str]:
        """As `post`."""
        return self._ask(Request(self.url + path))  # noqa: S310 - ours

    def push(self, text: bytes, *, secrets: Secrets = SECRETS, age: int = 0) -> tuple[int, str]:
        """Send a message, sealed `age` seconds ago."""
        return self.post(seal(text, secrets, int(time.time()) - age))

    def change(self, order_id: str, message_id: str | None = None) -> tuple[int, str]:
        """Tell that an order changed."""
        return self.push(order_change(self.app_id, order_id, message_id or f"m-{order_id}"))

    def _ask(self, request: Request) -> tuple[int, str]:
        try:
            with _OPENER.open(request, timeout=_TIMEOUT) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except HTTPException as error:
            raise ConnectionError(f"the answer broke off: {type(error).__name__}") from None


def order_change(app_id: str, order_id: str, message_id: str) -> bytes:
    """A message as the documentation shows it."""
    head = f"<type>order_change</type><app_id>{app_id}</app_id><message_id>{message_id}</message_id>"
    return f"<doc>{head}<xe_data><action>settle</action><order_id>{order_id}</order_id></xe_data></doc>".encode()


def connection(app_id: str, secrets: Secrets = SECRETS) -> str:
    """An Airflow connection with what the service needs of it."""
    extra = {"app_id": app_id, "push_token": secrets.token, "push_secret": secrets.aeskey}
    return json.dumps({"conn_type": "xiaoe", "login": "xop", "password": "secret", "extra": extra})


@contextmanager
def pushing(app_id: str) -> Iterator[PushClient]:
    """The service in a thread, as settings and connections of the environment say."""
    server = make_server()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield PushClient(f"http://127.0.0.1:{listener.getsockname()[1]}", app_id)
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def pushing_child(app_id: str) -> Iterator[tuple[PushClient, Child]]:
    """The service in a child."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = Child(lambda: make_server().run([listener]))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield PushClient(address, app_id), child
    finally:
        child.kill()
        child.wait()

"""A stand-in shop on loopback that serves the rows of a cassette, paged and filtered as the API does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from xiaoe.clock import BEIJING
from xiaoe.resources.base import Numbered, Resource, Scope
from xiaoe.resources.registry import RESOURCES
from xiaoe.shop_check.cassette import Cassette, encoded
from xiaoe.shop_check.loose import moment
from xiaoe.shop_check.reading import decoded

TOKEN = {"code": 0, "msg": "success", "data": {"access_token": "xe_replay", "expires_in": 7200}}
APP_ID, CLIENT_ID, SECRET = "appreplay", "xopreplay", "replay"


class ReplayedShop:
    """Answers calls from a cassette: every row that was recorded, once.

    Windows and days are applied by the time that a row says; a row that says none stands where the one before it does.
    """

    def __init__(self, cassette: Cassette) -> None:
        self._rows = {one.endpoint.strip("/"): cassette.rows(one.endpoint.strip("/")) for one in RESOURCES.values()}
        self._refused = {
            call.interface: call.answer
            for call in cassette.calls
            if call.answer.get("code") != 0 and not self._rows.get(call.interface)
        }
        self._resources = {one.endpoint.strip("/"): one for one in RESOURCES.values()}

    def answer(self, interface: str, request: dict[str, Any]) -> dict[str, Any]:
        """The envelope for a call; 2052 for an interface that no list has."""
        resource = self._resources.get(interface)
        if resource is None:
            return {"code": 2052, "msg": "unknown interface", "data": None}
        if interface in self._refused:
            return {"msg": "as recorded", **self._refused[interface]}
        rows = _chosen(resource, self._rows[interface], request)
        request = {**request, **(request.get(resource.group) or {})} if resource.group else request
        size = min(int(request.get(resource.size_key) or resource.largest_page), resource.largest_page)
        begin = _begin(resource, rows, request, size)
        data = {resource.total_key: len(rows), "list": rows[begin : begin + size]}
        return {"code": 0, "msg": "success", "data": data}


def _chosen(resource: Resource, rows: list[Any], request: dict[str, Any]) -> list[Any]:
    """Rows of the window that was asked for, and of the order or user that was; of parents' lists all there are."""
    if resource.parents:
        return rows
    for name in ("order_id", "user_id"):
        if request.get(name):
            rows = [row for row in rows if isinstance(row, dict) and row.get(name) == request[name]]
    window = _window(resource, request)
    if window is None:
        return rows
    field, _ = resource.reader.mapping[resource.time or resource.key]
    begin, end = window
    timed, last = [], None
    for row in rows:
        last = (moment(row.get(field)) if isinstance(row, dict) else None) or last
        timed.append((last or begin, row))
    found = [(time, number) for number, (time, _) in enumerate(timed) if begin <= time <= end]
    newest_first = resource.scope is Scope.CHANGED
    return [timed[number][1] for _, number in sorted(found, key=lambda one: one[0], reverse=newest_first)]


def _window(resource: Resource, request: dict[str, Any]) -> tuple[datetime, datetime] | None:
    if resource.scope in (Scope.WHOLE, Scope.PER_PARENT):
        return None
    if resource.scope is Scope.CREATED:
        seconds = (int(request.get("begin_time") or 0), int(request.get("end_time") or 2**32))
        begin, end = (datetime.fromtimestamp(second, BEIJING) for second in seconds)
        return begin, end
    first, _, last = str(request.get("created_at") or "1970-01-02||2100-01-01").partition("||")
    begin, end = (datetime.fromisoformat(day).replace(tzinfo=BEIJING) for day in (first, last))
    return begin, end + timedelta(days=1) - timedelta(seconds=1)


def _begin(resource: Resource, rows: list[Any], request: dict[str, Any], size: int) -> int:
    """Where the page begins."""
    if isinstance(resource.paging, Numbered):
        return (max(1, int(request.get(resource.paging.key) or 1)) - 1) * size
    cursor = encoded(request.get(resource.paging.key))
    cursors = [encoded(row.get(resource.paging.key)) if isinstance(row, dict) else b"" for row in rows]
    return len(rows) - cursors[::-1].index(cursor) if cursor != b"null" and cursor in cursors else 0


@contextmanager
def serving(cassette: Cassette, port: int = 0) -> Iterator[str]:
    """Serve a cassette on 127.0.0.1 and yield the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(ReplayedShop(cassette).answer))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(answer: Callable[[str, dict[str, Any]], dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(TOKEN)

        def do_POST(self) -> None:
            request = decoded(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self._send(answer(self.path.strip("/"), request if isinstance(request, dict) else {}))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _send(self, envelope: dict[str, Any]) -> None:
            body = encoded(envelope)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def connection(url: str) -> str:
    """The Airflow connection to it, as the value of `AIRFLOW_CONN_XIAOE_DEFAULT`."""
    fields = {"conn_type": "xiaoe", "host": url, "login": CLIENT_ID, "password": SECRET, "extra": {"app_id": APP_ID}}
    return json.dumps(fields)

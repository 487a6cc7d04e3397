"""The API over HTTP: Starlette routes, latency and faults in transit."""

from __future__ import annotations

import asyncio
import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from emulator.admin import Admin
from emulator.api import ENDPOINTS, Api, Reply

_JSON = "application/json; charset=utf-8"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_MAINTENANCE = "<!DOCTYPE html><html><body>系统维护中，请稍后再试</body></html>"


class TruncatedResponse(Response):
    """A response that ends in the middle of its declared body; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers and half the body."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})


def _respond(reply: Reply, retry_after: int) -> Response:
    if reply.fault == "http_500":
        return Response("Internal Server Error", 500, media_type="text/plain")
    if reply.fault == "http_502":
        return Response(_BAD_GATEWAY, 502, media_type="text/html")
    if reply.fault == "http_429":
        return Response("Too Many Requests", 429, {"Retry-After": str(retry_after)}, "text/plain")
    if reply.fault == "non_json":
        return Response(_MAINTENANCE, media_type="text/html")
    if reply.fault == "cut":
        return TruncatedResponse(reply.payload, media_type=_JSON)
    return Response(reply.payload, media_type=_JSON)


def make_app(api: Api) -> Starlette:
    """The ASGI application of one emulator."""

    async def deliver(reply: Reply, arrived: float) -> Response:
        api.stats.answers[reply.label] += 1
        wait = api.options.latency_ms / 1000 + (api.faults.stall_seconds if reply.fault == "stall" else 0)
        if wait:
            await asyncio.sleep(arrived + wait - time.monotonic())
        return _respond(reply, api.faults.retry_after)

    async def token(request: Request) -> Response:
        arrived = time.monotonic()
        with api.stats.call("token"):
            ip = request.client.host if request.client else ""
            return await deliver(api.token(request.method, request.query_params, ip), arrived)

    async def business(request: Request) -> Response:
        arrived, path = time.monotonic(), request.path_params["path"]
        with api.stats.call(path if path in ENDPOINTS else "unknown"):
            body = await request.body()
            await asyncio.sleep(0)  # so that concurrent calls are counted as concurrent
            return await deliver(api.call(request.method, path, body), arrived)

    return Starlette(
        routes=[
            Route("/token", token, methods=_METHODS),
            Mount("/_emulator", Admin(api).app()),
            Route("/{path:path}", business, methods=_METHODS),
        ]
    )

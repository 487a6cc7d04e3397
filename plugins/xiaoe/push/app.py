"""The HTTP side of the push service: an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from xiaoe.clock import utc_now
from xiaoe.push.gate import Gate, PushRefusal, RefusedError
from xiaoe.push.leaves import UnreadableError
from xiaoe.push.refusals import RefusalLog
from xiaoe.push.request import PushRequest, read_query, read_request
from xiaoe.push.store import Outcome
from xiaoe.push.writer import BusyError, GroupWriter

LARGEST_BODY = 256 * 1024
"""Bytes of a request; messages in the documentation have 1 KB."""
_BODY_SECONDS = 4.0
_SUCCESS = "success"
"""The answer that ends the repetitions of a message [doc]."""


def make_app(gate: Gate, writer: GroupWriter) -> FastAPI:
    """The application: `POST /push/APP_ID` or `POST /push`, `GET` of the same to prove the address, `GET /health`.

    Args:
        gate: Lets messages through.
        writer: Stores them; started and stopped with the application.
    """
    refusals = RefusalLog()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        writer.start()
        yield
        await asyncio.to_thread(writer.stop)

    # A shop does not follow the redirect that would answer an address with a slash at its end.
    app = FastAPI(lifespan=lifespan, redirect_slashes=False, openapi_url=None, docs_url=None, redoc_url=None)

    def refuse(error: RefusedError) -> PlainTextResponse:
        refusals.note(error.reason, error.app_id)
        if error.app_id is not None:
            writer.note(error.app_id, error.reason)
        return PlainTextResponse(error.reason.word, error.reason.status)

    async def push(request: Request) -> PlainTextResponse:
        """Take a message; `success` only once it is committed."""
        app_id = request.path_params.get("app_id")
        try:
            sealed = _sealed(await _body(request), _query(request))
            outcome = await writer.put(gate.open(app_id, sealed, utc_now()))
        except RefusedError as error:
            return refuse(error)
        except BusyError:
            return PlainTextResponse("not stored: send it again", 503, {"Retry-After": "60"})
        if outcome is Outcome.OVER_LIMIT:
            return PlainTextResponse("over the day's limit", 503, {"Retry-After": "3600"})
        return PlainTextResponse(_SUCCESS)

    async def prove(request: Request) -> PlainTextResponse:
        """Answer the console's check of the address."""
        app_id = request.path_params.get("app_id")
        try:
            return PlainTextResponse(gate.prove(app_id, read_query(_query(request)), utc_now()))
        except RefusedError as error:
            return refuse(error)
        except UnreadableError:
            return refuse(RefusedError(PushRefusal.NO_PUSH))

    async def health(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok") if writer.healthy else PlainTextResponse("the database is not usable", 503)

    for path in ("/push", "/push/", "/push/{app_id}", "/push/{app_id}/"):
        # plain routes: FastAPI's would take half as long again
        app.add_route(path, push, methods=["POST"])
        app.add_route(path, prove, methods=["GET"])
    app.add_route("/health", health, methods=["GET"])
    return app


def _query(request: Request) -> str:
    return str(request.scope["query_string"].decode("ascii", "replace"))


async def _body(request: Request) -> bytes:
    """The request's body.

    Raises:
        RefusedError: It is too long, or does not come.
    """
    try:
        return await asyncio.wait_for(_read(request), _BODY_SECONDS)
    except asyncio.TimeoutError:
        raise RefusedError(PushRefusal.NO_PUSH) from None


async def _read(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise RefusedError(PushRefusal.TOO_LONG)
        parts.append(part)
    return b"".join(parts)


def _sealed(body: bytes, query: str) -> PushRequest:
    try:
        return read_request(body, query)
    except UnreadableError:
        raise RefusedError(PushRefusal.NO_PUSH) from None

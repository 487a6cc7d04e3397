"""The HTTP side of the push service: an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from xiaoe.clock import utc_now
from xiaoe.push.cipher import CipherError, decrypt
from xiaoe.push.envelope import Envelope, read_envelope, read_query
from xiaoe.push.gate import Gate, Refusal, RefusedError
from xiaoe.push.leaves import UnreadableError
from xiaoe.push.refusals import RefusalLog
from xiaoe.push.store import Outcome
from xiaoe.push.writer import BusyError, Writer

LARGEST_BODY = 256 * 1024
"""Bytes of a request; messages in the documentation have 1 KB."""
_BODY_SECONDS = 4.0
_SUCCESS = "success"
"""The answer that ends the repetitions of a message [doc]."""


def make_app(gate: Gate, writer: Writer) -> FastAPI:
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

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)

    def refuse(error: RefusedError) -> PlainTextResponse:
        refusals.note(error.reason, error.app_id)
        if error.app_id is not None:
            writer.note(error.app_id, error.reason)
        return PlainTextResponse(error.reason.word, error.reason.status)

    async def push(request: Request, app_id: str | None = None) -> PlainTextResponse:
        """Take a message; `success` only once it is committed."""
        try:
            envelope = _envelope(await _body(request), request.url.query)
            outcome = await writer.put(gate.open(app_id, envelope, utc_now()))
        except RefusedError as error:
            return refuse(error)
        except BusyError:
            return PlainTextResponse("not stored: send it again", 503, {"Retry-After": "60"})
        if outcome is Outcome.OVER_LIMIT:
            return PlainTextResponse("over the day's limit", 503, {"Retry-After": "3600"})
        return PlainTextResponse(_SUCCESS)

    async def prove(request: Request, app_id: str | None = None) -> PlainTextResponse:
        """Answer the console's check of the address, which WeChat's scheme does by `echostr`.

        Not documented here. Both of WeChat's forms are answered: `echostr` as it is where token, timestamp and nonce
        are signed, decrypted where it is signed with them.
        """
        fields = read_query(request.url.query)
        echo = fields.get("echostr", "").replace(" ", "+")
        given = fields.get("msg_signature") or fields.get("signature", "")
        signed = (fields.get("timestamp", ""), fields.get("nonce", ""))
        try:
            try:
                gate.signer(app_id, given, signed)
                return PlainTextResponse(echo)
            except RefusedError:
                shop = gate.signer(app_id, given, (*signed, echo))
                return PlainTextResponse(decrypt(shop.key, echo))
        except RefusedError as error:
            return refuse(error)
        except CipherError:
            return refuse(RefusedError(Refusal.WRONG_KEY, app_id))

    async def health() -> PlainTextResponse:
        return PlainTextResponse("ok") if writer.healthy else PlainTextResponse("the database is not usable", 503)

    for path in ("/push", "/push/{app_id}"):
        app.add_api_route(path, push, methods=["POST"])
        app.add_api_route(path, prove, methods=["GET"])
    app.add_api_route("/health", health, methods=["GET"])
    return app


async def _body(request: Request) -> bytes:
    """The request's body.

    Raises:
        RefusedError: It is too long, or does not come.
    """
    try:
        return await asyncio.wait_for(_read(request), _BODY_SECONDS)
    except asyncio.TimeoutError:
        raise RefusedError(Refusal.NO_PUSH) from None


async def _read(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise RefusedError(Refusal.TOO_LONG)
        parts.append(part)
    return b"".join(parts)


def _envelope(body: bytes, query: str) -> Envelope:
    try:
        return read_envelope(body, query)
    except UnreadableError:
        raise RefusedError(Refusal.NO_PUSH) from None

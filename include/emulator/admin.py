"""Admin endpoints under `/_emulator/` for demos and tests; they are neither counted nor limited."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from emulator.admin_fields import integer, number, text, text_or_none
from emulator.api import Api
from emulator.clock import to_text, to_unix
from emulator.encodings import yuan
from emulator.orders.generator import Order
from emulator.orders.lifecycle import snapshot_at
from emulator.push.delivery import Trouble, deliver
from emulator.push.events import events_between
from emulator.push.sealing import Secrets
from emulator.shop import Shop
from emulator.truth import TRUTHS, Rows
from emulator.users.registrations import Visibility

_CHUNK = 200  # rows after which other requests get a turn
_FOREVER = 1 << 62


class Admin:
    """Sets the clock and the faults, and serves the truth."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def app(self) -> Starlette:
        """The ASGI application; an invalid request is answered with 400 and the reason."""
        routes = [
            Route("/clock", self.clock, methods=["GET", "POST"]),
            Route("/faults", self.faults, methods=["GET", "POST"]),
            Route("/revoke_token", self.revoke_token, methods=["POST"]),
            Route("/stats", self.stats),
            Route("/push", self.push, methods=["POST"]),
            Route("/users", self.users, methods=["GET", "POST"]),
            Route("/orders", self.orders, methods=["POST"]),
            Route("/truth/summary", self.truth_summary),
            Route("/truth/{table}", self.truth),
        ]
        return Starlette(routes=routes, exception_handlers=dict.fromkeys((ValueError, KeyError, TypeError), _refuse))

    async def clock(self, request: Request) -> Response:
        """Shop time; POST changes it: `now` (ISO), `advance` (seconds), `frozen`."""
        clock = self._api.clock
        fields = await _body(request)
        if "frozen" in fields:
            clock.freeze(bool(fields["frozen"]))
        if "now" in fields:
            clock.set(to_unix(str(fields["now"])))
        if "advance" in fields:
            clock.set(clock.now() + integer(fields, "advance"))
        now = clock.now()
        return JSONResponse({"now": to_text(now), "unix": now, "frozen": clock.frozen})

    async def faults(self, request: Request) -> Response:
        """The fault plan; POST replaces it (see `FaultPlan.set`), `{}` clears it."""
        if request.method == "POST":
            self._api.faults.set(await _body(request))
        return JSONResponse(self._api.faults.as_dict())

    async def revoke_token(self, request: Request) -> Response:
        """Expire the tokens of `{"shop_id"}`, or of all shops."""
        shop_id = text_or_none(await _body(request), "shop_id")
        shops = self._of(shop_id)
        for shop in shops:
            shop.tokens.revoke()
        return JSONResponse({"revoked": [shop.app_id for shop in shops]})

    async def stats(self, request: Request) -> Response:
        """Counts of calls and answers since the start."""
        issued = {shop.app_id: shop.tokens.issued for shop in self._api.shops}
        return JSONResponse(self._api.stats.as_dict(issued))

    async def push(self, request: Request) -> Response:
        """Push what happened in [begin, end), unix seconds, to `url`, signed and encrypted with `token` and `aeskey`.

        Further fields are those of `Trouble`, and `seed` for its choices. Each event is sent once; sending again what
        was not answered is the caller's.
        """
        fields = await _body(request)
        shop = self._api.shop(text_or_none(fields, "shop_id"))
        shares = {name: number(fields, name) for name in ("twice", "lost", "late") if name in fields}
        trouble = Trouble(**shares, shuffled=bool(fields.get("shuffled")))
        events = events_between(shop, integer(fields, "begin"), integer(fields, "end"))
        sent = trouble.order(events, integer(fields, "seed") if "seed" in fields else 0)
        done = await deliver(sent, text(fields, "url"), Secrets(text(fields, "token"), text(fields, "aeskey")))
        return JSONResponse(
            {
                "events": [{"message_id": one.message_id, "order_id": one.order_id, "at": one.at} for one in events],
                "sent": [one.message_id for one in sent],
                "answered": sorted(done.answered),
                "unanswered": sorted(done.unanswered),
                "answers": done.answers,
            }
        )

    async def users(self, request: Request) -> Response:
        """Which users are visible; POST changes it (see `Visibility`) in the shop `shop_id` or in all shops."""
        fields = await _body(request)
        shops = self._of(text_or_none(fields, "shop_id"))
        for shop in shops:
            shop.users.visibility = _visibility(shop.users.visibility, fields)
        return JSONResponse({shop.app_id: asdict(shop.users.visibility) for shop in shops})

    async def orders(self, request: Request) -> Response:
        """Let an order change late: `order_id`, and ISO times `settled_at`, `refunded_at` (see `amend`)."""
        fields = await _body(request)
        settled_at, refunded_at = (
            to_unix(str(fields[name])) if name in fields else None for name in ("settled_at", "refunded_at")
        )
        shop = self._api.shop(text_or_none(fields, "shop_id"))
        shop.orders.amend(text(fields, "order_id"), settled_at=settled_at, refunded_at=refunded_at)
        return JSONResponse({"order_id": fields["order_id"]})

    async def truth(self, request: Request) -> Response:
        """Stream the expected rows of a table, one JSON object per line (see `truth.py`)."""
        shop, now = self._api.shop(request.query_params.get("shop_id")), self._api.clock.now()
        rows = TRUTHS[request.path_params["table"]](shop, *_bounds(request), now)
        return StreamingResponse(_ndjson(rows), media_type="application/x-ndjson")

    async def truth_summary(self, request: Request) -> Response:
        """Counts and sums per shop."""
        now = self._api.clock.now()
        shops = {shop.app_id: await _summary(shop, *_bounds(request), now) for shop in self._api.shops}
        return JSONResponse({"now": to_text(now), "shops": shops})

    def _of(self, shop_id: str | None) -> list[Shop]:
        return self._api.shops if shop_id is None else [self._api.shop(shop_id)]


async def _refuse(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)


async def _body(request: Request) -> dict[str, object]:
    body = await request.json() if await request.body() else {}
    if not isinstance(body, dict):
        raise ValueError("expected a JSON object")
    return body


def _bounds(request: Request) -> tuple[int, int]:
    query = request.query_params
    begin = integer(query, "begin") if query.get("begin") else 0
    return begin, integer(query, "end") if query.get("end") else _FOREVER


def _orders(shop: Shop, begin: int, end: int, now: int) -> Iterator[Order]:
    return map(shop.orders.order, shop.orders.created_between(begin, end, now))


def _visibility(old: Visibility, fields: dict[str, object]) -> Visibility:
    merged = {**asdict(old), **fields}
    vanish_at = to_unix(str(fields["vanish_at"])) if "vanish_at" in fields else old.vanish_at
    return Visibility(_share(merged, "share"), _share(merged, "vanish_share"), vanish_at)


def _share(fields: dict[str, object], name: str) -> float:
    share = number(fields, name)
    if not 0 <= share <= 1:
        raise ValueError(f"{name}: expected a share between 0 and 1, got {share}")
    return share


async def _ndjson(lines: Rows) -> AsyncIterator[bytes]:
    encoder, part = msgspec.json.Encoder(), bytearray()
    for count, line in enumerate(lines, 1):
        if line is not None:
            part += encoder.encode(line) + b"\n"
        if count % _CHUNK == 0:
            yield bytes(part)
            part.clear()
            await asyncio.sleep(0)
    yield bytes(part)


async def _summary(shop: Shop, begin: int, end: int, now: int) -> dict[str, object]:
    """Counts, and sums in yuan, of the rows that can be typed; `paid` and `refunded` include imported orders."""
    states: Counter[str] = Counter()
    paid = refunded = rejects = imported = imported_paid = imported_refunded = 0
    for count, order in enumerate(_orders(shop, begin, end, now), 1):
        snapshot = snapshot_at(order.lifecycle, now)
        if order.bad_row:
            rejects += 1
        else:
            states[str(snapshot.order_state)] += 1
            paid += order.price if snapshot.pay_time else 0
            refunded += snapshot.refund_money or 0
            if order.is_imported:
                imported += 1
                imported_paid += order.price if snapshot.pay_time else 0
                imported_refunded += snapshot.refund_money or 0
        if count % _CHUNK == 0:
            await asyncio.sleep(0)
    return {
        "orders": states.total(),
        "rejects": rejects,
        "by_order_state": dict(states),
        "imported": imported,
        "paid": yuan(paid),
        "refunded": yuan(refunded),
        "imported_paid": yuan(imported_paid),
        "imported_refunded": yuan(imported_refunded),
    }

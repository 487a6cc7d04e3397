"""The API without HTTP: maps a request's method, path, parameters and body to a reply.

Checks run in this order (a guess): endpoint, method, token, permission, limits, faults, parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from emulator.clock import Clock, to_unix
from emulator.errors import ApiError
from emulator.faults import HTTP_FAULTS, FaultPlan
from emulator.learning.endpoint import LearningDayEndpoint, LearningRecordEndpoint
from emulator.limits import Limit, Quota
from emulator.listing import Endpoint, Listing, encode, requested_span
from emulator.live_streams.endpoint import LiveStreamEndpoint
from emulator.live_viewers.endpoint import ViewerEndpoint
from emulator.options import Options
from emulator.order_list_2.endpoint import ChangedOrderEndpoint
from emulator.orders.endpoint import OrderEndpoint
from emulator.products.endpoint import ProductEndpoint
from emulator.promoters.endpoint import CustomerEndpoint, OrderPromoterEndpoint, PromoterEndpoint
from emulator.refunds.endpoint import AfterSaleEndpoint
from emulator.shop import Shop, open_shop
from emulator.stats import Stats
from emulator.tokens import Token
from emulator.users.endpoint import UserEndpoint

_ALL: tuple[Endpoint, ...] = (
    OrderEndpoint(),
    AfterSaleEndpoint(),
    UserEndpoint(),
    ProductEndpoint(),
    LiveStreamEndpoint(),
    ChangedOrderEndpoint(),
    ViewerEndpoint(),
    LearningDayEndpoint(),
    LearningRecordEndpoint(),
    PromoterEndpoint(),
    CustomerEndpoint(),
    OrderPromoterEndpoint(),
)
ENDPOINTS = {endpoint.path: endpoint for endpoint in _ALL}
_TOKEN_WINDOW = 600.0
# Which answers spell the envelope's text "message" is not documented; here the gateway's do.
_SPELLED_MESSAGE = (2017, 2051, 2052, 2053, 2054, 2055)


class Reply(NamedTuple):
    """An answer: its JSON body, and the fault applied in transit (one of `HTTP_FAULTS`) if any."""

    payload: bytes
    label: str  # the envelope's code, or the fault
    fault: str | None = None


class Api:
    """All shops of one emulator at one address."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = Clock(to_unix(options.now) if options.now else None, frozen=options.frozen)
        self.shops = [open_shop(credentials, options, self.clock.now()) for credentials in options.shop]
        self.faults = FaultPlan(options.seed, options.fault_rate, options.stall_seconds)
        self.stats = Stats()
        self._quotas: dict[tuple[str, str], Quota] = {}
        self._calls = 0

    def token(self, method: str, query: Mapping[str, str], ip: str) -> Reply:
        """Answer `/token`."""
        fault = self.faults.scripted("token", query.get("app_id"), query, lambda: 1)
        return self._reply(lambda: self._issue(method, query, ip), fault)

    def call(self, method: str, path: str, raw: bytes) -> Reply:
        """Answer a business call or a call of an unknown path."""
        self._calls += 1
        try:
            endpoint = ENDPOINTS.get(path)
            if endpoint is None:
                raise ApiError(2052, path)
            if method != "POST":
                raise ApiError(2055, method)
            body = _read(raw)
            shop, token = self._admit(endpoint, body)
        except ApiError as error:
            return self._failure(error)
        fault = self.faults.scripted(path, shop.app_id, body, lambda: self._page(endpoint, shop, body))
        fault = fault or self.faults.by_rate(shop.app_id, body, token, self.clock.elapsed())
        if fault == "code_2008":
            shop.tokens.revoke()
        return self._reply(lambda: self._list(endpoint, shop, body), fault)

    def shop(self, app_id: str | None) -> Shop:
        """The shop with this id, or the first shop. Raises KeyError for an unknown id."""
        for shop in self.shops:
            if app_id in (None, shop.app_id):
                return shop
        raise KeyError(app_id)

    def _issue(self, method: str, query: Mapping[str, str], ip: str) -> object:
        if method != "GET":
            raise ApiError(2055, method)
        if self.options.ip_whitelist and ip not in self.options.ip_whitelist:
            raise ApiError(2051, ip)
        shop = self._identify(query)
        at = self.clock.elapsed()
        self._spend((shop.app_id, "token"), Limit(self.options.token_quota, _TOKEN_WINDOW), at)
        self._check_secret(shop, query)
        token = shop.tokens.issue(at)
        left = round(token.ends_at - at, 3)  # a difference of floats may be slightly below 7200
        return {"access_token": token.value, "expires_in": int(left)}

    def _identify(self, query: Mapping[str, str]) -> Shop:
        app_id = query.get("app_id")
        if not app_id:
            raise ApiError(2001)
        try:
            return self.shop(app_id)
        except KeyError:
            raise ApiError(2002) from None

    def _check_secret(self, shop: Shop, query: Mapping[str, str]) -> None:
        checks = (
            (query.get("client_id") == shop.credentials.client_id, 2020),
            (bool(query.get("secret_key")), 2003),
            (query.get("secret_key") == shop.credentials.secret, 2004),
            (bool(query.get("grant_type")), 2005),
            (query.get("grant_type") == "client_credential", 2006),
        )
        for holds, code in checks:
            if not holds:
                raise ApiError(code)

    def _admit(self, endpoint: Endpoint, body: Mapping[str, object]) -> tuple[Shop, Token]:
        value = body.get("access_token")
        if not value:
            raise ApiError(2007)
        at = self.clock.elapsed()
        held = ((shop, shop.tokens.find(value, at)) for shop in self.shops)
        shop, token = next(((shop, token) for shop, token in held if token), (None, None))
        if shop is None or token is None:
            raise ApiError(2008)
        if endpoint.path in self.options.deny:
            raise ApiError(2017, endpoint.path)
        self._spend((shop.app_id, endpoint.path), endpoint.limit(self.options), at)
        return shop, token

    def _spend(self, who: tuple[str, str], limit: Limit, at: float) -> None:
        """Count a call against its limit and against the burst limit."""
        if not self.options.limits:
            return
        quota = self._quotas.setdefault(who, Quota(limit))
        burst = self._quotas.setdefault((who[0], "burst"), Quota(Limit(self.options.burst, 1.0)))
        if quota.is_full(at):
            raise ApiError(2053)
        if self.options.burst and burst.is_full(at):
            raise ApiError(2054)
        quota.count(at)
        if self.options.burst:
            burst.count(at)

    def _list(self, endpoint: Endpoint, shop: Shop, body: dict[str, object]) -> object:
        listing = self._listing(endpoint, shop, body)
        cap = self.options.cap(endpoint.resource)
        span = self.faults.falsify(requested_span(listing, cap), endpoint.path, shop.app_id, body, listing)
        return encode(listing, span, cap)

    def _listing(self, endpoint: Endpoint, shop: Shop, body: dict[str, object]) -> Listing:
        return endpoint.listing(shop, body, self.clock.now(), self._calls, self.options)

    def _page(self, endpoint: Endpoint, shop: Shop, body: dict[str, object]) -> int:
        try:
            return self._listing(endpoint, shop, body).page
        except ApiError:
            return 1

    def _reply(self, answer: Callable[[], object], fault: str | None) -> Reply:
        if fault:
            self.stats.faults[fault] += 1
        try:
            if fault and fault.startswith("code_"):
                raise ApiError(int(fault.removeprefix("code_")))
            data = None if fault == "null_data" else answer()
        except ApiError as error:
            reply = self._failure(error)
        else:
            envelope = {"code": 0, self._text_key(0): "success", "data": data}
            reply = Reply(msgspec.json.encode(envelope), "0")
        return Reply(reply.payload, fault, fault) if fault in HTTP_FAULTS else reply

    def _failure(self, error: ApiError) -> Reply:
        envelope = {"code": error.code, self._text_key(error.code): error.message, "data": None}
        return Reply(msgspec.json.encode(envelope), str(error.code))

    def _text_key(self, code: int) -> str:
        if self.options.message_key != "by_code":
            return self.options.message_key
        return "message" if code in _SPELLED_MESSAGE else "msg"


def _read(raw: bytes) -> dict[str, object]:
    """Parse a JSON body; anything but an object counts as empty."""
    try:
        body = json.loads(raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

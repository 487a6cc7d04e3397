"""Maps responses of the API to exceptions, with advice for the person who has to act.

The codes, and what a client does about each: docs/xiaoe-api.md section 7.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

from xiaoe.api.tokens import Token
from xiaoe.exceptions import (
    XiaoeBusyError,
    XiaoeConfigError,
    XiaoeError,
    XiaoeNetworkError,
    XiaoeQuotaError,
    XiaoeTokenError,
)
from xiaoe.rows import values
from xiaoe.rows.envelope import Envelope, open_envelope

if TYPE_CHECKING:
    import requests

    from xiaoe.api.shop import Shop
    from xiaoe.resources.base import Resource

TOKEN_CODES = (2007, 2008)
FEW_ATTEMPTS = 3
"""For codes that may be our fault (1002, undocumented ones): eight attempts would hide it."""
MAX_RETRY_AFTER = 600.0

ADVICE = {
    2001: "app_id is missing: fill in the connection's Extra field app_id",
    2002: "app_id is wrong: compare the connection's Extra field app_id with 小鹅通 → 应用设置",
    2003: "the secret is missing: fill in the connection's Secret (password)",
    2004: "the secret is wrong: compare the connection's Secret (password) with 小鹅通 → 应用设置",
    2005: "grant_type is missing: is the connection's Host really the Xiaoe API?",
    2006: "grant_type is wrong: is the connection's Host really the Xiaoe API?",
    2009: "user_id is missing",
    2010: "user_id is not valid",
    2017: "the client has no permission for this interface: have it granted in 小鹅通 → 开放平台",
    2020: "client_id is not valid: correct the connection's Client id (login)",
    2051: "this server's IP address is not on the whitelist: add its outgoing address in 小鹅通 → IP白名单",
    2052: "the API does not know this interface: is the connection's Host really the Xiaoe API?",
    2055: "the API refuses the HTTP method: is the connection's Host really the Xiaoe API?",
}
"""Code → what somebody has to change; not retried."""


def error_for(envelope: Envelope, resource: Resource | None, shop: Shop, token: str = "") -> XiaoeError | None:
    """The exception for a response; None for success.

    Args:
        envelope: The response.
        resource: The interface that was called; None for the token call.
        shop: Names the connection; its secret is kept out of the message.
        token: The token of the call; kept out of the message as well.
    """
    code = _code(envelope.code)
    if code == 0:
        return None
    error = _error(code, envelope, resource, shop, token)
    error.code = code
    return error


def _error(code: int, envelope: Envelope, resource: Resource | None, shop: Shop, token: str) -> XiaoeError:
    where = resource.endpoint if resource else "/token"
    said = shop.hide(str(envelope.msg or envelope.message or ""), token)[:200]
    message = f"{where} answered code {code}: {said}"
    if code in ADVICE:
        return XiaoeConfigError(f"connection {shop.conn_id}: {ADVICE[code]} ({message})")
    if code in TOKEN_CODES:
        return XiaoeTokenError(message)
    if code == 2053:
        return XiaoeQuotaError(message, retry_after=resource.quota_seconds if resource else None)
    if code in (1001, 2054):
        return XiaoeBusyError(message)
    return XiaoeBusyError(message, max_attempts=FEW_ATTEMPTS)


def check_http(response: requests.Response, path: str, shop: Shop, *, too_long: bool) -> None:
    """Check the HTTP status and the body's length.

    Raises:
        XiaoeQuotaError: 429.
        XiaoeNetworkError: 408, 5xx, or a body over `XIAOE_MAX_PAGE_MB`.
        XiaoeConfigError: Any other status but 200: the API does not send it.
    """
    status = response.status_code
    if status == 429:
        raise XiaoeQuotaError(f"{path} answered HTTP 429", retry_after=_retry_after(response))
    if status >= 500 or status == 408:
        raise XiaoeNetworkError(f"{path} answered HTTP {status}", retry_after=_retry_after(response))
    if status != 200:
        raise XiaoeConfigError(
            f"connection {shop.conn_id}: {shop.base_url}{path} answered HTTP {status}:"
            " is the connection's Host the base URL of the Xiaoe API?"
        )
    if too_long:
        raise XiaoeNetworkError(
            f"{path} sent more than the longest sensible answer (XIAOE_MAX_PAGE_MB): is that the Xiaoe API?"
        )


def check_token_answer(body: bytes, shop: Shop) -> Token:
    """Read the response of `/token` (docs/xiaoe-api.md section 1).

    Raises:
        XiaoeError: See `error_for`; or a successful response has no token.
    """
    envelope = _token_envelope(body)
    if (error := error_for(envelope, None, shop)) is not None:
        raise error
    try:
        data = msgspec.json.decode(envelope.data, type=dict[str, Any])
        token, life = data["access_token"], values.code(data.get("expires_in")) or 0
        if not isinstance(token, str) or not token:
            raise ValueError("empty")
    except (ValueError, KeyError):
        raise XiaoeNetworkError("/token answered success without a token") from None
    return Token(token, max(life, 1))


def _token_envelope(body: bytes) -> Envelope:
    """`open_envelope` without quoting the body: a truncated one contains a token, a proxy's page the URL."""
    with contextlib.suppress(XiaoeNetworkError):
        return open_envelope(body)
    raise XiaoeNetworkError(f"/token sent {len(body)} bytes that are not the API's JSON: {body[:20]!r}")


def _code(value: Any) -> int:
    """The envelope's code; -1 if it has none."""
    try:
        number = values.code(value)
    except ValueError:
        number = None
    return -1 if number is None else number


def _retry_after(response: requests.Response) -> float | None:
    """Seconds from the `Retry-After` header; dates are ignored, the API was never seen to send one."""
    value = response.headers.get("Retry-After", "")
    return min(float(value), MAX_RETRY_AFTER) if value.replace(".", "", 1).isdecimal() else None

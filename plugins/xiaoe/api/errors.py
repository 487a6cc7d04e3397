"""Maps responses of the API to exceptions, with advice for the person who has to act.

The codes, and what a client does about each: docs/xiaoe-api.md section 7.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

from xiaoe import clock
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
from xiaoe.texts import Advice, Text

if TYPE_CHECKING:
    import requests

    from xiaoe.api.shop import Shop
    from xiaoe.resources.base import Resource

TOKEN_CODES = (2007, 2008)
FEW_ATTEMPTS = 3
"""For codes that may be our fault (1002, undocumented ones): eight attempts would hide it."""
MAX_RETRY_AFTER = 600.0

_NO_API = Text("检查连接的主机一栏：填的是不是小鹅通接口的地址", "is the connection's Host really the Xiaoe API?")
ADVICE = {
    2001: Advice(
        Text("缺少 app_id", "app_id is missing"),
        Text("在连接的 app_id 一栏填上店铺的 app_id", "fill in the connection's Extra field app_id"),
    ),
    2002: Advice(
        Text("app_id 不对", "app_id is wrong"),
        Text(
            "把连接的 app_id 与小鹅通后台的应用设置核对",
            "compare the connection's Extra field app_id with 小鹅通 → 应用设置",
        ),
    ),
    2003: Advice(
        Text("缺少密钥", "the secret is missing"),
        Text("在连接的密钥（密码）一栏填上应用的密钥", "fill in the connection's Secret (password)"),
    ),
    2004: Advice(
        Text("密钥不对", "the secret is wrong"),
        Text(
            "把连接的密钥（密码）与小鹅通后台的应用设置核对：可能有人重置过密钥",
            "compare the connection's Secret (password) with 小鹅通 → 应用设置",
        ),
    ),
    2005: Advice(Text("应答的不像小鹅通接口（缺 grant_type）", "grant_type is missing"), _NO_API),
    2006: Advice(Text("应答的不像小鹅通接口（grant_type 不对）", "grant_type is wrong"), _NO_API),
    2009: Advice(
        Text("缺少 user_id", "user_id is missing"), Text("程序的问题，请反馈给维护者", "report it to the maintainers")
    ),
    2010: Advice(
        Text("user_id 无效", "user_id is not valid"), Text("程序的问题，请反馈给维护者", "report it to the maintainers")
    ),
    2017: Advice(
        Text("没有接口权限", "the client has no permission for this interface"),
        Text("在小鹅通后台 → 开放平台为应用开通报错里的接口；其他数据照常同步", "have it granted in 小鹅通 → 开放平台"),
    ),
    2020: Advice(
        Text("client_id 无效", "client_id is not valid"),
        Text("改正连接的 client_id（登录名）", "correct the connection's Client id (login)"),
    ),
    2051: Advice(
        Text("IP 不在白名单", "this server's IP address is not on the whitelist"),
        Text(
            "查出这台服务器的出口 IP（在服务器上运行 `curl ifconfig.me`），加进小鹅通后台 → 开放平台 → IP 白名单",
            "add its outgoing address in 小鹅通 → IP白名单",
        ),
    ),
    2052: Advice(Text("接口不存在", "the API does not know this interface"), _NO_API),
    2055: Advice(Text("请求方式被拒", "the API refuses the HTTP method"), _NO_API),
}
"""Code → what somebody has to change; not retried."""

_WAIT_AND_ASK = Text(
    "会自动重试，先等一小时；还不行就联系小鹅通",
    "it is tried again by itself; after an hour, ask 小鹅通",
)
PASSING = {
    1001: Advice(Text("接口系统错误", "the API has a fault"), _WAIT_AND_ASK),
    1002: Advice(
        Text("接口不接受参数", "the API does not accept a parameter"),
        Text(
            "会自动重试；一直不好就反馈给维护者，可能是程序的参数有错",
            "it is tried again by itself; report it if it stays, it may be our fault",
        ),
    ),
    2007: Advice(
        Text("令牌无效", "the token is not valid"),
        Text(
            "会自动换新；反复出现说明别的程序也在用这个应用取令牌：给它单独建一个应用",
            "it is renewed by itself; if it keeps coming back, give the other program a client of its own",
        ),
    ),
    2008: Advice(Text("令牌过期", "the token has expired"), Text("会自动换新，不用处理", "it is renewed by itself")),
    2053: Advice(
        Text("调用次数用完", "the call quota is used up"),
        Text(
            "会自动等待再试；反复出现就调低连接里的每秒调用次数，或查还有谁在用这个应用",
            "it waits by itself; if it keeps coming back, lower Calls per second, or find who else uses this client",
        ),
    ),
    2054: Advice(Text("接口繁忙", "the API is busy"), _WAIT_AND_ASK),
}
"""Code → what it means where retries did not help."""


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
    """Seconds from the `Retry-After` header, a number or a moment (RFC 9110, section 10.2.3); by the sender's clock."""
    value = response.headers.get("Retry-After", "").strip()
    if value.replace(".", "", 1).isdecimal() and value.isascii():
        return min(float(value), MAX_RETRY_AFTER)
    if (moment := clock.read_date(value)) is None:
        return None
    now = clock.read_date(response.headers.get("Date", "")) or clock.machine_now()
    return min(max((moment - now).total_seconds(), 0.0), MAX_RETRY_AFTER)

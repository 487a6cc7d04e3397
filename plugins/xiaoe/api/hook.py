"""The connection to the Xiaoe API: one token, typed errors, retries, a rate limit, one page at a time."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import Connection
from airflow.sdk.log import mask_secret
from pyrate_limiter import Limiter
from requests.utils import get_environ_proxies

from xiaoe import clock, settings
from xiaoe.api.body import read_body
from xiaoe.api.errors import check_http, check_token_answer, error_for
from xiaoe.api.rate_limit import limiter_for
from xiaoe.api.redaction import keep_secrets_out_of_logs
from xiaoe.api.retries import ATTEMPTS, Retries
from xiaoe.api.shop import DEFAULT_HOST, MAX_CONCURRENCY, Shop
from xiaoe.api.tokens import SharedTokenStore, Token, TokenStore, shared_or_own
from xiaoe.clock import utc_now
from xiaoe.connections import get_connection
from xiaoe.exceptions import (
    XiaoeBusyError,
    XiaoeError,
    XiaoeNetworkError,
    XiaoeTokenError,
)
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.rows.envelope import Listing, open_envelope, read_listing
from xiaoe.storage.pages import RawPage

if TYPE_CHECKING:
    from xiaoe.resources.base import Resource

_NEXT = (
    "Next: the DAG xiaoe_shop_check, or `make check-shop`, looks whether the shop's answers fit"
    " · 下一步：运行 xiaoe_shop_check 或 make check-shop"
)
_HTTP_OPTIONS = ("proxies", "proxy", "verify", "verify_ssl", "cert", "trust_env")

keep_secrets_out_of_logs()


@dataclass(frozen=True)
class Answer(RawPage):
    """A page as it was fetched, read.

    Args:
        listing: The rows and the total in `body`.
    """

    listing: Listing


class XiaoeHook(HttpHook):
    """Calls the API for one shop. Connection, session and adapter are the HTTP provider's.

    Page sizes above an interface's maximum are reduced to it (users 50; after-sales, products, live streams 100).

    Args:
        xiaoe_conn_id: The shop's Airflow connection, of type `xiaoe`.
        token_store: Where the token is shared; by default in the warehouse.
        sleep: How to wait between attempts.
        attempts: How often a call is made at most.
        max_skew: How far the API's clock may be from ours; by default `settings.max_clock_skew()`.
        kwargs: For `HttpHook`; `adapter` replaces the transport.

    `counts` holds the numbers of calls, retries and token refreshes, and the milliseconds waited before retries; `skew`
    how far the API's clock was ahead at the last response, None where it did not say.
    """

    conn_name_attr = "xiaoe_conn_id"
    default_conn_name = "xiaoe_default"
    conn_type = "xiaoe"
    hook_name = "小鹅通 (Xiaoe)"
    default_host = DEFAULT_HOST

    def __init__(
        self,
        xiaoe_conn_id: str = default_conn_name,
        *,
        token_store: TokenStore | None = None,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = ATTEMPTS,
        max_skew: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(method="POST", http_conn_id=xiaoe_conn_id, **kwargs)
        if self.keep_alive_adapter is not None:  # requests keeps 10 connections by default
            self.keep_alive_adapter.init_poolmanager(1, MAX_CONCURRENCY)
        self.sleep = sleep
        self.skew: timedelta | None = None
        self._retries = Retries(lambda seconds: self.sleep(seconds), attempts, self._note_retry)
        self._max_skew = max_skew
        self.counts: Counter[str] = Counter()
        self.page_sizes: dict[str, int] = {}
        """List → rows of a page that this shop is known to serve, where that is more than `largest_page`."""
        self._tokens = token_store
        self._token: Token | None = None
        self._token_until = 0.0
        self._token_lock = threading.Lock()
        self._limiters: dict[str, Limiter] = {}
        self._guard = threading.Lock()
        self._shop: Shop | None = None
        self._session: requests.Session | None = None

    @property
    def shop(self) -> Shop:
        """The connection's fields, checked.

        Raises:
            XiaoeConfigError: One is missing or wrong.
        """
        if self._shop is None:
            self._shop = Shop.from_connection(get_connection(self.http_conn_id))
            mask_secret(self._shop.secret)
            mask_secret(quote(self._shop.secret, safe=""))
        return self._shop

    def list_page(self, resource: Resource, fields: dict[str, Any], *, index: int = 1) -> Answer:
        """Fetch one page of a list.

        Args:
            resource: Which interface.
            fields: Its own fields: filters such as `begin_time`, and which page (`resource.paging.fields`).
            index: The page's number in the page store.

        Raises:
            XiaoeConfigError: Credentials, rights or the address are wrong.
            XiaoeRetriableError: It failed eight times.
        """
        body = resource.request(fields, self.page_size(resource))
        return self._retries.run(lambda: self._list(resource, body, index))

    def ask(self, resource: Resource, body: dict[str, Any], *, once: bool = False) -> Answer:
        """Make a call with exactly these fields; errors as of `list_page`.

        Args:
            resource: Which interface.
            body: All fields but the token.
            once: Without retries: for what the API may well refuse.
        """
        return self._list(resource, body, 1) if once else self._retries.run(lambda: self._list(resource, body, 1))

    def authorize(self) -> None:
        """Get a token, as the first call would; errors as of `list_page`."""
        self._current_token()

    def page_size(self, resource: Resource) -> int:
        """Rows per page to request: the connection's `page_size`, at most the interface's maximum or `page_sizes`."""
        return min(self.shop.page_size, max(resource.largest_page, self.page_sizes.get(resource.name, 0)))

    def test_connection(self) -> tuple[bool, str]:
        """What the Test button of Admin → Connections does: get a token, list one order of the last day.

        Works before there is a warehouse.
        """
        from xiaoe.resources.orders import ORDERS

        body = {**ORDERS.paging.fields(1, None), ORDERS.size_key: 1}
        try:
            self.share_token_if_possible()
            answer = self._list(ORDERS, body, index=1)
        except XiaoeError as error:
            return False, str(error)
        orders = answer.listing.total or 0
        return True, f"connected to shop {self.shop.app_id}: {orders} orders in the last 24 hours. {_NEXT}"

    def share_token_if_possible(self) -> None:
        """Take the shared token where there is one: a fresh token would end that of a running task.

        Where the warehouse cannot be reached (not set up yet), no task runs, and a separate token hurts nobody.
        """
        if self._tokens is None:
            self._tokens = shared_or_own()

    def close(self) -> None:
        """Close pooled connections and stop the threads of the rate limiters."""
        for limiter in self._limiters.values():
            limiter.close()
        self._limiters.clear()
        if self._session is not None:
            self._session.close()
            self._session = None

    def _note_retry(self, wait: float) -> None:
        self._count(retries=1, waited_ms=round(1000 * wait))

    def _count(self, **more: int) -> None:
        with self._guard:
            self.counts.update(more)

    def _list(self, resource: Resource, body: dict[str, Any], index: int) -> Answer:
        """Call once; if the token has expired, replace it once and repeat the call once."""
        token = self._current_token()
        try:
            return self._post(resource, body, index, token)
        except XiaoeTokenError:
            self.log.info("the access token ended early; refreshing it")
        token = self._current_token(refused=token)
        try:
            return self._post(resource, body, index, token)
        except XiaoeTokenError as error:
            raise XiaoeBusyError(f"a fresh token was refused as well: {error}", max_attempts=4) from None

    def _post(self, resource: Resource, body: dict[str, Any], index: int, token: str) -> Answer:
        self._retries.pause()
        self._limiter(resource).try_acquire(resource.endpoint)
        observed_at = utc_now()
        payload = json.dumps({**body, "access_token": token}).encode()
        content = self._send("POST", resource.endpoint, data=payload, headers={"Content-Type": "application/json"})
        envelope = open_envelope(content)
        if (error := error_for(envelope, resource, self.shop, token)) is not None:
            raise error
        listing = read_listing(
            envelope.data,
            total_field=resource.total_key,
            list_field=resource.list_key,
            may_be_array=resource.may_be_array,
        )
        return Answer(index, observed_at, content, listing)

    def _current_token(self, refused: str | None = None) -> str:
        """The shared token, or a new one; retried here, while the other threads wait for the lock.

        Raises:
            XiaoeRetriableError: It failed eight times; the caller does not retry.
        """
        with self._token_lock:
            current = self._token
            if current is not None and current.value != refused and time.monotonic() < self._token_until:
                return current.value
            if self._tokens is None:
                self._tokens = SharedTokenStore(Warehouse())
            obtain = partial(self._tokens.obtain, self.shop, refused, self._issue_token)
            try:
                token = self._retries.run(obtain, XiaoeNetworkError, XiaoeBusyError)
            except (XiaoeNetworkError, XiaoeBusyError) as error:
                error.max_attempts = 1
                raise
            mask_secret(token.value)
            self._token, self._token_until = token, time.monotonic() + token.seconds_left * 0.9
            return token.value

    def _issue_token(self) -> Token:
        """Request a new token, once."""
        self._count(tokens=1)
        query = {
            "app_id": self.shop.app_id,
            "client_id": self.shop.client_id,
            "secret_key": self.shop.secret,
            "grant_type": "client_credential",
        }
        return check_token_answer(self._send("GET", "/token", params=query), self.shop)

    def _send(self, method: str, path: str, **request: Any) -> bytes:
        """One HTTP exchange. No exception may carry the URL of the token call: the secret is in it."""
        self._count(calls=1)
        largest, sent_at, session = settings.max_page_bytes(), clock.machine_now(), self._pooled_session()
        try:
            response = session.request(
                method,
                self.shop.base_url + path,
                timeout=(10, self.shop.timeout),
                allow_redirects=False,
                stream=True,
                **request,
            )
            content = read_body(response, largest + 1, self.shop.timeout)
        except (requests.RequestException, OSError, ValueError) as error:
            reason = type(error).__name__
        except Exception as error:  # urllib3's own errors while reading the body
            if not type(error).__module__.startswith("urllib3"):
                raise
            reason = type(error).__name__
        else:
            check_http(response, path, self.shop, too_long=len(content) > largest)
            self._check_clock(response.headers.get("Date", ""), sent_at)
            return content
        fix = " (its certificate: extra.verify names a CA of your own)" if reason == "SSLError" else ""
        raise XiaoeNetworkError(f"no answer from {self.shop.base_url}{path}: {reason}{fix}")

    def _check_clock(self, header: str, sent_at: datetime) -> None:
        """Compare the API's clock, read from the `Date` header of an answer, with ours."""
        if (theirs := clock.read_date(header)) is not None:
            limit = settings.max_clock_skew() if self._max_skew is None else self._max_skew
            self.skew = clock.difference(theirs, sent_at, now := clock.machine_now())
            clock.check_clock(theirs, sent_at, now, whose="the API's", limit=limit)

    def _pooled_session(self) -> requests.Session:
        """One session for all calls. Proxies of the environment are used, its REQUESTS_CA_BUNDLE is not."""
        with self._guard:
            if self._session is None:
                session = self.get_conn()
                if session.trust_env:
                    session.proxies = {**get_environ_proxies(self.shop.base_url), **session.proxies}
                    session.trust_env = False
                self._session = session
            return self._session

    def _limiter(self, resource: Resource) -> Limiter:
        with self._guard:
            if resource.endpoint not in self._limiters:
                self._limiters[resource.endpoint] = limiter_for(self.shop, resource)
            return self._limiters[resource.endpoint]

    def _configure_session_from_auth(self, session: requests.Session, connection: Any) -> requests.Session:
        """Send no Basic header: login and password are for the token call only, and ~/.netrc is not read."""
        session.auth = lambda request: request
        return session

    def _configure_session_from_extra(
        self, session: requests.Session, connection: Any, extra_options: dict[str, Any]
    ) -> requests.Session:
        """Pass on proxy and certificate options only; HttpHook sends every other extra field as a header."""
        options = {name: value for name, value in connection.extra_dejson.items() if name in _HTTP_OPTIONS}
        bare = Connection(conn_id=self.http_conn_id, conn_type="xiaoe", extra="{}")
        return super()._configure_session_from_extra(session, bare, {**options, **extra_options})

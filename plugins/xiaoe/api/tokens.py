"""One access token per shop, shared by all tasks and workers (docs/xiaoe-api.md section 1).

A newly issued token ends the old one, so a task that fetched its own would break every other one. The token is stored
in the warehouse (`api_tokens`) and replaced when it is missing, refused (codes 2007, 2008), or has less than a minute
left (a tenth of its life, if that is shorter), by the server's clock. Each attempt of a token call is counted and
committed before it is made. A server-side lock lets one task at a time fetch a new token; it is held for one call, not
for its retries, so whichever task succeeds first serves all.

The encryption key is derived from the shop's secret by HKDF, salted with app_id: who can read the token could have
fetched one. A renewed secret makes the old token unreadable, as intended.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from airflow.sdk.exceptions import AirflowNotFoundException
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from MySQLdb import Error

from xiaoe.api.shop import Shop
from xiaoe.exceptions import XiaoeError, XiaoeQuotaError
from xiaoe.mysql.warehouse import Warehouse

ISSUES_PER_WINDOW = 90
"""Of the 100 token calls that the API allows in 10 minutes; the others are left to other programs."""


@dataclass(frozen=True)
class Token:
    """An access token and the seconds until it expires."""

    value: str = field(repr=False)
    seconds_left: int


class TokenStore(Protocol):
    """Where a hook gets its token."""

    def obtain(self, shop: Shop, refused: str | None, issue: Callable[[], Token]) -> Token:
        """Return a usable token, asking `issue` for a new one only if there is none.

        Args:
            shop: Whose token.
            refused: A token that the API has just called expired; never returned again.
            issue: Asks the API, once.
        """


class OwnTokenStore:
    """No sharing: for the connection test and the check of a shop where the warehouse cannot be reached."""

    def obtain(self, shop: Shop, refused: str | None, issue: Callable[[], Token]) -> Token:
        """Ask for a new token."""
        return issue()


class SharedTokenStore:
    """Tokens in the warehouse, one row per (app_id, client_id)."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def obtain(self, shop: Shop, refused: str | None, issue: Callable[[], Token]) -> Token:
        """Take the shared token; if it is missing, near its end or refused, replace it, one task at a time.

        The lock is held for one call: after a failed one, another task may be faster.

        Raises:
            XiaoeQuotaError: So many tokens were asked for that something else must be ending them.
        """
        cipher = _cipher(shop)
        with self._warehouse.session() as session, session.lock("token", shop.app_id, shop.client_id):
            if (token := self._stored(session, shop, cipher)) and token.value != refused:
                return token
            self._count_issue(session, shop)
            token = issue()
            session.execute(
                "UPDATE api_tokens SET token = %s, issued_at = UTC_TIMESTAMP(3),"
                " expires_at = UTC_TIMESTAMP(3) + INTERVAL %s SECOND WHERE shop_id = %s AND client_id = %s",
                (
                    cipher.encrypt(token.value.encode()).decode(),
                    token.seconds_left,
                    shop.app_id,
                    shop.client_id,
                ),
            )
            session.commit()
            return token

    @staticmethod
    def _stored(session, shop: Shop, cipher: Fernet) -> Token | None:  # type: ignore[no-untyped-def]
        """The stored token if a tenth of its life, or a minute, is left; by the server's clock."""
        rows = session.query(
            "SELECT token, TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(3), expires_at) FROM api_tokens"
            " WHERE shop_id = %s AND client_id = %s AND token IS NOT NULL AND UTC_TIMESTAMP(3) < expires_at"
            " - INTERVAL LEAST(60, TIMESTAMPDIFF(SECOND, issued_at, expires_at) DIV 10) SECOND",
            (shop.app_id, shop.client_id),
        )
        if not rows:
            return None
        try:
            return Token(cipher.decrypt(rows[0][0].encode()).decode(), int(rows[0][1]))
        except InvalidToken:
            return None

    @staticmethod
    def _count_issue(session, shop: Shop) -> None:  # type: ignore[no-untyped-def]
        """Count the token calls of the last 10 minutes; committed before the call is made.

        A count that began in the future, by a clock that was set back, begins again.
        """
        session.execute(
            "INSERT INTO api_tokens (shop_id, client_id, counted_since, issues)"
            " VALUES (%s, %s, UTC_TIMESTAMP(3), 1) ON DUPLICATE KEY UPDATE"
            " issues = IF(counted_since BETWEEN UTC_TIMESTAMP(3) - INTERVAL 10 MINUTE AND UTC_TIMESTAMP(3),"
            " issues + 1, 1),"
            " counted_since = IF(counted_since BETWEEN UTC_TIMESTAMP(3) - INTERVAL 10 MINUTE AND UTC_TIMESTAMP(3),"
            " counted_since, UTC_TIMESTAMP(3))",
            (shop.app_id, shop.client_id),
        )
        session.commit()
        [(issues,)] = session.query(
            "SELECT issues FROM api_tokens WHERE shop_id = %s AND client_id = %s",
            (shop.app_id, shop.client_id),
        )
        if issues > ISSUES_PER_WINDOW:
            raise XiaoeQuotaError(
                f"{issues} tokens asked for in 10 minutes (the API allows 100). If they were refused, see the errors"
                f" before this one; else: does another program use client_id {shop.client_id}? Each new token ends the"
                " one before. Give it its own client.",
                retry_after=600,
                max_attempts=1,
            )


def shared_or_own() -> TokenStore:
    """Where tokens are shared, or no sharing where the warehouse cannot be used."""
    warehouse = Warehouse()
    try:
        with warehouse.session():
            return SharedTokenStore(warehouse)
    except (XiaoeError, Error, AirflowNotFoundException):
        return OwnTokenStore()


def _cipher(shop: Shop) -> Fernet:
    key = HKDF(SHA256(), 32, salt=shop.app_id.encode(), info=b"xiaoe access token").derive(shop.secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))

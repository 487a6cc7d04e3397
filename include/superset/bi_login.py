"""How often a password may be tried in Superset, on its page and at /api/v1/security/login alike.

As in Airflow (`xiaoe.login`): `TRIES` for an account, and as often from an address.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from flask import g, request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from superset.security import SupersetSecurityManager

TRIES = int(os.environ.get("SUPERSET_LOGIN_TRIES", "5"))
"""In any 60 seconds, in each worker: the image has two (Dockerfile), so 10 in all."""
WAIT_SECONDS = 60
TRIES_USED_UP = "tries_used_up"
"""Set in `flask.g` when a try was refused."""
_LIMIT = RateLimitItemPerMinute(TRIES)
_limiter = MovingWindowRateLimiter(MemoryStorage())
_lock = threading.Lock()


class SecurityManager(SupersetSecurityManager):
    """Superset's, with a limit on tries."""

    def auth_user_db(self, username: str, password: str) -> Any:
        """The account, if the password is right; None, with a mark in `flask.g`, if there were too many tries."""
        user = self.find_user(username=username) or self.find_user(email=username)
        if not allow(user.username if user else str(username).casefold(), request.remote_addr or ""):
            setattr(g, TRIES_USED_UP, True)
            return None
        return super().auth_user_db(username, password)


def allow(account: str, address: str) -> bool:
    """Count one try, unless the account or the address has none left; a try that is refused counts for neither."""
    keys = (("account", account), ("address", address))
    with _lock:
        if not all(_limiter.test(_LIMIT, *key) for key in keys):
            return False
        for key in keys:
            _limiter.hit(_LIMIT, *key)
    return True

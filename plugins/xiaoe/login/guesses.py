"""How often a password may be tried: `TRIES` a minute for an account, and as often from an address."""

from __future__ import annotations

import ipaddress
import threading

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

TRIES = 10
"""Tries in any 60 seconds that are looked at; right ones count, too. Each process of the API server counts alone."""
WAIT_SECONDS = 60
TEXT = "登录尝试次数太多，请一分钟后再试。 Too many tries to log in: try again in a minute."


class Guesses:
    """The tries of the last minute, by account and by address.

    Two counts, since one alone is evaded: by many addresses that guess one password, or by one that guesses many.
    """

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limit = RateLimitItemPerMinute(TRIES)
        self._lock = threading.Lock()

    def address_is_out(self, address: str) -> bool:
        """Whether an address has no try left; asked before an account is looked up."""
        return not self._limiter.test(self._limit, "address", source_of(address))

    def allow(self, account: str, address: str) -> bool:
        """Count one try, unless the account or the address has none left; a try that is refused counts for neither.

        Args:
            account: The account as it is stored, so that no spelling of it gets tries again.
            address: As in `source_of`.
        """
        keys = (("account", account), ("address", source_of(address)))
        with self._lock:
            if not all(self._limiter.test(self._limit, *key) for key in keys):
                return False
            for key in keys:
                self._limiter.hit(self._limit, *key)
        return True


def source_of(address: str) -> str:
    """Whom an address stands for. Pure.

    Args:
        address: IPv4, or IPv6: the first 64 bits, since whoever has one address there has them all; other texts as
            they are.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))

"""Error codes of the envelope (docs/xiaoe-api.md section 7) and the exception that carries one.

The documentation lists 2001-2006 as a group; which code means what within the group is a guess.
"""

from __future__ import annotations

MESSAGES = {
    1001: "system busy",
    1002: "bad business answer",
    2001: "app_id is missing",
    2002: "app_id is invalid",
    2003: "secret_key is missing",
    2004: "secret_key is invalid",
    2005: "grant_type is missing",
    2006: "grant_type is invalid",
    2007: "access_token is missing",
    2008: "access_token is expired or unknown",
    2009: "user_id is missing",
    2010: "user_id is invalid",
    2017: "no permission for this interface",
    2020: "client_id is invalid",
    2051: "ip is not in the whitelist",
    2052: "unknown interface",
    2053: "call quota used up",
    2054: "sudden burst of calls",
    2055: "wrong request method",
}


class ApiError(Exception):
    """A call answered with `code != 0`."""

    def __init__(self, code: int, detail: str = "") -> None:
        self.code = code
        self.message = f"{MESSAGES[code]}: {detail}" if detail else MESSAGES[code]
        super().__init__(f"{code} {self.message}")

"""Access tokens of one shop (docs/xiaoe-api.md section 1)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import shake_256

TOKEN_LENGTH = 512
_GRACE = {"at_once": 0.0, "after_5_minutes": 300.0, "same_while_30_minutes_left": 0.0}
_REUSE_WHILE_LEFT = 1800.0


@dataclass
class Token:
    """One token; times are the clock's elapsed seconds."""

    value: str
    serial: int
    issued_at: float
    ends_at: float


class TokenIssuer:
    """Issues, checks and expires the tokens of one (app_id, client_id)."""

    def __init__(self, key: bytes, life: float, mode: str) -> None:
        self._key = key
        self._life = life
        self._mode = mode
        self._tokens: dict[str, Token] = {}
        self.issued = 0

    def issue(self, at: float) -> Token:
        """Issue a token at `at`; the mode decides when older tokens expire."""
        self._forget_ended(at)
        newest = next(reversed(self._tokens.values()), None)
        if self._mode == "same_while_30_minutes_left" and newest and newest.ends_at - at > _REUSE_WHILE_LEFT:
            return newest
        for old in self._tokens.values():
            old.ends_at = min(old.ends_at, at + _GRACE[self._mode])
        self.issued += 1
        token = Token(self._value(self.issued), self.issued, at, at + self._life)
        self._tokens[token.value] = token
        return token

    def find(self, value: object, at: float) -> Token | None:
        """The token with this value if it is valid at `at`."""
        token = self._tokens.get(value) if isinstance(value, str) else None
        return token if token and at < token.ends_at else None

    def revoke(self) -> None:
        """Expire all tokens now."""
        self._tokens.clear()

    def _forget_ended(self, at: float) -> None:
        self._tokens = {value: token for value, token in self._tokens.items() if at < token.ends_at}

    def _value(self, serial: int) -> str:
        digits = shake_256(self._key + serial.to_bytes(8, "little")).hexdigest(TOKEN_LENGTH // 2)
        return "xe_" + digits[: TOKEN_LENGTH - 3]

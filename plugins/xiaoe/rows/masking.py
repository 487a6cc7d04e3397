"""In which form a text is stored: as it is, masked, or as a keyed hash. Knows no Airflow and no setting."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

METHODS = ("plain", "masked", "hash")
_DIGITS_OF_A_PHONE = 11


def masked(text: str) -> str:
    """`138****5678` of a number with eleven digits or more, else the first character and `**`; empty stays empty."""
    if sum(character.isdigit() for character in text) >= _DIGITS_OF_A_PHONE:
        return f"{text[:3]}****{text[-4:]}"
    return f"{text[0]}**" if text else text


def hashed(text: str, key: bytes) -> str:
    """HMAC-SHA256 in hex: the same text gives the same hash in every column; empty stays empty."""
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex() if text else text


@dataclass(frozen=True)
class Forms:
    """What becomes of the columns of one table.

    Args:
        columns: Column → `masked` or `hash`.
        find_key: Finds the key of hashes; asked when it is needed first.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    find_key: Callable[[], bytes] = bytes

    @cached_property
    def _key(self) -> bytes:
        return self.find_key()

    def around(self, column: str, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The function that reads a column, with its form put on; the same function where it is plain."""
        method = self.columns.get(column)
        if method is None:
            return read

        def hide(value: Any) -> str | None:
            text = read(value)
            if text is None:
                return None
            return masked(text) if method == "masked" else hashed(text, self._key)

        return hide

    def fingerprint(self) -> bytes:
        """Changes with the forms and with the key; empty where all is plain."""
        names = ",".join(f"{column}={method}" for column, method in sorted(self.columns.items()))
        return names.encode() + (hashed(names, self._key).encode() if "hash" in self.columns.values() else b"")


PLAIN = Forms()

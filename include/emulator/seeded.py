"""Random numbers as pure functions of the seed: reproducible in any order, without state."""

from __future__ import annotations

import struct
from hashlib import blake2b

_SIXTEEN = struct.Struct("<16I")
_SCALE = 2.0**-32
_MASK = (1 << 64) - 1


def key_of(*parts: object) -> bytes:
    """A 32-byte key for a family of draws, e.g. `key_of(seed, app_id, "orders")`."""
    return blake2b("|".join(map(str, parts)).encode(), digest_size=32).digest()


def draws_of(key: bytes, number: int) -> tuple[int, ...]:
    """Sixteen independent 32-bit draws for `number`."""
    return _SIXTEEN.unpack(blake2b(key + number.to_bytes(8, "little")).digest())


def draw(salt: int, number: int) -> int:
    """One 64-bit draw for `number`, cheaply (splitmix64); `salt` comes from `salt_of`."""
    mixed = (number * 0x9E3779B97F4A7C15 + salt) & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return mixed ^ mixed >> 31


def salt_of(*parts: object) -> int:
    """A 64-bit salt for a family of cheap draws."""
    return int.from_bytes(key_of(*parts)[:8], "little")


def fraction(value: int) -> float:
    """Map a 32-bit draw to [0, 1)."""
    return value * _SCALE


def between(value: int, low: int, high: int) -> int:
    """Map a 32-bit draw to an integer in [low, high]."""
    return low + (value * (high - low + 1) >> 32)

"""The shapes in which the API sends a value (docs/xiaoe-api.md section 9), and how the truth writes the same value.

``Forms`` deals out bits: a row asks for the shape of one value after the other, always in the same order, so
that the same bits give the same row, byte for byte. The order list, which is asked for most, writes its rows
by template instead (``orders/response.py``).
"""

from __future__ import annotations

from emulator.clock import to_text

NULL_TIMES = ("0000-00-00 00:00:00", "-0001-11-30 00:00:00", "", "--", None)
# Fields nobody announced (section 9.8).
UNKNOWN_FIELDS: dict[str, object] = {"ext_info": {"scene": "直播间", "tags": ["a", 1, None]}, "is_new_flag": None}


class Forms:
    """The shapes of one row's values, from 64 bits."""

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def number(self, value: int | None) -> int | str | None:
        """Send a number as an integer or as digits."""
        return str(value) if self._take(1) and value is not None else value

    def fen(self, value: int | None) -> int | str | None:
        """Send an amount in fen as an integer or as digits, and none as ``""`` or ``null``."""
        as_text = self._take(1)
        if value is None:
            return "" if as_text else None
        return str(value) if as_text else value

    def time(self, unix: int | None) -> str | None:
        """Send unix seconds as Beijing text, and none in any of the API's ways."""
        shape = self._take(6)
        return NULL_TIMES[shape % 5] if unix is None else to_text(unix)

    def _take(self, count: int) -> int:
        taken = self._bits & (1 << count) - 1
        self._bits >>= count
        return taken


def yuan(fen: int | None) -> str | None:
    """Write an amount in fen as the truth does: yuan with two decimals."""
    return None if fen is None else f"{fen // 100}.{fen % 100:02d}"


def time_text(unix: int | None) -> str | None:
    """Write unix seconds as the truth does: Beijing text."""
    return None if unix is None else to_text(unix)

"""The encodings in which the API sends a value (docs/xiaoe-api.md section 9), and the truth's encoding of it.

`Encoder` consumes bits: a row encodes its values in a fixed order, so that the same bits give the same row,
byte for byte. The order list, which is requested most, fills templates instead (`orders/response.py`).
"""

from __future__ import annotations

from emulator.clock import to_text

NULL_TIMES = ("0000-00-00 00:00:00", "-0001-11-30 00:00:00", "", "--", None)
# Undocumented extra fields (section 9.8).
UNKNOWN_FIELDS: dict[str, object] = {"ext_info": {"scene": "直播间", "tags": ["a", 1, None]}, "is_new_flag": None}


class Encoder:
    """Encodes one row's values; 64 bits choose the encodings."""

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def number(self, value: int | None) -> int | str | None:
        """A number as an integer or as digits."""
        return str(value) if self._take(1) and value is not None else value

    def fen(self, value: int | None) -> int | str | None:
        """An amount in fen as an integer or as digits; None as `""` or `null`."""
        as_text = self._take(1)
        if value is None:
            return "" if as_text else None
        return str(value) if as_text else value

    def time(self, unix: int | None) -> str | None:
        """Unix seconds as Beijing text; None as one of the API's null times (section 9.1)."""
        shape = self._take(6)
        return NULL_TIMES[shape % 5] if unix is None else to_text(unix)

    def _take(self, count: int) -> int:
        taken = self._bits & (1 << count) - 1
        self._bits >>= count
        return taken


def yuan(fen: int | None) -> str | None:
    """An amount in fen as the truth encodes it: text in yuan with two decimals."""
    return None if fen is None else f"{fen // 100}.{fen % 100:02d}"


def time_text(unix: int | None) -> str | None:
    """Unix seconds as the truth encodes them: Beijing text."""
    return None if unix is None else to_text(unix)

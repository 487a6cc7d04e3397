"""Codes and their Chinese texts, from include/codes/*.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from xiaoe.settings import INCLUDE_DIR

CODES_DIR = INCLUDE_DIR / "codes"


@cache
def texts(name: str) -> dict[int, str]:
    """The texts of one kind of code, e.g. `texts("order_state")[3] == "已退款"`.

    An unknown code has no text: it is stored as it is, its text stays NULL, and it is reported.
    """
    return {int(code): text for code, text in json.loads(_path(name).read_text("utf-8")).items()}


def text_of(code: int | str | None, known: Mapping[int, str]) -> str | None:
    """The text of a code; of several (`2,8`, as `values.code_list` returns them) those there are, joined by commas."""
    if isinstance(code, str):
        return ",".join(known[one] for one in _each(code) if one in known) or None
    return None if code is None else known.get(code)


def without_text(code: int | str | None, known: Mapping[int, str]) -> list[int]:
    """The code, or those of several, that have no text."""
    found = _each(code) if isinstance(code, str) else [] if code is None else [code]
    return [one for one in found if one not in known]


def _each(codes: str) -> list[int]:
    return [int(code) for code in codes.split(",") if code]


def _path(name: str) -> Path:
    return CODES_DIR / f"{name}.json"

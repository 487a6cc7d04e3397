"""Codes and their Chinese texts, from include/codes/*.json."""

from __future__ import annotations

import json
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


def _path(name: str) -> Path:
    return CODES_DIR / f"{name}.json"

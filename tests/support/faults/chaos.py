"""How much of each kind of trouble a run of the tests makes, and what it counted.

`make test` takes a sample of each kind, `make chaos SHORT=1` each kind once, `make chaos` everything.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

LEVEL = os.environ.get("XIAOE_CHAOS", "sample")
more_than_a_sample = pytest.mark.skipif(LEVEL == "sample", reason="run by make chaos")
FIGURES = Path(__file__).parents[3] / ".local" / "chaos" / "figures.jsonl"
"""A line for each thing that a run of `make chaos` counted."""


def by_level(sample: T, short: T, long: T) -> T:
    """The one of these that fits this run."""
    return {"sample": sample, "short": short, "long": long}[LEVEL]


def spread(count: int, wanted: int | None, seed: int = 0) -> list[int]:
    """So many of the numbers below `count`, in order; the first and the last are always there. None: all."""
    if wanted is None or wanted >= count:
        return list(range(count))
    edges = {0, count - 1, max(0, count - 2)}
    others = random.Random(seed).sample(sorted(set(range(count)) - edges), max(0, wanted - len(edges)))
    return sorted({*edges, *others})


def tell(kind: str, **figures: object) -> None:
    """Keep what was counted, for docs/reliability.md."""
    if LEVEL == "sample":
        return
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    with open(FIGURES, "a", encoding="utf-8") as file:
        file.write(json.dumps({"level": LEVEL, "kind": kind, **figures}, ensure_ascii=False) + "\n")

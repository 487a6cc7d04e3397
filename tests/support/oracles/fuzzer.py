"""`python tests/support/oracles/fuzzer.py TARGET [libFuzzer's flags]`: the oracles, driven by coverage (atheris).

atheris is no requirement of the project: scripts/chaos installs it into a virtual environment of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / name) for name in ("plugins", "include", "scripts", "tests")]

with atheris.instrument_imports(include=["xiaoe.rows", "xiaoe.rows.envelope", "xiaoe.stage.paging"]):
    from support.oracles.any_bytes import answer_of, check_answer, check_paging


def fuzz_rows(data: bytes) -> None:
    """The bytes are a row."""
    check_answer(answer_of(data))


def fuzz_answers(data: bytes) -> None:
    """The bytes are an answer."""
    check_answer(data)


def fuzz_paging(data: bytes) -> None:
    """The bytes are what a list tells, reading by reading, page by page."""
    source = atheris.FuzzedDataProvider(data)
    page_size = source.ConsumeIntInRange(1, 5)
    readings = []
    while source.remaining_bytes() and len(readings) < 6:
        pages = []
        for _ in range(source.ConsumeIntInRange(1, 7)):
            total = source.ConsumeIntInRange(-1, 12)
            rows = [source.ConsumeIntInRange(0, 12) for _ in range(source.ConsumeIntInRange(0, 5))]
            pages.append((None if total < 0 else total, rows))
        readings.append(pages)
    if readings:
        check_paging(readings, page_size=page_size)


TARGETS = {"rows": fuzz_rows, "answers": fuzz_answers, "paging": fuzz_paging}

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()

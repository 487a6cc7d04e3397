"""`make mutants`: changes one thing at a time in an SQL template and runs tests; what no test notices is printed.

    make mutants SQL=include/sql/marts/benefit_decisions.sql TESTS="tests/integration/test_benefits.py -m 'not slow'"

Mutants live in a copy of `include/`, which XIAOE_INCLUDE_DIR names; the checkout stays as it is. Each runs in a fork of
a process that has imported Airflow: that takes as long as the tests. Python is mutated with mutmut instead
(docs/measurements/2026-11-mutants.md); it does not read SQL.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RULES: tuple[tuple[str, str], ...] = (
    (r"(?<= )<=(?= )", "<"),
    (r"(?<= )>=(?= )", ">"),
    (r"(?<= )<(?= )", "<="),
    (r"(?<= )>(?= )", ">="),
    (r"(?<= )<>(?= )", "="),
    (r"(\b(?:ON|AND|WHERE|OR|IF\() ?\w*\.?\w+) =(?= )", "{0} <>"),  # not an assignment
    (r"\bAND\b", "OR"),
    (r"\bOR\b(?! REPLACE)", "AND"),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r"\bNOT (?=[a-z{\"])", ""),
    (r"\bNOT IN\b", "IN"),
    (r"\bLEAST\b", "GREATEST"),
    (r"\bGREATEST\b", "LEAST"),
    (r"\bMIN\b", "MAX"),
    (r"\bMAX\b", "MIN"),
    (r"\bDESC\b", "ASC"),
    (r"\bDISTINCT ", ""),
    (r"(?<=[ (,-])(\d+)(?=[ ,)])", "9{0}"),
    (r", (?:'\d+'|\d+)(?=\))", ""),
)
"""Pattern → replacement; `{0}` is the first group."""
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True)
class Mutant:
    """One change.

    Args:
        line: Line of the template.
        before: Text that is replaced, with what stands around it.
        after: The same with the change.
        text: The whole template with the change.
    """

    line: int
    before: str
    after: str
    text: str


def mutants(template: str) -> Iterator[Mutant]:
    """Every mutant of a template, in its order; comments are left alone."""
    comments = [found.span() for found in _COMMENT.finditer(template)]
    for pattern, replacement in RULES:
        for found in re.finditer(pattern, template):
            begin, end = found.span()
            if any(first <= begin < last for first, last in comments):
                continue
            new = replacement.format(*found.groups())
            around = template[max(0, begin - 30) : begin], template[end : end + 30]
            before, after = (" ".join(f"{around[0]}{text}{around[1]}".split()) for text in (found[0], new))
            yield Mutant(template.count("\n", 0, begin) + 1, before, after, template[:begin] + new + template[end:])


def prepare(home: Path) -> Path:
    """Copy `include/` into a folder, make it the one that is used, import what the tests do → the copy."""
    include = home / "include"
    shutil.copytree(ROOT / "include", include, ignore=shutil.ignore_patterns("__pycache__"))
    os.environ["XIAOE_INCLUDE_DIR"] = str(include)
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT / folder) for folder in ("plugins", "include", "include/superset", "scripts", "tests")]
    for name in ("conftest", "support.fixtures"):
        importlib.import_module(name)
    return include


def is_noticed(template: Path, text: str, tests: list[str]) -> bool:
    """Whether a test fails with that text as the template."""
    template.write_text(text, "utf-8")
    child = os.fork()
    if not child:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, 1):
        raise RuntimeError(f"pytest ended with {code}: run it with the same arguments to see why")
    return code == 1


def main() -> int:
    """Run; the exit code is 1 if a mutant survived."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sql", type=Path, required=True, help="template below include/")
    parser.add_argument("--tests", required=True, help="arguments of pytest")
    parser.add_argument("--most", type=int, default=0, help="so many mutants, chosen by chance; 0: all")
    arguments = parser.parse_args()
    sql, tests = arguments.sql.resolve(), shlex.split(arguments.tests)
    unchanged = sql.read_text("utf-8")
    made = list(mutants(unchanged))
    if arguments.most:
        made = random.Random(0).sample(made, min(arguments.most, len(made)))  # noqa: S311
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="xiaoe-mutant-") as home:
        template = prepare(Path(home)) / sql.relative_to(ROOT / "include")
        if is_noticed(template, unchanged, tests):
            parser.error("the tests fail without any mutant")
        for number, mutant in enumerate(made, 1):
            if not is_noticed(template, mutant.text, tests):
                survivors += 1
                print(f"survived: line {mutant.line}: {mutant.before}  →  {mutant.after}", flush=True)
            if number % 20 == 0:
                print(f"{number} of {len(made)}, {survivors} survived", file=sys.stderr, flush=True)
    print(f"{len(made)} mutants, {len(made) - survivors} noticed, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())

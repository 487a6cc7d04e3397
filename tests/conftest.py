"""Airflow reads its settings on import: they are made here, before any test module is imported."""

from __future__ import annotations

import os
import tempfile
from itertools import islice
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
_HOME = tempfile.mkdtemp(prefix="xiaoe-tests-")
os.environ |= {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
    "XIAOE_PAGE_STORE": f"file://{_HOME}/pages",
}
for name in ("XIAOE_CONN_IDS", "XIAOE_HISTORY_START", "XIAOE_MYSQL_CONN_ID"):
    os.environ.pop(name, None)

# Without a clock: a busy machine is no reason to fail.
settings.register_profile(
    "tests", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("tests")

pytest_plugins = ["support.fixtures"]

# The longest files first, so that no process has one to itself while the others have nothing left to do.
FOLDERS = ("live", "scripts", "chaos", "integration", "emulator", "unit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sample", action="store_true", help="on MariaDB, a quarter of the cases of each test")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--sample"):
        kept = sampled([item.nodeid for item in items])
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in kept])
        items[:] = [item for item in items if item.nodeid in kept]
    hand_out(items)


def sampled(tests: list[str]) -> set[str]:
    """All tests, but on MariaDB of each function only a quarter of its cases, and at least one.

    The cases differ in what the API sends and people do. MySQL runs them all; that the statements work on MariaDB, too,
    shows in some of them. Which ones, their names decide: always the same.
    """
    by_function: dict[str, list[str]] = {}
    for test in tests:
        if "mariadb" in test:
            by_function.setdefault(test.partition("[")[0], []).append(test)
    left_out: set[str] = set()
    for cases in by_function.values():
        cases.sort(key=lambda case: crc32(case.encode()))
        left_out |= set(cases[-(-len(cases) // 4) :])
    return {test for test in tests if test not in left_out}


def hand_out(items: list[pytest.Item]) -> None:
    """Put files in the order in which they are handed out: of every three, two that mostly wait for an Airflow."""
    folder = {item.path: item.path.relative_to(ROOT / "tests").parts[0] for item in items}
    files = sorted(folder, key=lambda path: FOLDERS.index(folder[path]))
    live, others = (iter([path for path in files if (folder[path] == "live") is is_live]) for is_live in (True, False))
    order = [path for _ in files for path in (*islice(live, 2), *islice(others, 1))]
    items.sort(key=lambda item: order.index(item.path))

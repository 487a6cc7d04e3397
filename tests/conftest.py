"""Airflow reads its settings on import: they are made here, before any test module is imported."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

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

pytest_plugins = ["support.fixtures"]

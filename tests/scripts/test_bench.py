"""`make bench` on a tiny shop: it runs, and its last line is what scripts read. What it measures means nothing here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
KEYS = ["first_load_vs_dlt", "first_load_vs_limit", "rescan_vs_dlt", "rescan_orders_per_s", "peak_mb"]


@pytest.mark.mysql
@pytest.mark.slow
def test_a_tiny_bench_ends_with_the_line_for_scripts(tmp_path: Path) -> None:
    """Without dlt, which is not installed here."""
    dsn = os.environ.get("XIAOE_TEST_MYSQL_DSN")
    if not dsn:
        pytest.fail("XIAOE_TEST_MYSQL_DSN is not set: run `make test`, it starts the databases")
    found = tmp_path / "bench.json"
    options = ["--size", "300", "--rounds", "1", "--peers", "ours,limit,script-batches", "--json", found]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *options, "--database", "xiaoe_test_bench"],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": "scripts:include:plugins", "AIRFLOW_CONN_XIAOE_MYSQL": dsn},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    figures = dict(part.split("=") for part in done.stdout.splitlines()[-1].split())
    assert list(figures) == KEYS
    assert figures["first_load_vs_dlt"] == figures["rescan_vs_dlt"] == "nan"
    assert min(float(figures[key]) for key in ("first_load_vs_limit", "rescan_orders_per_s", "peak_mb")) > 0
    peers = json.loads(found.read_text())["peers"]
    assert peers.keys() == {"ours", "limit", "script-batches"}
    assert found.with_suffix(".svg").read_bytes().startswith(b"<?xml")

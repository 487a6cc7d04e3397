"""The benchmarks on a tiny shop: they run, and say all that they should. What they measure means nothing here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bi_assets import ASSETS, Assets

from support.faults.chaos import more_than_a_sample

REPO = Path(__file__).parents[2]
KEYS = [
    "first_load_vs_best", "first_load_vs_limit", "rescan_vs_best", "rescan_orders_per_s", "peak_mb",
    "best_first_load", "best_rescan", "first_load_vs_dlt", "rescan_vs_dlt",
]  # fmt: skip

pytestmark = [pytest.mark.mysql, pytest.mark.slow]


def bench(program: str, *options: object) -> str:
    """Run one; what it says."""
    dsn = os.environ.get("XIAOE_TEST_MYSQL_DSN")
    if not dsn:
        pytest.fail("XIAOE_TEST_MYSQL_DSN is not set: run `make test`, it starts the databases")
    done = subprocess.run(
        [sys.executable, "-m", program, *map(str, options)],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": "scripts:include:include/superset:plugins", "AIRFLOW_CONN_XIAOE_MYSQL": dsn},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_tiny_bench_ends_with_the_line_for_scripts(tmp_path: Path) -> None:
    """Without dlt and sling, which are not installed here."""
    found = tmp_path / "bench.json"
    options = ["--size", 300, "--rounds", 1, "--peers", "ours,limit,script-batches", "--json", found]
    said = bench("bench", *options, "--database", "xiaoe_test_bench")
    figures = dict(part.split("=") for part in said.splitlines()[-1].split())
    assert list(figures) == KEYS
    assert figures["first_load_vs_dlt"] == figures["rescan_vs_dlt"] == "nan"
    assert figures["best_first_load"] == figures["best_rescan"] == "script-batches"
    assert min(float(figures[key]) for key in KEYS[:5]) > 0
    written = json.loads(found.read_text())
    assert written["peers"].keys() == {"ours", "limit", "script-batches"}
    assert written["server"].keys() == {"version", "log_bin", "sync_binlog", "innodb_flush_log_at_trx_commit"}
    assert found.with_suffix(".svg").read_bytes().startswith(b"<?xml")


@more_than_a_sample
def test_growth_measures_every_window_and_every_table(tmp_path: Path) -> None:
    found = tmp_path / "growth.json"
    bench("bench.growth", "--windows", "100,300", "--tables", "0,500", "--size", 200, "--rounds", 2, "--json", found)
    figures = json.loads(found.read_text())
    assert [one["orders"] for one in figures["windows"]] == [100, 300]
    assert [one["others"] for one in figures["tables"]] == [0, 500]
    assert all(value > 0 for one in figures["windows"] for value in one.values())


@more_than_a_sample
def test_the_rest_measures_fetching_a_small_run_and_parsing(tmp_path: Path) -> None:
    """Not the idle scheduler, which is watched for minutes."""
    found = tmp_path / "rest.json"
    bench("bench.rest", "--calls", 40, "--messages", 300, "--idle-minutes", 0, "--json", found)
    figures = json.loads(found.read_text())
    assert [one["refused"] for one in figures["fetching"]] == [0, 0, 0]
    assert all(one["calls"] >= 40 for one in figures["fetching"])
    assert figures["push"]["grouped_vs_one_by_one"] > 0
    assert figures["incremental"]["orders"] > 100
    assert figures["parsing"]["dags"] == len([*(REPO / "dags").glob("xiaoe_*.py")])
    assert figures["parsing"]["errors"] == 0


def test_every_query_of_every_dashboard_is_timed(tmp_path: Path) -> None:
    found = tmp_path / "marts.json"
    options = ("--size", 2000, "--repeats", 1, "--database", "xiaoe_test_bench_marts", "--json", found)
    bench("bench.marts", *options)
    figures = json.loads(found.read_text())
    assert figures["rebuild_seconds"] > 0
    assert figures["hour_seconds"] > 0
    timed = {(one["dashboard"], one["name"]) for one in figures["tiles"]}
    pages = Assets.read(ASSETS).dashboards
    assert {(slug, chart.key) for slug, page in pages.items() for chart in page.charts()} <= timed
    assert {(slug, f"filter {column}") for slug, page in pages.items() for column in page.filters} <= timed

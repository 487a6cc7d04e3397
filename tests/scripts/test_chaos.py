"""`make chaos` in parts."""

from __future__ import annotations

import os
import subprocess

from servers.airflow import ROOT


def test_a_part_that_does_not_exist_is_named_before_anything_runs() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "chaos"],
        env={**os.environ, "PARTS": "tests fuz"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "PARTS='tests fuz': there is no part 'fuz'; choose from tests, fuzz and load" in done.stderr + done.stdout

"""`make sbom` describes the image: what its locks pin, and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).parents[2]


def pins(*locks: str) -> dict[str, str]:
    """Canonical name → version that the lock files pin for this Python."""
    lines = "\n".join((REPO / lock).read_text("utf-8") for lock in locks)
    found = [Requirement(line) for line in re.findall(r"^(\S+==[^\\\n]+)", lines, re.M)]
    return {
        canonicalize_name(one.name): str(one.specifier).removeprefix("==")
        for one in found
        if one.marker is None or one.marker.evaluate()
    }


def sbom(folder: Path, *names: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XIAOE_LOCAL": str(folder), "PYTHON": python}
    command = [str(REPO / "scripts" / "sbom"), *names]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 11), reason="the image's lock is for Python 3.11 and newer")
def test_the_bill_and_the_licences_name_every_pin_and_nothing_else(tmp_path: Path) -> None:
    done = sbom(tmp_path, "airflow")
    assert done.returncode == 0, done.stderr
    wanted = pins("requirements.txt", "requirements-image.txt")
    assert len(wanted) > 100

    bill = json.loads((tmp_path / "sbom" / "airflow.cdx.json").read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "xiaoe-airflow"
    assert {canonicalize_name(one["name"]): one["version"] for one in bill["components"]} == wanted
    assert all(one["purl"] for one in bill["components"])

    listed = (tmp_path / "sbom" / "airflow-licences.md").read_text("utf-8").splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in listed]
    assert {canonicalize_name(name): version for name, version, *_ in cells} == wanted
    assert {name for name, _, licence, _ in cells if licence == "UNKNOWN"} <= {"pyrage"}  # it has a file only
    assert [path.name for path in (tmp_path / "sbom").iterdir() if path.is_dir()] == []


def test_what_cannot_be_described_is_refused(tmp_path: Path) -> None:
    done = sbom(tmp_path, "mysql")
    assert done.returncode == 1
    assert "mysql: there are airflow and superset" in done.stderr

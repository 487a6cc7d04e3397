"""pyproject.toml and requirements.in say the same; the Makefile explains itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from xiaoe.cli.commands import SYNC_DAGS

REPO = Path(__file__).parents[2]


def names(lines: list[str]) -> set[str]:
    return {re.split(r"[=<>!\[ ]", line)[0] for line in lines if line and not line.startswith(("#", "-"))}


def test_the_package_depends_on_what_requirements_name() -> None:
    block = re.search(r"^dependencies = \[\n(.*?)^\]", (REPO / "pyproject.toml").read_text(), re.M | re.S)
    assert block
    declared = re.findall(r'"([^"]+)"', block.group(1))
    assert names(declared) == names((REPO / "requirements.in").read_text().splitlines())


def test_help_lists_every_target() -> None:
    makefile = (REPO / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.M)
    assert phony
    listed = subprocess.run(["make", "help"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make (\S+)", listed, re.M) == phony.group(1).split()


def test_sync_without_a_type_says_which_there_are() -> None:
    command = subprocess.run(["make", "--dry-run", "sync"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert "-m xiaoe.cli sync" in command
    assert "--type" not in command
    said = subprocess.run([sys.executable, "-m", "xiaoe.cli", "sync"], capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert f"--type {{{','.join(SYNC_DAGS)}}}" in re.sub(r"\s+", " ", said.stderr)

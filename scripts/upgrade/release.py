"""A release of this project in a folder of its own, with the requirements that it locks."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from servers.airflow import ROOT

_TAG = ("git", "describe", "--tags", "--abbrev=0", "HEAD^")
_NEWEST_MIGRATION = ("git", "log", "-1", "--diff-filter=A", "--format=%H^", "--", "include/sql/schema")


@dataclass(frozen=True)
class Release:
    """A checkout that is installed.

    Args:
        name: A tag, or the beginning of a commit.
        root: Its folder, with `.venv`.
    """

    name: str
    root: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.root / ".venv" / "bin" / "python"

    def cli(self, environment: Mapping[str, str], *words: str) -> str:
        """Run one of its commands; what it printed last.

        Raises:
            RuntimeError: It failed; the message has the end of what it said.
        """
        done = subprocess.run(  # noqa: S603 - our own command
            [self.python, "-m", "xiaoe.cli", *words],
            env={**os.environ, **environment, "PYTHONPATH": str(self.root / "plugins")},
            cwd=self.root, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(words)} failed: {(done.stdout + done.stderr)[-1500:]}")
        return done.stdout.strip().rpartition("\n")[2]

    def airflow_version(self) -> str:
        """Of the Airflow that it locks."""
        code = "from importlib.metadata import version; print(version('apache-airflow'))"
        done = subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
        return done.stdout.strip()

    def migrations(self) -> int:
        """How many it knows."""
        return len(list((self.root / "include" / "sql" / "schema").glob("*.sql")))


def previous() -> str:
    """The last tag before HEAD; without tags, the commit before the newest migration."""
    tag = subprocess.run(_TAG, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if not tag.returncode:
        return tag.stdout.strip()
    return subprocess.run(_NEWEST_MIGRATION, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def installed(revision: str, below: Path) -> Release:
    """A revision, unpacked and installed below a folder; quick when it is there.

    Args:
        revision: As git takes it.
        below: A folder that is kept between runs.

    Raises:
        RuntimeError: There is no such revision, or it cannot be installed.
    """
    found = subprocess.run(  # noqa: S603 - our own command
        ["git", "rev-parse", "--short", f"{revision}^{{commit}}"],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if found.returncode:
        raise RuntimeError(f"FROM={revision!r}: git knows no such revision")
    commit = found.stdout.strip()
    release = Release(revision if "^" not in revision else commit, below / commit)
    if not release.root.exists():
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)  # noqa: S603, S607
        with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
            archive.extractall(release.root, filter="data")
    if subprocess.run([release.root / "scripts" / "install"], check=False).returncode:  # noqa: S603
        raise RuntimeError(f"{release.root} cannot be installed, see above")
    return release

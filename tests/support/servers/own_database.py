"""A database server of a test's own, in a folder of its own; it may be killed and its data removed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

REPO = Path(__file__).parents[3]


class Server:
    """A server in a folder of its own; it may be killed.

    Args:
        folder: For its data.
        kind: `mysql`, `mariadb` or `seekdb`.
        has_log: Whether it keeps a binary log.
    """

    def __init__(self, folder: Path, kind: str = "mysql", *, has_log: bool = False) -> None:
        trees = os.environ.get("XIAOE_TREES") or os.environ.get("XIAOE_LOCAL") or str(REPO / ".local")
        if not (Path(trees) / kind / "tree").is_dir():
            pytest.skip(f"scripts/servers/database fetch {kind} was not run")
        self.folder = folder
        self.kind = kind
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "XIAOE_LOCAL": str(folder),
            "XIAOE_TREES": trees,
            **({"XIAOE_DURABILITY": "binlog"} if has_log else {}),
        }

    def script(self, verb: str) -> str:
        """`scripts/servers/database VERB KIND`; its last line."""
        done = subprocess.run(
            [REPO / "scripts" / "servers" / "database", verb, self.kind],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().rpartition("\n")[2]

    def kill(self) -> None:
        """As a power failure does; returns when it is gone."""
        pid = int((self.folder / self.kind / "run" / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        with suppress(OSError):
            while Path(f"/proc/{pid}/cmdline").read_bytes():
                pass

    def lose_everything(self) -> str:
        """Kill it, remove its data folder, and start an empty server; its DSN."""
        self.kill()
        shutil.rmtree(self.folder / self.kind)
        return self.script("start")

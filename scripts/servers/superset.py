"""A private Superset on loopback, with a separate environment and folder. Used by `make bi` and by tests."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

import requests

from servers.airflow import ROOT, free_port, stop_group, wait_until

PYTHON = ROOT / ".venv-bi" / "bin" / "python"
CODE = ROOT / "include" / "superset"
START_TIMEOUT = 300
"""Seconds; one worker takes half a minute on two idle cores."""
ADMIN, VIEWER = "admin", "yunying"


class Superset:
    """One Superset.

    Args:
        home: Its folder: metadata database (SQLite), secrets, cached results, logs.
        warehouse: SQLAlchemy URI of the database with the bi_* tables.
        port: Port of the web server; None: a free one.
        settings: Further environment variables, see include/superset/superset_config.py.
    """

    def __init__(
        self, home: Path, warehouse: str, port: int | None = None, settings: dict[str, str] | None = None
    ) -> None:
        self.home = home
        self.warehouse = warehouse
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.secrets = kept_secrets(home)
        self._settings = settings or {}

    def apply(self, code: Path = CODE) -> str:
        """Set it up from include/superset; return the output.

        Args:
            code: Another folder with the same programs.

        Raises:
            RuntimeError: It failed; the message has the reason and names the log.
        """
        log = self.home / "apply.log"
        done = subprocess.run(  # noqa: S603 - our own command
            [PYTHON, code / "bi_apply.py"],
            env=self.environment(),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        log.write_text(done.stdout + done.stderr, "utf-8")
        if done.returncode:
            last = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise RuntimeError(f"Superset was not set up (exit {done.returncode}; all of it: {log}):\n{last}")
        return done.stdout.strip().rpartition("\n")[2]

    def start(self, workers: int = 1) -> None:
        """Start it in a new process group; `wait_healthy` waits until it is up."""
        with open(self.home / "superset.log", "ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [
                    *(
                        PYTHON,
                        "-m",
                        "gunicorn",
                        "--workers",
                        str(workers),
                        "--worker-class",
                        "gthread",
                        "--threads",
                        "8",
                    ),
                    *("--timeout", "120", "--bind", f"127.0.0.1:{self.port}", "superset.app:create_app()"),
                ],
                env=self.environment(),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def healthy(self) -> bool:
        """Whether it answers now."""
        try:
            return requests.get(f"{self.url}/health", timeout=5).text == "OK"
        except requests.RequestException:
            return False

    def wait_healthy(self, note: Callable[[], object] = lambda: None) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: It ended, or did not answer in five minutes; the message names the log.
        """

        def up() -> bool:
            if self.process and self.process.poll() is not None:
                raise RuntimeError(f"Superset ended at once: see {self.home / 'superset.log'}")
            note()
            return self.healthy()

        wait_until(up, START_TIMEOUT, f"Superset did not come up: see {self.home / 'superset.log'}")

    def stop(self) -> None:
        """End it with its workers."""
        if self.process is not None:
            stop_group(self.process.pid)
            self.process.wait()
            self.process = None

    def environment(self) -> dict[str, str]:
        """The environment of its processes: from ours only what any program needs, nothing meant for Airflow."""
        ours = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {
            **ours,
            "TZ": "Asia/Shanghai",
            "PYTHONUNBUFFERED": "1",
            "SUPERSET_HOME": str(self.home),
            "SUPERSET_CONFIG_PATH": str(CODE / "superset_config.py"),
            "SUPERSET_SECRET_KEY": self.secrets["secret_key"],
            "SUPERSET_ADMIN_PASSWORD": self.secrets["admin_password"],
            "SUPERSET_VIEWER_PASSWORD": self.secrets["viewer_password"],
            "BI_DATABASE_URI": self.warehouse,
            **self._settings,
        }


def kept_secrets(home: Path) -> dict[str, str]:
    """The secrets of a folder: created once, readable only by their owner."""
    file = home / "secrets.json"
    if not file.exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = {
            "secret_key": secrets.token_urlsafe(42),
            "admin_password": secrets.token_urlsafe(12),
            "viewer_password": secrets.token_urlsafe(12),
            "reader_password": f"Aa1-{secrets.token_urlsafe(16)}",  # some servers require several classes of characters
        }
        with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as target:
            json.dump(made, target)
    return dict(json.loads(file.read_text("utf-8")))

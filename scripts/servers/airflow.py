"""A private Airflow on loopback: `airflow standalone` in a separate folder, driven over its REST API.

Used by the demo and by the tests that need a live scheduler. It needs no login, so it must never
listen on anything but loopback.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
START_TIMEOUT = 600
"""Seconds; a cold start takes one minute on two idle cores and three on busy ones."""
_AGAIN = Retry(
    total=6, backoff_factor=1, status_forcelist=[500], allowed_methods=["GET", "PATCH"], raise_on_status=False
)
"""SQLite, which Airflow uses here, refuses a write while another one takes long: HTTP 500."""


class Standalone:
    """One Airflow.

    Args:
        home: Its AIRFLOW_HOME: logs, page store, SQLite.
        port: Port of the web server; None: a free one.
        database: SQLAlchemy URI of its metadata database; None: SQLite in `home`.
        root: The checkout whose DAGs run.
        python: The interpreter of its virtual environment.
    """

    def __init__(
        self,
        home: Path,
        port: int | None = None,
        database: str | None = None,
        *,
        root: Path = ROOT,
        python: Path = Path(sys.executable),
    ) -> None:
        self.home, self.root, self.python = home, root, python
        # By default a writer gives up after 5 seconds, and a scheduler that cannot write ends for good.
        self.database = database or f"sqlite:///{home}/airflow.db?timeout=60"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._headers: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self._jwt_secret, self._secret_key = secrets.token_urlsafe(64), secrets.token_urlsafe(64)

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it in a new process group; `wait_healthy` waits until it is up."""
        self.home.mkdir(parents=True, exist_ok=True)
        with open(self.home / "standalone.log", "ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [self.python.with_name("airflow"), "standalone"],
                env={**os.environ, **self.settings(), **environment},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_healthy(self, note: Callable[[str], None] = lambda text: None) -> None:
        """Wait until every component is healthy, and get a token for the REST API.

        Raises:
            RuntimeError: It ended, or was not up in ten minutes; the message names the log.
        """

        def healthy() -> bool:
            if self.process and self.process.poll() is not None:
                raise RuntimeError(f"Airflow ended at once: see {self.home / 'standalone.log'}")
            try:
                health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
            except (requests.RequestException, ValueError):
                return False
            waiting = [name for name in COMPONENTS if (health.get(name) or {}).get("status") != "healthy"]
            if waiting:
                note(f"waiting for {', '.join(waiting)}")
            return not waiting

        wait_until(healthy, START_TIMEOUT, f"Airflow did not come up: see {self.home / 'standalone.log'}")
        self._headers = {"Authorization": f"Bearer {self.token()}"}

    def token(self) -> str:
        """A token for the REST API; standalone Airflow asks for no credentials."""
        return str(requests.get(f"{self.url}/auth/token", timeout=30).json()["access_token"])

    def api(self, method: str, path: str, **body: Any) -> Any:
        """Call the REST API below /api/v2.

        Raises:
            RuntimeError: The response is an error; the message has its text.
        """
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(max_retries=_AGAIN))
            answer = session.request(
                method, f"{self.url}/api/v2/{path}", json=body or None, headers=self._headers, timeout=60
            )
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: HTTP {answer.status_code}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def wait_for_dags(self, *names: str) -> None:
        """Wait until the DAG processor has read these DAGs.

        Raises:
            RuntimeError: A file cannot be imported; or they were not read in ten minutes.
        """

        def are_there() -> bool:
            for broken in self.api("GET", "importErrors?limit=100")["import_errors"]:
                if "timeout" not in broken["stack_trace"].lower():  # on a busy machine; it is tried again
                    raise RuntimeError(f"{broken['filename']} cannot be imported: {broken['stack_trace']}")
            return set(names) <= {dag["dag_id"] for dag in self.api("GET", "dags?limit=100")["dags"]}

        wait_until(are_there, START_TIMEOUT, f"the DAGs did not appear: see {self.home / 'standalone.log'}")

    def create_pools(self) -> None:
        """Create the pools of include/pools.json that are not there yet."""
        held = {pool["name"] for pool in self.api("GET", "pools")["pools"]}
        for name, pool in json.loads((ROOT / "include" / "pools.json").read_text("utf-8")).items():
            if name not in held:
                self.api("POST", "pools", name=name, **pool)

    def stop(self) -> None:
        """End the whole group: a signal to the parent alone would leave its children running."""
        if self.process is not None:
            stop_group(self.process.pid)
            self.process.wait()
            self.process = None

    def kill(self) -> None:
        """Kill the whole group, as a power failure does; returns when it is gone."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.stop()

    def settings(self) -> dict[str, str]:
        """The environment for commands that use this Airflow."""
        return {
            "AIRFLOW_HOME": str(self.home),
            # `airflow standalone` starts its parts by the bare name `airflow`.
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.root / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.root / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH": "20000",  # the merge's complete SQL
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database,
            "XIAOE_AIRFLOW_DB": self.database,  # which Airflow hides from tasks
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": self._secret_key,
            "AIRFLOW__API_AUTH__JWT_SECRET": self._jwt_secret,
            # While everything starts at once, the api-server answers workers late.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        }


def free_port() -> int:
    """A free port on loopback."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def stop_group(leader: int, patience: float = 20) -> None:
    """Terminate a process group, wait, and kill it if it does not end."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(leader, number)
        except ProcessLookupError:
            return
        try:
            wait_until(lambda: not group_lives(leader), patience, "still running")
            return
        except RuntimeError:
            continue


def group_lives(leader: int) -> bool:
    """Whether a process of the group runs; one that ended and was not waited for does not count."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            return True
    return False


def wait_until(condition: Callable[[], bool], timeout: float, complaint: str) -> None:
    """Poll until the condition holds.

    Raises:
        RuntimeError: It did not hold in time.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(complaint)
        time.sleep(0.5)

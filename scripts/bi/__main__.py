"""`make bi`: Superset on this machine, with the dashboards of include/superset over the demo's tables.

    python -m bi          start it unless it runs, bring it up to date; prints where to look and how to log in
    python -m bi stop     stop it
    python -m bi status   whether it runs; fails when not

Which warehouse: the one that XIAOE_BI_URI names (mysql+pymysql://bi_reader:PASSWORD@HOST:3306/DATABASE?charset=utf8mb4);
else that of the demo, for which it makes the user bi_reader.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from typing import Any
from urllib.parse import quote, urlsplit

from rich.console import Console

from demo.warehouse import demo_dsn, query
from servers.airflow import ROOT, free_port, group_lives, stop_group
from servers.superset import ADMIN, CODE, VIEWER, Superset, kept_secrets

HOME = ROOT / ".local" / "bi"
STATE = HOME / "running.json"
PORT = 8088
READER = "bi_reader"
console = Console(highlight=False)


def main() -> int:
    """Return an exit code."""
    command = sys.argv[1] if len(sys.argv) > 1 else "start"
    try:
        return {"start": start, "stop": stop, "status": status}[command]()
    except KeyError:
        console.print(f"unknown command {command}: start, stop or status")
        return 2
    except (RuntimeError, KeyboardInterrupt) as error:
        console.print(f"[bold red]failed:[/] {error}", soft_wrap=True)
        return 1


def start() -> int:
    """Set up Superset from the repository, and run it."""
    began = time.monotonic()
    running = _running()
    superset = Superset(HOME, _warehouse(), port=running["port"] if running else _port())
    wanted = _fingerprint(superset.warehouse)
    if not running or running["fingerprint"] != wanted or not superset.healthy():
        stop(quiet=True)
        _apply(superset, wanted)
        superset.start()
        assert superset.process is not None  # noqa: S101 - for the type checker
        state = {"group": superset.process.pid, "port": superset.port, "fingerprint": wanted}
        STATE.write_text(json.dumps(state))
        with console.status("superset    starting, takes half a minute"):
            superset.wait_healthy()
    _summary(superset, time.monotonic() - began)
    return 0


def stop(*, quiet: bool = False) -> int:
    """Stop a running Superset."""
    running = _running()
    if running:
        stop_group(running["group"])
        console.print("stopped superset")
    elif not quiet:
        console.print("superset does not run")
    STATE.unlink(missing_ok=True)
    return 0


def status() -> int:
    """One line; 3 when it does not run."""
    running = _running()
    console.print(f"superset running at http://127.0.0.1:{running['port']}" if running else "superset stopped")
    return 0 if running else 3


def _warehouse() -> str:
    if named := os.environ.get("XIAOE_BI_URI"):
        return named
    return demo_reader(demo_dsn(), kept_secrets(HOME)["reader_password"])


def demo_reader(dsn: str, password: str) -> str:
    """Create or update the dashboards' user by `make grants`; return its URI for Superset.

    Args:
        dsn: The warehouse, with an account that may create users.
        password: The user's new password.

    Raises:
        RuntimeError: The database has no bi_* tables, or the user cannot be created.
    """
    parts = urlsplit(dsn)
    database = parts.path.lstrip("/")
    tables = "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name LIKE 'bi\\_%%' LIMIT 1"
    if not query(dsn, tables, (database,)):
        raise RuntimeError(f"database {database} has no bi_* tables: run `make demo` first")
    command = [sys.executable, "-m", "xiaoe.cli", "grants", "--apply", "--fresh", "--only", READER]
    secret = {"AIRFLOW_CONN_XIAOE_MYSQL_ADMIN": dsn, "XIAOE_BI_READER_PASSWORD": password}
    done = subprocess.run(  # noqa: S603 - our own command
        command, env={**os.environ, **secret}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the user {READER} could not be created: {done.stderr.strip()}")
    server = f"{parts.hostname}:{parts.port or 3306}"
    return f"mysql+pymysql://{READER}:{quote(password, safe='')}@{server}/{database}?charset=utf8mb4"


def _apply(superset: Superset, wanted: str) -> None:
    """Migrate, import and set the roles, unless that was done with the same files."""
    applied = HOME / "applied"
    if applied.exists() and applied.read_text() == wanted:
        return
    with console.status("superset    bringing its tables, roles and dashboards up to date, takes a minute"):
        console.print(f"superset    {superset.apply()}")
    applied.write_text(wanted)


def _fingerprint(warehouse: str) -> str:
    """A fingerprint of all files and the warehouse, to skip a set-up that would change nothing."""
    digest = hashlib.sha256(warehouse.encode())
    for path in sorted(CODE.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(CODE).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _running() -> dict[str, Any] | None:
    state = json.loads(STATE.read_text()) if STATE.exists() else None
    return state if state and group_lives(state["group"]) else None


def _port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return free_port()
    return PORT


def _summary(superset: Superset, seconds: float) -> None:
    console.print(
        f"\nDashboards  {superset.url}\n"
        f"运营        {VIEWER}   password {superset.secrets['viewer_password']}   (sees the dashboards)\n"
        f"管理        {ADMIN}     password {superset.secrets['admin_password']}   (may do everything)\n"
        f"Stop        make bi-stop\nin {seconds:.0f} s",
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main())

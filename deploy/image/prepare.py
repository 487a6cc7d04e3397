"""Prepares the stack before its services start; idempotent.

Airflow's own tables, the pool, the warehouse's users and tables. Accounts of people are made by hand:
`xiaoe.cli person`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[2] / "include"
_AIRFLOW = str(Path(sys.executable).with_name("airflow"))  # without docker, it is not on the PATH
AIRFLOW = ((_AIRFLOW, "db", "migrate"), (_AIRFLOW, "pools", "import", str(INCLUDE / "pools.json")))
GRANTS = (sys.executable, "-m", "xiaoe.cli", "grants", "--apply", "--journal")
MIGRATE = (sys.executable, "-m", "xiaoe.cli", "migrate")


def main() -> int:
    """Return the exit code of the first step that failed, else 0."""
    for file in forget_passwords(Path(os.environ["AIRFLOW_HOME"])):
        print(f"removed {file}: accounts are in Airflow's database now; make yours as docs/deployment.md says")
    for step in steps(os.environ):
        print("+", *step, flush=True)
        done = subprocess.run(step, check=False)  # noqa: S603 - our own commands
        if done.returncode:
            print(f"{' '.join(step)} failed (exit {done.returncode}), see above; nothing else was started")
            return done.returncode
    return 0


def steps(environment: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The commands.

    Users are created if the administrator's connection is known and the warehouse is the stack's own. Rights on
    single tables can only be given once the tables are there, hence twice.

    Args:
        environment: With the connections.
    """
    makes_users = "AIRFLOW_CONN_XIAOE_MYSQL_ADMIN" in environment and not environment.get("WAREHOUSE")
    return [*AIRFLOW, *((GRANTS, MIGRATE, GRANTS) if makes_users else (MIGRATE,))]


def forget_passwords(home: Path) -> list[Path]:
    """Remove the files of readable passwords that earlier releases kept; return which there were.

    Args:
        home: AIRFLOW_HOME.
    """
    files = (home / "auth" / "passwords.json", home / "passwords.json")
    found = [file for file in files if file.exists()]
    for file in found:
        file.unlink()
    return found


if __name__ == "__main__":
    sys.exit(main())

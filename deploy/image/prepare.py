"""Prepares the stack before its services start; idempotent.

Airflow's own tables, the passwords of its users, the pool, the warehouse's users and tables.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[2] / "include"
_AIRFLOW = str(Path(sys.executable).with_name("airflow"))  # without docker, it is not on the PATH
AIRFLOW = ((_AIRFLOW, "db", "migrate"), (_AIRFLOW, "pools", "import", str(INCLUDE / "pools.json")))
GRANTS = (sys.executable, "-m", "xiaoe.cli", "grants", "--apply")
MIGRATE = (sys.executable, "-m", "xiaoe.cli", "migrate")


def main() -> int:
    """Return the exit code of the first step that failed, else 0."""
    write_passwords(
        Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]), os.environ["AIRFLOW_ADMIN_PASSWORD"]
    )
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


def write_passwords(file: Path, admin: str) -> None:
    """Give the user `admin` the password of .env; the others keep theirs.

    Args:
        file: Airflow's password file: JSON, user → password. Airflow adds new users.
        admin: The password.
    """
    passwords = json.loads(file.read_text("utf-8")) if file.exists() and file.stat().st_size else {}
    with open(os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf-8") as target:
        json.dump({**passwords, "admin": admin}, target)


if __name__ == "__main__":
    sys.exit(main())

"""Airflow's own database: old runs, task instances, XComs, event logs.

Airflow hides its database from tasks: it overwrites AIRFLOW__DATABASE__SQL_ALCHEMY_CONN in their environment. So
`airflow db clean` runs in a separate process without that variable, which reads airflow.cfg, `…_CMD` or `…_SECRET`. An
address that is given by the environment only must be repeated in `XIAOE_AIRFLOW_DB`. The database must contain the
calling run before anything is cleaned.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.log import mask_secret

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.maintenance.step import Step

WRONG_DATABASE = 3
"""Exit code: the database does not contain the calling run."""
_ADDRESS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_OF_A_TASK = (_ADDRESS, "AIRFLOW__CORE__SQL_ALCHEMY_CONN", "_AIRFLOW_PROCESS_CONTEXT")
"""Variables that Airflow sets in a task's environment to hide its database."""
_PACKAGES = Path(__file__).resolve().parents[2]


def clean_airflow_database(step: Step, dag_id: str, run_id: str) -> None:
    """Run `airflow db clean`; skipped if the database cannot be found.

    Args:
        step: The step's arguments.
        dag_id: DAG of the calling run.
        run_id: The calling run, which the database must contain.

    Raises:
        XiaoeConfigError: `airflow db clean` failed; the log shows why.
    """
    before = step.now - settings.airflow_keep()
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_TASK}
    if url := settings.airflow_database():
        mask_secret(url)
        environment[_ADDRESS] = url
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_PACKAGES), environment.get("PYTHONPATH"))))
    process = subprocess.run(  # noqa: S603 - the same interpreter
        [sys.executable, "-m", "xiaoe.maintenance.airflow_db", dag_id, run_id, before.isoformat(), str(step.dry_run)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    for line in process.stdout.splitlines():
        step.log.info("%s", line)
    if process.returncode == WRONG_DATABASE:
        message = (
            "Airflow's own database is not cleaned: its address is hidden from tasks. Name it in XIAOE_AIRFLOW_DB, or"
            " in airflow.cfg instead of the environment, or run `airflow db clean` from cron (docs/operations.md)"
        )
        step.log.warning("%s", message)
        raise AirflowSkipException(message)
    if process.returncode:
        raise XiaoeConfigError(
            f"`airflow db clean` ended with {process.returncode}: see the lines above. The syncs do not depend on it"
        )


def main(dag_id: str, run_id: str, before: str, dry_run: str) -> int:
    """Entry point of the separate process: check that this is the right database, and clean it."""
    import sqlalchemy
    from airflow.configuration import conf

    engine = sqlalchemy.create_engine(conf.get("database", "sql_alchemy_conn"))
    query = sqlalchemy.text("SELECT COUNT(*) FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id")
    try:
        with engine.connect() as connection:
            known = connection.execute(query, {"dag_id": dag_id, "run_id": run_id}).scalar()
    except sqlalchemy.exc.SQLAlchemyError as error:
        print(f"{type(error).__name__}: the database cannot be read")
        known = 0
    if not known:
        return WRONG_DATABASE
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", "db", "clean", "--clean-before-timestamp", before, "--skip-archive", "--yes"]
    sys.argv.append("--error-on-cleanup-failure")
    if dry_run == "True":
        sys.argv.append("--dry-run")
    airflow()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Airflow's own database: old runs, task instances, XComs, event logs.

Airflow hides its database from tasks: it overwrites AIRFLOW__DATABASE__SQL_ALCHEMY_CONN in their environment. So
the clean-up runs in a separate process without that variable, which reads airflow.cfg, `…_CMD` or `…_SECRET`. An
address that is given by the environment only must be repeated in `XIAOE_AIRFLOW_DB`. The database must contain the
calling run before anything is cleaned.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.log import mask_secret

from xiaoe import settings
from xiaoe.connections import check_uri
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.maintenance.step import Step

WRONG_DATABASE = 3
"""Exit code: the database does not contain the calling run."""
NOT_ALL = 4
"""Exit code: some tables could not be cleaned; the others were."""
_DAGS = "dag"
_ADDRESS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_OF_A_TASK = (_ADDRESS, "AIRFLOW__CORE__SQL_ALCHEMY_CONN", "_AIRFLOW_PROCESS_CONTEXT")
"""Variables that Airflow sets in a task's environment to hide its database."""
_PACKAGES = Path(__file__).resolve().parents[2]


def clean_airflow_database(step: Step, dag_id: str, run_id: str) -> None:
    """Clean as `airflow db clean` does; skipped if the database cannot be found.

    Args:
        step: The step's arguments.
        dag_id: DAG of the calling run.
        run_id: The calling run, which the database must contain.

    Raises:
        XiaoeConfigError: Some tables could not be cleaned; the log names them. Or XIAOE_AIRFLOW_DB is no URI.
    """
    before = step.now - settings.airflow_keep()
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_TASK}
    if url := settings.airflow_database():
        mask_secret(url)
        check_uri(settings.airflow_database.name, url)
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
    failed = clean_tables(engine, datetime.fromisoformat(before), dry_run=dry_run == "True")
    for table, reason in failed.items():
        print(f"Table {table} was not cleaned: {reason}")
    return NOT_ALL if failed else 0


def clean_tables(engine: Any, before: datetime, *, dry_run: bool) -> dict[str, str]:
    """Clean every table that `airflow db clean` knows, each by itself; print the DAGs whose records have to stay.

    A removed DAG's row goes with its versions, which a task that never started still names: it has no `start_date`, so
    Airflow never removes it, and the database refuses (`ON DELETE RESTRICT`). Such a DAG is left out.

    Returns:
        Table → why it was not cleaned.
    """
    import pendulum
    from airflow.utils.db_cleanup import config_dict, run_cleanup
    from sqlalchemy.exc import SQLAlchemyError

    failed: dict[str, str] = {}
    stay: list[str] = []
    for table in sorted(config_dict, key=lambda name: (name == _DAGS, name)):  # DAGs last: what refers to them is gone
        try:
            if table == _DAGS:  # what depends on it is clean by now, and not every such table can leave out DAGs
                stay = _unremovable_dags(engine, before)
                config_dict[_DAGS] = replace(config_dict[_DAGS], dependent_tables=None)
            run_cleanup(
                clean_before_timestamp=pendulum.instance(before),
                table_names=[table],
                exclude_dag_ids=stay,
                dry_run=dry_run,
                confirm=False,
                skip_archive=True,
                error_on_cleanup_failure=True,
            )
        except (SQLAlchemyError, RuntimeError) as error:
            failed[table] = str(getattr(error, "orig", None) or error)
    return failed


def _unremovable_dags(engine: Any, before: datetime) -> list[str]:
    """Removed DAGs that tasks without a start still refer to; names each, and how it goes."""
    import sqlalchemy

    query = sqlalchemy.text(
        "SELECT DISTINCT v.dag_id, t.task_id, t.run_id FROM dag AS d INNER JOIN dag_version AS v ON d.dag_id = v.dag_id"
        " INNER JOIN task_instance AS t ON v.id = t.dag_version_id WHERE d.last_parsed_time < :before ORDER BY 1, 2, 3"
    ).bindparams(sqlalchemy.bindparam("before", before, sqlalchemy.DateTime(timezone=True)))
    with engine.connect() as connection:
        found = {dag_id: (task_id, run_id) for dag_id, task_id, run_id in connection.execute(query)}
    for dag_id, (task_id, run_id) in found.items():
        print(
            f"DAG {dag_id} was removed, but its records stay: its task {task_id} of run {run_id} is still there, for"
            f" example because it never started. `airflow dags delete {dag_id}` removes them all"
        )
    return list(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

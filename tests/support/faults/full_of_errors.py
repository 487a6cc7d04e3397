"""`python -m support.faults.full_of_errors`: DAG after DAG in one Airflow, with something wrong around each.

Reads a list of steps from stdin: `dag`, `conf`, `env` (set for this step), `faults` (of the emulator). Prints a line
with the state of each run.
"""

from __future__ import annotations

import json
import os
import sys
from unittest import mock

STATES = "states: "


def main() -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    from emulator.process import Emulator
    from xiaoe.api import retries
    from xiaoe.tasks import defaults

    retries.MAX_WAIT = 0.01
    defaults.DEFAULT_ARGS["retries"] = 0
    defaults._deadline = lambda overdue_after: None  # with one, dag.test() breaks at the end of a run that succeeds
    initdb()
    states = []
    for step in json.load(sys.stdin):
        Emulator(os.environ["EMULATOR"]).set_faults(next=step.get("faults", []))
        with mock.patch.dict(os.environ, step.get("env", {})):
            bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
            assert not bag.import_errors, bag.import_errors
            states.append(bag.dags[step["dag"]].test(run_conf=step.get("conf")).state.value)
    print(f"\n{STATES}{json.dumps(states)}", flush=True)


if __name__ == "__main__":
    main()

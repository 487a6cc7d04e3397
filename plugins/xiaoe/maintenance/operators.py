"""The operator of `xiaoe_maintenance`; one task per step.

What only a running task needs is imported in `execute`, as in `xiaoe.sync.operators`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from airflow.sdk import BaseOperator, Context

from xiaoe import clock


class XiaoeMaintenanceOperator(BaseOperator):
    """Removes what is beyond its retention; with the Param `dry_run`, only logs what it would remove.

    Returns how many files, rows or runs that were.

    Args:
        step: A name of `_steps`.
    """

    ui_color = "#f0f0f0"

    def __init__(self, *, step: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step

    def execute(self, context: Context) -> int | None:
        """Run the step."""
        from xiaoe.maintenance.step import Step

        step = Step(clock.now(), bool(context["params"].get("dry_run")), self.log)
        count = _steps(context)[self.step](step)
        if count is not None:
            self.log.info("%s: %s%s", self.step, count, ", left as they are (dry_run)" if step.dry_run else "")
        return count


def _steps(context: Context) -> dict[str, Callable[[Any], int | None]]:
    from xiaoe.maintenance import airflow_db, old_files, old_pages, old_rows

    run = context["dag_run"]
    return {
        "pages": old_pages.remove_old_pages,
        "ledger": old_rows.compact_ledger,
        "rejected_rows": partial(old_rows.remove_old_rows, old_rows.RESOLVED),
        "push_messages": partial(old_rows.remove_old_rows, old_rows.PUSHED),
        "results": partial(old_rows.remove_old_rows, old_rows.RESULTS),
        "exports": old_files.remove_old_exports,
        "logs": old_files.remove_old_logs,
        "airflow_db": partial(airflow_db.clean_airflow_database, dag_id=run.dag_id, run_id=run.run_id),
        "statistics": old_rows.refresh_statistics,
    }

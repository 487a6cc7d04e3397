"""What operators share: the task of one shop, the kind of a run, the day it reports on. Every DAG file imports it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from airflow.sdk import Context

from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.lineage import LineageOperator


class ShopOperator(LineageOperator):
    """A task of one shop.

    Args:
        xiaoe_conn_id: The shop's connection; a field of the template, and what tasks are mapped over.
    """

    template_fields: Sequence[str] = ("xiaoe_conn_id",)

    def __init__(self, *, xiaoe_conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.xiaoe_conn_id = xiaoe_conn_id


def run_kind(dag_run: Any) -> str:
    """Airflow's run type, `scheduled`, `manual`, `backfill`, …: an enum in a task, a text in a callback."""
    return str(getattr(dag_run.run_type, "value", dag_run.run_type))


def reported_day(context: Context, now: datetime) -> date:
    """The Beijing day that a run reports on: the form's `day`, e.g. `2026-11-20`, else the day before the run.

    A scheduled run counts from the end of its interval, one by hand from when it was due.

    Args:
        context: Airflow's.
        now: The current time, with an offset.

    Raises:
        XiaoeConfigError: The text is not a date, or the date lies in the future.
    """
    run, typed = context["dag_run"], context["params"].get("day")
    if not typed:
        interval_end = None if run_kind(run) == "manual" else context.get("data_interval_end")
        return (interval_end or run.run_after).astimezone(BEIJING).date() - timedelta(days=1)
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        raise XiaoeConfigError(f"day={typed!r}: give a date like 2026-11-20") from None
    if day > now.astimezone(BEIJING).date():
        raise XiaoeConfigError(f"day={typed!r} lies in the future: give today or an earlier day")
    return day

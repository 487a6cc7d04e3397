"""The operators of the quality DAG; columns and rows are judged by the SQL provider's check operators.

Those run all their checks in one statement, so that one broken check fails all, and report failures only in an
exception. Here each check is one `execute` of the provider's operator, over our session, and its result is stored;
a second query, only after a failure, counts and names the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.sql.operators.sql import SQLColumnCheckOperator, SQLTableCheckOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException

from xiaoe import clock, settings
from xiaoe.quality.catalogue import (
    COLUMN_CHECKS,
    DAY_TOTALS,
    FIGURE_CHECKS,
    QUERY_CHECKS,
    ROW_CHECKS,
    ColumnCheck,
    FigureCheck,
    QueryCheck,
    RowCheck,
)
from xiaoe.shop_operator import ShopOperator, run_kind

if TYPE_CHECKING:
    from xiaoe.merge.freshness import FreshWithin
    from xiaoe.mysql.session import Session
    from xiaoe.quality.results import Result
    from xiaoe.quality.scope import CheckScope


class _OverSession:
    """Makes the provider's operator use the session of the checks, with this project's settings."""

    _session: Session

    def get_db_hook(self) -> Any:
        """The part of a hook that the provider's check operators use."""
        return SimpleNamespace(get_records=self._session.query)


class XiaoeColumnChecksOperator(ShopOperator, _OverSession, SQLColumnCheckOperator):
    """Checks columns that are never NULL or never negative, in one shop's recent rows or in all."""

    ui_color = "#eef3e2"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(table="orders", column_mapping={}, **kwargs)

    def execute(self, context: Context) -> dict[str, int]:
        """Run the checks; return the numbers of passed checks and of warnings."""
        return _run(context, self.xiaoe_conn_id, COLUMN_CHECKS, partial(self._judge, context))

    def _judge(self, context: Context, scope: CheckScope, session: Session, check: ColumnCheck) -> Result:
        self._session, self.table = session, f"{check.table} AS {check.table[0]}"
        self.partition_clause = scope.rows(check.table)
        values: dict[str, Any] = {"equal_to": 0} if check.test == "null_check" else {"geq_to": 0}
        self.column_mapping = {check.column: {check.test: values}}
        query = self._generate_sql_query(check.column, self.column_mapping[check.column])
        self.sql = f"SELECT col_name, check_type, check_result FROM ({query}) AS check_columns"
        holds = _holds(lambda: super(XiaoeColumnChecksOperator, self).execute(context), values)
        return _row_result(session, check, holds, self.partition_clause)


class XiaoeRowChecksOperator(ShopOperator, _OverSession, SQLTableCheckOperator):
    """Checks conditions on each row, in one shop's recent rows or in all."""

    ui_color = "#eef3e2"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(table="orders", checks={}, **kwargs)

    def execute(self, context: Context) -> dict[str, int]:
        """Run the checks; return the numbers of passed checks and of warnings."""
        return _run(context, self.xiaoe_conn_id, ROW_CHECKS, partial(self._judge, context))

    def _judge(self, context: Context, scope: CheckScope, session: Session, check: RowCheck) -> Result:
        now = f"{scope.now:%Y-%m-%d %H:%M:%S}"
        self._session, self.table = session, f"{check.table} AS {check.table[0]}"
        self.partition_clause = f"{scope.rows(check.table)} AND {check.among}"
        values: dict[str, Any] = {"check_statement": check.statement.format(now=now)}
        self.checks = {check.name: values}
        self.sql = f"SELECT check_name, check_result FROM ({self._generate_sql_query()}) AS check_table"
        holds = _holds(lambda: super(XiaoeRowChecksOperator, self).execute(context), values)
        return _row_result(session, check, holds, self.partition_clause, now=now)


class XiaoeQueryChecksOperator(ShopOperator):
    """Runs the query checks and the figures: relations between tables, the ledger, freshness.

    Args:
        fresh_within: Resource and mode of each sync → maximum age of its last success.
    """

    ui_color = "#eef3e2"

    def __init__(self, *, fresh_within: FreshWithin, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fresh_within = fresh_within

    def execute(self, context: Context) -> dict[str, int]:
        """Run the checks; return the numbers of passed checks and of warnings."""
        from xiaoe.quality.scope import is_full

        full = is_full(*_due(context))
        checks = [check for check in QUERY_CHECKS if full or not check.daily]
        return _run(context, self.xiaoe_conn_id, [*checks, *FIGURE_CHECKS], self._judge)

    def _judge(self, scope: CheckScope, session: Session, check: QueryCheck | FigureCheck) -> Result:
        from xiaoe.quality.figures import figure
        from xiaoe.quality.results import find, found_nothing

        if isinstance(check, FigureCheck):
            return figure(session, check, scope=scope, fresh_within=self.fresh_within)
        wait_hours = int(settings.benefit_wait().total_seconds()) // 3600
        return found_nothing(check, check.expected, *find(session, scope.query(check.name, wait_hours=wait_hours)))


class XiaoeDayTotalsOperator(ShopOperator):
    """Compares the API's totals of some past days with the warehouse."""

    ui_color = "#eef3e2"

    def execute(self, context: Context) -> dict[str, int]:
        """Ask the API and compare; return the numbers of passed checks and of warnings."""
        from xiaoe.api.hook import XiaoeHook
        from xiaoe.quality.totals import day_totals

        number = settings.quality_sample_days()
        with closing(XiaoeHook(self.xiaoe_conn_id)) as hook:

            def judge(scope: CheckScope, session: Session, _: FigureCheck) -> Result:
                seed = f"{scope.shop_id} {_due(context)[1].isoformat()}"
                return day_totals(session, hook, scope, number=number, seed=seed)

            return _run(context, self.xiaoe_conn_id, [DAY_TOTALS], judge)


def _run(context: Context, xiaoe_conn_id: str, checks: Sequence[Any], judge: Callable[..., Result]) -> dict[str, int]:
    """Run checks for the shop of a connection, over the rows in the run's scope."""
    from xiaoe.api.shop import app_id_of
    from xiaoe.quality.results import run_checks
    from xiaoe.quality.scope import CheckScope, is_full

    shop_id = app_id_of(xiaoe_conn_id)
    scope = CheckScope(shop_id, clock.now(), full=is_full(*_due(context)))
    return run_checks(shop_id, str(context["dag_run"].run_id), checks, partial(judge, scope))


def _due(context: Context) -> tuple[str, datetime]:
    """The run's type, and when it was due."""
    dag_run = context["dag_run"]
    return run_kind(dag_run), dag_run.run_after


def _holds(check: Callable[[], object], values: dict[str, Any]) -> bool:
    """Whether a check holds according to the provider's operator, which records that before it raises.

    Args:
        check: Runs the operator.
        values: The dictionary that it records into.
    """
    try:
        check()
    except AirflowException:
        if "success" not in values:
            raise
    return bool(values["success"])


def _row_result(session: Session, check: Any, holds: bool, rows: str, **values: str) -> Result:
    """The result of a column or row check, with the wrong rows."""
    from xiaoe.quality.results import Result, find, found_nothing

    if holds:
        return Result(check, True, 0, check.expected)
    key = {"orders": "order_id", "refunds": "aftersale_id"}[check.table]
    query = f"SELECT {key} AS finding FROM {check.table} AS {check.table[0]} WHERE {rows} AND {check.wrong}"
    return found_nothing(check, check.expected, *find(session, query.format(**values)))

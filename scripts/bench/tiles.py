"""The SQL that Superset sends for each tile of the dashboards, from include/superset/assets.

As Superset 6.1 writes it: the dataset as a derived table, the date filter by the type of the column, a grain for what
is drawn by day, a second query for the total of a table or for the number of pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from bi_assets import Chart, Dashboard, Dataset
from bi_charts import GRAINED, params


class Tile(NamedTuple):
    """A query of a dashboard.

    Args:
        dashboard: Its slug.
        name: The chart's key, or `filter` and the column; with what the query is for if the chart has several.
        sql: The statement.
    """

    dashboard: str
    name: str
    sql: str


def tiles(page: Dashboard, today: date, days: int | None = None) -> Iterator[Tile]:
    """Every query of a dashboard as it opens.

    Args:
        page: The dashboard.
        today: Of Beijing.
        days: A range other than the default one: so many days up to yesterday.
    """
    first, end = today - timedelta(days=days or page.days), today
    if page.with_today and not days:
        first, end = first + timedelta(days=1), end + timedelta(days=1)
    for chart in page.charts():
        for part, sql in _queries(chart, first, end):
            yield Tile(page.slug, f"{chart.key}{part}", sql)
    for column, dataset in page.filters.items():
        sql = f"SELECT {column} AS `{column}` FROM {_source(dataset)} GROUP BY {column} LIMIT 1000"
        yield Tile(page.slug, f"filter {column}", sql)


def _queries(chart: Chart, first: date, end: date) -> Iterator[tuple[str, str]]:
    where = _where(chart, first, end)
    source = f"FROM {_source(chart.dataset)}{where}"
    metrics = [f"{chart.dataset.metrics[name].sql} AS `{name}`" for name in chart.metrics]
    if chart.kind == "rows":
        order = ", ".join(f"`{column}` {'ASC' if ascending else 'DESC'}" for column, ascending in chart.sort)
        rows = f"SELECT {', '.join(f'{name} AS `{name}`' for name in chart.columns)} {source}"
        rows += f" ORDER BY {order}" if order else ""
        length = chart.params.get("server_page_length", chart.limit)
        yield "", f"{rows} LIMIT {length}"
        if "server_pagination" in chart.params:
            yield " (count)", f"SELECT COUNT(*) AS `rowcount` FROM ({rows} LIMIT {chart.limit}) AS rowcount_qry"
        return
    group = _group(chart)
    if not group:
        yield "", f"SELECT {', '.join(metrics)} {source} LIMIT {chart.limit}"
        return
    named = [f"{sql} AS `{name}`" for name, sql in group.items()]
    order = f"`{chart.metrics[0]}` DESC"
    if chart.kind in ("table", "links", "board") and chart.sort:
        [(column, ascending)] = chart.sort
        order = f"M{'IN' if chart.kind == 'board' else 'AX'}({column}) {'ASC' if ascending else 'DESC'}"
    yield (
        "",
        f"SELECT {', '.join([*named, *metrics])} {source} GROUP BY {', '.join(group.values())}"
        f" ORDER BY {order} LIMIT {chart.limit}",
    )
    if params(chart).get("show_totals"):
        yield " (total)", f"SELECT {', '.join(metrics)} {source}"


def _group(chart: Chart) -> dict[str, str]:
    """Name → expression of what the numbers are by."""
    names = [*([chart.x] if chart.x else []), *chart.by, *chart.columns]
    group = {name: name for name in names}
    if chart.kind in GRAINED and chart.dataset.time:
        time = chart.dataset.time
        grain = chart.params.get("time_grain_sqla", "P1D")
        by = f"DATE({time})" if grain == "P1D" else f"DATE(DATE_SUB({time}, INTERVAL DAYOFMONTH({time}) - 1 DAY))"
        group = {time: by} | group
    return group


def _where(chart: Chart, first: date, end: date) -> str:
    conditions = []
    if chart.dataset.time and not chart.any_time:
        column = chart.dataset.columns[chart.dataset.time]
        for sign, day in ((">=", first), ("<", end)):
            moment = f"STR_TO_DATE('{day}', '%Y-%m-%d')"
            if column.type == "DATETIME":
                text = datetime(day.year, day.month, day.day).isoformat(" ", "microseconds")
                moment = f"STR_TO_DATE('{text}', '%Y-%m-%d %H:%i:%s.%f')"
            conditions.append(f"{chart.dataset.time} {sign} {moment}")
    if chart.where:
        conditions.append(f"({chart.where})")
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _source(dataset: Dataset) -> str:
    return f"({dataset.sql}) AS virtual_table" if dataset.sql else dataset.table

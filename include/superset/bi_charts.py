"""Superset's parameters of a chart, by its kind.

| kind | shows | fields |
|---|---|---|
| `number` | one big number | metrics (one), subtitle |
| `moment` | one time | metrics (one), subtitle |
| `line`, `area`, `columns` | numbers by day or grain | metrics, by (series), x (else the dataset's time) |
| `ranking` | bars, largest first | metrics (sorted by the first), x, limit |
| `steps` | numbers by a column, in its order | metrics, x, by |
| `curve` | a line over a number | metrics (one), x, by (one line each) |
| `table` | numbers by columns, with a total | metrics, by, sort (one column; else by the first metric), limit |
| `rows` | plain rows | columns, sort, limit |
| `links` | a `table` whose first metric is a link: on datasets without text from outside only | as `table` |
| `board` | lines of texts, in the order of a column | metrics, headings, by, sort |
| `matrix` | a number by two columns | metrics, by (down), columns (across) |
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from bi_assets import Chart, Metric

COLORS = "supersetColors"
DAY = "%Y-%m-%d"
MOMENTS = {"DATE": DAY, "DATETIME": "%Y-%m-%d %H:%M"}
GRAINED = ("line", "area", "columns")
"""Kinds whose numbers are by day, week or month."""


def params(chart: Chart) -> dict[str, Any]:
    """All of a chart's parameters."""
    made = {
        "adhoc_filters": _filters(chart),
        "row_limit": chart.limit,
        "color_scheme": COLORS,
        **KINDS[chart.kind](chart),
        **chart.params,
    }
    return made


def _filters(chart: Chart) -> list[dict[str, Any]]:
    filters: list[dict[str, Any]] = []
    if chart.dataset.time and not chart.any_time:
        filters.append(
            {
                "clause": "WHERE",
                "expressionType": "SIMPLE",
                "operator": "TEMPORAL_RANGE",
                "subject": chart.dataset.time,
                "comparator": "No filter",
            }
        )
    if chart.where:
        filters.append({"clause": "WHERE", "expressionType": "SQL", "sqlExpression": chart.where})
    return filters


def _metrics(chart: Chart) -> list[Metric]:
    return [chart.dataset.metrics[name] for name in chart.metrics]


def _number(chart: Chart) -> dict[str, Any]:
    [metric] = _metrics(chart)
    return {
        "viz_type": "big_number_total",
        "metric": chart.metrics[0],
        "y_axis_format": metric.format,
        "header_font_size": 0.4,
        "subtitle": chart.subtitle,
        "subtitle_font_size": 0.125,
    }


def _moment(chart: Chart) -> dict[str, Any]:
    return {
        "viz_type": "big_number_total",
        "metric": chart.metrics[0],
        "time_format": "%m-%d %H:%M",
        "force_timestamp_formatting": True,
        "header_font_size": 0.5,
        "subtitle": chart.subtitle,
        "subtitle_font_size": 0.125,
    }


def _series(chart: Chart) -> dict[str, Any]:
    """Parameters common to all charts with axes."""
    metrics = _metrics(chart)
    one = len(metrics) == 1
    return {
        "metrics": chart.metrics,
        "groupby": chart.by,
        "x_axis": chart.x or chart.dataset.time,
        "y_axis_format": metrics[0].format.replace("f", "~f").replace("%", "~%"),  # ~: no trailing zeros
        "y_axis_title": metrics[0].label if one else "",
        "y_axis_title_margin": 60 if one else 0,
        "y_axis_title_position": "Left",
        "rich_tooltip": True,
        "show_legend": not one or bool(chart.by),
        "legendType": "scroll",
        "legendOrientation": "top",
        "truncate_metric": True,
        "annotation_layers": [],
        "order_desc": True,
    }


def _by_day(chart: Chart) -> dict[str, Any]:
    return {
        **_series(chart),
        "time_grain_sqla": "P1D",
        "x_axis_time_format": "%m-%d",
        "tooltipTimeFormat": DAY,
        "markerEnabled": False,
        "seriesType": "line",
    }


def _line(chart: Chart) -> dict[str, Any]:
    return {**_by_day(chart), "viz_type": "echarts_timeseries_line"}


def _area(chart: Chart) -> dict[str, Any]:
    return {**_by_day(chart), "viz_type": "echarts_area", "stack": "Stack", "opacity": 0.4}


def _columns(chart: Chart) -> dict[str, Any]:
    return {**_by_day(chart), "viz_type": "echarts_timeseries_bar", "orientation": "vertical", "stack": "Stack"}


def _steps(chart: Chart) -> dict[str, Any]:
    return {
        **_series(chart),
        "viz_type": "echarts_timeseries_bar",
        "orientation": "vertical",
        "x_axis_sort": chart.x,
        "x_axis_sort_asc": True,
        "x_axis_title": chart.dataset.columns[str(chart.x)].label,
        "x_axis_title_margin": 30,
        "xAxisForceCategorical": True,
    }


def _curve(chart: Chart) -> dict[str, Any]:
    return {
        **_series(chart),
        "viz_type": "echarts_timeseries_line",
        "x_axis_title": chart.dataset.columns[str(chart.x)].label,
        "x_axis_title_margin": 30,
        "seriesType": "line",
        "markerEnabled": False,
        "sort_series_type": "name",
        "sort_series_ascending": True,
    }


def _ranking(chart: Chart) -> dict[str, Any]:
    """A table with bars in its cells: a click on a horizontal bar of Superset 6.1 filters by its length."""
    return {
        **_table(replace(chart, by=[str(chart.x)])),
        "show_totals": False,
        "page_length": 0,
        "show_cell_bars": True,
        "color_pn": False,
    }


def _table(chart: Chart) -> dict[str, Any]:
    order: Any = chart.metrics[0]
    ascending = False
    if chart.sort:
        [(column, ascending)] = chart.sort
        label = chart.dataset.columns[column].label
        order = {
            "expressionType": "SQL",
            "sqlExpression": f"MAX({column})",
            "label": label,
            "optionName": f"by_{column}",
        }
    return {
        "viz_type": "table",
        "query_mode": "aggregate",
        "groupby": chart.by,
        "metrics": chart.metrics,
        "all_columns": [],
        "percent_metrics": [],
        "order_by_cols": [],
        "timeseries_limit_metric": order,
        "order_desc": not ascending,
        "page_length": 20,
        "table_timestamp_format": DAY,
        "temporal_columns_lookup": {chart.dataset.time: True} if chart.dataset.time else {},
        "show_totals": True,
        "show_cell_bars": False,
        "allow_render_html": False,
        "column_config": {name: {"d3NumberFormat": chart.dataset.metrics[name].format} for name in chart.metrics},
    }


def _links(chart: Chart) -> dict[str, Any]:
    return {**_table(chart), "allow_render_html": True, "show_totals": False}


def _board(chart: Chart) -> dict[str, Any]:
    [(column, _)] = chart.sort
    metrics = [
        {"expressionType": "SQL", "sqlExpression": metric.sql, "label": heading, "optionName": f"metric_{name}"}
        for name, metric, heading in zip(chart.metrics, _metrics(chart), chart.headings, strict=True)
    ]
    return {
        **_table(chart),
        "metrics": metrics,
        "show_totals": False,
        "page_length": 0,
        "timeseries_limit_metric": {
            "expressionType": "SQL",
            "sqlExpression": f"MIN({column})",
            "label": "order",
            "optionName": "order",
        },
        "column_config": {heading: {"horizontalAlign": "right"} for heading in chart.headings},
    }


def _rows(chart: Chart) -> dict[str, Any]:
    formats = {}
    for name in chart.columns:
        column = chart.dataset.columns[name]
        if column.format:
            formats[name] = {"d3NumberFormat": column.format}
        elif column.type in MOMENTS:
            formats[name] = {"d3TimeFormat": MOMENTS[column.type]}
    return {
        "viz_type": "table",
        "query_mode": "raw",
        "all_columns": chart.columns,
        "groupby": [],
        "metrics": [],
        "percent_metrics": [],
        "order_by_cols": [json.dumps([column, ascending]) for column, ascending in chart.sort],
        "page_length": 20,
        "table_timestamp_format": DAY,
        "show_cell_bars": False,
        "allow_render_html": False,
        "column_config": formats,
    }


def _matrix(chart: Chart) -> dict[str, Any]:
    [metric] = _metrics(chart)

    def named(columns: list[str]) -> list[dict[str, str]]:  # the pivot table shows bare names of plain columns
        labels = {name: chart.dataset.columns[name].label for name in columns}
        return [{"expressionType": "SQL", "sqlExpression": name, "label": label} for name, label in labels.items()]

    return {
        "viz_type": "pivot_table_v2",
        "metrics": chart.metrics,
        "groupbyRows": named(chart.by),
        "groupbyColumns": named(chart.columns),
        "metricsLayout": "COLUMNS",
        "aggregateFunction": "Sum",
        "rowOrder": "key_a_to_z",
        "colOrder": "key_a_to_z",
        "valueFormat": metric.format,
        "date_format": "%Y-%m",
        "rowTotals": False,
        "colTotals": False,
        "temporal_columns_lookup": {},
    }


KINDS = {
    "number": _number,
    "moment": _moment,
    "line": _line,
    "area": _area,
    "columns": _columns,
    "steps": _steps,
    "ranking": _ranking,
    "curve": _curve,
    "table": _table,
    "rows": _rows,
    "links": _links,
    "board": _board,
    "matrix": _matrix,
}

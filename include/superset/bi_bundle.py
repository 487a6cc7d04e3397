"""Superset's import files, generated from the short ones in assets/.

    python bi_bundle.py FOLDER    writes them, for inspection or a manual import

The format is that of Superset 6.1's export; the importer is internal to Superset, so the release is pinned. It
identifies objects by uuid and keeps fields that a file does not name, so every field is written, null ones included.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bi_links
import yaml
from bi_assets import ASSETS, GRID_COLUMNS, Assets, Chart, Column, Dashboard, Dataset, chart_uuid, uuid
from bi_charts import COLORS, GRAINED, params

MASK = "XXXXXXXXXX"
"""Placeholder of the database's password; the importer gets the real one separately."""
DATABASE_FILE = "databases/warehouse.yaml"
DATABASE = "小鹅通数仓"
VERSION = "1.0.0"
TOP_HEIGHT = 14
"""Of the links and the time of the data, in units of 8 pixels."""
SESSION = f"SET time_zone = '+08:00', sql_select_limit = {2**64 - 1}, div_precision_increment = 4"
"""Charts show Beijing's time, and every row and digit whatever the server's owner limits."""
_MANAGED = {"is_managed_externally": True, "external_url": None, "version": VERSION}
"""Managed objects cannot be edited in the browser, since the next import would undo that."""


def bundle(assets: Assets, uri: str) -> dict[str, dict[str, Any]]:
    """All files of the bundle: path → content.

    Args:
        assets: Datasets and dashboards.
        uri: SQLAlchemy URI of the tables' database, with the password masked.
    """
    schema = uri.partition("://")[2].partition("/")[2].partition("?")[0]
    files: dict[str, dict[str, Any]] = {
        "metadata.yaml": {"version": VERSION, "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
        DATABASE_FILE: _database(uri),
    }
    for dataset in assets.datasets.values():
        files[f"datasets/warehouse/{dataset.name}.yaml"] = _dataset(dataset, schema)
    for page in assets.dashboards.values():
        files |= {f"charts/{page.slug}-{chart.key}.yaml": _chart(page, chart) for chart in page.charts()}
        files[f"dashboards/{page.slug}.yaml"] = _dashboard(page, bi_links.navigation(page, assets))
    return files


def text(content: dict[str, Any]) -> str:
    """A file of the bundle as YAML."""
    return str(
        yaml.dump(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), allow_unicode=True, sort_keys=False)
    )


def _database(uri: str) -> dict[str, Any]:
    forbidden = dict.fromkeys(("allow_run_async", "allow_ctas", "allow_cvas", "allow_dml", "allow_csv_upload"), False)
    arguments = {"connect_timeout": 10, "read_timeout": 60, "init_command": SESSION}
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": uri,
        "cache_timeout": None,
        "expose_in_sqllab": True,
        **forbidden,
        "extra": {
            "allows_virtual_table_explore": True,
            "metadata_params": {},
            "engine_params": {"pool_recycle": 1800, "connect_args": arguments},
        },
        "uuid": uuid("database"),
        **_MANAGED,
    }


def _dataset(dataset: Dataset, schema: str) -> dict[str, Any]:
    nothing = ("default_endpoint", "cache_timeout", "catalog", "params", "template_params", "extra")
    return {
        "table_name": f"bi_{dataset.name}",
        "main_dttm_col": dataset.time,
        "description": dataset.label,
        "offset": 0,
        "schema": schema,
        **dict.fromkeys(nothing),
        "sql": dataset.sql,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "uuid": uuid("dataset", dataset.name),
        "metrics": [
            {
                "metric_name": name,
                "verbose_name": metric.label,
                "metric_type": None,
                "expression": metric.sql,
                "description": None,
                "d3format": metric.format,
                "extra": {},
                "warning_text": None,
                "currency": None,
            }
            for name, metric in dataset.metrics.items()
        ],
        "columns": [_column(name, column) for name, column in dataset.columns.items()],
        "database_uuid": uuid("database"),
        **_MANAGED,
    }


def _column(name: str, column: Column) -> dict[str, Any]:
    return {
        "column_name": name,
        "verbose_name": column.label,
        "is_dttm": column.type in {"DATE", "DATETIME"},
        "is_active": True,
        "type": column.type,
        "groupby": True,
        "filterable": True,
        "expression": None,
        "description": None,
        "python_date_format": None,
        "advanced_data_type": None,
        "extra": {},
    }


def _chart(page: Dashboard, chart: Chart) -> dict[str, Any]:
    made = params(chart)
    return {
        "slice_name": chart.title,
        "description": None,
        "certified_by": None,
        "certification_details": None,
        "viz_type": made["viz_type"],
        "params": made,
        "query_context": None,
        "cache_timeout": None,
        "uuid": chart_uuid(page, chart),
        "dataset_uuid": uuid("dataset", chart.dataset.name),
        **_MANAGED,
    }


def _dashboard(page: Dashboard, navigation: str) -> dict[str, Any]:
    return {
        "dashboard_title": page.title,
        "description": page.description,
        "css": "",
        "slug": page.slug,
        "uuid": uuid("dashboard", page.slug),
        "certified_by": "",
        "certification_details": "",
        "published": True,
        "position": _position(page, navigation),
        "metadata": {
            "color_scheme": COLORS,
            "label_colors": {},
            "shared_label_colors": [],
            "map_label_colors": {},
            "color_scheme_domain": [],
            "timed_refresh_immune_slices": [],
            "expanded_slices": {},
            "refresh_frequency": 0,
            "cross_filters_enabled": True,
            "native_filter_configuration": _filters(page),
            "chart_configuration": {},
            "global_chart_configuration": {"scope": {"rootPath": ["ROOT_ID"], "excluded": []}, "chartsInScope": []},
            "filter_bar_orientation": "HORIZONTAL",
        },
        **_MANAGED,
    }


def _position(page: Dashboard, navigation: str) -> dict[str, Any]:
    rows = [f"ROW-{number}" for number, _ in enumerate(page.rows)]
    nodes: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": page.title}},
        "GRID_ID": {
            "type": "GRID",
            "id": "GRID_ID",
            "parents": ["ROOT_ID"],
            "children": ["ROW-top", *rows, "ROW-note"],
        },
        "ROW-top": _row("ROW-top", ["MARKDOWN-top", f"CHART-{page.until.key}"]),
        "MARKDOWN-top": _markdown("top", navigation, GRID_COLUMNS - page.until.width, TOP_HEIGHT),
        "ROW-note": _row("ROW-note", ["MARKDOWN-note"]),
        "MARKDOWN-note": _markdown("note", page.note, GRID_COLUMNS, 6 + 4 * page.note.count("\n")),
    }
    numbers = {chart.key: number for number, chart in enumerate(page.charts(), 1)}
    nodes[f"CHART-{page.until.key}"] = _leaf(page, page.until, "ROW-top", TOP_HEIGHT, numbers)
    for name, row in zip(rows, page.rows, strict=True):
        texts = [f"MARKDOWN-{name}"] if row.text else []
        nodes[name] = _row(name, [*texts, *(f"CHART-{chart.key}" for chart in row.charts)])
        if row.text:
            nodes[f"MARKDOWN-{name}"] = _markdown(name, bi_links.text(row.text), GRID_COLUMNS, row.height)
        for chart in row.charts:
            nodes[f"CHART-{chart.key}"] = _leaf(page, chart, name, row.height, numbers)
    return nodes


def _row(name: str, children: list[str]) -> dict[str, Any]:
    meta = {"background": "BACKGROUND_TRANSPARENT"}
    return {"type": "ROW", "id": name, "meta": meta, "parents": ["ROOT_ID", "GRID_ID"], "children": children}


def _leaf(page: Dashboard, chart: Chart, row: str, height: int, numbers: dict[str, int]) -> dict[str, Any]:
    meta = {
        "chartId": numbers[chart.key],  # replaced by the importer, but must be unique in the file
        "uuid": chart_uuid(page, chart),
        "sliceName": chart.title,
        "width": chart.width,
        "height": height,
    }
    return _node("CHART", f"CHART-{chart.key}", row, meta)


def _markdown(name: str, code: str, width: int, height: int) -> dict[str, Any]:
    row = name if name.startswith("ROW-") else f"ROW-{name}"
    return _node("MARKDOWN", f"MARKDOWN-{name}", row, {"code": code, "width": width, "height": height})


def _node(kind: str, name: str, row: str, meta: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "id": name, "meta": meta, "parents": ["ROOT_ID", "GRID_ID", row], "children": []}


def _filters(page: Dashboard) -> list[dict[str, Any]]:
    span = bi_links.default_range(page)
    mask = {"extraFormData": {"time_range": span}, "filterState": {"value": span}, "ownState": {}}
    filters = [_filter(bi_links.TIME, "日期", "filter_time", {}, mask, [])]
    nothing: dict[str, Any] = {"extraFormData": {}, "filterState": {}}
    if timed := [chart for chart in page.charts() if chart.kind in GRAINED]:
        target = {"datasetUuid": uuid("dataset", timed[0].dataset.name)}
        fixed = [number for number, chart in enumerate(page.charts(), 1) if chart.any_time]
        filters.append(_filter("NATIVE_FILTER-grain", "粒度", "filter_timegrain", target, nothing, fixed))
    for column, dataset in page.filters.items():
        target = {"column": {"name": column}, "datasetUuid": uuid("dataset", dataset.name)}
        label = dataset.columns[column].label
        filters.append(_filter(f"NATIVE_FILTER-{column}", label, "filter_select", target, nothing, []))
    return filters


def _filter(
    key: str, label: str, kind: str, target: dict[str, Any], mask: dict[str, Any], excluded: list[int]
) -> dict[str, Any]:
    choice = {
        "multiSelect": True,
        "enableEmptyFilter": False,
        "inverseSelection": False,
        "searchAllOptions": False,
        "defaultToFirstItem": False,
    }
    return {
        "id": key,
        "name": label,
        "filterType": kind,
        "type": "NATIVE_FILTER",
        "targets": [target],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": excluded},
        "cascadeParentIds": [],
        "controlValues": choice if kind == "filter_select" else {},
        "defaultDataMask": {"ownState": {}, **mask},
        "description": "",
    }


def main() -> None:
    """Write the files into the folder given on the command line."""
    folder = Path(sys.argv[1])
    for path, content in bundle(Assets.read(ASSETS), f"mysql+pymysql://bi_reader:{MASK}@127.0.0.1/xiaoe").items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text(content), "utf-8")


if __name__ == "__main__":
    main()

"""The dashboards as defined in assets/: datasets, charts, pages.

A dataset names a bi_* table, the Chinese labels of its columns, and its metrics; a dashboard lists its charts row by
row. Everything else that Superset needs is the same for all charts of a kind: bi_bundle.py and bi_charts.py add it.
Only PyYAML is needed, so that tests read the same files without Superset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import yaml

ASSETS = Path(__file__).parent / "assets"
GRID_COLUMNS = 12
KINDS = (
    "number", "moment", "line", "area", "columns", "steps", "ranking", "curve", "table", "rows", "links", "board",
    "matrix",
)  # fmt: skip
"""Kinds of charts; bi_charts.py describes them."""
WITH_NAMES = (
    "SELECT t.*, COALESCE(s.shop_name, t.shop_id) AS shop_name FROM {} AS t"
    " LEFT JOIN bi_shops AS s ON t.shop_id = s.shop_id"
)
UNTIL = {"key": "until", "title": "数据截至", "kind": "moment", "dataset": "sync_status", "metrics": ["data_until"]}
"""Last refresh of the marts, Beijing time; of several shops the earliest."""


class AssetError(ValueError):
    """The files are wrong or do not match the warehouse; the message names the file, the error and the fix."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a dataset: Chinese label, type if filters need it, d3 format if it is a number."""

    label: str
    type: str | None = None
    format: str | None = None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number shown by charts.

    d3 has one currency with one suffix: a format with `$` shows ten thousands of yuan (superset_config.D3_FORMAT), so
    the metric divides; exact amounts name 元 in their heading.
    """

    label: str
    sql: str
    format: str = ",d"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A bi_* table for charts; `time` is the column of the date filter.

    A table with `shop_id` has a column more here, `shop_name`: what staff call the shop.
    """

    name: str
    table: str
    label: str
    columns: dict[str, Column]
    metrics: dict[str, Metric] = field(default_factory=dict)
    time: str | None = None
    sql: str | None = None
    """The SELECT that adds `shop_name`; None where the table has the name itself."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart of a dashboard; its kind decides which fields are used (bi_charts.py)."""

    key: str
    title: str
    kind: str
    dataset: Dataset
    width: int
    metrics: list[str] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    x: str | None = None
    where: str | None = None
    subtitle: str = ""
    sort: list[tuple[str, bool]] = field(default_factory=list)
    """Columns, each with whether the order is ascending."""
    limit: int = 1000
    headings: list[str] = field(default_factory=list)
    """Headings of the metrics in this chart, where they differ from the labels."""
    any_time: bool = False
    """Whether the chart ignores the filters of date and grain."""
    params: dict[str, Any] = field(default_factory=dict)
    """Further parameters, passed to Superset unchanged."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Charts side by side, or a text; the height is in units of 8 pixels, 20 for a row of numbers.

    A link of the text to `SLUG?RANGE` opens that dashboard with one of bi_links.RANGES.
    """

    height: int
    charts: list[Chart] = field(default_factory=list)
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A page: filters, links to the others and the data's time, rows of charts, a note on the figures."""

    slug: str
    title: str
    description: str
    rows: list[Row]
    until: Chart
    """When the data are from; stands on top of every page."""
    place: int = 99
    """Place among the dashboards, in lists and links; equal ones by slug."""
    days: int = 90
    """Default range of the date filter: this many days up to yesterday."""
    with_today: bool = False
    """Whether the range ends with today instead."""
    filters: dict[str, Dataset] = field(default_factory=dict)
    """Column → the dataset that provides its values."""
    note: str = ""

    def charts(self) -> list[Chart]:
        """All charts, in reading order."""
        return [self.until, *(chart for row in self.rows for chart in row.charts)]


@dataclass(frozen=True)
class Assets:
    """All datasets and dashboards."""

    datasets: dict[str, Dataset]
    dashboards: dict[str, Dashboard]

    @classmethod
    def read(cls, folder: Path) -> Assets:
        """Read the files below a folder.

        Raises:
            AssetError: A file has an unknown or missing field, or an unknown reference.
        """
        datasets = {path.stem: _dataset(path, _load(path)) for path in sorted((folder / "datasets").glob("*.yaml"))}
        pages = [_dashboard(path, datasets) for path in sorted((folder / "dashboards").glob("*.yaml"))]
        return cls(datasets, {page.slug: page for page in sorted(pages, key=lambda page: page.place)})

    def probes(self) -> Iterator[tuple[str, str]]:
        """For each dataset, statements that fail if a column or a metric is not available; they read no rows."""
        for name, dataset in self.datasets.items():
            source = f"({dataset.sql}) AS source" if dataset.sql else dataset.table
            yield name, f"SELECT {', '.join(dataset.columns)} FROM {source} LIMIT 0"  # noqa: S608 - our files
            if dataset.metrics:
                metrics = ", ".join(f"{metric.sql} AS `{key}`" for key, metric in dataset.metrics.items())
                yield name, f"SELECT {metrics} FROM {source} WHERE 1 = 0"  # noqa: S608 - our files


def uuid(*key: str) -> str:
    """A stable UUID for a key: Superset identifies objects by it."""
    return str(uuid5(NAMESPACE_URL, "/".join(("xiaoe-airflow", *key))))


def chart_uuid(dashboard: Dashboard, chart: Chart) -> str:
    """The identity of a chart; a renamed key makes it another chart."""
    return uuid("chart", dashboard.slug, chart.key)


def _dataset(path: Path, raw: dict[str, Any]) -> Dataset:
    if like := raw.pop("like", None):  # extends another dataset: adds or replaces columns and metrics
        other = path.with_name(f"{like}.yaml")
        _dataset(other, _load(other))  # so that an error in it names its own file
        base = _load(other)
        raw = {**base, **raw} | {part: {**base.get(part, {}), **raw.get(part, {})} for part in ("columns", "metrics")}
    columns = {
        name: _make(Column, path, {"label": value} if isinstance(value, str) else value)
        for name, value in raw.pop("columns", {}).items()
    }
    metrics = {name: _make(Metric, path, value) for name, value in raw.pop("metrics", {}).items()}
    if "shop_id" in columns and "shop_name" not in columns:
        columns["shop_name"] = Column(label="店铺")
        raw["sql"] = WITH_NAMES.format(raw.get("table"))
    made: Dataset = _make(Dataset, path, {**raw, "name": path.stem, "columns": columns, "metrics": metrics})
    _known(path, "time", [made.time] if made.time else [], columns)
    return made


def _dashboard(path: Path, datasets: dict[str, Dataset]) -> Dashboard:
    raw = _load(path)
    rows = [
        _make(Row, path, {**row, "charts": [_chart(path, chart, datasets) for chart in row.get("charts", [])]})
        for row in raw.pop("rows", [])
    ]
    filters = {}
    for column, name in raw.pop("filters", {}).items():
        _known(path, "filters", [name], datasets)
        _known(path, f"filters: {name}", [column], datasets[name].columns)
        filters[column] = datasets[name]
    until = _chart(path, {**UNTIL, "width": 2}, datasets)
    made: Dashboard = _make(
        Dashboard, path, {**raw, "slug": path.stem, "rows": rows, "filters": filters, "until": until}
    )
    keys = [chart.key for chart in made.charts()]
    if repeated := {key for key in keys if keys.count(key) > 1}:
        raise AssetError(f"{path.name}: two charts have the key {', '.join(sorted(repeated))}")
    for row in rows:
        if (width := sum(chart.width for chart in row.charts)) > GRID_COLUMNS:
            raise AssetError(
                f"{path.name}: the row of {row.charts[0].key} is {width} wide, the maximum is {GRID_COLUMNS}"
            )
    return made


def _chart(path: Path, raw: dict[str, Any], datasets: dict[str, Dataset]) -> Chart:
    where = f"chart {raw.get('key')}"
    _known(path, f"{where}: kind", [raw.get("kind")], KINDS)
    _known(path, f"{where}: dataset", [raw.get("dataset")], datasets)
    chart: Chart = _make(Chart, path, {**raw, "dataset": datasets[raw["dataset"]]})
    _known(path, f"{where}: metrics", chart.metrics, chart.dataset.metrics)
    named = [*chart.by, *chart.columns, *([chart.x] if chart.x else []), *(column for column, _ in chart.sort)]
    _known(path, f"{where}: columns", named, chart.dataset.columns)
    if chart.headings and len(chart.headings) != len(chart.metrics):
        raise AssetError(f"{path.name}: {where}: {len(chart.headings)} headings for {len(chart.metrics)} metrics")
    return chart


def _load(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise AssetError(f"{path.name} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise AssetError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise AssetError(f"{path.name} has no fields")
    return raw


def _make(kind: type[Any], path: Path, raw: dict[str, Any]) -> Any:
    try:
        return kind(**raw)
    except TypeError as error:  # the message names the field
        name = raw.get("key") or raw.get("label") or ""
        raise AssetError(f"{path.name}: {kind.__name__.lower()} {name}: {str(error).partition('() ')[2]}") from error


def _known(path: Path, where: str, names: list[Any], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise AssetError(f"{path.name}: {where}: there is no {name}, only {', '.join(known)}")

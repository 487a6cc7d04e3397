"""SVG charts, drawn on the server by pygal.

The page allows no script and no inline style: an XML filter removes pygal's, and its class names are coloured by our
style sheet, for light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pygal
from markupsafe import Markup
from pygal.etree import etree

Series = Mapping[str, Sequence[float | None]]


def bars(labels: Sequence[str], series: Series, *, title: str, no_data: str) -> Markup:
    """A stacked bar chart.

    Args:
        labels: Labels of the x axis.
        series: Name → one value per label.
        title: For screen readers.
        no_data: Text shown if there is nothing to draw.
    """
    return _draw(pygal.StackedBar, labels, series, title, no_data)


def lines(labels: Sequence[str], series: Series, *, title: str, no_data: str) -> Markup:
    """A line chart; a missing value leaves a gap."""
    return _draw(pygal.Line, labels, series, title, no_data, dots_size=2)


def _draw(kind: Any, labels: Sequence[str], series: Series, title: str, no_data: str, **options: Any) -> Markup:
    chart = kind(
        width=640,
        height=280,
        margin=8,
        js=[],
        css=[],
        no_prefix=True,
        pretty_print=False,
        disable_xml_declaration=True,
        explicit_size=False,
        legend_at_bottom=True,
        show_x_guides=False,
        truncate_legend=-1,
        truncate_label=-1,
        max_scale=6,
        value_formatter=lambda value: f"{value:,.10g}",
        x_labels_major_count=6,
        show_minor_x_labels=False,
        no_data_text=no_data,
        **options,
    )
    chart.x_labels = labels
    for name, values in series.items():
        chart.add(name, list(values))
    chart.add_xml_filter(lambda root: _plain(root, title))
    return Markup(chart.render(is_unicode=True))  # noqa: S704 - pygal escapes labels and names


def _plain(root: Any, title: str) -> Any:
    """Remove scripts, styles and tooltips; turn the descriptions of values into titles."""
    root.set("role", "img")
    root.find("title").text = title
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("script", "style") or not isinstance(child.tag, str) or _is_tooltip(child):
                parent.remove(child)
        parent.attrib.pop("id", None)
        described = parent.find("desc[@class='value']") if isinstance(parent.tag, str) else None
        if described is not None:
            _add_title(parent, described)
    return root


def _is_tooltip(node: Any) -> bool:
    return "tooltip-overlay" in node.get("class", "")


def _add_title(parent: Any, described: Any) -> None:
    label = parent.find("desc[@class='x_label']")
    text = " ".join(one.text for one in (label, described) if one is not None and one.text)
    for child in parent.findall("desc"):
        parent.remove(child)
    etree.SubElement(parent, "title").text = text  # lxml's where that is installed, as pygal itself does

"""Policy: nothing that staff read is in English only, and what has an English text has one without Chinese.

The texts are gathered from the declarations and from what they render, not from a list of files.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import TaskGroup
from bi_assets import ASSETS, Assets
from bi_bundle import bundle

from xiaoe.benefits import export, names, review
from xiaoe.exports.tables import SOURCES, Added
from xiaoe.monitor import plugin
from xiaoe.provider_info import get_provider_info
from xiaoe.quality import catalogue
from xiaoe.targets import sheet
from xiaoe.targets.metrics import METRICS
from xiaoe.texts import LANGUAGES, texts_beside

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "plugins" / "xiaoe"
HAN = re.compile("[\u4e00-\u9fff]")
WORD = re.compile("[A-Za-z]{2,}")
SAME_IN_BOTH = {"English", "Airflow", "MySQL", "DAG", "CSV", "Excel", "ID", "QQ", "APP", "PC"}
"""Words of Chinese texts that are Latin: names of things, and the link to the other language."""
QUOTED = re.compile("小鹅通|今日经营|应用设置|开放平台|IP白名单|中文|答复|人工复核|福利")
"""Chinese in English texts: names that somebody has to find on a page or in a file."""


def english_only(text: str) -> bool:
    """Whether staff who read no English could not read it."""
    bare = re.sub(r"\{[^}]*\}", "", text)
    return not HAN.search(bare) and bool(set(WORD.findall(bare)) - SAME_IN_BOTH)


# --- declarations --------------------------------------------------------------------------------------


def of_dags() -> Iterator[tuple[str, str]]:
    for dag in DagBag(str(ROOT / "dags")).dags.values():
        place = dag.dag_id
        yield from ((place, text) for text in (dag.dag_display_name, dag.description or "", *dag.tags))
        yield from ((f"{place}, doc_md", part) for part in (dag.doc_md or "").split("\n---\n")[:1])
        for task in dag.tasks:
            yield f"{place}.{task.task_id}", task.task_display_name
            yield from ((f"{place}.{task.task_id}", option) for option in getattr(task, "options", []))
        for group in (one for one in dag.task_group.children.values() if isinstance(one, TaskGroup)):
            yield f"{place}.{group.group_id}", group.label or ""
        for name in dag.params:
            form = dag.params.get_param(name)
            yield f"{place}, {name}", form.schema["title"]
            yield f"{place}, {name}", form.description or ""


def of_the_connection_and_the_menu() -> Iterator[tuple[str, str]]:
    [form] = get_provider_info()["connection-types"]
    yield "connection", form["hook-name"]
    yield from (("connection", label) for label in form["ui-field-behaviour"]["relabeling"].values())
    for name, field in form["conn-fields"].items():
        yield from ((f"connection, {name}", field[key]) for key in ("label", "description"))
    yield from (("menu", view["name"]) for view in plugin.XiaoeMonitorPlugin.external_views)


def of_files() -> Iterator[tuple[str, str]]:
    headers = (
        *export.HEADERS,
        *export.REVIEW_HEADERS,
        *(name for names_ in sheet.HEADINGS.values() for name in names_[:1]),
    )
    yield from (("headers", text) for text in headers)
    yield from (("names", text) for text in (*names.NAMES.values(), *names.OPTIONS, names.LATER, names.TAKEN_BACK))
    yield from (("targets", metric.text) for metric in METRICS.values())
    for name, source in SOURCES.items():
        yield f"export {name}", source.title
        yield from ((f"export {name}", added.heading) for added in source.added if isinstance(added, Added))
    for path in (ROOT / "include" / "codes").glob("*.json"):
        yield from ((path.name, text) for text in json.loads(path.read_text("utf-8")).values())
    for check in catalogue.CHECKS:
        yield from ((f"check {check.name}", text) for text in (check.title, check.advice))


def of_questions() -> Iterator[tuple[str, str]]:
    """From one about an order of which nothing is known."""
    row = ("1", "", "退款状态矛盾", *[None] * 10)
    yield "subject", review._subject("一店", row)
    yield from (("body", line) for line in review._body("一店", row).splitlines() if line)


def of_dashboards() -> Iterator[tuple[str, str]]:
    """From the files that Superset imports."""
    for path, content in bundle(Assets.read(ASSETS), "mysql+pymysql://u:p@h/d").items():
        shown = [content.get(key) for key in ("dashboard_title", "slice_name", "database_name", "description")]
        for thing in (*content.get("columns", ()), *content.get("metrics", ())):
            shown.append(thing["verbose_name"])
        for node in (one for one in content.get("position", {}).values() if isinstance(one, dict)):
            shown += [node.get("meta", {}).get(key) for key in ("text", "code", "sliceName")]
        for one in content.get("metadata", {}).get("native_filter_configuration", ()) if "position" in content else ():
            shown.append(one["name"])
        for key in ("subheader", "x_axis_title", "y_axis_title"):
            shown.append(content.get("params", {}).get(key) if isinstance(content.get("params"), dict) else None)
        yield from ((path, text) for text in shown if text)


@pytest.mark.parametrize("gather", [of_dags, of_the_connection_and_the_menu, of_files, of_questions, of_dashboards])
def test_what_is_declared_for_staff_is_chinese(gather: Any) -> None:
    found = list(gather())
    assert len(found) > 10, "nothing was gathered"
    assert [(place, text) for place, text in found if not text or english_only(text)] == []


# --- texts in both languages ---------------------------------------------------------------------------


def in_both() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every text of every texts.yaml, and every `Text` of the code with constant words."""

    def walk(place: str, node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(node, dict) and set(LANGUAGES) <= node.keys():
            yield place, node
        elif isinstance(node, dict):
            for key, inner in node.items():
                yield from walk(f"{place}.{key}", inner)

    for path in sorted(PACKAGE.rglob("texts.yaml")):
        yield from walk(path.parent.name, msgspec.yaml.decode(path.read_bytes()))
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Text":
                words = [one.value if isinstance(one, ast.Constant) else None for one in node.args]
                both = dict(zip(LANGUAGES, words, strict=True))
                yield f"{path.stem}:{node.lineno}", {name: text for name, text in both.items() if text is not None}


def test_every_text_is_in_both_languages_and_neither_is_in_the_other_s() -> None:
    found = list(in_both())
    assert len(found) > 400
    wrong = []
    for place, both in found:
        chinese, english = both.get("zh"), both.get("en")
        if chinese is not None and (not str(chinese) or english_only(str(chinese))):
            wrong.append((place, chinese))
        if english is not None and (not str(english) or HAN.search(QUOTED.sub("", str(english)))):
            wrong.append((place, english))
    assert wrong == []


@pytest.mark.parametrize("folder", ["benefits", "reports"])
def test_no_text_is_unused_and_both_have_the_same_places(folder: str) -> None:
    code = "".join(path.read_text("utf-8") for path in (PACKAGE / folder).glob("*.py"))
    code += "".join(METRICS) + (PACKAGE / "marts" / "periods.py").read_text("utf-8")
    for key, both in texts_beside(str(PACKAGE / folder / "x.py")).items():
        texts = {key: both} if "zh" in both else both
        for name, text in texts.items():
            assert len(re.findall(r"\{[^}]*\}", text["zh"])) == len(re.findall(r"\{[^}]*\}", text["en"])), name
            assert name in code, f"{folder}: {name}"

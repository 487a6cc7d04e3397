"""What the documentation says is so: generated parts, settings, queries, commands, links."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import airflow
import pytest

import docs
from support.documents import DOCS, REPO
from xiaoe import settings
from xiaoe.api import shop
from xiaoe.api.errors import ADVICE
from xiaoe.provider_info import get_provider_info

PAGES = sorted([*REPO.glob("*.md"), *DOCS.rglob("*.md")])
ENVIRONMENT_NAME = re.compile(r"(?<![A-Z_])XIAOE_[A-Z][A-Z_]*[A-Z]")


@cache
def environment_names(*folders: str) -> set[str]:
    found: set[str] = set()
    for folder in folders:
        for path in (REPO / folder).rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                found |= set(ENVIRONMENT_NAME.findall(path.read_text("utf-8")))
    return found


def anchors(path: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ +(.*)$", path.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# Settings


def test_the_table_of_settings_is_up_to_date() -> None:
    page = (DOCS / docs.CONFIGURATION).read_text("utf-8")
    assert f"<!-- settings:begin -->\n\n{docs.settings()}\n\n<!-- settings:end -->" in page, "run `make docs`"


def test_the_chinese_table_of_settings_has_the_same_variables_and_limits() -> None:
    row = re.compile(r"^\| `(XIAOE_\w+)` \| ([^|]*)\| ([^|]*)\| (.+) \|$", re.M)
    english, chinese = (
        row.findall((DOCS / name).read_text("utf-8").partition("XIAOE_INCLUDE_DIR` |")[0])
        for name in (docs.CONFIGURATION, "configuration.zh-CN.md")
    )
    value = re.compile(r"`[^`]*`")
    assert len(english) > 40
    assert [(name, value.findall(default), least) for name, default, least, _ in chinese] == [
        (name, value.findall(default), least) for name, default, least, _ in english
    ]
    assert all(re.search("[\u4e00-\u9fff]", meaning) for *_, meaning in chinese)


def test_the_table_of_settings_has_every_variable_that_the_dags_read_itself() -> None:
    """What is left are names in messages, and the passwords that `make grants` sets."""
    table = {one.name for one in settings.TABLE}
    in_code = environment_names("plugins", "dags")
    assert table <= in_code
    assert {name for name in in_code - table if not name.endswith("_PASSWORD")} == set()


def test_every_environment_variable_is_documented_and_exists() -> None:
    documented = set(ENVIRONMENT_NAME.findall((DOCS / "configuration.md").read_text("utf-8")))
    read = environment_names("plugins", "dags", "scripts")
    assert documented == read


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPO)))
def test_no_page_names_an_environment_variable_that_is_not_read(page: Path) -> None:
    named = set(ENVIRONMENT_NAME.findall(page.read_text("utf-8")))
    assert named <= environment_names("plugins", "dags", "scripts")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("XIAOE_CONN_IDS", ",".join(settings.conn_ids())),
        ("XIAOE_MYSQL_CONN_ID", settings.mysql_conn_id()),
        ("XIAOE_HISTORY_START", f"{settings.history_start():%Y-%m-%d}"),
        ("XIAOE_OVERLAP_MINUTES", f"{settings.overlap().total_seconds() / 60:g}"),
        ("XIAOE_LAG_SECONDS", f"{settings.lag().total_seconds():g}"),
        ("XIAOE_RESCAN_DAYS", f"{settings.rescan_days().days}"),
    ],
)
def test_documented_defaults_of_the_environment(name: str, value: str) -> None:
    assert f"| `{name}` | `{value}` |" in (DOCS / "configuration.md").read_text("utf-8")


def test_every_field_of_the_connection_is_documented_with_its_default() -> None:
    page = (DOCS / "configuration.md").read_text("utf-8")
    [connection] = get_provider_info()["connection-types"]
    for label in connection["ui-field-behaviour"]["relabeling"].values():
        assert f"| {label} |" in page
    assert f"`{shop.DEFAULT_HOST}`" in page
    for name, field in connection["conn-fields"].items():
        row = re.search(rf"^\| {re.escape(field['label'])} \| `extra\.{name}` \| \w+ \|(.*)\|$", page, re.M)
        assert row, name
        if default := field["schema"].get("default"):
            assert row.group(1).startswith(f" {default} |"), name
            assert default == getattr(shop.Shop, name)
            assert f"{field['schema']['minimum']} to {field['schema']['maximum']}" in row.group(1), name


UI_NAMES = ("待操作的任务实例", "触发", "清除", "日志", "管理", "连接", "浏览", "回填")
ENGLISH_UI_NAMES = re.compile("Required Actions|Trigger DAG|Clear task|Admin → Connections|Backfill|Logs")


def test_chinese_pages_call_what_there_is_to_click_as_airflow_in_chinese_does() -> None:
    texts = Path(airflow.__file__).parent / "ui" / "dist" / "i18n" / "locales" / "zh-CN"
    shown = {text for path in texts.glob("*.json") for text in re.findall(r': "(.*)"', path.read_text("utf-8"))}
    pages = {page.name: page.read_text("utf-8") for page in PAGES if page.name.endswith(".zh-CN.md")}
    assert len(pages) > 10
    for name in UI_NAMES:
        assert any(text.startswith(name) for text in shown), name
        assert any(name in text for text in pages.values())
    for page, text in pages.items():
        in_brackets = "".join(re.findall("（[^（）]*）", text))
        assert ENGLISH_UI_NAMES.findall(text) == ENGLISH_UI_NAMES.findall(in_brackets), page


# What else it names


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPO)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_pages_that_the_code_refers_to_exist() -> None:
    api = (DOCS / "xiaoe-api.md").read_text("utf-8")
    for folder in ("plugins", "dags", "include", "scripts"):
        for path in (REPO / folder).rglob("*"):
            if not path.is_file() or path.suffix not in (".py", ".sql", ".sh", ".json", ""):
                continue
            text = path.read_text("utf-8")
            for name in re.findall(r"docs/([\w-]+(?:/[\w-]+)?\.md)", text):
                assert (DOCS / name).exists(), f"{path.name}: {name}"
            for number in re.findall(r"docs/decisions/(\d{4})", text):
                assert list((DOCS / "decisions").glob(f"{number}-*.md")), f"{path.name}: decision {number}"
            for section, quirk in re.findall(r"xiaoe-api\.md\s+sections? (\d+)(?:\.(\d+))?", text):
                part = re.search(rf"^## {section} .*?(?=^## |\Z)", api, re.M | re.S)
                assert part, f"{path.name}: section {section}"
                assert not quirk or f"\n{quirk}. " in part.group(), f"{path.name}: section {section}.{quirk}"


def test_every_make_target_that_is_named_exists() -> None:
    listed = subprocess.run(["make", "help"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^  make (\S+)", listed, re.M))
    for page in PAGES:
        code = re.findall(r"`[^`\n]+`|```.*?```", page.read_text("utf-8"), re.S)
        named = {name for part in code for name in re.findall(r"\bmake ([a-z-]+)", part)}
        assert named <= targets, page.name


def test_every_code_that_stops_a_task_is_in_the_list_of_failures() -> None:
    for name in docs.OPERATIONS:
        page = (DOCS / name).read_text("utf-8")
        first, last = map(int, re.search(r"code (2001)` \S+ `(2006)", page).groups())  # type: ignore[union-attr]
        listed = set(map(int, re.findall(r"\b(\d{4})`", page))) | set(range(first, last + 1))
        assert set(ADVICE) - {2009, 2010} <= listed, name  # these two answer calls that are not made yet


def test_every_requirement_has_its_reason() -> None:
    page = (DOCS / "decisions" / "0002-libraries.md").read_text("utf-8")
    for file in ("requirements.in", "requirements-dev.in", "requirements-image.in", "requirements-sbom.in"):
        for line in (REPO / file).read_text().splitlines():
            if line and not line.startswith(("#", "-")):
                name = re.split(r"[=<>!\[ ]", line)[0]
                short = f"`-{name.rpartition('-')[2]}`"
                assert f"`{name}`" in page or short in page, name

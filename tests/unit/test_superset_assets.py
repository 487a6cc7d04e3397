"""The dashboards as files: whole, in Chinese, and about tables that are there. Without Superset."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from bi_assets import ASSETS, AssetError, Assets, Dashboard
from bi_bundle import DATABASE_FILE, MASK, bundle, text
from bi_charts import KINDS
from bi_links import RANGES, TIME, address
from bi_links import text as link_text

REPO = Path(__file__).parents[2]
READ = Assets.read(ASSETS)
FILES = bundle(READ, f"mysql+pymysql://bi_reader:{MASK}@db.example:3306/xiaoe?charset=utf8mb4")
CHARTS = {path: content for path, content in FILES.items() if path.startswith("charts/")}
PAGES = {path: content for path, content in FILES.items() if path.startswith("dashboards/")}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HAN = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]{2,}")
MEANT = {"ID", "TOP", "Airflow", "operations", "zh-CN", "zh", "CN", "md"}
"""Latin words that operators know."""


def chinese(text: str) -> bool:
    return bool(HAN.search(text)) and not set(LATIN.findall(text)) - MEANT


def test_the_dashboards_have_an_order_and_link_to_each_other_in_it() -> None:
    titles = ["经营总览", "订单明细", "商品分析", "用户分析", "复购与客户", "直播分析",
              "学习分析", "推广分析", "退款与福利", "同步监控"]  # fmt: skip
    assert [page.title for page in READ.dashboards.values()] == titles
    for page in READ.dashboards.values():
        top = FILES[f"dashboards/{page.slug}.yaml"]["position"]["MARKDOWN-top"]["meta"]["code"]
        named = [f"**{title}**" if title == page.title else f"[{title}](" for title in titles]
        places = [top.index(name) for name in named]
        assert places == sorted(places)
        assert page.slug == "overview" or "](/superset/dashboard/overview/)" in top


@pytest.mark.parametrize("span", [*RANGES.values(), "2026-11-01 : 2026-12-01", "it's 1!"])
def test_a_link_holds_the_range_as_the_filter_takes_it(span: str) -> None:
    [state] = parse_qs(urlsplit(address("orders", span)).query)["native_filters"]
    quoted = span.replace("!", "!!").replace("'", "!'")
    assert state == (
        f"({TIME}:(extraFormData:(time_range:'{quoted}'),filterState:(value:'{quoted}'),id:{TIME},ownState:()))"
    )


def test_links_of_a_text_lead_to_a_dashboard_and_a_range_that_are_there() -> None:
    for page in READ.dashboards.values():
        for row in page.rows:
            for slug, _ in re.findall(r"\]\((\w+)\?([^)]+)\)", row.text):
                assert slug in READ.dashboards
            assert "](/superset/dashboard/" in link_text(row.text) or not row.text


def test_text_from_outside_is_never_shown_as_html() -> None:
    """Names of products and shops are whatever somebody typed; `links` show days only."""
    for page in READ.dashboards.values():
        for chart in page.charts():
            assert FILES[f"charts/{page.slug}-{chart.key}.yaml"]["params"].get("allow_render_html", False) == (
                chart.kind == "links"
            ) or chart.kind not in {"table", "rows", "links", "board"}
            assert chart.kind != "links" or chart.by == ["day"]


def test_every_shop_is_called_by_its_name() -> None:
    for page in READ.dashboards.values():
        for chart in page.charts():
            assert "shop_id" not in {*chart.by, *chart.columns, chart.x}, f"{page.slug}: {chart.key}"


@pytest.mark.parametrize("page", READ.dashboards.values(), ids=lambda page: page.slug)
def test_each_can_be_filtered_by_day_and_shop_and_says_what_its_numbers_mean(page: Dashboard) -> None:
    assert page.days
    assert "shop_name" in page.filters
    assert page.note.startswith("**口径**")
    held = [set(chart.dataset.columns) for chart in page.charts()]
    for column in page.filters:
        assert any(column in columns for columns in held), f"no chart of {page.slug} knows {column}"
    for column in ("product_type", "channel"):
        many = sum(column in columns for columns in held) > len(held) / 2
        assert not many or column in page.filters, f"{page.slug} has no filter by {column}"


def test_everything_that_is_shown_is_chinese() -> None:
    for dataset in READ.datasets.values():
        named = {**dataset.columns, **dataset.metrics}
        assert [name for name, thing in named.items() if not chinese(thing.label)] == [], dataset.name
    for page in READ.dashboards.values():
        shown = [page.title, page.description, page.note, *(chart.title for chart in page.charts())]
        shown += [chart.subtitle for chart in page.charts() if chart.subtitle]
        assert [one for one in shown if not chinese(one)] == [], page.slug


def test_money_with_the_sign_is_in_tens_of_thousands_and_nothing_else_is() -> None:
    """superset_config.D3_FORMAT puts 万 behind every number with a ¥."""
    for dataset in READ.datasets.values():
        for name, metric in dataset.metrics.items():
            assert ("$" in metric.format) == metric.sql.endswith(" / 10000") == ("万" in metric.label), name


def test_every_identity_is_there_once() -> None:
    uuids = [content["uuid"] for content in FILES.values() if "uuid" in content]
    assert len(uuids) == len(set(uuids)) == len(FILES) - 1


def test_identities_stay() -> None:
    """Another uuid would be another chart: whoever has a link to it, or filters in it, would lose them."""
    assert FILES["dashboards/overview.yaml"]["uuid"] == "4f2e5a23-4d83-5764-8008-90a473434c80"
    assert FILES["charts/overview-paid.yaml"]["uuid"] == "b0da6905-77d6-5535-9fcd-2bcc77670841"


def test_every_reference_leads_somewhere() -> None:
    datasets = {content["uuid"] for path, content in FILES.items() if path.startswith("datasets/")}
    charts = {content["uuid"] for content in CHARTS.values()}
    placed: list[str] = []
    for content in CHARTS.values():
        assert content["dataset_uuid"] in datasets
    for page in PAGES.values():
        nodes = page["position"]
        placed += [
            node["meta"]["uuid"] for node in nodes.values() if isinstance(node, dict) and node["type"] == "CHART"
        ]
        named = {child for node in nodes.values() if isinstance(node, dict) for child in node.get("children", [])}
        assert named | {"ROOT_ID", "HEADER_ID", "DASHBOARD_VERSION_KEY"} == set(nodes)
        for target in [target for one in page["metadata"]["native_filter_configuration"] for target in one["targets"]]:
            assert not target or target["datasetUuid"] in datasets
    assert sorted(placed) == sorted(charts)


def test_no_file_holds_a_secret_and_all_are_managed_here() -> None:
    assert FILES[DATABASE_FILE]["sqlalchemy_uri"].count(MASK) == 1
    assert FILES[DATABASE_FILE]["allow_dml"] is False
    for path, content in FILES.items():
        assert yaml.load(text(content), Loader=LOADER) == content  # noqa: S506 - a safe loader
        assert path == "metadata.yaml" or path.startswith("dashboards/") or content["is_managed_externally"]


def test_every_kind_of_chart_is_in_use() -> None:
    assert {chart.kind for page in READ.dashboards.values() for chart in page.charts()} == set(KINDS)


@pytest.mark.parametrize(
    ("file", "before", "after", "complaint"),
    [
        ("datasets/sales_daily.yaml", "label: 每日销售", "lable: x\nlabel: 每日销售", r"sales_daily\.yaml: .*lable"),
        ("datasets/sales_daily.yaml", "time: day", "time: days", r"sales_daily\.yaml: time: there is no days"),
        ("dashboards/overview.yaml", "kind: number", "kind: numbers", r"overview\.yaml: .*there is no numbers"),
        ("dashboards/overview.yaml", "metrics: [paid_wan]", "metrics: [paid]", None),
        (
            "dashboards/overview.yaml",
            "[paid_wan]",
            "[money]",
            r"overview\.yaml: chart types: metrics: there is no money",
        ),
        ("dashboards/overview.yaml", "dataset: sales_daily", "dataset: sales", r"dataset: there is no sales,"),
        ("dashboards/overview.yaml", "width: 3", "width: 4", r"overview\.yaml: the row of paid is 13 wide"),
        ("dashboards/overview.yaml", "key: net,", "key: paid,", r"overview\.yaml: two charts have the key paid"),
        ("dashboards/overview.yaml", "[累计, ", "[", r"overview\.yaml: chart board_month: 2 headings for 3 metrics"),
        ("dashboards/overview.yaml", "channel: sales", "town: sales", r"overview\.yaml: filters: .*there is no town"),
        ("dashboards/overview.yaml", "title: 经营总览", "title: [", r"overview\.yaml is not valid YAML"),
        ("dashboards/overview.yaml", "title: 经营总览", "slug: x", r"overview\.yaml: dashboard .*title"),
    ],
)
def test_a_slip_is_named(tmp_path: Path, file: str, before: str, after: str, complaint: str | None) -> None:
    folder = tmp_path / "assets"
    shutil.copytree(ASSETS, folder)
    content = (folder / file).read_text("utf-8")
    assert before in content
    (folder / file).write_text(content.replace(before, after, 1), "utf-8")
    if complaint is None:
        Assets.read(folder)
        return
    with pytest.raises(AssetError, match=complaint):
        Assets.read(folder)


def test_pages_in_the_documentation_name_every_dashboard() -> None:
    for name in ("dashboards.md", "dashboards.zh-CN.md"):
        page = (REPO / "docs" / name).read_text("utf-8")
        for one in READ.dashboards.values():
            assert one.title in page, name
            assert f"images/bi-{one.slug}.png" in page, name

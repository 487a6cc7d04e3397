"""The monitoring page without a database: calendar, texts, states, charts, escaping."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygal.etree import etree as drawing

from xiaoe import coverage
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.monitor import calendar, charts, i18n, queries, view, web
from xiaoe.monitor.i18n import Texts, all_texts, choose_language
from xiaoe.monitor.plugin import URL_PREFIX, XiaoeMonitorPlugin
from xiaoe.monitor.storage import Sample, TableSize, check_free_disk

FOLDER = Path(i18n.__file__).parent
NOW = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
UTC = NOW.astimezone(timezone.utc).replace(tzinfo=None)
FIRST = date(2026, 11, 1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIMITS = view.Limits(free_disk=5 * 10**9, page_store=50 * 10**9, binlog=20 * 10**9)
EVIL = "</td><script>alert(1)</script>\"'"


def day(number: float) -> datetime:
    """A moment of November, Beijing."""
    return datetime(2026, 11, 1) + timedelta(days=number - 1)


def looks(*windows: tuple[float, float, timedelta] | tuple[float, float, timedelta, int]) -> Any:
    """Windows by day of the month and by how long ago they were read; whether rows could not be typed."""
    return [
        (seconds(day(begin)), seconds(day(end)), seconds(UTC - age), *(rest or (0,)))
        for begin, end, age, *rest in windows
    ]


def seconds(moment: datetime) -> int:
    """As the query counts them."""
    return round((moment - datetime(1970, 1, 1)).total_seconds())


def states(*windows: Any) -> dict[int, str]:
    return {cell.day.day: cell.state for cell in calendar.cells(looks(*windows), FIRST, NOW)}


def page_data(**changes: Any) -> queries.PageData:
    data = queries.PageData(
        shops=[], shop_id=None, syncs=[], alerts=[], checks=[], runs=[], days=[], windows=[], looks={}, tables=[],
        storage=[], growth=[], backup=None,
    )  # fmt: skip
    return data._replace(**changes)


def build(data: queries.PageData, language: str = "en") -> dict[str, Any]:
    return view.build(data, Texts(language, UTC), NOW, first=FIRST, limits=LIMITS)


def cards(data: queries.PageData) -> dict[str, view.Card]:
    return {card.label: card for card in build(data)["cards"]}


# --- calendar ------------------------------------------------------------------------------------------


def test_nothing_read_is_all_gaps_and_today_is_no_gap() -> None:
    found = states()
    assert found.pop(20) == "today"
    assert found == dict.fromkeys(range(1, 20), "gap")


def test_a_day_is_as_old_as_the_part_of_it_that_was_read_longest_ago() -> None:
    found = states((1, 20, 100 * DAY), (2, 19, 20 * DAY), (3, 18, 2 * DAY), (4, 5.5, HOUR), (6, 7, HOUR))
    assert [found[number] for number in (1, 2, 3, 4, 5, 6, 7)] == [
        "old",
        "deep_rescan",
        "rescan",
        "day",
        "rescan",
        "day",
        "rescan",
    ]


def test_the_colours_follow_the_rescans(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("XIAOE_RESCAN_DAYS", "3")
    clean_environment.setenv("XIAOE_DEEP_RESCAN_DAYS", "30")
    found = states((1, 2, 31 * DAY), (2, 3, 29 * DAY), (3, 4, 4 * DAY), (4, 5, 2 * DAY))
    assert [found[number] for number in (1, 2, 3, 4)] == ["old", "deep_rescan", "deep_rescan", "rescan"]
    en, zh = Texts("en", UTC), Texts("zh", UTC)
    assert [view.state_text(state, en) for state in calendar.ages()] == [
        "read within a day",
        "within 3 days",
        "within 30 days",
    ]
    assert [view.state_text(state, zh) for state in calendar.ages()] == ["一天内读过", "3 天内", "30 天内"]


def test_the_latest_look_counts_in_whatever_order_they_come() -> None:
    assert states((3, 4, HOUR), (1, 20, 100 * DAY))[3] == "day"


def test_a_day_that_was_read_in_part_is_not_covered() -> None:
    found = states((1, 5.5, HOUR), (6.5, 8, HOUR))
    assert [found[number] for number in (5, 6, 7, 8)] == ["part", "part", "day", "gap"]


def test_one_missing_second_is_seen() -> None:
    second = 1 / 86_400
    assert states((1, 5, HOUR), (5 + second, 20, HOUR))[5] == "part"
    assert states((1, 5 + second, HOUR), (5 + second, 20, HOUR))[5] == "day"


def test_rows_that_could_not_be_typed_show_until_a_later_look_could() -> None:
    assert states((1, 20, 2 * DAY, 1))[7] == "rejected"
    found = states((1, 20, 2 * DAY, 1), (7, 8, HOUR))
    assert [found[6], found[7], found[8]] == ["rejected", "day", "rejected"]


def test_of_today_it_says_up_to_when() -> None:
    today = calendar.cells(looks((1, 20.25, HOUR)), FIRST, NOW)[-1]
    assert (today.state, today.until) == ("today", day(20.25))
    assert calendar.cells(looks((1, 20, HOUR)), FIRST, NOW)[-1].until is None
    text = view.describe(today, Texts("en", UTC))
    assert text == "2026-11-20: read up to 2026-11-20 06:00"


def test_gaps_are_told_as_spans() -> None:
    days = calendar.cells(looks((1, 3, HOUR), (6, 10, HOUR), (11, 20, HOUR)), FIRST, NOW)
    assert calendar.unread(days) == [(date(2026, 11, 3), date(2026, 11, 5)), (date(2026, 11, 10), date(2026, 11, 10))]
    [shown] = build(page_data(shop_id="s", looks={"orders": looks((1, 3, HOUR), (6, 20, HOUR))}))["calendars"]
    assert shown["gaps"] == "Not read: 2026-11-03 – 2026-11-05"
    assert shown["summary"] == "2026-11-01 to yesterday: 16 of 19 days read"


def test_months_have_thirty_one_places_and_the_latest_is_first() -> None:
    months = calendar.months(calendar.cells(looks(), date(2026, 9, 29), NOW))
    assert [month.label for month in months] == ["2026-11", "2026-10", "2026-09"]
    assert all(len(month.cells) == 31 for month in months)
    assert [cell.day.day for cell in months[-1].cells if cell] == [29, 30]


WINDOWS = st.lists(
    st.tuples(st.integers(0, 96), st.integers(1, 48), st.integers(0, 10_000), st.booleans()), max_size=25
)


@given(windows=WINDOWS)
def test_the_calendar_agrees_with_the_ledger_s_own_arithmetic(windows: list[tuple[int, int, int, bool]]) -> None:
    """`coverage.segments` tells when a moment was last seen; a day is covered where each of its moments was."""
    rows = [(day(1) + b * HOUR, day(1) + (b + n) * HOUR, UTC - timedelta(minutes=10_001 - s)) for b, n, s, _ in windows]
    covered = coverage.segments(coverage.Look(*row) for row in rows)
    found = calendar.cells([(seconds(begin), seconds(end), seconds(seen), 0) for begin, end, seen in rows], FIRST, NOW)
    for cell in found[:7]:
        begin = datetime.combine(cell.day, datetime.min.time())
        seen = [coverage.last_look(covered, begin + hour * HOUR) for hour in range(24)]
        if None in seen:
            assert cell.state == ("part" if any(seen) else "gap")
        else:
            assert cell.seen == min(moment for moment in seen if moment)


# --- texts ---------------------------------------------------------------------------------------------


def leaves(texts: dict[str, Any], path: str = "") -> dict[str, dict[str, str]]:
    if set(texts) == {"zh", "en"} and all(isinstance(text, str) for text in texts.values()):
        return {path: texts}
    found: dict[str, dict[str, str]] = {}
    for key, inner in texts.items():
        found |= leaves(inner, f"{path}/{key}" if path else key)
    return found


@pytest.mark.parametrize("texts", leaves(all_texts()).items(), ids=lambda item: item[0])
def test_every_text_is_there_in_both_languages(texts: tuple[str, dict[str, str]]) -> None:
    key, languages = texts
    assert all(languages.values())
    assert languages["zh"].count("{}") == languages["en"].count("{}")
    if key != "other_language":
        assert not re.search("[\u4e00-\u9fff]", languages["en"])


def test_no_text_is_unused() -> None:
    code = "".join(file.read_text("utf-8") for file in (*FOLDER.glob("*.py"), *FOLDER.glob("templates/*.html")))
    assert [key for key in all_texts() if f'"{key}"' not in code] == []


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        ("en", "zh-CN,zh", "en"),
        ("zh", "en", "zh"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "en-GB,en;q=0.9,zh;q=0.8", "en"),
        (None, "fr,en;q=0.4,zh;q=0.5", "zh"),
        (None, "en;q=nonsense,zh;q=0.1", "zh"),
        (None, "", "zh"),
        ("fr", "en", "en"),
        ("../../etc", "*", "zh"),
    ],
)
def test_the_language_is_what_was_asked_for_or_the_browser_s(wanted: str | None, accepted: str, language: str) -> None:
    assert choose_language(wanted, accepted) == language


def test_numbers_times_and_sizes() -> None:
    en, zh = Texts("en", UTC), Texts("zh", UTC)
    assert [en.number(1_234_567), en.number(Decimal("3.0000")), en.number(Decimal("12.50")), en.number(None)] == [
        "1,234,567", "3", "12.5", "–",
    ]  # fmt: skip
    assert [en.size(999), en.size(1_500), en.size(2 * 10**9), en.size(None)] == ["999 B", "1.5 kB", "2.0 GB", "–"]
    assert en.ago(UTC - 26 * HOUR) == "1 d 2 h ago"
    assert zh.ago(None) == "从未"
    assert en.beijing(UTC) == "2026-11-20 12:00"
    assert [en.seconds(Decimal("3.26")), en.seconds(Decimal(7_300)), en.seconds(None)] == ["3.3 s", "2 h 1 min", "–"]
    assert en.name("resources", "something_new") == "something_new"


# --- states --------------------------------------------------------------------------------------------


def sync(status: str = "success", mode: str = "incremental", ago: timedelta | None = HOUR) -> queries.SyncStatus:
    resource = "products" if mode == "whole" else "orders"
    last = None if ago is None else UTC - ago
    return queries.SyncStatus("s", resource, mode, day(20.25), last, UTC, status, "m")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (sync(), "ok"),
        (sync(ago=3 * HOUR), "late"),
        (sync(ago=None), "late"),
        (sync("failed"), "failed"),
        (sync("failed", ago=3 * HOUR), "failed"),
        (sync(mode="whole", ago=29 * HOUR), "ok"),
        (sync(mode="whole", ago=31 * HOUR), "late"),
        (sync(mode="history", ago=7 * DAY), "ok"),
        (sync(mode="history", ago=9 * DAY), "late"),
        (sync(mode="by_hand", ago=900 * DAY), "ok"),
    ],
)
def test_a_sync_is_ok_late_or_failed(one: queries.SyncStatus, expected: str) -> None:
    assert view.health(one, UTC) == expected


def test_the_lag_is_now_less_the_watermark() -> None:
    [row] = build(page_data(syncs=[sync()]))["syncs"]
    assert row["lag"] == "6 h 0 min"
    [row] = build(page_data(syncs=[sync()._replace(watermark=None)]))["syncs"]
    assert row["lag"] == "–"


def test_cards_add_up_the_shops() -> None:
    shops = [queries.ShopBacklog("a", 2, 0, timedelta(), 0), queries.ShopBacklog("b", 3, 4, 5 * HOUR, 1)]
    found = cards(page_data(shops=shops))
    assert found["Orders in review"].value == "5"
    assert found["Orders to be seen again"][1:3] == ("4", "longest 5 h 0 min")
    assert found["Rows and fields not readable"].state == "bad"
    assert found["Open alerts"] == ("Open alerts", "0", "", "good")


@pytest.mark.parametrize(
    ("backup", "state", "note"),
    [
        (None, "bad", "no successful backup"),
        (queries.LastBackup(UTC - 8 * HOUR, "success"), "good", "restore drill: passed"),
        (queries.LastBackup(UTC - 8 * HOUR, None), "good", ""),
        (queries.LastBackup(UTC - 8 * HOUR, "failed"), "bad", "restore drill: failed"),
        (queries.LastBackup(UTC - 40 * HOUR, "success"), "bad", "restore drill: passed"),
    ],
)
def test_an_old_backup_or_a_failed_drill_shows(backup: queries.LastBackup | None, state: str, note: str) -> None:
    card = cards(page_data(backup=backup))["Last backup"]
    assert (card.state, card.note) == (state, note)


@pytest.mark.parametrize(
    ("metric", "size", "state"),
    [
        ("free_disk", 5 * 10**9, "good"),
        ("free_disk", 5 * 10**9 - 1, "bad"),
        ("page_store", 50 * 10**9, "good"),
        ("page_store", 50 * 10**9 + 1, "bad"),
        ("binlog", 21 * 10**9, "bad"),
        ("binlog", None, ""),
        ("database", 10**15, ""),
    ],
)
def test_storage_is_held_against_its_limit(metric: str, size: int | None, state: str) -> None:
    note = "no_right" if size is None else None
    [row] = build(page_data(storage=[queries.StorageFigure(metric, size, note, UTC)]))["storage"]
    assert row["state"] == state
    if size is None:
        assert row["value"] == "this MySQL user may not see them"


def test_too_little_free_disk_names_value_setting_and_place() -> None:
    check_free_disk([Sample("free_disk", 5 * 10**9)], least=5 * 10**9, store="file:///pages")
    check_free_disk([Sample("free_disk", None, "bucket")], least=5 * 10**9, store="s3://pages")
    with pytest.raises(XiaoeConfigError, match=r"4\.9 GB on the disk of file:///pages .*5 GB.*XIAOE_MIN_FREE_DISK_GB"):
        check_free_disk([Sample("free_disk", 4_900_000_000)], least=5 * 10**9, store="file:///pages")


# --- charts --------------------------------------------------------------------------------------------


@pytest.fixture(params=["lxml", "etree"])
def xml(request: pytest.FixtureRequest) -> Iterator[None]:
    """pygal draws with lxml where that is installed, else with Python's own."""
    held = drawing.lxml
    getattr(drawing, f"to_{request.param}")()
    yield
    (drawing.to_lxml if held else drawing.to_etree)()


@pytest.mark.usefixtures("xml")
def test_a_chart_brings_no_script_style_or_address_and_says_its_values() -> None:
    svg = charts.bars(["11-19", "11-20"], {EVIL: [1, 2500]}, title=EVIL, no_data="none")
    assert not re.search(r"<script|<style|<!--|style=|href=|\bid=|javascript", svg.replace("&lt;script", ""))
    assert "&lt;script&gt;" in svg
    assert "<title>11-20 2,500</title>" in svg


def test_a_retry_is_drawn_once_although_it_is_a_call_too() -> None:
    data = page_data(days=[queries.SyncDay(NOW.date(), 5, 6, 10, 3)])
    rows, calls = (chart["svg"] for chart in build(data)["charts"])
    assert "<title>11-20 5</title>" in rows
    assert "<title>11-20 7</title>" in calls
    assert "<title>11-20 3</title>" in calls


def test_without_data_a_chart_says_so() -> None:
    assert all("no data yet" in chart["svg"] for chart in build(page_data())["charts"])


def test_growth_begins_with_the_first_sample_and_is_in_gigabytes() -> None:
    growth = [queries.StorageDay(NOW.date() - back * DAY, "database", (10 - back) * 10**9) for back in (2, 0)]
    svg = build(page_data(growth=growth))["growth"]["svg"]
    assert re.findall(r"<title>(11-\d\d [\d.]+)</title>", svg) == ["11-18 8", "11-20 10"]


# --- the page ------------------------------------------------------------------------------------------


def everything(text: str) -> queries.PageData:
    """A page with this text wherever one comes from outside."""
    return page_data(
        shops=[queries.ShopBacklog(text, 0, 0, timedelta(), 0), queries.ShopBacklog("other", 0, 0, timedelta(), 0)],
        shop_id=text,
        syncs=[queries.SyncStatus(text, text, text, None, None, UTC, text, text)],
        alerts=[queries.OpenAlert(text, text, text, text, text, f"https://h/{text}", UTC, UTC, 2)],
        checks=[queries.FailedCheck(text, text, text, None, text, text, UTC)],
        runs=[queries.SyncRun(text, text, text, UTC, UTC, None, Decimal(1), *[1] * 6, Decimal(0))],
        windows=[queries.LedgerWindow(text, text, day(1), day(2), *[1] * 7, UTC)],
        looks={text: looks((1, 2, HOUR))},
        tables=[TableSize(text, 1, 2, 3)],
        storage=[queries.StorageFigure("binlog", None, text, UTC)],
    )


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_what_comes_from_outside_is_text_everywhere(language: str) -> None:
    html = web._template("page.html").render(build(everything(EVIL), language))
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 15
    assert "<script" not in html
    assert f'<html lang="{language}">' in html
    again = web._template("page.html").render(build(everything("{{ 7*7 }}"), language))
    assert "49" not in re.sub(r"<svg.*?</svg>", "", again, flags=re.S)


def test_only_a_web_address_becomes_a_link() -> None:
    alert = everything("x").alerts[0]
    for address, linked in (("https://a/b", True), ("javascript:alert(1)", False), (None, False)):
        html = web._template("page.html").render(build(page_data(alerts=[alert._replace(log_url=address)])))
        assert ('<a href="https://a/b">' in html) == linked
        assert "javascript:" not in html


def test_links_keep_shop_and_language() -> None:
    html = web._template("page.html").render(build(everything("a&b"), "en"))
    assert 'href="page?lang=zh&amp;shop=a%26b"' in html
    assert 'href="page?lang=en&amp;shop=other"' in html


def test_an_empty_warehouse_shows() -> None:
    html = web._template("page.html").render(build(page_data()))
    assert "No shop has been synced yet." in html
    assert "No sample yet" in html


def test_every_route_asks_who_is_there() -> None:
    app = web.create_app()
    routes: dict[str, Any] = {route.path: route for route in app.routes}  # type: ignore[attr-defined]
    assert routes.keys() == {"/page", "/monitor.css", "/export", "/export/file"}
    for route in routes.values():
        [check] = route.dependencies
        assert "requires_access_view" in check.dependency.__qualname__


# --- the plugin ----------------------------------------------------------------------------------------


def test_the_menu_leads_to_a_route_of_the_page() -> None:
    [app], [entry] = XiaoeMonitorPlugin.fastapi_apps, XiaoeMonitorPlugin.external_views
    assert app["url_prefix"] == URL_PREFIX
    assert entry["href"] == f"{URL_PREFIX}/page"
    assert entry["destination"] == "nav"


def test_registering_it_loads_neither_fastapi_nor_the_database_driver() -> None:
    """Each worker and each DAG processor imports this module."""
    tree = ast.parse((FOLDER / "plugin.py").read_text("utf-8"))
    names = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert names == {"__future__", "typing", "airflow.plugins_manager"}
    assert not any(isinstance(node, ast.Import) for node in tree.body)


def test_template_and_style_name_nothing_from_elsewhere() -> None:
    for file in (FOLDER / "templates").iterdir():
        assert not re.search(r"https?:|@import|url\(|//\w", file.read_text("utf-8")), file.name

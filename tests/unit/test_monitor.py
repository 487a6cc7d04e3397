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
from xiaoe.merge.freshness import FRESH_WITHIN
from xiaoe.monitor import calendar, charts, i18n, problems, records, verdict, view, web
from xiaoe.monitor.i18n import Texts, all_texts, choose_language
from xiaoe.monitor.plugin import URL_PREFIX, XiaoeMonitorPlugin
from xiaoe.monitor.storage import Sample, TableSize, check_free_disk
from xiaoe.notify.refusals import Refusal
from xiaoe.quality.catalogue import CHECKS
from xiaoe.texts import LANGUAGES

FOLDER = Path(i18n.__file__).parent
NOW = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
UTC = NOW.astimezone(timezone.utc).replace(tzinfo=None)
FIRST = date(2026, 11, 1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIMITS = verdict.Limits(free_disk=5 * 10**9, page_store=50 * 10**9, binlog=20 * 10**9)
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


def page_data(**changes: Any) -> records.PageData:
    data = records.PageData(
        shops=[], shop_id=None, syncs=[], alerts=[], checks=[], runs=[], days=[], windows=[], looks={}, tables=[],
        storage=[], growth=[], backup=None,
    )  # fmt: skip
    return data._replace(**changes)


def build(data: records.PageData, language: str = "en") -> dict[str, Any]:
    return view.build(data, Texts(language, UTC), NOW, first=FIRST, limits=LIMITS, conn_ids=["xiaoe_default"])


def cards(data: records.PageData) -> dict[str, verdict.Card]:
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
    assert [key for key in all_texts() if not re.search(f"[\"']{key}[\"']", code)] == []


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
    assert (en.resource("marts"), zh.mode("rescan"), en.resource("something_new")) == (
        "Marts", "15 天复查", "something_new",
    )  # fmt: skip
    assert (zh.ago(UTC - timedelta(seconds=59)), en.ago(UTC)) == ("刚刚", "just now")


# --- states --------------------------------------------------------------------------------------------


def sync(status: str = "success", mode: str = "incremental", ago: timedelta | None = HOUR) -> records.SyncStatus:
    resource = "products" if mode == "whole" else "orders"
    last = None if ago is None else UTC - ago
    return records.SyncStatus("s", resource, mode, day(20.25), last, UTC, status, "m")


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
def test_a_sync_is_ok_late_or_failed(one: records.SyncStatus, expected: str) -> None:
    assert problems.health(one, UTC) == expected


def test_the_lag_is_now_less_the_watermark_and_a_whole_list_has_none() -> None:
    [shop] = build(page_data(syncs=[sync(), sync()._replace(watermark=None), sync(mode="whole")]))["syncs"]
    assert [(row["watermark"], row["lag"]) for row in shop["rows"]] == [
        ("2026-11-20 06:00", "6 h 0 min"),
        ("–", "–"),
        ("whole list", "–"),
    ]


@pytest.mark.parametrize(("minutes", "state"), [(30, "good"), (59, "good"), (61, "bad"), (90, "bad")])
def test_the_page_is_red_when_the_incremental_has_stopped(minutes: int, state: str) -> None:
    """Within 90 minutes at the latest; not while the next run is still to come."""
    found = build(page_data(syncs=[sync(ago=timedelta(minutes=minutes))], backup=records.LastBackup(UTC, None)))
    assert found["verdict"].state == state
    [row] = found["syncs"][0]["rows"]
    assert row["badge"] == state


def test_what_a_run_counted_is_in_the_page_s_language_and_an_error_is_quoted() -> None:
    counted = sync()._replace(message="staged 1498, inserted 2, updated 0, unchanged 1496, rejected 0")
    marts = sync()._replace(resource="marts", mode="refresh", message="sales 3, buyers 4")
    broken = sync("failed")._replace(message="connection xiaoe_default: 2 errors")
    [shop] = build(page_data(syncs=[counted, marts, broken]), "zh")["syncs"]
    assert [(row["note"], row["is_quoted"]) for row in shop["rows"]] == [
        ("读取 1,498，新增 2，更新 0，未变化 1,496，无法解析 0", False),
        ("重算 7 项", False),
        ("connection xiaoe_default: 2 errors", True),
    ]


def test_cards_add_up_the_shops() -> None:
    shops = [records.ShopBacklog("a", 2, 0, timedelta(), 0), records.ShopBacklog("b", 3, 4, 5 * HOUR, 1)]
    found = cards(page_data(shops=shops))
    assert found["Orders in review"].value == "5"
    assert found["Orders to be seen again"][1:3] == ("4", "longest 5 h 0 min")
    assert found["Rows and fields not readable"].state == "warn"
    assert found["Open alerts"][:4] == ("Open alerts", "0", "", "good")


def check(name: str, severity: str, measured: int | None = 2, expected: str = "无") -> records.FailedCheck:
    return records.FailedCheck(
        "s", name, severity, Decimal(measured) if measured else None, expected, "x_state = 12", UTC
    )


def test_severe_faults_and_warnings_are_apart_and_only_severe_is_red() -> None:
    found = cards(page_data(checks=[check("unknown_codes", "warning"), check("item_sums", "critical")]))
    assert found["Severe faults"][1:4] == ("1", "", "bad")
    assert found["Warnings"][1:4] == ("1", "", "warn")
    found = cards(page_data(checks=[check("unknown_codes", "warning")] * 2))
    assert (found["Severe faults"].state, found["Warnings"].state) == ("good", "warn")


def test_a_check_is_named_in_chinese_with_what_to_do() -> None:
    rows = build(
        page_data(checks=[check("unknown_codes", "warning"), check("order_quantity", "warning", 3, "q >= 1")]), "zh"
    )
    first, second = rows["checks"]
    assert (first["title"], first["found"], first["expected"]) == ("没有中文说明的代码", "发现 2 项，应为 0 项", "")
    assert first["advice"] == "查明含义后写入 include/codes/；受影响的行会自动重新解析"
    assert (second["found"], second["expected"], second["badge"]) == ("实测 3", "q >= 1", "warn")


# --- the first line ------------------------------------------------------------------------------------

SAVED = records.LastBackup(UTC - HOUR, "success")
OPEN = records.OpenAlert("failed", "xiaoe_refunds", "shop.stage", "x", "m answered code 2051: n", None, UTC, UTC, 1)
SHOPS = [records.ShopBacklog("s", 7, 1, HOUR, 3)]


@pytest.mark.parametrize(
    ("changes", "state", "headline", "todos"),
    [
        ({}, "good", "一切正常", []),
        ({"shops": SHOPS}, "good", "一切正常", [("", "7 单福利等人工复核")]),
        (
            {"checks": [check("unknown_codes", "warning")], "backup": None},
            "warn",
            "一切正常，2 项可以留意",
            [("warn", "1 项数据检查有警告，不需要消到 0"), ("warn", "尚未备份：请启用“每日备份”")],
        ),
        (
            {"alerts": [OPEN], "checks": [check("item_sums", "critical"), check("unknown_codes", "warning")]},
            "bad",
            "有 2 项要处理",
            [
                ("bad", "1 个告警没有结束"),
                ("bad", "1 项数据检查不通过"),
                ("warn", "1 项数据检查有警告，不需要消到 0"),
                ("", "修好之后，清除失败的任务"),
            ],
        ),
        ({"backup": records.LastBackup(UTC - 40 * HOUR, None)}, "bad", "有 1 项要处理", None),
        ({"storage": [records.StorageFigure("free_disk", 1, None, UTC)]}, "bad", "有 1 项要处理", None),
        ({"storage": [records.StorageFigure("binlog", 21 * 10**9, None, UTC)]}, "warn", "一切正常，1 项可以留意", None),
        (
            {"refusals": [Refusal("mail", "a@b", "no", UTC, UTC, 1)]},
            "bad",
            "有 1 项要处理",
            [("bad", "通知发不到：a@b")],
        ),
    ],
)
def test_the_first_line_says_whether_somebody_has_to_do_something(
    changes: dict[str, Any], state: str, headline: str, todos: list[tuple[str, str]] | None
) -> None:
    found = build(page_data(**{"syncs": [sync(ago=timedelta(minutes=5))], "backup": SAVED, **changes}), "zh")["verdict"]
    assert (found.state, found.headline) == (state, headline)
    assert todos is None or [(one.state, one.text) for one in found.todos] == todos


def test_each_thing_to_do_leads_to_where_it_is_done() -> None:
    data = page_data(shops=SHOPS, alerts=[OPEN], checks=[check("a", "critical")], syncs=[sync(ago=3 * HOUR)])
    html = web._template("page.html").render(build(data, "zh"))
    hrefs = [todo.href for todo in build(data, "zh")["verdict"].todos]
    assert "../required_actions?response_received=false" in hrefs
    assert "../dags?last_dag_run_state=failed" in hrefs
    for anchor in (href for href in hrefs if href.startswith("#")):
        assert f'id="{anchor[1:]}"' in html
    assert re.findall(r'<nav class="anchors".*?</nav>', html, re.S)


@pytest.mark.parametrize(
    ("backup", "state", "note"),
    [
        (None, "warn", "no backup yet: switch Backup on"),
        (records.LastBackup(UTC - 8 * HOUR, "success"), "good", "restore drill: passed"),
        (records.LastBackup(UTC - 8 * HOUR, None), "good", ""),
        (records.LastBackup(UTC - 8 * HOUR, "failed"), "bad", "restore drill: failed"),
        (records.LastBackup(UTC - 40 * HOUR, "success"), "bad", "restore drill: passed"),
    ],
)
def test_an_old_backup_or_a_failed_drill_shows(backup: records.LastBackup | None, state: str, note: str) -> None:
    card = cards(page_data(backup=backup))["Last backup"]
    assert (card.state, card.note) == (state, note)


@pytest.mark.parametrize(
    ("metric", "size", "state"),
    [
        ("free_disk", 5 * 10**9, "good"),
        ("free_disk", 5 * 10**9 - 1, "bad"),
        ("page_store", 50 * 10**9, "good"),
        ("page_store", 50 * 10**9 + 1, "warn"),
        ("binlog", 21 * 10**9, "warn"),
        ("binlog", None, ""),
        ("database", 10**15, ""),
    ],
)
def test_storage_is_held_against_its_limit(metric: str, size: int | None, state: str) -> None:
    note = "no_right" if size is None else None
    [row] = build(page_data(storage=[records.StorageFigure(metric, size, note, UTC)]))["storage"]
    assert row["state"] == state
    if size is None:
        assert (row["value"], row["note"]) == ("–", "this MySQL user may not see them")


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
    data = page_data(days=[records.SyncDay(NOW.date(), 5, 6, 10, 3)])
    rows, calls = (chart["svg"] for chart in build(data)["charts"])
    assert "<title>11-20 5</title>" in rows
    assert "<title>11-20 7</title>" in calls
    assert "<title>11-20 3</title>" in calls


def test_without_data_a_chart_says_so() -> None:
    assert all("no data yet" in chart["svg"] for chart in build(page_data())["charts"])


def test_who_saw_changes_first_is_drawn_once_some_were_logged() -> None:
    today = NOW.astimezone(BEIJING).date()
    sources = [records.ChangeSource(today, "push", 12, 0), records.ChangeSource(today, "rescan", 3, 2)]
    *_, first, unhinted = build(page_data()._replace(sources=sources))["charts"]
    assert (first["title"], unhinted["title"]) == ("Who saw changes of orders first", "Changes that only a rescan saw")
    assert "message push" in first["svg"]
    assert "15-day rescan" in first["svg"]
    assert len(build(page_data())["charts"]) == 2


def test_growth_begins_with_the_first_sample_and_is_in_gigabytes() -> None:
    growth = [records.StorageDay(NOW.date() - back * DAY, "database", (10 - back) * 10**9) for back in (2, 0)]
    svg = build(page_data(growth=growth))["growth"]["svg"]
    assert re.findall(r"<title>(11-\d\d [\d.]+)</title>", svg) == ["11-18 8", "11-20 10"]


# --- the page ------------------------------------------------------------------------------------------


def everything(text: str) -> records.PageData:
    """A page with this text wherever one comes from outside."""
    return page_data(
        shops=[records.ShopBacklog(text, 0, 0, timedelta(), 0), records.ShopBacklog("other", 0, 0, timedelta(), 0)],
        shop_id=text,
        syncs=[records.SyncStatus(text, text, text, None, None, UTC, text, text)],
        alerts=[records.OpenAlert(text, text, text, text, text, f"https://h/{text}", UTC, UTC, 2)],
        checks=[records.FailedCheck(text, text, text, None, text, text, UTC)],
        runs=[records.SyncRun(text, text, text, UTC, UTC, None, Decimal(1), *[1] * 6, Decimal(0))],
        windows=[records.LedgerWindow(text, text, day(1), day(2), *[1] * 7, UTC)],
        looks={text: looks((1, 2, HOUR))},
        tables=[TableSize(text, 1, 2, 3)],
        storage=[records.StorageFigure("binlog", None, text, UTC)],
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_comes_from_outside_is_text_everywhere(language: str) -> None:
    html = web._template("page.html").render(build(everything(EVIL), language))
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 15
    assert "<script" not in html
    assert f'<html lang="{language}">' in html
    again = web._template("page.html").render(build(everything("{{ 7*7 }}"), language))
    assert "49" not in re.sub(r"<svg.*?</svg>", "", again, flags=re.S)


def test_only_a_web_address_becomes_a_link() -> None:
    alert = everything("x").alerts[0]
    for address, linked in (
        ("https://a/b?try=1", True),
        ("https://a//b", False),
        ("javascript:alert(1)", False),
        (None, False),
    ):
        html = web._template("page.html").render(build(page_data(alerts=[alert._replace(log_url=address)])))
        assert ('<a href="/b?try=1">' in html) == linked, "a path: the host of the address opens on few machines"
        assert "javascript:" not in html


def test_links_keep_shop_and_language() -> None:
    html = web._template("page.html").render(build(everything("a&b"), "en"))
    assert 'href="page?lang=zh&amp;shop=a%26b"' in html
    assert 'href="page?lang=en&amp;shop=other"' in html


def test_an_empty_warehouse_shows() -> None:
    html = web._template("page.html").render(build(page_data()))
    assert "No shop has been synced yet." in html
    assert "No sample yet" in html


TAG = re.compile(r"<(code|samp|style|svg)\b.*?</\1>|<a [^>]*id=\"language\".*?</a>|<title>.*?</title>", re.S)


def shown_words(html: str) -> list[str]:
    """Latin words of four letters and more that a reader sees, besides ids and quoted errors."""
    body = TAG.sub("", html.partition("<body>")[2])
    titles = re.findall(r' (?:title|aria-label|data-label)="([^"]*)"', body)
    return re.findall(r"[A-Za-z]{4,}", re.sub(r"<[^>]*>", " ", body) + " ".join(titles))


def test_the_chinese_page_has_no_english() -> None:
    """Except ids, and what errors and checks quote."""
    failing = [
        records.FailedCheck(
            "店", one.name, one.severity, Decimal(2), getattr(one, "expected", "无"), "x_state = 12", UTC
        )
        for one in CHECKS
    ]
    syncs = [
        records.SyncStatus("店", resource, mode, day(20.25), UTC - HOUR, UTC, "success", "staged 1, inserted 2")
        for resource, mode in FRESH_WITHIN
    ]
    data = everything("店")._replace(
        alerts=[OPEN, OPEN._replace(kind="late", dag_id="xiaoe_marts", task_id="", message="到点未完成")],
        checks=failing,
        syncs=syncs,
        refusals=[Refusal("mail", "运维", "550 no such user", UTC, UTC, 1)],
        shops=SHOPS,
        looks={"orders": looks((1, 2, HOUR)), "refunds": []},
        storage=[
            records.StorageFigure(metric, size, note, UTC)
            for metric, size, note in (
                ("database", 10**9, None),
                ("page_store", 10**12, None),
                ("binlog", None, "no_right"),
                ("free_disk", 10, None),
            )
        ],
        shop_checks=[records.LatestShopCheck("店", UTC, "fits", "[]")],
        runs=[records.SyncRun("orders", "rescan", "scheduled__1", UTC, UTC, None, Decimal(1), *[1] * 6, Decimal(0))],
        windows=[records.LedgerWindow("users", "whole", day(1), day(2), *[1] * 7, UTC)],
    )
    assert shown_words(web._template("page.html").render(build(data, "zh"))) == []
    assert shown_words(web._template("page.html").render(build(page_data(), "zh"))) == []


def test_every_route_asks_who_is_there() -> None:
    app = web.create_app()
    routes: dict[str, Any] = {route.path: route for route in app.routes}  # type: ignore[attr-defined]
    pages = {"/page", "/today", "/monitor.css", "/export", "/export/file"}
    by_link = {"/link/{token}/today", "/link/{token}/monitor.css"}
    assert routes.keys() == pages | by_link
    for path, route in routes.items():
        [guard] = route.dependencies
        expected = "requires_access_view" if path in pages else "requires_valid_link"
        assert expected in guard.dependency.__qualname__


# --- the plugin ----------------------------------------------------------------------------------------


def test_the_menu_leads_to_routes_of_the_pages() -> None:
    [app], entries = XiaoeMonitorPlugin.fastapi_apps, XiaoeMonitorPlugin.external_views
    assert app["url_prefix"] == URL_PREFIX
    assert [entry["href"] for entry in entries] == [f"{URL_PREFIX}/page", f"{URL_PREFIX}/today"]
    assert {entry["destination"] for entry in entries} == {"nav"}


def test_registering_it_loads_neither_fastapi_nor_the_database_driver() -> None:
    """Each worker and each DAG processor imports this module."""
    tree = ast.parse((FOLDER / "plugin.py").read_text("utf-8"))
    names = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert names == {"__future__", "typing", "airflow.plugins_manager", "xiaoe.alerts.deadline"}
    tree = ast.parse((FOLDER.parent / "alerts" / "deadline.py").read_text("utf-8"))
    names = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert names == {"__future__", "datetime", "typing", "airflow.sdk.definitions.deadline"}
    assert not any(isinstance(node, ast.Import) for node in tree.body)


def test_template_and_style_name_nothing_from_elsewhere() -> None:
    for file in (FOLDER / "templates").iterdir():
        assert not re.search(r"https?:|@import|url\(|//\w", file.read_text("utf-8")), file.name

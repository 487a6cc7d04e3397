"""The checks without a database: which rows a run looks at, gaps, what is usual, the documentation."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xiaoe import settings
from xiaoe.clock import BEIJING
from xiaoe.coverage import Look, Segment, Span, gaps, segments
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.quality.catalogue import CHECKS, CRITICAL, QUERY_CHECKS, WARNING, QueryCheck
from xiaoe.quality.figures import complete_days, judge_day
from xiaoe.quality.gaps import classify_gaps
from xiaoe.quality.scope import CheckScope, is_full
from xiaoe.quality.totals import Day, sample
from xiaoe.settings import INCLUDE_DIR

DOCS = Path(__file__).parents[2] / "docs"
DAY_ONE = datetime(2026, 11, 1, tzinfo=BEIJING)
HOURS = 60
SPANS = st.lists(
    st.tuples(st.integers(-5, HOURS + 5), st.integers(-2, 20)).map(lambda one: Span(at(one[0]), at(one[0] + one[1])))
)


def at(hour: int) -> datetime:
    return DAY_ONE + timedelta(hours=hour)


def read(spans: list[Span]) -> list[Segment]:
    """Spans that were read, all at once."""
    return segments(Look(*span, at(HOURS)) for span in spans)


# --- the catalogue and its documentation ---------------------------------------------------------------


def test_names_are_unique_and_fit_for_an_alias_and_a_column() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    for check in CHECKS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", check.name)
        assert len(check.name) <= 64
        assert check.severity in (CRITICAL, WARNING)
        assert re.search("[\u4e00-\u9fff]", check.title)
        assert check.advice


def test_each_query_has_its_template_and_each_template_is_run() -> None:
    templates = {path.stem for path in (INCLUDE_DIR / "sql" / "checks").glob("*.sql")}
    assert {check.name for check in QUERY_CHECKS} == templates


@pytest.mark.parametrize("check", QUERY_CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("full", [True, False])
def test_each_query_keeps_to_one_shop(check: QueryCheck, full: bool) -> None:
    sql = CheckScope("app-1_x", at(0), full=full).query(check.name, wait_hours=2)
    assert "shop_id = 'app-1_x'" in sql
    assert "{{" not in sql


def table(page: str) -> dict[str, list[str]]:
    """The rows of a page's table of checks, by name."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", (DOCS / page).read_text("utf-8"), re.M)
    assert len(dict(rows)) == len(rows)
    return {name: re.split(r" \| ", rest) for name, rest in rows}


def test_every_check_is_documented_as_it_is() -> None:
    english, chinese = table("quality.md"), table("quality.zh-CN.md")
    order = [check.name for check in CHECKS]
    assert list(english) == list(chinese) == order
    for check in CHECKS:
        severity, found, do, over = english[check.name]
        assert severity == check.severity
        assert found
        assert do
        assert over
        assert chinese[check.name] == ["严重" if check.severity == CRITICAL else "警告", check.title, check.advice]


def test_advice_names_only_sections_that_there_are() -> None:
    headings = re.findall(r"^## (.*)$", (DOCS / "quality.zh-CN.md").read_text("utf-8"), re.M)
    named = {name for check in CHECKS for name in re.findall("「(.*?)」", check.advice)}
    assert named
    assert named <= set(headings)


# --- which rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "due", "full"),
    [
        ("scheduled", "2026-11-20T05:50+08:00", True),
        ("scheduled", "2026-11-19T21:50+00:00", True),
        ("scheduled", "2026-11-20T04:50+08:00", False),
        ("scheduled", "2026-11-20T06:50+08:00", False),
        ("scheduled", "2026-11-20T05:50+00:00", False),
        ("manual", "2026-11-20T12:00+08:00", True),
    ],
)
def test_all_rows_are_looked_at_once_a_day_and_by_hand(kind: str, due: str, full: bool) -> None:
    assert is_full(kind, datetime.fromisoformat(due)) is full


def test_recent_rows_are_told_by_the_clock_of_their_column() -> None:
    scope = CheckScope("app1", datetime(2026, 11, 20, 12, tzinfo=BEIJING), full=False)
    assert scope.rows("orders") == (
        "o.shop_id = 'app1' AND (o.created_time >= '2026-11-04 12:00:00' OR o.created_time IS NULL)"
    )
    assert "d.decided_at >= '2026-11-04 04:00:00.000'" in scope.rows("decisions")


def test_recent_follows_the_rescan(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("XIAOE_RESCAN_DAYS", "30")
    scope = CheckScope("app1", datetime(2026, 11, 20, 12, tzinfo=BEIJING), full=False)
    assert "o.created_time >= '2026-10-20 12:00:00'" in scope.rows("orders")


# --- gaps ----------------------------------------------------------------------------------------------


@given(SPANS, st.none() | st.integers(0, HOURS), st.booleans())
def test_each_gap_is_lost_or_to_come(spans: list[Span], frontier: int | None, moving: bool) -> None:
    covered = read(spans)
    begin, now = at(0), at(HOURS)
    ledger = classify_gaps(covered, begin, now, frontier=None if frontier is None else at(frontier), moving=moving)
    assert ledger.begin == begin
    assert begin <= ledger.end <= now
    assert sorted([*ledger.lost, *ledger.to_come]) == gaps(covered, begin, ledger.end)
    assert 0 <= ledger.share <= 1
    assert (ledger.share == 1) == (not ledger.lost and not ledger.to_come)
    for gap in ledger.to_come:
        assert moving
        assert frontier is None or gap.begin >= at(frontier)
    for gap in ledger.lost:
        assert not moving or (frontier is not None and gap.begin < at(frontier))


WEEKS = [Span(at(0), at(10)), Span(at(20), at(30)), Span(at(50), at(60))]


@pytest.mark.parametrize(
    ("frontier", "moving", "lost", "to_come"),
    [
        (30, True, [(10, 20)], [(30, 50)]),
        (10, True, [], [(10, 20), (30, 50)]),
        (None, True, [], [(10, 20), (30, 50)]),
        (60, True, [(10, 20), (30, 50)], []),
        (None, False, [(10, 20), (30, 50)], []),
    ],
    ids=["a week failed", "on its way", "not begun", "over", "it has stopped"],
)
def test_what_lies_behind_the_history_is_lost_and_what_lies_before_it_is_to_come(
    frontier: int | None, moving: bool, lost: list[tuple[int, int]], to_come: list[tuple[int, int]]
) -> None:
    ledger = classify_gaps(
        read(WEEKS), at(0), at(70), frontier=None if frontier is None else at(frontier), moving=moving
    )
    assert ledger.lost == [Span(at(begin), at(end)) for begin, end in lost]
    assert ledger.to_come == [Span(at(begin), at(end)) for begin, end in to_come]
    assert ledger.end == at(60), "behind the last window nothing is missing: that is for freshness to tell"


def test_without_a_window_everything_is_to_come() -> None:
    assert classify_gaps([], at(0), at(9), frontier=None, moving=True).to_come == [Span(at(0), at(9))]
    assert classify_gaps([], at(9), at(0), frontier=None, moving=True).share == 1, "a history that begins tomorrow"


@pytest.mark.parametrize(
    ("begin", "end", "missing", "days"),
    [
        (0, 72, [], [1, 2, 3]),
        (0, 71, [], [1, 2]),
        (1, 72, [], [2, 3]),
        (0, 72, [(30, 31)], [1, 3]),
        (0, 72, [(24, 48)], [1, 3]),
        (0, 72, [(23, 49)], []),
        (0, 20, [], []),
    ],
)
def test_only_whole_days_are_compared(begin: int, end: int, missing: list[tuple[int, int]], days: list[int]) -> None:
    spans = gaps(read([Span(at(one), at(other)) for one, other in missing]), at(begin), at(end))
    ledger = classify_gaps(read(spans), at(begin), at(end), frontier=None, moving=True)
    assert [day.day for day in complete_days(ledger)] == days


# --- totals --------------------------------------------------------------------------------------------


@given(st.sets(st.dates(date(2025, 1, 1), date(2026, 1, 1))), st.integers(1, 9), st.text())
def test_the_days_drawn_are_some_of_them_and_the_same_for_the_same_seed(
    days: set[date], number: int, seed: str
) -> None:
    drawn = sample(sorted(days), number, seed)
    assert len(set(drawn)) == len(drawn) == min(number, len(days))
    assert set(drawn) <= days
    assert drawn == sample(sorted(days, reverse=True), number, seed)


def test_every_day_gets_its_turn() -> None:
    days = [date(2026, 1, 1) + timedelta(days=one) for one in range(60)]
    assert {day for hour in range(300) for day in sample(days, 2, f"app1 {hour}")} == set(days)


@pytest.mark.parametrize(("told", "agrees"), [(9, False), (10, True), (11, True), (12, True), (13, False)])
def test_what_may_be_counted_in_or_not_is_no_difference(told: int, agrees: bool) -> None:
    assert Day(date(2026, 11, 1), told, 10, 12).agrees is agrees


@pytest.mark.parametrize(("told", "agrees"), [(10_000, True), (12_001, True), (12_003, False)])
def test_a_total_that_may_be_a_cap_is_a_lower_limit(told: int, agrees: bool) -> None:
    assert Day(date(2026, 11, 1), told, 12_001, 12_002, is_capped=True).agrees is agrees
    assert Day(date(2026, 11, 1), told, 12_001, 12_002).agrees is (told == 12_001)


@pytest.mark.parametrize("value", ["0", "-1", "x", ""])
def test_a_wrong_number_of_days_is_told(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_QUALITY_SAMPLE_DAYS", value)
    with pytest.raises(XiaoeConfigError, match="XIAOE_QUALITY_SAMPLE_DAYS"):
        settings.quality_sample_days()


# --- orders of a day -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orders", "before", "severity"),
    [
        (30, [30, 30, 30], ""),
        (10, [30, 30, 30], ""),
        (9, [30, 30, 30], WARNING),
        (90, [30, 30, 30], ""),
        (91, [30, 30, 30], WARNING),
        (0, [30, 30, 30], CRITICAL),
        (0, [20, 20, 20], CRITICAL),
        (0, [19, 19, 19], ""),
        (0, [30, 30], ""),
        (0, [30, 30, 0, 0, 0], ""),
        (9, [0, 0, 0, 0, 30, 30, 30], WARNING),
        (10, [1000, 30, 30], ""),
        (0, [], ""),
    ],
)
def test_a_day_is_judged_by_what_is_usual(orders: int, before: list[int], severity: str) -> None:
    assert judge_day(orders, before)[0] == severity

"""Windows: every slice meets the next, no run leaves a gap, and who may move the watermark."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.clock import BEIJING, parse_time
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.windows import (
    EVER,
    MAX_SLICE,
    Plan,
    Run,
    Window,
    parse_span,
    plan_history,
    plan_incremental,
    plan_recent,
    plan_rescan,
    plan_whole,
    slices,
    span,
    whole_days,
)

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
FIRST = NOW - timedelta(days=8)
START = datetime(2025, 1, 1, tzinfo=BEIJING)

moments = st.datetimes(datetime(2025, 1, 1), datetime(2035, 1, 1), timezones=st.sampled_from([BEIJING, timezone.utc]))
spans = st.timedeltas(timedelta(seconds=1), timedelta(days=800))
overlaps = st.timedeltas(timedelta(0), timedelta(days=2)).map(lambda span: timedelta(seconds=int(span.total_seconds())))
lags = st.integers(0, 3600).map(lambda seconds: timedelta(seconds=seconds))


def whole(moment: datetime) -> datetime:
    """As a window holds it: whole seconds."""
    return moment.replace(microsecond=0)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def scheduled(end: datetime, every: timedelta = timedelta(minutes=30)) -> Run:
    return Run("scheduled", end, end - every, end)


# --- window and slices ---------------------------------------------------------------------------------


@given(moments, spans)
def test_a_window_of_airflow_s_times_is_the_window_of_plain_ones(begin: datetime, length: timedelta) -> None:
    """A manifest holds them, and msgspec encodes no subclass of `datetime`."""
    window = Window(pendulum.instance(begin), pendulum.instance(begin) + length)
    assert window == Window(begin, begin + length)
    assert {type(moment) for moment in (window.begin, window.end)} == {datetime}
    assert {moment.tzinfo for moment in (window.begin, window.end)} == {BEIJING}


@given(moments, spans)
def test_a_folder_s_name_tells_its_window(begin: datetime, length: timedelta) -> None:
    window = Window(begin, whole(begin) + length + timedelta(seconds=1))
    assert parse_span(span(window)) == window


@pytest.mark.parametrize(
    "name", ["", "orders", "20261113T000000", "20261113T000000_", "20261113T000000_20261113T000000"]
)
def test_a_folder_that_is_named_after_no_window(name: str) -> None:
    assert parse_span(name) is None


@given(moments, spans)
def test_slices_cover_the_window_exactly_in_order_and_each_fits_the_api(begin: datetime, span: timedelta) -> None:
    window = Window(begin, whole(begin) + span + timedelta(seconds=1))
    parts = slices(window)
    assert parts[0].begin == window.begin
    assert parts[-1].end == window.end
    assert all(left.end == right.begin for left, right in pairwise(parts))
    assert all(part.begin < part.end <= part.begin + MAX_SLICE for part in parts)


@given(moments, spans, st.timedeltas(timedelta(hours=1), timedelta(days=30)))
def test_slices_are_as_few_as_possible(begin: datetime, span: timedelta, longest: timedelta) -> None:
    longest = timedelta(seconds=int(longest.total_seconds()))
    window = Window(whole(begin), whole(begin) + timedelta(seconds=int(span.total_seconds())))
    assert len(slices(window, longest)) == -(-(window.end - window.begin) // longest)


def test_a_week_is_one_slice_and_a_second_more_is_two() -> None:
    assert slices(Window(START, START + MAX_SLICE)) == [Window(START, START + MAX_SLICE)]
    longer = Window(START, START + MAX_SLICE + timedelta(seconds=1))
    assert slices(longer)[1] == Window(START + MAX_SLICE, longer.end)


def test_a_window_holds_whole_seconds_of_beijing_time() -> None:
    window = Window(datetime(2025, 1, 1, 0, 0, 0, 999_999, timezone.utc), datetime(2025, 1, 1, 1, tzinfo=timezone.utc))
    assert window.begin == at("2025-01-01 08:00:00")
    assert window.begin.utcoffset() == 8 * HOUR
    assert str(window) == "2025-01-01 08:00:00 → 2025-01-01 09:00:00"


@given(moments, st.timedeltas(timedelta(0), timedelta(days=10)))
def test_an_empty_window_is_refused_with_both_ends_in_the_message(begin: datetime, back: timedelta) -> None:
    with pytest.raises(XiaoeConfigError, match=r"is empty: `from` has to lie before `to`") as caught:
        Window(begin, begin - back)
    assert f"{begin.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}" in str(caught.value)


# --- incremental ---------------------------------------------------------------------------------------


@given(moments, st.timedeltas(timedelta(seconds=1), timedelta(days=400)), overlaps, lags)
def test_an_incremental_run_reads_from_before_the_watermark_up_to_the_interval_end(
    watermark: datetime, ahead: timedelta, overlap: timedelta, lag: timedelta
) -> None:
    watermark = whole(watermark)
    end = watermark + lag + ahead + timedelta(seconds=1)
    plan = plan_incremental(scheduled(end), watermark, overlap=overlap, lag=lag, first=FIRST)
    assert plan.moves_watermark
    assert plan.window.begin == watermark - overlap
    assert plan.window.end == whole(end - lag)


@given(
    moments,
    st.lists(st.tuples(st.integers(1, 400 * 48), st.booleans()), min_size=1, max_size=12),
    overlaps,
    st.integers(0, 1700).map(lambda seconds: timedelta(seconds=seconds)),
)
def test_consecutive_runs_leave_no_gap_however_long_the_outage_and_whichever_run_failed(
    first: datetime, rhythm: list[tuple[int, bool]], overlap: timedelta, lag: timedelta
) -> None:
    """The scheduler is down for up to a year between two runs; a failed run leaves the watermark alone."""
    end = whole(first)
    watermark = None
    covered: list[Window] = []
    for half_hours, succeeds in rhythm:
        first_begin = end - lag - MAX_SLICE
        plan = plan_incremental(scheduled(end), watermark, overlap=overlap, lag=lag, first=first_begin)
        assert plan.window.end == end - lag
        if succeeds:
            covered.append(plan.window)
            watermark = plan.window.end if plan.moves_watermark else watermark
        end += half_hours * timedelta(minutes=30)
    assert all(later.begin <= earlier.end for earlier, later in pairwise(covered))
    assert watermark == (covered[-1].end if covered else None)


def test_after_three_days_without_a_scheduler_one_run_closes_the_gap() -> None:
    plan = plan_incremental(scheduled(NOW), NOW - timedelta(days=3), overlap=HOUR, lag=MINUTE, first=FIRST)
    assert plan == Plan(Window(NOW - timedelta(days=3) - HOUR, NOW - MINUTE), moves_watermark=True)


def test_the_first_run_reads_the_week_that_the_history_has_not_closed() -> None:
    plan = plan_incremental(scheduled(NOW), None, overlap=HOUR, lag=MINUTE, first=FIRST)
    assert plan == Plan(Window(FIRST, NOW - MINUTE), moves_watermark=True)


@given(moments, st.timedeltas(timedelta(0), timedelta(days=900)), overlaps, lags)
def test_a_watermark_ahead_means_the_own_interval_again_and_stays_where_it_is(
    end: datetime, ahead: timedelta, overlap: timedelta, lag: timedelta
) -> None:
    """A run of the past that somebody cleared; also a watermark in the future, after a clock was wrong."""
    end = whole(end)
    run = scheduled(end)
    plan = plan_incremental(run, end - lag + ahead, overlap=overlap, lag=lag, first=FIRST)
    assert not plan.moves_watermark
    assert plan.window.end == end - lag
    assert run.interval_begin is not None
    assert plan.window.begin <= min(run.interval_begin, end - lag - MINUTE)


def test_a_cleared_run_without_an_interval_reads_its_overlap_again() -> None:
    run = Run("asset_triggered", NOW)
    assert plan_incremental(run, NOW, overlap=HOUR, lag=MINUTE, first=FIRST) == Plan(
        Window(NOW - MINUTE - HOUR, NOW - MINUTE)
    )


def test_a_scheduled_run_ends_with_its_interval_however_late_it_runs() -> None:
    run = Run("scheduled", NOW + 3 * HOUR, NOW - HOUR, NOW)
    end = NOW - MINUTE
    incremental = plan_incremental(run, NOW - 2 * HOUR, overlap=HOUR, lag=MINUTE, first=FIRST)
    assert incremental == Plan(Window(NOW - 3 * HOUR, end), moves_watermark=True)
    rescan = plan_rescan(run, lookback=timedelta(days=15), lag=MINUTE)
    assert rescan == Plan(Window(end - timedelta(days=15), end), moves_watermark=True)


def test_a_scheduled_run_never_ends_after_now() -> None:
    """The interval of an early run ends in the future: its orders are still to come."""
    run = Run("scheduled", NOW, NOW, NOW + timedelta(minutes=30))
    assert plan_incremental(run, NOW - HOUR, overlap=HOUR, lag=MINUTE, first=FIRST).window.end == NOW - MINUTE


@pytest.mark.parametrize("kind", ["manual", "asset_triggered"])
def test_a_run_that_a_person_starts_means_now_whatever_its_interval(kind: str) -> None:
    run = Run(kind, NOW, NOW - timedelta(days=9), NOW - timedelta(days=8))
    plan = plan_incremental(run, NOW - HOUR, overlap=HOUR, lag=MINUTE, first=FIRST)
    assert plan == Plan(Window(NOW - 2 * HOUR, NOW - MINUTE), moves_watermark=True)


# --- backfill, history, rescan -------------------------------------------------------------------------


@given(moments, spans, moments, overlaps, lags)
def test_a_backfill_takes_its_interval_and_leaves_the_watermark_alone(
    begin: datetime, span: timedelta, watermark: datetime, overlap: timedelta, lag: timedelta
) -> None:
    run = Run("backfill", NOW, whole(begin), whole(begin) + span)
    interval = Window(whole(begin), whole(begin) + span)
    assert plan_incremental(run, watermark, overlap=overlap, lag=lag, first=FIRST) == Plan(interval)
    assert plan_incremental(run, None, overlap=overlap, lag=lag, first=FIRST) == Plan(interval)
    assert plan_history(run, start=START, lag=lag) == Plan(whole_days(interval))
    rescan = plan_rescan(run, lookback=timedelta(days=15), lag=lag)
    assert rescan == Plan(Window(interval.end - timedelta(days=15), interval.end))


@pytest.mark.parametrize("offset", ["+00:00", "+08:00", "-05:00"])
def test_a_backfill_s_bare_dates_mean_days_in_beijing(offset: str) -> None:
    """Wherever Airflow's default zone is: `--from-date 2025-03-01 --to-date 2025-03-31`."""
    week = timedelta(days=7)
    begins = [datetime.fromisoformat(f"2025-03-01T00:00:00{offset}") + number * week for number in range(5)]
    windows = [
        plan_history(Run("backfill", NOW, begin, begin + week), start=START, lag=MINUTE).window for begin in begins
    ]
    assert windows[0].begin == at("2025-03-01")
    assert windows[-1].end >= at("2025-04-05")
    assert all(later.begin <= earlier.end for earlier, later in pairwise(windows))
    assert all(moment.timetuple()[3:6] == (0, 0, 0) for window in windows for moment in (window.begin, window.end))


def test_a_backfill_without_an_interval_says_what_to_do() -> None:
    for half in (None, NOW):
        with pytest.raises(XiaoeConfigError, match="backfill this DAG by dates"):
            plan_incremental(Run("backfill", NOW, half, None), None, overlap=HOUR, lag=MINUTE, first=FIRST)
    with pytest.raises(XiaoeConfigError, match="backfill this DAG by dates"):
        plan_rescan(Run("backfill", NOW), lookback=HOUR, lag=MINUTE)


@given(moments)
def test_history_reads_its_own_week(begin: datetime) -> None:
    run = Run("scheduled", NOW, whole(begin), whole(begin) + MAX_SLICE)
    plan = plan_history(run, start=START, lag=MINUTE)
    assert plan == Plan(Window(whole(begin), whole(begin) + MAX_SLICE))
    assert slices(plan.window) == [plan.window]


@pytest.mark.parametrize(
    "run",
    [
        Run("manual", NOW),
        Run("manual", NOW, NOW - MAX_SLICE, NOW),
        Run("scheduled", NOW),
        Run("scheduled", NOW, NOW - MAX_SLICE, None),
    ],
)
def test_history_by_hand_or_without_an_interval_is_everything_since_the_start(run: Run) -> None:
    assert plan_history(run, start=START, lag=MINUTE) == Plan(Window(START, NOW - MINUTE))


def test_rescan_reads_the_last_days_before_the_interval_end() -> None:
    days = timedelta(days=15)
    plan = plan_rescan(scheduled(NOW, HOUR), lookback=days, lag=MINUTE)
    assert plan == Plan(Window(NOW - MINUTE - days, NOW - MINUTE), moves_watermark=True)
    assert plan_rescan(Run("manual", NOW), lookback=days, lag=MINUTE) == plan


# --- by hand -------------------------------------------------------------------------------------------


@given(moments, spans, st.sampled_from(["manual", "scheduled"]))
def test_what_a_person_typed_wins_and_never_moves_the_watermark(begin: datetime, span: timedelta, kind: str) -> None:
    begin = whole(begin).astimezone(BEIJING)
    end = begin + timedelta(seconds=int(span.total_seconds()))
    run = Run(kind, end, end - HOUR, end, f"{begin:%Y-%m-%d %H:%M:%S}", end.isoformat())
    expected = Plan(Window(begin, end))
    assert plan_incremental(run, NOW, overlap=HOUR, lag=MINUTE, first=FIRST) == expected
    assert plan_history(run, start=START, lag=MINUTE) == expected
    assert plan_rescan(run, lookback=HOUR, lag=MINUTE) == expected


def test_what_a_person_typed_wins_over_a_backfill_s_interval() -> None:
    run = Run("backfill", NOW, NOW - HOUR, NOW, "2026-11-01", "2026-11-02")
    expected = Plan(Window(at("2026-11-01"), at("2026-11-02")))
    assert plan_rescan(run, lookback=HOUR, lag=MINUTE) == expected
    assert plan_history(run, start=START, lag=MINUTE) == expected


def test_a_moment_that_a_person_typed_for_a_backfill_is_not_widened_to_its_day() -> None:
    run = Run("backfill", NOW, NOW - HOUR, NOW, "2026-11-01 15:00:00")
    assert plan_history(run, start=START, lag=MINUTE) == Plan(Window(at("2026-11-01 15:00:00"), NOW))


def test_a_year_that_cannot_be_meant_is_refused() -> None:
    run = Run("manual", NOW, window_from="2026-11-01", window_to="9999-12-31")
    with pytest.raises(XiaoeConfigError, match=r"^to='9999-12-31' lies more than a year ahead: is the year right"):
        plan_history(run, start=START, lag=MINUTE)


def test_from_alone_means_until_now() -> None:
    run = Run("manual", NOW, window_from="2026-11-01")
    assert plan_incremental(run, None, overlap=HOUR, lag=MINUTE, first=FIRST) == Plan(Window(at("2026-11-01"), NOW))


def test_to_alone_is_refused_with_the_field_the_value_and_the_fix() -> None:
    with pytest.raises(XiaoeConfigError, match=r"^to='2026-11-01' without from: give both, or only from"):
        plan_history(Run("manual", NOW, window_to="2026-11-01"), start=START, lag=MINUTE)


@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize("value", ["yesterday", "2026-13-01", "01.02.2026", "2026-02-30 00:00:00", "१"])
def test_a_wrong_time_is_refused_with_the_field_the_value_and_the_fix(field: str, value: str) -> None:
    typed = {"window_from": "2026-11-01", "window_to": "2026-11-02", f"window_{field}": value}
    with pytest.raises(XiaoeConfigError, match=rf"^{field}='{value}': give a date like 2025-01-01"):
        plan_rescan(Run("manual", NOW, **typed), lookback=HOUR, lag=MINUTE)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_a_config_error(value: str) -> None:
    try:
        moment = parse_time("from", value)
    except XiaoeConfigError:
        return
    assert moment.utcoffset() == 8 * HOUR


@pytest.mark.parametrize("value", ["0001-01-01 00:00:00+14:00", "9999-12-31 23:00:00-14:00"])
def test_a_time_beyond_the_calendar_is_a_config_error(value: str) -> None:
    with pytest.raises(XiaoeConfigError, match=r"^to="):
        parse_time("to", value)


@pytest.mark.parametrize(
    "text",
    ["2025-01-01 08:30:00", " 2025-01-01T08:30:00 ", "2025-01-01 00:30:00+00:00", "2025-01-01 08:30:00+08:00"],
)
def test_a_time_without_an_offset_is_beijing_time(text: str) -> None:
    assert parse_time("from", text) == datetime(2025, 1, 1, 0, 30, tzinfo=timezone.utc)


# --- whole days and whole lists ------------------------------------------------------------------------


@given(moments, spans)
def test_whole_days_are_the_fewest_midnights_around_a_window(begin: datetime, span: timedelta) -> None:
    window = Window(begin, whole(begin) + span + timedelta(seconds=1))
    days = whole_days(window)
    assert days.begin <= window.begin < days.begin + timedelta(days=1)
    assert days.end - timedelta(days=1) < window.end <= days.end
    for midnight in (days.begin, days.end):
        assert midnight.utcoffset() == timedelta(hours=8)
        assert (midnight.hour, midnight.minute, midnight.second) == (0, 0, 0)
    assert whole_days(days) == days


@pytest.mark.parametrize(
    ("begin", "end", "first", "last"),
    [
        ("2026-11-01 00:00:00", "2026-11-02 00:00:00", "2026-11-01", "2026-11-02"),
        ("2026-11-01 00:00:00", "2026-11-02 00:00:01", "2026-11-01", "2026-11-03"),
        ("2026-11-01 23:59:59", "2026-11-02 00:00:00", "2026-11-01", "2026-11-02"),
        ("2026-12-31 12:00:00", "2026-12-31 12:00:01", "2026-12-31", "2027-01-01"),
    ],
)
def test_days_examples(begin: str, end: str, first: str, last: str) -> None:
    assert whole_days(Window(at(begin), at(end))) == Window(at(first), at(last))


@given(moments, st.lists(st.timedeltas(timedelta(seconds=1), timedelta(days=9)), min_size=1, max_size=5))
def test_days_of_neighbouring_windows_leave_no_day_out(begin: datetime, lengths: list[timedelta]) -> None:
    windows = []
    for length in lengths:
        windows.append(whole_days(Window(begin, whole(begin) + length + timedelta(seconds=1))))
        begin = whole(begin) + length + timedelta(seconds=1)
    assert all(later.begin <= earlier.end for earlier, later in pairwise(windows))


@pytest.mark.parametrize("kind", ["scheduled", "manual", "backfill", "asset_triggered"])
def test_a_whole_list_tells_the_present_whatever_the_interval(kind: str) -> None:
    run = Run(kind, NOW, NOW - timedelta(days=99), NOW - timedelta(days=98))
    assert plan_whole(run) == Plan(Window(EVER, NOW), moves_watermark=True)
    assert plan_whole(Run(kind, NOW)) == plan_whole(run)


@pytest.mark.parametrize("typed", [{"window_from": "2026-11-01"}, {"window_to": "2026-11-01"}])
def test_a_window_of_a_whole_list_is_refused(typed: dict[str, str]) -> None:
    with pytest.raises(XiaoeConfigError, match=r"'2026-11-01'.*always read whole: leave both empty"):
        plan_whole(Run("manual", NOW, **typed))


DAY = timedelta(days=1)
WEEK = 7 * DAY


@pytest.mark.parametrize(
    ("kind", "read_until", "whole_at", "first"),
    [
        ("scheduled", NOW - DAY, NOW - DAY, "2026-11-18"),
        ("scheduled", NOW - 3 * DAY, NOW - 6 * DAY, "2026-11-16"),
        ("scheduled", NOW, NOW - WEEK + timedelta(hours=13), "2026-11-19"),
        ("scheduled", NOW - DAY, NOW - WEEK + timedelta(hours=11), None),
        ("scheduled", NOW - DAY, NOW - 2 * WEEK, None),
        ("scheduled", None, NOW - DAY, None),
        ("scheduled", NOW - DAY, None, None),
        ("manual", NOW - DAY, NOW - DAY, None),
        ("backfill", NOW - DAY, NOW - DAY, None),
    ],
)
def test_what_is_recent_begins_a_day_before_the_last_reading_unless_the_whole_list_is_due(
    kind: str, read_until: datetime | None, whole_at: datetime | None, first: str | None
) -> None:
    """The seventh day counts, whatever its hour: a run that took long must not move the others."""
    plan = plan_recent(Run(kind, NOW), read_until, whole_at, every=WEEK)
    begin = at(f"{first} 00:00:00") if first else EVER
    assert plan == Plan(Window(begin, NOW), moves_watermark=True)


# --- where the first incremental run begins ------------------------------------------------------------


@given(moments, spans, overlaps, lags)
def test_the_first_run_begins_where_it_is_told_and_no_later_run_does(
    first: datetime, span: timedelta, overlap: timedelta, lag: timedelta
) -> None:
    end = whole(first) + span + lag + timedelta(seconds=1)
    plan = plan_incremental(scheduled(end), None, overlap=overlap, lag=lag, first=first)
    assert plan == Plan(Window(first, end - lag), moves_watermark=True)
    later = plan_incremental(scheduled(end + HOUR), plan.window.end, overlap=overlap, lag=lag, first=first)
    assert later == plan_incremental(scheduled(end + HOUR), plan.window.end, overlap=overlap, lag=lag, first=FIRST)
    assert later.window.begin == plan.window.end - overlap


def test_neither_a_backfill_nor_a_window_by_hand_begins_there() -> None:
    backfill = Run("backfill", NOW, NOW - HOUR, NOW)
    by_hand = Run("manual", NOW, window_from="2026-11-01")
    for run, begin in ((backfill, NOW - HOUR), (by_hand, at("2026-11-01"))):
        assert plan_incremental(run, None, overlap=HOUR, lag=MINUTE, first=START) == Plan(Window(begin, NOW))

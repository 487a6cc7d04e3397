"""Which window a run reads. Pure functions: no clock, no database, no Airflow.

Every window is half-open, `[begin, end)`, in whole seconds and with a time zone. The API accepts at most 7 days per
call (docs/xiaoe-api.md section 2), so a longer window is cut into slices. A window ends XIAOE_LAG_SECONDS before now;
an incremental one starts `Resource.overlap` before its watermark (orders: XIAOE_OVERLAP_MINUTES), in case a row appears
late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from xiaoe.clock import BEIJING, midnight, parse_time
from xiaoe.exceptions import XiaoeConfigError

MAX_SLICE = timedelta(days=6)
"""A call requests a second more (`resources.orders.created_between`), and at most 7 days."""
EVER = datetime(2000, 1, 1, tzinfo=BEIJING)
"""Begin of the window of a list that is read whole."""
FOREVER = datetime(2100, 1, 1, tzinfo=BEIJING)
"""End of the last part of such a list: it is open-ended."""
MAX_FUTURE = timedelta(days=366)
"""A window that ends later than this after now is treated as a typo."""
_SPAN = "%Y%m%dT%H%M%S"


@dataclass(frozen=True)
class Window:
    """A span of Beijing time, `[begin, end)`; its meaning is the resource's (`resources.base.Scope`).

    Raises:
        XiaoeConfigError: `begin` is not before `end`.
    """

    begin: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "begin", _whole_second(self.begin))
        object.__setattr__(self, "end", _whole_second(self.end))
        if self.begin >= self.end:
            raise XiaoeConfigError(
                f"window {self.begin:%Y-%m-%d %H:%M:%S} to {self.end:%Y-%m-%d %H:%M:%S} is empty: "
                "`from` has to lie before `to` (both Beijing time, `to` is not included)"
            )

    def __str__(self) -> str:
        return f"{self.begin:%Y-%m-%d %H:%M:%S} → {self.end:%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True)
class Run:
    """A DAG run.

    Args:
        kind: Airflow's run type: `scheduled`, `manual`, `backfill`, ...
        now: The moment the run was due; the same for every try of the run.
        interval_begin: Start of the data interval; None if the run has none.
        interval_end: End of the data interval.
        window_from: What a person typed into the form's `from`, Beijing time.
        window_to: What a person typed into the form's `to`, Beijing time, not included.
    """

    kind: str
    now: datetime
    interval_begin: datetime | None = None
    interval_end: datetime | None = None
    window_from: str | None = None
    window_to: str | None = None


@dataclass(frozen=True)
class Plan:
    """A window, and whether the watermark moves to its end once the window is merged."""

    window: Window
    moves_watermark: bool = False


def _whole_second(moment: datetime) -> datetime:
    """In Beijing, as a plain `datetime`: Airflow's are of a subclass, which msgspec does not encode."""
    year, month, day, hour, minute, second, *_ = moment.astimezone(BEIJING).timetuple()
    return datetime(year, month, day, hour, minute, second, tzinfo=BEIJING)


def span(window: Window) -> str:
    """The window as the name of a folder, `20261113T000000_20261120T000000`."""
    return "_".join(f"{moment:{_SPAN}}" for moment in (window.begin, window.end))


def parse_span(name: str) -> Window | None:
    """The window in a folder's name; None if it is no window."""
    begin, _, end = name.partition("_")
    try:
        return Window(*(datetime.strptime(text, _SPAN).replace(tzinfo=BEIJING) for text in (begin, end)))
    except (ValueError, XiaoeConfigError):
        return None


def slices(window: Window, longest: timedelta = MAX_SLICE) -> list[Window]:
    """Cut a window into pieces of at most `longest`, oldest first, without gap or overlap."""
    pieces = []
    begin = window.begin
    while begin < window.end:
        end = min(begin + longest, window.end)
        pieces.append(Window(begin, end))
        begin = end
    return pieces


def halves(window: Window, step: timedelta) -> tuple[Window, Window] | None:
    """Cut a window near its middle, without gap or overlap; None if it cannot be cut.

    Args:
        window: The window.
        step: What a time filter can tell apart: a cut lies a whole number of steps after midnight in Beijing.
    """
    middle = window.begin + (window.end - window.begin) / 2
    cut = EVER + (middle - EVER) // step * step
    if cut <= window.begin:
        cut += step
    return None if cut >= window.end else (Window(window.begin, cut), Window(cut, window.end))


def whole_days(window: Window) -> Window:
    """The window, widened to the midnights around it."""
    begin, last = (moment.date() for moment in (window.begin, window.end - timedelta(seconds=1)))
    return Window(midnight(begin), midnight(last + timedelta(days=1)))


def plan_incremental(
    run: Run, watermark: datetime | None, *, overlap: timedelta, lag: timedelta, first: datetime
) -> Plan:
    """From the watermark minus the overlap to the interval's end minus the lag.

    After an outage the watermark is old and the window long: one run closes the whole gap. A past run that is cleared
    reads its own interval again and does not move the watermark.

    Args:
        run: The DAG run.
        watermark: The end of what is merged; None before the first run.
        overlap: How far before the watermark the window starts.
        lag: How long before now the window ends.
        first: Start of the first run's window.
    """
    if (chosen := _chosen_window(run)) is not None:
        return chosen
    end = _latest_end(run) - lag
    if watermark is None:
        return Plan(Window(first, end), moves_watermark=True)
    if watermark >= end:
        begin = min(run.interval_begin or end, end) - max(overlap, timedelta(minutes=1))
        return Plan(Window(begin, end))
    return Plan(Window(watermark - overlap, end), moves_watermark=True)


def plan_rescan(run: Run, *, lookback: timedelta, lag: timedelta) -> Plan:
    """The last `lookback` before the interval's end, again."""
    if run.kind == "backfill" and run.interval_end is not None and not run.window_from:
        return Plan(Window(run.interval_end - lookback, run.interval_end))
    if (chosen := _chosen_window(run)) is not None:
        return chosen
    end = _latest_end(run) - lag
    return Plan(Window(end - lookback, end), moves_watermark=True)


def plan_history(run: Run, *, start: datetime, lag: timedelta) -> Plan:
    """The run's own interval; without one, everything since the start of the history.

    A backfill's intervals begin at the date that a person typed, which Airflow takes for midnight in its own zone,
    UTC: in Beijing that is 08:00. So they are widened to whole days.
    """
    if (chosen := _chosen_window(run)) is not None:
        typed = run.window_from or run.window_to
        return chosen if typed else Plan(whole_days(chosen.window))
    if run.kind != "manual" and run.interval_begin is not None and run.interval_end is not None:
        return Plan(Window(run.interval_begin, run.interval_end))
    return Plan(Window(start, run.now - lag))


def plan_whole(run: Run) -> Plan:
    """Everything: a list without a time filter shows the present, whatever the run's interval.

    Raises:
        XiaoeConfigError: `from` or `to` is set.
    """
    if run.window_from or run.window_to:
        raise XiaoeConfigError(
            f"from={run.window_from!r}, to={run.window_to!r}: users, products and live streams are always read whole:"
            " leave both empty"
        )
    return Plan(Window(EVER, run.now), moves_watermark=True)


def plan_recent(run: Run, read_until: datetime | None, whole_at: datetime | None, *, every: timedelta) -> Plan:
    """What is new or changed of a whole list; the whole list, from `EVER`, where that is due.

    It is for whoever triggers the DAG by hand, and where either was never read. The window begins a whole day before
    what was read: whether a filter by days includes the first one is not documented.

    Args:
        run: The DAG run.
        read_until: The watermark; None before the first run.
        whole_at: When the whole list was last read, with an offset; None: never.
        every: How many days later it is due again.

    Raises:
        XiaoeConfigError: `from` or `to` is set.
    """
    whole = plan_whole(run)
    if run.kind != "scheduled" or read_until is None or whole_at is None:
        return whole
    if run.now.astimezone(BEIJING).date() - whole_at.astimezone(BEIJING).date() >= every:
        return whole
    first = midnight(read_until.astimezone(BEIJING).date() - timedelta(days=1))
    return Plan(Window(first, run.now), moves_watermark=True)


def plan_parents(run: Run) -> Plan:
    """For lists of parents: those that are due now; or of the window from the form, where there is one."""
    return _chosen_window(run) or Plan(Window(EVER, run.now), moves_watermark=True)


def _chosen_window(run: Run) -> Plan | None:
    """The window from the form, or the interval of a backfill run; None if there is neither."""
    if run.window_from:
        end = parse_time("to", run.window_to) if run.window_to else run.now
        if end > run.now + MAX_FUTURE:
            raise XiaoeConfigError(f"to={run.window_to!r} lies more than a year ahead: is the year right?")
        return Plan(Window(parse_time("from", run.window_from), end))
    if run.window_to:
        raise XiaoeConfigError(f"to={run.window_to!r} without from: give both, or only from (to = now)")
    if run.kind == "backfill":
        if run.interval_begin is None or run.interval_end is None:
            raise XiaoeConfigError("a backfill run without a data interval: backfill this DAG by dates")
        return Plan(Window(run.interval_begin, run.interval_end))
    return None


def _latest_end(run: Run) -> datetime:
    """The interval's end for a scheduled run, else now."""
    if run.kind == "scheduled" and run.interval_end is not None:
        return min(run.interval_end, run.now)
    return run.now

"""Lists above the API's cap: halves that leave no gap, proofs that no cap is mistaken for, tries that go on."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from xiaoe.api.hook import Answer
from xiaoe.clock import BEIJING, utc_now
from xiaoe.exceptions import XiaoeBusyError, XiaoeIncompleteError
from xiaoe.resources.base import Resource
from xiaoe.resources.live_streams import LIVE_STREAMS
from xiaoe.resources.orders import ORDERS
from xiaoe.resources.products import PRODUCTS
from xiaoe.resources.refunds import REFUNDS
from xiaoe.resources.registry import RESOURCES
from xiaoe.resources.users import USERS
from xiaoe.rows.caps import is_counted, may_be_cap
from xiaoe.rows.envelope import open_envelope, read_listing, rows_of
from xiaoe.stage.stager import Stager
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import EVER, MAX_SLICE, Plan, Window, halves

BEGIN = datetime(2026, 9, 1, tzinfo=BEIJING)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
WHOLE = Window(EVER, datetime(2026, 11, 20, 12, tzinfo=BEIJING))
CAP = 100
FEW = settings(max_examples=25, deadline=None)


@pytest.fixture(autouse=True)
def small_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_LIST_CAP", str(CAP))


class Interrupted(Exception):
    """Somebody killed the task."""


@dataclass
class CappedShop:
    """A hook whose list tells at most `cap` rows as its total, and does with pages behind them what `deep` says.

    Args:
        resource: What it lists.
        rows: When each row was made, Beijing; None has no time, and stands behind all others.
        cap: The largest total; None counts on.
        deep: `refused`, `empty` or `served`.
        inclusive: Whether both ends of a time filter are.
        size: Rows on a page.
        most: Calls until it is interrupted.
        code: What a refused page answers.
    """

    resource: Resource
    rows: Sequence[datetime | None]
    cap: int | None = CAP
    deep: str = "refused"
    inclusive: bool = True
    size: int = 10
    most: int | None = None
    code: int = 1002
    asked: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    shop: Any = field(default_factory=lambda: SimpleNamespace(app_id="app1", concurrency=1))
    page_sizes: dict[str, int] = field(default_factory=dict)

    def page_size(self, resource: Resource) -> int:
        return self.size

    def sleep(self, seconds: float) -> None:
        """Nobody waits."""

    def name(self, number: int) -> str:
        return f"row_{number:05d}"

    def list_page(self, resource: Resource, fields: dict[str, Any], *, index: int = 1) -> Answer:
        if len(self.asked) == self.most:
            raise Interrupted
        self.asked.append(json.dumps(fields))
        listed = [number for number, made in enumerate(self.rows) if self._is_asked_for(made, fields)]
        if resource is USERS:  # newest first
            dated = [number for number in listed if self.rows[number] is not None]
            listed = [*reversed(dated), *(number for number in listed if self.rows[number] is None)]
        place = self._place(listed, fields)
        deep = self.cap is not None and place >= self.cap
        if deep and self.deep == "refused":
            error = XiaoeBusyError(f"{resource.endpoint} answered code {self.code}: result window is too large")
            error.code = self.code
            raise error
        shown = listed[place : place + self.size]
        if self.cap is not None and self.deep != "served":
            shown = shown[: max(0, self.cap - place)]
        total = len(listed) if self.cap is None else min(len(listed), self.cap)
        rows = [{resource.reader._mapping[resource.key][0]: self.name(number), "es_skip": number} for number in shown]
        body = json.dumps({"code": 0, "data": {resource.total_key: total, "list": rows}}).encode()
        return Answer(index, utc_now(), body, read_listing(open_envelope(body).data, total_field=resource.total_key))

    def _place(self, listed: list[int], fields: dict[str, Any]) -> int:
        if "es_skip" in fields:
            return listed.index(fields["es_skip"]) + 1
        return (next((fields[key] for key in ("page_index", "page") if key in fields), 1) - 1) * self.size

    def _is_asked_for(self, made: datetime | None, fields: dict[str, Any]) -> bool:
        if "begin_time" in fields:
            begin, end = (datetime.fromtimestamp(fields[name], BEIJING) for name in ("begin_time", "end_time"))
        elif "user_created_start" in fields:
            begin, end = (_day(fields[f"user_created_{name}"]) for name in ("start", "end"))
            end += (DAY - SECOND) * self.inclusive
        elif "date_type" in fields:
            begin, end = map(_day, fields["created_at"].split("||"))
            end += (DAY - SECOND) * self.inclusive
        else:
            return True
        if made is None:
            return False
        if "begin_time" in fields and not self.inclusive:
            return begin < made < end
        return begin <= made < end if not self.inclusive else begin <= made <= end


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def stage(
    shop: CappedShop, folder: Path, window: Window, missing: Callable[..., list[str]] = lambda *_: []
) -> Manifest:
    stager = Stager(shop, shop.resource, RunFolder(folder), missing)  # type: ignore[arg-type]
    return stager.stage(Plan(window), mode="history", run_id="run")


def listed(shop: CappedShop, folder: Path, names: Sequence[str]) -> set[str]:
    """Keys on these pages."""
    run = RunFolder(folder)
    pages = [run.read_page(name) for name in names]
    rows = [raw for page in pages if page for raw in rows_of(page.body, total_field=shop.resource.total_key).rows]
    return {str(key) for key in shop.resource.reader.keys(rows)}


@contextmanager
def scratch() -> Iterator[Path]:
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder) / "run"


# --- halves --------------------------------------------------------------------------------------------

moments = st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(BEIJING))
steps = st.sampled_from([SECOND, DAY])


@given(moments, st.integers(1, 10**9), steps)
def test_halves_have_no_gap_and_no_overlap_down_to_the_last(begin: datetime, seconds: int, step: timedelta) -> None:
    """Along one branch, whichever, to the end; a cut lies on a step, and neither half is much larger."""
    window = Window(begin, begin + timedelta(seconds=seconds))
    turns = 0
    while (cut := halves(window, step)) is not None:
        first, second = cut
        assert (first.begin, first.end, second.end) == (window.begin, second.begin, window.end)
        assert (first.end - EVER) % step == timedelta()
        assert abs((first.end - first.begin) - (second.end - second.begin)) <= 2 * step
        window = cut[(seconds >> turns) & 1]
        turns += 1
    assert turns <= 40
    steps_within = (window.end - EVER - SECOND) // step - (window.begin - EVER) // step
    assert steps_within == 0, "what cannot be cut lies within one step"


@given(
    st.lists(st.tuples(st.integers(0, 3 * 86_400), st.integers(1, 60)), max_size=25),
    st.booleans(),
    st.sampled_from(["refused", "empty", "served"]),
)
@FEW
def test_halved_windows_hold_every_order_once_and_ask_for_no_more_than_a_second_around(
    bursts: list[tuple[int, int]], inclusive: bool, deep: str
) -> None:
    """Whether both ends of the filter are inclusive or neither, and whatever becomes of deep pages."""
    made = sorted(BEGIN + timedelta(seconds=second) for second, rows in bursts for _ in range(rows))
    per_second = Counter(made)
    around = max((sum(per_second[at + n * SECOND] for n in range(3)) for at in per_second), default=0)
    assume(not may_be_cap(around, CAP))
    window = Window(BEGIN, BEGIN + 4 * DAY)
    shop = CappedShop(ORDERS, made, deep=deep, inclusive=inclusive)
    with scratch() as folder:
        manifest = stage(shop, folder, window)
        parts = manifest.slices
        assert (parts[0].begin, parts[-1].end) == (window.begin, window.end)
        assert all(one.end == next_.begin for one, next_ in pairwise(parts))
        for part in parts:
            assert (part.api_total, part.proof) == (part.staged, "total")
            assert not may_be_cap(part.staged, CAP)
            first, last = bisect_left(made, part.begin), bisect_left(made, part.end)
            found = listed(shop, folder, part.pages)
            assert {shop.name(number) for number in range(first, last)} <= found
            first, last = bisect_left(made, part.begin - SECOND), bisect_left(made, part.end + SECOND)
            assert found <= {shop.name(number) for number in range(first, last)}


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.booleans())
@FEW
def test_after_sales_are_halved_by_days(per_day: list[int], inclusive: bool) -> None:
    made = [BEGIN + day * DAY + timedelta(minutes=row) for day, rows in enumerate(per_day) for row in range(rows)]
    shop = CappedShop(REFUNDS, made, inclusive=inclusive)
    with scratch() as folder:
        manifest = stage(shop, folder, Window(BEGIN, BEGIN + 12 * DAY))
        found = listed(shop, folder, [name for part in manifest.slices for name in part.pages])
    assert found == {shop.name(number) for number in range(len(made))}
    assert not any(may_be_cap(part.api_total, CAP) for part in manifest.slices)


# --- totals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "may_be"),
    [(None, False), (0, False), (999, False), (1000, True), (1001, False), (5000, True), (9499, False), (9500, True)],
)
def test_totals_that_may_be_a_cap(total: int | None, may_be: bool) -> None:
    assert may_be_cap(total, 10_000) is may_be


@pytest.mark.parametrize(
    ("rows", "totals", "counted"),
    [
        (12_001, [12_001], True),
        (12_001, [12_000, 12_002], True),
        (12_001, [], False),
        (12_001, [12_000], False),
        (12_001, [12_002], False),
        (10_000, [10_000], False),
        (12_001, [10_000, 12_002], False),
    ],
)
def test_totals_that_count_the_rows_of_all_parts(rows: int, totals: list[int], counted: bool) -> None:
    assert is_counted(rows, totals, 10_000) is counted


# --- a cap that nobody has set -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cap", "deep"), [(1200, "served"), (1200, "refused"), (2000, "empty"), (2000, "refused"), (None, "served")]
)
def test_a_cap_is_known_by_what_the_list_does(monkeypatch: pytest.MonkeyPatch, cap: int | None, deep: str) -> None:
    """A total that stays while more rows come, a deep page that is refused, a round thousand; without, no halves."""
    monkeypatch.setenv("XIAOE_LIST_CAP", "10000")
    made = [BEGIN + timedelta(seconds=40 * number) for number in range(3500)]
    shop = CappedShop(ORDERS, made, cap=cap, deep=deep, size=100)
    with scratch() as folder:
        manifest = stage(shop, folder, Window(BEGIN, BEGIN + 3 * DAY))
        found = listed(shop, folder, [name for part in manifest.slices for name in part.pages])
    assert found == {shop.name(number) for number in range(3500)}
    assert (len(manifest.slices) > 1) is (cap is not None)
    assert {part.proof for part in manifest.slices} == {"total"}


@pytest.mark.parametrize("code", [1001, 2054])
def test_a_busy_api_is_no_cap(code: int) -> None:
    shop = CappedShop(PRODUCTS, [BEGIN] * 230, code=code)
    with scratch() as folder:
        with pytest.raises(XiaoeBusyError, match=str(code)):
            stage(shop, folder, WHOLE)
        assert not RunFolder(folder).manifest_path.exists()
        assert RunFolder(folder).finished_passes(0) == 0


def test_a_page_that_is_refused_early_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_LIST_CAP", "10000")
    shop = CappedShop(ORDERS, [BEGIN + number * SECOND for number in range(950)], cap=900)
    with scratch() as folder:
        with pytest.raises(XiaoeBusyError, match="1002"):
            stage(shop, folder, Window(BEGIN, BEGIN + DAY))
        assert not RunFolder(folder).is_halved(0)


def test_a_second_above_the_cap_fails_with_the_numbers_and_the_remedy() -> None:
    shop = CappedShop(ORDERS, [BEGIN + DAY] * 120)
    with scratch() as folder:
        with pytest.raises(XiaoeIncompleteError) as raised:
            stage(shop, folder, Window(BEGIN, BEGIN + 3 * DAY))
        assert not RunFolder(folder).manifest_path.exists()
    message = str(raised.value)
    assert "orders 2026-09-0" in message
    assert "the API says 100 rows, perhaps as far as it counts, and refuses the page behind 100" in message
    assert "its filter tells nothing finer apart than a second" in message
    assert "set XIAOE_LIST_CAP (now 100) well above it" in message
    assert "The watermark has not moved" in message


# --- whole lists ---------------------------------------------------------------------------------------


def registered(days: int, per_day: int) -> list[datetime | None]:
    return [BEGIN + day * DAY + timedelta(minutes=row) for day in range(days) for row in range(per_day)]


@given(st.lists(st.integers(0, 45), min_size=1, max_size=20), st.booleans())
@FEW
def test_users_above_the_cap_are_read_by_days_and_stay_one_slice(per_day: list[int], inclusive: bool) -> None:
    made = [BEGIN + day * DAY + timedelta(minutes=row) for day, rows in enumerate(per_day) for row in range(rows)]
    shop = CappedShop(USERS, made, inclusive=inclusive)
    with scratch() as folder:
        [whole] = stage(shop, folder, WHOLE).slices
        assert listed(shop, folder, whole.pages) == {shop.name(number) for number in range(len(made))}
    assert (whole.begin, whole.end) == (WHOLE.begin, WHOLE.end)
    assert whole.api_total == whole.staged == len(made)
    is_halved = may_be_cap(len(made), CAP)
    assert (whole.proof, whole.lists_undated) == (("parts", False) if is_halved else ("total", True))


@pytest.mark.parametrize(
    ("deep", "code", "lists_undated"),
    [("served", 0, True), ("refused", 1002, False), ("refused", 1001, False), ("empty", 0, False)],
)
def test_users_without_a_time_come_from_the_list_itself_as_far_as_it_goes(
    deep: str, code: int, lists_undated: bool
) -> None:
    """However a deep page is refused: nobody is missing for want of it but them."""
    shop = CappedShop(USERS, [*registered(10, 20), None, None], deep=deep, code=code)
    with scratch() as folder:
        [whole] = stage(shop, folder, WHOLE).slices
        found = listed(shop, folder, whole.pages)
    assert {shop.name(number) for number in range(200)} <= found
    assert ({shop.name(200), shop.name(201)} <= found) is lists_undated
    assert (whole.lists_undated, whole.staged) == (lists_undated, len(found))


def test_a_total_above_the_cap_that_the_parts_reach_needs_no_second_reading() -> None:
    shop = CappedShop(USERS, registered(10, 20), cap=None)
    with scratch() as folder:
        [whole] = stage(shop, folder, WHOLE).slices
    assert (whole.proof, whole.lists_undated, whole.staged) == ("parts", True, 200)
    unfiltered = [body for body in shop.asked if "user_created_start" not in body]
    assert len(unfiltered) == 1


def test_users_who_register_behind_the_end_of_the_window_are_listed() -> None:
    """As in a list that is read at once: a try that is late must not miss whom a later run has seen."""
    shop = CappedShop(USERS, [*registered(10, 20), WHOLE.end + 5 * DAY])
    with scratch() as folder:
        [whole] = stage(shop, folder, WHOLE).slices
        assert shop.name(200) in listed(shop, folder, whole.pages)


def test_whom_no_part_lists_is_looked_for_once_more_in_all_parts() -> None:
    shop, asked = CappedShop(USERS, registered(10, 20)), []

    def missing(window: Window, seen: datetime, keys: Any, _: Any) -> list[str]:
        asked.append((window, len(keys)))
        return ["u_gone"]

    with scratch() as folder:
        [whole] = stage(shop, folder, WHOLE, missing).slices
    assert asked == [(WHOLE, 200)]
    assert whole.passes == 2
    assert whole.staged == 200


@pytest.mark.parametrize("resource", [PRODUCTS, LIVE_STREAMS], ids=lambda resource: resource.name)
def test_a_list_without_a_filter_is_complete_at_its_end_twice_over(resource: Resource) -> None:
    shop = CappedShop(resource, [BEGIN] * 230, deep="served")
    with scratch() as folder:
        [whole] = stage(shop, folder, WHOLE).slices
        assert len(listed(shop, folder, whole.pages)) == 230
    assert (whole.proof, whole.passes, whole.staged, whole.api_total) == ("end", 2, 230, 230)


@pytest.mark.parametrize(
    ("deep", "says"),
    [
        ("refused", "and refuses the page behind 100 .*It cannot be read in parts: no filter by time is known"),
        ("empty", "perhaps as far as it counts.*It cannot be read in parts"),
    ],
)
@pytest.mark.parametrize("resource", [PRODUCTS, LIVE_STREAMS], ids=lambda resource: resource.name)
def test_a_list_without_a_filter_that_ends_at_the_cap_fails_by_name(resource: Resource, deep: str, says: str) -> None:
    shop = CappedShop(resource, [BEGIN] * 230, deep=deep)
    with scratch() as folder:
        with pytest.raises(XiaoeIncompleteError, match=f"{resource.name}.*{says}"):
            stage(shop, folder, WHOLE)
        assert not RunFolder(folder).manifest_path.exists()


def test_a_list_that_changes_at_its_end_is_not_complete() -> None:
    shop = CappedShop(PRODUCTS, [BEGIN] * 230, deep="served")
    original = shop.list_page

    def growing(*args: Any, **kwargs: Any) -> Answer:
        answer = original(*args, **kwargs)
        shop.rows = [*shop.rows, BEGIN] if not answer.listing.rows else shop.rows
        return answer

    shop.list_page = growing  # type: ignore[method-assign]
    with scratch() as folder, pytest.raises(XiaoeIncompleteError, match="perhaps as far as it counts"):
        stage(shop, folder, WHOLE)


# --- tries ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "window"), [(ORDERS, Window(BEGIN, BEGIN + MAX_SLICE * 2)), (USERS, WHOLE)], ids=["orders", "users"]
)
def test_a_try_that_is_interrupted_anywhere_goes_on_and_asks_for_nothing_twice(
    resource: Resource, window: Window
) -> None:
    made = registered(12, 20)
    undisturbed = CappedShop(resource, made)
    with scratch() as folder:
        expected = stage(undisturbed, folder, window)
        expected_rows = listed(undisturbed, folder, [name for part in expected.slices for name in part.pages])
    for calls in range(0, len(undisturbed.asked), 1 if resource is ORDERS else 7):
        with scratch() as folder:
            shop = CappedShop(resource, made, most=calls)
            with pytest.raises(Interrupted):
                stage(shop, folder, window)
            assert not RunFolder(folder).manifest_path.exists()
            again = CappedShop(resource, made)
            manifest = stage(again, folder, window)
            found = listed(again, folder, [name for part in manifest.slices for name in part.pages])
            assert found == expected_rows
            assert [replace_moment(part) for part in manifest.slices] == [
                replace_moment(part) for part in expected.slices
            ]
            twice = Counter([*shop.asked, *again.asked]) - Counter(undisturbed.asked)
            assert sum(twice.values()) <= (calls > 0), "at most the page that was asked for when it was interrupted"


def replace_moment(part: Any) -> Any:
    return (part.begin, part.end, part.staged, part.api_total, part.proof, part.lists_undated, sorted(part.pages))


def test_a_window_once_halved_stays_halved_when_fewer_rows_are_left(tmp_path: Path) -> None:
    shop = CappedShop(ORDERS, registered(5, 30), most=8)
    with pytest.raises(Interrupted):
        stage(shop, tmp_path / "run", Window(BEGIN, BEGIN + 5 * DAY))
    again = CappedShop(ORDERS, registered(5, 10))
    manifest = stage(again, tmp_path / "run", Window(BEGIN, BEGIN + 5 * DAY))
    assert len(manifest.slices) > 1
    assert all(part.api_total == part.staged for part in manifest.slices)


# --- declarations --------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)
def test_parts_are_declared_by_a_time_of_the_row(resource: Resource) -> None:
    assert (resource.parts is None) is (resource in (PRODUCTS, LIVE_STREAMS) or resource.more is not None)
    if resource.parts is not None:
        assert resource.parts.column in resource.reader.columns
        if resource.time is not None:
            assert (resource.parts.column, resource.parts.filters) == (resource.time, resource.filters)


@given(moments, st.integers(1, 30 * 86_400))
def test_users_are_asked_for_by_whole_days_and_the_day_behind(begin: datetime, seconds: int) -> None:
    assert USERS.parts is not None
    window = Window(begin, begin + timedelta(seconds=seconds))
    fields = USERS.parts.filters(window)
    assert fields["need_column"] == ["latest_visited_at"]
    first, last = (_day(fields[f"user_created_{name}"]) for name in ("start", "end"))
    assert first <= window.begin < first + DAY
    assert last - DAY < window.end <= last

"""Lists that each parent has: rows get their parent, a thousand are one run, and which ones are due."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from xiaoe.api.hook import Answer
from xiaoe.clock import BEIJING, utc_now
from xiaoe.exceptions import XiaoeBusyError, XiaoeIncompleteError, XiaoeNetworkError
from xiaoe.resources.base import Resource
from xiaoe.resources.live_viewers import DAILY, HOURLY_FOR, LIVE_VIEWERS, REPLAY, Stream, is_due
from xiaoe.resources.promoters import PROMOTER_CUSTOMERS
from xiaoe.rows.children import KEY, PARENT, Parent, with_parent
from xiaoe.rows.envelope import open_envelope, read_listing
from xiaoe.stage.stager import Stager
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import EVER, Plan, Window

NOW = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

# --- rows and their parent -----------------------------------------------------------------------------


def told(raw: str, *keys: str) -> dict[str, Any]:
    [row] = with_parent([Raw(raw.encode())], "l_1", keys or ("user_id",))
    found: dict[str, Any] = json.loads(bytes(row))
    return found


def test_a_row_gets_its_parent_and_a_key_of_both() -> None:
    assert told('{"user_id":"u","n":1}') == {"user_id": "u", "n": 1, PARENT: "l_1", KEY: "l_1/u"}
    assert told(' {"user_id" : 7} \n') == {"user_id": 7, PARENT: "l_1", KEY: "l_1/7"}
    assert told("{}") == {PARENT: "l_1", KEY: None}
    assert told('{"a":"x","b":"y"}', "a", "b")[KEY] == "l_1/x/y"
    assert told('{"a":"x","b":null}', "a", "b")[KEY] == told('{"a":"x","b":""}', "a", "b")[KEY] == "l_1/x"


@pytest.mark.parametrize("own", ["null", '""', '"  "', "[]", '{"a":1}', "true", f'"{"x" * 128}"'])
def test_a_row_without_a_name_or_with_too_long_a_one_has_no_key(own: str) -> None:
    assert told(f'{{"user_id":{own}}}')[KEY] is None


def test_the_key_may_lie_in_a_group() -> None:
    rows = [Raw(raw) for raw in (b'{"who":{"id":"a"}}', b'{"id":"a","who":[]}', b'{"who":null}')]
    found = [json.loads(bytes(row))[KEY] for row in with_parent(rows, "p", ["id"], "who")]
    assert found == ["p/a", "p/a", None]


def test_what_the_api_calls_alike_is_overruled() -> None:
    row = f'{{"user_id":"u","{PARENT}":"evil","{KEY}":"evil"}}'
    reader = LIVE_VIEWERS.reader
    [raw] = with_parent([Raw(row.encode())], "l_1", ("user_id",))
    assert reader.key(raw) == "l_1/u"
    assert reader.row(raw)[:3] == ("l_1/u", "l_1", "u")


@given(st.sampled_from(["null", "[]", "7", '"text"', "[{}]", "{", "", "nonsense"]))
def test_what_is_no_object_stays_as_it_is(raw: str) -> None:
    [row] = with_parent([Raw(raw.encode())], "l_1", ("user_id",))
    assert bytes(row) == raw.encode()


def test_two_spellings_of_rows_and_total_are_read() -> None:
    for data in ('{"return_list":[1],"count":"5"}', '{"list":[1],"total":5}', '{"list":[1],"count":5}'):
        listing = PROMOTER_CUSTOMERS.listing(f'{{"code":0,"data":{data}}}'.encode())
        assert (listing.total, [bytes(row) for row in listing.rows]) == (5, [b"1"]), data
    other = LIVE_VIEWERS.listing(b'{"code":0,"data":{"return_list":[1],"count":5}}')
    assert (other.total, other.rows) == (None, []), "a list with the common names is read by these alone"


def test_paging_fields_stand_in_the_group_that_the_interface_wants() -> None:
    grouped = replace(LIVE_VIEWERS, group="data")
    assert grouped.request({"user_id": "u", "page": 2}, 50) == {"user_id": "u", "data": {"page": 2, "page_size": 50}}
    assert LIVE_VIEWERS.request({"user_id": "u", "page": 2}, 50) == {"user_id": "u", "page": 2, "page_size": 50}


# --- many lists in one run -----------------------------------------------------------------------------


class ManyLists:
    """A hook of a shop whose parents have some rows each; answers in the caller's thread.

    Args:
        rows: Parent → how many.
        fails: Told each parent; what it returns is raised.
        width: Bytes of a row.
    """

    def __init__(
        self, rows: dict[str, int], fails: Callable[[str], Exception | None] = lambda _: None, width: int = 10
    ) -> None:
        self.rows = rows
        self.shop = SimpleNamespace(app_id="app1", concurrency=4)
        self.counts: Counter[str] = Counter()
        self.page_sizes: dict[str, int] = {}
        self.asked: list[str] = []
        self._fails = fails
        self._width = width
        self._lock = threading.Lock()

    def page_size(self, resource: Resource) -> int:
        return resource.largest_page

    def sleep(self, seconds: float) -> None:
        """Nobody waits."""

    def list_page(self, resource: Resource, fields: dict[str, Any], *, index: int) -> Answer:
        parent = str(fields["resource_id"])
        with self._lock:
            self.counts["calls"] += 1
            self.asked.append(parent)
        if (error := self._fails(parent)) is not None:
            raise error
        places = range((index - 1) * 100, min(index * 100, self.rows[parent]))
        rows = ",".join(f'{{"user_id":"u{place}","wx_nickname":"{"x" * self._width}"}}' for place in places)
        body = f'{{"code":0,"data":{{"total":{self.rows[parent]},"list":[{rows}]}}}}'.encode()
        return Answer(index, utc_now(), body, read_listing(open_envelope(body).data, total_field="total"))


def stage(hook: ManyLists, folder: Path, resource: Resource = LIVE_VIEWERS, names: Sequence[str] = ()) -> Manifest:
    parents = [Parent(name, {"resource_id": name}) for name in names or hook.rows]
    stager = Stager(hook, resource, RunFolder(folder), lambda *_: [])  # type: ignore[arg-type]
    return stager.stage(Plan(Window(EVER, NOW)), mode="incremental", run_id="run", parents=parents)


def test_a_thousand_lists_are_one_run_whose_memory_no_row_stays_in(tmp_path: Path) -> None:
    hook = ManyLists({f"l_{number:04d}": 20 for number in range(1000)}, width=2000)
    stage(ManyLists({"l": 1}), tmp_path / "imports")
    tracemalloc.start()
    manifest = stage(hook, tmp_path / "run")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [part.parent for part in manifest.slices] == list(hook.rows)
    assert {part.staged for part in manifest.slices} == {20}
    assert len(hook.asked) == 1000
    assert most < 1000 * 20 * 2000 / 2, "of 40 MB of rows"
    assert RunFolder(tmp_path / "run").read_manifest() == manifest


def test_a_run_that_broke_off_asks_for_what_is_left_of_the_first_tries_parents(tmp_path: Path) -> None:
    names = [f"l_{number}" for number in range(20)]
    broken = ManyLists(dict.fromkeys(names, 3), lambda name: XiaoeNetworkError("cut") if name == "l_12" else None)
    with pytest.raises(XiaoeNetworkError):
        stage(broken, tmp_path / "run")
    again = ManyLists(dict.fromkeys(names, 3))
    manifest = stage(again, tmp_path / "run", names=["l_99", *names])
    assert [part.parent for part in manifest.slices] == names, "what is due by now is the next run's"
    assert "l_12" in again.asked
    assert "l_0" not in again.asked
    assert len(again.asked) < len(names)


def test_what_the_budget_leaves_is_told_with_the_oldest_reading(tmp_path: Path) -> None:
    assert LIVE_VIEWERS.parents is not None
    thrifty = replace(LIVE_VIEWERS, parents=replace(LIVE_VIEWERS.parents, budget=lambda: 5))
    hook = ManyLists({f"l_{number}": 1 for number in range(30)})
    hook.shop.concurrency = 1
    parents = [
        Parent(name, {"resource_id": name}, datetime(2026, 11, 1 + number % 9, tzinfo=timezone.utc))
        for number, name in enumerate(hook.rows)
    ]
    stager = Stager(hook, thrifty, RunFolder(tmp_path / "run"), lambda *_: [])  # type: ignore[arg-type]
    manifest = stager.stage(Plan(Window(EVER, NOW)), mode="incremental", run_id="run", parents=parents)
    assert manifest.parents is not None
    assert [part.parent for part in manifest.slices] == list(hook.rows)[:5]
    assert (manifest.parents.wanted, manifest.parents.postponed, manifest.parents.refused) == (30, 25, {})
    assert manifest.parents.oldest_at == datetime(2026, 11, 1, tzinfo=timezone.utc)


def test_nobody_due_is_an_empty_manifest(tmp_path: Path) -> None:
    manifest = stage(ManyLists({}), tmp_path / "run")
    assert [(part.parent, part.pages, part.staged) for part in manifest.slices] == [(None, [], 0)]
    assert manifest.parents is not None
    assert manifest.parents.wanted == 0


def busy(code: int) -> Callable[[str], Exception | None]:
    def fails(name: str) -> Exception | None:
        if name not in ("l_3", "l_5"):
            return None
        error = XiaoeBusyError("no")
        error.code = code
        return error

    return fails


def test_a_list_that_is_refused_stops_no_other(tmp_path: Path) -> None:
    manifest = stage(ManyLists({f"l_{number}": 2 for number in range(9)}, busy(1002)), tmp_path / "run")
    assert manifest.parents is not None
    assert manifest.parents.refused.keys() == {"l_3", "l_5"}
    assert {part.parent for part in manifest.slices} == {f"l_{number}" for number in (0, 1, 2, 4, 6, 7, 8)}


def test_a_busy_api_and_lists_that_are_all_refused_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(XiaoeBusyError):
        stage(ManyLists({f"l_{number}": 2 for number in range(9)}, busy(1001)), tmp_path / "busy")
    hook = ManyLists({f"l_{number}": 2 for number in range(500)}, lambda _: XiaoeIncompleteError("no"))
    with pytest.raises(XiaoeIncompleteError):
        stage(hook, tmp_path / "all")
    assert len(hook.asked) < 20, "it stops asking"


# --- which streams are due -----------------------------------------------------------------------------


def stream(
    ended: timedelta | None, *, read: timedelta | None = None, same: timedelta = timedelta(), **about: Any
) -> Stream:
    """A stream that ended so long ago, was read so long ago, and was the same for so long by then."""
    now = NOW.replace(tzinfo=None)
    begun = now - HOUR if ended is None else now - ended - HOUR
    fields: dict[str, Any] = {
        "live_id": "l", "state": 1 if ended is None else 2, "is_binned": False, "start": begun,
        "stop": None, "stopped": None if ended is None else now - ended,
        "read_at": None if read is None else now - read,
        "same_since": None if read is None else now - read - same,
    }  # fmt: skip
    return Stream(**{**fields, **about})


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (stream(None), True),
        (stream(None, read=timedelta(minutes=1)), True),
        (stream(timedelta(), start=None, state=1, stopped=None), True),
        (stream(timedelta(), start=NOW.replace(tzinfo=None) + HOUR, state=0), False),
        (stream(timedelta(), start=None, state=0), False),
        (stream(9 * DAY, start=None), True),  # its beginning cannot be read
        (stream(9 * DAY, start=None, state=None), True),
        (stream(9 * DAY, start=None, stopped=None), True),
        (stream(9 * DAY, start=None, stopped=None, read=DAY, same=DAILY), False),
        (stream(REPLAY + DAY, start=None), False),
        (stream(HOURLY_FOR - HOUR, read=HOUR, same=30 * DAY), True),
        (stream(HOURLY_FOR, read=DAILY - HOUR), False),
        (stream(HOURLY_FOR, read=DAILY), True),
        (stream(REPLAY - HOUR), True),
        (stream(REPLAY), False),
        (stream(REPLAY + 90 * DAY), False),
        (stream(REPLAY + DAY, read=DAY, same=9 * DAY), False),
        (stream(REPLAY + DAY, read=DAY + HOUR, same=9 * DAY), True),
        (stream(REPLAY + 3 * DAY, read=DAY, same=DAILY - HOUR), True),
        (stream(REPLAY + 3 * DAY, read=DAY, same=DAILY), False),
        (stream(9 * DAY, read=DAY, same=DAILY, is_binned=True), False),
        (stream(9 * DAY, read=DAY, same=DAILY), True),
    ],
)
def test_viewers_are_read_while_they_can_change(one: Stream, *, expected: bool) -> None:
    assert is_due(one, NOW.replace(tzinfo=None)) is expected

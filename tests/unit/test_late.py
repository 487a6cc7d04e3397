"""Which old orders are asked for again, and what is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.api.hook import Answer
from xiaoe.clock import BEIJING
from xiaoe.rows.envelope import open_envelope, read_listing
from xiaoe.stage.lookup import Look, NamedOrder, stage_orders, to_look_up, window_to_name
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import EVER, Plan, Window

NOW = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
SETTLE = timedelta(days=3)
SEEN = datetime(2026, 11, 20, 4, 0, 1, tzinfo=timezone.utc)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


hours = st.integers(0, 400).map(ago)
named_orders = st.builds(
    NamedOrder,
    order_id=st.integers(0, 20).map(str),
    changed=hours,
    created=st.none() | hours,
    observed_at=st.none() | hours.map(lambda moment: moment.astimezone(timezone.utc)),
)
looks = st.builds(
    lambda begin, length, seen: Look(begin, begin + timedelta(hours=length), seen.astimezone(timezone.utc)),
    hours,
    st.integers(1, 200),
    hours,
)


def one_by_one(named: Sequence[NamedOrder], seen: Sequence[Look], now: datetime, settle: timedelta) -> list[NamedOrder]:
    """The rule, order by order and look by look."""
    found = []
    for one in named:
        if one.created is None:
            if one.changed + settle >= now:
                found.append(one)
            continue
        times = [look.observed_at for look in seen if look.begin <= one.created < look.end]
        times += [one.observed_at] if one.observed_at else []
        if not times or max(times) < one.changed + settle:
            found.append(one)
    return found


@given(st.lists(named_orders, max_size=12), st.lists(looks, max_size=8), st.integers(0, 200))
def test_those_are_asked_for_that_were_not_seen_since_their_after_sale_settled(
    named: list[NamedOrder], seen: list[Look], settle_hours: int
) -> None:
    settle = timedelta(hours=settle_hours)
    assert to_look_up(named, seen, now=NOW, settle=settle) == one_by_one(named, seen, NOW, settle)


@given(st.lists(named_orders, max_size=8), st.lists(looks, max_size=5), looks)
def test_one_more_look_never_asks_for_more(named: list[NamedOrder], seen: list[Look], more: Look) -> None:
    fewer = to_look_up(named, [*seen, more], now=NOW, settle=SETTLE)
    assert all(one in to_look_up(named, seen, now=NOW, settle=SETTLE) for one in fewer)


@pytest.mark.parametrize(
    ("one", "asked"),
    [
        (NamedOrder("fresh", ago(1), ago(1000), ago(0.5)), True),
        (NamedOrder("seen before it settled", ago(100), ago(1000), ago(30)), True),
        (NamedOrder("seen since", ago(100), ago(1000), ago(27)), False),
        (NamedOrder("seen in the very second", ago(100), ago(1000), ago(28)), False),
        (NamedOrder("never seen", ago(1000), ago(2000), None), True),
        (NamedOrder("unknown and fresh", ago(1)), True),
        (NamedOrder("unknown and old", ago(100)), False),
    ],
    ids=lambda value: value.order_id if isinstance(value, NamedOrder) else "",
)
def test_examples(one: NamedOrder, asked: bool) -> None:
    assert bool(to_look_up([one], [], now=NOW, settle=SETTLE)) is asked


@pytest.mark.parametrize(
    ("begin", "end", "asked"), [(100, 99, False), (101, 100, True), (100, 50, False), (99.999, 50, True)]
)
def test_a_look_covers_what_was_made_from_its_begin_up_to_but_not_at_its_end(
    begin: float, end: float, asked: bool
) -> None:
    order = NamedOrder("o", ago(90), ago(100), None)
    look = Look(ago(begin), ago(end), NOW.astimezone(timezone.utc))
    assert bool(to_look_up([order], [look], now=NOW, settle=SETTLE)) is asked


def test_nothing_named_is_nothing_asked() -> None:
    assert to_look_up([], [Look(ago(2), ago(1), NOW)], now=NOW, settle=SETTLE) == []


# --- asking --------------------------------------------------------------------------------------------


class FakeHook:
    """Lists the orders it was given; some only when asked for the second time.

    Args:
        listed: Ids.
        shy: Ids that the first answer does not hold.
    """

    def __init__(self, listed: Sequence[str], shy: Sequence[str] = ()) -> None:
        self.shop = SimpleNamespace(app_id="app1", concurrency=3)
        self.counts: Counter[str] = Counter()
        self.asked: list[dict[str, Any]] = []
        self._listed = listed
        self._shy = set(shy)

    def list_page(self, resource: Any, fields: dict[str, Any], *, index: int = 1) -> Answer:
        self.asked.append(fields)
        name = fields["order_id"]
        is_there = name in self._listed and name not in self._shy
        self._shy.discard(name)
        rows = [{"order_id": name}] if is_there else []
        body = json.dumps({"code": 0, "data": {"total": len(rows), "list": rows}}).encode()
        return Answer(index, SEEN, body, read_listing(open_envelope(body).data, total_field="total"))


def stage(tmp_path: Path, hook: Any, *wanted: NamedOrder) -> Any:
    folder = RunFolder(tmp_path / "run")
    return stage_orders(hook, folder, Plan(Window(EVER, NOW)), wanted, mode="late", run_id="run"), folder


def test_the_window_around_a_known_order_is_sent_along(tmp_path: Path) -> None:
    """Right whether or not the API binds `order_id` to it, and never wider than the API takes."""
    hook = FakeHook(["a", "b"])
    created = datetime(2026, 10, 1, 8, 30, tzinfo=BEIJING)
    stage(tmp_path, hook, NamedOrder("a", NOW, created, SEEN), NamedOrder("b", NOW))
    known, unknown = sorted(hook.asked, key=lambda fields: str(fields["order_id"]))
    assert known == {
        "order_id": "a", "page_index": 1, "order_by": "created_at:asc",
        "begin_time": int(created.timestamp()) - 86_401, "end_time": int(created.timestamp()) + 86_400,
    }  # fmt: skip
    assert unknown == {"order_id": "b", "page_index": 1}


def test_what_came_is_in_the_pages_and_what_did_not_is_named(tmp_path: Path) -> None:
    hook = FakeHook(["a", "c", "shy"], shy=["shy"])
    known = [NamedOrder(name, NOW, ago(1000), SEEN) for name in ("a", "gone", "c", "shy")]
    manifest, folder = stage(tmp_path, hook, *known, NamedOrder("unknown", NOW))
    assert Counter(fields["order_id"] for fields in hook.asked) == {"a": 1, "c": 1, "gone": 2, "shy": 2, "unknown": 1}
    assert manifest.not_listed == ["gone"]
    assert manifest.is_lookup
    assert not manifest.moves_watermark
    [part] = manifest.slices
    assert (part.staged, part.api_total, len(part.pages)) == (3, 3, 5)
    bodies = [folder.read_page(name) for name in part.pages]
    rows = [row for page in bodies for row in json.loads(page.body)["data"]["list"]]
    assert [row["order_id"] for row in rows] == ["a", "c", "shy"], "in the order they were asked for"
    assert folder.read_manifest() == manifest


def test_nothing_to_ask_for_is_an_empty_run(tmp_path: Path) -> None:
    hook = FakeHook([])
    manifest, _ = stage(tmp_path, hook)
    assert hook.asked == []
    assert (manifest.slices[0].pages, manifest.slices[0].staged, manifest.not_listed) == ([], 0, [])
    assert manifest.slices[0].observed_at == NOW


def test_a_second_try_forgets_what_the_first_one_fetched(tmp_path: Path) -> None:
    stage(tmp_path, FakeHook(["a", "b"]), *(NamedOrder(name, NOW, ago(1000)) for name in "ab"))
    manifest, folder = stage(tmp_path, FakeHook(["b"]), NamedOrder("b", NOW, ago(1000)))
    assert manifest.slices[0].staged == 1
    assert len(list(folder.path.rglob("*.json.gz"))) == 1


def test_an_error_leaves_no_manifest(tmp_path: Path) -> None:
    hook = FakeHook(["a"])

    def fail(*_: Any, **__: Any) -> Answer:
        raise OSError("cut")

    hook.list_page = fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="cut"):
        stage(tmp_path, hook, NamedOrder("a", NOW, ago(1000)))
    assert not RunFolder(tmp_path / "run").manifest_path.exists()


def test_look_ups_that_failed_are_made_good_from_where_the_last_one_began() -> None:
    settle = timedelta(days=3)
    changed = Window(NOW - settle, NOW)
    assert window_to_name(changed, ago(1), settle) == Window(ago(1) - settle, NOW)
    assert window_to_name(changed, ago(-1), settle) == changed
    assert window_to_name(changed, None, settle) == Window(EVER, NOW)

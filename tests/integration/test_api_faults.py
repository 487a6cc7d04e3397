"""Everything the API may do wrong: afterwards the warehouse equals the truth, or the run failed and said why."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from emulator.process import Emulator, running
from support.fixtures import Connect
from support.worlds.shop import (
    APP_ID,
    CLIENT_ID,
    END,
    EVERYTHING,
    NOW,
    SECRET,
    START,
    Database,
    Sync,
    days,
    differences,
    truth_by_id,
    unbalanced,
    unlike,
)
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.api.hook import XiaoeHook
from xiaoe.exceptions import (
    XiaoeBusyError,
    XiaoeConfigError,
    XiaoeError,
    XiaoeIncompleteError,
    XiaoeNetworkError,
    XiaoeQuotaError,
    XiaoeReconciliationError,
)
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

SPAN = Window(END - days(2), END)
PAGE = 15
"""Rows per page where a fault sits on one of the first pages of `SPAN`: it has six."""
STALL = 1.3
"""Longer than the client waits (a second), so that a stalled answer is a lost one."""
ANSWER_FAULTS = (
    "http_500", "http_502", "http_429", "cut", "non_json", "null_data",
    "code_1001", "code_1002", "code_2008", "code_2053", "code_2054",
)  # fmt: skip
STOPPING_CODES = (2001, 2002, 2003, 2004, 2005, 2006, 2009, 2010, 2017, 2020, 2051, 2052, 2055)


def test_5_percent_of_failing_calls_of_every_kind(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    connect(api, page_size=12, timeout=1)
    seen = failures(api)
    api.set_faults(rate=0.05, stall_seconds=STALL)
    counts = sync.run(EVERYTHING, moves=True)
    api.set_faults()
    assert failures(api) != seen
    assert counts["inserted"] == 3000
    assert differences(database, api) == []
    assert unbalanced(database) == []
    assert sync.watermark("history") == END


def test_30_percent_of_failing_calls_of_every_kind(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    connect(api, page_size=2, timeout=1)
    seen = failures(api)
    api.set_faults(rate=0.3, stall_seconds=STALL)
    sync.run(SPAN)
    api.set_faults()
    assert failures(api) != seen
    assert differences(database, api, SPAN) == []
    assert unbalanced(database) == []


def test_each_kind_of_failing_answer_in_the_middle(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    connect(api, page_size=PAGE, timeout=1)
    for kind in (*ANSWER_FAULTS, "stall"):
        database.empty()
        times = 1 if kind in ("stall", "null_data", "code_2008") else 2  # 1002 is tried three times
        api.set_faults(next=[{"kind": kind, "times": times, "page_index": 3}], stall_seconds=STALL)
        sync.run(SPAN)
        assert api.set_faults()["next"] == []
        assert differences(database, api, SPAN) == [], kind
        assert unbalanced(database) == [], kind


def test_first_page_without_data_is_no_empty_window(sync: Sync, database: Database, api: Emulator) -> None:
    api.set_faults(next=[{"kind": "null_data", "page_index": 1}])
    sync.run(SPAN)
    assert differences(database, api, SPAN) == []


LASTING: dict[str, type[XiaoeError]] = {
    **{f"code_{code}": XiaoeConfigError for code in STOPPING_CODES},
    **dict.fromkeys(("code_1001", "code_1002", "code_2007", "code_2008", "code_2054"), XiaoeBusyError),
    **dict.fromkeys(("http_500", "http_502", "cut", "non_json"), XiaoeNetworkError),
    **dict.fromkeys(("http_429", "code_2053"), XiaoeQuotaError),
}


def test_what_does_not_end_fails_by_name_and_leaves_everything(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    connect(api, page_size=PAGE)
    sync.run(Window(SPAN.begin, SPAN.end - days(1)), moves=True)
    before = database.snapshot()
    for kind, error in LASTING.items():
        api.set_faults(next=[{"kind": kind, "times": None, "page_index": 3}])
        with pytest.raises(error) as raised:
            sync.run(SPAN, moves=True)
        assert type(raised.value) is error
        assert kind.removeprefix("code_") in str(raised.value) or "code" not in kind
        assert SECRET not in str(raised.value)
        assert database.snapshot() == before, kind
    api.set_faults()
    sync.run(SPAN, moves=True)
    assert differences(database, api, SPAN) == []
    assert sync.watermark("history") == SPAN.end


def test_a_token_revoked_in_the_middle_is_replaced_once(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    connect(api, page_size=3, concurrency=8)
    sync.run(Window(SPAN.begin, SPAN.begin + days(1)))
    issued = tokens(api)
    api.set_faults(next=[{"kind": "code_2008", "page_index": 5}, {"kind": "code_2008", "page_index": 17}])
    sync.run(SPAN)
    assert api.set_faults()["next"] == []
    assert tokens(api) == issued + 2
    assert differences(database, api, SPAN) == []


def test_the_token_is_shared_by_runs_and_replaced_when_another_program_ended_it(
    sync: Sync, database: Database, api: Emulator
) -> None:
    sync.run(Window(END - days(1), END))
    issued = tokens(api)
    sync.run(Window(END - days(2), END - days(1)))
    assert tokens(api) == issued
    api.revoke_token(APP_ID)
    sync.run(SPAN)
    assert tokens(api) == issued + 1
    assert differences(database, api, SPAN) == []


def test_a_spent_quota_is_waited_for(sync: Sync, database: Database, connect: Connect) -> None:
    """The emulator allows ten calls in ten seconds here; waiting moves its clock on."""
    with running(
        orders=3000, start="2026-09-01", now=NOW, frozen=True, seed=7, shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
        order_quota=10,
    ) as scarce:  # fmt: skip
        connect(scarce, page_size=5, concurrency=1)
        waited: list[float] = []

        def wait(seconds: float) -> None:
            waited.append(seconds)
            scarce.advance(round(seconds) + 1)
            scarce.set_clock(NOW)

        sync.run(SPAN, hook=XiaoeHook(sleep=wait))
        assert scarce.stats()["answers"]["2053"] >= 1
        assert min(waited) >= 10
        assert differences(database, scarce, SPAN) == []


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    "kind", ["duplicate_row", "slipped_row", "moving_total", "short_page", "empty_last_page", "repeated_page"]
)
def test_a_false_listing_is_read_again_until_it_is_true(
    sync: Sync, database: Database, api: Emulator, connect: Connect, kind: str, times: int
) -> None:
    connect(api, page_size=PAGE)
    api.set_faults(next=[{"kind": kind, "times": times, "page_index": 3 if kind == "duplicate_row" else 2}])
    sync.run(SPAN, moves=True)
    api.set_faults()
    assert differences(database, api, SPAN) == []
    assert unbalanced(database) == []
    assert sync.watermark("history") == SPAN.end
    assert database.value("SELECT passes FROM sync_windows") == (
        1 if kind in ("short_page", "duplicate_row") else times + 1
    )


@pytest.mark.parametrize("known", [False, True], ids=["first load", "loaded before"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "duplicate_row", "page_index": 2},
        {"kind": "duplicate_row", "page_index": 2, "amount": 7},
        {"kind": "slipped_row"},
        {"kind": "slipped_row", "amount": 3},
        {"kind": "moving_total"},
        {"kind": "moving_total", "amount": 5},
        {"kind": "short_page"},
        {"kind": "empty_last_page"},
        {"kind": "repeated_page"},
        {"kind": "repeated_page", "page_index": 4},
        {"kind": "lying_total"},
        {"kind": "lying_total", "amount": 1000},
        {"kind": "lying_total", "amount": -3},
        {"kind": "lost_rows"},
        {"kind": "lost_rows", "amount": 12, "page_index": 3},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
def test_a_listing_that_stays_false_is_never_green_and_wrong(
    sync: Sync, database: Database, api: Emulator, connect: Connect, fault: dict[str, Any], known: bool
) -> None:
    connect(api, page_size=PAGE)
    if known:
        sync.run(SPAN, moves=True)
    before = database.snapshot()
    api.set_faults(next=[{**fault, "times": None}])
    try:
        sync.run(SPAN, moves=True, mode="rescan")
    except (XiaoeIncompleteError, XiaoeReconciliationError) as error:
        failed = str(error)
        assert database.snapshot() == before
        assert sync.watermark("rescan") is None
    else:
        failed = ""
    api.set_faults()
    if failed:
        assert re.search(r"API says \d+ rows|API lists \d+ rows|page \d is the same", failed), failed
    else:
        assert differences(database, api, SPAN) == []
    sync.run(SPAN, moves=True, mode="rescan")
    assert differences(database, api, SPAN) == []
    assert unbalanced(database) == []


def test_a_total_that_lies_for_ever_fails_with_the_numbers(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    connect(api, page_size=PAGE)
    rows = len(truth_by_id(api, SPAN))
    api.set_faults(next=[{"kind": "lying_total", "amount": 4}])
    with pytest.raises(XiaoeIncompleteError, match=rf"the API says {rows + 4} rows .* {rows} distinct rows") as raised:
        sync.run(SPAN, moves=True)
    assert "2026-11-18 12:00:00 → 2026-11-20 12:00:00" in str(raised.value)
    assert not any(database.snapshot().values())


def test_rows_that_get_lost_for_ever_fail_with_the_numbers(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    connect(api, page_size=PAGE)
    rows = len(truth_by_id(api, SPAN))
    api.set_faults(next=[{"kind": "lost_rows", "amount": 2, "page_index": 2}])
    with pytest.raises(XiaoeIncompleteError, match=rf"the API says {rows} rows .* {rows - 2} distinct rows"):
        sync.run(SPAN, moves=True)
    assert not any(database.snapshot().values())


def deleted(page: int, amount: int) -> dict[str, Any]:
    """The API no longer lists some rows and no longer counts them: as if somebody had deleted them in the shop."""
    return {
        "next": [
            {"kind": "lost_rows", "page_index": page, "amount": amount},
            {"kind": "lying_total", "amount": -amount},
        ]
    }


def test_rows_that_the_warehouse_has_and_the_api_no_longer_lists(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    """They fail the run, unless somebody accepts it: then they are marked, and unmarked when they come back."""
    connect(api, page_size=PAGE)
    rows = len(truth_by_id(api, SPAN))
    sync.run(SPAN, moves=True)
    before = database.snapshot()
    api.set_faults(**deleted(page=2, amount=3))
    with pytest.raises(XiaoeReconciliationError) as raised:
        sync.run(SPAN, moves=True)
    message = str(raised.value)
    assert f"the API lists {rows - 3} rows, the warehouse holds 3 more" in message
    assert "accept_missing" in message
    named = [word.strip(",.:") for word in message.split() if word.startswith("o_")]
    assert len(named) == 3
    assert database.snapshot() == before

    counts = sync.run(SPAN, moves=True, accept_missing=True)
    assert (counts["absent"], counts["staged"], counts["unchanged"]) == (3, rows - 3, rows - 3)
    assert absent(database) == set(named)
    assert differences(database, api, SPAN) == []  # they are kept as they were
    since = database.rows("SELECT order_id, absent_since FROM orders WHERE absent_since IS NOT NULL ORDER BY 1")

    counts = sync.run(SPAN, moves=True)
    assert (counts["absent"], counts["unchanged"]) == (0, rows - 3)
    assert database.rows("SELECT order_id, absent_since FROM orders WHERE absent_since IS NOT NULL ORDER BY 1") == since

    api.set_faults()
    counts = sync.run(SPAN, moves=True)
    assert (counts["updated"], counts["unchanged"]) == (3, rows - 3)
    assert absent(database) == set()
    assert differences(database, api, SPAN) == []
    assert database.value("SELECT COUNT(*) FROM order_state_log") == 0
    counts = sync.run(SPAN, moves=True)
    assert (counts["updated"], counts["unchanged"]) == (0, rows)


def test_rows_that_are_hidden_for_a_moment_are_looked_for_again(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    """The list adds up without them; that the warehouse knows them makes it be read once more."""
    connect(api, page_size=PAGE)
    sync.run(SPAN)
    hidden = deleted(page=2, amount=3)
    api.set_faults(next=[{**fault, "times": 1} for fault in hidden["next"]])
    sync.run(SPAN)
    assert absent(database) == set()
    assert database.rows("SELECT passes FROM sync_windows ORDER BY id") == [{"passes": 1}, {"passes": 2}]
    assert differences(database, api, SPAN) == []


def test_a_late_merge_of_old_pages_does_not_bring_a_deleted_row_back(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    connect(api, page_size=PAGE)
    sync.run(SPAN)
    late = sync.stage(SPAN)
    api.set_faults(**deleted(page=1, amount=2))
    sync.run(SPAN, accept_missing=True)
    gone = absent(database)
    assert len(gone) == 2
    sync.merge(*late)
    assert absent(database) == gone


def test_a_retry_after_a_listing_that_did_not_add_up_reads_it_afresh(
    sync: Sync, database: Database, api: Emulator, connect: Connect
) -> None:
    connect(api, page_size=PAGE)
    api.set_faults(next=[{"kind": "lying_total", "amount": 4}])
    for _ in range(2):
        with pytest.raises(XiaoeIncompleteError):
            sync.run(SPAN, run_id="the-same-run")
    api.set_faults()
    sync.run(SPAN, run_id="the-same-run")
    assert differences(database, api, SPAN) == []
    assert database.value("SELECT passes FROM sync_windows") == 1


@pytest.fixture(scope="module")
def untidy() -> Iterator[Emulator]:
    """The same shop, but one row in twenty cannot be typed."""
    with running(
        orders=3000, start="2026-09-01", now=NOW, frozen=True, seed=7, shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
        bad_rows=0.05,
    ) as emulator:  # fmt: skip
        yield emulator


BAD_VALUES = {
    "price_abc": "price='abc': not a number",
    "order_id_missing": "order_id is missing",
    "refund_money_12x": "refund_money='12x': not a number",
    "created_time_text": "created_time=",
}
FIELDS = {"price_abc": "price", "refund_money_12x": "refund_money", "created_time_text": "created_time"}
PROBLEMS = "SELECT * FROM field_problems"
MONTH = Window(START, START + days(30))


@pytest.fixture
def much_is_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_MAX_REFUSED_PERCENT", "10")


@pytest.mark.usefixtures("much_is_forgiven")
def test_rows_without_a_key_are_kept_aside_odd_fields_are_marked_and_the_rest_goes_on(
    sync: Sync, database: Database, untidy: Emulator, api: Emulator, connect: Connect
) -> None:
    connect(untidy)
    counts = sync.run(MONTH, moves=True)
    kinds = {row["order_id"]: row["kind"] for row in rejects(untidy) if row["order_id"]}
    nameless = sum(row["order_id"] is None for row in rejects(untidy))
    assert counts["rejected"] == nameless > 5
    assert counts["inserted"] == len(truth_by_id(untidy, MONTH)) + len(kinds)
    assert unbalanced(database) == []
    assert sync.watermark("history") == MONTH.end
    held = database.rows("SELECT * FROM rejected_rows")
    assert len(held) == nameless == database.value("SELECT SUM(rejected) FROM sync_windows")
    for row in held:
        assert "order_id is missing" in row["reason"]
        assert {"price", "title", "created_time"} <= json.loads(row["raw_json"]).keys()
        assert (row["row_key"], row["seen_count"], row["resolved_at"]) == (None, 1, None)
    problems = database.rows("SELECT row_key, field, value, reason, seen_count, resolved_at FROM field_problems")
    assert {row["row_key"]: row["field"] for row in problems} == {name: FIELDS[kind] for name, kind in kinds.items()}
    assert {(row["seen_count"], row["resolved_at"]) for row in problems} == {(1, None)}
    for row in problems:
        assert BAD_VALUES[kinds[row["row_key"]]] in f"{row['field']}={row['value']!r}: {row['reason']}"
    whole = truth_by_id(api, MONTH)  # the same shop without the faults
    stored = {row["order_id"]: row for row in database.rows("SELECT * FROM orders")}
    for name, kind in kinds.items():
        assert unlike([stored[name] | {FIELDS[kind]: None}], [whole[name] | {FIELDS[kind]: None}], "order_id") == []
        assert (stored[name][FIELDS[kind]], stored[name]["problem_columns"]) == (None, FIELDS[kind])
    assert {name for name, row in stored.items() if row["problem_columns"]} == kinds.keys()


@pytest.mark.usefixtures("much_is_forgiven")
def test_problems_seen_again_are_counted_and_repaired_ones_marked(
    sync: Sync, database: Database, untidy: Emulator, api: Emulator, connect: Connect
) -> None:
    connect(untidy)
    sync.run(MONTH)
    sync.run(MONTH)
    for table in ("rejected_rows", "field_problems"):
        assert database.rows(f"SELECT DISTINCT seen_count, resolved_at FROM {table}") == [
            {"seen_count": 2, "resolved_at": None}
        ]
    connect(api)
    sync.run(MONTH)
    assert differences(database, api, MONTH) == []
    unresolved = database.rows("SELECT row_key, seen_count FROM rejected_rows WHERE resolved_at IS NULL")
    nameless = [row for row in rejects(untidy) if row["order_id"] is None]
    assert unresolved == [{"row_key": None, "seen_count": 2} for _ in nameless]
    assert database.value("SELECT COUNT(*) FROM field_problems WHERE resolved_at IS NULL") == 0
    assert database.value("SELECT COUNT(*) FROM field_problems WHERE resolved_at IS NOT NULL") > 10
    assert database.value("SELECT COUNT(*) FROM orders WHERE problem_columns IS NOT NULL") == 0


def test_a_row_that_turns_bad_and_back_again_is_resolved(sync: Sync, database: Database) -> None:
    good, bad = raw_order(1), raw_order(1, price="abc", title="new")
    resolved = []
    for second, row in ((0, good), (10, bad), (20, good), (30, bad), (40, raw_order(1, price="1"))):
        sync.merge(*StagedRun([(at(second), [row, raw_order(2)])], run_id=f"at-{second}").write(sync.store))
        [held] = database.rows("SELECT price, title, problem_columns FROM orders WHERE order_id = 'o_00001'")
        is_bad = row is bad
        assert (held["problem_columns"], held["title"] == "new") == (("price", True) if is_bad else (None, False))
        assert held["price"] is not None
        resolved += [(one["seen_count"], one["resolved_at"] is not None) for one in database.rows(PROBLEMS)]
    assert resolved == [(1, False), (1, True), (2, False), (2, True)]
    assert database.value("SELECT price FROM orders WHERE order_id = 'o_00001'") == 1
    assert database.value("SELECT COUNT(*) FROM orders") == 2
    assert database.wrong_lines() == []


def test_an_older_version_does_not_resolve_a_row_that_is_bad_now(sync: Sync, database: Database) -> None:
    late = StagedRun([(at(0), [raw_order(1)])], run_id="late").write(sync.store)
    sync.merge(*StagedRun([(at(10), [raw_order(1, price="abc")])], run_id="early").write(sync.store))
    sync.merge(*late)
    assert database.value("SELECT COUNT(*) FROM field_problems WHERE resolved_at IS NULL") == 1
    assert database.rows("SELECT price, problem_columns FROM orders") == [{"price": None, "problem_columns": "price"}]


def test_a_merge_repeated_counts_a_problem_once(sync: Sync, database: Database) -> None:
    rows = [raw_order(1, price="abc"), raw_order(2, order_id=None)]
    run = StagedRun([(at(0), rows)]).write(sync.store)
    for _ in range(3):
        sync.merge(*run)
    assert database.value("SELECT seen_count FROM field_problems") == 1
    assert database.value("SELECT seen_count FROM rejected_rows") == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"null", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"{}", "order_id is missing"),
        (b'{"order_id": ""}', "order_id is missing"),
        (b'{"order_id": "  ", "price": "1"}', "order_id is missing"),
        (b'{"order_id": {"a": 1}}', "an id is a string or a whole number"),
        (raw_order(1, order_id="x" * 129), "longer than 128 characters"),
        (raw_order(1).replace(b"o_00001", b"\xff\xfe"), "not UTF-8"),
    ],
)  # fmt: skip
def test_each_bad_row_says_why_and_does_not_stop_the_others(
    sync: Sync, database: Database, raw: bytes, reason: str
) -> None:
    counts = sync.merge(*StagedRun([(at(0), [raw_order(5), raw, raw_order(6)])]).write(sync.store))
    assert (counts["inserted"], counts["rejected"], counts["unchanged"]) == (2, 1, 0)
    [row] = database.rows("SELECT * FROM rejected_rows")
    assert reason in row["reason"]
    assert row["raw_json"] == raw.decode("utf-8", "replace")
    assert [row["order_id"] for row in database.rows("SELECT order_id FROM orders ORDER BY 1")] == [
        "o_00005",
        "o_00006",
    ]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"price": "1.005"}, "price='1.005': more than two decimals"),
        ({"price": "1e999"}, "price='1e999': too large"),
        ({"price": True}, "price='True': not a number"),
        ({"coupon_price": "1.5"}, "coupon_price='1.5': fen are whole numbers"),
        ({"refund_money": "9.90"}, "refund_money='9.90': fen are whole numbers"),
        ({"order_state": "paid"}, "order_state='paid': not a number"),
        ({"order_state": 2**31}, "not a whole number that fits INT"),
        ({"pay_time": "2026-02-30 00:00:00"}, "pay_time='2026-02-30 00:00:00': no such date"),
        ({"pay_time": "9999-01-01T00:00"}, None),
        ({"pay_time": "2099-01-01 00:00:00"}, "more than a day in the future"),
        ({"settle_time": "o_000"}, "settle_time='o_000': not a time"),
        ({"title": "课" * 30_000}, "longer than 65535 bytes"),
    ],
)  # fmt: skip
def test_each_bad_field_says_why_and_costs_no_row(
    sync: Sync, database: Database, fields: dict[str, Any], problem: str | None
) -> None:
    rows = [raw_order(5), raw_order(1, **fields), raw_order(6)]
    counts = sync.merge(*StagedRun([(at(0), rows)]).write(sync.store))
    assert (counts["inserted"], counts["rejected"], counts["unchanged"]) == (3, 0, 0)
    [field] = fields
    [row] = database.rows("SELECT * FROM orders WHERE order_id = 'o_00001'")
    assert (row[field], row["problem_columns"]) == (None, field if problem else None)
    said = [f"{row['field']}={row['value']!r}: {row['reason']}" for row in database.rows(PROBLEMS)]
    assert len(said) == bool(problem)
    assert all((problem or "") in one for one in said)
    assert database.value("SELECT COUNT(*) FROM orders WHERE problem_columns IS NULL") == 3 - bool(problem)


def failures(api: Emulator) -> Counter[str]:
    """How often each fault struck so far."""
    return Counter(api.stats()["faults"])


def tokens(api: Emulator) -> int:
    return api.stats()["tokens_issued"][APP_ID]


def absent(database: Database) -> set[str]:
    return {row["order_id"] for row in database.rows("SELECT order_id FROM orders WHERE absent_since IS NOT NULL")}


def rejects(api: Emulator) -> list[dict[str, Any]]:
    """The rows of the month that cannot be typed."""
    return list(api.truth_rejects(APP_ID, int(MONTH.begin.timestamp()), int(MONTH.end.timestamp())))

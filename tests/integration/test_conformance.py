"""What every resource has to do, new ones too: nothing here knows more of one than its declaration.

Reading ends in every fault; every row is there once; nothing is written twice; newer wins; what disappears is
noticed; what cannot be typed is kept. Each test runs for every resource, on every server.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.worlds.conformance import (
    BUSY,
    LEFT_OUT,
    MOST_CALLS,
    Fault,
    Item,
    ListServer,
    ResourceUnderTest,
    Response,
    under_test,
)
from support.worlds.forms import BAD, FORMS, REFUSED
from support.worlds.shop import Database, merge_sql, unbalanced
from xiaoe.exceptions import XiaoeBusyError, XiaoeIncompleteError, XiaoeMappingError, XiaoeReconciliationError
from xiaoe.merge import merger
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.base import Cursor, Resource
from xiaoe.resources.registry import RESOURCES
from xiaoe.rows import values
from xiaoe.rows.codes import text_of
from xiaoe.rows.decode import RowReader

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name),
]

SIZE = 3
"""Rows per page."""
ROWS = 14
"""Five pages, the last one short."""
FEW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def shop(database: Database, resource: Resource) -> Iterator[ResourceUnderTest]:
    with under_test(database, resource, "apptest1", SIZE) as shop:
        yield shop


@pytest.fixture
def another_shop(database: Database, resource: Resource) -> Iterator[ResourceUnderTest]:
    with under_test(database, resource, "apptest2", SIZE) as shop:
        yield shop


@pytest.fixture
def full_pages(database: Database, resource: Resource) -> Iterator[ResourceUnderTest]:
    """The shop with the largest pages its interface allows."""
    with under_test(database, resource, "apptest1", 200) as shop:
        yield shop


def items(count: int, version: int = 0) -> list[Item]:
    return [Item(number, version) for number in range(count)]


# 1 Reading ends

AGAIN, SAYS = "page {} is the same as one before it", rf"the API says {ROWS} rows .* {{}} distinct rows"
UNTOLD = "the API sent no (total|row_count|count), so nothing proves the list complete"


def rest(server: ListServer, response: Response) -> list[bytes]:
    """Behind each page there is another one, of rows that nobody has seen."""
    last = server.items[-1].number
    server.items += [Item(number, 1) for number in range(last + 1, last + 1 + SIZE)]
    return response.rows


def circle(server: ListServer, response: Response, first: int) -> list[bytes]:
    """Three pages over and over, from this one on."""
    begin = (first - 1) * SIZE
    return server.cut(response.place if response.place < begin else begin + (response.place - begin) % (3 * SIZE))


def null_list(server: ListServer) -> bytes:
    return b'{"%s":%d,"%s":null}' % (server.resource.total_key.encode(), ROWS, server.resource.list_key.encode())


FAULTS: dict[str, tuple[Fault, str | None, str | None]] = {
    "page 1 for ever": (lambda to, response: {"rows": to.cut(0)}, AGAIN.format(2), AGAIN.format(2)),
    "the last page for ever": (lambda to, response: {"rows": to.cut(min(response.place, 4 * SIZE))}, None, None),
    "the last page for ever, and a total beyond it": (
        lambda to, response: {"rows": to.cut(min(response.place, 4 * SIZE)), "total": 30},
        AGAIN.format(6), AGAIN.format(6),
    ),
    "three pages for ever": (lambda to, response: {"rows": circle(to, response, 1)}, AGAIN.format(4), AGAIN.format(4)),
    "pages 2 to 4 for ever": (lambda to, response: {"rows": circle(to, response, 2)}, SAYS.format(12), AGAIN.format(5)),
    "a cursor that stands still": (
        lambda to, response: {"rows": to.cut(response.place, **to.factory.cursor(Item(5)))}, None, AGAIN.format(2),
    ),
    "rows without a cursor": (
        lambda to, response: {"rows": to.cut(response.place, **dict.fromkeys(to.factory.cursor(Item(0))))},
        None,
        SAYS.format(SIZE),
    ),
    "page size ignored": (lambda to, response: {"rows": [*map(to.factory.raw, to.items)]}, None, None),
    "new rows for ever": (
        lambda to, response: {"rows": rest(to, response), "total": ROWS}, SAYS.format(r"\d+"), SAYS.format(r"\d+"),
    ),
    "new rows for ever, all of them counted": (
        lambda to, response: {"rows": rest(to, response), "total": ROWS + SIZE * response.page},
        "says .* rows", "says .* rows",
    ),
    "no rows, but a total": (lambda to, response: {"rows": []}, SAYS.format(0), SAYS.format(0)),
    "list null, but a total": (lambda to, response: {"data": null_list(to)}, SAYS.format(0), SAYS.format(0)),
    "rows, but total 0": (lambda to, response: {"total": 0}, *["says 0 rows .* [1-9]"] * 2),
    "a total too low by pages": (lambda to, response: {"total": 9}, "says 9 .* 14 distinct", "says 9 .* 14 distinct"),
    "a total that is too low": (lambda to, response: {"total": 13}, "says 13 .* 14 distinct", "says 13 .* 14 distinct"),
    "total left out": (lambda to, response: {"total": LEFT_OUT}, UNTOLD, UNTOLD),
    "total as text": (lambda to, response: {"total": str(ROWS)}, None, None),
}  # fmt: skip
"""What stays wrong → what a list read by number ends with, and one by cursor; None: it is complete all the same."""


@pytest.mark.parametrize("name", FAULTS)
def test_reading_ends_in_every_fault_complete_or_with_the_numbers(shop: ResourceUnderTest, name: str) -> None:
    shop.server.items = items(SIZE)
    shop.run()
    before = shop.database.snapshot()
    shop.server.items = items(ROWS, version=1)
    fault, *ends = FAULTS[name]
    shop.server.set(fault)
    fails = ends[isinstance(shop.resource.paging, Cursor)]
    if fails == UNTOLD and not shop.resource.tells_total:
        fails = None
    with pytest.raises(XiaoeIncompleteError, match=fails) if fails else nullcontext():
        shop.run()
    assert len(shop.server.asked) <= MOST_CALLS
    if fails:
        assert shop.database.snapshot() == before
    else:
        assert shop.wrong(items(ROWS, version=1)) == []
        assert unbalanced(shop.database) == []


def test_a_list_without_a_total_is_complete_when_it_twice_brings_the_same(shop: ResourceUnderTest) -> None:
    """Where nobody has documented a total; else nothing proves it complete, however often it brings the same."""
    shop.server.items = items(ROWS)

    def hide(to: ListServer, response: Response) -> dict[str, Any]:
        """The first two readings miss a row each, and not the same."""
        missed = {1: 2, 2: 3}.get(response.reading)
        return {"rows": response.rows[1:] if response.page == missed else response.rows, "total": LEFT_OUT}

    shop.server.set(hide)
    if shop.resource.tells_total:
        with pytest.raises(XiaoeIncompleteError, match=UNTOLD):
            shop.run()
        assert shop.table() == []
        return
    shop.run()
    assert shop.wrong() == []
    assert (shop.ledger()["passes"], shop.ledger()["api_total"], shop.ledger()["staged"]) == (4, ROWS, ROWS)
    before = shop.database.snapshot()
    shop.server.set(lambda to, response: {"rows": response.rows[response.reading % 2 :], "total": LEFT_OUT})
    with pytest.raises(XiaoeIncompleteError, match=UNTOLD):
        shop.run()
    shop.server.set(lambda to, response: {"rows": to.cut(0), "total": LEFT_OUT})
    with pytest.raises(XiaoeIncompleteError, match="page 2 is the same as one before it"):
        shop.run()
    assert shop.database.snapshot() == before


NOTHING = (b"null", b"[]", b"{}", b'{"list":null}', b'{"list":[]}')


def test_an_answer_without_data_is_an_empty_list(shop: ResourceUnderTest) -> None:
    """A faulty answer looks the same: it has to say so twice."""
    for data in NOTHING:
        shop.server.set(lambda to, response, data=data: {"data": data})
        assert shop.run()["staged"] == 0
        assert shop.table() == []
        assert shop.ledger()["passes"] == 2


def test_an_answer_without_data_empties_no_warehouse(shop: ResourceUnderTest) -> None:
    shop.server.items = items(4)
    shop.run()
    before = shop.database.snapshot()
    for data in NOTHING:
        shop.server.set(lambda to, response, data=data: {"data": data})
        if shop.never_misses:
            shop.run()
            assert shop.wrong() == []
            continue
        with pytest.raises(XiaoeReconciliationError, match=r"the API lists 0 rows.* 4 "):
            shop.run()
        assert shop.database.snapshot() == before


# 2 Every row exactly once


def once(page: int, fault: Fault) -> Fault:
    """Only behind this page, and only in the first reading."""
    return lambda to, response: fault(to, response) if (response.reading, response.page) == (1, page) else None


def test_rows_added_at_the_front_while_the_list_is_read(shop: ResourceUnderTest) -> None:
    """By number, they push others onto the next page; by cursor they are not met, and come with the next run."""
    shop.server.items = items(ROWS)
    shop.server.set(once(2, lambda to, response: to.items.insert(0, Item(99))))
    shop.run()
    assert shop.wrong(items(ROWS) if isinstance(shop.resource.paging, Cursor) else None) == []
    shop.run()
    assert len(shop.server.items) == ROWS + 1
    assert shop.wrong() == []
    assert unbalanced(shop.database) == []


def test_rows_that_go_while_the_list_is_read(shop: ResourceUnderTest) -> None:
    """Others move up onto a page that was read already."""
    shop.server.items = items(ROWS)
    shop.server.set(once(2, lambda to, response: to.items.remove(Item(1))))
    shop.run()
    assert shop.wrong() == []
    assert shop.ledger()["passes"] == 2


def test_rows_that_change_places_while_the_list_is_read(shop: ResourceUnderTest) -> None:
    """One is met twice and one not at all, and the total stays."""
    shop.server.items = items(ROWS)
    shop.server.set(once(2, lambda to, response: to.items.insert(0, to.items.pop(10))))
    shop.run()
    assert shop.wrong() == []
    assert shop.ledger()["passes"] == 2


def test_rows_that_stand_on_two_pages(shop: ResourceUnderTest) -> None:
    """Two more rows on page 2, both from page 1."""
    shop.server.items = items(ROWS)
    shop.server.set(once(2, lambda to, response: {"rows": [*to.cut(0)[:2], *response.rows]}))
    assert shop.run()["staged"] == ROWS
    assert shop.wrong() == []
    assert unbalanced(shop.database) == []


def test_a_short_page_in_the_middle(shop: ResourceUnderTest) -> None:
    """One row on page 2; what it lacks comes on the pages behind it."""
    shop.server.items = items(ROWS)
    lacks = 0 if isinstance(shop.resource.paging, Cursor) else SIZE - 1

    def shorten(to: ListServer, response: Response) -> dict[str, Any]:
        return {
            "rows": response.rows[:1] if response.page == 2 else to.cut(response.place - lacks * (response.page > 2))
        }

    shop.server.set(shorten)
    shop.run()
    assert shop.wrong() == []
    assert shop.ledger()["passes"] == 1


def test_full_pages_with_an_empty_one_behind_them(shop: ResourceUnderTest) -> None:
    shop.server.items = items(4 * SIZE)
    shop.run()
    assert shop.wrong() == []
    assert shop.ledger()["passes"] == 1


def test_a_last_page_that_is_empty_once(shop: ResourceUnderTest) -> None:
    shop.server.items = items(ROWS)
    shop.server.set(once(5, lambda to, response: {"rows": []}))
    shop.run()
    assert shop.wrong() == []
    assert shop.ledger()["passes"] == 2


@FEW
@given(
    kind=st.sampled_from(["added at the front", "gone", "moved"]),
    when=st.dictionaries(st.integers(1, 5), st.tuples(st.integers(0, ROWS - 6), st.integers(0, ROWS - 6)), min_size=1),
)
def test_no_drift_of_one_reading_costs_a_row(
    shop: ResourceUnderTest, kind: str, when: dict[int, tuple[int, int]]
) -> None:
    """Whatever happens behind whichever pages: rows that were there all the time are there, nothing invented."""
    shop.database.empty("api_tokens")
    shop.server.items = items(ROWS)

    def drift(to: ListServer, response: Response) -> None:
        listed = to.items
        if response.reading > 1 or response.page not in when:
            return
        one, other = when[response.page]
        if kind == "gone":
            del listed[one]
        elif kind == "moved":
            listed.insert(one, listed.pop(other))
        else:
            listed.insert(0, Item(100 + response.page))

    shop.server.set(drift)
    shop.run()
    steady = [item for item in shop.server.items if item.number < ROWS]
    held = {row[shop.resource.key] for row in shop.table()}
    assert {shop.factory.name(item) for item in steady} <= held
    ever = [*items(ROWS), *(item for item in shop.server.items if item.number >= ROWS)]
    assert shop.wrong(item for item in ever if shop.factory.name(item) in held) == []
    assert unbalanced(shop.database) == []


# 3 Quirks


def test_every_form_of_every_value_is_stored_exactly(
    full_pages: ResourceUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row for each column and each form of its value; all other columns as usual."""
    monkeypatch.setenv("XIAOE_MAX_UNREADABLE_PERCENT", "50")
    shop, numbers = full_pages, itertools.count()
    expected = []
    for column, (name, read) in shop.factory.fields.items():
        for sent, meant in FORMS[read]:
            kept = None if meant is REFUSED else meant
            # No row without a key; and what windows filter by would be a lie outside of the window.
            is_name = column == shop.factory.key
            if is_name and kept and len(shop.factory.named(kept)[shop.resource.key]) > values.LONGEST_ID:
                continue  # with its parent it is too long
            if (not is_name or kept) and (column != shop.resource.time or kept is None):
                item = Item(next(numbers), changed={name: sent})
                shop.server.items.append(item)
                expected.append(shop.factory.stored(item) | {column: kept})
                if is_name:
                    expected[-1] |= shop.factory.named(kept)
                expected[-1]["problem_columns"] = column if meant is REFUSED else None
                if column in shop.factory.texts:
                    expected[-1][f"{column}_text"] = text_of(kept, shop.factory.texts[column])
    assert shop.run()["inserted"] == len(expected)
    assert shop.unlike(expected) == []
    marked = {(row[shop.resource.key], row["problem_columns"]) for row in expected if row["problem_columns"]}
    assert problems(shop, "row_key", "column_name") == marked
    assert shop.database.rows("SELECT * FROM rejected_rows") == []
    assert unbalanced(shop.database) == []


def test_a_row_with_nothing_but_its_key_and_fields_nobody_knows(shop: ResourceUnderTest) -> None:
    bare, usual = Item(0), Item(1)
    raw = shop.factory.bare(bare, news={"a": [1, None]}, **{"": "😀", "shop_id": "evil", "row_hash": 1})
    shop.server.items = [replace(bare, raw=raw), usual]
    shop.run()
    empty = dict.fromkeys(shop.factory.stored(bare)) | shop.factory.named(shop.factory.own(bare))
    assert shop.unlike([empty, shop.factory.stored(usual)]) == []


def test_unknown_codes_are_stored_without_a_text_and_reported(shop: ResourceUnderTest) -> None:
    def unknown(column: str) -> int | str:
        return "77777" if shop.factory.fields[column][1] is values.code_list else 77_777

    texts = shop.factory.texts
    shop.server.items = [
        Item(number, changed={shop.factory.fields[column][0]: 77_777}) for number, column in enumerate(texts)
    ]
    shop.run()
    expected = [
        shop.factory.stored(item) | {column: unknown(column), f"{column}_text": None}
        for item, column in zip(shop.server.items, texts, strict=True)
    ]
    assert shop.unlike(expected) == []
    assert (shop.ledger()["unknown_codes"] or "") == ", ".join(f"{column}=77777: 1" for column in sorted(texts))


def test_a_new_version_changes_every_column(shop: ResourceUnderTest) -> None:
    for version in (0, 1):
        shop.server.items = items(ROWS, version)
        counts = shop.run()
        assert counts["updated" if version else "inserted"] == ROWS
        assert shop.wrong() == []


# 4 Nothing is written twice


def test_the_same_list_again_writes_nothing(shop: ResourceUnderTest) -> None:
    shop.server.items = items(ROWS)
    shop.run()
    before = shop.table()
    counts = shop.run()
    assert (counts["staged"], counts["unchanged"]) == (ROWS, ROWS)
    assert shop.table() == before


def test_merging_the_same_pages_again_changes_nothing(shop: ResourceUnderTest) -> None:
    """Somebody clears the merge task, or it was killed after its commit."""
    bad = replace(Item(99), raw=b'{"no": "key"}')
    runs = [shop.observe([*items(ROWS, version), bad]) for version in (0, 1)]
    for run in runs:
        shop.sync.merge(*run)
    before = shop.database.snapshot()
    for run in (runs[1], runs[0], runs[1]):
        shop.sync.merge(*run)
    assert shop.database.snapshot() == before


def test_the_same_bytes_are_not_even_typed(shop: ResourceUnderTest) -> None:
    """Were they typed, the hash of the typed row would be set right."""
    shop.server.items = items(ROWS)
    shop.run()
    shop.database.rows(f"UPDATE {shop.resource.table} SET row_hash = 1")
    assert shop.run()["unchanged"] == ROWS
    assert {row["row_hash"] for row in shop.table()} == {1}


def test_other_bytes_that_say_the_same_write_nothing_but_their_hash(shop: ResourceUnderTest, typed: Typed) -> None:
    shop.server.items = items(ROWS)
    shop.run()
    before = shop.table()
    shop.server.items = [reworded(shop, item) for item in items(ROWS)]
    for expected in (ROWS, 0):
        typed.clear()
        assert shop.run()["unchanged"] == ROWS
        assert len(typed) == expected
        assert shop.table() == [
            {**row, "raw_hash": shop.resource.reader.raw_hash(shop.factory.held(item.raw or b""))}
            for row, item in zip(before, shop.server.items, strict=True)
        ]


@pytest.mark.parametrize("by_file", [True, False])
def test_after_a_change_of_the_rules_rows_are_typed_once(
    shop: ResourceUnderTest, typed: Typed, monkeypatch: pytest.MonkeyPatch, by_file: bool
) -> None:
    """Where they say the same as before, nothing counts as updated, is logged or queued: as after any other look."""
    if not by_file:
        monkeypatch.setattr(Session, "_probe", lambda self, table: False)
    shop.server.items = items(ROWS)
    shop.run()
    for queue in ("benefit_queue", "mart_queue"):
        shop.database.rows(f"DELETE FROM {queue}")
    shop.run()
    before, rows = everything_but_the_ledger(shop), shop.table()
    changed = by_other_rules(shop.resource)
    by_rules = merger.Merger(Warehouse(), changed, merge_sql(changed.name))
    for expected in (ROWS, 0):
        typed.clear()
        counts = by_rules.merge(*shop.observe(items(ROWS)))
        assert len(typed) == expected
        assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (0, 0, ROWS)
        assert everything_but_the_ledger(shop) == before
        hashes = [changed.reader.raw_hash(shop.factory.held(shop.factory.raw(item))) for item in items(ROWS)]
        assert shop.table() == [{**row, "raw_hash": one} for row, one in zip(rows, hashes, strict=True)]
        assert {column: shop.ledger()[column] for column in ("updated", "unchanged")} == {
            "updated": 0, "unchanged": ROWS,
        }  # fmt: skip
    typed.clear()
    assert by_rules.merge(*shop.observe([Item(0, 1), *items(ROWS)[1:]]))["updated"] == 1
    assert len(typed) == 1
    assert shop.wrong() == []
    assert unbalanced(shop.database) == []


def test_a_row_that_changes_while_it_is_read_keeps_the_hash_of_what_is_stored(
    shop: ResourceUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes twice, in two chunks: first in other words, then changed. Its first words come again: it is typed."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 1)
    shop.run_of(items(ROWS))
    first, second = reworded(shop, Item(0)), Item(0, 1)
    shop.server.items = [first, *items(ROWS)[1:]]
    shop.server.set(
        lambda to, response: {"rows": [to.factory.raw(second), *response.rows]} if response.page == 2 else None
    )
    shop.run()
    shop.server.set()
    [row] = [row for row in shop.table() if row[shop.resource.key] == shop.factory.name(first)]
    assert row["raw_hash"] == shop.resource.reader.raw_hash(shop.factory.held(shop.factory.raw(second)))
    assert shop.wrong([second, *items(ROWS)[1:]]) == []
    assert shop.run_of([first, *items(ROWS)[1:]])["updated"] == 1
    assert shop.wrong(items(ROWS)) == []


def test_an_older_look_merged_late_takes_no_hash_back(shop: ResourceUnderTest, typed: Typed) -> None:
    """Three wordings of the same rows: those that came last stay known."""
    words = [[reworded(shop, item, word) for item in items(5)] for word in range(3)]
    runs = [shop.observe(one) for one in words]
    for number in (0, 2, 1):
        shop.sync.merge(*runs[number])
    typed.clear()
    assert shop.run_of(words[2])["unchanged"] == 5
    assert typed == []


Typed = list[bytes]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Collects every row that is typed."""
    found: Typed = []
    read = RowReader.read

    def noting(self: RowReader, raws: Sequence[Any]) -> Any:
        found.extend(map(bytes, raws))
        return read(self, raws)

    monkeypatch.setattr(RowReader, "read", noting)
    return found


def reworded(shop: ResourceUnderTest, item: Item, word: int = 1) -> Item:
    """The same row in other bytes."""
    fields = json.loads(shop.factory.raw(item))
    return replace(item, raw=json.dumps({"news": word, **dict(reversed(fields.items()))}, indent=1).encode())


def by_other_rules(resource: Resource) -> Resource:
    """The same, its key read by a function of another name: every raw hash is another one, and no typed row."""

    def read(value: Any) -> str | None:
        return values.identifier(value)

    reader = resource.reader
    mapping = {**reader._mapping, resource.key: (reader._mapping[resource.key][0], read)}
    changed = RowReader(mapping, reader._code_texts, key=resource.key, forms=reader._forms)
    return replace(resource, reader=changed)


LEDGER = ("sync_windows", "sync_status", "parent_readings", "parent_coverage")


def everything_but_the_ledger(shop: ResourceUnderTest) -> dict[str, Any]:
    """All tables, less what every merge adds to, and raw hashes."""
    found = shop.database.snapshot("raw_hash")
    return {table: rows for table, rows in found.items() if table not in LEDGER}


# 5 A reading that breaks off


@pytest.mark.parametrize("page", [1, 3])
def test_a_reading_that_broke_off_resumes_behind_its_last_page(shop: ResourceUnderTest, page: int) -> None:
    shop.server.items = items(ROWS, version=1)
    shop.run(run_id="the run")
    undisturbed = shop.database.snapshot("observed_at")
    shop.database.empty("api_tokens")
    before = shop.database.snapshot()
    shop.server.set(lambda to, response: {"code": BUSY} if response.page >= page else None)
    with pytest.raises(XiaoeBusyError, match="1001"):
        shop.run(run_id="the run")
    assert shop.database.snapshot() == before
    shop.server.set()
    shop.run(run_id="the run")
    assert shop.server.asked[0] == page
    assert shop.database.snapshot("observed_at") == undisturbed
    assert shop.wrong() == []


def test_two_rows_of_one_page_with_one_key_and_different_content_are_told(full_pages: ResourceUnderTest) -> None:
    """One is written, the other is kept and named; where they mean the same, nothing is."""
    shop = full_pages
    shop.server.items = [Item(0), Item(0), Item(1), Item(1, version=1), Item(2)]
    shop.server.set(lambda to, response: {"total": 3})
    shop.run()
    [told] = shop.database.rows("SELECT row_key, reason, resolved_at FROM rejected_rows")
    assert told["row_key"] == shop.factory.name(Item(1))
    assert told["reason"].startswith("duplicate key with different content on one page")
    assert told["resolved_at"] is None
    assert shop.ledger()["staged"] == 3
    shop.server.items = items(3)
    shop.server.set()
    shop.run()
    assert shop.database.value("SELECT COUNT(*) FROM rejected_rows WHERE resolved_at IS NULL") == 0
    assert shop.wrong() == []


def test_a_page_behind_a_gap_is_no_part_of_a_list_that_became_shorter(shop: ResourceUnderTest) -> None:
    """Pages are written side by side: the try that broke off had written page 3 and not page 2."""
    shop.server.items = items(ROWS)
    folder, _ = shop.stage(run_id="the run")
    folder.manifest_path.unlink()
    (folder.path / "slice-00/pass-1/finished").unlink()
    (folder.path / folder.page_name(0, 1, 2)).unlink()
    shop.server.items = items(2 * SIZE - 1)
    shop.server.set()
    shop.run(run_id="the run")
    assert shop.server.asked[0] == 2
    assert shop.wrong() == []
    assert shop.ledger()["staged"] == 2 * SIZE - 1


# 6 Complete, or not green


def without(*numbers: int, readings: float = float("inf"), uncounted: bool = False) -> Fault:
    """Some rows are on no page, in the first `readings`; counted all the same, or not."""

    def fault(to: ListServer, response: Response) -> dict[str, Any] | None:
        lost = {to.factory.raw(item) for item in to.items if item.number in numbers}
        rows = [row for row in response.rows if row not in lost]
        return {"rows": rows, "total": response.total - len(lost) * uncounted} if response.reading <= readings else None

    return fault


@pytest.mark.parametrize("known", [0, ROWS])
def test_a_row_lost_for_good_fails_with_the_numbers(shop: ResourceUnderTest, known: int) -> None:
    if known:
        shop.server.items = items(known)
        shop.run()
    before = shop.database.snapshot()
    shop.server.items = items(ROWS, version=1)
    shop.server.set(without(4))
    with pytest.raises(XiaoeIncompleteError, match=SAYS.format(ROWS - 1)):
        shop.run()
    assert shop.database.snapshot() == before


def test_rows_lost_in_one_reading_are_found_in_the_next(shop: ResourceUnderTest) -> None:
    shop.server.items = items(ROWS)
    shop.server.set(without(0, 4, 5, readings=1))
    shop.run()
    assert shop.wrong() == []
    assert (shop.ledger()["passes"], shop.ledger()["api_total"]) == (2, ROWS)


# 7 Newer wins


def test_two_observations_end_the_same_in_either_order(shop: ResourceUnderTest) -> None:
    runs = shop.observe(items(5, version=1)), shop.observe([*items(5, version=2), Item(9)])
    ends = []
    for order in (runs, reversed(runs)):
        shop.database.empty("api_tokens")
        for run in order:
            shop.sync.merge(*run)
        assert shop.wrong() == []
        ends.append(shop.table())
    assert ends[0] == ends[1]


def test_there_and_back_again(shop: ResourceUnderTest) -> None:
    """1 → 8 → 1: the last look finds nothing to write, and yet the one before it must not win when it comes late."""
    runs = [shop.observe(items(5, version)) for version in (1, 8, 1)]
    for order in ((0, 2, 1), (2, 1, 0), (2, 0, 1)):
        shop.database.empty("api_tokens")
        for number in order:
            shop.sync.merge(*runs[number])
        assert shop.wrong(items(5, version=1)) == [], order
        assert unbalanced(shop.database) == []


@FEW
@given(data=st.data())
def test_any_order_of_merges_ends_in_the_newest_observation(shop: ResourceUnderTest, data: st.DataObject) -> None:
    """Rows come into being and change; each look lists those that are there; merges come in any order, and again."""
    shop.database.empty("api_tokens")
    looks = data.draw(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=3), min_size=2, max_size=4))
    looks = [versions for _, versions in sorted(enumerate(looks), key=lambda look: len(look[1]))]
    runs = [shop.observe(Item(*row) for row in enumerate(versions)) for versions in looks]
    order = data.draw(st.permutations(range(len(runs))))
    again = data.draw(st.lists(st.sampled_from(range(len(runs))), max_size=2))
    for number in [*order, *again]:
        shop.sync.merge(*runs[number])
    assert shop.wrong(Item(*row) for row in enumerate(looks[-1])) == []
    assert unbalanced(shop.database) == []


# 8 What disappears


def test_a_row_that_is_gone_is_marked_and_kept_and_comes_back(shop: ResourceUnderTest) -> None:
    """Of a list that is always whole, by itself; of a window, where somebody accepts it."""
    shop.server.items = items(ROWS)
    shop.run()
    before, held = shop.database.snapshot(), shop.table()
    shop.server.items = [item for item in items(ROWS) if item.number != 4]
    if shop.never_misses:
        assert shop.run()["absent"] == 0
        assert shop.table() == held
        return
    if not shop.is_whole:
        with pytest.raises(XiaoeReconciliationError, match=r"holds 1 more that it no longer lists: k_0004\."):
            shop.run()
        assert shop.database.snapshot() == before
    counts = shop.run(accept_missing=not shop.is_whole)
    assert (counts["absent"], counts["unchanged"]) == (1, ROWS - 1)
    assert shop.absent() == {shop.factory.name(Item(4))}
    assert [{**row, "absent_since": None} for row in shop.table()] == held
    since = shop.table()

    assert shop.run()["absent"] == 0  # and what is marked is no longer missed
    assert shop.table() == since

    shop.server.items = items(ROWS)
    counts = shop.run()
    assert (counts["updated"], counts["unchanged"]) == (1, ROWS - 1)
    assert shop.absent() == set()
    assert shop.wrong() == []


def test_one_row_too_many_does_not_make_up_for_one_that_is_gone(shop: ResourceUnderTest) -> None:
    """As many rows come as the warehouse holds of the window; in counting them it must not mistake one for another."""
    odd = {
        "new": Item(21),
        "with a space behind its key": Item(5, changed={shop.factory.key_field: shop.factory.own(Item(5)) + " "}),
    }
    if shop.resource.time is not None:
        field, _ = shop.factory.fields[shop.resource.time]
        odd["of another window"] = Item(20, changed={field: "2011-01-01 00:00:00"})
        odd["unreadable"] = Item(22, changed={field: "never"})
    for name, more in odd.items():
        shop.database.empty("api_tokens")
        shop.server.items = [*items(ROWS), more] if name == "of another window" else items(ROWS)
        shop.run()
        before = shop.database.snapshot()
        shop.server.items = [*[item for item in items(ROWS) if item.number != 4], more]
        if shop.is_whole:  # there, a row may go
            shop.run()
            assert shop.absent() == (set() if shop.never_misses else {shop.factory.name(Item(4))}), name
            continue
        with pytest.raises(XiaoeReconciliationError, match=r"no longer lists: k_0004\."):
            shop.run()
        assert shop.database.snapshot() == before, name


def test_more_than_may_go_by_itself_is_refused_until_somebody_accepts_it(shop: ResourceUnderTest) -> None:
    """Half of a whole list may go; of a window nothing."""
    may_go = ROWS // 2 if shop.is_whole else 0
    shop.server.items = items(ROWS)
    shop.run()
    if shop.never_misses:
        return
    before = shop.database.snapshot()
    shop.server.items = items(ROWS)[may_go + 1 :]
    with pytest.raises(XiaoeReconciliationError, match=f"the API lists {ROWS - may_go - 1} rows"):
        shop.run()
    assert shop.database.snapshot() == before
    shop.server.items = items(ROWS)[may_go:]
    assert shop.run()["absent"] == may_go
    shop.server.items = items(1)
    shop.run(accept_missing=True)
    assert shop.wrong() == []
    assert len(shop.table()) == ROWS


def test_rows_hidden_for_one_reading_are_looked_for_again(shop: ResourceUnderTest) -> None:
    """The list adds up without them; that the warehouse knows them makes it be read once more."""
    shop.server.items = items(ROWS)
    shop.run()
    shop.server.set(without(4, readings=1, uncounted=True))
    shop.run()
    assert shop.absent() == set()
    assert shop.wrong() == []


def test_an_older_list_merged_late_marks_no_row_that_a_newer_one_held(shop: ResourceUnderTest) -> None:
    """There, gone, there: the newest look found the row unchanged and wrote nothing. Of a window it is refused."""
    there, gone, there_again = shop.observe(items(5)), shop.observe(items(4)), shop.observe(items(5))
    shop.sync.merge(*there)
    shop.sync.merge(*there_again)
    with (
        nullcontext() if shop.is_whole else pytest.raises(XiaoeReconciliationError, match=r"no longer lists: k_0004\.")
    ):
        shop.sync.merge(*gone)
    assert shop.absent() == set()
    assert shop.wrong() == []


# 9 Fields that cannot be read, and rows that are none


def problems(shop: ResourceUnderTest, *columns: str) -> set[Any]:
    """Open problems of the shop."""
    rows = shop.database.rows(
        f"SELECT {', '.join(columns)} FROM field_problems WHERE shop_id = %s AND resource = %s AND resolved_at IS NULL",
        [shop.app_id, shop.resource.name],
    )
    return {tuple(row.values()) for row in rows}


def unreadable(shop: ResourceUnderTest) -> list[Item]:
    """One row per column, its value unreadable, in version 1."""
    fields = shop.factory.fields
    columns = [column for column in fields if column != shop.factory.key]
    return [
        Item(number, 1, changed={fields[column][0]: BAD[fields[column][1]]})
        for number, column in enumerate(columns, start=100)
    ]


def marked(shop: ResourceUnderTest, item: Item, last_good: Item | None = None) -> dict[str, Any]:
    """How the row of an unreadable item is stored: the column as it was in another version, or empty."""
    [field] = item.changed
    [column] = [column for column, (name, _) in shop.factory.fields.items() if name == field]
    names = [name for name in (column, f"{column}_text") if name in shop.resource.columns]
    before = shop.factory.stored(last_good) if last_good else dict.fromkeys(names)
    row = shop.factory.stored(replace(item, changed={}))
    return row | {name: before[name] for name in names} | {"problem_columns": column}


def nameless(shop: ResourceUnderTest) -> list[Item]:
    """Rows without a key, and no rows at all."""
    key = shop.factory.key_field
    keyless = [Item(200 + number, changed={key: value}) for number, value in enumerate((None, "", "  ", {"a": 1}))]
    return keyless + [replace(Item(210), raw=raw) for raw in (b"null", b"[]", b'"text"', b"7", b"{}")]


def test_a_field_that_cannot_be_read_costs_no_row_and_what_is_no_row_costs_no_other(
    shop: ResourceUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_MAX_REFUSED_PERCENT", "50")
    odd, lost, good = unreadable(shop), nameless(shop), items(60)
    shop.server.items = [item for pair in zip([*odd, *lost], good) for item in pair]  # noqa: B905 - more good ones
    listed = [item for item in shop.server.items if item in good]
    counts = shop.run()
    assert (counts["inserted"], counts["rejected"]) == (len(listed) + len(odd), len(lost))
    assert shop.unlike([*map(shop.factory.stored, listed), *(marked(shop, item) for item in odd)]) == []
    assert [row["problem_columns"] for row in shop.table()].count(None) == len(listed)
    held = shop.database.rows("SELECT * FROM rejected_rows")
    assert sorted(row["raw_json"] for row in held) == sorted(
        shop.factory.held(shop.factory.raw(item)).decode() for item in lost
    )
    assert {(row["resource"], row["row_key"], row["resolved_at"]) for row in held} == {(shop.resource.name, None, None)}
    assert problems(shop, "row_key", "field", "seen_count") == {
        (shop.factory.name(item), next(iter(item.changed)), 1) for item in odd
    }
    assert unbalanced(shop.database) == []


def test_problems_are_counted_when_they_come_again_and_resolved_when_they_come_right(shop: ResourceUnderTest) -> None:
    odd, lost = unreadable(shop), nameless(shop)[:2]
    good = [replace(item, changed={}) for item in odd]
    shop.server.items = [*items(2), *odd, *lost]
    shop.run()
    before = shop.table()
    counts = shop.run()
    assert (counts["unchanged"], counts["rejected"]) == (len(odd) + 2, len(lost))
    assert shop.table() == before
    assert problems(shop, "row_key", "seen_count") == {(shop.factory.name(item), 2) for item in odd}
    count = "SELECT seen_count, resolved_at IS NULL AS open, COUNT(*) AS n FROM rejected_rows GROUP BY 1, 2"
    assert shop.database.rows(count) == [{"seen_count": 2, "open": 1, "n": len(lost)}]
    shop.server.items = [*items(2), *good]
    shop.run()
    assert shop.wrong() == []
    assert problems(shop, "row_key") == set()
    assert {row["problem_columns"] for row in shop.table()} == {None}
    assert shop.database.value("SELECT COUNT(*) FROM field_problems WHERE resolved_at IS NOT NULL") == len(odd)
    shop.server.items = [*items(2), *odd]
    shop.run()
    assert problems(shop, "row_key", "seen_count") == {(shop.factory.name(item), 3) for item in odd}


def test_a_field_that_turns_unreadable_keeps_its_last_good_value(shop: ResourceUnderTest) -> None:
    """All other fields are taken from the new version; what comes right later wins, also where it says nothing."""
    odd = unreadable(shop)
    earlier = [replace(item, version=0, changed={}) for item in odd]
    shop.server.items = [*earlier, Item(0)]
    shop.run()
    shop.server.items = [*odd, Item(0)]
    counts = shop.run()
    assert (counts["updated"], counts["rejected"], counts["unchanged"], counts["absent"]) == (len(odd), 0, 1, 0)
    pairs = zip(odd, earlier, strict=True)
    expected = [*(marked(shop, item, before) for item, before in pairs), shop.factory.stored(Item(0))]
    assert shop.unlike(expected) == []
    empty = [replace(item, changed=dict.fromkeys(item.changed)) for item in odd]
    shop.server.items = [*empty, Item(0)]
    assert shop.run()["updated"] == len(odd)
    blank = [marked(shop, item) | {"problem_columns": None} for item in odd]
    assert shop.unlike([*blank, shop.factory.stored(Item(0))]) == []


def broken_field(shop: ResourceUnderTest) -> tuple[str, Any]:
    """A field that is no key and no window's time, and a value of it that cannot be read."""
    fields, apart = shop.factory.fields, (shop.factory.key, shop.resource.time)
    column = next(one for one, (_, read) in fields.items() if one not in apart and read is not values.text)
    return fields[column][0], BAD[fields[column][1]]


def books(shop: ResourceUnderTest) -> list[Any]:
    return [shop.database.rows(f"SELECT * FROM {table}") for table in ("sync_windows", "sync_status", "sync_runs")]


def test_a_field_that_many_rows_lack_is_red_after_what_can_be_written_was(full_pages: ResourceUnderTest) -> None:
    shop = full_pages
    field, bad = broken_field(shop)
    shop.server.items = items(60)
    shop.run()
    before = books(shop)
    broken = [replace(item, version=1, changed={field: bad}) for item in items(59)]  # and one row is gone
    shop.server.items = broken
    accept = not shop.is_whole
    with pytest.raises(XiaoeMappingError, match=rf"field {field} cannot be read in 59 of 59 rows.*59/59 行无法解析"):
        shop.run(accept_missing=accept)
    gone = shop.factory.stored(Item(59))
    assert shop.unlike([*(marked(shop, item, replace(item, version=0)) for item in broken), gone]) == []
    assert problems(shop, "row_key") == {(shop.factory.name(item),) for item in broken}
    assert shop.absent() == set()
    assert books(shop) == before, "no window counts as read, no watermark moved"

    shop.server.items = [replace(item, changed={}) for item in broken]
    assert shop.run(accept_missing=accept)["absent"] == (0 if shop.never_misses else 1)
    kept = [Item(59)] if shop.never_misses else []
    assert shop.wrong([*shop.server.items, *kept]) == []
    assert problems(shop, "row_key") == set()


@pytest.mark.parametrize(("odd", "rows", "is_red"), [(4, 60, True), (3, 60, False), (49, 49, False), (3, 50, True)])
def test_a_field_is_broken_from_one_row_in_twenty_on_among_fifty(
    full_pages: ResourceUnderTest, odd: int, rows: int, *, is_red: bool
) -> None:
    field, bad = broken_field(full_pages)
    full_pages.server.items = [*(Item(n, changed={field: bad}) for n in range(odd)), *items(rows)[odd:]]
    with pytest.raises(XiaoeMappingError) if is_red else nullcontext():
        full_pages.run()
    assert len(full_pages.table()) == rows
    assert len(problems(full_pages, "row_key")) == odd
    assert bool(full_pages.database.rows("SELECT * FROM sync_windows")) is not is_red
    marks = full_pages.database.rows("SELECT watermark FROM sync_status WHERE watermark IS NOT NULL")
    assert bool(marks) is not is_red


@pytest.mark.parametrize(("lost", "rows", "is_red"), [(2, 60, True), (1, 60, False), (9, 40, False)])
def test_rows_without_a_key_are_red_from_one_in_a_hundred_on(
    full_pages: ResourceUnderTest, lost: int, rows: int, *, is_red: bool
) -> None:
    full_pages.server.items = [*nameless(full_pages)[:lost], *items(rows - lost)]
    with pytest.raises(XiaoeMappingError, match=f"{lost} of {rows} rows have no key") if is_red else nullcontext():
        full_pages.run()
    assert len(full_pages.table()) == rows - lost
    assert full_pages.database.value("SELECT COUNT(*) FROM rejected_rows") == lost
    assert bool(full_pages.database.rows("SELECT * FROM sync_windows")) is not is_red


def test_an_element_without_a_key_beside_a_total_that_does_not_count_it(shop: ResourceUnderTest) -> None:
    """A filler, as samples in documentation have it (docs/xiaoe-api.md section 10): the list is complete, and told."""
    shop.server.items = [*items(4), nameless(shop)[0], *items(ROWS)[4:]]
    shop.server.set(lambda to, response: {"total": ROWS})
    counts = shop.run()
    assert (counts["inserted"], counts["rejected"]) == (ROWS, 1)
    assert shop.wrong(items(ROWS)) == []
    assert shop.database.value("SELECT COUNT(*) FROM rejected_rows WHERE row_key IS NULL") == 1
    assert shop.run()["unchanged"] == ROWS
    assert shop.absent() == set()


def test_fields_that_are_new_and_fields_that_no_longer_come_are_remembered(full_pages: ResourceUnderTest) -> None:
    shop = full_pages
    field, _ = broken_field(shop)
    rows = "SELECT field, shape, is_stored, is_always, missing_since IS NOT NULL AS is_missing FROM api_fields"
    usual = [Item(n, changed={"news": "5-MAR", "rare": n} if n % 8 else {"news": 7}) for n in range(40)]
    shop.server.items = usual
    shop.run()
    held = {row.pop("field"): row for row in shop.database.rows(rows)}
    assert held.keys() == {*json.loads(shop.factory.raw(usual[1]))}
    assert (held["news"]["is_stored"], held["news"]["is_always"], held["rare"]["is_always"]) == (0, 1, 0)
    assert held["news"]["shape"] in ("number 9", "text 9-aaa")
    assert (held[field]["is_stored"], held[field]["is_always"], held[field]["is_missing"]) == (1, 1, 0)

    def without_field(*names: str) -> list[Item]:
        told = [json.loads(shop.factory.raw(item)) for item in usual]
        left = [{name: value for name, value in row.items() if name not in names} for row in told]
        return [replace(item, raw=json.dumps(row).encode()) for item, row in zip(usual, left, strict=True)]

    shop.server.items = without_field(field, "rare")
    shop.run()
    assert {row["field"] for row in shop.database.rows(rows) if row["is_missing"]} == {field}
    shop.server.items = usual
    shop.run()
    assert {row["field"] for row in shop.database.rows(rows) if row["is_missing"]} == set()


# 10 Shops apart


def test_two_shops_with_the_same_keys_stay_apart(shop: ResourceUnderTest, another_shop: ResourceUnderTest) -> None:
    """New versions, bad rows, rows that go, later looks at the same window: nothing of it is the other's."""
    bad = [*nameless(shop)[:1], *unreadable(shop)[:1]]
    for one, own in ((shop, Item(40)), (another_shop, Item(50))):
        one.server.items = [*items(5), own, *bad]
        one.run()
    late = shop.observe([*items(5, version=2), Item(40), *bad])
    tables = ("rejected_rows", "field_problems", "sync_status", "sync_windows")
    of_shop = "SELECT * FROM {} WHERE shop_id = %s ORDER BY 3"
    mine, books = shop.table(), [shop.database.rows(of_shop.format(table), [shop.app_id]) for table in tables]

    another_shop.server.items = [*items(3, version=1), Item(50), *(replace(item, changed={}) for item in bad[1:])]
    another_shop.run(accept_missing=True)
    gone = set() if another_shop.never_misses else {shop.factory.name(Item(number)) for number in (3, 4)}
    assert another_shop.absent() == gone
    assert shop.table() == mine
    assert [shop.database.rows(of_shop.format(table), [shop.app_id]) for table in tables] == books

    theirs = another_shop.table()
    counts = shop.sync.merge(*late)
    assert (counts["updated"], counts["absent"]) == (5, 0)
    listed = [*items(5, version=2), Item(40)]
    assert shop.unlike([*map(shop.factory.stored, listed), marked(shop, bad[1])]) == []
    assert another_shop.table() == theirs

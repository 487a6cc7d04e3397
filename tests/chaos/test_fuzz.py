"""Any bytes at all: every row ends typed or refused, every reading ends, nothing is changed on the way."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.faults.chaos import by_level, tell
from support.fixtures import servers
from support.oracles.any_bytes import answer_of, check_answer, check_paging
from support.worlds.conformance import Item, RowFactory
from support.worlds.runs import write_list
from support.worlds.shop import Database, Sync
from xiaoe.resources.base import Resource
from xiaoe.resources.registry import RESOURCES
from xiaoe.storage.pages import RunFolder

pytestmark = pytest.mark.chaos

MANY = settings(
    max_examples=by_level(60, 1000, 40_000), deadline=None, suppress_health_check=list(HealthCheck), database=None
)
FIELDS = sorted({field for one in RESOURCES.values() for field, _ in one.reader._mapping.values()})
NUMBERS = (
    "0", "-0", "1e5", "1E-3", "12.30", "0.005", "1e999", "1e99999999999999999999", "9" * 40, "-9999999999.99", "1e-400",
    "2147483647", "-2147483648", "99999999999999999999.5", "0.1e1", "1790000000123", "253402300799999", "1e15", "NaN",
)  # fmt: skip
TEXTS = (
    "", " ", "--", "0", "1_000", "１２.３", "12.30 ", "\u0000", "\ufeff1", "true", "null", "Infinity", "sNaN", "-0.00",
    "2026-02-29 00:00:00", "2024-02-29 23:59:60", "0000-00-00 00:00:00", "-0001-11-30 00:00:00", "9999-12-31 23:59:59",
    "2026-01-01T00:00:00", "２０２６-01-01 00:00:00", "'); DROP TABLE orders; -- ", "{{ 7*7 }}", "../../x",
    "\\N", "\t\n",
)  # fmt: skip

numbers = st.sampled_from(NUMBERS) | st.floats().map(repr) | st.integers().map(str)
strings = (st.sampled_from(TEXTS) | st.text() | numbers).map(lambda text: json.dumps(text, ensure_ascii=False))
scalars = numbers | strings | st.sampled_from(["true", "false", "null", "[]", "{}"])
cells = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | st.dictionaries(strings, inner, max_size=3).map(
            lambda parts: "{" + ",".join(f"{name}:{value}" for name, value in parts.items()) + "}"
        )
    ),
    max_leaves=6,
)
objects = st.lists(st.tuples(st.sampled_from([*FIELDS, "es_skip", "x"]), cells), max_size=8).map(
    lambda parts: "{" + ",".join(f'"{name}":{value}' for name, value in parts) + "}"
)


@MANY
@given(st.one_of(objects, cells).map(lambda row: row.encode("utf-8", "surrogatepass")) | st.binary())
@example(b'{"aftersale_id":[1e999],"aftersale_id":0}')
@example(b'{"order_id":1e99999999999999999999,"order_id":0}')
def test_any_row_is_typed_or_refused(row: bytes) -> None:
    check_answer(answer_of(row))


@MANY
@given(st.binary() | objects.map(lambda data: b'{"code":0,"data":' + data.encode("utf-8", "surrogatepass") + b"}"))
def test_any_answer_is_rows_or_a_network_error(body: bytes) -> None:
    check_answer(body)


@MANY
@given(st.data())
def test_a_true_row_with_some_bytes_changed(data: st.DataObject) -> None:
    resource = data.draw(st.sampled_from(list(RESOURCES.values())))
    row = bytearray(RowFactory(resource, datetime(2026, 5, 1)).raw(Item(data.draw(st.integers(0, 99)))))
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(row) - 1))
        row[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        row = row or bytearray(b"x")
    check_answer(answer_of(bytes(row)))


pages = st.lists(
    st.tuples(st.none() | st.integers(0, 40), st.lists(st.integers(0, 30), max_size=6)), min_size=1, max_size=9
)


@MANY
@given(st.lists(pages, min_size=1, max_size=6), st.integers(1, 7))
def test_any_list_is_read_to_an_end(readings: list[list[tuple[int | None, list[int]]]], page_size: int) -> None:
    check_paging(readings, page_size=page_size)


@MANY
@given(st.binary(max_size=400))
def test_any_file_in_the_place_of_a_page_is_a_page_or_none(
    tmp_path_factory: pytest.TempPathFactory, file: bytes
) -> None:
    folder = RunFolder(_place(tmp_path_factory))
    (folder.path / "page").write_bytes(file)
    assert folder.read_page("page") is None


_places: list[Path] = []


def _place(factory: pytest.TempPathFactory) -> Path:
    if not _places:
        _places.append(factory.mktemp("pages"))
    return _places[0]


@pytest.mark.mysql
@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)
@pytest.mark.parametrize("migrated", servers()[: by_level(1, 1, 2)], indirect=True)
def test_whatever_is_typed_fits_the_tables_and_is_read_back_as_it_was(
    sync: Sync, database: Database, resource: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows with odd values in any column, in lists: each is in its table, to the letter, and its problems are noted."""
    monkeypatch.setenv("XIAOE_MAX_UNREADABLE_PERCENT", "100")
    factory = RowFactory(resource, datetime(2026, 5, 1))
    ends: Counter[str] = Counter()
    for turn in range(by_level(1, 4, 60)):
        chance = random.Random(turn)
        rows = [odd_row(factory, number, chance) for number in range(by_level(60, 200, 300))]
        database.empty("api_tokens")
        now = datetime.now(timezone.utc)
        counts = sync.merge(*write_list(resource, sync.store, rows, now, f"turn-{turn}", parent=factory.parent))
        assert counts["inserted"] + counts["rejected"] == len(rows)
        held = {
            row[resource.key]: row
            for row in database.rows(f"SELECT * FROM {resource.table}")
            if not row.get("is_inferred")
        }
        refused = {row["raw_json"] for row in database.rows("SELECT raw_json FROM rejected_rows")}
        for raw in map(factory.held, rows):
            if raw.decode() in refused:
                ends["refused"] += 1
                continue
            ends["typed"] += 1
            typed = dict(zip(resource.reader.columns, resource.reader.row(raw), strict=True))
            noted = "SELECT GROUP_CONCAT(column_name) FROM field_problems WHERE row_key = %s"
            assert {*(database.value(noted, [typed[resource.key]]) or "").split(",")} == {
                *(typed["problem_columns"] or "").split(",")
            }
            found = held[typed[resource.key]]
            for column, value in typed.items():
                assert (value is None and found[column] is None) or str(found[column]) == _as_held(
                    value, found[column]
                ), column
    tell("fuzz through the database", resource=resource.name, **ends)


def _as_held(value: Any, found: Any) -> str:
    """A DECIMAL column shows all its places."""
    return str(type(found)(value)) if type(found) in (int, float) else _decimal(value, found)


def _decimal(value: Any, found: Any) -> str:
    from decimal import Decimal

    return str(Decimal(value).quantize(found)) if isinstance(found, Decimal) else str(value)


def odd_row(factory: RowFactory, number: int, chance: random.Random) -> bytes:
    """A true row with one to three of its values replaced; never its key."""
    row = json.loads(factory.raw(Item(number)))
    names = [field for field in row if field != factory.key_field]
    for name in chance.sample(names, min(len(names), chance.randint(1, 3))):
        value = chance.choice([*TEXTS, *NUMBERS, None, True, [1], {"a": "😀"}, "x" * chance.choice([10, 70_000])])
        row[name] = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    return json.dumps(row, ensure_ascii=False).encode()

"""Declarations of resources against the migrated database: information_schema is asked, not the migrations' text."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from support.worlds.shop import Database
from xiaoe.resources import order_origins
from xiaoe.resources.base import BOOKKEEPING, Resource
from xiaoe.resources.registry import RESOURCES
from xiaoe.rows import values

pytestmark = pytest.mark.mysql

each = pytest.mark.parametrize("resource", RESOURCES.values(), ids=list(RESOURCES))
TYPES: dict[Any, str] = {
    values.code: "int",
    values.count: "int",
    values.length: "int",
    values.code_list: "varchar(128)",
    values.yuan: "decimal(12,2)",
    values.fen: "decimal(12,2)",
    values.number: "decimal(20,4)",
    values.time: "datetime",
    values.planned: "datetime",
    values.day: "date",
    values.text: "text",
    order_origins.order_lines: "text",
    values.identifier: "varchar(128)",
}


class Column(NamedTuple):
    """A column as the server has it, unless it works it out; MariaDB's display width of an INT is left out."""

    type: str
    null: bool
    comment: str


def columns(database: Database, table: str) -> dict[str, Column]:
    rows = database.rows(
        "SELECT column_name AS name, column_type AS type, is_nullable AS is_null, column_comment AS comment"
        " FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s"
        " AND COALESCE(generation_expression, '') = ''",
        (table,),
    )
    return {
        row["name"]: Column(re.sub(r"^int\(\d+\)", "int", row["type"]), row["is_null"] == "YES", row["comment"])
        for row in rows
    }


@each
def test_the_table_has_every_column_that_is_typed_or_kept_and_no_other(resource: Resource, database: Database) -> None:
    expected = {"shop_id", *resource.reader.columns, *BOOKKEEPING, "absent_since"}
    expected |= {"is_inferred"} if resource.has_inferred else set()
    assert columns(database, resource.table).keys() == expected


@each
def test_the_key_is_the_shop_and_the_key(resource: Resource, database: Database) -> None:
    rows = database.rows(f"SHOW KEYS FROM {resource.table} WHERE Key_name = 'PRIMARY'")
    assert [row["Column_name"] for row in rows] == ["shop_id", resource.key]
    assert resource.reader.columns[0] == resource.key
    assert not columns(database, resource.table)[resource.key].null


@each
def test_every_column_has_room_for_what_its_reader_returns(resource: Resource, database: Database) -> None:
    held = columns(database, resource.table)
    for column, (_, read) in resource.reader._mapping.items():
        assert held[column].type == TYPES[read], column
        assert held[column].null == (column != resource.key), f"{column}: the API may leave any field out"
    for column in resource.reader._code_texts:
        longest = int(re.match(r"varchar\((\d+)\)", held[f"{column}_text"].type)[1])  # type: ignore[index]
        assert max(map(len, resource.reader._code_texts[column].values())) <= longest


@each
def test_every_column_and_the_table_say_in_chinese_what_they_are(resource: Resource, database: Database) -> None:
    for name, column in columns(database, resource.table).items():
        assert re.search("^SPU ID|[\u4e00-\u9fff]", column.comment), name
    [row] = database.rows(
        "SELECT table_comment AS comment FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name = %s",
        (resource.table,),
    )
    assert re.search("^[\u4e00-\u9fff]", row["comment"])


@each
def test_unit_and_source_of_amounts_stand_in_the_comment(resource: Resource, database: Database) -> None:
    held = columns(database, resource.table)
    for column, (_, read) in resource.reader._mapping.items():
        if read in (values.yuan, values.fen):
            assert "元" in held[column].comment, column
        if read is values.fen:
            assert "分" in held[column].comment, column
        if read in (values.time, values.planned):
            assert "北京时间" in held[column].comment, column

"""What the documentation says of the database is so: generated parts, queries, the example's answer."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import docs
from emulator.process import Emulator
from support.documents import DOCS, READMES, REPO, blocks
from support.worlds.shop import EVERYTHING, Database, Sync
from xiaoe.resources.registry import RESOURCES

pytestmark = pytest.mark.mysql


def test_generated_parts_are_up_to_date(database: Database, tmp_path: Path) -> None:
    names = ("database.md", *docs.OPERATIONS, docs.CONFIGURATION)
    for name in names:
        shutil.copy(DOCS / name, tmp_path)
    assert docs.write(tmp_path / "database.md") == tmp_path / "database.md"
    for name in names:
        assert (tmp_path / name).read_text("utf-8") == (DOCS / name).read_text("utf-8"), f"run `make docs`: {name}"


def test_missing_markers_are_an_error(database: Database, tmp_path: Path) -> None:
    page = tmp_path / "database.md"
    page.write_text("<!-- tables:begin -->", "utf-8")
    with pytest.raises(ValueError, match="tables:end"):
        docs.write(page)
    assert page.read_text("utf-8") == "<!-- tables:begin -->"


def test_views_are_listed_and_the_migration_tools_own_tables_are_not(database: Database) -> None:
    connection = database.connect()
    connection.query("CREATE VIEW docs_view AS SELECT shop_id, price FROM orders")
    try:
        text = docs.tables()
    finally:
        connection.query("DROP VIEW docs_view")
        connection.close()
    assert "### `docs_view`\n\n" in text
    assert "yoyo" not in text


def test_every_column_has_a_comment(database: Database) -> None:
    assert "|  |" not in docs.tables()


def test_a_column_of_many_tables_is_explained_once(database: Database) -> None:
    text = docs.tables()
    assert text.count("| `row_hash` |") == 1
    assert text.count("`row_hash`") == 1 + len(RESOURCES)  # each list's table names it


@pytest.mark.parametrize("number", range(len(blocks(DOCS / "database.md", "sql"))))
def test_useful_queries_run(number: int, database: Database) -> None:
    database.rows(blocks(DOCS / "database.md", "sql")[number].replace("%", "%%"), ())


def test_the_example_is_what_the_database_answers(sync: Sync, database: Database, api: Emulator) -> None:
    sync.run(EVERYTHING)
    for name in READMES:
        [query] = blocks(REPO / name, "sql")
        rows = database.rows(query)
        lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        shown = re.search(r"<!-- example:begin -->\n\n(.*?)\n\n<!-- example:end -->", (REPO / name).read_text(), re.S)
        assert shown, f"{name}: the example's output is missing:\n{table}"
        assert shown.group(1) == table, f"{name}: the example's output is now\n{table}"

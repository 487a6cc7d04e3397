"""The limit: ready-made files straight into the final tables, by LOAD DATA, in one transaction.

Nothing is parsed, typed, compared or counted: the minimum cost of a merge if the client's work were free.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.place import Cost, Place, measured, stored_columns

TABLES = {
    "orders": "shop_id, order_id",
    "order_items": "shop_id, order_id",
    "users": "shop_id, user_id",
    "products": "shop_id, resource_id",
    "benefit_queue": "shop_id, order_id",
    "mart_queue": "id",
}
"""Tables that a first load fills, and their primary keys."""
BATCH = 10_000


def write_files(place: Place, database: str, folder: Path) -> None:
    """One file per table, in the order of its key, from a database that a first load filled."""
    from MySQLdb.cursors import SSCursor

    from xiaoe.mysql.load_data import tsv, tsv_column

    folder.mkdir(exist_ok=True)
    with place.connected(database) as connection:
        for table, key in TABLES.items():
            columns = ", ".join(stored_columns(connection.cursor(), table))
            with connection.cursor(SSCursor) as cursor, open(folder / table, "w", encoding="utf-8", newline="") as file:
                cursor.execute(f"SELECT {columns} FROM {table} ORDER BY {key}")
                while rows := cursor.fetchmany(BATCH):
                    typed = [tsv_column([plain(value) for value in column]) for column in zip(*rows, strict=True)]
                    file.write(tsv(typed))


def load(place: Place, database: str, folder: Path) -> Cost:
    """Load the files; the result is the number of rows per table."""
    with place.connected(database) as connection, connection.cursor() as cursor:
        columns = {table: ", ".join(stored_columns(cursor, table)) for table in TABLES}

        def run() -> dict[str, int]:
            found = {}
            for table in TABLES:
                found[table] = cursor.execute(
                    f"LOAD DATA LOCAL INFILE %s INTO TABLE {table} CHARACTER SET utf8mb4 ({columns[table]})",
                    (str(folder / table),),
                )
            connection.commit()
            return found

        return measured(run)


def plain(value: Any) -> Any:
    """A value in the form that the TSV writer takes."""
    return value if value is None or isinstance(value, (str, int)) else str(value)

"""The demo's access to the warehouse: queries, and the comparison of every table with the shops."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import MySQLdb
from MySQLdb.cursors import DictCursor

from emulator.compare import unlike
from emulator.options import Credentials
from emulator.process import Emulator
from servers.airflow import ROOT

BEIJING = timezone(timedelta(hours=8))
TABLES = (
    ("orders", "order_id", "TRUE"),
    ("refunds", "aftersale_id", "absent_since IS NULL"),
    ("users", "user_id", "absent_since IS NULL AND is_inferred = 0"),
    ("products", "resource_id", "absent_since IS NULL AND is_inferred = 0"),
    ("live_streams", "live_id", "absent_since IS NULL"),
)
"""Table, its key, and the condition for rows that the shop still lists."""
PROMOTERS = ("promoters", "user_id", "absent_since IS NULL")
"""The same of a list that only `XIAOE_MORE_LISTS` has read."""
EACH = (
    ("live_viewers", "row_key", "live_id"),
    ("learning_days", "row_key", "day"),
    ("learning_progress", "row_key", "user_id"),
    ("promoter_customers", "row_key", "promoter_id"),
    ("order_promoters", "row_key", "order_id"),
)
"""Table that is read parent by parent, its key, and the column with the parent."""
LEARNING_DAYS = timedelta(days=8)
"""Days back whose learning the shop is asked for."""


def demo_dsn() -> str:
    """The warehouse of the demo: `xiaoe_demo` on the private server, which is started if necessary.

    One that the environment names is used as it is.

    Raises:
        RuntimeError: There is no database server.
    """
    command = [ROOT / "scripts" / "servers" / "database", "dsn"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError("scripts/servers/database dsn failed, see above")
    dsn = done.stdout.strip().rpartition("\n")[2]
    if "AIRFLOW_CONN_XIAOE_MYSQL" in os.environ:
        return dsn
    return urlsplit(dsn)._replace(path="/xiaoe_demo").geturl()


def equal_tables(
    dsn: str,
    url: str,
    shops: Sequence[Credentials],
    *,
    since: datetime,
    more_lists: bool = False,
    is_older: bool = False,
) -> Iterator[str]:
    """Compare each table with the shops; yield a line for each shop.

    Orders are compared from `since` to the watermark, lists of parents for those that were read, all else whole.

    Args:
        dsn: The warehouse.
        url: The emulator's.
        shops: The shops.
        since: Beginning of the history.
        more_lists: Whether the lists of `XIAOE_MORE_LISTS` are read, and compared.
        is_older: The tables are those of an older release: columns that they lack are not compared.

    Raises:
        RuntimeError: A row differs.
    """
    emulator = Emulator(url)
    for shop in shops:
        counts = []
        for table, key, condition in (*TABLES, *([PROMOTERS] if more_lists else [])):
            span: tuple[int | None, int | None] = (None, None)
            if table == "orders":
                span = (int(since.timestamp()), _watermark(dsn, shop.app_id))
            truth = emulator.truth(table, shop.app_id, *span)
            held = rows(dsn, f"SELECT * FROM {table} WHERE shop_id = %s AND {condition}", (shop.app_id,))  # noqa: S608
            if is_older and held:
                truth = ({column: row[column] for column in row if column in held[0]} for row in truth)
            if found := unlike(held, truth, key):
                raise RuntimeError(f"{table} of {shop.app_id} and the shop differ in {len(found)} places: {found[:5]}")
            counts.append(f"{table} {len(held)}")
        counts += [_equal_each(dsn, emulator, shop.app_id, *names) for names in (EACH if more_lists else ())]
        yield f"equal to shop {shop.app_id}, row by row and column by column: {', '.join(counts)}"


def _equal_each(dsn: str, emulator: Emulator, shop_id: str, table: str, key: str, column: str) -> str:
    """Compare the lists of all parents that were read; none may wait, or have been refused."""
    [[wanted, reached]] = query(
        dsn, "SELECT wanted, reached FROM parent_coverage WHERE shop_id = %s AND resource = %s", (shop_id, table)
    )
    parents = query(dsn, "SELECT parent_id FROM parent_readings WHERE shop_id = %s AND resource = %s", (shop_id, table))
    if reached != wanted or not parents:  # nothing may be due in the last run: what never changes is read once
        raise RuntimeError(f"{table} of {shop_id}: of {wanted} lists {reached} were read, {len(parents)} ever")
    names = {name for (name,) in parents}
    since = None
    if table == "learning_days":
        today = datetime.fromisoformat(str(emulator.clock()["now"])).replace(tzinfo=BEIJING, hour=0, minute=0, second=0)
        since = int((today - LEARNING_DAYS).timestamp())
    truth = [row for row in emulator.truth(table, shop_id, since) if row[column] in names]
    held = rows(dsn, f"SELECT * FROM {table} WHERE shop_id = %s AND absent_since IS NULL", (shop_id,))  # noqa: S608
    if found := unlike(held, truth, key):
        raise RuntimeError(f"{table} of {shop_id} and the shop differ in {len(found)} places: {found[:5]}")
    return f"{table} {len(held)} of {len(names)}"


def _watermark(dsn: str, shop_id: str) -> int:
    [[watermark]] = query(
        dsn,
        "SELECT watermark FROM sync_status WHERE shop_id = %s AND resource = 'orders' AND mode = 'incremental'",
        (shop_id,),
    )
    return int(watermark.replace(tzinfo=BEIJING).timestamp())


@contextmanager
def connected(dsn: str, database: str | None = None) -> Iterator[Any]:
    """A connection to the database that the DSN names, or to another one on its server."""
    parts = urlsplit(dsn)
    connection = MySQLdb.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        passwd=parts.password or "",
        db=parts.path.lstrip("/") if database is None else database,
        charset="utf8mb4",
        autocommit=True,
    )
    try:
        yield connection
    finally:
        connection.close()


def query(dsn: str, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
    """Rows of one statement."""
    return [list(row.values()) for row in rows(dsn, sql, parameters)]


def rows(dsn: str, sql: str, parameters: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    """Rows of one statement, by column."""
    with connected(dsn) as connection, connection.cursor(DictCursor) as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())

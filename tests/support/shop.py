"""What the integration tests share: the shop, the warehouse, one sync."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import MySQLdb
import MySQLdb.cursors
from emulator.running import Emulator
from xiaoe import ledger
from xiaoe.hook import XiaoeHook
from xiaoe.merge import Merger
from xiaoe.pages import Manifest, RunFolder
from xiaoe.resources import ORDERS
from xiaoe.settings import INCLUDE_DIR
from xiaoe.stage import Stager
from xiaoe.warehouse import Warehouse
from xiaoe.windows import BEIJING, Plan, Window

APP_ID, CLIENT_ID, SECRET = "apptest1", "xoptest1", "secret-of-the-test-shop"
NOW = "2026-11-20T12:00:00"
START = datetime(2026, 9, 1, tzinfo=BEIJING)
END = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
EVERYTHING = Window(START, END)
MERGE_SQL = jinja2.Template((INCLUDE_DIR / "sql" / "merge" / "orders.sql").read_text("utf-8")).render()
TABLES = ("order_items", "orders", "order_state_log", "sync_status", "sync_windows", "rejected_rows", "api_tokens")


class Database:
    """A look into the warehouse with a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def connect(self) -> MySQLdb.Connection:
        parts = urlsplit(self.url)
        return MySQLdb.connect(
            host=parts.hostname,
            port=parts.port,
            user=parts.username,
            passwd=parts.password or "",
            db=parts.path.lstrip("/"),
            charset="utf8mb4",
            autocommit=True,
            cursorclass=MySQLdb.cursors.DictCursor,
        )

    def rows(self, sql: str, parameters: Any = None) -> list[dict[str, Any]]:
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def value(self, sql: str, parameters: Any = None) -> Any:
        [row] = self.rows(sql, parameters)
        return next(iter(row.values()))

    def empty(self) -> None:
        connection = self.connect()
        try:
            for table in TABLES:
                connection.query(f"DELETE FROM {table}")
        finally:
            connection.close()

    def content(self) -> dict[str, list[dict[str, Any]]]:
        """All business rows, without what differs from run to run, for comparing two warehouses."""
        orders = self.rows("SELECT * FROM orders ORDER BY shop_id, order_id")
        for row in orders:
            del row["observed_at"], row["batch_id"]
        return {"orders": orders, "order_items": self.rows("SELECT * FROM order_items ORDER BY shop_id, order_id")}


class Sync:
    """Stages and merges, as the two operators do."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.warehouse = Warehouse()
        self._runs = 0

    def stage(
        self,
        window: Window,
        *,
        mode: str = "history",
        run_id: str | None = None,
        moves: bool = False,
        hook: XiaoeHook | None = None,
    ) -> tuple[RunFolder, Manifest]:
        self._runs += 1
        run_id = run_id or f"run-{self._runs}"
        folder = RunFolder.of(self.store, shop_id=APP_ID, resource="orders", window=window, run_id=run_id)
        with self.warehouse.session() as session:
            stager = Stager(
                hook or XiaoeHook(sleep=lambda _: None),
                ORDERS,
                folder,
                lambda part, seen, keys: ledger.missing_rows(session, ORDERS, APP_ID, part, seen, keys),
            )
            return folder, stager.stage(Plan(window, moves_watermark=moves), mode=mode, run_id=run_id)

    def merge(self, folder: RunFolder, manifest: Manifest, **options: Any) -> Counter[str]:
        return Merger(self.warehouse, ORDERS, MERGE_SQL).merge(folder, manifest, **options)

    def run(self, window: Window, **options: Any) -> Counter[str]:
        return self.merge(*self.stage(window, **options))


def differences(database: Database, api: Emulator, window: Window = EVERYTHING) -> list[str]:
    """How `orders` and `order_items` differ from the emulator's truth, to the cent, code and second; [] is equal."""
    truth = {
        row["order_id"]: row
        for row in api.truth_orders(APP_ID, int(window.begin.timestamp()), int(window.end.timestamp()))
    }
    held = {
        row["order_id"]: row
        for row in database.rows(
            "SELECT * FROM orders WHERE created_time >= %s AND created_time < %s",
            (ledger.beijing_text(window.begin), ledger.beijing_text(window.end)),
        )
    }
    found = [f"{key} is missing" for key in truth.keys() - held.keys()]
    found += [f"{key} should not be there" for key in held.keys() - truth.keys()]
    for key in truth.keys() & held.keys():
        for column, expected in truth[key].items():
            value = held[key][column]
            value = value if value is None or isinstance(value, (int, str)) else str(value)
            if value != expected:
                found.append(f"{key}.{column}: expected {expected!r}, found {value!r}")
    lines = database.value("SELECT COUNT(*) FROM order_items")
    if lines != database.value("SELECT COUNT(*) FROM orders"):
        found.append(f"{lines} order lines")
    return found


def days(number: float) -> timedelta:
    return timedelta(days=number)

"""What the integration tests share: the shop, the warehouse, one sync."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import MySQLdb
import MySQLdb.cursors

from emulator.compare import unlike
from emulator.process import Emulator
from xiaoe import clock
from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import BEIJING
from xiaoe.merge import expected, status
from xiaoe.merge.merger import Merger
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.base import Resource, Scope
from xiaoe.resources.orders import ORDERS
from xiaoe.resources.registry import RESOURCES
from xiaoe.rows.children import Parent
from xiaoe.settings import INCLUDE_DIR
from xiaoe.stage.stager import Stager
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder
from xiaoe.sync.operators import XiaoeMergeOperator
from xiaoe.windows import Plan, Window

APP_ID, CLIENT_ID, SECRET = "apptest1", "xoptest1", "secret-of-the-test-shop"
NOW = "2026-11-20T12:00:00"
START = datetime(2026, 9, 1, tzinfo=BEIJING)
END = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
EVERYTHING = Window(START, END)
TABLES = (
    "order_items", *(resource.table for resource in RESOURCES.values()), "order_state_log", "live_stream_days",
    "benefit_queue", "benefit_decisions", "benefit_decision_log", "benefit_reviews", "benefit_policies",
    "benefit_notices", "benefit_starts", "benefit_postponements", "export_log", "alerts",
    "channel_refusals", "quality_results", "objective_events", "objective_status",
    "sync_runs", "storage_samples", "backups", "journal_status", "shop_checks", "shops", "report_sends",
    "sync_limits", "parent_readings", "parent_coverage",
    "mart_queue", "mart_people", "buyer_firsts", "mart_products_daily", "mart_cohorts", "bi_sales_daily",
    "bi_buyers_daily",
    "mart_live_audience", "mart_course_buyers",
    "mart_buyers", "mart_cohorts_daily", "mart_promotions_daily", "bi_customers", "bi_registrations", "targets",
    "bi_refund_ages", "bi_refund_curve", "bi_benefits_daily", "bi_benefit_changes_daily", "bi_sync_coverage",
    "mart_kpi_spans", "change_hints", "hint_looks", "order_lines", "push_messages", "push_days", "user_merges",
    "sync_status", "sync_windows", "rejected_rows", "field_problems", "api_fields", "api_tokens",
)  # fmt: skip
WHOLE_LISTS = [name for name, one in RESOURCES.items() if one.scope is Scope.WHOLE and one.more is None]
NOT_COMPARED = {
    "sync_runs", "export_log", "storage_samples", "backups", "journal_status", "shop_checks", "shops",
    "api_tokens", "api_fields",
    "sync_limits", "mart_kpi_spans", "objective_events", "objective_status",
}  # fmt: skip
"""What work cost and where it stands, not what came of it."""
CLOCKS = {
    "id", "merged_at", "last_success_at", "last_attempt_at", "message", "told_at", "taken_at", "same_since",
    "planned_at",
}  # fmt: skip
"""Columns that tell when the test ran, and what the last merge of several did."""
LINE = {
    "resource_type": "resource_type",
    "resource_id": "resource_id",
    "title": "title",
    "quantity": "quantity",
    "amount": "price",
}
"""Column of `order_items` → column of `orders` that it repeats."""


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

    def empty(self, *keep: str) -> None:
        connection = self.connect()
        try:
            for table in TABLES:
                if table not in keep:
                    connection.query(f"DELETE FROM {table}")
        finally:
            connection.close()

    def content(self) -> dict[str, list[dict[str, Any]]]:
        """All business rows, without what differs from run to run, for comparing two warehouses."""
        orders = self.rows("SELECT * FROM orders ORDER BY shop_id, order_id")
        for row in orders:
            del row["observed_at"], row["batch_id"]
        return {"orders": orders, "order_items": self.rows("SELECT * FROM order_items ORDER BY shop_id, order_id")}

    def snapshot(self, *without: str) -> dict[str, list[tuple[tuple[str, Any], ...]]]:
        """Every table that tells what came of syncs, of one moment; less the columns of `CLOCKS` and those named."""
        connection = self.connect()
        found = {}
        try:
            connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            with connection.cursor() as cursor:
                for table in (one for one in TABLES if one not in NOT_COMPARED):
                    cursor.execute(f"SELECT * FROM {table}")
                    rows = cursor.fetchall()
                    kept = [[(k, v) for k, v in row.items() if k not in CLOCKS and k not in without] for row in rows]
                    listed = [tuple(row) for row in kept]
                    # What is queued twice is worked out once.
                    found[table] = sorted(set(listed) if table == "mart_queue" else listed, key=repr)
        finally:
            connection.close()
        return found

    def stored_columns(self, table: str) -> list[str]:
        """Columns that an INSERT may name: all but those that the server computes."""
        rows = self.rows(f"SHOW COLUMNS FROM {table}")
        return [row["Field"] for row in rows if not re.search("VIRTUAL|STORED", row["Extra"])]

    def wrong_lines(self) -> list[str]:
        """Orders without exactly one line that says what the order says, and lines without an order."""
        same = " AND ".join(f"i.{line} <=> o.{order}" for line, order in LINE.items())
        found = self.rows(
            "SELECT o.order_id AS name FROM orders o LEFT JOIN order_items i USING (shop_id, order_id)"
            f" GROUP BY o.shop_id, o.order_id HAVING COUNT(i.line_no) <> 1 OR SUM({same}) <> 1"
            " UNION ALL SELECT i.order_id FROM order_items i LEFT JOIN orders o USING (shop_id, order_id)"
            " WHERE o.order_id IS NULL"
        )
        return [str(row["name"]) for row in found]


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
        resource: Resource = ORDERS,
        mode: str = "history",
        run_id: str | None = None,
        moves: bool = False,
        hook: XiaoeHook | None = None,
        parents: Sequence[Parent] | None = None,
    ) -> tuple[RunFolder, Manifest]:
        self._runs += 1
        run_id = run_id or f"run-{self._runs}"
        hook = hook or XiaoeHook(sleep=lambda _: None)
        shop_id = hook.shop.app_id
        folder = RunFolder.of(self.store, shop_id=shop_id, resource=resource.name, window=window, run_id=run_id)
        with self.warehouse.session() as session, closing(hook):
            stager = Stager(
                hook,
                resource,
                folder,
                lambda part, seen, keys, parent: expected.missing_rows(
                    session, resource, expected.Expected.of(resource, shop_id, part, seen, parent=parent), keys
                ),
            )
            if parents is None and resource.parents:
                parents = resource.parents.due(session, shop_id, window)
            return folder, stager.stage(
                Plan(window, moves_watermark=moves), mode=mode, run_id=run_id, parents=parents or []
            )

    def merge(self, folder: RunFolder, manifest: Manifest, **options: Any) -> Counter[str]:
        return _merger(manifest.resource).merge(folder, manifest, **options)

    def run(self, window: Window, *, accept_missing: bool = False, **options: Any) -> Counter[str]:
        return self.merge(*self.stage(window, **options), accept_missing=accept_missing)

    def follow(self, plan: Plan, mode: str, **options: Any) -> Counter[str]:
        return self.run(plan.window, mode=mode, moves=plan.moves_watermark, **options)

    def watermark(self, mode: str, resource: str = "orders") -> datetime | None:
        with self.warehouse.session() as session:
            return status.read_watermark(session, APP_ID, resource, mode)


def merge_sql(resource: str) -> str:
    """The merge statements, rendered as Airflow does."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(INCLUDE_DIR / "sql"))  # noqa: S701 - SQL, no HTML
    task = XiaoeMergeOperator(task_id="merge", resource=resource, mode="any", folder="")
    return environment.get_template(task.sql).render(task=task)


@cache
def _merger(resource: str) -> Merger:
    """Splitting the statements takes longer than merging a small window; it knows no connection yet."""
    return Merger(Warehouse(), RESOURCES[resource], merge_sql(resource))


def differences(database: Database, api: Emulator, window: Window = EVERYTHING) -> list[str]:
    """How `orders` and `order_items` differ from the emulator's truth, to the cent, code and second; [] is equal."""
    held = database.rows(
        "SELECT * FROM orders WHERE created_time >= %s AND created_time < %s",
        (clock.beijing_text(window.begin), clock.beijing_text(window.end)),
    )
    found = unlike(held, truth_by_id(api, window).values(), "order_id")
    return found + [f"{key} has a wrong line" for key in database.wrong_lines()]


def truth_by_id(api: Emulator, window: Window = EVERYTHING) -> dict[str, dict[str, Any]]:
    """What the shop holds at this moment of its clock."""
    rows = api.truth_orders(APP_ID, int(window.begin.timestamp()), int(window.end.timestamp()))
    return {str(row["order_id"]): row for row in rows}


def unbalanced(database: Database) -> list[dict[str, Any]]:
    """Ledger lines whose figures do not add up."""
    return database.rows(
        "SELECT * FROM sync_windows WHERE inserted + updated + unchanged + rejected <> staged"
        " OR LEAST(inserted, updated, unchanged, rejected) < 0 OR api_total <> staged"
    )


def days(number: float) -> timedelta:
    return timedelta(days=number)

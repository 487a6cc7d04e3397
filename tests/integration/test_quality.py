"""The checks of the data: a healthy shop passes all of them, and each finds the one thing that is wrong."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.process import running
from support.fixtures import shop_connection
from support.oracles.benefits import begin_long_ago
from support.worlds.runs import TaskRunner
from support.worlds.shop import APP_ID, CLIENT_ID, NOW, SECRET, WHOLE_LISTS, Database
from xiaoe.api import hook
from xiaoe.api.hook import XiaoeHook
from xiaoe.benefits.operators import XiaoeBenefitsOperator
from xiaoe.clock import BEIJING
from xiaoe.csv_import.command import import_csv
from xiaoe.exceptions import XiaoeQualityError
from xiaoe.marts.operators import XiaoeMartsOperator
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.quality import operators
from xiaoe.quality.catalogue import CHECKS, COLUMN_CHECKS, CRITICAL, DAY_TOTALS, FIGURE_CHECKS, QUERY_CHECKS, ROW_CHECKS
from xiaoe.quality.figures import read_ledger
from xiaoe.quality.scope import CheckScope
from xiaoe.resources.registry import RESOURCES

pytestmark = pytest.mark.mysql

START = datetime(2026, 10, 20, tzinfo=BEIJING)
SYNCS = (
    *((name, mode) for name, resource in RESOURCES.items() for mode in resource.fresh_within),
    ("benefits", "decide"), ("marts", "refresh"),
)  # fmt: skip
FRESH_WITHIN = dict.fromkeys(SYNCS, timedelta(hours=2))
TASKS = {
    "columns": operators.XiaoeColumnChecksOperator,
    "rows": operators.XiaoeRowChecksOperator,
    "queries": operators.XiaoeQueryChecksOperator,
    "day_totals": operators.XiaoeDayTotalsOperator,
}
TASK_OF = {
    **{check.name: "columns" for check in COLUMN_CHECKS},
    **{check.name: "rows" for check in ROW_CHECKS},
    **{check.name: "queries" for check in (*QUERY_CHECKS, *FIGURE_CHECKS)},
    DAY_TOTALS.name: "day_totals",
}
COVERAGE = (
    "INSERT INTO parent_coverage (shop_id, resource, mode, wanted, reached, postponed, oldest_at, planned_at)"
    f" VALUES ('{APP_ID}', '{{resource}}', 'incremental', {{reached}} + 800, {{reached}}, 800, {{oldest}},"
    " UTC_TIMESTAMP(3))"
)
ODD_CODES = {"unknown_codes"}
"""The shop has some, as real ones do."""
NAMES = {
    "paid": "SELECT MAX(order_id) FROM orders WHERE pay_time >= '2026-11-10' AND order_state = 1 AND price > 1"
    " AND user_id > ''",
    "refunded": "SELECT MAX(order_id) FROM orders WHERE refund_time >= '2026-11-10' AND created_time >= '2026-11-10'"
    " AND refund_money = price",
    "granted": "SELECT MAX(order_id) FROM benefit_decisions WHERE decision = 'grant'",
    "revoked": "SELECT MAX(order_id) FROM benefit_decisions WHERE decision = 'revoke'",
    "aftersale": "SELECT MAX(aftersale_id) FROM refunds WHERE refund_money > 0 AND updated_at < '2026-11-19'"
    " AND updated_at >= '2026-11-10'",
}
"""What a case breaks → how to find one."""


class Shop:
    """A loaded warehouse, its quality tasks, and a copy of every table to put right what a test broke."""

    def __init__(self, database: Database, runs: TaskRunner) -> None:
        self.database = database
        self.runs = runs

    def check(self, task: str, kind: str = "manual") -> str:
        """Run one task; what it raised, or nothing."""
        self.database.rows("DELETE FROM quality_results")
        more = {"fresh_within": FRESH_WITHIN} if task == "queries" else {}
        try:
            TASKS[task](task_id=task, xiaoe_conn_id="xiaoe_default", **more).execute(self.runs.context(kind))
        except XiaoeQualityError as error:
            return str(error)
        return ""

    def results(self) -> dict[str, dict[str, Any]]:
        rows = self.database.rows("SELECT * FROM quality_results")
        assert len({row["check_name"] for row in rows}) == len(rows), "one result for each check"
        return {row["check_name"]: row for row in rows}

    def failed(self) -> set[str]:
        return {name for name, row in self.results().items() if not row["passed"]}

    @contextmanager
    def broken(self, *statements: str, touched: tuple[str, ...] = ()) -> Iterator[None]:
        """Break it by hand, and put back what these tables held, and those that are touched besides."""
        words = {word for one in statements for word in one.replace("(", " ").split()}
        tables = {table for table in self.kept if table in words or table in touched}
        try:
            self.run("SET FOREIGN_KEY_CHECKS = 0", *statements)
            yield
        finally:
            put_back = [f"DELETE FROM {table}" for table in tables]
            for table in tables:
                names = self.columns(table)
                put_back.append(f"INSERT INTO {table} ({names}) SELECT {names} FROM kept_{table}")
            self.run("SET FOREIGN_KEY_CHECKS = 0", *put_back)

    def columns(self, table: str) -> str:
        """Those that can be written."""
        rows = self.database.rows(
            "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = DATABASE()"
            " AND table_name = %s AND extra NOT LIKE %s AND extra NOT LIKE %s",
            (table, "%VIRTUAL GENERATED%", "%STORED GENERATED%"),
        )
        return ", ".join(row["name"] for row in rows)

    def run(self, *statements: str) -> None:
        connection = self.database.connect()
        try:
            for one in statements:
                connection.query(one)
        finally:
            connection.close()

    kept = (
        "orders", "order_items", "refunds", "users", "products", "benefit_decisions", "benefit_queue",
        "rejected_rows", "field_problems", "api_fields", "sync_status", "sync_windows", "push_days", "change_hints",
        "parent_coverage",
    )  # fmt: skip


@pytest.fixture(scope="module")
def shop(migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """900 orders of a month, read by every DAG; the present is the shop's."""
    database = Database(migrated)
    database.empty()
    with (
        running(
            orders=900, start=f"{START:%Y-%m-%d}", now=NOW, frozen=True, seed=7,
            shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"], token_quota=1_000_000,
        ) as api,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_MYSQL", migrated)
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(api.url))
        runs = TaskRunner(api, monkeypatch, tmp_path_factory.mktemp("pages"))
        monkeypatch.setenv("XIAOE_HISTORY_START", f"{START:%Y-%m-%d}")
        load(runs)
        shop = Shop(database, runs)
        shop.run(*(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}" for table in shop.kept))
        yield shop
        shop.run(*(f"DROP TABLE kept_{table}" for table in shop.kept))
    database.empty()


def load(runs: TaskRunner) -> None:
    runs.sync("orders", "history", kind="manual")
    for mode in ("incremental", "rescan", "deep_rescan"):
        runs.sync("orders", mode)
    runs.refunds()
    for resource in WHOLE_LISTS:
        runs.sync(resource, "whole")
    begin_long_ago()
    XiaoeBenefitsOperator(task_id="decide", xiaoe_conn_id="xiaoe_default").execute(runs.context())
    XiaoeMartsOperator(task_id="refresh", xiaoe_conn_id="xiaoe_default").execute(runs.context())


@dataclass(frozen=True)
class Case:
    """One thing that is wrong.

    Args:
        check: That has to find it.
        broken: How it comes about; `{paid}` and the like are names of `NAMES`.
        told: What the result's detail says; names likewise.
        also: Other checks of the same task that cannot but find it, too.
        severity: Where it is not the check's own.
    """

    check: str
    broken: tuple[str, ...]
    told: str = "{paid}"
    also: frozenset[str] = frozenset()
    severity: str = ""

    @property
    def id(self) -> str:
        return f"{self.check}-{self.told.strip('{}')[:20]}"


def order(setting: str, name: str = "paid") -> tuple[str, ...]:
    return (f"UPDATE orders SET {setting} WHERE order_id = '{{{name}}}'",)


def aftersale(setting: str) -> tuple[str, ...]:
    return (f"UPDATE refunds SET {setting} WHERE aftersale_id = '{{aftersale}}'",)


def window(condition: str, run: str = "manual") -> tuple[str, ...]:
    """The ledger, cut: only one window of the history DAG is left, and of the rest what fulfils a condition."""
    return (
        f"DELETE FROM sync_windows WHERE resource = 'orders' AND NOT ({condition})",
        f"UPDATE sync_windows SET run_id = '{run}-1', merged_at = '2026-11-01' WHERE resource = 'orders'",
    )


LATE_GAP = "window_end <= '2026-10-26' OR window_start >= '2026-11-10'"
"""The windows that are left where those in between are deleted."""
NO_HISTORY_YET = "window_start >= '2026-11-10'"
WAITING = "UPDATE benefit_decisions SET decision = 'pending', deadline_at = '{at}' WHERE order_id = '{{granted}}'"

PROBLEM = (
    "INSERT INTO field_problems (shop_id, resource, row_key, field, column_name, shape, reason, first_seen_at,"
    f" last_seen_at) VALUES ('{APP_ID}', 'orders', 'o_x', '{{field}}', '{{field}}', 'text 9', 'not a time',"
    " UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))"
)
API_FIELD = (
    "INSERT INTO api_fields (shop_id, resource, field, shape, is_stored, is_always, first_seen_at, last_seen_at,"
    f" missing_since) VALUES ('{APP_ID}', 'orders', '{{name}}', 'text 9', {{stored}}, 1, '{{first}}', '{{first}}',"
    " {gone}) ON DUPLICATE KEY UPDATE missing_since = VALUES(missing_since), first_seen_at = VALUES(first_seen_at)"
)
CASES = (
    Case("orders_created_time", order("created_time = NULL")),
    Case("orders_user_id", order("user_id = NULL")),
    Case("orders_order_state", order("order_state = NULL")),
    Case("orders_price", order("price = -0.01")),
    Case("orders_refund_money", order("refund_money = -1")),
    Case("refunds_order_id", aftersale("order_id = NULL"), "{aftersale}"),
    Case("refunds_updated_at", aftersale("updated_at = NULL"), "{aftersale}"),
    Case("refunds_refund_money", aftersale("refund_money = -1"), "{aftersale}"),
    Case("order_quantity", order("quantity = 0")),
    Case("refund_within_price", order("refund_money = price + 0.01")),
    Case("refund_units", ("UPDATE orders SET refund_money = 100 * price WHERE refund_money = price",), "元与分混淆",
         frozenset({"refund_within_price"})),
    Case("payment_after_order", order("pay_time = created_time - INTERVAL 1 SECOND")),
    Case("refund_after_order", order("refund_time = created_time - INTERVAL 1 SECOND", "refunded"), "{refunded}"),
    Case("orders_to_come", order("created_time = '2026-11-20 13:00:01', pay_time = NULL, refund_time = NULL")),
    Case("refunds_within_payment", aftersale("refund_money = actual_fee + 0.01"), "{aftersale}"),
    Case("refunds_times", aftersale("updated_at = created_at - INTERVAL 1 SECOND"), "{aftersale}"),
    Case("empty_keys", ("INSERT INTO users (shop_id, user_id, row_hash, raw_hash, observed_at, batch_id)"
                        f" VALUES ('{APP_ID}', '', 1, 1, UTC_TIMESTAMP(3), 'x')",), "users.user_id"),
    Case("items_without_order",
         (f"INSERT INTO order_items (shop_id, order_id, line_no) VALUES ('{APP_ID}', 'o_x', 1)",), "o_x"),
    Case("item_sums", ("DELETE FROM order_items WHERE order_id = '{paid}'",)),
    Case("item_sums", ("UPDATE order_items SET amount = amount + 0.01 WHERE order_id = '{paid}'",)),
    Case("item_sums", ("INSERT INTO order_items (shop_id, order_id, line_no, amount)"
                       f" VALUES ('{APP_ID}', '{{paid}}', 2, 1)",)),
    Case("orders_without_user",
         ("DELETE FROM users WHERE user_id = (SELECT user_id FROM orders WHERE order_id = '{paid}')",), ""),
    Case("orders_without_product",
         ("DELETE FROM products WHERE resource_id = (SELECT resource_id FROM orders WHERE order_id = '{paid}')",), ""),
    Case("references_padded", order("user_id = CONCAT(user_id, ' ')")),
    Case("references_padded", order("resource_id = CONCAT(resource_id, ' ')")),
    Case("references_padded", aftersale("order_id = CONCAT(order_id, ' ')"), "{aftersale}"),
    Case("refunds_without_order", aftersale("order_id = 'o_x'"), "{aftersale}"),
    Case("orders_without_decision", ("DELETE FROM benefit_decisions WHERE order_id = '{paid}'",)),
    Case("decisions_without_order", ("UPDATE benefit_decisions SET order_id = 'o_x' WHERE order_id = '{paid}'",
                                     f"INSERT INTO benefit_queue (shop_id, order_id) VALUES ('{APP_ID}', '{{paid}}')"),
         "o_x"),
    Case("decisions_contradict", ("UPDATE benefit_decisions SET decision = 'grant' WHERE order_id = '{revoked}'",),
         "{revoked}"),
    Case("decisions_contradict", ("UPDATE benefit_decisions SET decision = 'revoke' WHERE order_id = '{granted}'",),
         "{granted}"),
    Case("decisions_contradict", ("UPDATE benefit_decisions SET observed_at = deadline_at - INTERVAL 8 HOUR"
                                  " WHERE order_id = '{granted}'",), "{granted}"),
    Case("decisions_waiting", (WAITING.format(at="2026-11-20 09:59:59"),), "{granted}"),
    Case("rejected_rows_open", ("INSERT INTO rejected_rows (shop_id, resource, raw_hash, row_key, reason, raw_json,"
                                f" batch_id, first_seen_at, last_seen_at) VALUES ('{APP_ID}', 'orders', 1, 'o_x',"
                                " 'price: abc', 'x', 'x', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))",),
         "orders o_x：price: abc"),
    Case("field_problems_essential", (PROBLEM.format(field="pay_time"),),
         "orders.pay_time：1 行，形如 text 9（not a time），如 o_x", frozenset({"field_problems_open"})),
    Case("field_problems_open", (PROBLEM.format(field="title"),),
         "orders.title：1 行，形如 text 9（not a time），如 o_x"),
    Case("api_fields_missing",
         (API_FIELD.format(name="price", stored=1, first="2037-01-01", gone="'2026-11-19 04:00'"),),
         "orders.price：2026-11-19 12:00 起不再出现，此前形如 text 9"),
    Case("api_fields_new", (API_FIELD.format(name="order_id", stored=1, first="2026-01-01", gone="NULL"),
                            API_FIELD.format(name="news", stored=0, first="2037-01-01", gone="NULL")),
         "orders.news：形如 text 9"),
    Case("push_problems", ("INSERT INTO push_days (shop_id, day, refused, last_refusal, over_limit, without_content,"
                           f" unreadable) VALUES ('{APP_ID}', '2026-11-19', 3, 'bad_signature', 2, 5, 1),"
                           f" ('{APP_ID}', '2026-11-20', 0, NULL, 0, 0, 0),"
                           f" ('{APP_ID}', '2026-11-18', 9, 'x', 9, 9, 9)",),
         "2026-11-19：3 次未收下，最近一次 bad_signature；超出每日条数上限，2 次未收下；超出每日存储上限，"
         "5 条只留提示；1 条无法解析"),
    Case("lists_behind", (COVERAGE.format(resource="learning_progress", reached=5000, oldest="'2026-11-12 03:00'"),
                          COVERAGE.format(resource="promoter_customers", reached=5000, oldest="'2026-11-13 05:00'"),
                          COVERAGE.format(resource="live_viewers", reached=200, oldest="NULL")),
         "learning_progress：800 个列表没轮到，最早的上次读于 2026-11-12"),
    Case("lists_behind", (COVERAGE.format(resource="learning_progress", reached=100, oldest="NULL"),),
         "learning_progress：800 个列表没轮到，其中有从未读过的"),
    Case("hints_waiting", ("INSERT INTO change_hints (shop_id, order_id, source, told_at) VALUES"
                           f" ('{APP_ID}', 'o_2', 'push', '2026-11-20 01:59:59'),"
                           f" ('{APP_ID}', 'o_1', 'push', '2026-11-20 01:00:00'),"
                           f" ('{APP_ID}', 'o_0', 'push', '2026-11-20 02:00:00'),"
                           f" ('{APP_ID}x', 'o_0', 'list', '2026-11-01 02:00:00')",),
         "消息推送：2 条，最早的于 2026-11-20 09:00 收到，如 o_1"),
    Case("ledger_complete", window(LATE_GAP, "scheduled"), "缺口：2026-10-26 00:00:00 至"),
    Case("ledger_complete", window(NO_HISTORY_YET), "历史尚未读完：2026-10-20 00:00:00 至", severity="warning"),
    Case("ledger_complete", (*window(NO_HISTORY_YET),
                             "UPDATE sync_status SET last_success_at = '2026-11-19 04:00' WHERE mode = 'history'"),
         "缺口：2026-10-20 00:00:00 至", frozenset({"freshness"})),
    Case("freshness", ("UPDATE sync_status SET last_success_at = '2026-11-20 01:59:59.999' WHERE mode = 'rescan'",),
         "orders rescan 最近成功 2026-11-20 09:59:59，已 2 小时 0 分，时限 2 小时 0 分"),
    Case("never_synced", ("UPDATE sync_status SET last_success_at = NULL WHERE resource = 'products'",),
         "products whole"),
    Case("never_synced", ("DELETE FROM sync_status WHERE resource = 'products'",), "products whole"),
)  # fmt: skip


def test_a_healthy_shop_passes_every_check(shop: Shop) -> None:
    found: dict[str, dict[str, Any]] = {}
    for task in TASKS:
        assert shop.check(task) == ""
        found |= shop.results()
    assert found.keys() == {check.name for check in CHECKS}
    assert {name for name, row in found.items() if not row["passed"]} == ODD_CODES
    assert found["unknown_codes"]["severity"] == "warning"
    for row in shop.database.rows("SELECT resource_type AS code, COUNT(*) AS number FROM orders"
                                  " WHERE resource_type_text IS NULL GROUP BY resource_type"):  # fmt: skip
        assert f"orders.resource_type = {row['code']} × {row['number']}" in found["unknown_codes"]["detail"]
    for row in found.values():
        assert row["shop_id"] == APP_ID
        assert row["run_id"].startswith("manual")
        assert row["expected"]
        assert row["measured"] is not None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_each_check_finds_what_is_wrong_and_nothing_else(shop: Shop, case: Case) -> None:
    names = {key: shop.database.value(query) for key, query in NAMES.items()}
    assert all(names.values())
    severity = case.severity or next(check.severity for check in CHECKS if check.name == case.check)
    task = TASK_OF[case.check]
    with shop.broken(*(one.format(**names) for one in case.broken)):
        raised = shop.check(task)
        assert shop.failed() - ODD_CODES == {case.check} | case.also
        row = shop.results()[case.check]
    told = case.told.format(**names)
    assert (row["severity"], told in row["detail"]) == (severity, True), row["detail"]
    assert row["measured"] > 0
    if severity == CRITICAL:
        assert case.check in raised
        assert told in raised
        assert next(check.advice for check in CHECKS if check.name == case.check) in raised
    else:
        assert case.check not in raised


def test_orders_of_an_old_file_disturb_no_check(shop: Shop, tmp_path: Path) -> None:
    """Some are older than the history; one is of a day that was read, and the API does not list it."""
    head = "订单号,用户ID,商品ID,商品类型,数量,实付金额,订单状态,下单时间,支付时间"
    cells = "u_1,v_1,视频,1,99.00,支付成功"
    times = ["2024-03-01 10:00:00", "2024-03-02 10:00:00", "2026-11-05 10:00:00"]
    lines = [f"o_old_{number},{cells},{time},{time}" for number, time in enumerate(times)]
    (tmp_path / "old.csv").write_text("\n".join([head, *lines]), "utf-8")
    touched = ("orders", "order_items", "users", "products", "benefit_decisions", "benefit_queue", "sync_status")
    with shop.broken(touched=touched):
        assert "新增 3 单" in import_csv(str(tmp_path / "old.csv"), None, apply=True)
        XiaoeBenefitsOperator(task_id="decide", xiaoe_conn_id="xiaoe_default").execute(shop.runs.context())
        for task in TASKS:
            assert shop.check(task) == ""
            assert shop.failed() <= ODD_CODES
        absent = shop.database.rows("SELECT order_id FROM orders WHERE absent_since IS NOT NULL")
        assert [row["order_id"] for row in absent] == ["o_old_2"]


# --- which rows a run looks at -------------------------------------------------------------------------


OLD = (
    "UPDATE orders SET user_id = NULL WHERE order_id = '{old}'",
    "UPDATE orders SET price = -1 WHERE order_id = '{new}'",
)


def edge(shop: Shop) -> dict[str, str]:
    """The last order that a run at noon of 2026-11-20 no longer looks at every hour, and the first that it does."""
    find = "SELECT {}(order_id) FROM orders WHERE user_id > '' AND created_time {} '2026-11-04 12:00:00'"
    return {"old": shop.database.value(find.format("MAX", "<")), "new": shop.database.value(find.format("MIN", ">="))}


def test_what_is_old_is_looked_at_once_a_day_and_what_is_recent_every_hour(shop: Shop) -> None:
    names = edge(shop)
    with shop.broken(*(one.format(**names) for one in OLD)):
        shop.check("columns", "scheduled")
        assert shop.failed() == {"orders_price"}
        shop.check("columns", "manual")
        assert shop.failed() == {"orders_price", "orders_user_id"}
        noon = shop.runs.now
        shop.runs.at(noon.replace(hour=5, minute=50))
        try:
            shop.check("columns", "scheduled")
            assert shop.failed() == {"orders_price", "orders_user_id"}
        finally:
            shop.runs.at(noon)


def test_a_row_without_a_time_is_found_every_hour(shop: Shop) -> None:
    old = edge(shop)["old"]
    with shop.broken(f"UPDATE orders SET created_time = NULL WHERE order_id = '{old}'"):
        shop.check("columns", "scheduled")
        assert old in shop.results()["orders_created_time"]["detail"]


def test_a_whole_table_is_read_once_a_day_only(shop: Shop) -> None:
    shop.check("queries", "scheduled")
    assert {check.name for check in QUERY_CHECKS} - shop.results().keys() == {"items_without_order"}


def test_rows_of_another_shop_are_its_own_affair(shop: Shop) -> None:
    with shop.broken("UPDATE orders SET shop_id = 'other', price = -1, quantity = 0, user_id = 'nobody'"
                     f" WHERE order_id = '{edge(shop)['new']}'"):  # fmt: skip
        for task in ("columns", "rows"):
            assert shop.check(task) == ""
            assert shop.failed() == set()


# --- checks that break ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "table", "broken"),
    [
        ("columns", "refunds", {"refunds_order_id", "refunds_updated_at", "refunds_refund_money"}),
        ("rows", "refunds", {"refunds_within_payment", "refunds_times"}),
        ("queries", "products", {"empty_keys", "orders_without_product", "references_padded"}),
    ],
)
def test_a_check_that_breaks_is_critical_and_the_others_still_run(
    shop: Shop, task: str, table: str, broken: set[str]
) -> None:
    shop.run(f"RENAME TABLE {table} TO away")
    try:
        raised = shop.check(task)
    finally:
        shop.run(f"RENAME TABLE away TO {table}")
    results = shop.results()
    assert results.keys() == {name for name, where in TASK_OF.items() if where == task}
    assert shop.failed() - ODD_CODES == broken
    for name in broken:
        assert (results[name]["severity"], results[name]["measured"]) == ("critical", None)
        assert "检查本身出错" in results[name]["detail"]
        assert table in results[name]["detail"]
        assert name in raised


# --- the API against the warehouse ---------------------------------------------------------------------


TOUCHED = ("orders", "order_items", "users", "benefit_decisions", "benefit_queue", "sync_status", "sync_windows")
"""What a sync of orders and a decision write."""
DAY = "2026-11-12"
COMMAND = "make sync TYPE=rescan FROM=2026-11-12 TO=2026-11-13"
OF_THE_DAY = f"SELECT MIN(order_id) FROM orders WHERE created_time >= '{DAY}' AND created_time < '2026-11-13'"


@pytest.fixture
def every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """All days are asked for, not some."""
    monkeypatch.setenv("XIAOE_QUALITY_SAMPLE_DAYS", "100")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM orders WHERE order_id = '{one}'",
        "UPDATE orders SET absent_since = UTC_TIMESTAMP(3) WHERE order_id = '{one}'",
        "INSERT INTO orders (shop_id, order_id, created_time, row_hash, raw_hash, observed_at, batch_id)"
        f" VALUES ('{APP_ID}', 'o_x', '{DAY}', 1, 1, UTC_TIMESTAMP(3), 'x')",
    ],
    ids=["lost", "absent", "too many"],
)
@pytest.mark.usefixtures("every_day")
def test_a_day_on_which_the_api_tells_another_number_is_named_with_both(shop: Shop, statement: str) -> None:
    told = shop.database.value(OF_THE_DAY.replace("MIN(order_id)", "COUNT(*)"))
    with shop.broken(statement.format(one=shop.database.value(OF_THE_DAY))):
        held = told + 1 if "INSERT" in statement else told - 1
        raised = shop.check("day_totals")
        row = shop.results()["day_totals"]
    assert (row["passed"], row["severity"], row["measured"]) == (0, "critical", 1)
    assert row["detail"] == f"{DAY} 接口 {told} 单，数仓 {held} 单。命令：{COMMAND}"
    assert COMMAND in raised


@pytest.mark.usefixtures("every_day")
def test_the_command_in_the_message_puts_it_right(shop: Shop) -> None:
    one = shop.database.value(OF_THE_DAY)
    broken = [f"DELETE FROM {table} WHERE order_id = '{one}'" for table in ("orders", "order_items")]
    with shop.broken(*broken, touched=TOUCHED):
        assert COMMAND in shop.check("day_totals")
        shop.runs.sync("orders", "rescan", kind="manual", **{"from": DAY, "to": "2026-11-13"})
        for task in TASKS:
            assert shop.check(task) == ""


@pytest.mark.usefixtures("every_day")
def test_an_order_that_could_not_be_typed_is_not_lost(shop: Shop) -> None:
    one = shop.database.value(OF_THE_DAY)
    rejected = (
        "INSERT INTO rejected_rows (shop_id, resource, raw_hash, row_key, reason, raw_json, batch_id, first_seen_at,"
        f" last_seen_at) VALUES ('{APP_ID}', 'orders', 1, '{one}', 'x', 'x', 'x', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))"
    )
    with shop.broken(f"DELETE FROM orders WHERE order_id = '{one}'", rejected):
        assert shop.check("day_totals") == ""


@pytest.mark.usefixtures("every_day")
def test_a_total_that_does_not_fit_is_asked_for_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync may just be at work: what it brings meanwhile counts."""
    one = shop.database.value(OF_THE_DAY)
    waited: list[float] = []

    def bring_it(seconds: float) -> None:
        waited.append(seconds)
        names = shop.columns("orders")
        shop.run(f"INSERT INTO orders ({names}) SELECT {names} FROM kept_orders WHERE order_id = '{one}'")

    monkeypatch.setattr(hook, "XiaoeHook", lambda conn_id: XiaoeHook(conn_id, sleep=bring_it))
    with shop.broken(f"DELETE FROM orders WHERE order_id = '{one}'"):
        assert shop.check("day_totals") == ""
    assert len(waited) == 1


def test_some_days_are_asked_for_and_others_the_next_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_QUALITY_SAMPLE_DAYS", "3")
    asked = set()
    for hours in range(4):
        monkeypatch.setattr(shop.runs, "now", shop.runs.now + timedelta(hours=hours))
        shop.check("day_totals")
        detail = shop.results()["day_totals"]["detail"]
        days = detail.removeprefix("抽查 ").split("、")
        assert len(set(days)) == 3
        assert all("2026-10-20" <= day <= "2026-11-19" for day in days)
        asked.add(detail)
    assert len(asked) == 4


def test_a_day_that_has_not_been_read_is_not_asked_for(shop: Shop) -> None:
    with shop.broken("DELETE FROM sync_windows WHERE resource = 'orders'"):
        assert shop.check("day_totals") == ""
        assert shop.results()["day_totals"]["detail"] == "尚无读完的日子可抽查"


# --- how many orders a day brings ----------------------------------------------------------------------


YESTERDAY = "created_time >= '2026-11-19' AND created_time < '2026-11-20'"


@pytest.mark.parametrize(("left", "severity"), [(0, "critical"), (5, "warning")])
def test_a_day_with_far_fewer_orders_than_usual_is_told(shop: Shop, left: int, severity: str) -> None:
    orders = shop.database.value(f"SELECT COUNT(*) FROM orders WHERE {YESTERDAY}")
    with shop.broken(f"UPDATE orders SET created_time = '2026-11-18' WHERE {YESTERDAY} LIMIT {orders - left}"):
        raised = shop.check("queries")
        row = shop.results()["orders_of_yesterday"]
    assert (row["passed"], row["severity"], row["measured"]) == (0, severity, left)
    assert f"2026-11-19 有 {left} 单" in row["detail"]
    assert bool(raised) == (severity == "critical")


def test_a_day_that_is_not_over_in_the_warehouse_is_not_judged(shop: Shop) -> None:
    with shop.broken(f"DELETE FROM orders WHERE {YESTERDAY}", "UPDATE sync_status SET watermark = '2026-11-19 23:59:59'"
                     " WHERE resource = 'orders' AND mode = 'incremental'"):  # fmt: skip
        shop.check("queries")
        row = shop.results()["orders_of_yesterday"]
    assert (row["passed"], row["measured"], row["detail"]) == (1, None, "昨日尚未读完")


# --- what docs/quality.md says helps -------------------------------------------------------------------


def test_an_order_is_read_again_as_the_documentation_says(shop: Shop) -> None:
    one = shop.database.value(NAMES["paid"])
    forget, _ = recipes(one)
    broken = (
        f"DELETE FROM order_items WHERE order_id = '{one}'",
        f"DELETE FROM users WHERE user_id = (SELECT user_id FROM orders WHERE order_id = '{one}')",
    )
    with shop.broken(*broken, touched=TOUCHED):
        shop.check("queries")
        assert shop.failed() - ODD_CODES == {"item_sums", "orders_without_user"}
        shop.run(forget)
        shop.runs.sync("orders", "rescan", kind="manual", **{"from": "2026-11-10", "to": "2026-11-20 11:59:00"})
        assert shop.check("queries") == ""


def test_an_order_is_decided_anew_as_the_documentation_says(shop: Shop) -> None:
    one = shop.database.value(NAMES["paid"])
    _, queue = recipes(one)
    with shop.broken(f"UPDATE benefit_decisions SET decision = 'revoke' WHERE order_id = '{one}'", touched=TOUCHED):
        assert "decisions_contradict" in shop.check("queries")
        shop.run(queue)
        XiaoeBenefitsOperator(task_id="decide", xiaoe_conn_id="xiaoe_default").execute(shop.runs.context())
        assert shop.check("queries") == ""


def recipes(order_id: str) -> list[str]:
    """The statements of docs/quality.md, for an order."""
    page = Path(__file__).parents[2] / "docs" / "quality.md"
    found = re.findall(r"^```sql\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    return [one.replace("o_…", order_id).replace("app…", APP_ID) for one in found]


# --- the ledger ----------------------------------------------------------------------------------------


def test_windows_that_overlap_in_any_way_are_one_ledger(shop: Shop) -> None:
    """Against a list of every minute that any window holds, as far as it had come when it was read."""
    dice = random.Random(7)
    minute, first = timedelta(minutes=1), START.replace(tzinfo=None)
    covered: set[int] = set()
    rows = []
    for number in range(120):
        begin, length = dice.randrange(-500, 10_000), dice.randrange(1, 90)
        seen = begin + dice.choice((length, length, length + 60, length // 2))
        covered |= set(range(max(begin, 0), min(begin + length, seen)))
        moments = [first + one * minute for one in (begin, begin + length, seen)]
        rows.append(f"('{APP_ID}', 'orders', 'x', '{moments[0]}', '{moments[1]}', '{moments[2]}' - INTERVAL 8 HOUR,"
                    f" 0, 0, 0, 0, 0, 0, 1, '{number}', 'x', UTC_TIMESTAMP(3))")  # fmt: skip
    insert = (
        "INSERT INTO sync_windows (shop_id, resource, mode, window_start, window_end, observed_at, api_total, staged,"
        f" inserted, updated, unchanged, rejected, passes, batch_id, run_id, merged_at) VALUES {', '.join(rows)}"
    )
    with shop.broken("DELETE FROM sync_windows", insert), Warehouse().session() as session:
        ledger = read_ledger(session, CheckScope(APP_ID, shop.runs.now, full=True))
    bare = [one for one in range(max(covered) + 1) if one not in covered]
    assert ledger.missing == len(bare) * minute
    assert {(gap.begin - START) // minute for gap in ledger.to_come} == {one for one in bare if one - 1 not in bare}

"""A shop that answers in the harshest forms the documentation leaves possible (tests/support/worlds/harsh_shop.py)."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta, timezone
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support.fixtures import servers, shop_connection
from support.oracles.benefits import LONG_AGO
from support.worlds.harsh_more import parents_with
from support.worlds.harsh_origins import lines_of
from support.worlds.harsh_rows import EVERY, Child
from support.worlds.harsh_shop import BEGIN, NOW, HarshShop, open_shop
from support.worlds.runs import unhurried
from support.worlds.shop import APP_ID, Database, Sync, merge_sql
from xiaoe import clock
from xiaoe.api import hook
from xiaoe.benefits.decide import Decider, apply_policy
from xiaoe.benefits.policy import Policy
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeIncompleteError, XiaoeMappingError, XiaoeReconciliationError
from xiaoe.marts.refresh import Refresher
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.quality.scope import CheckScope
from xiaoe.resources.base import Scope
from xiaoe.resources.registry import RESOURCES
from xiaoe.shop_check import store
from xiaoe.shop_check.findings import Level, ShopVerdict
from xiaoe.shop_check.runner import check_shop
from xiaoe.stage import slice_reader, stager
from xiaoe.stage.api_profile import page_sizes
from xiaoe.sync.operators import XiaoeMergeOperator, XiaoeStageOperator
from xiaoe.windows import EVER, Window

pytestmark = pytest.mark.mysql
ONE_SERVER = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
END = NOW.replace(tzinfo=BEIJING)
SPAN = Window(BEGIN.replace(tzinfo=BEIJING), END + timedelta(days=1))
EVERY_LIST = ("orders", "refunds", "users", "products", "live_streams")
MORE_LISTS = (
    "promoters", "live_viewers", "learning_days", "learning_progress", "promoter_customers", "order_promoters",
)  # fmt: skip
NEEDS = {
    "live_viewers": ("live_streams",),
    "learning_days": ("users",),
    "learning_progress": ("orders", "users"),
    "promoter_customers": ("promoters",),
    "order_promoters": ("orders",),
}
"""List of parents → the lists that name them."""
OURS = {"sales_state_text", "sale_type_text"}
"""Texts that nobody has published."""


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: END)
    ticks = count(1)
    for module in (hook, slice_reader, stager):  # what is read later is newer
        monkeypatch.setattr(
            module, "utc_now", lambda: END.astimezone(timezone.utc) + timedelta(milliseconds=next(ticks))
        )


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[HarshShop]:
    """The shop, and `xiaoe_default` pointing at it; two pages at least of everything."""
    shop = HarshShop()
    with open_shop(shop) as wire:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(wire.url, page_size=40))
        yield shop


@pytest.fixture
def sync(shop: HarshShop, tmp_path: Path) -> Sync:
    return Sync(tmp_path / "pages")


def read(sync: Sync, name: str) -> Counter[str]:
    """Stage and merge all of a list; moves the watermark."""
    resource = unhurried(RESOURCES[name])
    window = SPAN if resource.scope in (Scope.CREATED, Scope.CHANGED) else Window(EVER, END)
    return sync.run(window, resource=resource, mode="test", moves=True)


def held(database: Database, name: str) -> dict[str, dict[str, Any]]:
    resource = RESOURCES[name]
    return {row[resource.key]: row for row in database.rows(f"SELECT * FROM {resource.table}")}


def wrong(
    database: Database,
    shop: HarshShop,
    known: dict[str, dict[str, Any]] | None = None,
    lists: Sequence[str] = EVERY_LIST,
) -> list[str]:
    """How the tables differ from the shop's truth, in every column; [] is equal.

    Args:
        database: Has the tables.
        shop: Has the truth.
        known: Product → columns that orders told of it.
        lists: Which.
    """
    return [line for name in lists for line in _wrong(database, shop, name, known or {})]


def _wrong(database: Database, shop: HarshShop, name: str, known: dict[str, dict[str, Any]]) -> list[str]:
    found = held(database, name)
    right = {key: row | (known.get(key, {}) if name == "products" else {}) for key, row in shop.stored(name).items()}
    return sorted(f"{name}: {key} in one of both" for key in right.keys() ^ found.keys()) + [
        f"{name}: {key}.{column}: {value!r}, not {found[key][column]!r}"
        for key in right.keys() & found.keys()
        for column, value in right[key].items()
        if found[key][column] != value and column not in OURS
    ]


def told_by_orders(shop: HarshShop) -> dict[str, dict[str, Any]]:
    """What orders say of products in columns that the products' own list leaves unreadable."""
    told = {}
    for order in (one.stored() for one in shop.lists["orders"]):
        told[order["resource_id"]] = {
            "resource_type": order["resource_type"], "resource_type_text": order["resource_type_text"],
            "name": order["title"],
        }  # fmt: skip
    return {
        row.key: {column: value for column, value in told[row.key].items() if column.startswith(row.odd.column)}
        for row in shop.lists["products"]
        if row.odd
    }


def open_problems(database: Database, lists: Sequence[str] = EVERY_LIST) -> set[tuple[str, str, str]]:
    rows = database.rows("SELECT resource, row_key, field FROM field_problems WHERE resolved_at IS NULL")
    return {(row["resource"], row["row_key"], row["field"]) for row in rows if row["resource"] in lists}


def problems(shop: HarshShop, lists: Sequence[str] = EVERY_LIST) -> set[tuple[str, str, str]]:
    """As `open_problems` has to be."""
    return {one for one in shop.problems() if one[0] in lists}


def read_parents(sync: Sync, name: str) -> None:
    """Read the lists that name the parents of this one, if it has parents."""
    read_everything(sync, NEEDS.get(name, ()))


def read_everything(sync: Sync, lists: Sequence[str] = EVERY_LIST) -> dict[str, Counter[str]]:
    return {name: read(sync, name) for name in lists}


# --- one odd field in each twentieth row ---------------------------------------------------------------


def test_every_field_of_every_list_is_odd_somewhere() -> None:
    shop = HarshShop()
    seen = {(name, field) for name, _, field in shop.problems()}
    fields = {(name, fact.field) for name, rows in shop.lists.items() for fact in rows[0].facts[1:]}
    assert seen == fields
    for name, rows in shop.lists.items():
        assert sum(row.odd is not None for row in rows) == sum(row.number % EVERY == 7 for row in rows)
        assert len(problems(shop, [name])) == sum(len(row.unread) for row in rows) >= len(rows) // EVERY
        assert len({row.key for row in rows}) == len(rows)


@pytest.mark.parametrize("lists", [EVERY_LIST, EVERY_LIST[::-1]], ids=["orders-first", "orders-last"])
def test_every_row_is_there_with_its_values_and_every_odd_field_is_listed(
    database: Database, shop: HarshShop, sync: Sync, lists: tuple[str, ...]
) -> None:
    counts = read_everything(sync, lists)
    assert {name: one["inserted"] + one["updated"] for name, one in counts.items()} == {
        name: len(shop.lists[name]) for name in EVERY_LIST
    }
    orders_first = lists[0] == "orders"
    assert wrong(database, shop, told_by_orders(shop) if orders_first else None) == []
    assert open_problems(database) == problems(shop)
    keyless = database.rows("SELECT resource, COUNT(*) AS n FROM rejected_rows WHERE row_key IS NULL GROUP BY resource")
    assert {row["resource"]: row["n"] for row in keyless} == {**dict.fromkeys(EVERY_LIST, 1), "orders": 2}
    assert database.wrong_lines() == []
    assert all(sync.watermark("test", name) for name in EVERY_LIST)


def test_other_forms_of_the_same_values_change_nothing(database: Database, shop: HarshShop, sync: Sync) -> None:
    read_everything(sync, EVERY_LIST[::-1])
    shop.mood = 1
    again = read_everything(sync)
    assert {(one["inserted"], one["updated"], one["absent"]) for one in again.values()} == {(0, 0, 0)}
    assert wrong(database, shop) == []
    assert open_problems(database) == problems(shop)
    assert database.value("SELECT COUNT(*) FROM order_state_log") == 0


def test_sums_are_right_and_say_how_many_rows_they_lack(database: Database, shop: HarshShop, sync: Sync) -> None:
    read_everything(sync)
    Refresher(Warehouse(), APP_ID, now=END).refresh()
    sold = [(row, row.stored()) for row in shop.lists["orders"]]
    own = [(row, one) for row, one in sold if one["client_type"] != 30 and "70" not in (one["order_type"] or "")]
    paid = [(row, one) for row, one in own if one["pay_time"]]
    back = [
        one for _, one in paid
        if one["order_state"] not in (8, 9) and one["refund_time"]
        and (one["refund_money"] or one["order_state"] in (3, 10) or (one["order_state"] == 11))
    ]  # fmt: skip

    def odd(column: str) -> int:
        return sum(row.odd is not None and row.odd.column == column for row, _ in own)

    [row] = database.rows(
        "SELECT SUM(paid_amount) AS paid, SUM(orders_paid) AS orders, SUM(orders_without_amount) AS lacking,"
        " SUM(refund_amount) AS refund, SUM(refunds_without_amount) AS refunds_lacking FROM bi_sales_daily"
    )
    assert row["orders"] == len(paid)
    assert row["paid"] == sum(one["price"] or 0 for _, one in paid)
    assert row["refund"] == sum(one["refund_money"] or 0 for one in back)
    assert row["lacking"] == odd("price") + odd("pay_time") > 0
    assert row["refunds_lacking"] == sum(one["refund_money"] is None for one in back) + odd("refund_time") > 0
    assert (
        row
        == database.rows(
            "SELECT SUM(paid_amount) AS paid, SUM(orders_paid) AS orders, SUM(orders_without_amount) AS lacking,"
            " SUM(refund_amount) AS refund, SUM(refunds_without_amount) AS refunds_lacking FROM bi_products_daily"
        )[0]
    )


def test_a_benefit_is_reviewed_where_a_decisive_field_cannot_be_read(
    database: Database, shop: HarshShop, sync: Sync
) -> None:
    read_everything(sync)
    policy, warehouse = Policy(14, "created_time", "review", [], LONG_AGO), Warehouse()
    with warehouse.session() as session:
        number = apply_policy(session, policy, by="test", shop_ids=[APP_ID])
        session.commit()
    Decider(warehouse, APP_ID, policy, number, now=END).decide()
    of_orders = ("order_state", "price", "refund_money", "pay_time", "refund_time", "created_time")
    of_refunds = ("state", "sale_type", "refund_money", "created_at", "updated_at")
    of_order = {row.key for row in shop.lists["orders"] if row.odd and row.odd.column in of_orders}
    of_after_sale = {
        row.stored()["order_id"] for row in shop.lists["refunds"] if row.odd and row.odd.column in of_refunds
    }
    assert of_order
    assert of_after_sale
    rows = database.rows("SELECT order_id, decision FROM benefit_decisions WHERE reason LIKE '%%无法解析'")
    assert {row["order_id"] for row in rows} == of_order | of_after_sale
    assert {row["decision"] for row in rows} == {"review"}
    assert database.value("SELECT COUNT(*) FROM benefit_decisions") == len(shop.lists["orders"])


# --- viewers, learning, promoters ----------------------------------------------------------------------


def test_every_row_of_every_parent_is_there_with_its_values(database: Database, shop: HarshShop, sync: Sync) -> None:
    """Also of streams and users of whom the time that decides who is asked for cannot be read."""
    read_everything(sync)
    counts = read_everything(sync, MORE_LISTS)
    assert {name: one["inserted"] for name, one in counts.items()} == {
        name: len(shop.lists[name]) for name in MORE_LISTS
    }
    assert wrong(database, shop, lists=MORE_LISTS) == []
    assert open_problems(database, MORE_LISTS) == problems(shop, MORE_LISTS)
    keyless = database.rows("SELECT resource, COUNT(*) AS n FROM rejected_rows WHERE row_key IS NULL GROUP BY resource")
    assert {row["resource"]: row["n"] for row in keyless if row["resource"] in MORE_LISTS} == dict.fromkeys(
        MORE_LISTS, 1
    )
    shop.mood = 1
    again = read_everything(sync, MORE_LISTS)
    assert {(one["inserted"], one["updated"], one["absent"]) for one in again.values()} == {(0, 0, 0)}
    assert wrong(database, shop, lists=MORE_LISTS) == []
    assert open_problems(database, MORE_LISTS) == problems(shop, MORE_LISTS)


@ONE_SERVER
@pytest.mark.parametrize("name", ["live_viewers", "learning_progress", "promoter_customers", "order_promoters"])
def test_a_parent_whose_list_is_refused_is_told_by_name_and_costs_no_other_row(
    database: Database, shop: HarshShop, sync: Sync, name: str
) -> None:
    read_parents(sync, name)
    refused = parents_with(shop.lists[name], 1)[3]
    shop.refused.add(refused)
    with pytest.raises(XiaoeIncompleteError, match=f"lists of 1 parents could not be read.*{refused}"):
        read(sync, name)
    missing = {row.key for row in shop.lists[name] if isinstance(row, Child) and row.parent == refused}
    assert missing
    assert held(database, name).keys() == {row.key for row in shop.lists[name]} - missing
    assert database.rows("SELECT 1 FROM parent_readings WHERE resource = %s AND parent_id = %s", [name, refused]) == []
    shop.refused.clear()
    read(sync, name)
    assert _wrong(database, shop, name, {}) == []


@ONE_SERVER
def test_viewers_of_a_stream_that_left_its_list_stay(database: Database, shop: HarshShop, sync: Sync) -> None:
    read_everything(sync, ["live_streams", "live_viewers"])
    before = held(database, "live_viewers")
    gone = max(shop.lists["live_viewers"], key=lambda row: row.time)
    assert isinstance(gone, Child)
    shop.lists["live_streams"] = [row for row in shop.lists["live_streams"] if row.key != gone.parent]
    read(sync, "live_streams")
    asked = shop.of_parent["live_viewers", gone.parent]
    read(sync, "live_viewers")
    assert shop.of_parent["live_viewers", gone.parent] == asked
    assert held(database, "live_viewers") == before


@ONE_SERVER
def test_customers_of_all_promoters_suddenly_gone_are_told_and_marked_nowhere(
    database: Database, shop: HarshShop, sync: Sync
) -> None:
    read_everything(sync, ["promoters", "promoter_customers"])
    before = held(database, "promoter_customers")
    shop.lists["promoter_customers"] = []
    with pytest.raises(XiaoeReconciliationError, match="suddenly empty 列表突然为空"):
        read(sync, "promoter_customers")
    assert held(database, "promoter_customers") == before
    shop.lists = HarshShop().lists
    assert read(sync, "promoter_customers")["unchanged"] == len(before)
    assert held(database, "promoter_customers").keys() == before.keys()


# --- order list 2.0 ------------------------------------------------------------------------------------


def test_every_order_of_order_list_2_is_there_with_its_lines_and_is_hinted_once(
    database: Database, shop: HarshShop, sync: Sync
) -> None:
    """A window of two months is read whole, though the list silently cuts it after 31 days."""
    rows = shop.lists["order_origins"]
    assert read(sync, "order_origins")["inserted"] == len(rows)
    assert wrong(database, shop, lists=["order_origins"]) == []
    assert lines(database) == lines_of(rows)
    assert open_problems(database, ["order_origins"]) == problems(shop, ["order_origins"])
    assert database.value("SELECT COUNT(*) FROM rejected_rows WHERE row_key IS NULL") == 1
    assert {row["order_id"] for row in database.rows("SELECT order_id FROM change_hints")} == {row.key for row in rows}
    shop.mood = 1
    again = read(sync, "order_origins")
    assert (again["inserted"], again["updated"]) == (0, 0)
    assert wrong(database, shop, lists=["order_origins"]) == []
    assert lines(database) == lines_of(rows)
    assert database.value("SELECT COUNT(*) FROM change_hints") == len(rows)


def lines(database: Database) -> set[tuple[Any, ...]]:
    return {tuple(row.values())[1:] for row in database.rows("SELECT * FROM order_lines")}


# --- one field broken in every row ---------------------------------------------------------------------

BROKEN = [
    ("live_viewers", "his_learned_time"), ("live_viewers", "user_total_price"),
    ("learning_days", "stay_time"), ("learning_progress", "finished_at"), ("learning_progress", "learn_progress"),
    ("promoters", "group_id"), ("promoter_customers", "bind_time"), ("promoter_customers", "sum_price"),
    ("order_promoters", "status"), ("order_promoters", "distribute_price"),
    ("order_origins", "update_time"), ("order_origins", "order_state"), ("order_origins", "good_list"),
    ("orders", "created_time"), ("orders", "pay_time"), ("orders", "order_state"), ("orders", "price"),
    ("orders", "refund_money"),
    ("refunds", "updated_at"), ("refunds", "created_at"), ("refunds", "state"), ("refunds", "refund_money"),
    ("users", "user_created_at"), ("users", "punch_count"), ("users", "pay_sum"),
    ("products", "created_at"), ("products", "sale_status"), ("products", "price_low"),
    ("live_streams", "alive_start_at"), ("live_streams", "alive_state"), ("live_streams", "reward_sum"),
]  # fmt: skip
"""Of each list a time, a code or a count, and money."""


@ONE_SERVER
@pytest.mark.parametrize(("name", "field"), BROKEN, ids=[".".join(one) for one in BROKEN])
def test_a_field_that_is_broken_in_every_row_is_red_by_name(
    database: Database, shop: HarshShop, sync: Sync, name: str, field: str
) -> None:
    """What can be written is written, the window does not count as read, and all is well once it is mended."""
    read_parents(sync, name)
    shop.broken.add((name, field))
    with pytest.raises(XiaoeMappingError, match=rf"^{name} test: field {field} cannot be read in \d+ of \d+ rows"):
        read(sync, name)
    assert _wrong(database, shop, name, {}) == []
    assert open_problems(database, [name]) == problems(shop, [name])
    assert sync.watermark("test", name) is None
    assert database.rows("SELECT 1 FROM sync_windows WHERE resource = %s", [name]) == []
    shop.broken.clear()
    read(sync, name)
    assert _wrong(database, shop, name, {}) == []
    assert open_problems(database, [name]) == problems(shop, [name])
    assert sync.watermark("test", name) is not None


@ONE_SERVER
@pytest.mark.parametrize("name", EVERY_LIST)
def test_a_broken_field_keeps_what_was_read_and_marks_nobody_absent(
    database: Database, shop: HarshShop, sync: Sync, name: str
) -> None:
    read(sync, name)
    before, mark = held(database, name), sync.watermark("test", name)
    column = next(fact.column for fact in shop.lists[name][0].facts if fact.kind in ("yuan", "fen", "amount"))
    field = next(fact.field for fact in shop.lists[name][0].facts if fact.column == column)
    shop.broken.add((name, field))
    gone = {shop.lists[name].pop(5).key, shop.lists[name].pop(50).key}
    with pytest.raises(XiaoeMappingError, match=f"field {field} cannot be read"):
        read(sync, name)
    after = held(database, name)
    assert [row for row in after.values() if row["absent_since"]] == []
    assert {key: row[column] for key, row in after.items()} == {key: row[column] for key, row in before.items()}
    marked = {key for key, row in after.items() if column in (row["problem_columns"] or "").split(",")}
    assert after.keys() - gone <= marked
    assert sync.watermark("test", name) == mark


# --- what always came and no longer does ---------------------------------------------------------------


@ONE_SERVER
@pytest.mark.parametrize("name", [*EVERY_LIST, "promoters"])
def test_a_list_that_is_suddenly_empty_is_told_and_marks_nobody_absent(
    database: Database, shop: HarshShop, sync: Sync, name: str
) -> None:
    read(sync, name)
    before, mark = held(database, name), sync.watermark("test", name)
    shop.lists[name] = []
    with pytest.raises(XiaoeReconciliationError, match=rf"^{name}.* suddenly empty 列表突然为空.*未做任何改动"):
        read(sync, name)
    assert held(database, name) == before
    assert sync.watermark("test", name) == mark
    shop.lists[name] = HarshShop().lists[name]
    assert read(sync, name)["unchanged"] > 0
    assert held(database, name).keys() == before.keys()


@ONE_SERVER
@pytest.mark.parametrize(
    ("name", "field"),
    [("orders", "settle_time"), ("refunds", "remark"), ("users", "bind_phone"), ("products", "price_line"),
     ("live_streams", "view_count"), ("promoter_customers", "order_num")],
)  # fmt: skip
def test_a_field_that_no_longer_comes_is_red_once_and_found_until_it_comes_again(
    database: Database, shop: HarshShop, sync: Sync, name: str, field: str
) -> None:
    read_parents(sync, name)
    read(sync, name)
    assert gone_fields() == []
    rows = held(database, name)
    ledger = "SELECT COUNT(*) FROM sync_windows"
    windows = database.value(ledger)
    shop.gone.add((name, field))
    with pytest.raises(XiaoeMappingError, match=rf"field {field} came with every row .*字段 {field} 过去每行都有"):
        read(sync, name)
    assert database.value(ledger) == windows
    now = held(database, name)
    assert now.keys() == rows.keys()
    assert not any(row["absent_since"] for row in now.values())
    read(sync, name)
    assert database.value(ledger) > windows
    [told] = gone_fields()
    assert told.startswith(f"{name}.{field}：")
    assert "不再出现" in told
    assert "now none has" in told
    shop.gone.clear()
    read(sync, name)
    assert gone_fields() == []


def gone_fields() -> list[str]:
    """What the critical check `api_fields_missing` finds, which the hourly checks fail with."""
    scope = CheckScope(APP_ID, END, full=True)
    with Warehouse().session() as session:
        return [told for (told,) in session.query(scope.query("api_fields_missing"))]


# --- the check of the shop -----------------------------------------------------------------------------


@ONE_SERVER
@pytest.mark.parametrize("mood", [0, 1])
def test_the_check_settles_the_same_whatever_the_forms(database: Database, shop: HarshShop, mood: int) -> None:
    shop.mood = mood
    check, _ = check_shop("xiaoe_default")
    found = {(one.resource, one.key): one.level for one in check.findings}
    assert (check.verdict, check.wrong_tables) == (ShopVerdict.REMARKS, [])
    assert {
        ("orders", "begin_excluded"), ("orders", "end_excluded"), ("orders", "order_id_bound"),
        ("orders", "order_ascending"), ("orders", "price_yuan"), ("orders", "discount_fen"),
        ("refunds", "last_day_excluded"), ("refunds", "order_descending"), ("users", "order_descending"),
        ("users", "pay_sum_yuan"), ("users", "visited_on_request"), ("products", "deleted_listed"),
        ("products", "page_size_capped"), ("live_streams", "granted_no_total"),
    } <= found.keys()  # fmt: skip
    remarks = {key for (name, key), level in found.items() if level is Level.REMARK and name in EVERY_LIST}
    assert remarks == {"fields_unreadable", "rows_refused", "total_missing"}
    assert {name for name, key in found if key.startswith("granted")} >= set(MORE_LISTS)


@ONE_SERVER
@pytest.mark.parametrize(("name", "field"), BROKEN, ids=[".".join(one) for one in BROKEN])
def test_the_check_says_which_table_a_broken_field_spoils(
    database: Database, shop: HarshShop, name: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XIAOE_MORE_LISTS", "live_viewers,learning,promoters")
    monkeypatch.setenv("XIAOE_HINTS", "list")
    shop.broken.add((name, field))
    check, _ = check_shop("xiaoe_default")
    assert (check.verdict, check.wrong_tables) == (ShopVerdict.UNFIT, [name])
    [told] = [one for one in check.findings if one.level is Level.BAD]
    assert any(one.startswith(f"{field} (") for one in told.facts["fields"])


# --- what a check settled is used ----------------------------------------------------------------------

PRODUCTS = "/xe.goods.list.get/4.0.0"


@pytest.fixture
def large_pages(shop: HarshShop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HarshShop:
    """A shop whose pages of products hold 150 rows, as a check has found, and a connection that allows as many."""
    shop.largest_page = 150
    connection = json.loads(os.environ["AIRFLOW_CONN_XIAOE_DEFAULT"])
    connection["extra"] = {**connection["extra"], "page_size": 200}
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("XIAOE_PAGE_STORE", f"file://{tmp_path}/pages")
    monkeypatch.setattr(hook, "XiaoeHook", partial(hook.XiaoeHook, sleep=lambda _: None))
    assert store.keep_row(check_shop("xiaoe_default")[0])
    shop.asked.clear()
    return shop


def sync_products(run: str) -> dict[str, int]:
    """Both tasks of the DAG."""
    about: Any = {
        "dag_run": SimpleNamespace(run_id=run, run_type="scheduled", run_after=END),
        "params": {"from": None, "to": None, "accept_missing": False},
    }
    stage = XiaoeStageOperator(task_id="stage", resource="products", mode="whole", xiaoe_conn_id="xiaoe_default")
    folder = stage.execute(about)
    merge = XiaoeMergeOperator(
        task_id="merge", resource="products", mode="whole", folder=folder, sql=merge_sql("products")
    )
    return merge.execute(about)


@ONE_SERVER
def test_larger_pages_that_a_check_found_save_calls(database: Database, large_pages: HarshShop) -> None:
    assert sync_products("first")["inserted"] == 220
    with_profile = large_pages.asked[PRODUCTS]
    database.rows("DELETE FROM shop_checks")
    large_pages.asked.clear()
    assert sync_products("second")["unchanged"] == 220
    assert with_profile < large_pages.asked[PRODUCTS]
    assert _wrong(database, large_pages, "products", {}) == []


@ONE_SERVER
@pytest.mark.parametrize("refuses", [True, False], ids=["refused", "cut"])
def test_a_profile_that_no_longer_holds_costs_no_row(database: Database, large_pages: HarshShop, refuses: bool) -> None:
    large_pages.largest_page, large_pages.refuses_larger = 100, refuses
    assert sync_products("first")["inserted"] == 220
    assert _wrong(database, large_pages, "products", {}) == []
    [line] = database.rows("SELECT api_total, staged FROM sync_windows")
    assert line["staged"] == 221, "the element without a key, too"


@pytest.mark.parametrize("findings", ["", "[]", "{}", '[{"key": 1}]', '[{"key": "page_size_larger"}]', "null"])
def test_findings_that_say_nothing_of_pages_change_nothing(findings: str) -> None:
    assert page_sizes(findings) == {}

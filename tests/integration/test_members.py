"""Inferred members: users and products that orders name before their own lists bring them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from emulator.process import Emulator
from support.faults.processes import together
from support.worlds.runs import EVERYTHING_LISTED, write_list
from support.worlds.shop import APP_ID, END, Database, Sync, days, differences, unbalanced, unlike
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe.exceptions import XiaoeReconciliationError
from xiaoe.merge import merger
from xiaoe.resources.products import PRODUCTS
from xiaoe.resources.users import USERS
from xiaoe.windows import Window

pytestmark = pytest.mark.mysql

NEVER = datetime(1970, 1, 1)


def orders(sync: Sync, rows: Sequence[bytes], second: float = 0) -> None:
    sync.merge(*StagedRun([(at(second), rows)], run_id=f"orders-{second}").write(sync.store))


def users(sync: Sync, *names: str, second: float, **fields: Any) -> None:
    rows = [json.dumps({"user_id": name, "user_nickname": f"user {name}", **fields}).encode() for name in names]
    sync.merge(*write_list(USERS, sync.store, rows, at(second), f"users-{second}"))


def products(sync: Sync, *names: str, second: float) -> None:
    rows = [
        json.dumps({"resource_id": name, "goods_name": f"product {name}", "resource_type": 6}).encode()
        for name in names
    ]
    sync.merge(*write_list(PRODUCTS, sync.store, rows, at(second), f"products-{second}"))


def held(database: Database, table: str, key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in database.rows(f"SELECT * FROM {table}")}


def test_what_an_order_names_is_inserted_with_what_the_order_knows(sync: Sync, database: Database) -> None:
    orders(sync, [raw_order(1), raw_order(2, resource_type=99, title="第二\t个")])
    people, goods = held(database, "users", "user_id"), held(database, "products", "resource_id")
    assert people.keys() == {"u_1", "u_2"}
    assert goods.keys() == {"v_1", "v_2"}
    for row in (*people.values(), *goods.values()):
        assert (row["shop_id"], row["is_inferred"], row["observed_at"]) == (APP_ID, 1, NEVER)
        assert row["absent_since"] is None
    assert people["u_1"]["nickname"] is None
    assert (goods["v_1"]["name"], goods["v_1"]["resource_type"], goods["v_1"]["resource_type_text"]) == (
        "课程 1", 3, "视频",
    )  # fmt: skip
    assert (goods["v_2"]["name"], goods["v_2"]["resource_type"], goods["v_2"]["resource_type_text"]) == (
        "第二\t个", 99, None,
    )  # fmt: skip
    assert goods["v_1"]["price_low"] is None


def test_members_are_inserted_once_and_never_touched_by_a_later_order(sync: Sync, database: Database) -> None:
    orders(sync, [raw_order(1)])
    before = held(database, "users", "user_id"), held(database, "products", "resource_id")
    orders(sync, [raw_order(1, order_state=8), raw_order(8, user_id="u_1", resource_id="v_1", title="renamed")], 10)
    orders(sync, [raw_order(1, order_state=8)], 10)
    assert (held(database, "users", "user_id"), held(database, "products", "resource_id")) == before


def test_orders_that_name_nobody_insert_nobody(sync: Sync, database: Database) -> None:
    blank = [raw_order(1, user_id="", resource_id=None), raw_order(2, user_id=None, resource_id="")]
    orders(sync, [*blank, raw_order(3, order_id="")])
    assert database.value("SELECT COUNT(*) FROM orders") == 2
    assert held(database, "users", "user_id") == held(database, "products", "resource_id") == {}


def test_one_product_under_two_titles_is_one_member(sync: Sync, database: Database) -> None:
    orders(sync, [raw_order(number, resource_id="v", user_id="u", title=f"title {number}") for number in (1, 2, 3)])
    assert held(database, "products", "resource_id")["v"]["name"] == "title 3"
    assert len(held(database, "users", "user_id")) == 1


def test_the_same_id_in_another_case_or_with_a_space_is_another_member(sync: Sync, database: Database) -> None:
    names = ["u_a", "U_A", "u_ä", "u_a "]
    orders(sync, [raw_order(number, user_id=name) for number, name in enumerate(names)])
    assert database.value("SELECT COUNT(*) FROM orders") == 4
    found = database.rows("SELECT DISTINCT o.order_id FROM orders o JOIN users u USING (shop_id, user_id)")
    assert len(found) == 4


@pytest.mark.parametrize("second", [-100, 100], ids=["seen before the order", "seen after it"])
def test_the_real_row_takes_the_place_of_an_inferred_one(sync: Sync, database: Database, second: float) -> None:
    orders(sync, [raw_order(1)])
    users(sync, "u_1", second=second)
    products(sync, "v_1", second=second)
    [person], [product] = (
        held(database, "users", "user_id").values(),
        held(database, "products", "resource_id").values(),
    )
    assert (person["is_inferred"], person["nickname"]) == (0, "user u_1")
    assert person["observed_at"] == at(second).replace(tzinfo=None)
    assert (product["is_inferred"], product["name"], product["resource_type_text"]) == (0, "product v_1", "专栏")


def test_an_order_leaves_real_members_alone(sync: Sync, database: Database) -> None:
    users(sync, "u_1", second=0)
    products(sync, "v_1", second=0)
    before = held(database, "users", "user_id"), held(database, "products", "resource_id")
    orders(sync, [raw_order(1)], 100)
    assert (held(database, "users", "user_id"), held(database, "products", "resource_id")) == before


def test_inferred_members_are_never_marked_absent_nor_counted_as_missing(sync: Sync, database: Database) -> None:
    """Ten inferred ones and two real ones: a list of the two is complete."""
    orders(sync, [raw_order(number) for number in range(10)])
    for second in (100, 200):
        users(sync, "real", "u_3", second=second)
    people = held(database, "users", "user_id")
    assert {name for name, row in people.items() if row["is_inferred"]} == {f"u_{n}" for n in range(10)} - {"u_3"}
    assert not any(row["absent_since"] for row in people.values())


def test_a_member_that_was_real_and_vanished_is_marked(sync: Sync, database: Database) -> None:
    orders(sync, [raw_order(1)])
    users(sync, "u_1", "a", "b", second=100)
    users(sync, "a", "b", second=200)
    person = held(database, "users", "user_id")["u_1"]
    assert (person["is_inferred"], person["absent_since"] is not None) == (0, True)
    orders(sync, [raw_order(1), raw_order(8, user_id="u_1")], 300)
    assert held(database, "users", "user_id")["u_1"] == person, "an order does not bring it back"


def test_a_merge_that_fails_leaves_no_member(sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merger, "CHUNK_ROWS", 1)
    pages = [(at(second), [raw_order(second)]) for second in (1, 2)]
    folder, manifest = StagedRun(pages).write(sync.store)
    (folder.path / manifest.slices[0].pages[-1]).unlink()
    with pytest.raises(XiaoeReconciliationError, match="is gone"):
        sync.merge(folder, manifest)
    assert not any(database.snapshot().values())


def test_every_order_of_a_shop_has_its_user_and_product(sync: Sync, database: Database, api: Emulator) -> None:
    """Buyers that the list hides and products no longer listed stay inferred; all others are as the lists say."""
    window = Window(END - days(20), END)
    sync.run(window)
    assert database.value("SELECT COUNT(*) FROM users WHERE is_inferred = 0") == 0
    try:
        api.set_users(share=0.9)
        for resource in (USERS, PRODUCTS):
            sync.run(EVERYTHING_LISTED, resource=resource, mode="whole")
            truth = list(getattr(api, f"truth_{resource.table}")(APP_ID))
            real = database.rows(f"SELECT * FROM {resource.table} WHERE is_inferred = 0")
            assert unlike(real, truth, resource.key) == []
            assert database.value(f"SELECT COUNT(*) FROM {resource.table} WHERE absent_since IS NOT NULL") == 0
        assert database.value("SELECT COUNT(*) FROM users WHERE is_inferred = 1") > 0
    finally:
        api.set_users(share=1)
    for table, key in (("users", "user_id"), ("products", "resource_id")):
        nameless = database.value(
            f"SELECT COUNT(*) FROM orders o LEFT JOIN {table} m USING (shop_id, {key})"
            f" WHERE o.{key} > '' AND m.{key} IS NULL"
        )
        assert nameless == 0
    assert differences(database, api, window) == []
    assert unbalanced(database) == []


def test_orders_and_users_merged_at_the_same_time_end_right(
    sync: Sync, database: Database, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both write `users`, in chunks, under locks of their own; a deadlock is tried again and never shows."""
    monkeypatch.setattr(merger, "CHUNK_ROWS", 60)
    window = Window(END - days(20), END)
    truth = list(api.truth_users(APP_ID))
    goods = list(api.truth_products(APP_ID))
    staged = [sync.stage(window)]
    staged += [sync.stage(EVERYTHING_LISTED, resource=resource, mode="whole") for resource in (USERS, PRODUCTS)]
    for turn in range(3):
        database.empty("api_tokens")
        order = staged[turn:] + staged[:turn]
        together(*(lambda run=run: sync.merge(*run) for run in order))
        assert differences(database, api, window) == []
        assert unlike(database.rows("SELECT * FROM users WHERE is_inferred = 0"), truth, "user_id") == []
        assert unlike(database.rows("SELECT * FROM products WHERE is_inferred = 0"), goods, "resource_id") == []
        assert database.rows("SELECT 1 FROM orders LEFT JOIN users USING (user_id) WHERE users.user_id IS NULL") == []
        assert unbalanced(database) == []

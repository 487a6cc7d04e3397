"""Declarations of resources: each fits its merge statements, its interface and the documentation."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import codes as documented
from support.worlds.shop import merge_sql
from xiaoe import settings
from xiaoe.clock import BEIJING
from xiaoe.merge.sql import template_of
from xiaoe.mysql.migrate import SCHEMA_DIR
from xiaoe.resources.base import Cursor, Numbered, Resource, Scope
from xiaoe.resources.learning import LEARNING_DAYS, LEARNING_PROGRESS
from xiaoe.resources.live_streams import LIVE_STREAMS
from xiaoe.resources.live_viewers import LIVE_VIEWERS
from xiaoe.resources.order_origins import ORDER_ORIGINS
from xiaoe.resources.orders import ORDERS
from xiaoe.resources.products import PRODUCTS
from xiaoe.resources.promoters import ORDER_PROMOTERS, PROMOTER_CUSTOMERS, PROMOTERS
from xiaoe.resources.refunds import REFUNDS
from xiaoe.resources.registry import RESOURCES
from xiaoe.resources.users import USERS
from xiaoe.rows import codes, values
from xiaoe.rows.children import KEY, PARENT
from xiaoe.tasks import assets
from xiaoe.windows import EVER, Window

each = pytest.mark.parametrize("resource", RESOURCES.values(), ids=list(RESOURCES))
AFTER_SALES = "/xe.ecommerce.after_sale.list/1.0.0"

# --- table and merge -----------------------------------------------------------------------------------


@each
def test_a_resource_has_one_name_everywhere(resource: Resource) -> None:
    assert RESOURCES[resource.name] is resource
    assert (settings.INCLUDE_DIR / "sql" / template_of(resource)).exists()
    assert f"INSERT INTO {resource.table} " in merge_sql(resource.name)
    assert f"FROM stg_{resource.table} " in merge_sql(resource.name)
    assert assets.ASSETS[resource.name].name == f"xiaoe_{resource.name}"


def test_there_is_an_asset_for_each_resource_and_no_table_twice() -> None:
    assert set(assets.ASSETS) == {*RESOURCES, "benefits", "benefit_answers"}
    assert len({resource.table for resource in RESOURCES.values()}) == len(RESOURCES)
    assert len({resource.endpoint for resource in RESOURCES.values()}) == len(RESOURCES)


@each
def test_each_field_of_the_api_is_read_once(resource: Resource) -> None:
    fields = [field for field, _ in resource.reader._mapping.values()]
    assert len(fields) == len(set(fields))
    assert len(resource.reader.columns) == len(set(resource.reader.columns))


@each
def test_no_statement_of_a_merge_commits(resource: Resource) -> None:
    assert not re.search(
        r"\b(ALTER|CREATE|DROP|TRUNCATE|COMMIT|LOCK|RENAME)\b", re.sub(r"'[^']*'", "", merge_sql(resource.name))
    )


# --- the interface -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "endpoint", "paging", "size", "total", "largest", "calls", "seconds"),
    [
        (ORDERS, "/xe.order.list.get/1.0.1", Numbered("page_index"), "page_size", "total", 200, 3000, 10),
        (
            REFUNDS,
            "/xe.ecommerce.after_sale.list/1.0.0",
            Numbered("page_index"),
            "page_size",
            "row_count",
            100,
            300,
            60,
        ),
        (USERS, "/xe.user.batch.get/2.0.0", Cursor("es_skip"), "page_size", "total", 50, 3000, 10),
        (PRODUCTS, "/xe.goods.list.get/4.0.0", Numbered("page"), "page_size", "total", 100, 3000, 10),
        (LIVE_STREAMS, "/xe.alive.list.get/1.0.0", Numbered("page"), "page_size", "total", 100, 100, 10),
        (ORDER_ORIGINS, "/xe.ecommerce.order.list/1.0.0", Numbered("page"), "page_size", "total", 100, 20, 1),
        (LIVE_VIEWERS, "/xe.alive.user.list/1.0.0", Numbered("page"), "page_size", "total", 100, 100, 10),
        (LEARNING_DAYS, "/xe.learning_records.daily.get/1.0.0", Numbered("page"), "page_size", "total", 100, 1000, 10),
        (
            LEARNING_PROGRESS,
            "/xe.user.learning.records.get/1.0.0",
            Numbered("page"),
            "page_size",
            "total",
            50,
            1000,
            10,
        ),
        (PROMOTERS, "/xe.distributor.list.get/1.0.0", Numbered("page_index"), "page_size", "count", 50, 500, 10),
        (
            PROMOTER_CUSTOMERS,
            "/xe.distributor.member.sub_customer/1.0.0",
            Numbered("page_index"),
            "page_size",
            "count",
            100,
            3000,
            10,
        ),
        (ORDER_PROMOTERS, "/xe.distributor.order.get/2.0.0", Numbered("page"), "page_size", "total", 100, 500, 10),
    ],
    ids=list(RESOURCES),
)
def test_interfaces_are_called_as_documented(
    resource: Resource, endpoint: str, paging: Any, size: str, total: str, largest: int, calls: int, seconds: int
) -> None:
    """docs/xiaoe-api.md sections 2 to 6 and 10."""
    assert (resource.endpoint, resource.paging) == (endpoint, paging)
    assert (resource.size_key, resource.total_key, resource.largest_page) == (size, total, largest)
    assert resource.calls_per_second * resource.quota_seconds <= calls
    assert resource.quota_seconds == seconds


@each
def test_scope_and_time_belong_together(resource: Resource) -> None:
    schema = "".join(file.read_text("utf-8") for file in SCHEMA_DIR.glob("*.sql"))
    if resource.parents:
        assert resource.scope is Scope.PER_PARENT
        assert resource.time is None
        assert resource.reader._mapping[resource.parents.column][0] == PARENT
        assert resource.reader._mapping[resource.key][0] == KEY
        assert resource.parents.keys[0] in resource.reader.fields
        index = f"KEY {resource.time_index} (shop_id, {resource.parents.column}, observed_at, absent_since)"
        assert (index in schema) is resource.parents.lists_all
        return
    if resource.scope is Scope.WHOLE:
        assert resource.time is resource.time_index is None
        asked = {"need_column": ["latest_visited_at"]} if resource is USERS else {}
        assert resource.filters(Window(EVER, datetime(2026, 1, 1, tzinfo=BEIJING))) == asked
    else:
        assert resource.time in resource.reader.columns
        assert resource.reader._mapping[resource.time][1] is values.time
        assert f"KEY {resource.time_index} (shop_id, {resource.time}, observed_at, absent_since)" in schema
    windows = {"orders": Scope.CREATED, "refunds": Scope.CHANGED, "order_origins": Scope.CHANGED}
    assert resource.scope is windows.get(resource.name, Scope.WHOLE)


moments = st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.sampled_from([BEIJING, timezone.utc]))


@given(moments, st.integers(1, 30 * 86_400))
def test_after_sales_are_asked_for_by_whole_days_of_their_last_change(begin: datetime, seconds: int) -> None:
    window = Window(begin, begin + timedelta(seconds=seconds))
    fields = REFUNDS.filters(window)
    assert {name: fields[name] for name in fields if name != "created_at"} == {
        "date_type": "updated_at",
        "sales_state": -1,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\|\|\d{4}-\d\d-\d\d", fields["created_at"])
    first, last = (datetime.fromisoformat(day).replace(tzinfo=BEIJING) for day in fields["created_at"].split("||"))
    day = timedelta(days=1)
    assert first <= window.begin < first + day
    assert last - day < window.end <= last, "whole even if the last day is not included, and no day more"


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("2026-11-01 00:00:00", "2026-11-02 00:00:00", "2026-11-01||2026-11-02"),
        ("2026-11-01 00:00:00", "2026-11-02 00:00:01", "2026-11-01||2026-11-03"),
        ("2026-11-01 23:59:59", "2026-11-02 00:00:00", "2026-11-01||2026-11-02"),
        ("2026-12-31 10:00:00", "2026-12-31 11:00:00", "2026-12-31||2027-01-01"),
    ],
)
def test_days_of_after_sales(begin: str, end: str, expected: str) -> None:
    window = Window(*(datetime.fromisoformat(text).replace(tzinfo=BEIJING) for text in (begin, end)))
    assert REFUNDS.filters(window)["created_at"] == expected


@given(moments, st.integers(1, 7 * 86_400))
def test_orders_are_asked_for_in_unix_seconds_oldest_first(begin: datetime, seconds: int) -> None:
    window = Window(begin, begin + timedelta(seconds=seconds))
    assert ORDERS.filters(window) == {
        "begin_time": int(window.begin.timestamp()) - 1,
        "end_time": int(window.end.timestamp()),
        "order_by": "created_at:asc",
    }


# --- cursors -------------------------------------------------------------------------------------------


def raws(*rows: str) -> list[msgspec.Raw]:
    return [msgspec.Raw(row.encode()) for row in rows]


def test_numbers_are_sent_from_one_and_need_no_cursor() -> None:
    assert Numbered("page").fields(1, None) == {"page": 1}
    assert Numbered("page_index").fields(7, {"id": 3}) == {"page_index": 7}
    assert Numbered("page").cursor(raws('{"page": 1}')) is None


def test_the_first_page_is_asked_for_without_a_cursor() -> None:
    assert Cursor("es_skip").fields(1, None) == {}
    assert Cursor("es_skip").fields(2, {"id": 3}) == {"es_skip": {"id": 3}}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (['{"es_skip":{"id":1}}', '{"es_skip":{"id":2,"user_created_at":3}}'], {"id": 2, "user_created_at": 3}),
        (['{"es_skip":{"id":1}}', '{"user_id":"u"}'], {"id": 1}),
        (['{"es_skip":{"id":1}}', '{"es_skip":null}', '{"es_skip":{}}', '{"es_skip":""}'], {"id": 1}),
        (['{"es_skip":{"id":1}}', "null", "[]", '"text"', "7"], {"id": 1}),
        (['{"es_skip":{"id":1}}', '{"es_skip":[' + "[" * 100_000 + "]" * 100_000 + "]}"], {"id": 1}),
        (['{"user_id":"u"}'], None),
        ([], None),
    ],
    ids=["last row", "last row lacks it", "blank ones", "no objects", "nested beyond reason", "nowhere", "no rows"],
)
def test_the_cursor_is_that_of_the_last_row_that_has_one(rows: list[str], expected: Any) -> None:
    assert Cursor("es_skip").cursor(raws(*rows)) == expected


# --- members and codes ---------------------------------------------------------------------------------


def test_members_name_columns_that_are_there() -> None:
    named = {member.table for resource in RESOURCES.values() for member in resource.members}
    assert named == {resource.table for resource in RESOURCES.values() if resource.has_inferred}
    for resource in RESOURCES.values():
        for member in resource.members:
            other = next(one for one in RESOURCES.values() if one.table == member.table)
            assert next(iter(member.columns)) == other.key
            assert set(member.columns) <= set(other.reader.columns)
            assert set(member.columns.values()) <= set(resource.reader.columns)


def test_only_real_rows_clear_the_mark_of_an_inferred_one() -> None:
    for resource in RESOURCES.values():
        cleared = re.findall(r"^\s+is_inferred = IF\(.*, 0, .*\)", merge_sql(resource.name), re.MULTILINE)
        assert len(cleared) == resource.has_inferred
        assert re.search(r"^\s+absent_since = IF\(.*, NULL, ", merge_sql(resource.name), re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aftersale_state", documented.AFTER_SALE_STATES),
        ("sale_type", documented.SALE_TYPES),
        ("sale_status", documented.SALE_STATUSES),
        ("alive_type", documented.ALIVE_TYPES),
        ("alive_state", documented.ALIVE_STATES),
        ("client_type", documented.CLIENT_TYPES),
        ("order_type", documented.ORDER_TYPES),
        ("sales_state", documented.SALES_STATES),
        ("after_sales_state", documented.AFTER_SALES_STATES),
        ("order_list_2_state", documented.ORDER_LIST_2_STATES),
        ("order_list_2_aftersale", documented.ORDER_LIST_2_AFTERSALES),
        ("order_list_2_channel", documented.ORDER_LIST_2_CHANNELS),
        ("order_list_2_close", documented.ORDER_LIST_2_CLOSES),
    ],
)
def test_texts_are_those_of_the_documentation(name: str, expected: dict[int, str]) -> None:
    """Both copies were typed from the documentation on their own."""
    assert codes.texts(name) == expected


def test_every_file_of_codes_is_used_and_every_text_is_chinese() -> None:
    used = [texts for resource in RESOURCES.values() for texts in resource.reader._code_texts.values()]
    for path in codes.CODES_DIR.glob("*.json"):
        texts = codes.texts(path.stem)
        assert texts in used, path.name
        assert all(re.search("[\u4e00-\u9fff]|^(QQ|PC|APP)$", text) for text in texts.values())


@pytest.mark.parametrize("name", ["client_type", "order_type", "after_sales_state"])
def test_texts_of_orders_are_those_of_the_table_in_the_documentation(name: str) -> None:
    page = (settings.INCLUDE_DIR.parent / "docs" / "xiaoe-api.md").read_text("utf-8")
    [line] = re.findall(rf"^\| `{name}` \| (.*) \|$", page, re.MULTILINE)
    found = re.findall(r"(\d+) ([^,;\[]+?)\**(?=[,;]| \[)", line)
    assert codes.texts(name) == {int(code): text for code, text in found}


def test_a_resource_is_changed_by_replacing_it() -> None:
    """Frozen: what one task changes, no other sees."""
    with pytest.raises(AttributeError):
        ORDERS.largest_page = 1  # type: ignore[misc]
    assert replace(ORDERS, largest_page=1).largest_page == 1

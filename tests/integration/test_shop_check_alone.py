"""The check of a shop: its questions by themselves, then whole checks of emulated shops, good and broken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from emulator.process import Emulator, running
from support.fixtures import shop_connection
from support.servers.wire import http, serving
from support.worlds.shop import APP_ID, CLIENT_ID, END, NOW, SECRET
from xiaoe import clock
from xiaoe.clock import BEIJING
from xiaoe.exceptions import XiaoeBusyError, XiaoeConfigError, XiaoeError
from xiaoe.resources.base import Resource
from xiaoe.resources.registry import RESOURCES
from xiaoe.shop_check import cassette, forms, loose, probes, reading, report, units
from xiaoe.shop_check.calls import Reply
from xiaoe.shop_check.command import check_shops
from xiaoe.shop_check.findings import Finding, Level, ShopCheck, ShopVerdict
from xiaoe.shop_check.runner import check_shop
from xiaoe.windows import Window

PACKAGE = Path(report.__file__).parent
ALWAYS_READ = {name for name, resource in RESOURCES.items() if resource.more is None}
TOLD = RESOURCES.keys() - {"learning_days", "learning_progress"}
"""Lists that tell a total."""
ORDERS, REFUNDS, USERS, PRODUCTS, LIVE, CHANGED, *_ = RESOURCES.values()
SHOP = f"{APP_ID}:{CLIENT_ID}:{SECRET}"
DAY = timedelta(days=1)


def reply(
    resource: Resource, *rows: Any, total: int | None = None, error: XiaoeError | None = None, **request: Any
) -> Reply:
    """What a call would have brought."""
    if error:
        return Reply(resource, request, 0.1, error=error)
    raws = [msgspec.Raw(cassette.encoded(row)) for row in rows]
    total = len(rows) if total is None else total
    body = cassette.encoded({"code": 0, "data": {resource.total_key: total, "list": raws}})
    return Reply(resource, request, 0.1, body, total, raws)


def orders(*keys: str, **more: Any) -> Reply:
    return reply(ORDERS, *({"order_id": key} for key in keys), **{"page_size": 2, **more})


def refused(code: int | None) -> XiaoeError:
    error = XiaoeBusyError("no")
    error.code = code
    return error


def keys(findings: Sequence[Finding | None]) -> list[str]:
    return [one.key for one in findings if one]


# --- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["2026-11-10 10:00:00", "2026-11-10T10:00:00.123", 1794276000, "1794276000", 1794276000000, "1794276000000"],
)
def test_a_time_is_understood_in_any_form(value: Any) -> None:
    assert loose.moment(value) == datetime(2026, 11, 10, 10, tzinfo=BEIJING)


@pytest.mark.parametrize("value", [None, "", "--", "0000-00-00 00:00:00", "soon", "2026-13-45 10:00:00", [], 10**30])
def test_what_is_no_time_is_none(value: Any) -> None:
    assert loose.moment(value) is None


@pytest.mark.parametrize(
    ("value", "kind", "form"),
    [
        (None, "time", "null"),
        (True, None, "boolean"),
        (7, "code", "integer"),
        (1794276000000, None, "integer of 13 digits"),
        (Decimal("1.50"), "yuan", "number with 2 decimals"),
        ("2026-11-10 10:00:00", "time", "text 9999-99-99 99:99:99"),
        ("0000-00-00 00:00:00", "time", 'text "0000-00-00 00:00:00"'),
        ("0000-00-00 张三", "time", "text 9999-99-99 字字"),
        ("支付成功", "code", 'text "支付成功"'),
        ("张三丰", "text", "text"),
        ("张三丰 138", None, "text 字字字 999"),
        ([{"b": 1, "张三": 2}], None, "list of object {b, …}"),
        ([], None, "empty list"),
        ("x" * 99, None, f"text {'a' * 32}…"),
    ],
)
def test_a_form_says_what_a_value_looks_like_and_not_what_it_is(value: Any, kind: str | None, form: str) -> None:
    assert forms.form(value, kind) == form


def test_fields_are_counted_with_what_is_missing_empty_and_not_stored() -> None:
    rows = [{"price": "1.00", "extra": 1}, {"price": None}, {"price": ""}, {}]
    price, extra = forms.field_reports(rows, {"price": "yuan"}, {"price": 1})
    assert (price.rows, price.missing, price.empty, price.refused) == (4, 1, 2, 1)
    assert dict(price.forms) == {"text 9.99": 1, "null": 1, 'text ""': 1}
    assert (extra.field, extra.kind, extra.missing) == ("extra", None, 3)


# --- windows and pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("around", "from_it", "up_to_it", "expected"),
    [
        (["a"], ["a"], ["a"], ["begin_included", "end_included"]),
        (["a"], ["b"], [], ["begin_excluded", "end_excluded"]),
        ([], ["a"], ["a"], ["window_wrong"]),
    ],
)
def test_whether_the_ends_of_a_window_are_included(
    around: list[str], from_it: list[str], up_to_it: list[str], expected: list[str]
) -> None:
    assert keys(probes.window_ends("a", orders(*around), orders(*from_it), orders(*up_to_it))) == expected


def test_a_window_that_is_not_answered_settles_nothing() -> None:
    found = probes.window_ends("a", orders("a"), orders("a"), orders(error=refused(1001)))
    assert keys(found) == ["begin_included", "end_unknown"]
    assert found[1].level is Level.UNKNOWN


@pytest.mark.parametrize(
    ("inside", "outside", "expected"),
    [
        (["a"], [], "order_id_bound"),
        (["a"], ["a"], "order_id_free"),
        (["a", "b"], ["a"], "order_id_ignored"),
        ([], ["a"], "order_id_ignored"),
    ],
)
def test_whether_order_id_is_bound_to_the_window(inside: list[str], outside: list[str], expected: str) -> None:
    assert probes.bound_to_window("a", orders(*inside), orders(*outside)).key == expected


@pytest.mark.parametrize(
    ("first", "larger", "key"),
    [
        (orders("a", "b", total=9), orders("a", "b", page_size=4, total=9), "page_size_capped"),
        (orders("a", "b", total=9), orders("a", "b", "c", page_size=4, total=9), "page_size_larger"),
        (orders("a", total=9), orders("a", page_size=4, total=9), "page_size_smaller"),
        (orders("a", "b", total=2), orders("a", "b", page_size=4, total=2), "page_size_unknown"),
        (orders("a", "b", total=9), orders(error=refused(1002), page_size=4), "page_size_refused"),
        (orders("a", "b", total=9), orders(error=refused(2054), page_size=4), "page_size_unknown"),
    ],
)
def test_how_many_rows_a_page_holds(first: Reply, larger: Reply, key: str) -> None:
    found = probes.page_size(first, larger)
    assert (found.key, found.level is Level.BAD) == (key, key == "page_size_smaller")


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (orders("c", "d"), "pages_meet"),
        (orders("b", "c"), "pages_overlap"),
        (orders("a", "b"), "page_repeats"),
        (orders("b", page_size=1), "pages_meet"),
        (orders(), None),
    ],
)
def test_whether_pages_go_on(second: Reply, expected: str | None) -> None:
    found = probes.next_page(orders("a", "b"), second)
    assert (found.key if found else None) == expected


def test_what_the_total_is_called() -> None:
    assert probes.total(orders("a")) == Finding(
        "total_named", resource="orders", facts={"names": ["total"], "expected": "total"}
    )
    assert probes.total(reply(USERS, {"user_id": "u"}, total=10_000)).level is Level.REMARK  # type: ignore[union-attr]
    other = Reply(ORDERS, {}, 0.1, b'{"code":0,"data":{"count":"3","list":[]}}', None, [])
    assert probes.total(other) == Finding(
        "total_missing", Level.BAD, "orders", {"names": ["count"], "expected": "total"}
    )
    assert probes.total(Reply(ORDERS, {}, 0.1, b'{"code":0,"data":[]}', None, [])) is None


def test_a_total_that_moves_and_rows_that_change_are_seen() -> None:
    assert keys(probes.steady(orders("a", total=3), orders("a", total=3))) == ["total_steady", "bytes_same"]
    changed = reply(ORDERS, {"order_id": "a", "x": 1}, total=4)
    assert keys(probes.steady(orders("a", total=3), changed)) == ["total_moved", "bytes_differ"]


@pytest.mark.parametrize(
    ("times", "key", "level"),
    [
        ((1, 2, 3), "order_ascending", Level.OK),
        ((3, 2, 1), "order_descending", Level.REMARK),
        ((1, 3, 2), "order_none", Level.REMARK),
        ((1, 1), "order_unknown", Level.UNKNOWN),
    ],
)
def test_in_which_order_orders_come(times: tuple[int, ...], key: str, level: Level) -> None:
    rows = [{"created_time": f"2026-11-0{day} 10:00:00"} for day in times]
    found = probes.order_of(reply(ORDERS, *rows), "created_time")
    assert (found.key, found.level) == (key, level)


def test_what_comes_behind_the_last_page() -> None:
    for data, shape in ((b"null", "data null"), (b"[]", "data empty list"), (b'{"list":null}', "list null")):
        found = probes.behind_the_end(Reply(ORDERS, {}, 0.1, b'{"code":0,"data":%b}' % data))
        assert found
        assert found.facts == {"form": shape}


def test_whether_the_last_day_of_a_range_is_included() -> None:
    with_it, without = reply(REFUNDS, {"aftersale_id": "a"}), reply(REFUNDS)
    assert probes.last_day("a", with_it, with_it).key == "last_day_included"
    assert probes.last_day("a", with_it, without).key == "last_day_excluded"
    assert probes.last_day("a", without, with_it).key == "last_day_unknown"


def test_whether_the_last_visit_has_to_be_asked_for() -> None:
    plain, visited = reply(USERS, {"user_id": "u"}), reply(USERS, {"user_id": "u", "latest_visited_at": 0})
    assert probes.visited(plain, visited).key == "visited_on_request"
    assert probes.visited(visited, visited).key == "visited_always"
    assert probes.visited(plain, plain).key == "visited_never"


def test_an_address_is_found_in_what_the_api_says() -> None:
    assert probes.address("code 2051: ip 203.0.113.7 is not allowed") == "203.0.113.7"
    assert probes.address("code 2051: not allowed") is None


# --- units ---------------------------------------------------------------------------------------------


def sold(price: Any, *, off: Any = 0, count: int = 1) -> dict[str, Any]:
    return {"resource_id": "v", "price": price, "count": count, "discount_price": off, "coupon_price": 0}


PRODUCT = [{"resource_id": "v", "price_low": "19900"}]


@pytest.mark.parametrize(
    ("rows", "key", "level"),
    [
        ([sold("199.00"), sold(398, count=2), sold(77)], "price_yuan", Level.OK),
        ([sold(19900), sold("39800", count=2)], "price_fen", Level.BAD),
        ([sold(199), sold(19900)], "price_unit_unknown", Level.UNKNOWN),
        ([sold(149, off=5000)], "price_unit_unknown", Level.UNKNOWN),
        ([], "price_unit_unknown", Level.UNKNOWN),
    ],
)
def test_the_unit_of_prices_by_those_of_products(rows: list[dict[str, Any]], key: str, level: Level) -> None:
    found = units.order_price(rows, PRODUCT)
    assert (found.key, found.level) == (key, level)


def test_the_unit_of_discounts_by_what_is_missing_to_the_price() -> None:
    assert units.discount([sold("149.00", off=5000)], PRODUCT).key == "discount_fen"
    assert units.discount([sold("149.00", off=50)], PRODUCT).key == "discount_yuan"


def test_discounts_add_up() -> None:
    parts = [{"discount_price": 300}, {"discount_price": "200"}]
    assert units.discount_parts([{"discount_price": 500, "discount_data": parts}]).key == "discount_parts_agree"
    assert units.discount_parts([{"discount_price": 400, "discount_data": parts}]).key == "discount_parts_differ"
    assert units.discount_parts([{"discount_price": 400, "discount_data": []}]).key == "discount_parts_unknown"


@pytest.mark.parametrize(
    ("told", "key"), [("298.00", "pay_sum_yuan"), (29800, "pay_sum_fen"), (5, "pay_sum_unit_unknown")]
)
def test_the_unit_of_pay_sum_by_the_orders_of_a_buyer(told: Any, key: str) -> None:
    bought = [{"price": "199.00", "paid": 1}, {"price": 99, "paid": 1}, {"price": 7, "paid": 0}]
    assert units.pay_sum([(told, bought)], lambda row: bool(row["paid"])).key == key


# --- rows ----------------------------------------------------------------------------------------------


def judge(*rows: Any) -> tuple[reading.Reading, list[Finding]]:
    found = reading.read(ORDERS, [msgspec.Raw(cassette.encoded(row)) for row in rows])
    return found, probes.readable(ORDERS, found, [], [])


def test_a_row_that_cannot_be_read_is_blamed_on_its_fields() -> None:
    good, bad = {"order_id": "a", "price": "1"}, {"order_id": "b", "price": "abc", "order_state": 1}
    found, [refused, unreadable] = judge(good, bad, {**bad, "order_id": "c"}, "no object")
    assert (found.fields, found.blamed) == ({"price": 2}, {reading.NO_OBJECT: 1})
    assert (refused.level, unreadable.level) == (Level.REMARK, Level.BAD)
    assert "abc" not in f"{refused}{unreadable}"


def test_a_row_that_is_refused_hides_no_field_that_is_broken_in_the_others() -> None:
    """As nobody would adapt a mapping that the check calls a remark."""
    rows = [{"order_id": f"o{number}", "price": "abc"} for number in range(150)]
    _, findings = judge({"price": "1"}, *rows)
    assert [(one.key, one.level) for one in findings] == [
        ("rows_refused", Level.REMARK), ("fields_unreadable", Level.BAD),
    ]  # fmt: skip


def test_a_row_without_a_key_is_blamed_on_it() -> None:
    found, _ = judge({"price": "1"})
    assert (found.refused, found.blamed) == (1, {"order_id": 1})


def test_the_only_row_stands_for_all() -> None:
    _, [finding] = judge({"order_id": "b", "price": "abc"})
    assert finding.level is Level.BAD


def test_one_odd_row_of_two_is_a_remark() -> None:
    _, [finding] = judge({"order_id": "a", "price": "1"}, {"order_id": "b", "price": "abc"})
    assert finding.level is Level.REMARK


def test_one_odd_row_of_many_is_a_remark() -> None:
    _, [finding] = judge({"price": "1"}, *({"order_id": f"o{number}"} for number in range(150)))
    assert finding.level is Level.REMARK


# --- the report ----------------------------------------------------------------------------------------


def whole(*findings: Finding) -> ShopCheck:
    return ShopCheck("c", "app1", datetime(2026, 11, 20, tzinfo=BEIJING), 40, 8.5, findings)


def test_the_verdict_is_that_of_the_worst_finding() -> None:
    ok, unknown = Finding("rows_fit", resource="orders"), Finding("clock_unknown", Level.UNKNOWN)
    remark, bad = Finding("pages_overlap", Level.REMARK, "users"), Finding("forbidden", Level.BAD, "refunds")
    assert whole(ok, unknown).verdict is ShopVerdict.FITS
    assert whole(ok, remark).verdict is ShopVerdict.REMARKS
    assert (whole(bad, remark).verdict, whole(bad, remark).wrong_tables) == (ShopVerdict.UNFIT, ["refunds"])


def leaves() -> list[tuple[str, dict[str, str]]]:
    return [(f"{group}.{key}", text) for group, texts in report.all_texts().items() for key, text in texts.items()]


@pytest.mark.parametrize(("key", "texts"), leaves(), ids=[key for key, _ in leaves()])
def test_every_text_is_there_in_both_languages(key: str, texts: dict[str, str]) -> None:
    assert set(texts) == {"zh", "en"}
    places = [sorted(re.findall(r"\{(\w+)\}", texts[language])) for language in ("zh", "en")]
    assert places[0] == places[1] or key == "report.field_head"
    assert re.search("[\u4e00-\u9fff]", texts["zh"])


def test_no_text_is_unused_and_every_finding_has_one() -> None:
    code = "".join(file.read_text("utf-8") for file in PACKAGE.glob("*.py"))
    texts = report.all_texts()["findings"]
    made = {"begin", "end", "order_id", "last_day", "price", "discount", "pay_sum"}
    unused = [key for key in texts if f'"{key}"' not in code and not any(key.startswith(f"{one}_") for one in made)]
    assert unused == []
    named = set(re.findall(r'Finding\(\s*"(\w+)"', code)) | set(re.findall(r'"((?:order|ip|token|page)_\w+)"', code))
    assert {one for one in named if one not in texts} <= {"order_id", "order_type", "order_by", "page_index",
                                                          "page_size", "order_price"}  # fmt: skip


def test_files_hold_no_address_and_no_quoted_message() -> None:
    check = whole(
        Finding("token_refused", Level.BAD, facts={"code": 2051, "message": "ip 203.0.113.7 not allowed"}),
        Finding("ip_told", Level.BAD, facts={"ip": "203.0.113.7"}),
    )
    assert any("203.0.113.7" in line for line in report.lines(check, "zh"))
    for content in (report.as_json(check).decode(), report.as_markdown(check, "zh"), report.as_markdown(check, "en")):
        assert "203.0.113.7" not in content
        assert "app1" not in content


def test_what_another_version_found_is_left_out() -> None:
    found = [Finding("pages_overlap", Level.REMARK, "users", {"rows": 3}).plain(), {"key": "new", "level": "bad"}]
    assert report.remarks(json.dumps(found), "zh") == ["! 用户：第二页有 3 行与第一页重复"]
    assert report.remarks("no JSON", "zh") == []


# --- whole checks --------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def before_a_warehouse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No database at all, and the shop's time as the emulator has it."""
    monkeypatch.setenv("XIAOE_MYSQL_CONN_ID", "not_set_up_yet")
    monkeypatch.setenv("XIAOE_EXPORT_DIR", f"file://{tmp_path}/exports")
    monkeypatch.setattr(clock, "now", lambda: END)


@pytest.fixture(scope="module")
def busy() -> Iterator[Emulator]:
    """A shop with some 400 orders a week, whose windows are open at both ends."""
    with running(
        orders=10_000, start="2026-06-01", now=NOW, frozen=True, seed=7, shop=[SHOP],
        begin_exclusive=True, end_exclusive=True, order_id_window="ignored",
    ) as emulator:  # fmt: skip
        yield emulator


def levels(check: ShopCheck) -> Mapping[str, Level]:
    return {one.key: one.level for one in check.findings}


def test_a_good_shop_is_checked_in_about_forty_calls_that_only_read(api: Emulator) -> None:
    before: Any = api.stats()["calls"]
    check, replies = check_shop("xiaoe_default")
    assert (check.verdict is not ShopVerdict.UNFIT, check.wrong_tables) == (True, [])
    after: Any = api.stats()["calls"]
    assert check.calls == sum(after.values()) - sum(before.values())
    assert 25 <= check.calls <= 60
    assert {one.resource.endpoint.rpartition("/")[0].rpartition(".")[2] for one in replies} <= {
        "get",
        "list",
        "sub_customer",
    }
    assert [one for one in check.findings if one.key in ("forbidden", "not_answered", "token_refused")] == []
    granted = {one.resource: one.facts["total"] for one in check.findings if one.key == "granted"}
    assert granted.keys() == TOLD
    assert all(granted.values())
    untold = {one.resource for one in check.findings if one.key == "granted_no_total"}
    assert untold == RESOURCES.keys() - TOLD


def test_it_settles_how_the_window_works(api: Emulator) -> None:
    found = levels(check_shop("xiaoe_default")[0])
    assert {"begin_included", "end_included", "order_id_bound", "last_day_included", "order_ascending"} <= found.keys()
    assert {"price_yuan", "discount_parts_agree"} <= found.keys()


def test_it_settles_the_same_where_the_api_works_otherwise(busy: Emulator, connect: Callable[..., None]) -> None:
    connect(busy)
    found = levels(check_shop("xiaoe_default")[0])
    assert {"begin_excluded", "end_excluded", "order_id_free"} <= found.keys()
    assert {"page_size_capped", "pages_meet", "total_steady", "bytes_same"} <= found.keys()


def test_an_interface_without_permission_is_named_and_the_others_are_checked(connect: Callable[..., None]) -> None:
    denied = "xe.ecommerce.after_sale.list/1.0.0"
    with running(orders=300, start="2026-11-01", now=NOW, frozen=True, shop=[SHOP], deny=[denied]) as emulator:
        connect(emulator)
        check, _ = check_shop("xiaoe_default")
    assert check.verdict is ShopVerdict.UNFIT
    assert "refunds" in check.wrong_tables
    [line] = [line for line in report.lines(check, "zh") if denied in line]
    assert "开通" in line
    assert {one.resource for one in check.findings if one.key == "granted"} == TOLD - {"refunds"}


@pytest.mark.parametrize("wanted", ["", "promoters"])
def test_a_shop_without_the_further_lists_is_fit(
    connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    """Not worth a remark, unless they are to be read."""
    monkeypatch.setenv("XIAOE_MORE_LISTS", wanted)
    denied = [resource.endpoint.strip("/") for resource in RESOURCES.values() if resource.more]
    with running(orders=300, start="2026-11-01", now=NOW, frozen=True, shop=[SHOP], deny=denied) as emulator:
        connect(emulator)
        check, _ = check_shop("xiaoe_default")
    assert check.verdict is not ShopVerdict.UNFIT
    assert check.wrong_tables == []
    found = {one.resource: one.level for one in check.findings if one.key == "more_not_granted"}
    assert found.keys() == RESOURCES.keys() - ALWAYS_READ - {"promoter_customers"}, "no promoter is known to ask for"
    assert {name for name, level in found.items() if level is Level.REMARK} == (
        {"promoters", "order_promoters"} if wanted else set()
    )
    [line] = [line for line in report.lines(check, "zh") if "xe.distributor.list.get/1.0.0" in line]
    assert "XIAOE_MORE_LISTS" in line


def test_a_wrong_secret_says_which_field(api: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {**json.loads(shop_connection(api.url)), "password": "not-the-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", json.dumps(wrong))
    check, replies = check_shop("xiaoe_default")
    shown = "\n".join([*report.lines(check, "zh"), *report.lines(check, "en")])
    assert (check.verdict, check.wrong_tables, replies) == (ShopVerdict.UNFIT, [], [])
    assert "密钥不正确" in shown
    assert "the secret is wrong" in shown
    assert "not-the-secret" not in shown


def test_an_address_that_is_not_listed_is_told(connect: Callable[..., None]) -> None:
    with running(orders=1, now=NOW, frozen=True, shop=[SHOP], ip_whitelist="203.0.113.9") as emulator:
        connect(emulator)
        check, _ = check_shop("xiaoe_default")
    assert check.verdict is ShopVerdict.UNFIT
    [told] = [one for one in check.findings if one.key == "ip_told"]
    assert told.facts == {"ip": "127.0.0.1"}


def test_a_clock_that_is_off_is_told_and_the_rest_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    late = clock.machine_now() + timedelta(hours=2)
    empty = b'{"code":0,"data":{"access_token":"xe_1","expires_in":7200,"total":0,"row_count":0,"list":[]}}'
    with serving() as wire:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(wire.url))
        wire.answer = lambda seen: http("200 OK", empty, f"Date: {late:%a, %d %b %Y %H:%M:%S} GMT")
        check, _ = check_shop("xiaoe_default")
    [off] = [one for one in check.findings if one.key == "clock_off"]
    assert off.level is Level.BAD
    assert 7000 < off.facts["seconds"] <= 7200
    assert {one.resource for one in check.findings if one.key == "granted"} == ALWAYS_READ | {"promoters"}


def test_an_empty_shop_fits_and_leaves_questions_open(monkeypatch: pytest.MonkeyPatch) -> None:
    token = b'{"code":0,"data":{"access_token":"xe_1","expires_in":7200}}'
    with serving() as wire:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(wire.url))
        wire.answer = lambda seen: http("200 OK", token if "/token?" in seen.path else b'{"code":0,"data":[]}')
        check, _ = check_shop("xiaoe_default")
    assert check.verdict is ShopVerdict.FITS
    assert {"shop_without_orders", "no_rows", "price_unit_unknown"} <= levels(check).keys()


def test_a_shop_out_of_reach_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection("http://127.0.0.1:1"))
    check, _ = check_shop("xiaoe_default")
    assert keys(check.findings) == ["token_refused"]


def test_a_connection_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_CONN_IDS", "nowhere")
    with pytest.raises(XiaoeConfigError, match="AIRFLOW_CONN_NOWHERE"):
        check_shops("zh")


def test_the_command_keeps_files_without_a_warehouse(api: Emulator, tmp_path: Path) -> None:
    said: list[str] = []
    fits = check_shops("en", record=True, say=said.append)
    files = {path.suffix: path.read_text("utf-8") for path in (tmp_path / "exports").iterdir()}
    assert files.keys() == {".json", ".md", ".jsonl"}
    assert fits == ('"does_not_fit"' not in files[".json"])
    assert any(line.startswith("Not kept in the warehouse") for line in said)
    assert not any(word in text for text in files.values() for word in (APP_ID, CLIENT_ID, SECRET))


def test_files_and_recordings_of_a_shop_hold_no_value_of_a_person(api: Emulator, tmp_path: Path) -> None:
    """Of every column that may be masked, and every id: no value that the emulator sent."""
    _, replies = check_shop("xiaoe_default")
    check_shops("zh", record=True, say=lambda _: None)
    kept = "".join(path.read_text("utf-8") for path in (tmp_path / "exports").iterdir())
    ids = {"order_id", "user_id", "aftersale_id", "transaction_id", "out_order_id", "title", "goods_name"}
    personal = ids | {
        resource.reader.mapping[column][0] for resource in RESOURCES.values() for column in resource.personal
    }
    sent = {
        str(value) for one in replies for row in one.rows for field, value in row.items() if field in personal and value
    }
    written = {json.dumps(value, ensure_ascii=False)[1:-1] for value in sent if says_something(value)}
    assert len(written) > 500
    assert [value for value in written if value in kept] == []


def says_something(value: str) -> bool:
    """Whether a value is long enough not to stand in a replacement by chance; of a name, two characters are."""
    letters = [one for one in value if one.isalnum()]
    return len(letters) >= 6 or (len(letters) >= 2 and not any(map(str.isascii, letters)))


@pytest.mark.parametrize("hints", ["", "list"])
def test_the_list_of_changed_orders_is_needed_where_hints_come_from_it(
    connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch, hints: str
) -> None:
    monkeypatch.setenv("XIAOE_HINTS", hints)
    denied = "xe.ecommerce.order.list/1.0.0"
    with running(orders=300, start="2026-11-01", now=NOW, frozen=True, shop=[SHOP], deny=[denied]) as emulator:
        connect(emulator)
        check, _ = check_shop("xiaoe_default")
    assert ("order_origins" in check.wrong_tables) == bool(hints)
    [line] = [line for line in report.lines(check, "zh") if denied in line]
    assert "开通" in line
    assert ("不影响现有同步" in line) == (not hints)


def test_a_filter_by_the_last_change_that_does_nothing_is_told() -> None:
    window = Window(datetime(2026, 11, 13, tzinfo=BEIJING), datetime(2026, 11, 20, tzinfo=BEIJING))
    inside = {"order_info": {"order_id": "o_1", "update_time": "2026-11-15 10:00:00"}}
    outside = {"order_info": {"order_id": "o_2", "update_time": "2026-10-15 10:00:00"}}
    odd = {"order_info": {"order_id": "o_3", "update_time": "yesterday"}}  # nobody knows where that lies
    lists = ([inside], [inside, outside], [inside, odd], [odd], [])
    found = [probes.filters_by_change(reply(CHANGED, *rows), window) for rows in lists]
    assert keys(found) == ["change_filter_works", "change_filter_ignored", "change_filter_works"]
    assert [one.facts for one in found if one] == [
        {"rows": 1, "outside": 0}, {"rows": 2, "outside": 1}, {"rows": 1, "outside": 0},
    ]  # fmt: skip

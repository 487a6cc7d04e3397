"""Recorded answers: nothing of a person survives, and every recording can be read and served again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.worlds.shop import APP_ID, END
from xiaoe import clock
from xiaoe.api.hook import XiaoeHook
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.resources.base import Resource
from xiaoe.resources.registry import RESOURCES
from xiaoe.shop_check import cassette, reading, replay
from xiaoe.shop_check.anonymise import Anonymiser
from xiaoe.shop_check.calls import Reply
from xiaoe.shop_check.cassette import Cassette
from xiaoe.shop_check.findings import ShopVerdict
from xiaoe.shop_check.runner import check_shop

FOLDER = Path(__file__).parents[1] / "cassettes"
FILES = sorted(FOLDER.glob("*.jsonl"))
WITHOUT_KEY = {("documentation-samples", "orders"): 1}
"""Elements that are no rows: they have no key."""
KEY = b"the same in every run"

PERSON: dict[str, Any] = {
    "order_id": "o_1763000001_secretorder",
    "user_id": "u_secretuser_9x8y7z",
    "receiver_name": "欧阳修竹",
    "receiver_phone": "13987654321",
    "receiver_detail": "浙江省杭州市西湖区文三路 478 号 3-201",
    "system_info": json.dumps({"ip": "203.0.113.77", "ua": "SecretPhone"}),
    "transaction_id": 4200002612345678901,
    "out_order_id": 123456,
    "title": "私教课：欧阳修竹专属",
    "price": "199.00",
    "coupon_price": 500,
    "order_state": 1,
    "created_time": "2026-11-10 10:00:00",
    "pay_time": "0000-00-00 00:00:00",
    "settle_time": "--",
    "order_type": [2, 30],
    "discount_data": [{"discount_name": "老学员欧阳", "discount_type": 3, "discount_price": 500}],
    "trade_ext": {"mobile": 13987654322, "place": Decimal("30.274151"), "scene": 12, "at": 1763000000},
    "u_13987654323": {"x": "secret-in-a-key"},
}
PLAIN = {"price", "coupon_price", "order_state", "created_time", "pay_time", "settle_time", "order_type"}
SECRETS = (
    "o_1763000001_secretorder", "u_secretuser_9x8y7z", "secretorder", "欧阳", "修竹", "13987654321", "13987654322",
    "13987654323", "文三路", "478 号", "203.0.113.77", "SecretPhone", "4200002612345678901", "123456", "私教课",
    "老学员", "30.274151", "secret-in-a-key",
)  # fmt: skip


@pytest.fixture
def anonymiser() -> Anonymiser:
    return Anonymiser(cassette.kinds_of_all(), KEY)


def reply(resource: Resource, *rows: dict[str, Any], **request: Any) -> Reply:
    raws = [msgspec.Raw(cassette.encoded(row)) for row in rows]
    body = cassette.encoded({"code": 0, "msg": "ok", "data": {resource.total_key: len(rows), "list": raws}})
    return Reply(resource, request, 0.1, body, len(rows), raws)


# --- nothing of a person survives ----------------------------------------------------------------------


def test_no_value_of_a_person_survives(anonymiser: Anonymiser) -> None:
    held = cassette.encoded(anonymiser.value(PERSON)).decode()
    assert [secret for secret in SECRETS if secret in held] == []


def test_codes_money_times_and_blanks_stay(anonymiser: Anonymiser) -> None:
    hidden = anonymiser.value(PERSON)
    assert {name: hidden[name] for name in PLAIN} == {name: PERSON[name] for name in PLAIN}
    assert hidden["discount_data"][0]["discount_price"] == 500
    assert (hidden["trade_ext"]["scene"], hidden["trade_ext"]["at"]) == (12, 1763000000)


def test_shapes_and_lengths_stay(anonymiser: Anonymiser) -> None:
    hidden = anonymiser.value(PERSON)
    for name in ("order_id", "user_id", "receiver_name", "receiver_phone", "receiver_detail", "system_info", "title"):
        assert len(hidden[name]) == len(PERSON[name])
    assert hidden["order_id"].startswith("o_")
    assert hidden["receiver_phone"].startswith("100"), "no phone's number begins like this"
    assert hidden["receiver_detail"][16:17] == " "
    assert len(str(hidden["transaction_id"])) == 19
    assert isinstance(hidden["trade_ext"]["place"], Decimal)


def test_the_same_value_is_replaced_alike_wherever_it_stands(anonymiser: Anonymiser) -> None:
    order = anonymiser.value({"user_id": "u_secretuser", "order_id": 987654321012})
    after_sale = anonymiser.value({"order_id": "987654321012", "nick_name": "u_secretuser"})
    assert after_sale == {"order_id": str(order["order_id"]), "nick_name": order["user_id"]}


def test_different_values_stay_different(anonymiser: Anonymiser) -> None:
    names = [f"{first}{second}" for first in "赵钱孙李周吴郑王" for second in "伟芳娜敏静"]
    assert len({anonymiser.text(name) for name in names}) == len(names)


@pytest.mark.parametrize("field", ["price", "created_time", "order_state", "begin_time", "coupon_price", "from"])
@pytest.mark.parametrize("value", ["13987654321", "张三丰的收货地址在杭州", "secret word of a person"])
def test_what_stands_in_a_field_of_numbers_is_looked_at(anonymiser: Anonymiser, field: str, value: str) -> None:
    assert anonymiser.value({field: value})[field] != value


def test_a_null_time_with_more_behind_it_is_no_null_time(anonymiser: Anonymiser) -> None:
    assert "张三" not in anonymiser.value({"pay_time": "0000-00-00 张三"})["pay_time"]


def test_a_recording_holds_nothing_of_a_person(tmp_path: Path) -> None:
    orders = RESOURCES["orders"]
    replies = [reply(orders, PERSON, order_id=PERSON["order_id"], begin_time=1763000000, order_by="created_at:asc")]
    content = cassette.to_bytes(cassette.record(replies, "a test")).decode()
    assert [secret for secret in SECRETS if secret in content] == []
    [call] = cassette.from_bytes(content.encode(), "x").calls
    [row] = cassette.rows_of(call.answer)
    assert call.request["order_id"] == row["order_id"]
    assert (call.request["begin_time"], call.request["order_by"]) == (1763000000, "created_at:asc")


def test_numbers_keep_every_digit() -> None:
    row = {**PERSON, "price": Decimal("199.99000000000001")}
    content = cassette.to_bytes(cassette.record([reply(RESOURCES["orders"], row)], "a test"))
    assert b'"price":199.99000000000001,' in content
    [held] = cassette.from_bytes(content, "x").rows("xe.order.list.get/1.0.1")
    assert held["price"] == row["price"]


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"format":99,"about":""}', b'{"format":1,"about":""}\n{"x":1}']
)
def test_another_file_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(XiaoeConfigError, match=r"CASSETTE=some\.jsonl"):
        cassette.from_bytes(content, "some.jsonl")


# --- every recording -----------------------------------------------------------------------------------


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def recording(request: pytest.FixtureRequest) -> tuple[str, Cassette]:
    file: Path = request.param
    return file.stem, cassette.from_bytes(file.read_bytes(), file.name)


@pytest.fixture
def served(recording: tuple[str, Cassette], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Cassette]]:
    """A recording as the shop that `xiaoe_default` names, before there is a warehouse."""
    monkeypatch.setenv("XIAOE_MYSQL_CONN_ID", "not_set_up_yet")
    monkeypatch.setattr(clock, "now", lambda: END)
    with replay.serving(recording[1]) as url:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", replay.connection(url))
        yield recording


def test_there_are_recordings() -> None:
    assert len(FILES) >= 3


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=list(RESOURCES))
def test_every_row_of_every_recording_has_its_key(recording: tuple[str, Cassette], resource: Resource) -> None:
    name, held = recording
    rows = held.rows(resource.endpoint.strip("/"))
    keys = resource.reader.keys([msgspec.Raw(cassette.encoded(row)) for row in rows])
    assert keys.count(None) == WITHOUT_KEY.get((name, resource.name), 0)


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=list(RESOURCES))
def test_every_row_of_every_recording_is_typed_or_blamed_on_a_field(
    recording: tuple[str, Cassette], resource: Resource
) -> None:
    rows = recording[1].rows(resource.endpoint.strip("/"))
    found = reading.read(resource, [msgspec.Raw(cassette.encoded(row)) for row in rows])
    assert len(found.typed) + found.refused == len(rows)
    assert reading.NO_OBJECT not in found.fields
    assert found.fields.keys() <= resource_fields(resource)
    assert bool(found.refused) <= bool(found.fields)


def resource_fields(resource: Resource) -> set[str]:
    return {field for field, _ in resource.reader.mapping.values()}


def test_a_recording_holds_no_name_of_a_shop(recording: tuple[str, Cassette]) -> None:
    assert APP_ID not in cassette.to_bytes(recording[1]).decode()


def test_every_recording_can_be_served_and_checked(served: tuple[str, Cassette]) -> None:
    name, held = served
    check, replies = check_shop("xiaoe_default")
    assert check.verdict in ShopVerdict
    assert replies
    for resource in RESOURCES.values():
        expected = {cassette.encoded(row) for row in held.rows(resource.endpoint.strip("/"))}
        read = {bytes(raw) for one in replies if one.resource is resource for raw in one.raws}
        assert read == expected, resource.name
    forbidden = [one.resource for one in check.findings if one.key == "forbidden"]
    assert forbidden == (["live_streams"] if name == "words-and-numbers" else [])


def test_a_recording_of_a_recording_has_the_same_shapes(served: tuple[str, Cassette]) -> None:
    first, replies = check_shop("xiaoe_default")
    again = cassette.from_bytes(cassette.to_bytes(cassette.record(replies, "again")), "again")
    with pytest.MonkeyPatch.context() as monkeypatch, replay.serving(again) as url:
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", replay.connection(url))
        second, _ = check_shop("xiaoe_default")
    assert second.fields == first.fields
    assert {one.key for one in second.findings} == {one.key for one in first.findings}


# --- the stand-in shop ---------------------------------------------------------------------------------


def shop_of(*rows: dict[str, Any], resource: str = "orders") -> replay.ReplayedShop:
    return replay.ReplayedShop(cassette.record([reply(RESOURCES[resource], *rows)], "x", KEY))


def orders_at(*times: Any) -> list[dict[str, Any]]:
    return [{"order_id": f"o_{number}abcdef", "created_time": time} for number, time in enumerate(times)]


def test_windows_are_served_with_both_ends() -> None:
    shop = shop_of(*orders_at("2026-11-10 10:00:00", 1794276060, "no time at all", "2026-11-10 10:02:00"))
    for begin, end, expected in ((0, 120, 4), (0, 0, 1), (60, 60, 2), (61, 119, 0)):
        request = {"begin_time": 1794276000 + begin, "end_time": 1794276000 + end, "page_size": 200}
        assert shop.answer("xe.order.list.get/1.0.1", request)["data"]["total"] == expected


def test_pages_are_served_by_number_and_by_cursor() -> None:
    orders = shop_of(*orders_at(*["2026-11-10 10:00:00"] * 5))
    pages = [
        orders.answer("xe.order.list.get/1.0.1", {"page_index": index, "page_size": 2})["data"]["list"]
        for index in (1, 2, 3, 4)
    ]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    rows = [{"user_id": f"u_{n}xyzabc", "es_skip": {"id": f"u_{n}xyzabc", "user_created_at": n}} for n in range(3)]
    users = shop_of(*rows, resource="users")
    first = users.answer("xe.user.batch.get/2.0.0", {"page_size": 2})["data"]["list"]
    second = users.answer("xe.user.batch.get/2.0.0", {"page_size": 2, "es_skip": first[-1]["es_skip"]})["data"]["list"]
    assert len({row["user_id"] for row in first + second}) == 3
    assert users.answer("xe.user.batch.get/2.0.0", {"es_skip": second[-1]["es_skip"]})["data"]["list"] == []


def test_an_unknown_interface_is_told_as_such() -> None:
    assert shop_of().answer("xe.something/1.0.0", {})["code"] == 2052


def test_the_hook_reads_a_recording_as_a_shop(served: tuple[str, Cassette]) -> None:
    assert XiaoeHook().test_connection()[0]

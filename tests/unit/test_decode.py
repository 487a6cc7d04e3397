r"""Rows: one raw order becomes one tuple or one reason; hashes; the way of a tuple through LOAD DATA."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from emulator import codes as documented
from support.strategies import texts
from xiaoe.mysql.load_data import NULL, tsv, tsv_column
from xiaoe.resources import orders
from xiaoe.resources.base import Resource
from xiaoe.resources.live_streams import LIVE_STREAMS
from xiaoe.resources.orders import ORDERS
from xiaoe.resources.products import PRODUCTS
from xiaoe.resources.refunds import REFUNDS
from xiaoe.resources.registry import RESOURCES
from xiaoe.resources.users import USERS
from xiaoe.rows import codes, values
from xiaoe.rows.decode import Row, RowError, RowReader, row_hash
from xiaoe.rows.masking import Forms, hashed, masked
from xiaoe.rows.problems import Problem

READER = ORDERS.reader
FIELDS = sorted({field for field, _ in orders.MAPPING.values()})

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "--", "0000-00-00 00:00:00", "2025-01-01 08:00:00", "12.30", "7", "1_0", "1e5"]),
    st.text(max_size=8),
)
raw_orders = st.dictionaries(
    st.sampled_from(FIELDS) | st.text(max_size=8),
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)),
)


def raw(**fields: Any) -> bytes:
    return json.dumps({"order_id": "o1", **fields}, ensure_ascii=False).encode()


def typed(**fields: Any) -> dict[str, Any]:
    return dict(zip(READER.columns, READER.row(raw(**fields)), strict=True))


# --- typing one row ------------------------------------------------------------------------------------


@given(raw_orders, st.booleans())
def test_every_json_object_becomes_a_row_or_a_reason(fields: dict[str, Any], escaped: bool) -> None:
    data = json.dumps(fields, ensure_ascii=escaped).encode()
    try:
        row = READER.row(data)
    except RowError:
        return
    assert len(row) == len(READER.columns)
    assert row[0] == READER.key(data) == str(fields["order_id"])


@given(st.binary(max_size=40) | st.recursive(scalars, st.lists).map(lambda value: json.dumps(value).encode()))
def test_bytes_that_are_no_object_have_no_key_and_a_reason(data: bytes) -> None:
    if data.lstrip()[:1] != b"{":
        assert READER.key(data) is None
        with pytest.raises(RowError):
            READER.row(data)


@given(
    st.fixed_dictionaries({field: st.integers(0, 10**6) for field in ("price", "refund_money", "order_state", "count")})
)
def test_numbers_as_ints_or_strings_give_the_same_row(fields: dict[str, int]) -> None:
    jittered = {name: str(value) for name, value in fields.items()}
    assert READER.row(raw(**fields)) == READER.row(raw(**jittered))
    assert row_hash(READER.row(raw(**fields))) == row_hash(READER.row(raw(**jittered)))


@given(st.decimals(0, 10**8, places=2))
def test_a_price_in_the_json_number_keeps_every_digit(price: Decimal) -> None:
    """A float would make 0.1 + 0.2 of it somewhere."""
    data = b'{"order_id":"o1","price":%s}' % str(price).encode()
    assert Decimal(READER.row(data)[READER.columns.index("price")]) == price


def test_units_are_mixed_in_and_yuan_out() -> None:
    row = typed(price="199.9", coupon_price=1000, refund_money="19990", title="A\tB\n", count="2", order_state="3")
    assert (row["price"], row["coupon_price"], row["refund_money"]) == ("199.90", "10.00", "199.90")
    assert (row["title"], row["quantity"], row["order_state"], row["order_state_text"]) == ("A\tB\n", 2, 3, "已退款")


def test_missing_and_null_fields_are_null_and_unknown_ones_are_ignored() -> None:
    assert {name: value for name, value in typed(trade_ext={"a": [1]}, pay_time=None).items() if value is not None} == {
        "order_id": "o1"
    }


@pytest.mark.parametrize("key", [None, "", "  ", True, 1.5, [], {}, "x" * 129])
def test_a_row_without_a_usable_key_has_none(key: Any) -> None:
    data = json.dumps({"order_id": key}).encode()
    assert READER.key(data) is None
    with pytest.raises(RowError, match=r"^order_id"):
        READER.row(data)


def problems_of(data: bytes, of: RowReader = READER) -> list[Problem]:
    return of.read([data]).problems.get(0, [])


def test_a_problem_names_the_field_the_value_its_shape_and_why() -> None:
    assert problems_of(raw(refund_money=1.5, pay_time="2026-05 周五 9PM")) == [
        Problem("refund_money", "refund_money", "1.5", "number 9.9", "fen are whole numbers"),
        Problem(
            "pay_time", "pay_time", "2026-05 周五 9PM", "text 9999-99 字字 9aa", "not a time, e.g. 2025-01-31 08:30:00"
        ),
    ]
    [large] = problems_of(raw(price="9" * 5000))
    assert large.value == "9" * 200
    assert len(large.shape) < 50


def test_a_field_that_cannot_be_read_costs_neither_its_row_nor_the_others() -> None:
    good, odd, odder = (
        raw(title="a", price="1"),
        raw(title="b", price="free", count=[2]),
        raw(order_state="坏", count=3),
    )
    rows, problems = READER.read([good, odd, good, odder])
    named = [dict(zip(READER.columns, row, strict=True)) for row in rows]
    assert [(one["title"], one["price"], one["quantity"], one["problem_columns"]) for one in named] == [
        ("a", "1.00", None, None),
        ("b", None, None, "quantity,price"),
        ("a", "1.00", None, None),
        (None, None, 3, "order_state"),
    ]
    assert {place: [one.column for one in found] for place, found in problems.items()} == {
        1: ["quantity", "price"],
        3: ["order_state"],
    }


def test_a_code_is_read_as_its_own_text_where_that_is_one_code_s_alone() -> None:
    texts_of = {1: "甲", 2: "乙", 3: "乙"}
    worded = RowReader({"id": ("id", values.identifier), "kind": ("kind", values.code)}, {"kind": texts_of}, key="id")
    rows, problems = worded.read([b'{"id":"%d","kind":"%s"}' % (n, w.encode()) for n, w in enumerate("甲乙丙")])
    assert [row[1:] for row in rows] == [(1, "甲", None), (None, None, "kind"), (None, None, "kind")]
    assert sorted(problems) == [1, 2]
    assert typed(order_state="退款中")["order_state"] == 8


def test_several_codes_of_one_field_get_their_texts() -> None:
    listed = RowReader(
        {"id": ("id", values.identifier), "kinds": ("kinds", values.code_list)}, {"kinds": {1: "甲", 2: "乙"}}, key="id"
    )
    rows = listed.read([b'{"id":"a","kinds":[2,1]}', b'{"id":"b","kinds":"2,7"}', b'{"id":"c","kinds":[7]}']).rows
    assert [row[1:3] for row in rows] == [("2,1", "乙,甲"), ("2,7", "乙"), ("7", None)]
    assert listed.unknown_codes(rows) == {"kinds=7": 2}


@pytest.mark.parametrize("sent", ['["乙","甲"]', '["乙",1]', '"乙,甲"', '" 乙 , 1"', '[2,"1"]'])
def test_several_codes_may_be_sent_as_their_words(sent: str) -> None:
    listed = RowReader(
        {"id": ("id", values.identifier), "kinds": ("kinds", values.code_list)}, {"kinds": {1: "甲", 2: "乙"}}, key="id"
    )
    [row], problems = listed.read([f'{{"id":"a","kinds":{sent}}}'.encode()])
    assert (row[1:], problems) == (("2,1", "乙,甲", None), {})


def test_what_is_not_to_be_stored_plain_is_hidden_in_a_problem() -> None:
    personal = reader(
        mapping={"order_id": FIRST["order_id"], "title": ("title", values.identifier)}, code_texts={},
        forms=Forms({"title": "masked"}),
    )  # fmt: skip
    [found] = personal.read([raw(title="张三" * 100)]).problems[0]
    assert (found.value, found.shape) == ("张**", f"text {'字' * 40}…")


def test_a_half_emoji_is_a_reason_and_not_a_broken_file_later() -> None:
    r"""A title cut in the middle of a surrogate pair: `"\ud83d"` is no text that UTF-8 can hold."""
    with pytest.raises(RowError, match="not a JSON object"):
        READER.row(rb'{"order_id":"o1","title":"\ud83d"}')


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=list(RESOURCES))
def test_bytes_that_are_no_utf8_cost_a_text_nothing_and_a_row_its_key_alone(resource: Resource) -> None:
    reader = resource.reader
    key, (field, _) = reader.key_column, next(
        found for found in reader.mapping.values() if found[1] in (values.text, values.identifier)
        and found[0] != reader.mapping[reader.key_column][0]
    )  # fmt: skip
    key_field = reader.mapping[key][0].encode()
    row = b'{"%s":"k1","%s":"<\xff>"}' % (key_field, field.encode())
    typed = reader.read([row])
    assert typed.rows[0][reader.columns.index(key)] == "k1"
    assert reader.keys([row, b'{"%s":"<\xff>"}' % key_field]) == ["k1", None]
    with pytest.raises(RowError, match="not UTF-8"):
        reader.row(b'{"%s":"<\xff>"}' % key_field)


def test_a_row_nested_beyond_reason_is_rejected_and_not_a_crash() -> None:
    nested = b"[" * 100_000 + b"]" * 100_000
    for field in (b"title", b"surprise"):
        data = b'{"%s":%s,"order_id":"o1"}' % (field, nested)
        assert READER.key(data) is None
        with pytest.raises(RowError):
            READER.row(data)


@given(
    st.lists(st.dictionaries(st.sampled_from([field for field, _ in READER._mapping.values()]), scalars), max_size=9)
)
def test_many_rows_are_typed_as_each_is_by_itself(drawn: list[dict[str, Any]]) -> None:
    """In one column, True and 1, 1.0 and 1.00, "1" and 1 may stand below each other."""
    raws = [raw(**fields) for fields in drawn]
    assert READER.keys(raws) == [READER.key(one) for one in raws]
    typed: list[Any] = []
    for one in raws:
        try:
            rows, problems = READER.read([one])
            typed.append((rows[0], problems.get(0, [])))
        except RowError as error:
            typed.append(str(error))
    if complaints := [one for one in typed if isinstance(one, str)]:
        with pytest.raises(RowError) as caught:
            READER.read(raws)
        assert str(caught.value) in complaints
    else:
        rows, problems = READER.read(raws)
        assert [(row, problems.get(place, [])) for place, row in enumerate(rows)] == typed


@pytest.mark.parametrize("odd", [b"3", b"null", b"[]", b'{"order_id":[1]}', b"{}"])
def test_rows_without_a_key_hide_no_other(odd: bytes) -> None:
    assert READER.keys([raw(order_id="a"), odd, raw(order_id="b ")]) == ["a", None, "b "]


# --- the other resources -------------------------------------------------------------------------------


def read_as(resource: Resource, **fields: Any) -> dict[str, Any]:
    key_field = resource.reader._mapping[resource.key][0]
    data = json.dumps({key_field: "k", **fields}, ensure_ascii=False).encode()
    row = dict(zip(resource.reader.columns, resource.reader.row(data), strict=True))
    return {name: value for name, value in row.items() if value is not None and name != resource.key}


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=list(RESOURCES))
def test_a_row_with_nothing_but_its_key_is_a_row(resource: Resource) -> None:
    assert read_as(resource) == {}
    assert read_as(resource, surprise={"a": [1]}) == {}


@given(st.dictionaries(st.text(max_size=8), scalars), st.sampled_from(list(RESOURCES)), st.data())
def test_any_object_of_any_resource_becomes_a_row_or_a_reason(
    fields: dict[str, Any], name: str, data: st.DataObject
) -> None:
    reader = RESOURCES[name].reader
    known = [field for field, _ in reader._mapping.values()]
    drawn = data.draw(st.dictionaries(st.sampled_from(known), scalars))
    raw_row = json.dumps({**fields, **drawn}).encode()
    try:
        row = reader.row(raw_row)
    except RowError:
        return
    assert len(row) == len(reader.columns)
    assert row[0] == reader.key(raw_row)


def test_after_sales_come_in_fen_with_their_texts() -> None:
    row = read_as(
        REFUNDS, state="13", sale_type=2, refund_money="1990", apply_refund_money=1990, nick_name="小鹅",
        actual_fee=None, updated_at="2026-11-01 10:00:00", invalid_time="0000-00-00 00:00:00",
        goods_list=[{"a": 1}], state_str="any",
    )  # fmt: skip
    assert row == {
        "state": 13, "state_text": "退款完成", "sale_type": 2, "sale_type_text": "退货退款", "refund_money": "19.90",
        "apply_refund_money": "19.90", "nickname": "小鹅", "updated_at": "2026-11-01 10:00:00",
        "goods_count": 1,
    }  # fmt: skip


def test_users_come_with_milliseconds_and_an_amount_without_a_unit() -> None:
    row = read_as(
        USERS, user_nickname="", bind_phone="138", **{"from": "微信"}, pay_sum="12.5", punch_count="3",
        user_created_at=1735660800123, latest_visited_at=0, es_skip={"id": 1},
    )  # fmt: skip
    assert row == {
        "nickname": "", "phone": "138", "source": "微信", "pay_sum": "12.5", "punch_count": 3,
        "registered_at": "2025-01-01 00:00:00",
    }  # fmt: skip


def test_products_come_in_fen_with_their_texts() -> None:
    row = read_as(
        PRODUCTS, goods_name="课", resource_type=50, sale_status="2", price_low=0, price_high="19900", price_line="",
        is_deleted=0, spu_type=3, goods_img=["https://x"],
    )  # fmt: skip
    assert row == {
        "name": "课", "resource_type": 50, "resource_type_text": "课程(训练营pro)", "sale_status": 2,
        "sale_status_text": "待上架", "price_low": "0.00", "price_high": "199.00", "is_deleted": 0, "spu_type": "3",
    }  # fmt: skip


@pytest.mark.parametrize(("reward", "expected"), [("12.50", "12.50"), (0, "0.00"), ("0", "0.00"), ("3", "3.00")])
def test_rewards_of_live_streams_come_in_yuan(reward: Any, expected: str) -> None:
    assert read_as(LIVE_STREAMS, reward_sum=reward, purchase_count="7") == {
        "reward_sum": expected,
        "purchase_count": 7,
    }


# --- codes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("order_state", documented.ORDER_STATES),
        ("ship_state", documented.SHIP_STATES),
        ("resource_type", documented.RESOURCE_TYPES),
    ],
)
def test_texts_are_those_of_the_documentation(name: str, expected: dict[int, str]) -> None:
    """Both copies were typed from the documentation on their own."""
    assert codes.texts(name) == expected
    assert {state: typed(**{name: state})[f"{name}_text"] for state in expected} == expected


def test_an_unknown_code_is_kept_has_no_text_and_is_counted() -> None:
    rows = [READER.row(raw(order_state=state, ship_state=9)) for state in (1, 77, "77", None)]
    assert [row[READER.columns.index("order_state")] for row in rows] == [1, 77, 77, None]
    assert READER.unknown_codes(rows) == {"order_state=77": 2, "ship_state=9": 4}
    assert READER.unknown_codes([]) == {}


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1E-99999999999999999999", "[1e99999999999999999999]"])
def test_a_number_that_no_computer_holds_is_a_problem_of_its_field_alone(number: str) -> None:
    data = b'{"order_id":"o1","price":%b,"title":%b,"refund_money":150}' % (number.encode(), number.encode())
    row = dict(zip(READER.columns, READER.row(data), strict=True))
    assert (row["price"], row["title"], row["refund_money"]) == (None, number, "1.50")
    assert [one.column for one in problems_of(data)] == ["price"]


# --- hashes --------------------------------------------------------------------------------------------


def line(row: Row) -> str:
    return tsv([tsv_column([value]) for value in row])[:-1]


pairs = st.integers(1, 4).flatmap(lambda width: st.tuples(*[st.tuples(*[texts] * width)] * 2))


@given(pairs)
def test_row_hashes_are_equal_exactly_when_the_rows_are(pair: tuple[Row, Row]) -> None:
    left, right = pair
    assert (row_hash(left) == row_hash(right)) == (left == right)
    assert (line(left) == line(right)) == (left == right)


def test_row_hashes_tell_null_from_empty_and_a_moved_boundary() -> None:
    rows: list[Row] = [(None, ""), ("", None), (NULL, ""), ("a\t", "b"), ("a", "\tb"), ("a\\", "tb"), ("a", "b")]
    assert len({row_hash(row) for row in rows}) == len(rows)


@given(st.binary(), st.binary())
def test_raw_hashes_are_equal_exactly_when_the_bytes_are(left: bytes, right: bytes) -> None:
    assert (READER.raw_hash(left) == READER.raw_hash(right)) == (left == right)
    assert 0 <= READER.raw_hash(left) < 2**64


def reader(**changed: Any) -> RowReader:
    rules = {"mapping": orders.MAPPING, "code_texts": orders.CODE_TEXTS, "key": "order_id", **changed}
    return RowReader(rules.pop("mapping"), rules.pop("code_texts"), **rules)


def renamed(name: str) -> Callable[[Any], Any]:
    """A reader that reads as `values.text` does."""

    def read(value: Any) -> str | None:
        return values.text(value)

    read.__qualname__ = name
    return read


class OtherReader(RowReader):
    """Types as the other one does."""


FIRST = orders.MAPPING
TITLE = FIRST["title"]
STATES = orders.CODE_TEXTS["order_state"]
CHANGES: dict[str, Callable[[], RowReader]] = {
    "a column renamed": lambda: reader(mapping={"name" if at == "title" else at: to for at, to in FIRST.items()}),
    "a column left out": lambda: reader(mapping={at: to for at, to in FIRST.items() if at != "title"}),
    "columns in another order": lambda: reader(mapping=dict(reversed(FIRST.items()))),
    "another field": lambda: reader(mapping={**FIRST, "title": ("name", TITLE[1])}),
    "another function": lambda: reader(mapping={**FIRST, "title": (TITLE[0], values.identifier)}),
    "a function of another name": lambda: reader(mapping={**FIRST, "title": (TITLE[0], renamed("other"))}),
    "a function of the same name elsewhere": lambda: reader(mapping={**FIRST, "title": (TITLE[0], renamed("text"))}),
    "a code's text": lambda: reader(code_texts={**orders.CODE_TEXTS, "order_state": {**STATES, 3: "退款完"}}),
    "one more code": lambda: reader(code_texts={**orders.CODE_TEXTS, "order_state": {**STATES, 99: "新"}}),
    "one more column with texts": lambda: reader(code_texts={**orders.CODE_TEXTS, "pay_way": STATES}),
    "texts of another column": lambda: reader(code_texts={**orders.CODE_TEXTS, "ship_state": STATES}),
    "another key": lambda: reader(key="out_order_id"),
    "a column masked": lambda: reader(forms=Forms({"title": "masked"})),
    "a column hashed": lambda: reader(forms=Forms({"title": "hash"}, lambda: b"0123456789abcdef")),
    "hashed with another key": lambda: reader(forms=Forms({"title": "hash"}, lambda: b"0123456789abcdeF")),
    "another class": lambda: OtherReader(orders.MAPPING, orders.CODE_TEXTS, key="order_id"),
}


def test_every_change_of_the_rules_makes_every_row_be_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = {"unchanged": reader().raw_hash(b"{}")} | {name: of().raw_hash(b"{}") for name, of in CHANGES.items()}
    monkeypatch.setattr(values, "RULES", values.RULES + 1)
    hashes["RULES"] = reader().raw_hash(b"{}")
    assert len(set(hashes.values())) == len(CHANGES) + 2, hashes


def test_the_same_rules_give_the_same_raw_hash_whatever_the_files_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """A docstring mended, a module moved, a list of codes sorted: nothing of that is a rule."""
    backwards = {column: dict(reversed(of.items())) for column, of in reversed(orders.CODE_TEXTS.items())}
    expected = reader().raw_hash(b"{}")

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("a file was read")

    for name in ("read_bytes", "read_text", "open"):
        monkeypatch.setattr(Path, name, refuse)
    monkeypatch.setattr("builtins.open", refuse)
    assert reader().raw_hash(b"{}") == reader(code_texts=backwards).raw_hash(b"{}") == expected
    monkeypatch.setattr(values, "__doc__", "changed")
    monkeypatch.setattr(values.text, "__doc__", "changed")
    monkeypatch.setattr(values.text, "__module__", "elsewhere.values")
    assert reader().raw_hash(b"{}") == expected


def test_raw_hashes_are_the_same_in_every_process() -> None:
    """Of fixed rules. A figure, as it has to last from one version of Python to the next."""
    fixed = RowReader(
        {"id": ("id", values.identifier), "state": ("state", values.code), "name": ("name", values.text)},
        {"state": {1: "一", 2: "二"}},
        key="id",
        forms=Forms({"name": "masked"}),
    )
    assert fixed.rules()[1:] == [
        "RowReader",
        "id",
        [("id", "id", "values.identifier"), ("state", "state", "values.code"), ("name", "name", "values.text")],
        [("state", [(1, "一"), (2, "二")])],
        b"name=masked",
    ]
    assert fixed.raw_hash(b"{}") == FIXED[values.RULES]


FIXED = {1: 8536473130660982317, 2: 80803197686898993, 3: 7707942481302281163, 4: 2153720717146242488}


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=list(RESOURCES))
def test_the_name_of_a_reader_says_all_of_it(resource: Resource) -> None:
    """Two functions made by a third have one name, and read otherwise: `RowReader.rules` would not notice."""
    for _, read in resource.reader._mapping.values():
        assert "<" not in read.__qualname__


def test_values_read_as_they_did_when_the_rules_were_numbered() -> None:
    """Stored rows keep what they were typed as for as long as their raw hashes match."""
    functions = (values.code, values.count, values.code_list, values.yuan, values.fen, values.number, values.time,
                 values.planned, values.text, values.identifier, values.length)  # fmt: skip
    found = [[outcome(read, value) for value in SPECIMENS] for read in functions]
    forms = [[masked(text), hashed(text, b"0123456789abcdef")] for text in ("", "张三", "138-1234-5678-9")]
    digest = xxh3_64_intdigest(repr((found, forms)).encode())
    assert digest == READ_AS[values.RULES], "values come out otherwise: raise values.RULES, and note the digest here"


def outcome(read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except ValueError:
        return ValueError


SPECIMENS: tuple[Any, ...] = (
    None, True, False, 0, 1, -7, 12345, 2**31, 1700000000123, 10**15, 10**20, "", " ", "--", "7", " 7 ", "07", "-0",
    "12.30", "12.345", "1e5", "1_0", "NaN", "x", Decimal("199.99000000000001"), Decimal("0.5"), Decimal("1.00001"),
    Decimal("9999999999.99"), Decimal("1E+12"), "2026-01-31 08:30:00", " 2026-01-31 08:30:00 ", "2026-02-30 00:00:00",
    "2026-01-31", "0000-00-00 00:00:00", "-0001-11-30 00:00:00", "0999-01-01 00:00:00", "中文", "a" * 129,
    "o_\ufffd", "a" * 65_535, "课" * 21_846, [], [1, "二"], {"b": 1, "a": [None]},
)  # fmt: skip
READ_AS = {1: 9733704220425216084, 2: 11142889372491056305, 3: 12261413027580153025, 4: 16327865357255030393}
"""`values.RULES` → a digest of what `SPECIMENS` are read as."""


# --- TSV -----------------------------------------------------------------------------------------------


def untsv(line: str) -> list[str | None]:
    """Read a line as the MySQL manual says LOAD DATA does with its default escapes."""
    meanings = {"t": "\t", "n": "\n", "r": "\r", "0": "\0", "\\": "\\"}
    fields: list[str | None] = []
    for part in line.split("\t"):
        if part == NULL:
            fields.append(None)
            continue
        letters = iter(part)
        fields.append("".join(meanings[next(letters)] if letter == "\\" else letter for letter in letters))
    return fields


@given(st.lists(texts, min_size=1, max_size=5))
def test_a_line_read_back_is_the_row(row: list[str | None]) -> None:
    text = line(tuple(row))
    assert "\n" not in text
    assert untsv(text) == row


@given(st.integers(), st.text(max_size=5))
def test_numbers_stand_as_they_are(number: int, text: str) -> None:
    assert untsv(line((number, text))) == [str(number), text]

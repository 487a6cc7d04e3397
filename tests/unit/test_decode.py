r"""Rows: one raw order becomes one tuple or one reason; hashes; the way of a tuple through LOAD DATA."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import MySQLdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from emulator import codes as documented
from support.worlds.shop import Database
from xiaoe.mysql.load_data import NULL, tsv, tsv_column
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
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

READER = ORDERS.reader
FIELDS = sorted({field for field, _ in orders.MAPPING.values()})

awkward = st.text(alphabet=st.sampled_from("\\\t\n\r\0\x1a'\"`%;NZn0rt é中😀\ufeff\U0010ffff"), max_size=12)
texts = st.none() | st.sampled_from(["", NULL, "\\\\N", "NULL"]) | awkward | st.text(max_size=12)
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


def test_a_reason_names_the_field_the_value_and_why() -> None:
    with pytest.raises(RowError, match=r"^refund_money='1\.5': fen are whole numbers$"):
        READER.row(raw(refund_money=1.5))
    with pytest.raises(RowError) as caught:
        READER.row(raw(price="9" * 5000))
    assert len(str(caught.value)) < 200


def test_a_half_emoji_is_a_reason_and_not_a_broken_file_later() -> None:
    r"""A title cut in the middle of a surrogate pair: `"\ud83d"` is no text that UTF-8 can hold."""
    with pytest.raises(RowError, match="not a JSON object"):
        READER.row(rb'{"order_id":"o1","title":"\ud83d"}')


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
    typed: list[Row | str] = []
    for one in raws:
        try:
            typed.append(READER.row(one))
        except RowError as error:
            typed.append(str(error))
    if complaints := [one for one in typed if isinstance(one, str)]:
        with pytest.raises(RowError) as caught:
            READER.rows(raws)
        assert str(caught.value) in complaints
    else:
        assert READER.rows(raws) == typed


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
def test_a_number_that_no_computer_holds_refuses_its_row_and_nothing_else(number: str) -> None:
    with pytest.raises(RowError, match="exponent"):
        READER.row(b'{"order_id": "1", "price": %b}' % number.encode())


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


FIXED = {1: 8536473130660982317, 2: 80803197686898993}


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
    "a" * 65_535, "课" * 21_846, [], [1, "二"], {"b": 1, "a": [None]},
)  # fmt: skip
READ_AS = {1: 9733704220425216084, 2: 11142889372491056305}
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


money = st.none() | st.integers(-(10**12) + 1, 10**12 - 1).map(values.fen)
times = st.none() | st.datetimes(min_value=datetime(1000, 1, 1)).map(lambda moment: moment.isoformat(" ", "seconds"))
small = st.none() | st.integers(-(2**31), 2**31 - 1)
STAGING = (
    "CREATE TEMPORARY TABLE {name} (id INT PRIMARY KEY, word TEXT NULL, code INT NULL, amount DECIMAL(12, 2) NULL,"
    " moment DATETIME NULL, hashed BIGINT UNSIGNED NOT NULL) CHARSET utf8mb4 COLLATE utf8mb4_bin"
)
COLUMNS = ("id", "word", "code", "amount", "moment", "hashed")


def held(session: Session, table: str) -> list[tuple[Any, ...]]:
    return session.query(
        "SELECT id, word, code, CAST(amount AS CHAR),"
        f" CAST(moment AS CHAR), CAST(hashed AS CHAR) FROM {table} ORDER BY id"
    )


@pytest.mark.mysql
def test_rows_come_out_of_the_database_as_they_went_in_by_either_way(database: Database) -> None:
    """LOAD DATA LOCAL and, where a server refuses that, multi-row REPLACE."""
    with Warehouse().session() as loading, Warehouse().session() as inserting:
        inserting._loads_files = False
        loading.execute(STAGING.format(name="stg_a"))
        inserting.execute(STAGING.format(name="stg_b"))

        @settings(max_examples=15, suppress_health_check=[HealthCheck.large_base_example, HealthCheck.data_too_large])
        @given(st.lists(st.tuples(texts, small, money, times), min_size=20, max_size=60))
        def round_trip(drawn: list[Row]) -> None:
            rows = [(number, *row, row_hash(row)) for number, row in enumerate(drawn)]
            for session, table in ((loading, "stg_a"), (inserting, "stg_b")):
                session.execute(f"DELETE FROM {table}")
                session.bulk_load(table, COLUMNS, rows)
                assert held(session, table) == [(*row[:-1], str(row[-1])) for row in rows]

        round_trip()
        assert loading._loads_files


@pytest.mark.mysql
def test_of_two_rows_with_one_key_the_later_wins_by_either_way(database: Database) -> None:
    for loads_files in (True, False):
        with Warehouse().session() as session:
            session._loads_files = loads_files
            session.execute(STAGING.format(name="stg"))
            session.bulk_load("stg", COLUMNS, [(1, "old", None, None, None, 0), (1, "new", 2, "0.01", None, 1)])
            assert held(session, "stg") == [(1, "new", 2, "0.01", None, "1")]


@pytest.mark.mysql
@pytest.mark.parametrize("loads_files", [True, False])
def test_what_is_kept_is_kept_and_the_others_are_there(database: Database, *, loads_files: bool) -> None:
    with Warehouse().session() as session:
        session._loads_files = loads_files
        session.execute(STAGING.format(name="stg"))
        session.bulk_load("stg", COLUMNS, [(1, "old", None, None, None, 0)])
        rows = [(1, "new", 2, "0.01", None, 1), (2, "b", None, None, None, 2), (2, "c", None, None, None, 3)]
        session.bulk_load("stg", COLUMNS, rows, on_duplicate="ignore")
        assert held(session, "stg") == [(1, "old", None, None, None, "0"), (2, "b", None, None, None, "2")]
        with pytest.raises((RuntimeError, MySQLdb.Error)):  # a row that is kept excuses no other
            session.bulk_load("stg", COLUMNS, [rows[0], (3, "x", 2**31, None, None, 0)], on_duplicate="ignore")


@pytest.mark.mysql
@pytest.mark.parametrize(
    "bad",
    [
        (1, "x", 2**31, None, None, 0),
        (1, "x", None, "1.005", None, 0),
        (1, "x", None, None, "2025-02-30 00:00:00", 0),
        (1, "x", None, None, None, None),
        (1, "x" * 70_000, None, None, None, 0),
    ],
)
def test_a_value_that_does_not_fit_is_never_a_mere_warning(database: Database, bad: Row) -> None:
    with Warehouse().session() as session:
        session.execute(STAGING.format(name="stg"))
        with pytest.raises((RuntimeError, MySQLdb.Error)):  # the server refuses some, and only warns of others
            session.bulk_load("stg", COLUMNS, [bad])

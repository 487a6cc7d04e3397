"""The policy for personal data: what it may say, and what becomes of a text."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.exceptions import XiaoeConfigError
from xiaoe.resources import orders, privacy
from xiaoe.resources.privacy import forms_of
from xiaoe.resources.registry import PERSONAL, RESOURCES
from xiaoe.rows import values
from xiaoe.rows.decode import RowReader
from xiaoe.rows.masking import PLAIN, Forms, hashed, masked

KEY = b"0123456789abcdef"
Environment = pytest.MonkeyPatch


@pytest.fixture
def environment(clean_environment: Environment) -> Iterator[Environment]:
    privacy.key.cache_clear()
    yield clean_environment
    privacy.key.cache_clear()


def reader(forms: Forms) -> RowReader:
    return RowReader(orders.MAPPING, orders.CODE_TEXTS, key="order_id", forms=forms)


def raw(**fields: Any) -> bytes:
    return json.dumps({"order_id": "o1", "receiver_phone": "13812345678", "receiver_name": "张三丰", **fields}).encode()


# --- forms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13812345678", "138****5678"),
        ("+86 13812345678", "+86****5678"),
        ("138 1234 5678", "138****5678"),
        ("010-1234567", "0**"),
        ("1234567", "1**"),
        ("张三丰", "张**"),
        ("王", "王**"),
        ("北京市朝阳区某某路1号", "北**"),
        ("😀a", "😀**"),
        ("", ""),
    ],
)
def test_a_mask_leaves_what_is_needed_to_ask_back(text: str, expected: str) -> None:
    assert masked(text) == expected


@given(st.text())
def test_a_mask_shows_seven_characters_at_most_and_no_length(text: str) -> None:
    shown = masked(text)
    assert shown == "" if not text else len(shown) in (3, 11)
    assert len(shown.replace("*", "")) <= 7


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.binary(min_size=16))
def test_a_hash_is_hmac_sha256_that_anybody_with_the_key_can_make(text: str, key: bytes) -> None:
    assert hashed(text, key) == hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    assert hashed(text, key) != hashed(text, key + b"x")
    assert hashed("", key) == ""


def test_a_column_without_a_form_is_read_as_before() -> None:
    assert PLAIN.around("title", values.text) is values.text
    assert reader(PLAIN).row(raw()) == reader(Forms()).row(raw())


# --- the policy ----------------------------------------------------------------------------------------


def test_nothing_is_hidden_unless_somebody_says_so(environment: Environment) -> None:
    assert all(forms_of(table, columns) == Forms({}, privacy.key) for table, columns in PERSONAL.items())


def test_a_column_of_its_own_comes_before_the_whole_table(environment: Environment) -> None:
    environment.setenv("XIAOE_PERSONAL_DATA", " users.phone = hash, users.*=masked ,, users.avatar=plain")
    rest = dict.fromkeys(set(PERSONAL["users"]) - {"avatar"}, "masked")
    assert forms_of("users", PERSONAL["users"]).columns == rest | {"phone": "hash"}
    assert forms_of("orders", PERSONAL["orders"]).columns == {}


@pytest.mark.parametrize(
    "text",
    ["orders.phone=masked", "orders.order_id=hash", "orders.receiver_phone=gone", "receiver_phone=masked", "*=masked",
     "products.*=masked", "users.*", "orders.receiver_phone", "users.phone=MASKED", "=", "; DROP TABLE"],
)  # fmt: skip
def test_an_unknown_column_or_form_is_named_with_all_there_are(environment: Environment, text: str) -> None:
    environment.setenv("XIAOE_PERSONAL_DATA", f"users.avatar=masked,{text}")
    with pytest.raises(
        XiaoeConfigError, match=r"XIAOE_PERSONAL_DATA: .*plain, masked, hash.*orders.receiver_phone"
    ) as e:
        privacy.check(PERSONAL)
    assert repr(text) in str(e.value)


def test_every_column_about_people_is_one_of_its_table() -> None:
    for table in PERSONAL.keys() - {"push_messages"}:  # no resource's
        columns = PERSONAL[table]
        mapping = RESOURCES[table].reader._mapping
        assert set(columns) <= set(mapping), table
        assert all(mapping[column][1] is values.text for column in columns), "a form makes text"


@pytest.mark.parametrize(
    ("conn_id", "password", "said"),
    [
        (None, None, "XIAOE_PERSONAL_DATA_KEY_CONN_ID is empty"),
        ("pd_key", None, "there is no such Airflow connection"),
        ("pd_key", "fifteen-bytes-x", r"has 15 bytes \(not shown\): give 16 or more"),
        ("pd_key", "", "has 0 bytes"),
    ],
)
def test_hashes_need_a_key(environment: Environment, conn_id: str | None, password: str | None, said: str) -> None:
    environment.setenv("XIAOE_PERSONAL_DATA", "orders.receiver_phone=hash")
    if conn_id:
        environment.setenv("XIAOE_PERSONAL_DATA_KEY_CONN_ID", conn_id)
    if password is not None:
        environment.setenv("AIRFLOW_CONN_PD_KEY", json.dumps({"conn_type": "generic", "password": password}))
    with pytest.raises(XiaoeConfigError, match=said) as raised:
        reader(forms_of("orders", PERSONAL["orders"])).row(raw())
    assert not password or password not in str(raised.value)


def test_the_key_comes_from_a_connection(environment: Environment) -> None:
    environment.setenv("XIAOE_PERSONAL_DATA", "orders.receiver_phone=hash")
    environment.setenv("XIAOE_PERSONAL_DATA_KEY_CONN_ID", "pd_key")
    environment.setenv("AIRFLOW_CONN_PD_KEY", json.dumps({"conn_type": "generic", "password": KEY.decode()}))
    row = dict(zip(orders_columns(), reader(forms_of("orders", PERSONAL["orders"])).row(raw()), strict=True))
    assert (row["receiver_phone"], row["receiver_name"]) == (hashed("13812345678", KEY), "张三丰")


def orders_columns() -> tuple[str, ...]:
    return reader(PLAIN).columns


# --- rows ----------------------------------------------------------------------------------------------


def test_a_policy_another_one_and_another_key_make_every_row_be_looked_at_again() -> None:
    policies = [
        Forms(),
        Forms({"receiver_phone": "masked"}),
        Forms({"receiver_phone": "hash"}, lambda: KEY),
        Forms({"receiver_phone": "hash"}, lambda: KEY + b"2"),
        Forms({"receiver_name": "masked"}),
    ]
    assert len({reader(forms).raw_hash(raw()) for forms in policies}) == len(policies)
    assert reader(Forms()).raw_hash(raw()) == reader(PLAIN).raw_hash(raw())


def test_a_value_that_says_nothing_stays_as_it_is() -> None:
    hiding = reader(Forms(dict.fromkeys(orders.PERSONAL, "hash"), lambda: KEY))
    row = dict(zip(hiding.columns, hiding.row(raw(receiver_phone="", receiver_name=None)), strict=True))
    assert (row["receiver_phone"], row["receiver_name"], row["receiver_detail"]) == ("", None, None)


def test_neither_a_problem_nor_what_is_kept_of_a_bad_row_tells_what_is_hidden() -> None:
    hiding = reader(Forms({"receiver_phone": "masked", "receiver_name": "hash"}, lambda: KEY))
    long = "138" + "课" * 30_000
    [problem] = hiding.read([raw(receiver_phone=long)]).problems[0]
    assert (problem.column, problem.value, problem.reason) == ("receiver_phone", None, "longer than 65535 bytes")
    assert problem.shape == f"text 999{'字' * 37}…"
    bad = raw(price="abc", receiver_phone=13812345678, receiver_detail="北京")
    assert "13812345678" not in repr(hiding.read([bad]).problems)
    kept = json.loads(hiding.kept(bad))
    assert kept == json.loads(bad) | {"receiver_phone": "138****5678", "receiver_name": hashed("张三丰", KEY)}
    assert json.loads(hiding.kept(raw(receiver_phone=long)))["receiver_phone"] is None
    assert b"13812345678" not in hiding.kept(b"[13812345678]") + hiding.kept(b"13812345678 {")
    assert "XIAOE_PERSONAL_DATA" in json.loads(hiding.kept(b"13812345678 {"))
    assert reader(PLAIN).kept(b"[13812345678") == b"[13812345678"


def test_a_key_of_a_policy_is_in_no_repr() -> None:
    forms = Forms({"receiver_phone": "hash"}, lambda: KEY)
    forms.around("receiver_phone", values.text)("x")
    assert not re.search(KEY.decode(), repr(forms))

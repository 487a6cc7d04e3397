"""Envelopes: every kind of answer is rows, an empty page or a typed error."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.exceptions import XiaoeNetworkError
from xiaoe.rows.envelope import Listing, open_envelope, read_listing, rows_of
from xiaoe.rows.problems import shape_of

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def listing(data: Any) -> Listing:
    return read_listing(msgspec.Raw(json.dumps(data).encode()), total_field="total")


def test_an_envelope_is_read_with_either_spelling_of_its_text() -> None:
    assert open_envelope(b'{"code":0,"msg":"success","data":{}}').msg == "success"
    assert open_envelope(b'{"code":2008,"message":"expired","data":null}').message == "expired"
    assert open_envelope(b'{"unknown":[1]}').code is None


def test_a_byte_order_mark_is_no_part_of_the_answer() -> None:
    assert open_envelope(b'\xef\xbb\xbf{"code":0,"data":[]}').code == 0


def test_a_total_that_is_a_whole_number_with_a_point() -> None:
    assert listing({"list": [1], "total": 60.0}).total == 60
    assert rows_of(b'{"code":0,"data":{"list":[1],"total":60.0}}', total_field="total").total == 60
    with pytest.raises(XiaoeNetworkError, match=r"total=b'60.5': not a whole number"):
        listing({"list": [1], "total": 60.5})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b"[]",
        b"null",
        b'"ok"',
        b'{"code":0',
        b'{"code":0,"data":{"list":[{"order_id":"o1"',
        b'{"code":0} trailing',
        '{"code":1,"msg":"系统繁忙"}'.encode("gbk"),
        b"\x1f\x8b\x08",
        b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_body_that_is_no_envelope_is_a_network_error_that_quotes_its_start(body: bytes) -> None:
    with pytest.raises(XiaoeNetworkError, match="the answer is not the API's JSON") as caught:
        open_envelope(body)
    assert repr(body[:80]) in str(caught.value)
    assert len(str(caught.value)) < 500


@given(st.binary(max_size=60))
def test_any_bytes_are_an_envelope_or_a_network_error(body: bytes) -> None:
    try:
        open_envelope(body)
    except XiaoeNetworkError:
        return
    assert isinstance(json.loads(body), dict)


@pytest.mark.parametrize("data", [None, [], {}])
def test_every_spelling_of_no_data_is_an_empty_page_without_a_total(data: Any) -> None:
    assert listing(data) == Listing(None, [])


def test_an_answer_without_data_is_empty_too() -> None:
    assert read_listing(open_envelope(b'{"code":0}').data, total_field="total") == Listing(None, [])


@pytest.mark.parametrize("total", [0, "0", 7, "7", " 7 "])
def test_a_total_is_a_number_or_digits(total: Any) -> None:
    assert listing({"total": total, "list": None}) == Listing(int(total), [])


@pytest.mark.parametrize("total", [None, "", "--"])
def test_a_blank_total_is_none(total: Any) -> None:
    assert listing({"total": total, "list": []}) == Listing(None, [])
    assert listing({"list": []}) == Listing(None, [])


def test_the_total_may_have_another_name() -> None:
    data = msgspec.Raw(b'{"row_count":3,"total":9,"list":[]}')
    assert read_listing(data, total_field="row_count").total == 3


def test_rows_stay_raw_byte_for_byte() -> None:
    data = msgspec.Raw(b'{"total":2,"list":[{"a": 1.50 ,"b":"\\u4e2d"},null]}')
    assert [bytes(row) for row in read_listing(data, total_field="total").rows] == [
        b'{"a": 1.50 ,"b":"\\u4e2d"}',
        b"null",
    ]


@pytest.mark.parametrize(
    "data",
    [
        1,
        "text",
        True,
        [{"order_id": "o1"}],
        {"total": "many", "list": []},
        {"total": 1.5, "list": []},
        {"total": [], "list": []},
        {"total": 1, "list": {}},
        {"list": {}},
        {"total": 1, "list": {"order_id": "o1"}},
        {"total": 1, "list": {"0": {}, "x": {}}},
        '"text"',
        "[1]",
        {"total": 1, "list": "o1"},
    ],
)
def test_data_of_another_shape_is_a_network_error_and_never_an_empty_page(data: Any) -> None:
    with pytest.raises(XiaoeNetworkError, match="the answer's data has an unknown shape"):
        listing(data)


def test_a_list_that_php_wrote_as_an_object_is_its_values_in_order() -> None:
    """`json_encode` of an array that lost rows in the middle, or of an empty one with JSON_FORCE_OBJECT."""
    found = listing({"total": 2, "list": {"0": {"a": 1}, "2": {"a": 2}}})
    assert (found.total, [bytes(row) for row in found.rows]) == (2, [b'{"a": 1}', b'{"a": 2}'])
    assert listing({"total": 0, "list": {}}) == Listing(0, [])


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ('[{"a":1},{"a":2}]', 2), ('{"0":{"a":1},"2":{"a":2}}', 2), ('"[{\\"a\\":1}]"', 1),
        ('{"list":[{"a":1}],"total":1}', 1),
    ],
)  # fmt: skip
def test_an_array_is_the_whole_list_where_it_may_be_one(data: str, rows: int) -> None:
    body = b'{"code":0,"data":%s}' % data.encode()
    listing = rows_of(body, total_field="total", may_be_array=True)
    assert (listing.total, len(listing.rows)) == (rows, rows)
    assert read_listing(open_envelope(body).data, total_field="total", may_be_array=True) == listing


@pytest.mark.parametrize("data", ['{"order_at":"2026-01-01"}', '{"total":3}', "7", "true"])
def test_what_is_no_array_is_no_empty_list(data: str) -> None:
    with pytest.raises(XiaoeNetworkError):
        rows_of(b'{"code":0,"data":%s}' % data.encode(), total_field="total", may_be_array=True)


def test_data_that_is_encoded_twice_is_read() -> None:
    found = listing('{"total":"1","list":[{"title":"课"}]}')
    assert (found.total, [json.loads(bytes(row)) for row in found.rows]) == (1, [{"title": "课"}])
    assert listing("null") == Listing(None, [])


@given(st.dictionaries(st.sampled_from(["total", "list", "x"]), json_values) | json_values)
def test_any_data_is_rows_or_a_network_error(data: Any) -> None:
    body = json.dumps({"code": 0, "data": data}).encode()
    try:
        found = read_listing(open_envelope(body).data, total_field="total")
    except XiaoeNetworkError:
        return
    rows = (data.get("list") if isinstance(data, dict) else None) or []
    if isinstance(data, str):
        rows = []  # "{}" and the like
    if isinstance(rows, dict):
        rows = list(rows.values())
    assert [json.loads(bytes(row)) for row in found.rows] == rows


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb"x\ud83d", "x\ufffd"),
        (rb"\ude00x", "\ufffdx"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\N{GRINNING FACE}"),
        (rb"\\ud83d \ud83d \n \u4e2d", "\\ud83d \ufffd \n 中"),
    ],
)
def test_half_an_emoji_becomes_the_replacement_character(sent: bytes, read: str) -> None:
    body = b'{"code": 0, "data": {"total": 1, "list": [{"title": "' + sent + b'"}]}}'
    [row] = read_listing(open_envelope(body).data, total_field="total").rows
    assert msgspec.json.decode(row) == {"title": read}


def test_a_body_that_is_no_json_for_another_reason_stays_refused() -> None:
    with pytest.raises(XiaoeNetworkError, match="not the API's JSON"):
        open_envelope(rb'{"code": 0, "data": {"title": "\ud83d"')


@pytest.mark.parametrize("sent", ["NaN", "-Infinity", "undefined", "01", "+1", ".5", "1.", "0x1F", "1_000", "'x'"])
def test_what_is_no_json_stands_for_itself_in_its_field_alone(sent: str) -> None:
    body = f'{{"code": 0, "data": {{"total": 2, "list": [{{"a": {sent}, "b": [1.50, "NaN"]}}, {{"a": 2}}]}}}}'.encode()
    first, second = rows_of(body, total_field="total").rows
    assert msgspec.json.decode(first) == {"a": {"not JSON": sent}, "b": [1.5, "NaN"]}
    assert bytes(second) == b'{"a": 2}'
    assert shape_of({"not JSON": sent}).startswith("not JSON ")


@pytest.mark.parametrize("body", [b"NaN", b"undefined", b'[{"a": NaN}]', b'{"code": NaN', b"{NaN: 1}", b'{"a": NaN} x'])
def test_what_is_no_json_makes_no_answer(body: bytes) -> None:
    with pytest.raises(XiaoeNetworkError, match="not the API's JSON"):
        open_envelope(body)


def test_bare_control_characters_and_unknown_escapes_stand_for_themselves() -> None:
    body = b'{"code": 0, "data": {"list": [{"a": "one\n\ttwo", "b": "it' + rb"\'s \x41 \" \\ \u0041" + b'"}]}}'
    [row] = rows_of(body, total_field="total").rows
    assert msgspec.json.decode(row) == {"a": "one\n\ttwo", "b": "it's \\x41 \" \\ A"}

"""Values: exact or refused, whatever JSON brought; docs/xiaoe-api.md section 9, one test per quirk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xiaoe.rows import values

Read = Callable[[Any], Any]
READERS: tuple[Read, ...] = (
    values.code,
    values.codes,
    values.length,
    values.moment,
    values.yuan,
    values.fen,
    values.number,
    values.time,
    values.milliseconds,
    values.text,
    values.identifier,
)
NULL_TIMES = ("0000-00-00 00:00:00", "0000-00-00", "-0001-11-30 00:00:00", "", "--", None, "  ", " -- ")
MONEY = re.compile(r"-?\d{1,10}\.\d\d")

numbers = st.one_of(
    st.integers(),
    st.integers(-(2**31) - 2, 2**31 + 2),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(-(10**11), 10**11, places=2),
    st.decimals(-(10**11), 10**11, places=3),
)
numeric_texts = st.one_of(
    numbers.map(str),
    st.from_regex(r"\s?[+-]?[0-9]{1,14}(\.[0-9]{0,4})?(e[+-]?[0-9]{1,20})?\s?", fullmatch=True),
    st.sampled_from(["", "--", " ", "1_000", "NaN", "sNaN", "-Infinity", "1,5", "0x10", "1e999999999", "1e-99999999"]),
)
time_texts = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat(" ", "seconds")),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", fullmatch=True),
    st.from_regex(r"[0-9-]{10} [0-9:+.Z]{8}", fullmatch=True),
    st.sampled_from([text for text in NULL_TIMES if text]),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, numeric_texts, time_texts, st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def result(read: Read, value: Any) -> Any:
    """What a reader returns, or "refused"; any other exception is a failure of the test."""
    try:
        return read(value)
    except ValueError:
        return "refused"


@given(st.sampled_from(READERS), json_values)
def test_every_json_value_is_read_or_refused(read: Read, value: Any) -> None:
    typed = result(read, value)
    assert typed is None or type(typed) in (str, int)


@pytest.mark.parametrize("read", READERS)
def test_null_stays_null(read: Read) -> None:
    assert read(None) is None


# --- money ---------------------------------------------------------------------------------------------


@given(st.integers(-(10**12) + 1, 10**12 - 1))
def test_fen_become_yuan_to_the_cent(fen: int) -> None:
    assert Decimal(values.fen(fen) or "") == Decimal(fen) / 100


@given(numbers | numeric_texts)
@example("1e-99999999999999999999")
@example(Decimal("9999999999.990000000000000000000000001"))
@example(Decimal("0E+999999999"))
@example("-0.000")
@example(10**5000)
def test_money_is_never_rounded_and_always_has_two_decimals(value: Any) -> None:
    for read, unit in ((values.yuan, 1), (values.fen, 100)):
        amount = result(read, value)
        if amount in (None, "refused"):
            continue
        assert MONEY.fullmatch(amount)
        assert amount != "-0.00"
        noise = Decimal("0.000002") if read is values.yuan and isinstance(value, Decimal) else 0
        assert abs(Decimal(amount) * unit - Decimal(value)) <= noise


@given(st.integers(-(10**12) + 1, 10**12 - 1))
def test_a_double_that_means_cents_is_read_as_those(cents: int) -> None:
    """PHP prints doubles with 17 digits: 199.99 may come as 199.99000000000001."""
    amount = Decimal(cents) / 100
    assert Decimal(values.yuan(Decimal(f"{float(amount):.17g}")) or "") == amount
    if amount != Decimal(float(amount)):
        assert result(values.yuan, f"{Decimal(float(amount)):f}") == "refused"  # in a text, nothing is noise


@given(st.decimals(-(10**9), 10**9, places=2), st.integers(0, 3))
def test_yuan_mean_the_same_as_number_string_or_with_more_zeros(amount: Decimal, zeros: int) -> None:
    expected = str(amount) if amount else "0.00"
    for form in (amount, str(amount), f"{amount}{'0' * zeros}", f" {amount} ", f"{amount.normalize()}"):
        assert values.yuan(form) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(19900, "199.00"), ("1", "0.01"), (0, "0.00"), ("-0", "0.00"), ("1e2", "1.00")]
)
def test_fen_examples(value: Any, expected: str) -> None:
    assert values.fen(value) == expected


@pytest.mark.parametrize("read", [values.yuan, values.fen, values.code, values.number, values.milliseconds])
@pytest.mark.parametrize("value", ["", "--", "  ", None])
def test_blank_numbers_are_null_not_zero(read: Read, value: Any) -> None:
    assert read(value) is None


@pytest.mark.parametrize(
    ("read", "value", "reason"),
    [
        (values.fen, "1.5", "fen are whole numbers"),
        (values.fen, 10**12, "too large for DECIMAL"),
        (values.fen, 10**16, "too large"),
        (values.yuan, "0.001", "more than two decimals"),
        (values.yuan, "10000000000", "too large for DECIMAL"),
        (values.yuan, "1_0", "not a number"),
        (values.yuan, "free", "not a number"),
        (values.yuan, "Infinity", "not a finite number"),
        (values.yuan, True, "not a number"),
        (values.yuan, [1], "not a number"),
        (values.code, "2147483648", "not a whole number that fits INT"),
        (values.code, "1.5", "not a whole number that fits INT"),
        (values.number, "0.00001", "more than four decimals"),
        (values.number, "1e16", "too large"),
        (values.number, "many", "not a number"),
        (values.number, False, "not a number"),
        (values.milliseconds, "1735660800000.5", "not unix milliseconds"),
        (values.milliseconds, -1, "not unix milliseconds"),
        (values.milliseconds, 999, "not unix milliseconds"),
        (values.milliseconds, 253402271999999 + 1, "not unix milliseconds"),
        (values.milliseconds, "2025-01-01 00:00:00", "not a number"),
        (values.milliseconds, True, "not a number"),
        (values.milliseconds, {}, "not a number"),
        (values.time, 1735660800, "a time is a string"),
        (values.time, "2025-02-30 00:00:00", "no such date or time"),
        (values.time, "2025-01-01", "not YYYY-MM-DD HH:MM:SS"),
        (values.time, "0999-01-01 00:00:00", "not YYYY-MM-DD HH:MM:SS"),
        (values.identifier, True, "an id is a string or a whole number"),
        (values.identifier, Decimal("1.0"), "an id is a string or a whole number"),
        (values.identifier, {}, "an id is a string or a whole number"),
        (values.identifier, "x" * 129, "longer than 128 characters"),
        (values.text, "x" * 65_536, "longer than 65535 bytes"),
        (values.text, "字" * 21_846, "longer than 65535 bytes"),
    ],
)
def test_what_cannot_be_stored_exactly_is_refused_with_the_reason(read: Read, value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(value)


# --- codes and ids -------------------------------------------------------------------------------------


@given(st.integers(-(2**31) + 1, 2**31 - 1))
def test_a_code_means_the_same_as_number_or_string(number: int) -> None:
    for form in (number, str(number), f" {number} ", Decimal(number), f"{number}.0"):
        assert values.code(form) == number


@given(numbers | numeric_texts)
def test_a_code_is_never_rounded(value: Any) -> None:
    number = result(values.code, value)
    assert number in (None, "refused") or Decimal(number) == Decimal(value)


@given(st.integers(0, 10**120))
def test_an_id_means_the_same_as_number_or_string(number: int) -> None:
    assert values.identifier(number) == values.identifier(str(number)) == str(number)


@given(st.text(max_size=128))
def test_an_id_is_kept_as_it_is(name: str) -> None:
    assert values.identifier(name) == name


# --- times ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", NULL_TIMES)
def test_the_null_times_of_the_api_are_null(value: Any) -> None:
    assert values.time(value) is None


@given(time_texts | st.text(max_size=25))
@example("2025-W01-1 08:30:00")  # Python reads ISO weeks, offsets and fractions; MySQL would take none of them
@example("2025-01-01 08:30+01")
@example("2025-01-01 083000.1")
@example("2025-01-01 08:30:00\n")
@example("２０２５-01-01 08:30:00")
def test_a_time_is_a_real_moment_in_the_one_form_that_the_warehouse_takes(value: str) -> None:
    typed = result(values.time, value)
    if typed not in (None, "refused"):
        assert typed == value.strip()
        assert datetime.strptime(typed, "%Y-%m-%d %H:%M:%S").isoformat(" ") == typed


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59, 59)))
def test_every_moment_that_a_datetime_column_holds_is_kept(moment: datetime) -> None:
    text = moment.isoformat(" ", "seconds")
    assert values.time(text) == values.time(f" {text} ") == text


UNIX = datetime(1970, 1, 1, tzinfo=timezone.utc)
BEIJING_HOURS = timedelta(hours=8)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 31, 15, 59, 59)), st.integers(0, 999))
def test_milliseconds_become_the_second_of_beijing_time_they_lie_in(moment: datetime, rest: int) -> None:
    utc = moment.replace(microsecond=0, tzinfo=timezone.utc)
    unix = round((utc - UNIX).total_seconds()) * 1000 + rest
    expected = f"{(utc.replace(tzinfo=None) + BEIJING_HOURS):%Y-%m-%d %H:%M:%S}"
    for form in (unix, str(unix), f" {unix} ", Decimal(unix)):
        assert values.milliseconds(form) == expected == values.time(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, None),
        ("0", None),
        (Decimal("0.0"), None),
        ("0000-00-00 00:00:00", None),
        ("-0001-11-30 00:00:00", None),
        (1735660800000, "2025-01-01 00:00:00"),
        ("1735660799999", "2024-12-31 23:59:59"),
        (1000, "1970-01-01 08:00:01"),
        (253402271999999, "9999-12-31 23:59:59"),
    ],
)
def test_millisecond_examples(value: Any, expected: str | None) -> None:
    """0 means never, and so does a null time, though it is none of milliseconds."""
    assert values.milliseconds(value) == expected


@given(numbers | numeric_texts)
@example("1e-99999999999999999999")
@example("-0.00000")
@example("0e1")
def test_an_amount_without_a_unit_is_kept_exactly_and_fits_its_column(value: Any) -> None:
    amount = result(values.number, value)
    if amount not in (None, "refused"):
        assert Decimal(amount) == Decimal(value)
        assert re.fullmatch(r"-?\d{1,16}(\.\d+)?", amount), "no exponent"
        assert not amount.startswith("-0") or Decimal(amount)
        assert Decimal(amount) == Decimal(amount).quantize(Decimal("0.0001"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("12.5", "12.5"), (300, "300"), ("1e2", "100"), ("-0", "0"), (Decimal("0.1234"), "0.1234"), ("", None)],
)
def test_amount_examples(value: Any, expected: str | None) -> None:
    assert values.number(value) == expected


# --- texts ---------------------------------------------------------------------------------------------


@given(st.text())
def test_a_text_is_kept_as_it_is(text: str) -> None:
    assert values.text(text) == text


@pytest.mark.parametrize("text", ["x" * 65_535, "字" * 21_845, "😀" * 16_383])
def test_a_text_may_fill_its_column(text: str) -> None:
    assert values.text(text) == text


@given(st.lists(json_values, max_size=3) | st.dictionaries(st.text(max_size=5), json_values, max_size=3))
def test_objects_and_lists_become_compact_json_that_means_the_same(value: Any) -> None:
    typed = values.text(value)
    assert typed is not None
    assert unnumbered(json.loads(typed, parse_float=Decimal, parse_int=Decimal)) == unnumbered(value)


def unnumbered(value: Any) -> Any:
    """With every number as a Decimal, so that 1 and 1.0 compare as what they are."""
    if isinstance(value, dict):
        return {name: unnumbered(one) for name, one in value.items()}
    if isinstance(value, list):
        return [unnumbered(one) for one in value]
    return Decimal(value) if type(value) is int else value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, "7"),
        (Decimal("1.50"), "1.50"),
        (True, "true"),
        ({"b": "中", "a": [1, None]}, '{"a":[1,null],"b":"中"}'),
        ({"scale": Decimal("1.5")}, '{"scale":1.5}'),
    ],
)
def test_text_examples(value: Any, expected: str) -> None:
    assert values.text(value) == expected


def test_a_value_nested_beyond_reason_is_refused() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(ValueError, match="nested too deeply"):
        values.text(nested)


@given(st.lists(st.sampled_from([0, 1, -1, True, False, 1.0, Decimal("1.0"), Decimal("1.00"), "1", "", None, [1], {}])))
def test_each_value_of_a_column_is_read_as_what_it_is(column: list[Any]) -> None:
    assert values.each(repr, column) == [repr(value) for value in column]

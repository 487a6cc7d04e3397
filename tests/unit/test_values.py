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

from support.worlds.forms import FORMS, REFUSED
from xiaoe import clock
from xiaoe.resources import order_origins
from xiaoe.rows import times, values

Read = Callable[[Any], Any]
READERS: tuple[Read, ...] = (
    values.code,
    values.length,
    values.yuan,
    values.fen,
    values.count,
    values.code_list,
    values.number,
    values.time,
    values.planned,
    values.text,
    values.identifier,
)
NULL_TIMES = ("0000-00-00 00:00:00", "0000-00-00", "-0001-11-30 00:00:00", "", "--", "  ", " -- ")
NOW = datetime(2026, 11, 30, 15, 0, tzinfo=clock.BEIJING)
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
    st.sampled_from(NULL_TIMES),
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


# --- every form ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("read", "sent", "kept"), [(read, *pair) for read, pairs in FORMS.items() for pair in pairs])
def test_every_form_is_read_as_what_it_can_only_mean_or_refused(read: Read, sent: Any, kept: Any) -> None:
    """What JSON brought: a number with a point is a Decimal."""
    value = json.loads(json.dumps(sent), parse_float=Decimal)
    typed = result(read, value)
    if kept is REFUSED:
        assert typed == "refused"
    elif isinstance(kept, datetime):
        assert typed == f"{kept:%Y-%m-%d %H:%M:%S}"
    elif isinstance(kept, Decimal):
        assert Decimal(typed) == kept
    else:
        assert typed == kept
        assert type(typed) is type(kept)


def test_there_is_a_table_of_forms_for_every_kind_of_value() -> None:
    assert set(FORMS) == {*READERS, order_origins.order_lines}


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
        said = value.strip().removesuffix(".") if isinstance(value, str) else value
        assert abs(Decimal(amount) * unit - Decimal(said)) <= noise


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


@pytest.mark.parametrize("read", [values.yuan, values.fen, values.code, values.count, values.number])
@pytest.mark.parametrize("value", ["", "--", "-", "  ", "null", None])
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
        (values.yuan, "Infinity", "not a number"),
        (values.yuan, True, "not a number"),
        (values.yuan, [1], "not a number"),
        (values.code, "2147483648", "not a whole number that fits INT"),
        (values.code, "1.5", "not a whole number that fits INT"),
        (values.number, "0.00001", "more than four decimals"),
        (values.number, "1e16", "too large"),
        (values.number, "many", "not a number"),
        (values.number, False, "not a number"),
        (values.fen, "9.00", "two decimals are how yuan are written"),
        (values.fen, "¥9", "carries ¥, which this field does not count in"),
        (values.count, True, "not a number"),
        (values.count, "30亿", "not a whole number that fits INT"),
        (values.time, "2025-02-30 00:00:00", "no such date or time"),
        (values.time, "2025-01-01", "a day without a time of day"),
        (values.time, "yesterday", "not a time, e.g. 2025-01-31 08:30:00"),
        (values.time, "0999-01-01 00:00:00", "before 2010"),
        (values.time, 1735660, "no unix time of our days"),
        (values.time, True, "not a time"),
        (values.time, "2099-01-01 00:00:00", "more than a day in the future"),
        (values.planned, "2101-01-01 00:00:00", "after the year 2100"),
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
    assert number in (None, "refused") or Decimal(number) == Decimal(value.strip() if isinstance(value, str) else value)


@given(st.integers(0, 10**120))
def test_an_id_means_the_same_as_number_or_string(number: int) -> None:
    assert values.identifier(number) == values.identifier(str(number)) == str(number)


@given(st.text(max_size=128))
def test_an_id_is_kept_as_it_is(name: str) -> None:
    assert values.identifier(name) == name


# --- times ---------------------------------------------------------------------------------------------


@given(time_texts | st.text(max_size=25))
@example("2025-W01-1 08:30:00")  # Python reads ISO weeks; MySQL would not
@example("2025-01-01 08:30+01")
@example("2025-01-01 083000.1")
@example("2025-01-01 08:30:00\n")
@example("２０２５-01-01 08:30:00")
def test_a_time_is_a_real_moment_in_the_one_form_that_the_warehouse_takes(value: str) -> None:
    for read in (values.time, values.planned):
        typed = result(read, value)
        if typed not in (None, "refused"):
            assert datetime.strptime(typed, "%Y-%m-%d %H:%M:%S").isoformat(" ") == typed
            assert typed >= "2010"


UNIX = datetime(1970, 1, 1, tzinfo=timezone.utc)
moments = st.datetimes(datetime(2010, 1, 2), datetime(2026, 11, 29)).map(lambda moment: moment.replace(microsecond=0))


@given(moments)
def test_every_moment_since_2010_is_kept(moment: datetime) -> None:
    text = moment.isoformat(" ", "seconds")
    assert values.time(text) == values.time(f" {text} ") == values.planned(text) == text


@given(moments, st.integers(-12, 14), st.sampled_from(["T", " "]))
def test_an_offset_is_honoured(moment: datetime, hours: int, between: str) -> None:
    there = moment.replace(tzinfo=clock.BEIJING).astimezone(timezone(timedelta(hours=hours)))
    assert values.time(there.isoformat(between)) == f"{moment:%Y-%m-%d %H:%M:%S}"


@given(moments, st.integers(0, 999))
def test_unix_times_become_the_second_of_beijing_time_they_lie_in(moment: datetime, rest: int) -> None:
    unix = round((moment.replace(tzinfo=clock.BEIJING) - UNIX).total_seconds())
    expected = f"{moment:%Y-%m-%d %H:%M:%S}"
    for form in (
        unix,
        str(unix),
        unix * 1000 + rest,
        f" {unix * 1000 + rest} ",
        Decimal(unix),
        (unix * 1000 + rest) * 1000,
    ):
        assert values.time(form) == values.planned(form) == expected


def test_what_happened_did_so_at_most_a_day_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(times, "_IMPORTED_AT", "2026-11-30 15:00:00")
    assert values.time("2026-12-01 15:00:00") == "2026-12-01 15:00:00"
    with pytest.raises(ValueError, match="more than a day in the future"):
        values.time("2026-12-01 15:00:01")
    assert values.planned("2026-12-01 15:00:01") == "2026-12-01 15:00:01"


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
    [
        ("12.5", "12.5"),
        ("12.50", "12.5"),
        (Decimal("12.500"), "12.5"),
        (300, "300"),
        ("1e2", "100"),
        ("-0", "0"),
        (Decimal("0.1234"), "0.1234"),
        ("", None),
    ],
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

"""Answers that mean an error: the class tells how to recover, the message who has to do what, and no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.api.errors import (
    ADVICE,
    FEW_ATTEMPTS,
    MAX_RETRY_AFTER,
    PASSING,
    TOKEN_CODES,
    check_http,
    check_token_answer,
    error_for,
)
from xiaoe.api.shop import Shop
from xiaoe.exceptions import (
    XiaoeBusyError,
    XiaoeConfigError,
    XiaoeError,
    XiaoeNetworkError,
    XiaoeQuotaError,
    XiaoeRetriableError,
    XiaoeTokenError,
)
from xiaoe.resources.orders import ORDERS
from xiaoe.rows.envelope import Envelope

SECRET = "s3cr et/+&=中"
SPELLINGS = (SECRET, "s3cr%20et%2F%2B%26%3D%E4%B8%AD", "s3cr+et%2F%2B%26%3D%E4%B8%AD")
TOKEN = "xe_" + "0123456789abcdef" * 31
SHOP = Shop("xiaoe_default", "https://api.example", "app1", "xop1", SECRET)

# docs/xiaoe-api.md section 7: code → class, and the connection's field or the place that the advice names
STOP = {
    2001: "Extra field app_id",
    2002: "Extra field app_id",
    2003: "Secret (password)",
    2004: "Secret (password)",
    2005: "Host",
    2006: "Host",
    2009: "user_id",
    2010: "user_id",
    2017: "开放平台",
    2020: "Client id (login)",
    2051: "IP白名单",
    2052: "Host",
    2055: "Host",
}
RETRY: dict[int, type[XiaoeError]] = {
    1001: XiaoeBusyError,
    1002: XiaoeBusyError,
    2007: XiaoeTokenError,
    2008: XiaoeTokenError,
    2053: XiaoeQuotaError,
    2054: XiaoeBusyError,
}


def answered(code: Any, text: Any = "what the API says", *, on_token: bool = False) -> XiaoeError | None:
    return error_for(Envelope(code=code, msg=text), None if on_token else ORDERS, SHOP, TOKEN)


def retriable(code: Any) -> XiaoeRetriableError:
    error = answered(code)
    assert isinstance(error, XiaoeRetriableError)
    return error


# --- codes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, "0", " 0 "])
def test_success_is_no_error(code: Any) -> None:
    assert answered(code) is None


@pytest.mark.parametrize("code", STOP)
@pytest.mark.parametrize("on_token", [True, False])
def test_a_code_that_somebody_has_to_act_on_stops_and_names_the_field(code: int, on_token: bool) -> None:
    error = answered(code, on_token=on_token)
    assert type(error) is XiaoeConfigError
    where = "/token" if on_token else ORDERS.endpoint
    assert str(error).startswith("connection xiaoe_default: ")
    assert STOP[code] in str(error)
    assert f"{where} answered code {code}: what the API says" in str(error)


def test_the_documentation_and_the_table_of_advice_name_the_same_codes() -> None:
    assert set(ADVICE) == set(STOP)
    assert set(PASSING) == set(RETRY)
    assert set(TOKEN_CODES) == {code for code, kind in RETRY.items() if kind is XiaoeTokenError}


@pytest.mark.parametrize("code", RETRY)
def test_a_code_that_passes_is_of_its_class_also_as_a_string(code: int) -> None:
    assert type(answered(code)) is type(answered(str(code))) is RETRY[code]


def test_a_code_that_may_be_our_fault_is_tried_a_few_times_only() -> None:
    assert retriable(1001).max_attempts is retriable(2054).max_attempts is None
    assert retriable(1002).max_attempts == FEW_ATTEMPTS
    for undocumented in (-1, 1, 999, 2099, None, "", "broken", True, [], 1.5):
        assert type(retriable(undocumented)) is XiaoeBusyError
        assert retriable(undocumented).max_attempts == FEW_ATTEMPTS


def test_a_used_up_quota_waits_for_its_window() -> None:
    assert retriable(2053).retry_after == ORDERS.quota_seconds
    on_token = answered(2053, on_token=True)
    assert isinstance(on_token, XiaoeQuotaError)
    assert on_token.retry_after is None


# --- secrets -------------------------------------------------------------------------------------------


@given(st.integers(0, 2100) | st.text(), st.sampled_from([*SPELLINGS, TOKEN]), st.text(max_size=250), st.text())
def test_neither_secret_nor_token_is_in_any_message(code: Any, word: str, before: str, after: str) -> None:
    """An answer may quote the request; it does so in the middle of anything."""
    for on_token in (True, False):
        error = answered(code, f"{before}{word}{after}", on_token=on_token)
        assert error is None or word not in str(error)


def test_a_message_of_any_type_is_shown_and_a_long_one_is_cut() -> None:
    assert "{'a': 1}" in str(answered(1001, {"a": 1}))
    assert str(answered(1001, None)).endswith("answered code 1001: ")
    assert len(str(answered(1001, "x" * 10_000))) < 300


def test_the_other_spelling_of_the_text_is_read() -> None:
    assert "expired" in str(error_for(Envelope(code=2008, message="expired"), ORDERS, SHOP))


# --- HTTP ----------------------------------------------------------------------------------------------


def http(status: int, *, retry_after: str | None = None, too_long: bool = False) -> None:
    response = requests.Response()
    response.status_code = status
    response.headers["Date"] = "Fri, 20 Nov 2026 12:00:00 GMT"
    if retry_after is not None:
        response.headers["Retry-After"] = retry_after
    check_http(response, "/path", SHOP, too_long=too_long)


def test_http_200_is_fine() -> None:
    http(200)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, XiaoeQuotaError),
        (500, XiaoeNetworkError),
        (502, XiaoeNetworkError),
        (503, XiaoeNetworkError),
        (504, XiaoeNetworkError),
        (408, XiaoeNetworkError),
        (204, XiaoeConfigError),
        (301, XiaoeConfigError),
        (302, XiaoeConfigError),
        (400, XiaoeConfigError),
        (401, XiaoeConfigError),
        (403, XiaoeConfigError),
        (404, XiaoeConfigError),
    ],
)
def test_each_http_status_has_its_class(status: int, kind: type[XiaoeError]) -> None:
    with pytest.raises(kind, match=f"HTTP {status}") as caught:
        http(status)
    assert type(caught.value) is kind
    if kind is XiaoeConfigError:
        assert "connection xiaoe_default: https://api.example/path" in str(caught.value)
        assert "Host" in str(caught.value)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("3", 3.0),
        ("1.5", 1.5),
        ("99999999", MAX_RETRY_AFTER),
        (None, None),
        ("", None),
        (".", None),
        ("-1", None),
        ("soon", None),
        ("²", None),
        ("nan", None),
        ("inf", None),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 20 Nov 2027 12:00:00 GMT", MAX_RETRY_AFTER),
        ("Fri, 31 Nov 2026 12:00:00 GMT", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_as_number_and_as_moment_and_bounded(
    status: int, header: str | None, seconds: float | None
) -> None:
    with pytest.raises(XiaoeRetriableError) as caught:
        http(status, retry_after=header)
    assert caught.value.retry_after == seconds


def test_an_endless_answer_is_a_network_error() -> None:
    with pytest.raises(XiaoeNetworkError, match="more than the longest sensible answer"):
        http(200, too_long=True)


# --- the token call ------------------------------------------------------------------------------------


def token_answer(data: Any) -> bytes:
    return json.dumps({"code": 0, "msg": "success", "data": data}).encode()


@pytest.mark.parametrize(("life", "seconds"), [(7200, 7200), ("7200", 7200), (1, 1), (0, 1), (-5, 1), (None, 1)])
def test_a_token_and_its_life_are_read(life: Any, seconds: int) -> None:
    token = check_token_answer(token_answer({"access_token": TOKEN, "expires_in": life}), SHOP)
    assert (token.value, token.seconds_left) == (TOKEN, seconds)
    assert TOKEN not in repr(token)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        "token",
        {"expires_in": 7200},
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 5},
        {"access_token": TOKEN, "expires_in": "soon"},
    ],
)
def test_success_without_a_token_is_a_network_error(data: Any) -> None:
    with pytest.raises(XiaoeNetworkError, match=r"^/token answered success without a token$"):
        check_token_answer(token_answer(data), SHOP)


@pytest.mark.parametrize(
    "body",
    [
        token_answer({"access_token": TOKEN, "expires_in": 7200})[:-20],
        json.dumps({"data": {"access_token": TOKEN}, "code": 0}, separators=(",", ":")).encode()[:-2],
        f"<p>GET /token?app_id=app1&secret_key={SPELLINGS[1]} was not found</p>".encode(),
    ],
)
def test_an_unreadable_token_answer_shows_neither_token_nor_secret(body: bytes) -> None:
    with pytest.raises(XiaoeNetworkError, match=f"/token sent {len(body)} bytes that are not the API's JSON") as caught:
        check_token_answer(body, SHOP)
    assert TOKEN[:4] not in str(caught.value)
    assert SPELLINGS[1] not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("code", [2001, 2004, 2051])
def test_a_refused_token_call_is_the_error_of_its_code(code: int) -> None:
    with pytest.raises(XiaoeConfigError, match=rf"/token answered code {code}"):
        check_token_answer(json.dumps({"code": code, "msg": "no", "data": None}).encode(), SHOP)

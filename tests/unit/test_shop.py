"""The fields of a shop's connection: what may be left out, and what a message says of a wrong one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from airflow.sdk import Connection
from airflow.sdk.bases.hook import BaseHook
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.api.shop import DEFAULT_HOST, Shop
from xiaoe.exceptions import XiaoeConfigError

FIELDS: dict[str, Any] = {
    "conn_type": "xiaoe",
    "host": "https://api.example",
    "login": "xop1",
    "password": "s3cret",
    "extra": {"app_id": "app1"},
}


def shop(extra: dict[str, Any] | None = None, **fields: Any) -> Shop:
    merged = {**FIELDS, **fields, "extra": json.dumps({**FIELDS["extra"], **(extra or {})})}
    return Shop.from_connection(Connection(conn_id="second_shop", **merged))


def test_only_the_credentials_have_to_be_filled_in() -> None:
    assert shop(host=None) == Shop("second_shop", DEFAULT_HOST, "app1", "xop1", "s3cret", 200, 60, 4, 30)


def test_every_number_can_be_chosen_as_number_or_digits() -> None:
    chosen = {"page_size": 50, "calls_per_second": "10", "concurrency": 1, "timeout": "600"}
    found = shop(chosen)
    assert (found.page_size, found.calls_per_second, found.concurrency, found.timeout) == (50, 10, 1, 600)
    assert shop(dict.fromkeys(chosen, "")) == shop(dict.fromkeys(chosen)) == shop()


@pytest.mark.parametrize(
    "value",
    [
        "xiaoe://xop1:s3cret%2F%40@api.example/https?app_id=app1&page_size=50",
        "xiaoe://xop1:s3cret%2F%40@https%3A%2F%2Fapi.example?__extra__=%7B%22app_id%22%3A%22app1%22%2C%22page_size%22%3A50%7D",
        json.dumps({**FIELDS, "password": "s3cret/@", "extra": {"app_id": "app1", "page_size": 50}}),
        json.dumps({**FIELDS, "password": "s3cret/@", "extra": '{"app_id": "app1", "page_size": "50"}'}),
    ],
)
def test_uri_and_json_in_the_environment_mean_the_same(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_IN_ENV", value)
    found = Shop.from_connection(BaseHook.get_connection("shop_in_env"))
    assert found == Shop("shop_in_env", "https://api.example", "app1", "xop1", "s3cret/@", page_size=50)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"host": "https://api.example/"}, "https://api.example"),
        ({"host": " https://api.example "}, "https://api.example"),
        ({"host": "api.example"}, "https://api.example"),
        ({"host": "api.example", "schema": "http"}, "http://api.example"),
        ({"host": "api.example", "port": 8443}, "https://api.example:8443"),
        ({"host": "https://api.example/", "port": 8443}, "https://api.example:8443"),
        ({"host": "https://api.example:1", "port": 8443}, "https://api.example:1"),
        ({"host": "127.0.0.1", "port": 8000}, "http://127.0.0.1:8000"),
        ({"host": "localhost", "port": 8000}, "http://localhost:8000"),
        ({"host": "::1", "port": 8000}, "http://[::1]:8000"),
        ({"host": "api.example:8443"}, "https://api.example:8443"),
        ({"host": "https://gateway.example/xiaoe/"}, "https://gateway.example/xiaoe"),
        ({"host": ""}, DEFAULT_HOST),
    ],
)
def test_a_host_becomes_a_base_url(fields: dict[str, Any], expected: str) -> None:
    assert shop(**fields).base_url == expected


@pytest.mark.parametrize(
    "host",
    ["ftp://api.example", "https://", "://", "https://[::1", "https://api.example:port", "https://api.example:99999"],
)
@pytest.mark.parametrize("port", [None, 8000])
def test_a_host_that_is_no_base_url_is_named_with_the_fix(host: str, port: int | None) -> None:
    with pytest.raises(XiaoeConfigError) as caught:
        shop(host=host, port=port)
    assert str(caught.value) == (
        f"connection second_shop: host={host!r} is not a base URL: give one like {DEFAULT_HOST}"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"login": None}, "client_id is empty: fill in field Client id (login)"),
        ({"login": "  "}, "client_id is empty: fill in field Client id (login)"),
        ({"password": ""}, "secret is empty: fill in field Secret (password)"),
        ({"extra": {"app_id": ""}}, "app_id is empty: fill in Extra field app_id: the shop's id, app..."),
        ({"extra": {"app_id": None}}, "app_id is empty: fill in Extra field app_id: the shop's id, app..."),
    ],
)
def test_a_missing_field_is_named_with_the_place_to_fill_it_in(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(XiaoeConfigError) as caught:
        shop(**fields)
    assert str(caught.value) == f"connection second_shop: {message}"


def test_a_connection_without_extra_lacks_its_app_id() -> None:
    for extra in (None, "", "{}"):
        with pytest.raises(XiaoeConfigError, match="app_id is empty"):
            Shop.from_connection(Connection(conn_id="bare", **{**FIELDS, "extra": extra}))


@pytest.mark.parametrize("app_id", ["app 1", "../etc", "app/1", "应用", "x" * 65])
def test_an_app_id_that_could_not_be_a_folder_is_refused(app_id: str) -> None:
    with pytest.raises(XiaoeConfigError, match="is not a shop id: letters, digits, _ and - only") as caught:
        shop({"app_id": app_id})
    assert f"app_id={app_id!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "most"), [("page_size", 200), ("calls_per_second", 300), ("concurrency", 64), ("timeout", 600)]
)
def test_a_number_out_of_range_is_named_with_its_value_and_the_fix(name: str, most: int) -> None:
    assert getattr(shop({name: most}), name) == most
    for value in (0, -1, most + 1, "many", 1.5, True, [1]):
        with pytest.raises(XiaoeConfigError) as caught:
            shop({name: value})
        assert str(caught.value) == (f"connection second_shop: {name}={value!r}: give a whole number from 1 to {most}")


def test_spaces_around_pasted_credentials_do_not_count() -> None:
    assert shop({"app_id": " app1 "}, login=" xop1\n", password="\ts3cret ") == shop()


def test_the_secret_is_not_in_the_repr() -> None:
    assert "s3cret" not in repr(shop())


@given(st.text(min_size=1).filter(str.strip), st.text(max_size=20), st.text())
def test_what_is_hidden_is_hidden_in_every_spelling(secret: str, before: str, token: str) -> None:
    one = Shop("c", "https://api.example", "app1", "xop1", secret.strip())
    for word in filter(None, (secret.strip(), token)):
        for form in (word, quote(word, safe=""), quote_plus(word)):
            if "*" not in form:
                assert form not in one.hide(f"{before}{form}", token)

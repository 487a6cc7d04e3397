"""Connections of the environment: what is not readable is said, with the fix and without the secret."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from xiaoe.connections import check, check_uri, get_connection
from xiaoe.exceptions import XiaoeConfigError

NAME = "AIRFLOW_CONN_XIAOE_MYSQL"
UNESCAPED = [
    "pa#ss", "pa/ss", "pa?ss", "1#ss", "1/ss", "1?ss", "pa[ss", "#", "1234567#", "p@ss#word", "p@1/word", "a/b+c=",
]  # fmt: skip


@pytest.mark.parametrize("password", UNESCAPED)
@pytest.mark.parametrize(
    "uri",
    [
        "mysql://user:{}@db.example.com:3306/xiaoe?charset=utf8mb4",
        "mysql://user:{}@db.example.com/xiaoe",
        "xiaoe://xop1:{}@?app_id=app1",
        "smtp://ops%40example.com:{}@smtp.example.com:465/?from_email=ops@example.com",
        "aws://KEY:{}@/?endpoint_url=http%3A%2F%2F127.0.0.1%3A9000",
    ],
)
def test_a_password_that_ends_the_uri_is_named_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, uri: str, password: str
) -> None:
    monkeypatch.setenv(NAME, uri.format(password))
    with pytest.raises(XiaoeConfigError) as refused:
        get_connection("xiaoe_mysql")
    said = str(refused.value)
    assert said.startswith(f"{NAME}: the URI ")
    assert all(part in said for part in ("# as %23", "/ as %2F", "? as %3F", "or give JSON"))
    assert len(password) == 1 or password not in said


@pytest.mark.parametrize("password", UNESCAPED)
def test_the_same_passwords_as_the_advice_has_them(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv(NAME, f"mysql://user:{quote(password, safe='')}@db.example.com:3306/xiaoe")
    assert get_connection("xiaoe_mysql").password == password
    monkeypatch.setenv(NAME, json.dumps({"conn_type": "mysql", "host": "h", "login": "u", "password": password}))
    assert get_connection("xiaoe_mysql").password == password


@pytest.mark.parametrize(
    "uri",
    [
        "mysql://user:p@ss@h:3306/xiaoe", "mysql://user:p:ss@h/xiaoe", "smtp://h:25/?from_email=a@b.c", "generic://",
        "smtp://u:p@h:465/?from_email=a%40b.c&timeout=5", "xiaoe://a:b@http%3A%2F%2F127.0.0.1%3A8000?app_id=x",
        "http://https://example.com/", "mysql://u:p@[::1]:3306/xiaoe", "mysql://u:100%@h/xiaoe",
        "sqlite:////home/me@work/airflow.db", "generic://:AGE-SECRET-KEY-1ABC@",
    ],
)  # fmt: skip
def test_what_says_what_it_means_is_left_alone(uri: str) -> None:
    check(NAME, uri)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{"conn_type": "mysql", "password": "SECRET1"', r"is no JSON \(line 1, column \d+"),
        ("{'conn_type': 'mysql', 'password': 'SECRET1'}", "is no JSON"),
        ('{"conn_type": "mysql", "password": "SECRET1\\"', "is no JSON"),
        ("""'{"conn_type": "mysql", "password": "SECRET1"}'""", "begins with a quote"),
        ("user:SECRET1@db.example.com", "is neither JSON nor a URI"),
    ],
)
def test_other_values_that_airflow_hides_behind_not_defined(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(XiaoeConfigError, match=f"^{NAME} {said}") as refused:
        get_connection("xiaoe_mysql")
    assert "SECRET1" not in str(refused.value)


def test_a_connection_that_is_nowhere_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    with pytest.raises(AirflowNotFoundException):
        get_connection("xiaoe_mysql")


def test_the_name_is_the_variable_s() -> None:
    with pytest.raises(XiaoeConfigError, match=r"^XIAOE_AIRFLOW_DB: the URI ends at a '#'"):
        check_uri("XIAOE_AIRFLOW_DB", "postgresql+psycopg2://airflow:1#x@postgres/airflow")

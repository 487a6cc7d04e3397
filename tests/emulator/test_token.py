"""GET /token and what tokens are good for (docs/xiaoe-api.md section 1)."""

from __future__ import annotations

import json

import pytest
from conftest import Client

NOBODY = "203.0.113.9"


def test_a_token_is_long_and_lives_two_hours(shop):
    envelope = shop.token()
    assert envelope["code"] == 0
    assert envelope["data"]["expires_in"] == 7200
    assert len(envelope["data"]["access_token"]) == 512
    shop.login()


def test_the_life_told_is_whole_however_the_floats_fall(connect):
    client = connect(no_limits=True)
    assert {client.token()["data"]["expires_in"] for _ in range(100)} == {7200}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"app_id": None}, 2001),
        ({"app_id": "other"}, 2002),
        ({"secret_key": None}, 2003),
        ({"secret_key": "wrong"}, 2004),
        ({"grant_type": None}, 2005),
        ({"grant_type": "password"}, 2006),
        ({"client_id": "other"}, 2020),
    ],
)
def test_wrong_credentials_have_their_code_and_no_data(shop, change, code):
    envelope = shop.token(**change)
    assert (envelope["code"], envelope["data"]) == (code, None)


def test_the_path_has_no_trailing_s_and_wants_get(shop):
    assert json.loads(shop.http("GET", "/tokens")[2])["code"] == 2052
    assert json.loads(shop.http("POST", "/token")[2])["code"] == 2055


def test_a_strange_address_gets_no_token(serve):
    with serve(ip_whitelist=NOBODY) as emulator:
        assert Client(emulator).token()["code"] == 2051


def test_the_hundred_and_first_call_in_ten_minutes_is_refused(connect):
    client = connect()
    assert {client.token()["code"] for _ in range(99)} == {0}
    assert client.token()["code"] == 2053
    client.emulator.advance(600)
    assert client.token()["code"] == 0


def test_a_token_goes_only_in_the_body(shop):
    token, shop.access_token = shop.access_token, None
    assert shop.ask()["code"] == 2007
    shop.access_token = token
    assert json.loads(shop.http("POST", f"/xe.order.list.get/1.0.1?access_token={token}", "{}")[2])["code"] == 2007
    assert shop.ask()["code"] == 0


def test_an_unknown_token_is_2008(shop):
    assert shop.ask(access_token="xe_unknown")["code"] == 2008


def test_a_token_ends_with_its_life(connect):
    client = connect(token_life=600)
    client.emulator.advance(599 - 5)
    assert client.ask()["code"] == 0
    client.emulator.advance(6)
    assert client.ask()["code"] == 2008


def test_a_revoked_token_is_2008_and_a_new_one_works(connect):
    client = connect(token_mode="same_while_30_minutes_left")
    client.emulator.revoke_token()
    assert client.ask()["code"] == 2008
    assert client.login().ask()["code"] == 0


def test_at_once_a_new_token_ends_the_old_one(connect):
    client = connect(token_mode="at_once")
    old = client.access_token
    client.login()
    assert client.ask(access_token=old)["code"] == 2008


def test_after_five_minutes_a_new_token_ends_the_old_one(connect):
    client = connect(token_mode="after_5_minutes")
    old = client.access_token
    client.login()
    assert client.ask(access_token=old)["code"] == 0
    client.emulator.advance(300)
    assert client.ask(access_token=old)["code"] == 2008
    assert client.ask()["code"] == 0


def test_the_same_token_comes_back_while_more_than_thirty_minutes_are_left(connect):
    client = connect(token_mode="same_while_30_minutes_left")
    first = client.access_token
    client.emulator.advance(5000)
    again = client.token()["data"]
    assert again["access_token"] == first
    assert 2100 < again["expires_in"] <= 2200
    client.emulator.advance(500)
    assert client.token()["data"]["access_token"] != first


def test_each_shop_has_its_own_tokens_and_orders(serve):
    second = {"app_id": "app2", "client_id": "client2", "secret_key": "secret2"}
    with serve(shop=["app1:client1:secret1", "app2:client2:secret2"], orders=500) as emulator:
        one, two = Client(emulator).login(), Client(emulator, second).login()
        assert one.ask()["code"] == two.ask()["code"] == 0
        ids = [{row["order_id"] for row in emulator.truth_orders(shop_id)} for shop_id in ("app1", "app2")]
        assert [len(shop_ids) for shop_ids in ids] == [500, 500]
        assert not ids[0] & ids[1]
        emulator.revoke_token("app2")
        assert (one.ask()["code"], two.ask()["code"]) == (0, 2008)
